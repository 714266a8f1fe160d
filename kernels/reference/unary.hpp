// The functions of one variable in double precision: the specification.
#pragma once
#include <cmath>

#include "../unary.hpp"

namespace d16::kernels::reference {

namespace detail {

inline double unary_value(UnaryOp op, double x, double alpha, double low, double high) {
  switch (op) {
    case UnaryOp::relu: return x < 0 ? 0 : x;
    case UnaryOp::elu: return x <= 0 ? alpha * std::expm1(x) : x;
    case UnaryOp::sigmoid: return 1 / (1 + std::exp(-x));
    case UnaryOp::silu: return x / (1 + std::exp(-x));
    case UnaryOp::tanh: return std::tanh(x);
    case UnaryOp::softplus: return (x < 0 ? 0 : x) + std::log1p(std::exp(-std::abs(x)));
    case UnaryOp::exp: return std::exp(x);
    case UnaryOp::log: return std::log(x);
    case UnaryOp::sqrt: return std::sqrt(x);
    case UnaryOp::square: return x * x;
    case UnaryOp::abs: return std::abs(x);
    case UnaryOp::neg: return -x;
    case UnaryOp::asinh: return std::asinh(x);
    case UnaryOp::clamp: return x < low ? low : x > high ? high : x;
  }
  return NAN;
}

/// f' at s, where s is y or x as derivative_from_result(op) says.
inline double unary_slope(UnaryOp op, double s, double alpha, double low, double high) {
  switch (op) {
    case UnaryOp::relu: return s <= 0 ? 0 : 1;
    case UnaryOp::elu: return s <= 0 ? s + alpha : 1;
    case UnaryOp::sigmoid: return s * (1 - s);
    case UnaryOp::silu: {
      double p = 1 / (1 + std::exp(-s));
      return p * (1 + s * (1 - p));
    }
    case UnaryOp::tanh: return 1 - s * s;
    case UnaryOp::softplus: return 1 / (1 + std::exp(-s));
    case UnaryOp::exp: return s;
    case UnaryOp::log: return 1 / s;
    case UnaryOp::sqrt: return 0.5 / s;
    case UnaryOp::square: return 2 * s;
    case UnaryOp::abs: return (s > 0) - (s < 0);
    case UnaryOp::neg: return -1;
    case UnaryOp::asinh: return 1 / std::sqrt(1 + s * s);
    case UnaryOp::clamp: return s < low || s > high ? 0 : 1;
  }
  return NAN;
}

}  // namespace detail

template <class T> int unary(Unary<T> const& a) {
  for (int64_t i = 0; i < a.n; ++i) a.y[i] = T(detail::unary_value(a.op, a.x[i], a.alpha, a.low, a.high));
  return ok;
}

template <class T> int unary_dx(Unary<T> const& a) {
  T const* s = derivative_from_result(a.op) ? a.y : a.x;
  for (int64_t i = 0; i < a.n; ++i) a.dx[i] = T(a.dy[i] * detail::unary_slope(a.op, s[i], a.alpha, a.low, a.high));
  return ok;
}

}  // namespace d16::kernels::reference
