// Step 5 of the dense ladder: two tiles of each matrix; the next one is read while the present one is multiplied.
#pragma once
#include "dense_4_registers.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace ladder {

template <class E> __global__ void __launch_bounds__(256) dense_double_buffered(DenseProblem s, E const* columns) {
  using T = RegisterTile;
  constexpr int size = T::depth * T::pitch;
  gpu::Smem smem;
  float* const tiles_a = smem.take<float>(2 * size);
  float* const tiles_b = smem.take<float>(2 * size);
  float a[T::part], b[T::part], sum[4][4] = {};
  T::read(s, columns, 0, a, b);
  for (int k = 0, now = 0; k < s.K; k += T::depth, now = 1 - now) {
    T::write(tiles_a + now * size, tiles_b + now * size, a, b);
    __syncthreads();  // these tiles are complete; the others were multiplied before the last barrier but one
    if (k + T::depth < s.K) T::read(s, columns, k + T::depth, a, b);
    T::multiply(tiles_a + now * size, tiles_b + now * size, sum);
  }
  T::store(s, sum);
}
inline int dense_5_double_buffered(Conv2d<float> const& a) {
  if (!is_plain(a)) return unsupported;
  using T = RegisterTile;
  DenseProblem const s(a);
  return gpu::launch(dense_double_buffered<float>, T::grid(s), dim3(T::threads),
                     2 * gpu::Smem::bytes<float>(2 * T::depth * T::pitch), gpu::current_stream(), s, weight_columns(a));
}

}  // namespace ladder
}  // namespace D16_GPU
}  // namespace d16::kernels
