// Antialiased pooling in two passes of one dimension each, vectorised over pixels and channels.
#pragma once
#include <algorithm>
#include <cstddef>

#include <d16/core/parallel.hpp>

#include "../antialiased_avg_pool.hpp"
#include "isa.hpp"

namespace d16::kernels::cpu {

namespace detail {

/// Which source pixels, in one direction, a result pixel is made of: first, first + 1, ... count of them, the t-th with
/// the weight of tap + t * tap_step.
struct BlurReach {
  int64_t first, count, tap, tap_step;
};
struct BlurForward {
  int64_t kernel, stride, padding;
  BlurReach operator()(int64_t out, int64_t size) const {
    int64_t start = out * stride - padding, low = std::max<int64_t>(0, -start), high = std::min(kernel, size - start);
    return {start + low, std::max<int64_t>(0, high - low), low, 1};
  }
};
struct BlurAdjoint {
  int64_t kernel, stride, padding;
  BlurReach operator()(int64_t in, int64_t size) const {
    int64_t at = in + padding, low = at < kernel ? 0 : (at - kernel) / stride + 1,
            high = std::min(size - 1, at / stride);
    return {low, std::max<int64_t>(0, high - low + 1), at - low * stride, -stride};
  }
};

/// out[l] = sum over t of weight(t) in[t * step + l], l < n; the outputs of one piece stay in the nearest cache.
template <class T>
D16_INLINE void weighted_sum(T* __restrict out, T const* in, int64_t step, BlurReach reach, T const* taps, int64_t n) {
  for (int64_t begin = 0; begin < n; begin += 512) {
    int64_t end = begin + 512 < n ? begin + 512 : n;
    for (int64_t l = begin; l < end; ++l) out[l] = 0;
    for (int64_t t = 0; t < reach.count; ++t) {
      T const weight = taps[reach.tap + t * reach.tap_step];
      T const* row = in + t * step;
      for (int64_t l = begin; l < end; ++l) out[l] += weight * row[l];
    }
  }
}

constexpr int64_t blur_tasks(int64_t rows) { return rows < 64 ? rows : 64; }

/// A source (N,H,W,C) into a result (N,P,Q,C): down the columns into one row of scratch memory, then along that row.
template <class T, class Reach> void blur(AntialiasedAvgPool<T> const& a, T const* source, int64_t H, int64_t W,
                                          T* result, int64_t P, int64_t Q, Reach const& reach) {
  T* taps = static_cast<T*>(a.work);
  for (int i = 0; i < a.kernel; ++i) taps[i] = T(a.tap(i));
  int64_t rows = a.N * P, tasks = blur_tasks(rows), C = a.C;
  parallel_tasks(tasks, [&](int64_t task) {
    T* scratch = taps + a.kernel + task * W * C;
    for (int64_t row = task * rows / tasks; row < (task + 1) * rows / tasks; ++row) {
      BlurReach const down = reach(row % P, H);
      T const* in = source + (row / P * H + down.first) * W * C;
      T* out = result + row * Q * C;
      simd_for(
          0, 1, [=](int64_t) __attribute__((always_inline)) { weighted_sum(scratch, in, W * C, down, taps, W * C); });
      simd_for(
          0, Q, [=](int64_t q) __attribute__((always_inline)) {
            BlurReach const along = reach(q, W);
            weighted_sum(out + q * C, static_cast<T const*>(scratch) + along.first * C, C, along, taps, C);
          });
    }
  });
}

}  // namespace detail

/// Scratch memory that suffices for both functions.
template <class T> size_t antialiased_avg_pool_work_bytes(AntialiasedAvgPool<T> const& a) {
  int64_t forward = detail::blur_tasks(a.N * a.out(a.H)) * a.W, adjoint = detail::blur_tasks(a.N * a.H) * a.out(a.W);
  return size_t(a.kernel + std::max(forward, adjoint) * a.C) * sizeof(T);
}

template <class T> int antialiased_avg_pool(AntialiasedAvgPool<T> const& a) {
  detail::blur(a, a.x, a.H, a.W, a.y, a.out(a.H), a.out(a.W), detail::BlurForward{a.kernel, a.stride, a.padding});
  return ok;
}

template <class T> int antialiased_avg_pool_dx(AntialiasedAvgPool<T> const& a) {
  detail::blur(a, a.dy, a.out(a.H), a.out(a.W), a.dx, a.H, a.W, detail::BlurAdjoint{a.kernel, a.stride, a.padding});
  return ok;
}

}  // namespace d16::kernels::cpu
