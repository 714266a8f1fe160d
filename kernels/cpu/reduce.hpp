// Reductions at memory speed: sums in double lanes, pieces of long axes on different threads.
#pragma once
#include <algorithm>
#include <cmath>

#include "../reduce.hpp"
#include "pointwise.hpp"

namespace d16::kernels::cpu {

namespace detail {

/// How the middle axis is cut: by shape alone, so that results do not depend on the number of threads.
template <class T> int64_t reduce_pieces(Reduce<T> const& a) {
  int64_t const per_outer = a.reduced * a.inner;
  return std::clamp<int64_t>(per_outer / (2 * pointwise_grain), 1, 256);
}

constexpr int64_t reduce_lanes = 256;

/// lanes[i] += x[r * row + i] for all r < rows and i < n <= reduce_lanes.
template <class T> void add_rows(T const* x, int64_t row, int64_t rows, int64_t n, double* lanes) {
  auto body = [=](int64_t r) __attribute__((always_inline)) {
    T const* from = x + r * row;
    for (int64_t i = 0; i < n; ++i) lanes[i] += double(from[i]);
  };
  each<T>(0, rows, body);
}

/// total[i] = sum over r < rows of x[r * inner + i]. Where rows are short, several side by side are taken as one.
template <class T> void sum_piece(T const* x, int64_t rows, int64_t inner, double* total) {
  int64_t const fold = std::clamp<int64_t>(reduce_lanes / inner, 1, std::max<int64_t>(rows, 1)), wide = fold * inner;
  for (int64_t begin = 0; begin < wide; begin += reduce_lanes) {
    int64_t const n = std::min(reduce_lanes, wide - begin);
    double lanes[reduce_lanes];
    std::fill(lanes, lanes + n, 0.0);
    add_rows(x + begin, wide, rows / fold, n, lanes);
    if (fold == 1) {
      std::copy(lanes, lanes + n, total + begin);
      continue;
    }
    add_rows(x + rows / fold * wide, wide, 1, rows % fold * inner, lanes);
    for (int64_t i = 0; i < inner; ++i) {
      double sum = 0;
      for (int64_t f = 0; f < fold; ++f) sum += lanes[f * inner + i];
      total[i] = sum;
    }
  }
}

}  // namespace detail

/// Of sum: one double for each piece and output.
template <class T> size_t reduce_work_bytes(Reduce<T> const& a) {
  return size_t(a.outer * detail::reduce_pieces(a) * a.inner) * sizeof(double);
}

template <class T> int sum(Reduce<T> const& a) {
  int64_t const pieces = detail::reduce_pieces(a), per_piece = (a.reduced + pieces - 1) / pieces;
  double* partial = static_cast<double*>(a.work);
  int64_t const grain = std::max<int64_t>(1, pieces > 1 ? 1 : pointwise_grain / std::max<int64_t>(1, a.reduced * a.inner));
  if (a.inner == 0) return ok;
  parallel_chunks(a.outer * pieces, grain, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      int64_t const o = task / pieces, first = std::min(a.reduced, task % pieces * per_piece);
      int64_t const rows = std::min(per_piece, a.reduced - first);
      detail::sum_piece(a.x + (o * a.reduced + first) * a.inner, rows, a.inner, partial + task * a.inner);
    }
  });
  parallel_chunks(a.outer * a.inner, pointwise_grain, [&](int64_t begin, int64_t end) {
    for (int64_t j = begin; j < end; ++j) {
      double const* from = partial + j / a.inner * pieces * a.inner + j % a.inner;
      double total = 0;
      for (int64_t p = 0; p < pieces; ++p) total += from[p * a.inner];
      a.y[j] = T(a.scale * total);
    }
  });
  return ok;
}

namespace detail {

/// The first largest of x[0], x[step], ...; a NaN counts as largest.
template <class T> int64_t first_largest(T const* x, int64_t n, int64_t step) {
  int64_t best = 0;
  for (int64_t r = 1; r < n; ++r)
    if (!(x[r * step] <= x[best * step]) && !std::isnan(x[best * step])) best = r;
  return best;
}

}  // namespace detail

template <class T> int max(Reduce<T> const& a) {
  int64_t const grain = std::max<int64_t>(1, pointwise_grain / std::max<int64_t>(1, a.reduced));
  parallel_chunks(a.outer * a.inner, grain, [&](int64_t begin, int64_t end) {
    for (int64_t j = begin; j < end; ++j) {
      T const* from = a.x + j / a.inner * a.reduced * a.inner + j % a.inner;
      a.at[j] = detail::first_largest(from, a.reduced, a.inner);
      a.y[j] = from[a.at[j] * a.inner];
    }
  });
  return ok;
}

template <class T> int max_dx(Reduce<T> const& a) {
  parallel_chunks(a.outer * a.reduced, std::max<int64_t>(1, pointwise_grain / std::max<int64_t>(1, a.inner)),
                  [&](int64_t begin, int64_t end) {
                    std::fill(a.dx + begin * a.inner, a.dx + end * a.inner, T(0));
                  });
  parallel_chunks(a.outer * a.inner, pointwise_grain, [&](int64_t begin, int64_t end) {
    for (int64_t j = begin; j < end; ++j)
      a.dx[(j / a.inner * a.reduced + a.at[j]) * a.inner + j % a.inner] = a.dy[j];
  });
  return ok;
}

}  // namespace d16::kernels::cpu
