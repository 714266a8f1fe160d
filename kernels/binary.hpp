// Contract of the functions of two variables with broadcasting: y = f(a, b), element by element.
#pragma once
#include "nest.hpp"
#include "precision.hpp"
#include "view.hpp"

namespace d16::kernels {

/// step(a, b) is 1 where a > b, 1/2 where a = b, else 0: the derivative of max(a, b) by a.
enum class BinaryOp { add, sub, mul, div, max, min, step };

/// y is row-major over the nest; array 0 of the nest is a, array 1 is b. A null pointer stands for its scalar.
/// y may be a or b when that one is contiguous. bf16 is computed in float32, as its scalars are, and rounded once.
template <class T> struct Binary {
  BinaryOp op{};
  Nest<2> nest;
  double a_scalar = 0, b_scalar = 0;
  T const *a{}, *b{};
  T* y{};
};

}  // namespace d16::kernels
