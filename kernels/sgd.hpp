// Contract of one step of gradient descent with momentum, in place on all values of all parameters.
#pragma once
#include "optimiser.hpp"

namespace d16::kernels {

/// sgd   reads grad; reads and writes value and first = b of each parameter; nothing unless scale is finite.
///   g = scale grad + weight_decay * value;   b = step == 1 ? g : friction * b + g
///   value -= lr * (nesterov ? g + friction * b : b)
template <class T> struct Sgd {
  double friction = 0, weight_decay = 0;  ///< friction is what others call the momentum's factor
  bool nesterov = false;
  Parameter<T> const* parameters{};
  int count = 0;
  StepState const* state{};
  void* work{};
};

}  // namespace d16::kernels
