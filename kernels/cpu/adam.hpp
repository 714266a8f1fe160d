// One step of Adam or AdamW: one SIMD pass over the four arrays of each parameter.
#pragma once
#include <cmath>
#include <d16/core/parallel.hpp>

#include "../adam.hpp"
#include "isa.hpp"

namespace d16::kernels::cpu {

template <class T> int adam(Adam<T> const& a) {
  StepState const& s = *a.state;
  if (!std::isfinite(s.scale)) return ok;
  T const keep = T(a.decoupled ? 1 - s.lr * a.weight_decay : 1), coupled = T(a.decoupled ? 0 : a.weight_decay);
  T const beta1 = T(a.beta1), rest1 = T(1 - a.beta1), beta2 = T(a.beta2), rest2 = T(1 - a.beta2), eps = T(a.eps);
  T const scale = T(s.scale), rate = T(s.lr * s.mean_correction), root = T(s.square_correction);
  for (int k = 0; k < a.count; ++k) {
    T const* grad = a.parameters[k].grad;
    T *param = a.parameters[k].value, *m = a.parameters[k].first, *v = a.parameters[k].second;
    auto body = [=](int64_t i) __attribute__((always_inline)) {
      T const g = scale * grad[i] + coupled * param[i];
      m[i] = beta1 * m[i] + rest1 * g;
      v[i] = beta2 * v[i] + rest2 * g * g;
      param[i] = keep * param[i] - rate * m[i] / (std::sqrt(v[i]) * root + eps);
    };
    parallel_chunks(a.parameters[k].n, 1 << 14, [&](int64_t begin, int64_t end) { simd_for(begin, end, body); });
  }
  return ok;
}

}  // namespace d16::kernels::cpu
