// Step 7 of the dense ladder: asynchronous copies, four stages deep: three tiles are on their way while one is
// multiplied.
#pragma once
#include "dense_6_tensor_cores.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace ladder {

constexpr int dense_stages = 4;

template <class E> __global__ void __launch_bounds__(128)
    dense_staged(DenseProblem s, E const* image, E const* weights, int padded) {
  using T = WarpTile;
  T const tile{s, image, weights, padded};
  gpu::Smem smem;
  bf16* const tiles_a = smem.take<bf16>(dense_stages * T::size);
  bf16* const tiles_b = smem.take<bf16>(dense_stages * T::size);
  float sum[2][4][4] = {};
  auto load = [&](int step) {  // a group is committed even when it is empty: waiting counts groups
    int const stage = step % dense_stages * T::size, k = step * T::depth;
    if (k < tile.steps_end())
#pragma unroll
      for (int part = 0; part < 2; ++part) {
        bf16 const *const x = tile.from_image(part, k), *const w = tile.from_weights(part, k);
        gpu::cp_async16(tiles_a + stage + tile.place(part), x ? x : image, x != nullptr);
        gpu::cp_async16(tiles_b + stage + tile.place(part), w ? w : weights, w != nullptr);
      }
    gpu::cp_async_commit();
  };
  for (int step = 0; step < dense_stages - 1; ++step) load(step);
  for (int step = 0; step * T::depth < tile.steps_end(); ++step) {
    gpu::cp_async_wait<dense_stages - 2>();
    __syncthreads();  // this step's tiles have landed, and nobody reads the stage that is filled next
    load(step + dense_stages - 1);
    int const stage = step % dense_stages * T::size;
    T::multiply(tiles_a + stage, tiles_b + stage, sum);
  }
  tile.store(sum);
}
inline int dense_7_stages(Conv2d<float> const& a) {
  if (!is_plain(a)) return unsupported;
  using T = WarpTile;
  DenseProblem const s(a);
  Bf16Operands const of{a};
  if (int const status = of.fill(); status != ok) return status;
  return gpu::launch(dense_staged<bf16>, T::grid(s), dim3(T::threads),
                     2 * gpu::Smem::bytes<bf16>(dense_stages * T::size), gpu::current_stream(), s, of.image.data(),
                     of.w, of.padded);
}

}  // namespace ladder
}  // namespace D16_GPU
}  // namespace d16::kernels
