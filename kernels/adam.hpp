// Contract of one step of Adam or AdamW, in place on all values of one parameter.
#pragma once
#include <cstdint>

#include "view.hpp"

namespace d16::kernels {

/// adam   reads grad; reads and writes param, m and v.
///   g = grad + (decoupled ? 0 : weight_decay * param);   param *= decoupled ? 1 - lr * weight_decay : 1
///   m = beta1 m + (1 - beta1) g;   v = beta2 v + (1 - beta2) g^2
///   param -= lr / (1 - beta1^step) * m / (sqrt(v / (1 - beta2^step)) + eps)
template <class T> struct Adam {
  int64_t n = 0;
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0;
  bool decoupled = true;  ///< AdamW: the decay does not pass through m and v
  int64_t step = 1;       ///< number of this step, from 1
  T const* grad{};
  T *param{}, *m{}, *v{};
};

}  // namespace d16::kernels
