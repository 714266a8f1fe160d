// One step of gradient descent with momentum: one SIMD pass over the three arrays of each parameter.
#pragma once
#include <cmath>
#include <d16/core/parallel.hpp>

#include "../sgd.hpp"
#include "isa.hpp"

namespace d16::kernels::cpu {

template <class T> int sgd(Sgd<T> const& a) {
  StepState const& s = *a.state;
  if (!std::isfinite(s.scale)) return ok;
  T const lr = T(s.lr), scale = T(s.scale), decay = T(a.weight_decay), friction = T(a.friction);
  T const before = s.step == 1 ? T(0) : friction;                                // b = before * b + g
  T const of_g = a.nesterov ? T(1) : T(0), of_b = a.nesterov ? friction : T(1);  // the direction
  for (int k = 0; k < a.count; ++k) {
    T const* grad = a.parameters[k].grad;
    T *param = a.parameters[k].value, *momentum = a.parameters[k].first;
    auto body = [=](int64_t i) __attribute__((always_inline)) {
      T const g = scale * grad[i] + decay * param[i];
      T const b = before * momentum[i] + g;
      param[i] -= lr * (of_g * g + of_b * b);
      momentum[i] = b;
    };
    parallel_chunks(a.parameters[k].n, 1 << 14, [&](int64_t begin, int64_t end) { simd_for(begin, end, body); });
  }
  return ok;
}

}  // namespace d16::kernels::cpu
