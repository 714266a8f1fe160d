// Sums over the pixels of each channel of each sample, and maps whose parameters differ by sample and channel: what
// group norm and the gates of channels share.
#pragma once
#include "lines.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace channels {

struct alignas(16) Sums {
  double first, second;
  __device__ void add(Sums const& other) { first += other.first, second += other.second; }
};

/// In double, in two steps of fixed order: blocks of 32 lanes by 8 rows add up chunks of pixels, which are a number of
/// the shape; whoever needs a sum adds up its chunks.
constexpr int lanes = 32, rows_of_block = line_threads / lanes, pixels_of_chunk = 256;
struct Chunks {
  int64_t N, pixels;
  int C;

  int64_t of_sample() const { return (pixels + pixels_of_chunk - 1) / pixels_of_chunk; }
  int64_t blocks_of_channels() const { return (C + lanes - 1) / lanes; }
  size_t bytes() const { return size_t(N * of_sample() * C) * sizeof(Sums); }
  bool fit() const {
    return Lines::fit(N * of_sample(), pixels) && Lines::fit(N * C, 0) && blocks_of_channels() <= 65535;
  }
};

/// partial[n, chunk, c] = the sum of value(n, pixel, c). Few channels: several pixels lie side by side in the lanes.
/// Grid: (chunks of all samples, blocks of channels).
template <class Value> __global__ void __launch_bounds__(line_threads)
    add_pixels(Value const value, int pixels, int chunks, int C, Sums* partial) {
  gpu::Smem smem;
  Sums* const of_thread = smem.take<Sums>(line_threads);
  int const across = min(C, lanes), fold = lanes / across, x = int(threadIdx.x), y = int(threadIdx.y);
  int const c = int(blockIdx.y) * lanes + x % across, n = int(blockIdx.x) / chunks;
  int const begin = int(blockIdx.x) % chunks * pixels_of_chunk, end = min(pixels, begin + pixels_of_chunk);
  Sums sum{0, 0};
  if (c < C && x < fold * across)
#pragma unroll 4
    for (int p = begin + y * fold + x / across; p < end; p += rows_of_block * fold) sum.add(value(n, p, c));
  of_thread[y * lanes + x] = sum;
  __syncthreads();
  if (y > 0 || x >= across || c >= C) return;
  for (int i = 1; i < rows_of_block * fold; ++i) sum.add(of_thread[i / fold * lanes + i % fold * across + x]);
  partial[int64_t(blockIdx.x) * C + c] = sum;
}
template <class Value> int sum_pixels(Value const& value, Chunks const& s, void* partial) {
  dim3 const grid{unsigned(s.N * s.of_sample()), unsigned(s.blocks_of_channels())};
  return gpu::launch(add_pixels<Value>, grid, dim3(lanes, rows_of_block), gpu::Smem::bytes<Sums>(line_threads),
                     gpu::current_stream(), value, int(s.pixels), int(s.of_sample()), s.C, static_cast<Sums*>(partial));
}
/// The whole sum of channel c of sample n.
__device__ inline Sums sum_of_chunks(Sums const* partial, int chunks, int C, int n, int c) {
  Sums sum{0, 0};
  for (int i = 0; i < chunks; ++i) sum.add(partial[(int64_t(n) * chunks + i) * C + c]);
  return sum;
}

/// The sum of one value from each lane of a warp, in all of them.
__device__ inline double warp_sum(double value) {
  for (int distance = 16; distance; distance /= 2) value += __shfl_xor_sync(~0u, value, distance);
  return value;
}

/// Every pixel of a pack of channels of a sample by one Map::Of<width>, which a thread makes once: grid (packs, pixels,
/// samples); of(i) handles pack i of the arrays.
template <class Map, int width> __global__ void __launch_bounds__(line_threads)
    map_pixels(Map const map, int N, int pixels, int packs) {
  int const pack = along_line();
  if (pack >= packs) return;
  for (int n = int(blockIdx.z); n < N; n += int(gridDim.z)) {
    typename Map::template Of<width> const of(map, n, pack * width);
    for (int p = this_line(); p < pixels; p += all_lines()) of((int64_t(n) * pixels + p) * packs + pack);
  }
}
/// How many pixels a thread takes: enough to be worth the parameters.
constexpr int pixels_of_thread = 8;
template <class Map, class... Arrays> int map_channels(Map const& map, Chunks const& s, Arrays const*... arrays) {
  auto launch = [&](auto width) {
    int64_t const packs = s.C / width;
    Lines lines(s.pixels, packs, pixels_of_thread);
    lines.grid.z = unsigned(s.N < 65535 ? s.N : 65535);
    return gpu::launch(map_pixels<Map, width()>, lines.grid, lines.block, 0, gpu::current_stream(), map, int(s.N),
                       int(s.pixels), int(packs));
  };
  return with_packs(s.C, launch, arrays...);
}

}  // namespace channels
}  // namespace D16_GPU
}  // namespace d16::kernels
