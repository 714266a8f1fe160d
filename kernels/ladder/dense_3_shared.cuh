// Step 3 of the dense ladder: a block reads tiles of both matrices once, and all its threads share them.
#pragma once
#include "dense_problem.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace ladder {

constexpr int shared_side = 16;  // of the tiles of patches, weights and y

template <class E> __global__ void dense_shared(DenseProblem s, E const* columns) {
  constexpr int side = shared_side;
  gpu::Smem smem;
  float* const a = smem.take<float>(side * side);
  float* const b = smem.take<float>(side * side);
  int const tx = int(threadIdx.x), ty = int(threadIdx.y);
  int const m = int(blockIdx.x) * side + ty, o = int(blockIdx.y) * side + tx;
  float sum = 0;
  for (int k0 = 0; k0 < s.K; k0 += side) {
    a[ty * side + tx] = s.patch(m, k0 + tx);
    b[ty * side + tx] = k0 + ty < s.K && o < s.Co ? columns[int64_t(k0 + ty) * s.Co + o] : 0;
    __syncthreads();  // the tiles are complete
    for (int k = 0; k < side; ++k) sum += a[ty * side + k] * b[k * side + tx];
    __syncthreads();  // nobody reads them any more
  }
  s.store(m, o, sum);
}
inline int dense_3_shared(Conv2d<float> const& a) {
  if (!is_plain(a)) return unsupported;
  DenseProblem const s(a);
  constexpr int side = shared_side;
  return gpu::launch(
      dense_shared<float>, dim3(unsigned(dense::ceil_div(s.M, side)), unsigned(dense::ceil_div(s.Co, side))),
      dim3(side, side), 2 * gpu::Smem::bytes<float>(side * side), gpu::current_stream(), s, weight_columns(a));
}

}  // namespace ladder
}  // namespace D16_GPU
}  // namespace d16::kernels
