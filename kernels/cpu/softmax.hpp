// softmax and log_softmax: a tile of columns at a time, whose maxima and sums run over the classes side by side.
#pragma once
#include <algorithm>

#include "../softmax.hpp"
#include "math.hpp"
#include "pointwise.hpp"

namespace d16::kernels::cpu {

namespace detail {

/// Columns of a tile, each the classes of one softmax.
constexpr int64_t softmax_columns = 64;

/// Calls tile(offset of its first column, distance of its columns, number of columns) until all are done.
template <class T, class F> void softmax_tiles(Softmax<T> const& a, F const& tile) {
  bool const rows = a.inner == 1;  // then columns of the tile are rows of memory
  int64_t const line = rows ? a.outer : a.inner, lines = rows ? 1 : a.outer;
  int64_t const tiles = (line + softmax_columns - 1) / softmax_columns;
  parallel_chunks(lines * tiles, grain_of(softmax_columns * a.classes), [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      int64_t const first = t % tiles * softmax_columns, n = std::min(softmax_columns, line - first);
      if (rows) tile(first * a.classes, a.classes, n);
      else tile(t / tiles * a.classes * a.inner + first, int64_t(1), n);
    }
  });
}

template <class T> struct SoftmaxTile {
  T top[softmax_columns], total[softmax_columns], value[softmax_columns];
  int64_t column, n;

  void load(T const* x) {
    for (int64_t j = 0; j < n; ++j) value[j] = x[j * column];
  }
  void store(T* y) const {
    for (int64_t j = 0; j < n; ++j) y[j * column] = value[j];
  }
};

}  // namespace detail

template <class T> int softmax(Softmax<T> const& a) {
  detail::softmax_tiles(a, [&](int64_t offset, int64_t column, int64_t n) {
    detail::SoftmaxTile<T> tile;
    tile.column = column, tile.n = n;
    T *top = tile.top, *total = tile.total, *v = tile.value;
    std::fill(top, top + n, T(-INFINITY));
    std::fill(total, total + n, T(0));
    T const* x = a.x + offset;
    T* y = a.y + offset;
    for (int64_t k = 0; k < a.classes; ++k) {
      tile.load(x + k * a.inner);
      each<T>(
          0, n, [=](int64_t j) __attribute__((always_inline)) { top[j] = math::larger(v[j], top[j]); });
    }
    for (int64_t k = 0; k < a.classes; ++k) {
      tile.load(x + k * a.inner);
      each<T>(
          0, n, [=](int64_t j) __attribute__((always_inline)) { v[j] = math::exp(v[j] - top[j]); });
      for (int64_t j = 0; j < n; ++j) total[j] += v[j];
      if (!a.log) tile.store(y + k * a.inner);
    }
    if (a.log)
      each<T>(
          0, n, [=](int64_t j) __attribute__((always_inline)) { total[j] = math::log(total[j]); });
    for (int64_t k = 0; k < a.classes; ++k) {
      tile.load((a.log ? x : y) + k * a.inner);
      if (a.log)
        for (int64_t j = 0; j < n; ++j) v[j] = v[j] - top[j] - total[j];
      else
        for (int64_t j = 0; j < n; ++j) v[j] /= total[j];
      tile.store(y + k * a.inner);
    }
  });
  return ok;
}

template <class T> int softmax_dx(Softmax<T> const& a) {
  detail::softmax_tiles(a, [&](int64_t offset, int64_t column, int64_t n) {
    double sum[detail::softmax_columns] = {};
    T const *y = a.y + offset, *dy = a.dy + offset;
    T* dx = a.dx + offset;
    for (int64_t k = 0; k < a.classes; ++k)
      for (int64_t j = 0, i = k * a.inner; j < n; ++j, i += column)
        sum[j] += a.log ? double(dy[i]) : double(dy[i]) * double(y[i]);
    for (int64_t k = 0; k < a.classes; ++k)
      for (int64_t j = 0, i = k * a.inner; j < n; ++j, i += column)
        dx[i] = a.log ? T(dy[i] - math::exp(y[i]) * T(sum[j])) : T(y[i] * T(dy[i] - sum[j]));
  });
  return ok;
}

}  // namespace d16::kernels::cpu
