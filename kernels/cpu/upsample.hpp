// Enlarging an image: channels in SIMD; rows of the output, or of the input on the way back, on different threads.
#pragma once
#include <algorithm>

#include "../upsample.hpp"
#include "pointwise.hpp"

namespace d16::kernels::cpu {

namespace detail {

/// The outputs along one axis that may read input i.
struct Readers {
  int64_t begin, end;
};
template <class T> Readers upsample_readers(Upsample<T> const& a, int64_t i, int64_t size) {
  if (!a.bilinear) return {i * a.scale, (i + 1) * a.scale};
  // o reads i when the position of o lies within 1 of i; positions are at most `spacing` outputs apart per input
  double const spacing = a.align_corners && size > 1 ? double(a.scale * size - 1) / double(size - 1) : double(a.scale);
  int64_t const out = size * a.scale;
  int64_t const begin = int64_t(double(i - 1) * spacing) - 1, end = int64_t(double(i + 1) * spacing) + a.scale + 1;
  bool const last = i == size - 1;  // what lies beyond the last centre reads it too
  return {i == 0 ? 0 : std::clamp<int64_t>(begin, 0, out), last ? out : std::clamp<int64_t>(end, 0, out)};
}
template <class T> double upsample_weight(Upsample<T> const& a, int64_t o, int64_t i, int64_t size) {
  Tap const t = upsample_tap(o, size, a.scale, a.bilinear, a.align_corners);
  return (t.low == i ? 1 - t.fraction : 0) + (t.high == i ? t.fraction : 0);
}

/// Row `row` of all N * P rows of the output.
template <class T> void upsample_row(Upsample<T> const& a, int64_t row) {
  int64_t const P = a.H * a.scale, Q = a.W * a.scale, C = a.C;
  Tap const v = upsample_tap(row % P, a.H, a.scale, a.bilinear, a.align_corners);
  T const* above = a.x + (row / P * a.H + v.low) * a.W * C;
  T const* below = a.x + (row / P * a.H + v.high) * a.W * C;
  T const down = T(v.fraction), up = T(1 - v.fraction);
  for (int64_t q = 0; q < Q; ++q) {
    Tap const h = upsample_tap(q, a.W, a.scale, a.bilinear, a.align_corners);
    T* y = a.y + (row * Q + q) * C;
    if (!a.bilinear) {
      std::copy(above + h.low * C, above + h.low * C + C, y);
      continue;
    }
    T const right = T(h.fraction), left = T(1 - h.fraction);
    T const *x00 = above + h.low * C, *x01 = above + h.high * C, *x10 = below + h.low * C, *x11 = below + h.high * C;
    auto body = [=](int64_t c) __attribute__((always_inline)) {
      y[c] = up * (left * x00[c] + right * x01[c]) + down * (left * x10[c] + right * x11[c]);
    };
    each<T>(0, C, body);
  }
}

/// y[c] += factor x[c].
template <class T> void add_scaled(int64_t n, T factor, T const* x, T* y) {
  auto body = [=](int64_t c) __attribute__((always_inline)) { y[c] += factor * x[c]; };
  each<T>(0, n, body);
}

/// Row `row` of all N * H rows of dx: what each row of dy that reads it gives.
template <class T> void upsample_dx_row(Upsample<T> const& a, int64_t row) {
  int64_t const n = row / a.H, i = row % a.H, P = a.H * a.scale, Q = a.W * a.scale, C = a.C;
  T* dx = a.dx + row * a.W * C;
  std::fill(dx, dx + a.W * C, T(0));
  Readers const rows = upsample_readers(a, i, a.H);
  for (int64_t p = rows.begin; p < rows.end; ++p) {
    double const vertical = upsample_weight(a, p, i, a.H);
    if (vertical == 0) continue;
    for (int64_t q = 0; q < Q; ++q) {
      Tap const h = upsample_tap(q, a.W, a.scale, a.bilinear, a.align_corners);
      T const* dy = a.dy + ((n * P + p) * Q + q) * C;
      add_scaled(C, T(vertical * (1 - h.fraction)), dy, dx + h.low * C);
      if (h.fraction != 0) add_scaled(C, T(vertical * h.fraction), dy, dx + h.high * C);
    }
  }
}

}  // namespace detail

template <class T> int upsample(Upsample<T> const& a) {
  parallel_chunks(a.N * a.H * a.scale, grain_of(a.W * a.scale * a.C), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) detail::upsample_row(a, row);
  });
  return ok;
}

template <class T> int upsample_dx(Upsample<T> const& a) {
  parallel_chunks(a.N * a.H, grain_of(a.W * a.C * a.scale * a.scale), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) detail::upsample_dx_row(a, row);
  });
  return ok;
}

}  // namespace d16::kernels::cpu
