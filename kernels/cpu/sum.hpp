// Sums in double: many lanes side by side, added up pairwise. What reductions and losses share.
#pragma once
#include <algorithm>
#include <cstdint>

#include "pointwise.hpp"

namespace d16::kernels::cpu::detail {

constexpr int64_t reduce_lanes = 256;

/// lanes[i] += x[r * row + i] for all r < rows and i < n <= reduce_lanes.
template <class T> void add_rows(T const* x, int64_t row, int64_t rows, int64_t n, double* lanes) {
  each<T>(
      0, rows, [=](int64_t r) __attribute__((always_inline)) {
        T const* from = x + r * row;
        for (int64_t i = 0; i < n; ++i) lanes[i] += double(from[i]);
      });
}

/// The sum of a row too short for lanes.
template <class T> double sum_short(T const* x, int64_t n) {
  double a = 0, b = 0, c = 0, d = 0;
  int64_t i = 0;
  for (; i + 4 <= n; i += 4) a += double(x[i]), b += double(x[i + 1]), c += double(x[i + 2]), d += double(x[i + 3]);
  for (; i < n; ++i) a += double(x[i]);
  return (a + b) + (c + d);
}

/// total[i] = sum over r < rows of x[r * stride + i], i < columns. Where rows are short and without gaps, several are
/// taken as one.
template <class T> void sum_piece(T const* x, int64_t rows, int64_t stride, int64_t columns, double* total) {
  bool const narrow = stride == columns && columns < reduce_lanes;
  int64_t const fold = narrow ? std::clamp<int64_t>(reduce_lanes / columns, 1, std::max<int64_t>(rows, 1)) : 1;
  int64_t const wide = fold * columns;
  for (int64_t begin = 0; begin < wide; begin += reduce_lanes) {  // more than once only where fold is 1
    int64_t const n = std::min(reduce_lanes, wide - begin);
    double lanes[reduce_lanes];
    std::fill(lanes, lanes + n, 0.0);
    add_rows(x + begin, fold * stride, rows / fold, n, lanes);
    if (fold > 1) add_rows(x + rows / fold * wide, wide, 1, rows % fold * columns, lanes);
    for (int64_t left = fold; left > 1; left -= left / 2)  // pairwise
      for (int64_t i = 0; i < left / 2 * columns; ++i) lanes[i] += lanes[(left - left / 2) * columns + i];
    std::copy(lanes, lanes + std::min(n, columns), total + begin);
  }
}

}  // namespace d16::kernels::cpu::detail
