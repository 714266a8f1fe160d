// Matrix products: GFLOP/s, the share of the machine's peak, and the error against float64.
#include <benchmark/benchmark.h>

#include <cmath>
#include <type_traits>
#include <vector>

#include <d16/core/random.hpp>
#include <d16/kernels/cpu/gemm.hpp>

#include "peak.hpp"

using namespace d16;
using kernels::Gemm;

namespace {

template <class T> struct Case {
  Gemm<T> g;
  std::vector<T> a, b, c;
  std::vector<char> work;

  Case(int M, int N, int K, bool trans_a, bool trans_b)
      : g{.M = M, .N = N, .K = K, .trans_a = trans_a, .trans_b = trans_b},
        a(size_t(M) * K),
        b(size_t(K) * N),
        c(size_t(M) * N),
        work(kernels::cpu::gemm_work_bytes(g)) {
    Random random(1);
    for (std::vector<T>* v : {&a, &b})
      for (T& value : *v) value = T(float(random.uniform(-1, 1)));
    g.a = a.data(), g.b = b.data(), g.c = c.data(), g.work = work.data();
  }
};

/// The largest error relative to the largest element.
double relative_error(Case<float> const& narrow) {
  Gemm<float> const& g = narrow.g;
  Case<double> wide(g.M, g.N, g.K, g.trans_a, g.trans_b);
  kernels::cpu::gemm(wide.g);
  double error = 0, largest = 0;
  for (size_t i = 0; i < wide.c.size(); ++i) {
    error = std::max(error, std::abs(double(narrow.c[i]) - wide.c[i]));
    largest = std::max(largest, std::abs(wide.c[i]));
  }
  return error / largest;
}

/// Arguments: M, N, K, whether a and b are transposed, threads (0: all cores).
template <class T> void gemm(benchmark::State& state) {
  Case<T> c(int(state.range(0)), int(state.range(1)), int(state.range(2)), state.range(3), state.range(4));
  set_threads(int(state.range(5)));
  for (auto _ : state) kernels::cpu::gemm(c.g);
  double const flops = 2e-9 * double(c.g.M) * c.g.N * c.g.K;
  state.counters["GFLOP/s"] = benchmark::Counter(flops, benchmark::Counter::kIsIterationInvariantRate);
  if constexpr (std::is_same_v<T, float>) {
    state.counters["%peak"] =
        benchmark::Counter(100 * flops / bench::peak(), benchmark::Counter::kIsIterationInvariantRate);
    state.counters["error"] = relative_error(c);
  }
}

void sizes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"M", "N", "K", "ta", "tb", "threads"})->Unit(benchmark::kMillisecond)->UseRealTime();
  for (int threads : {1, 0}) {
    b->Args({1024, 1024, 1024, 0, 0, threads});
    b->Args({1021, 1019, 1013, 0, 1, threads});  // primes
    b->Args({16384, 64, 576, 0, 0, threads});    // few columns: a convolution's shape
    b->Args({16384, 24, 216, 0, 0, threads});
    b->Args({64, 576, 16384, 1, 0, threads});  // long sums: the gradient of its weights
    b->Args({64, 512, 4800, 0, 1, threads});   // a classifier's head
  }
}

}  // namespace

BENCHMARK(gemm<float>)->Apply(sizes);
BENCHMARK(gemm<double>)->Apply(sizes);
