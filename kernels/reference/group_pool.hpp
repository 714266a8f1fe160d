// Pooling over the group as loops over its elements.
#pragma once
#include <cmath>

#include "../group_pool.hpp"

namespace d16::kernels::reference {

namespace detail {
/// The index of the first maximum; of the first NaN when there is one.
template <class T> int first_maximum(T const* x, int G) {
  int best = 0;
  for (int g = 1; g < G && !std::isnan(x[best]); ++g)
    if (x[g] > x[best] || std::isnan(x[g])) best = g;
  return best;
}
}  // namespace detail

template <class T> int group_max_pool(GroupPool<T> const& a) {
  for (int64_t r = 0; r < a.rows; ++r) a.y[r] = a.x[r * a.G + detail::first_maximum(a.x + r * a.G, a.G)];
  return ok;
}

template <class T> int group_max_pool_dx(GroupPool<T> const& a) {
  for (int64_t r = 0; r < a.rows; ++r)
    for (int g : upto(a.G)) a.dx[r * a.G + g] = g == detail::first_maximum(a.x + r * a.G, a.G) ? a.dy[r] : T(0);
  return ok;
}

template <class T> int group_mean_pool(GroupPool<T> const& a) {
  for (int64_t r = 0; r < a.rows; ++r) {
    double sum = 0;
    for (int g : upto(a.G)) sum += a.x[r * a.G + g];
    a.y[r] = T(sum / a.G);
  }
  return ok;
}

template <class T> int group_mean_pool_dx(GroupPool<T> const& a) {
  for (int64_t r = 0; r < a.rows; ++r)
    for (int g : upto(a.G)) a.dx[r * a.G + g] = T(double(a.dy[r]) / a.G);
  return ok;
}

}  // namespace d16::kernels::reference
