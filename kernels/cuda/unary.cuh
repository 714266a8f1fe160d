// The functions of one variable on a GPU: one thread for each element, neighbours side by side in memory.
#pragma once
#include <cmath>

#include "../unary.hpp"
#include "gpu.hpp"

namespace d16::kernels {
namespace D16_GPU {

template <class T> __device__ T unary_value(UnaryOp op, T s, T alpha, T low, T high) {
  switch (op) {
    case UnaryOp::relu: return s < 0 ? T(0) : s;
    case UnaryOp::elu: return s <= 0 ? alpha * std::expm1(s) : s;
    case UnaryOp::sigmoid: return 1 / (1 + std::exp(-s));
    case UnaryOp::silu: return s / (1 + std::exp(-s));
    case UnaryOp::tanh: return std::tanh(s);
    case UnaryOp::softplus: return (s < 0 ? T(0) : s) + std::log1p(std::exp(-std::abs(s)));
    case UnaryOp::exp: return std::exp(s);
    case UnaryOp::log: return std::log(s);
    case UnaryOp::sqrt: return std::sqrt(s);
    case UnaryOp::square: return s * s;
    case UnaryOp::abs: return std::abs(s);
    case UnaryOp::neg: return -s;
    case UnaryOp::asinh: return std::asinh(s);
    case UnaryOp::clamp: return s < low ? low : s > high ? high : s;
  }
  return s;
}

/// The slope at s, where s is y or x as derivative_from_result(op) says.
template <class T> __device__ T unary_slope(UnaryOp op, T s, T alpha, T low, T high) {
  switch (op) {
    case UnaryOp::relu: return s <= 0 ? T(0) : T(1);
    case UnaryOp::elu: return s <= 0 ? s + alpha : T(1);
    case UnaryOp::sigmoid: return s * (1 - s);
    case UnaryOp::silu: {
      T const p = 1 / (1 + std::exp(-s));
      return p * (1 + s * (1 - p));
    }
    case UnaryOp::tanh: return 1 - s * s;
    case UnaryOp::softplus: return 1 / (1 + std::exp(-s));
    case UnaryOp::exp: return s;
    case UnaryOp::log: return 1 / s;
    case UnaryOp::sqrt: return T(0.5) / s;
    case UnaryOp::square: return 2 * s;
    case UnaryOp::abs: return T((s > 0) - (s < 0));
    case UnaryOp::neg: return T(-1);
    case UnaryOp::asinh: return 1 / std::sqrt(1 + s * s);
    case UnaryOp::clamp: return s < low || s > high ? T(0) : T(1);
  }
  return s;
}

constexpr int pointwise_threads = 256;

template <class T> __global__ void __launch_bounds__(pointwise_threads) unary_kernel(Unary<T> a) {
  for (int64_t i = gpu::this_thread(); i < a.n; i += gpu::all_threads())
    a.y[i] = unary_value(a.op, a.x[i], T(a.alpha), T(a.low), T(a.high));
}
template <class T> __global__ void __launch_bounds__(pointwise_threads) unary_dx_kernel(Unary<T> a, T const* saved) {
  for (int64_t i = gpu::this_thread(); i < a.n; i += gpu::all_threads())
    a.dx[i] = a.dy[i] * unary_slope(a.op, saved[i], T(a.alpha), T(a.low), T(a.high));
}

template <class T> int unary(Unary<T> const& a) {
  if (a.n == 0) return ok;
  return gpu::launch(unary_kernel<T>, gpu::blocks_for(a.n, pointwise_threads), dim3(pointwise_threads), 0,
                     gpu::current_stream(), a);
}
template <class T> int unary_dx(Unary<T> const& a) {
  if (a.n == 0) return ok;
  T const* const saved = derivative_from_result(a.op) ? a.y : a.x;
  return gpu::launch(unary_dx_kernel<T>, gpu::blocks_for(a.n, pointwise_threads), dim3(pointwise_threads), 0,
                     gpu::current_stream(), a, saved);
}

}  // namespace D16_GPU
}  // namespace d16::kernels
