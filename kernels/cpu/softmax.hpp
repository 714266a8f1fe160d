// softmax and log_softmax: rows, or columns side by side, in a buffer that stays in the first-level cache.
#pragma once
#include <algorithm>

#include "../softmax.hpp"
#include "math.hpp"
#include "pointwise.hpp"

namespace d16::kernels::cpu {

namespace detail {

/// A tile is a few columns side by side, each the classes of one softmax: sums run over the classes, for all columns
/// at once.
constexpr int64_t softmax_columns = 64;

/// Calls tile(offset of the first column, distance of columns, number of columns) until all columns are done.
template <class T, class F> void softmax_tiles(Softmax<T> const& a, F const& tile) {
  if (a.inner == 1) {
    int64_t const tiles = (a.outer + softmax_columns - 1) / softmax_columns;
    parallel_chunks(tiles, std::max<int64_t>(1, pointwise_grain / (softmax_columns * a.classes)), [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) {
        int64_t const first = t * softmax_columns;
        tile(first * a.classes, a.classes, std::min(softmax_columns, a.outer - first));
      }
    });
    return;
  }
  int64_t const blocks = (a.inner + softmax_columns - 1) / softmax_columns;
  parallel_chunks(a.outer * blocks, std::max<int64_t>(1, pointwise_grain / (softmax_columns * a.classes)), [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      int64_t const first = t % blocks * softmax_columns;
      tile(t / blocks * a.classes * a.inner + first, int64_t(1), std::min(softmax_columns, a.inner - first));
    }
  });
}

}  // namespace detail

template <class T> int softmax(Softmax<T> const& a) {
  int64_t const step = a.inner;
  detail::softmax_tiles(a, [&](int64_t offset, int64_t column, int64_t n) {
    T largest[detail::softmax_columns], sum[detail::softmax_columns], value[detail::softmax_columns];
    T const* x = a.x + offset;
    T* y = a.y + offset;
    T *top = largest, *total = sum, *v = value;
    std::fill(largest, largest + n, T(-INFINITY));
    std::fill(sum, sum + n, T(0));
    auto track = [=](int64_t j) __attribute__((always_inline)) { top[j] = math::larger(top[j], v[j]); };
    auto add = [=](int64_t j) __attribute__((always_inline)) { total[j] += math::exp(v[j] - top[j]); };
    auto scale = [=](int64_t j) __attribute__((always_inline)) { v[j] = math::exp(v[j] - top[j]) / total[j]; };
    auto shift = [=](int64_t j) __attribute__((always_inline)) { v[j] = v[j] - top[j] - total[j]; };
    auto load = [&](int64_t k) {
      for (int64_t j = 0; j < n; ++j) value[j] = x[k * step + j * column];
    };
    for (int64_t k = 0; k < a.classes; ++k) load(k), each<T>(0, n, track);
    for (int64_t k = 0; k < a.classes; ++k) load(k), each<T>(0, n, add);
    if (a.log) each<T>(0, n, [=](int64_t j) __attribute__((always_inline)) { total[j] = math::log(total[j]); });
    for (int64_t k = 0; k < a.classes; ++k) {
      load(k);
      a.log ? each<T>(0, n, shift) : each<T>(0, n, scale);
      for (int64_t j = 0; j < n; ++j) y[k * step + j * column] = value[j];
    }
  });
  return ok;
}

template <class T> int softmax_dx(Softmax<T> const& a) {
  int64_t const step = a.inner;
  detail::softmax_tiles(a, [&](int64_t offset, int64_t column, int64_t n) {
    double sum[detail::softmax_columns] = {};
    T const *y = a.y + offset, *dy = a.dy + offset;
    T* dx = a.dx + offset;
    for (int64_t k = 0; k < a.classes; ++k)
      for (int64_t j = 0, i = k * step; j < n; ++j, i += column) sum[j] += a.log ? double(dy[i]) : double(dy[i]) * double(y[i]);
    for (int64_t k = 0; k < a.classes; ++k)
      for (int64_t j = 0, i = k * step; j < n; ++j, i += column)
        dx[i] = a.log ? T(dy[i] - math::exp(y[i]) * T(sum[j])) : T(y[i] * T(dy[i] - sum[j]));
  });
  return ok;
}

}  // namespace d16::kernels::cpu
