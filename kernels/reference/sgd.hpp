// One step of gradient descent with momentum in double precision: the specification.
#pragma once
#include <cmath>

#include "../sgd.hpp"

namespace d16::kernels::reference {

template <class T> int sgd(Sgd<T> const& a) {
  StepState const& s = *a.state;
  if (!std::isfinite(s.scale)) return ok;
  for (int k = 0; k < a.count; ++k) {
    Parameter<T> const& param = a.parameters[k];
    for (int64_t i = 0; i < param.n; ++i) {
      double g = s.scale * param.grad[i] + a.weight_decay * param.value[i];
      double b = s.step == 1 ? g : a.friction * param.first[i] + g;
      param.value[i] = T(param.value[i] - s.lr * (a.nesterov ? g + a.friction * b : b));
      param.first[i] = T(b);
    }
  }
  return ok;
}

}  // namespace d16::kernels::reference
