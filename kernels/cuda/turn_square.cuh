// Squares of 32 x 32 numbers turned in shared memory, so that memory sees whole lines on both sides.
#pragma once
#include "gpu.hpp"

namespace d16::kernels {
namespace D16_GPU {

/// A block of square x square_rows threads turns a square that takes square_values numbers of shared memory.
constexpr int square = 32, square_rows = 8, square_values = square * (square + 1);

/// write(column, row, read(row, column)) for `rows` x `columns` numbers, as far as the square goes: lanes read
/// neighbouring columns and write neighbouring rows.
template <class V, class Read, class Write>
__device__ __forceinline__ void turn_square(V* values, int64_t rows, int64_t columns, Read const& read,
                                            Write const& write) {
  int const x = int(threadIdx.x);
  for (int i = int(threadIdx.y); i < square; i += square_rows)
    if (i < rows && x < columns) values[i * (square + 1) + x] = read(i, x);
  __syncthreads();  // the square is complete
  for (int i = int(threadIdx.y); i < square; i += square_rows)
    if (i < columns && x < rows) write(i, x, values[x * (square + 1) + i]);
}

}  // namespace D16_GPU
}  // namespace d16::kernels
