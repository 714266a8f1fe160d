// Adaptive mean pooling in double precision: the specification.
#pragma once
#include <vector>

#include "../adaptive_avg_pool2d.hpp"

namespace d16::kernels::reference {

template <class T> int adaptive_avg_pool2d(AdaptivePool2d<T> const& a) {
  auto x = View(a.x, a.N, a.H, a.W, a.C);
  auto y = View(a.y, a.N, a.P, a.Q, a.C);
  for (int n : upto(a.N)) for (int p : upto(a.P)) for (int q : upto(a.Q)) for (int c : upto(a.C)) {
    AdaptiveWindow rows(p, a.P, a.H), columns(q, a.Q, a.W);
    double sum = 0;
    for (int64_t i = rows.begin; i < rows.end; ++i)
      for (int64_t j = columns.begin; j < columns.end; ++j) sum += x(n, i, j, c);
    y(n, p, q, c) = T(sum / double(rows.size() * columns.size()));
  }
  return ok;
}

/// Every window gives its share of dy to each of its pixels.
template <class T> int adaptive_avg_pool2d_dx(AdaptivePool2d<T> const& a) {
  auto dy = View(a.dy, a.N, a.P, a.Q, a.C);
  std::vector<double> sum(size_t(a.N * a.H * a.W * a.C));
  auto dx = View(sum.data(), a.N, a.H, a.W, a.C);
  for (int n : upto(a.N)) for (int p : upto(a.P)) for (int q : upto(a.Q)) for (int c : upto(a.C)) {
    AdaptiveWindow rows(p, a.P, a.H), columns(q, a.Q, a.W);
    for (int64_t i = rows.begin; i < rows.end; ++i)
      for (int64_t j = columns.begin; j < columns.end; ++j)
        dx(n, i, j, c) += dy(n, p, q, c) / double(rows.size() * columns.size());
  }
  for (size_t i = 0; i < sum.size(); ++i) a.dx[i] = T(sum[i]);
  return ok;
}

}  // namespace d16::kernels::reference
