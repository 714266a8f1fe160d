// One step of Adam or AdamW in double precision: the specification.
#pragma once
#include <cmath>

#include "../adam.hpp"

namespace d16::kernels::reference {

template <class T> int adam(Adam<T> const& a) {
  double correction1 = 1 - std::pow(a.beta1, double(a.step)), correction2 = 1 - std::pow(a.beta2, double(a.step));
  for (int64_t i = 0; i < a.n; ++i) {
    double p = a.param[i], g = a.grad[i];
    if (a.decoupled) p *= 1 - a.lr * a.weight_decay;
    else g += a.weight_decay * p;
    double m = a.beta1 * a.m[i] + (1 - a.beta1) * g, v = a.beta2 * a.v[i] + (1 - a.beta2) * g * g;
    a.param[i] = T(p - a.lr / correction1 * m / (std::sqrt(v / correction2) + a.eps));
    a.m[i] = T(m);
    a.v[i] = T(v);
  }
  return ok;
}

}  // namespace d16::kernels::reference
