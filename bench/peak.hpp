// The highest rate of float32 multiply-adds that the machine reaches, measured on registers alone.
#pragma once
#include <algorithm>
#include <chrono>
#include <cstring>

#include <d16/core/parallel.hpp>
#include <d16/kernels/cpu/isa.hpp>

namespace d16::bench {

namespace detail {

constexpr int chains = 16;  // in flight at once: more than latency times throughput of any machine

template <int lanes> D16_INLINE void multiply_add(int64_t steps, float* x) {
  typedef float Vector __attribute__((vector_size(4 * lanes), may_alias));
  Vector sum[chains], factor, term;
  std::memcpy(&factor, x, sizeof factor);
  std::memcpy(&term, x + 16, sizeof term);
#pragma GCC unroll 16
  for (int i = 0; i < chains; ++i) sum[i] = term * float(i);
  for (int64_t k = 0; k < steps; ++k)
#pragma GCC unroll 16
    for (int i = 0; i < chains; ++i) sum[i] = sum[i] * factor + term;
#pragma GCC unroll 16
  for (int i = 1; i < chains; ++i) sum[0] += sum[i];
  std::memcpy(x, &sum[0], sizeof sum[0]);
}
D16_TARGET_AVX512 inline void multiply_add_avx512(int64_t steps, float* x) { multiply_add<16>(steps, x); }
D16_TARGET_AVX2 inline void multiply_add_avx2(int64_t steps, float* x) { multiply_add<8>(steps, x); }
inline void multiply_add_baseline(int64_t steps, float* x) { multiply_add<4>(steps, x); }

}  // namespace detail

/// GFLOP/s of all threads together: the best of ten runs of a few milliseconds.
inline double peak() {
  using kernels::cpu::Isa;
  Isa const isa = kernels::cpu::best_isa();
  int const lanes = isa >= Isa::avx512 ? 16 : isa == Isa::avx2 ? 8 : 4;
  int64_t const steps = 1 << 20;
  double best = 0;
  for (int run = 0; run < 10; ++run) {
    auto start = std::chrono::steady_clock::now();
    parallel_tasks(threads(), [&](int64_t) {
      float x[32];
      std::fill(x, x + 16, 0.5f), std::fill(x + 16, x + 32, 1.0f);
      isa >= Isa::avx512 ? detail::multiply_add_avx512(steps, x)
      : isa == Isa::avx2 ? detail::multiply_add_avx2(steps, x)
                         : detail::multiply_add_baseline(steps, x);
      [[maybe_unused]] float volatile keep = x[0];
    });
    std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    best = std::max(best, 2e-9 * double(steps) * detail::chains * lanes * threads() / seconds.count());
  }
  return best;
}

}  // namespace d16::bench
