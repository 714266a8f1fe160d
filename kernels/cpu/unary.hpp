// The functions of one variable at memory speed: one SIMD loop per function, threads over pieces.
#pragma once
#include <d16/core/parallel.hpp>

#include "../unary.hpp"
#include "math.hpp"

namespace d16::kernels::cpu {

namespace detail {

constexpr int64_t pointwise_grain = 1 << 15;

template <class F> void map(int64_t n, F const& body) {
  parallel_chunks(n, pointwise_grain, [&](int64_t begin, int64_t end) { simd_for(begin, end, body); });
}

}  // namespace detail

#define D16_MAP(value) \
  detail::map(a.n, [=](int64_t i) __attribute__((always_inline)) { T const s = x[i]; y[i] = (value); })

template <class T> int unary(Unary<T> const& a) {
  T const* x = a.x;
  T* y = a.y;
  T const alpha = T(a.alpha), low = T(a.low), high = T(a.high);
  switch (a.op) {
    case UnaryOp::relu: D16_MAP(s < 0 ? 0 : s); return ok;
    case UnaryOp::elu: D16_MAP(math::detail::select(s > 0, s, alpha * math::expm1(s))); return ok;
    case UnaryOp::sigmoid: D16_MAP(math::sigmoid(s)); return ok;
    case UnaryOp::silu: D16_MAP(s / (1 + math::exp(-s))); return ok;
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
#undef D16_MAP

}  // namespace d16::kernels::cpu
