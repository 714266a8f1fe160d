// Strided copy: whole rows where both sides are contiguous, tiles where the copy transposes.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>

#include <d16/core/parallel.hpp>

#include "../copy.hpp"
#include "pointwise.hpp"

namespace d16::kernels::cpu {

namespace detail {

template <class T> void copy_row(T* y, int64_t y_step, T const* x, int64_t x_step, int64_t n) {
  if (y_step == 1 && x_step == 1) std::memcpy(y, x, size_t(n) * sizeof(T));
  else if (y_step == 1 && x_step == 0) std::fill(y, y + n, *x);
  else
    for (int64_t i = 0; i < n; ++i) y[i * y_step] = x[i * x_step];
}

/// y[j * y_step + i] = x[j + i * x_step] for j < rows, i < n, by tiles through a small buffer: every cache line of x is
/// read once and whole, every line of y written once and whole, even where strides of a power of two make them collide.
template <class T> void transpose(T* y, int64_t y_step, T const* x, int64_t x_step, int64_t rows, int64_t n) {
  constexpr int64_t tile = 16;
  if (n < tile) {  // few lines of x: they stay in cache by themselves
    for (int64_t j = 0; j < rows; ++j)
      for (int64_t i = 0; i < n; ++i) y[j * y_step + i] = x[j + i * x_step];
    return;
  }
  T buffer[tile * tile];
  for (int64_t j0 = 0; j0 < rows; j0 += tile)
    for (int64_t i0 = 0; i0 < n; i0 += tile) {
      int64_t const height = std::min(tile, rows - j0), width = std::min(tile, n - i0);
      for (int64_t i = 0; i < width; ++i) {
        T const* from = x + j0 + (i0 + i) * x_step;
        if (height == tile)
          for (int64_t j = 0; j < tile; ++j) buffer[j * tile + i] = from[j];
        else
          for (int64_t j = 0; j < height; ++j) buffer[j * tile + i] = from[j];
      }
      for (int64_t j = 0; j < height; ++j)
        std::memcpy(y + (j0 + j) * y_step + i0, buffer + j * tile, size_t(width) * sizeof(T));
    }
}

/// The axis other than the last along which x is contiguous, or -1.
inline int transposed_axis(Nest<2> const& nest) {
  if (nest.rank < 2 || nest.inner_stride(0) != 1 || nest.inner_stride(1) <= 1) return -1;
  for (int i = nest.rank - 2; i >= 0; --i)
    if (nest.stride[1][i] == 1) return i;
  return -1;
}

template <class T> int copy(Copy const& a) {
  T* y = static_cast<T*>(a.y);
  T const* x = static_cast<T const*>(a.x);
  Nest<2> const& nest = a.nest;
  int64_t const inner = nest.inner(), y_step = nest.inner_stride(0), x_step = nest.inner_stride(1);
  int const swapped = transposed_axis(nest);
  if (swapped >= 0) {
    Nest<2> outer = nest;  // the axes around the two that swap
    int64_t const rows = nest.size[swapped], y_row = nest.stride[0][swapped];
    outer.size[swapped] = 1;
    constexpr int64_t high = 64, wide = 4096;  // what one task takes
    int64_t const down = (rows + high - 1) / high, across = (inner + wide - 1) / wide;
    parallel_tasks(outer.rows() * down * across, [&](int64_t task) {
      int64_t const row = task / (down * across), j = task / across % down * high, i = task % across * wide;
      transpose(y + outer.row_offset(0, row) + j * y_row + i, y_row, x + outer.row_offset(1, row) + j + i * x_step,
                x_step, std::min(high, rows - j), std::min(wide, inner - i));
    });
    return ok;
  }
  if (nest.rank <= 1) {  // one long row
    parallel_chunks(inner, pointwise_grain, [&](int64_t begin, int64_t end) {
      copy_row(y + begin * y_step, y_step, x + begin * x_step, x_step, end - begin);
    });
    return ok;
  }
  parallel_chunks(nest.rows(), grain_of(inner), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row)
      copy_row(y + nest.row_offset(0, row), y_step, x + nest.row_offset(1, row), x_step, inner);
  });
  return ok;
}

}  // namespace detail

inline int copy(Copy const& a) {
  switch (a.element_bytes) {
    case 1: return detail::copy<uint8_t>(a);
    case 2: return detail::copy<uint16_t>(a);
    case 4: return detail::copy<uint32_t>(a);
    case 8: return detail::copy<uint64_t>(a);
  }
  return unsupported;
}

}  // namespace d16::kernels::cpu
