// Pooling over windows in double precision: the specification.
#pragma once
#include <cmath>
#include <vector>

#include "../pool2d.hpp"

namespace d16::kernels::reference {

namespace detail {

/// visit(n, p, q, c, rows, columns of the window) for every output.
template <class T, class F> void each_window(Pool2d<T> const& a, F visit) {
  for (int64_t n = 0; n < a.N; ++n) for (int64_t p = 0; p < a.out_h(); ++p) for (int64_t q = 0; q < a.out_w(); ++q)
  for (int64_t c = 0; c < a.C; ++c)
    visit(n, p, q, c, Window(p, a.stride_h, a.padding_h, a.kernel_h, a.H),
          Window(q, a.stride_w, a.padding_w, a.kernel_w, a.W));
}

/// Row and column of the first largest element of a window; the last NaN wins.
template <class X> void largest(X const& x, int64_t n, int64_t c, Window rows, Window columns, int64_t& r, int64_t& s) {
  r = rows.begin, s = columns.begin;
  for (int64_t i = rows.begin; i < rows.end; ++i)
    for (int64_t j = columns.begin; j < columns.end; ++j)
      if (x(n, i, j, c) > x(n, r, s, c) || std::isnan(x(n, i, j, c))) r = i, s = j;
}

template <class T> double divisor(Pool2d<T> const& a, Window rows, Window columns) {
  return a.count_include_pad ? double(a.kernel_h) * a.kernel_w : double(rows.size() * columns.size());
}

}  // namespace detail

template <class T> int max_pool2d(Pool2d<T> const& a) {
  auto x = View(a.x, a.N, a.H, a.W, a.C);
  auto y = View(a.y, a.N, a.out_h(), a.out_w(), a.C);
  detail::each_window(a, [&](int64_t n, int64_t p, int64_t q, int64_t c, Window rows, Window columns) {
    int64_t r, s;
    detail::largest(x, n, c, rows, columns, r, s);
    y(n, p, q, c) = x(n, r, s, c);
  });
  return ok;
}

template <class T> int max_pool2d_dx(Pool2d<T> const& a) {
  auto x = View(a.x, a.N, a.H, a.W, a.C);
  auto dy = View(a.dy, a.N, a.out_h(), a.out_w(), a.C);
  std::vector<double> sum(size_t(a.N * a.H * a.W * a.C));
  auto dx = View(sum.data(), a.N, a.H, a.W, a.C);
  detail::each_window(a, [&](int64_t n, int64_t p, int64_t q, int64_t c, Window rows, Window columns) {
    int64_t r, s;
    detail::largest(x, n, c, rows, columns, r, s);
    dx(n, r, s, c) += dy(n, p, q, c);
  });
  for (size_t i = 0; i < sum.size(); ++i) a.dx[i] = T(sum[i]);
  return ok;
}

template <class T> int avg_pool2d(Pool2d<T> const& a) {
  auto x = View(a.x, a.N, a.H, a.W, a.C);
  auto y = View(a.y, a.N, a.out_h(), a.out_w(), a.C);
  detail::each_window(a, [&](int64_t n, int64_t p, int64_t q, int64_t c, Window rows, Window columns) {
    double sum = 0;
    for (int64_t i = rows.begin; i < rows.end; ++i)
      for (int64_t j = columns.begin; j < columns.end; ++j) sum += x(n, i, j, c);
    y(n, p, q, c) = T(sum / detail::divisor(a, rows, columns));
  });
  return ok;
}

template <class T> int avg_pool2d_dx(Pool2d<T> const& a) {
  auto dy = View(a.dy, a.N, a.out_h(), a.out_w(), a.C);
  std::vector<double> sum(size_t(a.N * a.H * a.W * a.C));
  auto dx = View(sum.data(), a.N, a.H, a.W, a.C);
  detail::each_window(a, [&](int64_t n, int64_t p, int64_t q, int64_t c, Window rows, Window columns) {
    for (int64_t i = rows.begin; i < rows.end; ++i)
      for (int64_t j = columns.begin; j < columns.end; ++j)
        dx(n, i, j, c) += dy(n, p, q, c) / detail::divisor(a, rows, columns);
  });
  for (size_t i = 0; i < sum.size(); ++i) a.dx[i] = T(sum[i]);
  return ok;
}

}  // namespace d16::kernels::reference
