// Moving images and group features in double precision: the specification.
#pragma once
#include <vector>

#include "../group_action.hpp"

namespace d16::kernels::reference {

namespace detail {

/// visit(index in y, index in x, weight) for every pair that meets.
template <class T, class F> void each_moved(GroupAction<T> const& a, F visit) {
  for (int64_t n = 0; n < a.N; ++n) for (int64_t p = 0; p < a.P; ++p) for (int t : upto(a.taps)) {
    int64_t tap = p * a.taps + t, to = n * a.P + p, from = n * a.P + a.source[tap];
    if (a.weight[tap] == 0) continue;
    for (int64_t c = 0; c < a.C; ++c) for (int g : upto(a.G))
      visit((to * a.C + c) * a.G + g, (from * a.C + c) * a.G + a.from(g), a.weight[tap]);
  }
}

}  // namespace detail

template <class T> int group_action(GroupAction<T> const& a) {
  std::vector<double> y(size_t(a.N * a.P * a.C * a.G));
  detail::each_moved(a, [&](int64_t to, int64_t from, double weight) { y[size_t(to)] += weight * a.x[from]; });
  for (size_t i = 0; i < y.size(); ++i) a.y[i] = T(y[i]);
  return ok;
}

template <class T> int group_action_dx(GroupAction<T> const& a) {
  std::vector<double> dx(size_t(a.N * a.P * a.C * a.G));
  detail::each_moved(a, [&](int64_t to, int64_t from, double weight) { dx[size_t(from)] += weight * a.dy[to]; });
  for (size_t i = 0; i < dx.size(); ++i) a.dx[i] = T(dx[i]);
  return ok;
}

}  // namespace d16::kernels::reference
