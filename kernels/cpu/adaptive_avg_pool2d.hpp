// Adaptive mean pooling: channels in SIMD, rows of the result on different threads. Backward is a gather too: a pixel
// adds up what it gets from the few windows that it lies in.
#pragma once
#include <algorithm>

#include "../adaptive_avg_pool2d.hpp"
#include "pointwise.hpp"

namespace d16::kernels::cpu {

namespace detail {

/// One side of a pooling: images of `from_h` x `from_w`, of which each pixel of `to_h` x `to_w` sees a window.
struct AdaptiveSizes {
  int64_t N, from_h, from_w, to_h, to_w, C;
};

/// to[n,p,q,c] = sum over its window of from[n,i,j,c] * factor(p, q, i, j), added up in double.
template <class T, class F> void adaptive_gather(AdaptiveSizes const& s, T const* from, T* to, F const& factor) {
  constexpr int64_t block = 64;  // channels at a time
  int64_t const window = (s.from_h / s.to_h + 1) * (s.from_w / s.to_w + 1);
  parallel_chunks(s.N * s.to_h, grain_of(s.to_w * s.C * window), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      int64_t const n = row / s.to_h, p = row % s.to_h;
      AdaptiveWindow const rows(p, s.to_h, s.from_h);
      T const* image = from + n * s.from_h * s.from_w * s.C;
      T* to_row = to + row * s.to_w * s.C;
      auto body = [=](int64_t q) __attribute__((always_inline)) {
        AdaptiveWindow const columns(q, s.to_w, s.from_w);
        for (int64_t c = 0; c < s.C; c += block) {
          int64_t const channels = s.C - c < block ? s.C - c : block;
          double sum[block];
          for (int64_t k = 0; k < channels; ++k) sum[k] = 0;
          for (int64_t i = rows.begin; i < rows.end; ++i)
            for (int64_t j = columns.begin; j < columns.end; ++j) {
              T const* pixel = image + (i * s.from_w + j) * s.C + c;
              double const share = factor(p, q, i, j);
              for (int64_t k = 0; k < channels; ++k) sum[k] += share * double(pixel[k]);
            }
          for (int64_t k = 0; k < channels; ++k) to_row[q * s.C + c + k] = T(sum[k]);
        }
      };
      each<T>(0, s.to_w, body);
    }
  });
}

}  // namespace detail

template <class T> int adaptive_avg_pool2d(AdaptivePool2d<T> const& a) {
  detail::adaptive_gather(
      detail::AdaptiveSizes{a.N, a.H, a.W, a.P, a.Q, a.C}, a.x, a.y,
      [ P = a.P, Q = a.Q, H = a.H, W = a.W ](int64_t p, int64_t q, int64_t, int64_t) __attribute__((always_inline)) {
        return 1 / double(AdaptiveWindow(p, P, H).size() * AdaptiveWindow(q, Q, W).size());
      });
  return ok;
}

template <class T> int adaptive_avg_pool2d_dx(AdaptivePool2d<T> const& a) {
  detail::adaptive_gather(
      detail::AdaptiveSizes{a.N, a.P, a.Q, a.H, a.W, a.C}, a.dy, a.dx,
      [ P = a.P, Q = a.Q, H = a.H, W = a.W ](int64_t, int64_t, int64_t p, int64_t q) __attribute__((always_inline)) {
        return 1 / double(AdaptiveWindow(p, P, H).size() * AdaptiveWindow(q, Q, W).size());
      });
  return ok;
}

}  // namespace d16::kernels::cpu
