// Launches over the lines of images, with 16 bytes of neighbouring channels for each thread where memory allows it.
#pragma once
#include "pack.cuh"

namespace d16::kernels {
namespace D16_GPU {

template <class T, int width>
__device__ __forceinline__ void add(Pack<T, width>& sum, Pack<T, width> const& more, T factor = T(1)) {
#pragma unroll
  for (int e = 0; e < width; ++e) sum.value[e] += factor * more.value[e];
}
template <class T, int width> __device__ __forceinline__ void scale(Pack<T, width>& pack, T factor) {
#pragma unroll
  for (int e = 0; e < width; ++e) pack.value[e] *= factor;
}

/// Launches with packs of 16 bytes where rows of `length` elements are made of such, else with single elements:
/// launch(std::integral_constant<int, width>).
template <class Launch, class T, class... More>
int with_packs(int64_t length, Launch const& launch, T const* array, More const*... more) {
  if (in_whole_packs(length, array, more...)) return launch(std::integral_constant<int, whole_pack<T>>());
  return launch(std::integral_constant<int, 1>());
}

/// A grid over lines of `length` items: x runs along a line, y over the lines, several in a block where they are short.
/// A kernel goes on to further lines with a stride of all_lines(): about `for_each` of them for each thread.
constexpr int line_threads = 256;
struct Lines {
  dim3 grid, block;

  Lines(int64_t lines, int64_t length, int64_t for_each = 1) {
    unsigned across = 1;
    while (across < unsigned(line_threads) && across < length) across *= 2;
    unsigned const down = unsigned(line_threads) / across;
    int64_t const high = (lines + down * for_each - 1) / (down * for_each);
    grid = dim3(unsigned((length + across - 1) / across), unsigned(high < 65535 ? high : 65535));
    block = dim3(across, down);
  }
  /// Whether 32 bits hold the indices of lines and of items, also a step beyond the last.
  static bool fit(int64_t lines, int64_t length) {
    constexpr int64_t most = int64_t(1) << 30;
    return lines < most && length < most;
  }
};
__device__ __forceinline__ int along_line() { return int(blockIdx.x * blockDim.x + threadIdx.x); }
__device__ __forceinline__ int this_line() { return int(blockIdx.y * blockDim.y + threadIdx.y); }
__device__ __forceinline__ int all_lines() { return int(gridDim.y * blockDim.y); }

}  // namespace D16_GPU
}  // namespace d16::kernels
