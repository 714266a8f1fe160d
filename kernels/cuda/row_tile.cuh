// Short rows of numbers, a thread for each: they pass through shared memory, so that memory sees whole lines.
#pragma once
#include "../precision.hpp"
#include "gpu.hpp"

namespace d16::kernels {
namespace D16_GPU {

/// How a block keeps some rows of `length` values of W. Threads fill them with neighbouring values and read them row by
/// row, without bank conflicts both ways: a row of a power of two has its values exchanged, others have an odd pitch.
template <class W> struct RowTile {
  static constexpr int threads = 256, most_values = 4096;
  int rows, length, pitch, turn = 0, spread = 1;

  /// As many rows as there are threads where they are short, fewer where they are long.
  explicit RowTile(int length) : rows(threads), length(length), pitch(length | 1) {
    constexpr int at_once = 128 / int(sizeof(W));  // lanes that shared memory serves together
    if ((length & (length - 1)) == 0) {
      pitch = length, turn = (length < at_once ? length : at_once) - 1;
      if (length < at_once) spread = at_once / length;
    }
    while (rows > 32 && rows * pitch > most_values) rows /= 2;
  }
  /// Whether 32 rows leave room for several blocks; others are better read where they lie.
  static bool takes(int64_t length) { return length <= most_values / 32; }

  __host__ __device__ size_t values() const { return size_t(rows) * size_t(pitch); }
  size_t bytes() const { return gpu::Smem::bytes<W>(values()); }
  dim3 grid(int64_t all_rows) const { return gpu::blocks_for(all_rows, rows); }

  /// The rows of a block: from first() on in steps of step(), count(first, all) at a time.
  __device__ int64_t first() const { return int64_t(blockIdx.x) * rows; }
  __device__ int64_t step() const { return int64_t(gridDim.x) * rows; }
  __device__ int count(int64_t first, int64_t all) const { return int(min(all - first, int64_t(rows))); }

  /// A row as its thread sees it.
  struct Row {
    W* at;
    int turned;
    __device__ W& operator[](int64_t i) const { return at[int(i) ^ turned]; }
  };
  __device__ Row row(W* values, int r) const { return {values + r * pitch, r / spread & turn}; }

  /// From memory, behind which the block has met, and to memory: a thread then fills the places again that it has read.
  template <class T> __device__ void load(W* values, T const* from, int count) const {
    for (int i = int(threadIdx.x); i < count * length; i += int(blockDim.x))
      row(values, i / length)[i % length] = gpu::to_float(from[i]);
    __syncthreads();  // the rows are there
  }
  template <class T> __device__ void store(W* values, T* to, int count) const {
    __syncthreads();  // all rows have been written
    for (int i = int(threadIdx.x); i < count * length; i += int(blockDim.x))
      to[i] = gpu::from_float<T>(row(values, i / length)[i % length]);
  }
};

}  // namespace D16_GPU
}  // namespace d16::kernels
