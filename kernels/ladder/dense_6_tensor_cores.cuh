// Step 6 of the dense ladder: products of 16 x 8 x 16 numbers by one instruction of a warp, factors in bfloat16.
#pragma once
#include "dense_problem.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace ladder {

/// 64 x 64 values of y by four warps of 32 x 32, thirty-two k at a time. A line of a tile is a row of patches, or an
/// output channel; its gap spreads the eight lines that ldmatrix reads at once over all banks.
struct WarpTile {
  static constexpr int side = 64, depth = 32, threads = 128, pitch = depth + 8, size = side * pitch;

  DenseProblem const& s;
  bf16 const *image, *weights;
  int padded;  // channels

  /// The `part`-th chunk of 8 numbers (0 or 1) that this thread brings: its place in a tile, and where it comes from,
  /// null for zeros. Channels are filled up to multiples of 8, so a chunk has one tap.
  __device__ int place(int part) const { return line(part) * pitch + int(threadIdx.x) % 4 * 8; }
  __device__ bf16 const* from_image(int part, int k0) const {
    int const k = k0 + int(threadIdx.x) % 4 * 8, tap = k / padded;
    int64_t const at = s.pixel(int(blockIdx.x) * side + line(part), tap / s.kw, tap % s.kw, padded);
    return at < 0 ? nullptr : image + at + k % padded;
  }
  __device__ bf16 const* from_weights(int part, int k0) const {
    int const k = k0 + int(threadIdx.x) % 4 * 8, o = int(blockIdx.y) * side + line(part), depth_of_sum = steps_end();
    return o < s.Co && k < depth_of_sum ? weights + int64_t(o) * depth_of_sum + k : nullptr;
  }
  __device__ int steps_end() const { return s.kh * s.kw * padded; }

  __device__ static void multiply(bf16 const* a, bf16 const* b, float (&sum)[2][4][4]) {
    int const lane = int(threadIdx.x) % 32, warp = int(threadIdx.x) / 32, row = warp / 2 * 32, column = warp % 2 * 32;
#pragma unroll
    for (int k = 0; k < depth; k += 16) {
      uint32_t x[2][4], y[4][2], pair[4];
#pragma unroll
      for (int i = 0; i < 2; ++i)  // matrices: rows 0-7 and 8-15 of k 0-7, then of k 8-15
        gpu::ldmatrix_x4(x[i], a + (row + i * 16 + lane % 16) * pitch + k + lane / 16 * 8);
#pragma unroll
      for (int j = 0; j < 4; j += 2) {  // matrices: k 0-7 and 8-15 of columns 0-7, then of columns 8-15
        gpu::ldmatrix_x4(pair, b + (column + j * 8 + lane / 16 * 8 + lane % 8) * pitch + k + lane / 8 % 2 * 8);
        y[j][0] = pair[0], y[j][1] = pair[1], y[j + 1][0] = pair[2], y[j + 1][1] = pair[3];
      }
      gpu::mma_bf16_tile(sum, x, y);
    }
  }
  __device__ void store(float const (&sum)[2][4][4]) const {
    int const lane = int(threadIdx.x) % 32, warp = int(threadIdx.x) / 32;
    int const m = int(blockIdx.x) * side + warp / 2 * 32 + lane / 4;
    int const o = int(blockIdx.y) * side + warp % 2 * 32 + lane % 4 * 2;
#pragma unroll
    for (int i = 0; i < 2; ++i)
#pragma unroll
      for (int j = 0; j < 4; ++j)
#pragma unroll
        for (int e = 0; e < 4; ++e) s.store(m + i * 16 + e / 2 * 8, o + j * 8 + e % 2, sum[i][j][e]);
  }
  static dim3 grid(DenseProblem const& s) {
    return {unsigned(dense::ceil_div(s.M, side)), unsigned(dense::ceil_div(s.Co, side))};
  }

 private:
  __device__ static int line(int part) { return int(threadIdx.x) / 4 + part * 32; }
};

template <class E> __global__ void __launch_bounds__(128)
    dense_tensor_cores(DenseProblem s, E const* image, E const* weights, int padded) {
  using T = WarpTile;
  T const tile{s, image, weights, padded};
  gpu::Smem smem;
  bf16* const a = smem.take<bf16>(T::size);
  bf16* const b = smem.take<bf16>(T::size);
  float sum[2][4][4] = {};
  auto copy = [](bf16* to, bf16 const* from) {
    *reinterpret_cast<uint4*>(to) = from ? *reinterpret_cast<uint4 const*>(from) : uint4{};
  };
  for (int k = 0; k < tile.steps_end(); k += T::depth) {
#pragma unroll
    for (int part = 0; part < 2; ++part) {
      copy(a + tile.place(part), tile.from_image(part, k));
      copy(b + tile.place(part), tile.from_weights(part, k));
    }
    __syncthreads();  // the tiles are complete
    T::multiply(a, b, sum);
    __syncthreads();  // nobody reads them any more
  }
  tile.store(sum);
}
inline int dense_6_tensor_cores(Conv2d<float> const& a) {
  if (!is_plain(a)) return unsupported;
  using T = WarpTile;
  DenseProblem const s(a);
  Bf16Operands const of{a};
  if (int const status = of.fill(); status != ok) return status;
  return gpu::launch(dense_tensor_cores<bf16>, T::grid(s), dim3(T::threads), 2 * gpu::Smem::bytes<bf16>(T::size),
                     gpu::current_stream(), s, of.image.data(), of.w, of.padded);
}

}  // namespace ladder
}  // namespace D16_GPU
}  // namespace d16::kernels
