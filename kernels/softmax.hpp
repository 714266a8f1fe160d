// Contracts of softmax and log_softmax along one axis.
#pragma once
#include "view.hpp"

namespace d16::kernels {

/// x, y, dy, dx are (outer, classes, inner).
/// softmax         y = e^x / sum of e^x over the classes; dx = y (dy - sum of dy y).
/// log_softmax     y = x - log sum of e^x;                dx = dy - e^y sum of dy.
/// The _dx functions read y and dy.
template <class T> struct Softmax {
  int64_t outer = 1, classes = 1, inner = 1;
  bool log = false;
  T const *x{}, *dy{};
  T *y{}, *dx{};
};

}  // namespace d16::kernels
