// Adaptive mean pooling on a GPU: the kernels of pool2d.cuh with other windows, and one for windows so large that a
// whole block adds up one of them.
#pragma once
#include "../adaptive_avg_pool2d.hpp"
#include "pool2d.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace windows {

/// As AdaptiveWindow; the windows of a pixel follow the same formula.
struct AdaptiveAxis {
  int size, count;
  __device__ int begin(int o) const { return o * size / count; }
  __device__ int end(int o) const { return ((o + 1) * size + count - 1) / count; }
  __device__ int first(int i) const { return i * count / size; }
  __device__ int last(int i) const { return ((i + 1) * count + size - 1) / size; }
};

/// The mean of a large window: 8 warps of 32 packs take its pixels in turn, and their sums, in double, are added up in
/// order. Grid: (windows of all samples, blocks of 32 packs).
constexpr int packs_of_block = 32, turns_of_block = line_threads / packs_of_block;
template <class T, int width> __global__ void __launch_bounds__(line_threads)
    large_mean(Plane<AdaptiveAxis> const s, T const* x, T* y) {
  gpu::Smem smem;
  double* const sums = smem.take<double>(line_threads * width);  // those of the first channels first: no bank conflicts
  int const pack = int(blockIdx.y * packs_of_block + threadIdx.x), turn = int(threadIdx.y);
  int const q = int(blockIdx.x) % s.columns.count, p = int(blockIdx.x) / s.columns.count % s.rows.count;
  int const n = int(blockIdx.x) / s.columns.count / s.rows.count;
  int const left = s.columns.begin(q), across = s.columns.end(q) - left, top = s.rows.begin(p);
  int const pixels = across * (s.rows.end(p) - top);
  Pack<double, width> sum{};
  for (int i = turn; i < pixels && pack < s.packs; i += turns_of_block) {
    auto const v = read_pack<width>(x, s.in_x(n, top + i / across, left + i % across, pack));
#pragma unroll
    for (int e = 0; e < width; ++e) sum.value[e] += double(v.value[e]);
  }
#pragma unroll
  for (int e = 0; e < width; ++e) sums[e * line_threads + turn * packs_of_block + int(threadIdx.x)] = sum.value[e];
  __syncthreads();
  if (turn > 0 || pack >= s.packs) return;
  for (int i = 1; i < turns_of_block; ++i)
#pragma unroll
    for (int e = 0; e < width; ++e) sum.value[e] += sums[e * line_threads + i * packs_of_block + int(threadIdx.x)];
  Pack<Wide<T>, width> mean;
#pragma unroll
  for (int e = 0; e < width; ++e) mean.value[e] = Wide<T>(sum.value[e] / pixels);
  write_pack<width>(y, s.in_y(n, p, q, pack), mean);
}

template <class T> AdaptiveAxis rows_of(AdaptivePool2d<T> const& a) { return {int(a.H), int(a.P)}; }
template <class T> AdaptiveAxis columns_of(AdaptivePool2d<T> const& a) { return {int(a.W), int(a.Q)}; }
/// The products of sizes and counts are int.
template <class T> bool takes(AdaptivePool2d<T> const& a) {
  return Lines::fit((a.H + 1) * (a.P + 1), (a.W + 1) * (a.Q + 1));
}

}  // namespace windows

/// Floor: x read once, y written once.
template <class T> int adaptive_avg_pool2d(AdaptivePool2d<T> const& a) {
  using namespace windows;
  if (!takes(a)) return unsupported;
  bool const large = a.H * a.W >= 64 * a.P * a.Q && Lines::fit(a.N * a.P * a.Q, 0);
  auto over = [&](auto const& s, auto width) {
    if (!large) return over_y(mean<AdaptiveAxis, T, width()>, s, Wide<T>(0), a.x, a.y);
    int64_t const blocks = (s.packs + packs_of_block - 1) / packs_of_block;
    if (blocks > 65535) return int(unsupported);
    return gpu::launch(large_mean<T, width()>, dim3(unsigned(a.N * a.P * a.Q), unsigned(blocks)),
                       dim3(packs_of_block, turns_of_block), gpu::Smem::bytes<double>(line_threads * width()),
                       gpu::current_stream(), s, a.x, a.y);
  };
  return windows::launch(rows_of(a), columns_of(a), a.N, a.C, over, a.x, a.y);
}
/// Floor: dy read once, dx written once.
template <class T> int adaptive_avg_pool2d_dx(AdaptivePool2d<T> const& a) {
  using namespace windows;
  if (!takes(a)) return unsupported;
  auto over = [&](auto const& s, auto width) {
    return over_x(mean_dx<AdaptiveAxis, T, width()>, s, Wide<T>(0), a.dy, a.dx);
  };
  return windows::launch(rows_of(a), columns_of(a), a.N, a.C, over, a.dy, a.dx);
}

}  // namespace D16_GPU
}  // namespace d16::kernels
