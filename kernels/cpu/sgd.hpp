// One step of gradient descent with momentum: one SIMD pass over the three arrays.
#pragma once
#include <d16/core/parallel.hpp>

#include "../sgd.hpp"
#include "isa.hpp"

namespace d16::kernels::cpu {

template <class T> int sgd(Sgd<T> const& a) {
  T const lr = T(a.lr), decay = T(a.weight_decay), friction = T(a.friction);
  T const before = a.step == 1 ? T(0) : friction;                                // b = before * b + g
  T const of_g = a.nesterov ? T(1) : T(0), of_b = a.nesterov ? friction : T(1);  // the direction
  T const* grad = a.grad;
  T *param = a.param, *momentum = a.momentum;
  auto body = [=](int64_t i) __attribute__((always_inline)) {
    T const g = grad[i] + decay * param[i];
    T const b = before * momentum[i] + g;
    param[i] -= lr * (of_g * g + of_b * b);
    momentum[i] = b;
  };
  parallel_chunks(a.n, 1 << 14, [&](int64_t begin, int64_t end) { simd_for(begin, end, body); });
  return ok;
}

}  // namespace d16::kernels::cpu
