// Moving images and group features: channels in SIMD; pixels, or on the way back fields, on different threads.
#pragma once
#include <algorithm>

#include "../group_action.hpp"
#include "pointwise.hpp"

namespace d16::kernels::cpu {

namespace detail {

/// Pixel `row` of all N * P: the sum of its taps.
template <class T> void moved_pixel(GroupAction<T> const& a, int64_t row) {
  int64_t const width = a.C * a.G, p = row % a.P;
  T* y = a.y + row * width;
  std::fill(y, y + width, T(0));
  for (int t = 0; t < a.taps; ++t) {
    T const weight = T(a.weight[p * a.taps + t]);
    T const* x = a.x + (row - p + a.source[p * a.taps + t]) * width;
    if (weight == 0) continue;
    if (a.element) {
      for (int64_t c = 0; c < width; c += a.G)
        for (int g = 0; g < a.G; ++g) y[c + g] += weight * x[c + a.element[g]];
    } else {
      auto body = [=](int64_t c) __attribute__((always_inline)) { y[c] += weight * x[c]; };
      each<T>(0, width, body);
    }
  }
}

/// Field `index` of all N * C, back from every pixel that read it.
template <class T> void moved_field_dx(GroupAction<T> const& a, int64_t index) {
  int64_t const n = index / a.C, c = index % a.C;
  auto at = [&](int64_t p) { return ((n * a.P + p) * a.C + c) * a.G; };
  for (int64_t p = 0; p < a.P; ++p) std::fill(a.dx + at(p), a.dx + at(p) + a.G, T(0));
  for (int64_t p = 0; p < a.P; ++p)
    for (int t = 0; t < a.taps; ++t) {
      T const weight = T(a.weight[p * a.taps + t]);
      if (weight == 0) continue;
      T* dx = a.dx + at(a.source[p * a.taps + t]);
      for (int g = 0; g < a.G; ++g) dx[a.from(g)] += weight * a.dy[at(p) + g];
    }
}

}  // namespace detail

template <class T> int group_action(GroupAction<T> const& a) {
  parallel_chunks(a.N * a.P, 64, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) detail::moved_pixel(a, row);
  });
  return ok;
}

template <class T> int group_action_dx(GroupAction<T> const& a) {
  parallel_tasks(a.N * a.C, [&](int64_t index) { detail::moved_field_dx(a, index); });
  return ok;
}

}  // namespace d16::kernels::cpu
