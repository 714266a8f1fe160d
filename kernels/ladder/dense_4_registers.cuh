// Step 4 of the dense ladder: a thread computes 4 x 4 values, so that each number read from shared memory is used four
// times.
#pragma once
#include "dense_problem.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace ladder {

/// 64 x 64 values of y by 256 threads of 4 x 4, sixteen k at a time. Lines of the tile of patches are k, with a gap
/// against bank conflicts when they are written.
struct RegisterTile {
  static constexpr int side = 64, depth = 16, threads = 256, pitch = side + 4, part = side * depth / threads;

  /// Four numbers of each tile for each thread: neighbours read neighbouring k of the patches, neighbouring columns.
  __device__ static void read(DenseProblem const& s, float const* columns, int k0, float (&a)[part], float (&b)[part]) {
    int const t = int(threadIdx.x), m0 = int(blockIdx.x) * side, o0 = int(blockIdx.y) * side;
#pragma unroll
    for (int i = 0; i < part; ++i) {
      int const e = t + i * threads, k = k0 + e / side, o = o0 + e % side;
      a[i] = s.patch(m0 + e / depth, k0 + e % depth);
      b[i] = k < s.K && o < s.Co ? columns[int64_t(k) * s.Co + o] : 0;
    }
  }
  __device__ static void write(float* tile_a, float* tile_b, float const (&a)[part], float const (&b)[part]) {
    int const t = int(threadIdx.x);
#pragma unroll
    for (int i = 0; i < part; ++i) {
      int const e = t + i * threads;
      tile_a[e % depth * pitch + e / depth] = a[i];
      tile_b[e / side * pitch + e % side] = b[i];
    }
  }
  __device__ static void multiply(float const* tile_a, float const* tile_b, float (&sum)[4][4]) {
    int const tx = int(threadIdx.x) % 16, ty = int(threadIdx.x) / 16;
#pragma unroll
    for (int k = 0; k < depth; ++k) {
      auto const a = *reinterpret_cast<dense::Chunk<float> const*>(tile_a + k * pitch + ty * 4);
      auto const b = *reinterpret_cast<dense::Chunk<float> const*>(tile_b + k * pitch + tx * 4);
#pragma unroll
      for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j) sum[i][j] += a.value[i] * b.value[j];
    }
  }
  __device__ static void store(DenseProblem const& s, float const (&sum)[4][4]) {
    int const tx = int(threadIdx.x) % 16, ty = int(threadIdx.x) / 16;
#pragma unroll
    for (int i = 0; i < 4; ++i)
#pragma unroll
      for (int j = 0; j < 4; ++j)
        s.store(int(blockIdx.x) * side + ty * 4 + i, int(blockIdx.y) * side + tx * 4 + j, sum[i][j]);
  }
  static dim3 grid(DenseProblem const& s) {
    return {unsigned(dense::ceil_div(s.M, side)), unsigned(dense::ceil_div(s.Co, side))};
  }
};

template <class E> __global__ void __launch_bounds__(256) dense_registers(DenseProblem s, E const* columns) {
  using T = RegisterTile;
  gpu::Smem smem;
  float* const tile_a = smem.take<float>(T::depth * T::pitch);
  float* const tile_b = smem.take<float>(T::depth * T::pitch);
  float a[T::part], b[T::part], sum[4][4] = {};
  for (int k = 0; k < s.K; k += T::depth) {
    T::read(s, columns, k, a, b);
    T::write(tile_a, tile_b, a, b);
    __syncthreads();  // the tiles are complete
    T::multiply(tile_a, tile_b, sum);
    __syncthreads();  // nobody reads them any more
  }
  T::store(s, sum);
}
inline int dense_4_registers(Conv2d<float> const& a) {
  if (!is_plain(a)) return unsupported;
  using T = RegisterTile;
  DenseProblem const s(a);
  return gpu::launch(dense_registers<float>, T::grid(s), dim3(T::threads),
                     2 * gpu::Smem::bytes<float>(T::depth * T::pitch), gpu::current_stream(), s, weight_columns(a));
}

}  // namespace ladder
}  // namespace D16_GPU
}  // namespace d16::kernels
