// Continuing an image beyond its edges: whole rows copied, or added on the way back; rows on different threads.
#pragma once
#include <algorithm>

#include "../pad2d.hpp"
#include "pointwise.hpp"

namespace d16::kernels::cpu {

namespace detail {

/// visit(q, column) for the positions q of a row of y outside the image that copy a column of it.
template <class T, class F> void each_margin(Pad2d<T> const& a, F visit) {
  for (int64_t q = 0; q < a.left; ++q) visit(q, pad2d_source(q - a.left, a.W, a.mode));
  for (int64_t q = a.left + a.W; q < a.out_w(); ++q) visit(q, pad2d_source(q - a.left, a.W, a.mode));
}

/// Row `row` of all N * out_h rows of y.
template <class T> void pad2d_row(Pad2d<T> const& a, int64_t row) {
  int64_t const C = a.C, line = a.out_w() * C;
  int64_t const source = pad2d_source(row % a.out_h() - a.top, a.H, a.mode);
  T* y = a.y + row * line;
  if (source < 0) {
    std::fill(y, y + line, T(0));
    return;
  }
  T const* x = a.x + (row / a.out_h() * a.H + source) * a.W * C;
  T* end = std::copy(x, x + a.W * C, y + a.left * C);
  if (a.mode == PaddingMode::zeros) {
    std::fill(y, y + a.left * C, T(0));
    std::fill(end, y + line, T(0));
    return;
  }
  each_margin(a, [=](int64_t q, int64_t column) { std::copy(x + column * C, x + column * C + C, y + q * C); });
}

/// y[i] += x[i].
template <class T> void add_row(int64_t n, T const* x, T* y) {
  auto body = [=](int64_t i) __attribute__((always_inline)) { y[i] += x[i]; };
  each<T>(0, n, body);
}

/// Row `row` of all N * H rows of dx: the row of dy that is the image's own, then its copies above and below.
template <class T> void pad2d_dx_row(Pad2d<T> const& a, int64_t row) {
  int64_t const n = row / a.H, i = row % a.H, C = a.C;
  T* dx = a.dx + row * a.W * C;
  std::fill(dx, dx + a.W * C, T(0));
  auto add = [&](int64_t at) {  // at counts from the first row of the image
    if (at < -a.top || at >= a.H + a.bottom) return;
    T const* dy = a.dy + (n * a.out_h() + a.top + at) * a.out_w() * C;
    add_row(a.W * C, dy + a.left * C, dx);
    if (a.mode == PaddingMode::zeros) return;
    each_margin(a, [=](int64_t q, int64_t column) { add_row(C, dy + q * C, dx + column * C); });
  };
  add(i);
  if (a.mode == PaddingMode::circular) add(i - a.H), add(i + a.H);
  if (a.mode == PaddingMode::reflect && i > 0) add(-i);  // the edge itself has no mirror image
  if (a.mode == PaddingMode::reflect && i < a.H - 1) add(2 * (a.H - 1) - i);
}

}  // namespace detail

template <class T> int pad2d(Pad2d<T> const& a) {
  parallel_chunks(a.N * a.out_h(), grain_of(a.out_w() * a.C), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) detail::pad2d_row(a, row);
  });
  return ok;
}

template <class T> int pad2d_dx(Pad2d<T> const& a) {
  parallel_chunks(a.N * a.H, grain_of(a.out_w() * a.C), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) detail::pad2d_dx_row(a, row);
  });
  return ok;
}

}  // namespace d16::kernels::cpu
