// One step of gradient descent with momentum in double precision: the specification.
#pragma once
#include "../sgd.hpp"

namespace d16::kernels::reference {

template <class T> int sgd(Sgd<T> const& a) {
  for (int64_t i = 0; i < a.n; ++i) {
    double g = a.grad[i] + a.weight_decay * a.param[i];
    double b = a.step == 1 ? g : a.friction * a.momentum[i] + g;
    a.param[i] = T(a.param[i] - a.lr * (a.nesterov ? g + a.friction * b : b));
    a.momentum[i] = T(b);
  }
  return ok;
}

}  // namespace d16::kernels::reference
