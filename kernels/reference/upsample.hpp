// Enlarging an image in double precision: the specification.
#pragma once
#include <vector>

#include "../upsample.hpp"

namespace d16::kernels::reference {

namespace detail {

/// visit(index in y, index in x, weight) for every pair that meets.
template <class T, class F> void each_weight(Upsample<T> const& a, F visit) {
  int64_t const P = a.H * a.scale, Q = a.W * a.scale;
  for (int64_t n = 0; n < a.N; ++n) for (int64_t p = 0; p < P; ++p) for (int64_t q = 0; q < Q; ++q) {
    Tap v = upsample_tap(p, a.H, a.scale, a.bilinear, a.align_corners);
    Tap h = upsample_tap(q, a.W, a.scale, a.bilinear, a.align_corners);
    for (int i : upto(2)) for (int j : upto(2)) {
      int64_t row = i ? v.high : v.low, column = j ? h.high : h.low;
      double weight = (i ? v.fraction : 1 - v.fraction) * (j ? h.fraction : 1 - h.fraction);
      int64_t to = (n * P + p) * Q + q, from = (n * a.H + row) * a.W + column;
      for (int64_t c = 0; c < a.C; ++c) visit(to * a.C + c, from * a.C + c, weight);
    }
  }
}

}  // namespace detail

template <class T> int upsample(Upsample<T> const& a) {
  std::vector<double> y(size_t(a.N * a.H * a.W * a.C * a.scale * a.scale));
  detail::each_weight(a, [&](int64_t to, int64_t from, double weight) { y[size_t(to)] += weight * a.x[from]; });
  for (size_t i = 0; i < y.size(); ++i) a.y[i] = T(y[i]);
  return ok;
}

template <class T> int upsample_dx(Upsample<T> const& a) {
  std::vector<double> dx(size_t(a.N * a.H * a.W * a.C));
  detail::each_weight(a, [&](int64_t to, int64_t from, double weight) { dx[size_t(from)] += weight * a.dy[to]; });
  for (size_t i = 0; i < dx.size(); ++i) a.dx[i] = T(dx[i]);
  return ok;
}

}  // namespace d16::kernels::reference
