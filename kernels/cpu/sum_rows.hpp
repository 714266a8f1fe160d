// The sum of the rows of a matrix: the gradient of a bias.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include <d16/core/parallel.hpp>

#include "isa.hpp"

namespace d16::kernels::cpu::detail {

/// Chunks of rows have their sums in double, so that neither their number nor their order matters to a float.
constexpr int64_t rows_of_chunk(int64_t rows) { return std::max<int64_t>(256, (rows + 63) / 64); }
constexpr int64_t row_chunks(int64_t rows) { return (rows + rows_of_chunk(rows) - 1) / rows_of_chunk(rows); }

/// sums[c] = sum over r of x[r,c]. work holds row_chunks(rows) * C doubles.
template <class T> void sum_rows(T const* x, int64_t rows, int C, T* sums, void* work) {
  double* const partial = static_cast<double*>(work);
  int64_t const grain = rows_of_chunk(rows);
  parallel_chunks(rows, grain, [&](int64_t begin, int64_t end) {
    double* const sum = partial + begin / grain * C;
    std::fill(sum, sum + C, 0.0);
    for (int64_t r = begin; r < end; ++r)
      simd_for(
          0, C, [ row = x + r * C, sum ](int64_t c) __attribute__((always_inline)) { sum[c] += double(row[c]); });
  });
  for (int c = 0; c < C; ++c) {
    double sum = 0;
    for (int64_t i = 0; i < row_chunks(rows); ++i) sum += partial[i * C + c];
    sums[c] = T(sum);
  }
}
constexpr size_t sum_rows_work(int64_t rows, int C) { return size_t(row_chunks(rows) * C) * sizeof(double); }

}  // namespace d16::kernels::cpu::detail
