// Pooling over windows: channels in SIMD, rows of the output (forward) or bands of rows of the input (backward) on
// different threads. A band looks at every window that touches it and writes only its own rows, so no two threads meet.
// The loop over a row's outputs is inside the SIMD function, as images of few channels would pay for a call each.
#pragma once
#include <algorithm>
#include <cmath>

#include "../pool2d.hpp"
#include "math.hpp"
#include "pointwise.hpp"

namespace d16::kernels::cpu {

namespace detail {

/// Rows that one task takes, so that it is worth a thread.
template <class T> int64_t pool_rows(Pool2d<T> const& a, int64_t row_elements) {
  return grain_of(row_elements * a.kernel_h * a.kernel_w);
}

/// visit(n, window rows, first output of the row) for all rows of the output.
template <class T, class F> void each_output_row(Pool2d<T> const& a, F const& visit) {
  int64_t const P = a.out_h(), Q = a.out_w();
  parallel_chunks(a.N * P, pool_rows(a, Q * a.C), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row)
      visit(row / P, Window(row % P, a.stride_h, a.padding_h, a.kernel_h, a.H), a.y + row * Q * a.C);
  });
}

/// visit(n, first row, last row + 1 of the band, window rows, dy of that row) for all rows of windows that touch a
/// band, after setting the band to 0.
template <class T, class F> void each_band(Pool2d<T> const& a, F const& visit) {
  int64_t const P = a.out_h(), Q = a.out_w();
  int64_t const height =
      std::max<int64_t>(std::min(a.H, pool_rows(a, a.W * a.C)), std::min<int64_t>(a.H, 2 * a.kernel_h));
  int64_t const bands = (a.H + height - 1) / height;
  parallel_tasks(a.N * bands, [&](int64_t task) {
    int64_t const n = task / bands, first = task % bands * height, last = std::min(a.H, first + height);
    std::fill(a.dx + (n * a.H + first) * a.W * a.C, a.dx + (n * a.H + last) * a.W * a.C, T(0));
    int64_t const p_first = std::max<int64_t>(0, (first + a.padding_h - a.kernel_h) / a.stride_h);
    int64_t const p_last = std::min(P, (last - 1 + a.padding_h) / a.stride_h + 1);
    for (int64_t p = p_first; p < p_last; ++p)
      visit(n, first, last, Window(p, a.stride_h, a.padding_h, a.kernel_h, a.H), a.dy + (n * P + p) * Q * a.C);
  });
}

/// For n channels of a window at x: the first largest element and its place i * kernel + j.
template <class T> D16_INLINE void window_max(T const* x, int64_t W, int64_t C, int64_t rows, int64_t columns,
                                              int kernel, int64_t n, T* best, int32_t* at) {
  for (int64_t c = 0; c < n; ++c) best[c] = T(-INFINITY), at[c] = 0;
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) {
      T const* from = x + (i * W + j) * C;
      int32_t const place = int32_t(i * kernel + j);
      for (int64_t c = 0; c < n; ++c) {
        bool const wins = (from[c] > best[c]) | (from[c] != from[c]);
        best[c] = wins ? from[c] : best[c];
        at[c] = wins ? place : at[c];
      }
    }
}

/// Adds dy[c] to the element of a window at dx that window_max found, in its rows top .. bottom-1.
template <class T> D16_INLINE void give_to_max(T* dx, int64_t W, int64_t C, int64_t top, int64_t bottom,
                                               int64_t columns, int kernel, int64_t n, T const* dy, int32_t const* at) {
  for (int64_t i = top; i < bottom; ++i)
    for (int64_t j = 0; j < columns; ++j) {
      T* to = dx + (i * W + j) * C;
      int32_t const place = int32_t(i * kernel + j);
      for (int64_t c = 0; c < n; ++c) to[c] += at[c] == place ? dy[c] : T(0);
    }
}

/// What a loop over the outputs of a row needs to know: by value, so that it stays in registers.
template <class T> struct PoolRow {
  int64_t W, C;
  int stride, padding, kernel;
  bool count_padding;
  T whole;  ///< 1 / elements of a whole window

  explicit PoolRow(Pool2d<T> const& a)
      : W(a.W),
        C(a.C),
        stride(a.stride_w),
        padding(a.padding_w),
        kernel(a.kernel_w),
        count_padding(a.count_include_pad),
        whole(T(1 / (double(a.kernel_h) * a.kernel_w))) {}
  D16_INLINE Window columns(int64_t q) const { return Window(q, stride, padding, kernel, W); }
  D16_INLINE T factor(int64_t rows, int64_t columns) const { return count_padding ? whole : T(1) / T(rows * columns); }
};

}  // namespace detail

template <class T> int max_pool2d(Pool2d<T> const& a) {
  detail::PoolRow<T> const row(a);
  detail::each_output_row(a, [&](int64_t n, Window rows, T* y_row) {
    T const* x = a.x + n * a.H * a.W * a.C;
    auto body = [=](int64_t q) __attribute__((always_inline)) {
      Window const columns = row.columns(q);
      T* y = y_row + q * row.C;
      for (int64_t c = 0; c < row.C; ++c) y[c] = x[(rows.begin * row.W + columns.begin) * row.C + c];
      for (int64_t i = rows.begin; i < rows.end; ++i)
        for (int64_t j = columns.begin; j < columns.end; ++j) {
          T const* from = x + (i * row.W + j) * row.C;
          for (int64_t c = 0; c < row.C; ++c) y[c] = math::larger(from[c], y[c]);
        }
    };
    each<T>(0, a.out_w(), body);
  });
  return ok;
}

template <class T> int max_pool2d_dx(Pool2d<T> const& a) {
  constexpr int64_t block = 256;  // channels at a time
  detail::PoolRow<T> const row(a);
  detail::each_band(a, [&](int64_t n, int64_t first, int64_t last, Window rows, T const* dy_row) {
    T const* x = a.x + (n * a.H + rows.begin) * a.W * a.C;
    T* dx = a.dx + (n * a.H + rows.begin) * a.W * a.C;
    int64_t const top = std::max(first, rows.begin) - rows.begin, bottom = std::min(last, rows.end) - rows.begin;
    auto body = [=](int64_t q) __attribute__((always_inline)) {
      Window const columns = row.columns(q);
      T best[block];
      int32_t at[block];
      for (int64_t c = 0; c < row.C; c += block) {
        int64_t const channels = row.C - c < block ? row.C - c : block, to = columns.begin * row.C + c;
        detail::window_max(x + to, row.W, row.C, rows.size(), columns.size(), row.kernel, channels, best, at);
        detail::give_to_max(dx + to, row.W, row.C, top, bottom, columns.size(), row.kernel, channels,
                            dy_row + q * row.C + c, at);
      }
    };
    each<T>(0, a.out_w(), body);
  });
  return ok;
}

template <class T> int avg_pool2d(Pool2d<T> const& a) {
  detail::PoolRow<T> const row(a);
  detail::each_output_row(a, [&](int64_t n, Window rows, T* y_row) {
    T const* x = a.x + n * a.H * a.W * a.C;
    auto body = [=](int64_t q) __attribute__((always_inline)) {
      Window const columns = row.columns(q);
      T* y = y_row + q * row.C;
      for (int64_t c = 0; c < row.C; ++c) y[c] = 0;
      for (int64_t i = rows.begin; i < rows.end; ++i)
        for (int64_t j = columns.begin; j < columns.end; ++j) {
          T const* from = x + (i * row.W + j) * row.C;
          for (int64_t c = 0; c < row.C; ++c) y[c] += from[c];
        }
      T const factor = row.factor(rows.size(), columns.size());
      for (int64_t c = 0; c < row.C; ++c) y[c] *= factor;
    };
    each<T>(0, a.out_w(), body);
  });
  return ok;
}

template <class T> int avg_pool2d_dx(Pool2d<T> const& a) {
  detail::PoolRow<T> const row(a);
  detail::each_band(a, [&](int64_t n, int64_t first, int64_t last, Window rows, T const* dy_row) {
    T* dx_image = a.dx + n * a.H * a.W * a.C;
    int64_t const top = std::max(first, rows.begin), bottom = std::min(last, rows.end);
    auto body = [=](int64_t q) __attribute__((always_inline)) {
      Window const columns = row.columns(q);
      T const factor = row.factor(rows.size(), columns.size()), *dy = dy_row + q * row.C;
      for (int64_t i = top; i < bottom; ++i)
        for (int64_t j = columns.begin; j < columns.end; ++j) {
          T* dx = dx_image + (i * row.W + j) * row.C;
          for (int64_t c = 0; c < row.C; ++c) dx[c] += dy[c] * factor;
        }
    };
    each<T>(0, a.out_w(), body);
  });
  return ok;
}

}  // namespace d16::kernels::cpu
