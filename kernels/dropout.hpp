// Contract of dropout, whose mask is a function of seed, stream and position: it is computed anew, never stored.
#pragma once
#include <d16/core/random.hpp>

#include "view.hpp"

namespace d16::kernels {

/// y[i] = x[i] / (1 - p) where element i is kept, else 0. It is kept when word i % 4 of philox(seed, i / 4, stream),
/// as a number in [0, 1), is at least p. The gradient is the same function of dy: x and y are dy and dx.
/// Where `offset` is given, in memory of the device, it is added to stream: so a replay draws anew.
template <class T> struct Dropout {
  int64_t n = 0;
  double p = 0.5;
  uint64_t seed = 0, stream = 0;
  uint64_t const* offset{};
  T const* x{};
  T* y{};
};

}  // namespace d16::kernels
