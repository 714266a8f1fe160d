// Pooling over the group on a GPU.
#pragma once
#include "../group_pool.hpp"
#include "row_tile.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace pooling {

enum class Over { maximum, mean };

/// The first maximum of a row, or its first NaN.
template <class Row> __device__ int first_maximum(Row const& x, int G) {
  int best = 0;
  auto largest = x[0];
  for (int g = 1; g < G && largest == largest; ++g) {
    auto const value = x[g];
    if (value > largest || value != value) best = g, largest = value;
  }
  return best;
}

template <class T, Over over> __global__ void __launch_bounds__(RowTile<Wide<T>>::threads)
    pool_rows(RowTile<Wide<T>> const tile, int64_t rows, int G, T const* x, T* y) {
  gpu::Smem smem;
  Wide<T>* const values = smem.take<Wide<T>>(tile.values());
  for (int64_t first = tile.first(); first < rows; first += tile.step()) {
    int const count = tile.count(first, rows);
    tile.load(values, x + first * G, count);
    for (int r = int(threadIdx.x); r < count; r += int(blockDim.x)) {
      auto const row = tile.row(values, r);
      if constexpr (over == Over::maximum) {
        y[first + r] = gpu::from_float<T>(row[first_maximum(row, G)]);
      } else {
        double sum = 0;
        for (int g = 0; g < G; ++g) sum += double(row[g]);
        y[first + r] = gpu::from_float<T>(sum / G);
      }
    }
    __syncthreads();  // the tile is free
  }
}

/// The gradient of a maximum. Nobody waits at the end: the next maxima are written behind a barrier of all.
template <class T> __global__ void __launch_bounds__(RowTile<Wide<T>>::threads)
    pool_max_dx(RowTile<Wide<T>> const tile, int64_t rows, int G, T const* x, T const* dy, T* dx) {
  gpu::Smem smem;
  Wide<T>* const values = smem.take<Wide<T>>(tile.values());
  int* const best = smem.take<int>(size_t(tile.rows));
  for (int64_t first = tile.first(); first < rows; first += tile.step()) {
    int const count = tile.count(first, rows);
    tile.load(values, x + first * G, count);
    for (int r = int(threadIdx.x); r < count; r += int(blockDim.x)) best[r] = first_maximum(tile.row(values, r), G);
    __syncthreads();  // the maxima are known
    for (int i = int(threadIdx.x); i < count * G; i += int(blockDim.x)) {
      T const slope = dy[first + i / G];
      dx[first * G + i] = best[i / G] == i % G ? slope : gpu::from_float<T>(0.0f);
    }
  }
}

template <class T> __global__ void pool_mean_dx(int64_t count, int G, T const* dy, T* dx) {
  for (int64_t i = gpu::this_thread(); i < count; i += gpu::all_threads())
    dx[i] = gpu::from_float<T>(double(gpu::to_float(dy[i / G])) / G);
}

template <class T, Over over> int pool(GroupPool<T> const& a) {
  if (a.rows <= 0) return ok;
  RowTile<Wide<T>> const tile(a.G);
  return gpu::launch(pool_rows<T, over>, tile.grid(a.rows), dim3(tile.threads), tile.bytes(), gpu::current_stream(),
                     tile, a.rows, a.G, a.x, a.y);
}

}  // namespace pooling

/// Floor: x read once, y written once. A row of G values has to fit a block: up to 700 in double.
template <class T> int group_max_pool(GroupPool<T> const& a) { return pooling::pool<T, pooling::Over::maximum>(a); }
template <class T> int group_mean_pool(GroupPool<T> const& a) { return pooling::pool<T, pooling::Over::mean>(a); }

/// Floor: x and dy read once, dx written once.
template <class T> int group_max_pool_dx(GroupPool<T> const& a) {
  if (a.rows <= 0) return ok;
  RowTile<Wide<T>> const tile(a.G);
  size_t const bytes = tile.bytes() + gpu::Smem::bytes<int>(size_t(tile.rows));
  return gpu::launch(pooling::pool_max_dx<T>, tile.grid(a.rows), dim3(tile.threads), bytes, gpu::current_stream(), tile,
                     a.rows, a.G, a.x, a.dy, a.dx);
}
template <class T> int group_mean_pool_dx(GroupPool<T> const& a) {
  if (a.rows <= 0) return ok;
  return gpu::launch(pooling::pool_mean_dx<T>, gpu::blocks_for(a.rows * a.G, 256), dim3(256), 0, gpu::current_stream(),
                     a.rows * a.G, a.G, a.dy, a.dx);
}

}  // namespace D16_GPU
}  // namespace d16::kernels
