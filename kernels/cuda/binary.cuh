// The functions of two variables with broadcasting on a GPU: one thread for each element of the result.
#pragma once
#include "../binary.hpp"
#include "nest.cuh"

namespace d16::kernels {
namespace D16_GPU {

template <class T> __device__ T binary_value(BinaryOp op, T a, T b) {
  switch (op) {
    case BinaryOp::add: return a + b;
    case BinaryOp::sub: return a - b;
    case BinaryOp::mul: return a * b;
    case BinaryOp::div: return a / b;
    case BinaryOp::max: return a > b || a != a ? a : b;
    case BinaryOp::min: return a < b || a != a ? a : b;
    case BinaryOp::step: break;
  }
  return a > b ? T(1) : a == b ? T(0.5) : T(0);
}

constexpr int binary_threads = 256;

template <class T, class Index> __global__ void __launch_bounds__(binary_threads)
    binary_kernel(Binary<T> p, int64_t numel) {
  for (int64_t i = gpu::this_thread(); i < numel; i += gpu::all_threads()) {
    T const a = p.a ? p.a[nest_offset(p.nest, 0, Index(i))] : T(p.a_scalar);
    T const b = p.b ? p.b[nest_offset(p.nest, 1, Index(i))] : T(p.b_scalar);
    p.y[i] = binary_value(p.op, a, b);
  }
}

template <class T> int binary(Binary<T> const& p) {
  int64_t const numel = p.nest.numel();
  if (numel == 0) return ok;
  auto const kernel = fits_32_bits(numel) ? binary_kernel<T, uint32_t> : binary_kernel<T, uint64_t>;
  return gpu::launch(kernel, gpu::blocks_for(numel, binary_threads), dim3(binary_threads), 0, gpu::current_stream(), p,
                     numel);
}

}  // namespace D16_GPU
}  // namespace d16::kernels
