// Contract of the functions of one variable: y = f(x) and dx = dy f'(x), element by element.
#pragma once
#include <cstdint>

#include "view.hpp"

namespace d16::kernels {

enum class UnaryOp { relu, elu, sigmoid, silu, tanh, softplus, exp, log, sqrt, square, abs, neg, asinh, clamp };

/// unary      reads x, writes y (which may be x).
/// unary_dx   reads dy and, as derivative_from_result(op) says, y or x; writes dx (which may be dy).
/// bf16 is computed in float32 and rounded once.
template <class T> struct Unary {
  UnaryOp op{};
  int64_t n = 0;
  double alpha = 1;          ///< elu: y = alpha (e^x - 1) for x <= 0; alpha >= 0
  double low = 0, high = 0;  ///< clamp
  T const *x{}, *dy{};
  T *y{}, *dx{};
};

/// True when f' is computed from y: then x need not be kept, and y is kept by the next layer anyway.
constexpr bool derivative_from_result(UnaryOp op) {
  switch (op) {
    case UnaryOp::relu:
    case UnaryOp::elu:
    case UnaryOp::sigmoid:
    case UnaryOp::tanh:
    case UnaryOp::exp:
    case UnaryOp::sqrt: return true;
    default: return false;
  }
}

}  // namespace d16::kernels
