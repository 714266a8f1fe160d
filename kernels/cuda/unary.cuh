// The functions of one variable on a GPU: 16 bytes for each thread, neighbours side by side in memory.
#pragma once
#include <cmath>

#include "../unary.hpp"
#include "pack.cuh"

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

template <class T, int count> __global__ void __launch_bounds__(pointwise_threads) unary_kernel(Unary<T> a) {
  using W = Wide<T>;
  for (int64_t i = gpu::this_thread(); i < a.n / count; i += gpu::all_threads()) {
    auto v = read_pack<count>(a.x, i);
#pragma unroll
    for (int e = 0; e < count; ++e) v.value[e] = unary_value(a.op, v.value[e], W(a.alpha), W(a.low), W(a.high));
    write_pack<count>(a.y, i, v);
  }
}
template <class T, int count> __global__ void __launch_bounds__(pointwise_threads)
    unary_dx_kernel(Unary<T> a, T const* saved) {
  using W = Wide<T>;
  for (int64_t i = gpu::this_thread(); i < a.n / count; i += gpu::all_threads()) {
    auto v = read_pack<count>(a.dy, i);
    auto const s = read_pack<count>(saved, i);
#pragma unroll
    for (int e = 0; e < count; ++e) v.value[e] *= unary_slope(a.op, s.value[e], W(a.alpha), W(a.low), W(a.high));
    write_pack<count>(a.dx, i, v);
  }
}

template <class T> int unary(Unary<T> const& a) {
  if (a.n == 0) return ok;
  bool const whole = in_whole_packs(a.n, a.x, a.y);
  return gpu::launch(whole ? unary_kernel<T, whole_pack<T>> : unary_kernel<T, 1>,
                     gpu::blocks_for(whole ? a.n / whole_pack<T> : a.n, pointwise_threads), dim3(pointwise_threads), 0,
                     gpu::current_stream(), a);
}
template <class T> int unary_dx(Unary<T> const& a) {
  if (a.n == 0) return ok;
  T const* const saved = derivative_from_result(a.op) ? a.y : a.x;
  bool const whole = in_whole_packs(a.n, a.dy, saved, a.dx);
  return gpu::launch(whole ? unary_dx_kernel<T, whole_pack<T>> : unary_dx_kernel<T, 1>,
                     gpu::blocks_for(whole ? a.n / whole_pack<T> : a.n, pointwise_threads), dim3(pointwise_threads), 0,
                     gpu::current_stream(), a, saved);
}

}  // namespace D16_GPU
}  // namespace d16::kernels
