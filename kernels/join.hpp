// Contract of joining: the positive parts of values, written to a range of a wider array.
#pragma once
#include "view.hpp"

namespace d16::kernels {

/// x and dx are (rows, length). y and dy are lines that begin `pitch` elements apart, of which `length` count.
/// relu_join     reads x; writes y = x where x is positive, else 0. A NaN stays one.
/// relu_join_dx  reads y and dy; writes dx: dy, or 0 where y is 0.
/// bf16 is computed in float32 and rounded once.
template <class T> struct ReluJoin {
  int64_t rows = 1, length = 1, pitch = 1;
  T const *x{}, *dy{};
  T *y{}, *dx{};
};

}  // namespace d16::kernels
