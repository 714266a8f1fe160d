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
  return std::max<int64_t>(1, pointwise_grain / std::max<int64_t>(1, row_elements * a.kernel_h * a.kernel_w));
}

/// visit(n, window rows, first output of the row) for all rows of the output.
template <class T, class F> void each_output_row(Pool2d<T> const& a, F const& visit) {
  int64_t const P = a.out_h(), Q = a.out_w();
  parallel_chunks(a.N * P, pool_rows(a, Q * a.C), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row)
      visit(row / P, Window(row % P, a.stride_h, a.padding_h, a.kernel_h, a.H), a.y + row * Q * a.C);
  });
}

/// visit(n, first row, last row + 1 of the band, window rows, dy of that row) for all rows of windows that touch a band,
/// after setting the band to 0.
template <class T, class F> void each_band(Pool2d<T> const& a, F const& visit) {
  int64_t const P = a.out_h(), Q = a.out_w();
  int64_t const height = std::max<int64_t>(std::min(a.H, pool_rows(a, a.W * a.C)), std::min<int64_t>(a.H, 2 * a.kernel_h));
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

}  // namespace detail

template <class T> int max_pool2d(Pool2d<T> const& a) {
  detail::each_output_row(a, [&](int64_t n, Window rows, T* y_row) {
    T const* x = a.x + n * a.H * a.W * a.C;
    int64_t const C = a.C, W = a.W;
    int const stride = a.stride_w, padding = a.padding_w, kernel = a.kernel_w;
    each<T>(0, a.out_w(), [=](int64_t q) __attribute__((always_inline)) {
      Window const columns(q, stride, padding, kernel, W);
      T* y = y_row + q * C;
      for (int64_t c = 0; c < C; ++c) y[c] = x[(rows.begin * W + columns.begin) * C + c];
      for (int64_t i = rows.begin; i < rows.end; ++i)
        for (int64_t j = columns.begin; j < columns.end; ++j) {
          T const* from = x + (i * W + j) * C;
          for (int64_t c = 0; c < C; ++c) y[c] = math::larger(from[c], y[c]);
        }
    });
  });
  return ok;
}

template <class T> int max_pool2d_dx(Pool2d<T> const& a) {
  constexpr int64_t block = 256;  // channels at a time
  detail::each_band(a, [&](int64_t n, int64_t first, int64_t last, Window rows, T const* dy_row) {
    T const* x_image = a.x + n * a.H * a.W * a.C;
    T* dx_image = a.dx + n * a.H * a.W * a.C;
    int64_t const C = a.C, W = a.W;
    int const stride = a.stride_w, padding = a.padding_w, kernel = a.kernel_w;
    each<T>(0, a.out_w(), [=](int64_t q) __attribute__((always_inline)) {
      Window const columns(q, stride, padding, kernel, W);
      T best[block];
      int32_t at[block];  // the place i * kernel + j in the window
      for (int64_t c0 = 0; c0 < C; c0 += block) {
        int64_t const channels = C - c0 < block ? C - c0 : block;
        for (int64_t c = 0; c < channels; ++c) best[c] = T(-INFINITY), at[c] = 0;
        for (int64_t i = 0; i < rows.size(); ++i)
          for (int64_t j = 0; j < columns.size(); ++j) {
            T const* x = x_image + ((rows.begin + i) * W + columns.begin + j) * C + c0;
            int32_t const place = int32_t(i * kernel + j);
            for (int64_t c = 0; c < channels; ++c) {
              bool const wins = (x[c] > best[c]) | (x[c] != x[c]);
              best[c] = wins ? x[c] : best[c];
              at[c] = wins ? place : at[c];
            }
          }
        for (int64_t i = 0; i < rows.size(); ++i) {
          if (rows.begin + i < first || rows.begin + i >= last) continue;
          for (int64_t j = 0; j < columns.size(); ++j) {
            T const* dy = dy_row + q * C + c0;
            T* dx = dx_image + ((rows.begin + i) * W + columns.begin + j) * C + c0;
            int32_t const place = int32_t(i * kernel + j);
            for (int64_t c = 0; c < channels; ++c) dx[c] += at[c] == place ? dy[c] : T(0);
          }
        }
      }
    });
  });
  return ok;
}

template <class T> int avg_pool2d(Pool2d<T> const& a) {
  detail::each_output_row(a, [&](int64_t n, Window rows, T* y_row) {
    T const* x = a.x + n * a.H * a.W * a.C;
    int64_t const C = a.C, W = a.W;
    int const stride = a.stride_w, padding = a.padding_w, kernel = a.kernel_w;
    T const whole = T(1 / (double(a.kernel_h) * a.kernel_w));
    bool const count_padding = a.count_include_pad;
    each<T>(0, a.out_w(), [=](int64_t q) __attribute__((always_inline)) {
      Window const columns(q, stride, padding, kernel, W);
      T const factor = count_padding ? whole : T(1) / T(rows.size() * columns.size());
      T* y = y_row + q * C;
      for (int64_t c = 0; c < C; ++c) y[c] = 0;
      for (int64_t i = rows.begin; i < rows.end; ++i)
        for (int64_t j = columns.begin; j < columns.end; ++j) {
          T const* from = x + (i * W + j) * C;
          for (int64_t c = 0; c < C; ++c) y[c] += from[c];
        }
      for (int64_t c = 0; c < C; ++c) y[c] *= factor;
    });
  });
  return ok;
}

template <class T> int avg_pool2d_dx(Pool2d<T> const& a) {
  detail::each_band(a, [&](int64_t n, int64_t first, int64_t last, Window rows, T const* dy_row) {
    T* dx_image = a.dx + n * a.H * a.W * a.C;
    int64_t const C = a.C, W = a.W, top = std::max(first, rows.begin), bottom = std::min(last, rows.end);
    int const stride = a.stride_w, padding = a.padding_w, kernel = a.kernel_w;
    T const whole = T(1 / (double(a.kernel_h) * a.kernel_w));
    bool const count_padding = a.count_include_pad;
    each<T>(0, a.out_w(), [=](int64_t q) __attribute__((always_inline)) {
      Window const columns(q, stride, padding, kernel, W);
      T const factor = count_padding ? whole : T(1) / T(rows.size() * columns.size());
      T const* dy = dy_row + q * C;
      for (int64_t i = top; i < bottom; ++i)
        for (int64_t j = columns.begin; j < columns.end; ++j) {
          T* dx = dx_image + (i * W + j) * C;
          for (int64_t c = 0; c < C; ++c) dx[c] += dy[c] * factor;
        }
    });
  });
  return ok;
}

}  // namespace d16::kernels::cpu
