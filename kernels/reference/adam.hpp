// One step of Adam or AdamW in double precision: the specification.
#pragma once
#include <cmath>

#include "../adam.hpp"

namespace d16::kernels::reference {

template <class T> int adam(Adam<T> const& a) {
  StepState const& s = *a.state;
  if (!std::isfinite(s.scale)) return ok;
  for (int k = 0; k < a.count; ++k) {
    Parameter<T> const& param = a.parameters[k];
    for (int64_t i = 0; i < param.n; ++i) {
      double p = param.value[i], g = s.scale * param.grad[i];
      if (a.decoupled) p *= 1 - s.lr * a.weight_decay;
      else g += a.weight_decay * p;
      double m = a.beta1 * param.first[i] + (1 - a.beta1) * g, v = a.beta2 * param.second[i] + (1 - a.beta2) * g * g;
      param.value[i] = T(p - s.lr * s.mean_correction * m / (std::sqrt(v) * s.square_correction + a.eps));
      param.first[i] = T(m);
      param.second[i] = T(v);
    }
  }
  return ok;
}

}  // namespace d16::kernels::reference
