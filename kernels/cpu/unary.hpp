// The functions of one variable at memory speed: one SIMD loop per function, threads over pieces.
#pragma once
#include "../unary.hpp"
#include "math.hpp"
#include "pointwise.hpp"

namespace d16::kernels::cpu {

/// y[i] = value of s = x[i], and dx[i] = dy[i] times slope of s.
#define D16_MAP(value)                                     \
  map<T>(                                                  \
      a.n, [=](int64_t i) __attribute__((always_inline)) { \
        T const s = x[i];                                  \
        y[i] = (value);                                    \
      })
#define D16_MAP_DX(slope)                                  \
  map<T>(                                                  \
      a.n, [=](int64_t i) __attribute__((always_inline)) { \
        T const s = x[i];                                  \
        dx[i] = dy[i] * (slope);                           \
      })

template <class T> int unary(Unary<T> const& a) {
  using math::select;
  T const *x = a.x, alpha = T(a.alpha), low = T(a.low), high = T(a.high);
  T* y = a.y;
  switch (a.op) {
    case UnaryOp::relu: D16_MAP(s < 0 ? 0 : s); return ok;
    case UnaryOp::elu: D16_MAP(select(s > 0, s, alpha * math::expm1(select(s > 0, T(0), s)))); return ok;
    case UnaryOp::sigmoid: D16_MAP(math::sigmoid(s)); return ok;
    case UnaryOp::silu: D16_MAP(s * math::sigmoid(s)); return ok;
    case UnaryOp::tanh: D16_MAP(math::tanh(s)); return ok;
    case UnaryOp::softplus: D16_MAP(math::softplus(s)); return ok;
    case UnaryOp::exp: D16_MAP(math::exp(s)); return ok;
    case UnaryOp::log: D16_MAP(math::log(s)); return ok;
    case UnaryOp::sqrt: D16_MAP(std::sqrt(s)); return ok;
    case UnaryOp::square: D16_MAP(s * s); return ok;
    case UnaryOp::abs: D16_MAP(std::fabs(s)); return ok;
    case UnaryOp::neg: D16_MAP(-s); return ok;
    case UnaryOp::asinh: D16_MAP(math::asinh(s)); return ok;
    case UnaryOp::clamp: D16_MAP(s < low ? low : s > high ? high : s); return ok;
  }
  return unsupported;
}

template <class T> int unary_dx(Unary<T> const& a) {
  using math::select;
  T const *x = derivative_from_result(a.op) ? a.y : a.x, *dy = a.dy;
  T const alpha = T(a.alpha), low = T(a.low), high = T(a.high);
  T* dx = a.dx;
  switch (a.op) {
    case UnaryOp::relu: D16_MAP_DX(select(s <= 0, T(0), T(1))); return ok;
    case UnaryOp::elu: D16_MAP_DX(select(s > 0, T(1), s + alpha)); return ok;
    case UnaryOp::sigmoid: D16_MAP_DX(s * (1 - s)); return ok;
    case UnaryOp::silu: D16_MAP_DX(math::silu_slope(s)); return ok;
    case UnaryOp::tanh: D16_MAP_DX(1 - s * s); return ok;
    case UnaryOp::softplus: D16_MAP_DX(math::sigmoid(s)); return ok;
    case UnaryOp::exp: D16_MAP_DX(s); return ok;
    case UnaryOp::log: D16_MAP_DX(1 / s); return ok;
    case UnaryOp::sqrt: D16_MAP_DX(T(0.5) / s); return ok;
    case UnaryOp::square: D16_MAP_DX(2 * s); return ok;
    case UnaryOp::abs: D16_MAP_DX(T(s > 0) - T(s < 0)); return ok;
    case UnaryOp::neg:
      map<T>(
          a.n, [=](int64_t i) __attribute__((always_inline)) { dx[i] = -dy[i]; });
      return ok;
    case UnaryOp::asinh: D16_MAP_DX(math::asinh_slope(s)); return ok;
    case UnaryOp::clamp: D16_MAP_DX(select((s < low) | (s > high), T(0), T(1))); return ok;
  }
  return unsupported;
}

#undef D16_MAP
#undef D16_MAP_DX

}  // namespace d16::kernels::cpu
