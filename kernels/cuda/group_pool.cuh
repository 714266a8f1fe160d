// Pooling over the group on a GPU.
#pragma once
#include "../group_pool.hpp"
#include "../precision.hpp"
#include "gpu.hpp"

namespace d16::kernels {
namespace D16_GPU {
namespace pooling {

enum class Over { maximum, mean };

/// The first maximum of a row, or its first NaN.
template <class T> __device__ int first_maximum(T const* x, int G) {
  int best = 0;
  for (int g = 1; g < G && x[best] == x[best]; ++g)
    if (x[g] > x[best] || x[g] != x[g]) best = g;
  return best;
}

/// Rows pass through shared memory, which threads fill with neighbouring values and read row by row; a row is padded to
/// an odd pitch, so that threads at the same element are in different banks. Blocks take 256 rows at a time where a row
/// is short, fewer where it is long.
struct RowTile {
  int rows, pitch;
  explicit RowTile(int G) : rows(256), pitch(G | 1) {
    constexpr int most_values = 4096;
    while (rows > 32 && rows * pitch > most_values) rows /= 2;
  }
};

template <class T, Over over> __global__ void pool_rows(RowTile tile, int64_t rows, int G, T const* x, T* y) {
  gpu::Smem smem;
  Wide<T>* const values = smem.take<Wide<T>>(size_t(tile.rows * tile.pitch));
  int const threads = int(blockDim.x), thread = int(threadIdx.x);
  for (int64_t first = int64_t(blockIdx.x) * tile.rows; first < rows; first += int64_t(gridDim.x) * tile.rows) {
    int const count = int(min(rows - first, int64_t(tile.rows)));
    for (int i = thread; i < count * G; i += threads)
      values[i / G * tile.pitch + i % G] = gpu::to_float(x[first * G + i]);
    __syncthreads();
    for (int r = thread; r < count; r += threads) {
      Wide<T> const* const row = values + r * tile.pitch;
      if constexpr (over == Over::maximum) {
        y[first + r] = gpu::from_float<T>(row[first_maximum(row, G)]);
      } else {
        double sum = 0;
        for (int g = 0; g < G; ++g) sum += double(row[g]);
        y[first + r] = gpu::from_float<T>(sum / G);
      }
    }
    __syncthreads();
  }
}

/// The gradient of a maximum: the rows pass through shared memory both ways.
template <class T> __global__ void pool_max_dx(RowTile tile, int64_t rows, int G, T const* x, T const* dy, T* dx) {
  gpu::Smem smem;
  Wide<T>* const values = smem.take<Wide<T>>(size_t(tile.rows * tile.pitch));
  int* const best = smem.take<int>(size_t(tile.rows));
  int const threads = int(blockDim.x), thread = int(threadIdx.x);
  for (int64_t first = int64_t(blockIdx.x) * tile.rows; first < rows; first += int64_t(gridDim.x) * tile.rows) {
    int const count = int(min(rows - first, int64_t(tile.rows)));
    for (int i = thread; i < count * G; i += threads)
      values[i / G * tile.pitch + i % G] = gpu::to_float(x[first * G + i]);
    __syncthreads();
    for (int r = thread; r < count; r += threads) best[r] = first_maximum(values + r * tile.pitch, G);
    __syncthreads();
    for (int i = thread; i < count * G; i += threads)
      dx[first * G + i] = best[i / G] == i % G ? dy[first + i / G] : gpu::from_float<T>(0.0f);
    __syncthreads();
  }
}

template <class T> __global__ void pool_mean_dx(int64_t count, int G, T const* dy, T* dx) {
  for (int64_t i = gpu::this_thread(); i < count; i += gpu::all_threads())
    dx[i] = gpu::from_float<T>(double(gpu::to_float(dy[i / G])) / G);
}

template <class T, Over over> int pool(GroupPool<T> const& a) {
  if (a.rows <= 0) return ok;
  RowTile const tile(a.G);
  size_t const bytes = gpu::Smem::bytes<Wide<T>>(size_t(tile.rows * tile.pitch));
  return gpu::launch(pool_rows<T, over>, gpu::blocks_for(a.rows, tile.rows), dim3(256), bytes, gpu::current_stream(),
                     tile, a.rows, a.G, a.x, a.y);
}

}  // namespace pooling

/// Floor: x read once, y written once. A row of G values has to fit a block: up to 700 in double.
template <class T> int group_max_pool(GroupPool<T> const& a) { return pooling::pool<T, pooling::Over::maximum>(a); }
template <class T> int group_mean_pool(GroupPool<T> const& a) { return pooling::pool<T, pooling::Over::mean>(a); }

/// Floor: x and dy read once, dx written once.
template <class T> int group_max_pool_dx(GroupPool<T> const& a) {
  if (a.rows <= 0) return ok;
  pooling::RowTile const tile(a.G);
  size_t const bytes =
      gpu::Smem::bytes<Wide<T>>(size_t(tile.rows * tile.pitch)) + gpu::Smem::bytes<int>(size_t(tile.rows));
  return gpu::launch(pooling::pool_max_dx<T>, gpu::blocks_for(a.rows, tile.rows), dim3(256), bytes,
                     gpu::current_stream(), tile, a.rows, a.G, a.x, a.dy, a.dx);
}
template <class T> int group_mean_pool_dx(GroupPool<T> const& a) {
  if (a.rows <= 0) return ok;
  return gpu::launch(pooling::pool_mean_dx<T>, gpu::blocks_for(a.rows * a.G, 256), dim3(256), 0, gpu::current_stream(),
                     a.rows * a.G, a.G, a.dy, a.dx);
}

}  // namespace D16_GPU
}  // namespace d16::kernels
