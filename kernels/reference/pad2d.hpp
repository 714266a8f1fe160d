// Continuing an image beyond its edges, sums in double precision: the specification.
#pragma once
#include <vector>

#include "../pad2d.hpp"

namespace d16::kernels::reference {

namespace detail {

/// visit(index in y, index in x or -1) for every element of y.
template <class T, class F> void each_copy(Pad2d<T> const& a, F visit) {
  int64_t to = 0;
  for (int64_t n = 0; n < a.N; ++n) for (int64_t p = 0; p < a.out_h(); ++p) for (int64_t q = 0; q < a.out_w(); ++q) {
    int64_t row = pad2d_source(p - a.top, a.H, a.mode), column = pad2d_source(q - a.left, a.W, a.mode);
    int64_t pixel = row < 0 || column < 0 ? -1 : (n * a.H + row) * a.W + column;
    for (int64_t c = 0; c < a.C; ++c) visit(to++, pixel < 0 ? -1 : pixel * a.C + c);
  }
}

}  // namespace detail

template <class T> int pad2d(Pad2d<T> const& a) {
  detail::each_copy(a, [&](int64_t to, int64_t from) { a.y[to] = from < 0 ? T(0) : a.x[from]; });
  return ok;
}

template <class T> int pad2d_dx(Pad2d<T> const& a) {
  std::vector<double> dx(size_t(a.N * a.H * a.W * a.C));
  detail::each_copy(a, [&](int64_t to, int64_t from) {
    if (from >= 0) dx[size_t(from)] += a.dy[to];
  });
  for (size_t i = 0; i < dx.size(); ++i) a.dx[i] = T(dx[i]);
  return ok;
}

}  // namespace d16::kernels::reference
