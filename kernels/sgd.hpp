// Contract of one step of gradient descent with momentum, in place on all values of one parameter.
#pragma once
#include <cstdint>

#include "view.hpp"

namespace d16::kernels {

/// sgd   reads grad; reads and writes param and momentum.
///   g = grad + weight_decay * param;   b = step == 1 ? g : friction * b + g
///   param -= lr * (nesterov ? g + friction * b : b)
template <class T> struct Sgd {
  int64_t n = 0;
  double lr = 1e-2, friction = 0, weight_decay = 0;  ///< friction is what others call the momentum's factor
  bool nesterov = false;
  int64_t step = 1;
  T const* grad{};
  T *param{}, *momentum{};
};

}  // namespace d16::kernels
