// The functions of two variables with broadcasting on a GPU: one thread for each element or 16 bytes of the result.
#pragma once
#include "../binary.hpp"
#include "nest.cuh"
#include "pack.cuh"

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
  using W = Wide<T>;
  for (int64_t i = gpu::this_thread(); i < numel; i += gpu::all_threads()) {
    W const a = p.a ? gpu::to_float(p.a[nest_offset(p.nest, 0, Index(i))]) : W(p.a_scalar);
    W const b = p.b ? gpu::to_float(p.b[nest_offset(p.nest, 1, Index(i))]) : W(p.b_scalar);
    p.y[i] = gpu::from_float<T>(binary_value(p.op, a, b));
  }
}

/// Of arrays without gaps and broadcasting: 16 bytes for each thread.
template <class T> __global__ void __launch_bounds__(binary_threads) binary_packs_kernel(Binary<T> p, int64_t packs) {
  using W = Wide<T>;
  constexpr int count = whole_pack<T>;
  for (int64_t i = gpu::this_thread(); i < packs; i += gpu::all_threads()) {
    Pack<W, count> a, b;
#pragma unroll
    for (int e = 0; e < count; ++e) a.value[e] = W(p.a_scalar), b.value[e] = W(p.b_scalar);
    if (p.a) a = read_pack<count>(p.a, i);
    if (p.b) b = read_pack<count>(p.b, i);
#pragma unroll
    for (int e = 0; e < count; ++e) a.value[e] = binary_value(p.op, a.value[e], b.value[e]);
    write_pack<count>(p.y, i, a);
  }
}
template <class T> bool is_flat(Binary<T> const& p, int64_t numel) {
  bool const dense = (!p.a || p.nest.stride[0][0] == 1) && (!p.b || p.nest.stride[1][0] == 1);
  return p.nest.rank == 1 && dense && in_whole_packs(numel, p.a, p.b, p.y);
}

template <class T> int binary(Binary<T> const& p) {
  int64_t const numel = p.nest.numel();
  if (numel == 0) return ok;
  if (is_flat(p, numel))
    return gpu::launch(binary_packs_kernel<T>, gpu::blocks_for(numel / whole_pack<T>, binary_threads),
                       dim3(binary_threads), 0, gpu::current_stream(), p, numel / whole_pack<T>);
  auto const kernel = fits_32_bits(numel) ? binary_kernel<T, uint32_t> : binary_kernel<T, uint64_t>;
  return gpu::launch(kernel, gpu::blocks_for(numel, binary_threads), dim3(binary_threads), 0, gpu::current_stream(), p,
                     numel);
}

}  // namespace D16_GPU
}  // namespace d16::kernels
