// softmax and log_softmax along one axis on a GPU: a thread for each distribution, since class scores are few numbers.
#pragma once
#include <cmath>

#include "../softmax.hpp"
#include "row_tile.cuh"

namespace d16::kernels {
namespace D16_GPU {

constexpr int softmax_threads = 128;

/// Where distribution i begins; its classes are a.inner apart.
template <class T> __device__ int64_t softmax_offset(Softmax<T> const& a, int64_t i) {
  return i / a.inner * a.classes * a.inner + i % a.inner;
}
/// A distribution in memory.
template <class T> struct Distribution {
  T* at;
  int64_t step;
  __device__ T& operator[](int64_t k) const { return at[k * step]; }
};

/// x and y, and dy and dx, may be the same.
template <class X, class Y> __device__ void softmax_of(X const& x, Y const& y, int64_t classes, bool log) {
  using T = std::decay_t<decltype(y[0])>;
  T largest = x[0], sum = 0;
  for (int64_t k = 1; k < classes; ++k)
    if (T const value = x[k]; value > largest || value != value) largest = value;
  for (int64_t k = 0; k < classes; ++k) sum += std::exp(x[k] - largest);
  for (int64_t k = 0; k < classes; ++k) {
    T const shifted = x[k] - largest;
    y[k] = log ? shifted - std::log(sum) : std::exp(shifted) / sum;
  }
}
template <class Y, class X>
__device__ void softmax_dx_of(Y const& y, Y const& dy, X const& dx, int64_t classes, bool log) {
  using T = std::decay_t<decltype(dx[0])>;
  T sum = 0;
  for (int64_t k = 0; k < classes; ++k) sum += log ? dy[k] : dy[k] * y[k];
  for (int64_t k = 0; k < classes; ++k) {
    T const value = y[k], slope = dy[k];
    dx[k] = log ? slope - std::exp(value) * sum : value * (slope - sum);
  }
}

template <class T> __global__ void __launch_bounds__(softmax_threads) softmax_kernel(Softmax<T> a) {
  for (int64_t i = gpu::this_thread(); i < a.outer * a.inner; i += gpu::all_threads()) {
    int64_t const at = softmax_offset(a, i);
    softmax_of(Distribution<T const>{a.x + at, a.inner}, Distribution<T>{a.y + at, a.inner}, a.classes, a.log);
  }
}
template <class T> __global__ void __launch_bounds__(softmax_threads) softmax_dx_kernel(Softmax<T> a) {
  for (int64_t i = gpu::this_thread(); i < a.outer * a.inner; i += gpu::all_threads()) {
    int64_t const at = softmax_offset(a, i);
    softmax_dx_of(Distribution<T const>{a.y + at, a.inner}, Distribution<T const>{a.dy + at, a.inner},
                  Distribution<T>{a.dx + at, a.inner}, a.classes, a.log);
  }
}

/// The same for distributions whose classes are neighbours, a tile of them at a time.
template <class T> __global__ void __launch_bounds__(RowTile<T>::threads)
    softmax_rows(RowTile<T> const tile, Softmax<T> a) {
  gpu::Smem smem;
  T* const values = smem.take<T>(tile.values());
  for (int64_t first = tile.first(); first < a.outer; first += tile.step()) {
    int const count = tile.count(first, a.outer);
    tile.load(values, a.x + first * a.classes, count);
    for (int r = int(threadIdx.x); r < count; r += int(blockDim.x))
      softmax_of(tile.row(values, r), tile.row(values, r), a.classes, a.log);
    tile.store(values, a.y + first * a.classes, count);
  }
}
template <class T> __global__ void __launch_bounds__(RowTile<T>::threads)
    softmax_dx_rows(RowTile<T> const tile, Softmax<T> a) {
  gpu::Smem smem;
  T *const y = smem.take<T>(tile.values()), *const dy = smem.take<T>(tile.values());
  for (int64_t first = tile.first(); first < a.outer; first += tile.step()) {
    int const count = tile.count(first, a.outer);
    tile.load(y, a.y + first * a.classes, count);
    tile.load(dy, a.dy + first * a.classes, count);
    for (int r = int(threadIdx.x); r < count; r += int(blockDim.x))
      softmax_dx_of(tile.row(y, r), tile.row(dy, r), tile.row(dy, r), a.classes, a.log);
    tile.store(dy, a.dx + first * a.classes, count);
  }
}

/// `rows` for distributions that lie side by side in tiles, else `kernel`; arrays: how many tiles a block has.
template <class T> int launch_softmax(Softmax<T> const& a, void (*kernel)(Softmax<T>),
                                      void (*rows)(RowTile<T>, Softmax<T>), size_t arrays) {
  if (a.outer * a.inner * a.classes == 0) return ok;
  if (a.inner == 1 && RowTile<T>::takes(a.classes)) {
    RowTile<T> const tile(int(a.classes));
    return gpu::launch(rows, tile.grid(a.outer), dim3(tile.threads), arrays * tile.bytes(), gpu::current_stream(), tile,
                       a);
  }
  return gpu::launch(kernel, gpu::blocks_for(a.outer * a.inner, softmax_threads), dim3(softmax_threads), 0,
                     gpu::current_stream(), a);
}
template <class T> int softmax(Softmax<T> const& a) { return launch_softmax(a, softmax_kernel<T>, softmax_rows<T>, 1); }
template <class T> int softmax_dx(Softmax<T> const& a) {
  return launch_softmax(a, softmax_dx_kernel<T>, softmax_dx_rows<T>, 2);
}

}  // namespace D16_GPU
}  // namespace d16::kernels
