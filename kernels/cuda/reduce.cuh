// Sums and maxima over one axis on a GPU: a block for each result and part of the axis, then one for its parts.
#pragma once
#include "../reduce.hpp"
#include "row_tile.cuh"

namespace d16::kernels {
namespace D16_GPU {

constexpr int reduce_threads = 256, reduce_warps = reduce_threads / 32;
constexpr int64_t max_grid = 0x7fffffff;

/// How many blocks share the axis of one result: a number of the shape, so that sums have one order.
template <class T> int64_t reduce_parts(Reduce<T> const& a) {
  constexpr int64_t results_that_fill_a_gpu = 1024, least_per_part = 4096;
  int64_t const results = a.outer * a.inner;
  if (results == 0 || results >= results_that_fill_a_gpu) return 1;
  int64_t const parts = a.reduced / least_per_part, most = results_that_fill_a_gpu / results;
  return parts < 1 ? 1 : parts < most ? parts : most;
}
template <class T> size_t sum_work_bytes(Reduce<T> const& a) {
  int64_t const parts = reduce_parts(a);
  return parts > 1 ? size_t(parts * a.outer * a.inner) * sizeof(double) : 0;
}

/// The sum of one value from each thread of the block, in thread 0.
__device__ inline double block_sum(double value, double* of_warp) {
  for (int distance = 16; distance; distance /= 2) value += __shfl_down_sync(~0u, value, unsigned(distance));
  if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = value;
  __syncthreads();
  double sum = 0;
  if (threadIdx.x == 0)
    for (int warp = 0; warp < reduce_warps; ++warp) sum += of_warp[warp];
  return sum;
}

/// Block (result, part): y[result, part] = scale * sum of x[outer, r, inner] over the part's r.
template <class T, class S> __global__ void __launch_bounds__(reduce_threads)
    sum_kernel(int64_t reduced, int64_t inner, double scale, T const* __restrict__ x, S* __restrict__ y) {
  gpu::Smem smem;
  double* const of_warp = smem.take<double>(reduce_warps);
  int64_t const result = blockIdx.x, part = blockIdx.y, parts = gridDim.y;
  int64_t const begin = reduced * part / parts, end = reduced * (part + 1) / parts;
  T const* const column = x + result / inner * reduced * inner + result % inner;
  double sum = 0;
  for (int64_t r = begin + threadIdx.x; r < end; r += reduce_threads) sum += double(gpu::to_float(column[r * inner]));
  sum = block_sum(sum, of_warp);
  if (threadIdx.x == 0) y[result * parts + part] = gpu::from_float<S>(scale * sum);
}

/// The same for many results side by side: a thread for each, so that neighbours read neighbours.
template <class T> __global__ void __launch_bounds__(reduce_threads)
    sum_columns_kernel(int64_t results, int64_t reduced, int64_t inner, double scale, T const* __restrict__ x,
                       T* __restrict__ y) {
  for (int64_t i = gpu::this_thread(); i < results; i += gpu::all_threads()) {
    T const* const column = x + i / inner * reduced * inner + i % inner;
    double sum = 0;
    for (int64_t r = 0; r < reduced; ++r) sum += double(gpu::to_float(column[r * inner]));
    y[i] = gpu::from_float<T>(scale * sum);
  }
}

/// The same for short rows, a tile of them at a time.
template <class T> __global__ void __launch_bounds__(RowTile<Wide<T>>::threads)
    sum_short_rows_kernel(RowTile<Wide<T>> const tile, int64_t rows, double scale, T const* x, T* y) {
  gpu::Smem smem;
  auto* const values = smem.take<Wide<T>>(tile.values());
  for (int64_t first = tile.first(); first < rows; first += tile.step()) {
    int const count = tile.count(first, rows);
    tile.load(values, x + first * tile.length, count);
    for (int r = int(threadIdx.x); r < count; r += int(blockDim.x)) {
      auto const row = tile.row(values, r);
      double sum = 0;
      for (int i = 0; i < tile.length; ++i) sum += double(row[i]);
      y[first + r] = gpu::from_float<T>(scale * sum);
    }
    __syncthreads();  // the sums have been added up
  }
}

template <class T> int sum(Reduce<T> const& a) {
  int64_t const results = a.outer * a.inner, parts = reduce_parts(a);
  if (results == 0) return ok;
  dim3 const block(reduce_threads);
  if (a.inner == 1 && a.reduced > 1 && a.reduced <= 32) {
    RowTile<Wide<T>> const tile(int(a.reduced));
    return gpu::launch(sum_short_rows_kernel<T>, tile.grid(results), dim3(tile.threads), tile.bytes(),
                       gpu::current_stream(), tile, results, a.scale, a.x, a.y);
  }
  if (parts == 1 && (a.inner >= 32 || a.reduced <= 32 || results > max_grid))
    return gpu::launch(sum_columns_kernel<T>, gpu::blocks_for(results, reduce_threads), block, 0, gpu::current_stream(),
                       results, a.reduced, a.inner, a.scale, a.x, a.y);
  size_t const shared = gpu::Smem::bytes<double>(reduce_warps);
  if (parts == 1)
    return gpu::launch(sum_kernel<T, T>, dim3(unsigned(results)), block, shared, gpu::current_stream(), a.reduced,
                       a.inner, a.scale, a.x, a.y);
  double* const partial = static_cast<double*>(a.work);
  gpu::launch(sum_kernel<T, double>, dim3(unsigned(results), unsigned(parts)), block, shared, gpu::current_stream(),
              a.reduced, a.inner, 1.0, a.x, partial);
  return gpu::launch(sum_kernel<double, T>, dim3(unsigned(results)), block, shared, gpu::current_stream(), parts,
                     int64_t(1), a.scale, static_cast<double const*>(partial), a.y);
}

/// The largest value so far and where it is: a NaN before all numbers, equal ones by their place.
template <class T> struct Largest {
  T value;
  int64_t at;

  __device__ void meet(T other, int64_t place) {
    bool const mine_is_nan = value != value, is_nan = other != other, earlier = place < at;
    bool const wins = mine_is_nan ? is_nan && earlier : is_nan || other > value || (other == value && earlier);
    if (wins) value = other, at = place;
  }
  /// Of all lanes, in all of them.
  __device__ void meet_warp() {
    for (int distance = 16; distance; distance /= 2) {
      T const other = __shfl_xor_sync(~0u, value, distance);
      meet(other, __shfl_xor_sync(~0u, at, distance));
    }
  }
};

/// y and at of many results side by side: a thread for each.
template <class T> __global__ void __launch_bounds__(reduce_threads) max_columns_kernel(Reduce<T> a) {
  for (int64_t i = gpu::this_thread(); i < a.outer * a.inner; i += gpu::all_threads()) {
    T const* const column = a.x + i / a.inner * a.reduced * a.inner + i % a.inner;
    Largest<T> best{column[0], 0};
    for (int64_t r = 1; r < a.reduced; ++r) best.meet(column[r * a.inner], r);
    a.y[i] = best.value, a.at[i] = best.at;
  }
}

/// The same for short rows, a tile of them at a time.
template <class T> __global__ void __launch_bounds__(RowTile<T>::threads)
    max_short_rows_kernel(RowTile<T> const tile, Reduce<T> a) {
  gpu::Smem smem;
  T* const values = smem.take<T>(tile.values());
  for (int64_t first = tile.first(); first < a.outer; first += tile.step()) {
    int const count = tile.count(first, a.outer);
    tile.load(values, a.x + first * a.reduced, count);
    for (int r = int(threadIdx.x); r < count; r += int(blockDim.x)) {
      auto const row = tile.row(values, r);
      Largest<T> best{row[0], 0};
      for (int64_t i = 1; i < a.reduced; ++i) best.meet(row[i], i);
      a.y[first + r] = best.value, a.at[first + r] = best.at;
    }
    __syncthreads();  // the tile is free
  }
}

/// Element r of a result is at place r, or place[r] where that is given. Threads without an element take the first.
template <class T> __device__ Largest<T> largest_of_thread(T const* column, int64_t const* place, int64_t inner,
                                                           int64_t begin, int64_t end, int thread, int threads) {
  Largest<T> best{column[begin * inner], place ? place[begin] : begin};
  for (int64_t r = begin + thread; r < end; r += threads) best.meet(column[r * inner], place ? place[r] : r);
  return best;
}
/// A warp for each result.
template <class T> __global__ void __launch_bounds__(reduce_threads) max_rows_kernel(Reduce<T> a) {
  int64_t const i = gpu::this_thread() / 32;
  if (i >= a.outer * a.inner) return;
  Largest<T> best = largest_of_thread<T>(a.x + i / a.inner * a.reduced * a.inner + i % a.inner, nullptr, a.inner, 0,
                                         a.reduced, int(threadIdx.x) % 32, 32);
  best.meet_warp();
  if (threadIdx.x % 32 == 0) a.y[i] = best.value, a.at[i] = best.at;
}
/// Block (result, part): the largest of the part's elements.
template <class T> __global__ void __launch_bounds__(reduce_threads)
    max_kernel(int64_t reduced, int64_t inner, T const* x, int64_t const* place, T* y, int64_t* at) {
  gpu::Smem smem;
  Largest<T>* const of_warp = smem.take<Largest<T>>(reduce_warps);
  int64_t const result = blockIdx.x, part = blockIdx.y, parts = gridDim.y, first = result / inner * reduced * inner;
  Largest<T> best =
      largest_of_thread(x + first + result % inner, place ? place + first : nullptr, inner, reduced * part / parts,
                        reduced * (part + 1) / parts, int(threadIdx.x), reduce_threads);
  best.meet_warp();
  if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = best;
  __syncthreads();
  if (threadIdx.x > 0) return;
  for (int warp = 1; warp < reduce_warps; ++warp) best.meet(of_warp[warp].value, of_warp[warp].at);
  y[result * parts + part] = best.value, at[result * parts + part] = best.at;
}
template <class T> __global__ void __launch_bounds__(reduce_threads) max_dx_kernel(Reduce<T> a) {
  for (int64_t i = gpu::this_thread(); i < a.outer * a.reduced * a.inner; i += gpu::all_threads()) {
    int64_t const result = i / (a.reduced * a.inner) * a.inner + i % a.inner, r = i / a.inner % a.reduced;
    a.dx[i] = a.at[result] == r ? a.dy[result] : T(0);
  }
}

/// Partial places, then values.
template <class T> size_t max_work_bytes(Reduce<T> const& a) {
  int64_t const parts = reduce_parts(a);
  return parts > 1 ? size_t(parts * a.outer * a.inner) * (sizeof(int64_t) + sizeof(T)) : 0;
}
template <class T> int max(Reduce<T> const& a) {
  int64_t const results = a.outer * a.inner, parts = reduce_parts(a);
  if (results == 0) return ok;
  constexpr int64_t reduced_by_a_warp = 1024;
  dim3 const block(reduce_threads);
  if (a.inner == 1 && a.reduced <= 32) {
    RowTile<T> const tile(int(a.reduced));
    return gpu::launch(max_short_rows_kernel<T>, tile.grid(a.outer), dim3(tile.threads), tile.bytes(),
                       gpu::current_stream(), tile, a);
  }
  if (parts == 1 && (a.inner >= 32 || a.reduced <= 32 || results > max_grid))
    return gpu::launch(max_columns_kernel<T>, gpu::blocks_for(results, reduce_threads), block, 0, gpu::current_stream(),
                       a);
  if (parts == 1 && a.reduced <= reduced_by_a_warp)
    return gpu::launch(max_rows_kernel<T>, gpu::blocks_for(results * 32, reduce_threads, max_grid), block, 0,
                       gpu::current_stream(), a);
  size_t const shared = gpu::Smem::bytes<Largest<T>>(reduce_warps);
  if (parts == 1)
    return gpu::launch(max_kernel<T>, dim3(unsigned(results)), block, shared, gpu::current_stream(), a.reduced, a.inner,
                       a.x, nullptr, a.y, a.at);
  auto* const places = static_cast<int64_t*>(a.work);
  T* const values = reinterpret_cast<T*>(places + parts * results);
  gpu::launch(max_kernel<T>, dim3(unsigned(results), unsigned(parts)), block, shared, gpu::current_stream(), a.reduced,
              a.inner, a.x, nullptr, values, places);
  return gpu::launch(max_kernel<T>, dim3(unsigned(results)), block, shared, gpu::current_stream(), parts, int64_t(1),
                     values, places, a.y, a.at);
}
template <class T> int max_dx(Reduce<T> const& a) {
  int64_t const numel = a.outer * a.reduced * a.inner;
  if (numel == 0) return ok;
  return gpu::launch(max_dx_kernel<T>, gpu::blocks_for(numel, reduce_threads), dim3(reduce_threads), 0,
                     gpu::current_stream(), a);
}

}  // namespace D16_GPU
}  // namespace d16::kernels
