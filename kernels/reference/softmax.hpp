// softmax and log_softmax in double precision: the specification.
#pragma once
#include <cmath>

#include "../softmax.hpp"

namespace d16::kernels::reference {

template <class T> int softmax(Softmax<T> const& a) {
  auto x = View(a.x, a.outer, a.classes, a.inner);
  auto y = View(a.y, a.outer, a.classes, a.inner);
  for (int o : upto(a.outer)) for (int i : upto(a.inner)) {
    double largest = -INFINITY, sum = 0;
    for (int k : upto(a.classes))
      if (x(o, k, i) > largest || std::isnan(x(o, k, i))) largest = x(o, k, i);
    for (int k : upto(a.classes)) sum += std::exp(x(o, k, i) - largest);
    for (int k : upto(a.classes)) {
      double shifted = x(o, k, i) - largest;
      y(o, k, i) = T(a.log ? shifted - std::log(sum) : std::exp(shifted) / sum);
    }
  }
  return ok;
}

template <class T> int softmax_dx(Softmax<T> const& a) {
  auto y = View(static_cast<T const*>(a.y), a.outer, a.classes, a.inner);
  auto dy = View(a.dy, a.outer, a.classes, a.inner);
  auto dx = View(a.dx, a.outer, a.classes, a.inner);
  for (int o : upto(a.outer)) for (int i : upto(a.inner)) {
    double sum = 0;
    for (int k : upto(a.classes)) sum += a.log ? double(dy(o, k, i)) : double(dy(o, k, i)) * y(o, k, i);
    for (int k : upto(a.classes))
      dx(o, k, i) = T(a.log ? dy(o, k, i) - std::exp(double(y(o, k, i))) * sum : y(o, k, i) * (dy(o, k, i) - sum));
  }
  return ok;
}

}  // namespace d16::kernels::reference
