// Contract of one step of Adam or AdamW, in place on all values of all parameters.
#pragma once
#include "optimiser.hpp"

namespace d16::kernels {

/// adam   reads grad; reads and writes value, first = m and second = v of each parameter; nothing unless scale is finite.
///   g = scale grad + (decoupled ? 0 : weight_decay * value);   value *= decoupled ? 1 - lr * weight_decay : 1
///   m = beta1 m + (1 - beta1) g;   v = beta2 v + (1 - beta2) g^2
///   value -= lr mean_correction m / (sqrt(v) square_correction + eps)
template <class T> struct Adam {
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0;
  bool decoupled = true;  ///< AdamW: the decay does not pass through m and v
  Parameter<T> const* parameters{};
  int count = 0;
  StepState const* state{};
  void* work{};
};

}  // namespace d16::kernels
