// The sum of the rows of a matrix on a GPU: the gradient of a bias.
#pragma once
#include "product.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace dense {

/// Chunks of rows have their sums in double, and these are added in order: the same bits in every run.
constexpr int rows_of_chunk = 512;
inline int row_chunks(int64_t rows) { return ceil_div(rows, rows_of_chunk); }

/// partial[chunk,c] = sum of x[r,c] over the rows of a chunk. Blocks of 32 columns x 8 rows; grid: (chunks, columns).
template <class T> __global__ void sum_chunk(T const* x, int64_t rows, int C, double* partial) {
  gpu::Smem smem;
  double* const sums = smem.take<double>(256);
  int const c = int(blockIdx.y * 32 + threadIdx.x), y = int(threadIdx.y);
  int64_t const begin = int64_t(blockIdx.x) * rows_of_chunk, end = min(rows, begin + rows_of_chunk);
  double sum = 0;
  if (c < C)
    for (int64_t r = begin + y; r < end; r += 8) sum += double(gpu::to_float(x[r * C + c]));
  sums[y * 32 + int(threadIdx.x)] = sum;
  __syncthreads();
  if (y > 0 || c >= C) return;
  for (int i = 1; i < 8; ++i) sum += sums[i * 32 + int(threadIdx.x)];
  partial[int64_t(blockIdx.x) * C + c] = sum;
}
template <class S> __global__ void sum_chunks(double const* partial, int chunks, int C, S* sums) {
  int const c = int(gpu::this_thread());
  if (c >= C) return;
  double sum = 0;
  for (int i = 0; i < chunks; ++i) sum += partial[int64_t(i) * C + c];
  sums[c] = S(sum);
}

/// sums[c] = sum over r of x[r,c]. work: sum_rows_work(rows, C) bytes. Floor: one read of x.
template <class T> int sum_rows(T const* x, int64_t rows, int C, Wide<T>* sums, void* work) {
  if (C <= 0) return ok;
  int const chunks = row_chunks(rows);
  if (ceil_div(C, 32) > 65535) return unsupported;
  double* const partial = static_cast<double*>(work);
  if (chunks > 0)
    gpu::launch(sum_chunk<T>, dim3(unsigned(chunks), unsigned(ceil_div(C, 32))), dim3(32, 8),
                gpu::Smem::bytes<double>(256), gpu::current_stream(), x, rows, C, partial);
  return gpu::launch(sum_chunks<Wide<T>>, gpu::blocks_for(C, 128), dim3(128), 0, gpu::current_stream(), partial, chunks,
                     C, sums);
}
inline size_t sum_rows_work(int64_t rows, int C) { return size_t(row_chunks(rows)) * size_t(C) * sizeof(double); }

}  // namespace dense
}  // namespace D16_GPU
}  // namespace d16::kernels
