// How a GPU bench measures: error first, then time with a warm and a cold cache, and shares of the card's ceilings.
#pragma once
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <string>

#include "kernels.hpp"
#include "machine.hpp"
#include "numbers.hpp"
#include "probes.hpp"

namespace d16::bench {

/// What a run has to do at least. flops: of the algorithm itself; dense_flops: of the dense algorithm for the same
/// result; bytes: each operand moved once.
struct Cost {
  double flops, dense_flops, bytes;
  Number number;
};

/// An operand, several times over: launches that take turns among the copies find none of them in the cache.
template <class T> class Array {
 public:
  Array(int64_t count, int copies)
      : count_(count),
        stride_((count * int64_t(sizeof(T)) + 255) / 256 * 256 / int64_t(sizeof(T))),
        copies_(copies),
        data_(static_cast<T*>(allocate(size_t(stride_ * copies) * sizeof(T)))) {}
  ~Array() { release(data_); }
  Array(Array const&) = delete;
  Array& operator=(Array const&) = delete;

  T* at(int copy) const { return data_ + copy % copies_ * stride_; }
  int64_t count() const { return count_; }
  void fill(uint64_t seed) {
    for (int i = 0; i < copies_; ++i) fill_with_random(at(i), count_, seed);
  }
  void poison() { fill_with_nan(data_, size_t(stride_ * copies_) * sizeof(T)); }
  double value(int64_t i) const {
    T x;
    copy_to_host(&x, data_ + i, sizeof x);
    return double(x);
  }

 private:
  int64_t count_, stride_;
  int copies_;
  T* data_;
};
inline double number_at(uint64_t seed, int64_t i, float) { return double(random_number(seed, i)); }
inline double number_at(uint64_t seed, int64_t i, bf16) { return double(float(bf16(random_number(seed, i)))); }

/// How many copies of operands of so many bytes hold three times the cache when one of them is in use.
int copies_for(double bytes);

/// The largest difference from `expected` on some elements, as a part of the largest of these.
template <class T>
double sampled_error(Array<T> const& got, int samples, std::function<double(int64_t)> const& expected) {
  double error = 0, largest = 0;
  for (int s = 0; s < samples; ++s) {
    double const u = 0.5 * (1 + double(random_number(99, s)));
    int64_t const i = s == 0 ? 0 : s == 1 ? got.count() - 1 : int64_t(u * double(got.count()));
    double const right = expected(i), difference = std::abs(got.value(i) - right);
    error = difference <= error ? error : difference;  // a NaN stays
    largest = std::max(largest, std::abs(right));
  }
  return error / largest;
}

/// Registers a bench whose name is "section/case/numbers/program", as scripts/gpu_check.sh reads it. What it throws is
/// reported as the reason why there is no result.
void add_bench(std::string const& name, std::function<void(benchmark::State&)> run);

/// run(copy) launches once with the copy's operands; error() looks at the result of run(0), whose array was poisoned.
/// Counters: us, cold_us, graph_us (medians), GB/s, GFLOP/s, dense_GFLOP/s (all warm), %bandwidth, %arithmetic, error.
void measure(benchmark::State& state, Cost const& cost, int copies, std::function<void(int)> const& run,
             std::function<double()> const& error);

/// The card's own ceilings, measured once: bytes/s of a copy that no cache holds, read and written; operations/s.
double copy_rate();
double arithmetic_rate(Number number);

/// Throws unless a launcher has taken its arguments.
void require_ok(int status);

void add_ceilings();
void add_products();
void add_convolutions();
void add_group_convolutions();
void add_ladders();
void add_memory_ops();
void add_vision();

}  // namespace d16::bench
