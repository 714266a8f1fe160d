// Reductions in double precision: the specification.
#pragma once
#include <cmath>

#include "../reduce.hpp"

namespace d16::kernels::reference {

template <class T> int sum(Reduce<T> const& a) {
  auto x = View(a.x, a.outer, a.reduced, a.inner);
  auto y = View(a.y, a.outer, a.inner);
  for (int64_t o = 0; o < a.outer; ++o)
    for (int64_t i = 0; i < a.inner; ++i) {
      double total = 0;
      for (int64_t r = 0; r < a.reduced; ++r) total += x(o, r, i);
      y(o, i) = T(a.scale * total);
    }
  return ok;
}

template <class T> int max(Reduce<T> const& a) {
  auto x = View(a.x, a.outer, a.reduced, a.inner);
  auto y = View(a.y, a.outer, a.inner);
  auto at = View(a.at, a.outer, a.inner);
  for (int64_t o = 0; o < a.outer; ++o)
    for (int64_t i = 0; i < a.inner; ++i) {
      int64_t best = 0;
      for (int64_t r = 1; r < a.reduced; ++r)
        if (x(o, r, i) > x(o, best, i) || (std::isnan(x(o, r, i)) && !std::isnan(x(o, best, i)))) best = r;
      y(o, i) = x(o, best, i);
      at(o, i) = best;
    }
  return ok;
}

template <class T> int max_dx(Reduce<T> const& a) {
  auto dx = View(a.dx, a.outer, a.reduced, a.inner);
  auto dy = View(a.dy, a.outer, a.inner);
  auto at = View(a.at, a.outer, a.inner);
  for (int64_t o = 0; o < a.outer; ++o)
    for (int64_t r = 0; r < a.reduced; ++r)
      for (int64_t i = 0; i < a.inner; ++i) dx(o, r, i) = at(o, i) == r ? dy(o, i) : T(0);
  return ok;
}

}  // namespace d16::kernels::reference
