// Reductions at memory speed: sums in double lanes, pieces of long axes on different threads.
#pragma once
#include <algorithm>
#include <cmath>

#include "../reduce.hpp"
#include "pointwise.hpp"
#include "sum.hpp"

namespace d16::kernels::cpu {

namespace detail {

/// How many pieces of the middle axis are summed apart. By shape alone, so that results do not depend on the number of
/// threads; only where there are few outputs, so that scratch memory stays small.
template <class T> int64_t reduce_pieces(Reduce<T> const& a) {
  constexpr int64_t piece = 2 * pointwise_grain;
  int64_t const most = std::min(a.reduced, piece / std::max<int64_t>(1, a.inner));
  return std::clamp<int64_t>(std::min(most, a.reduced * a.inner / piece), 1, 256);
}

constexpr int64_t reduce_columns = 1024;  ///< outputs side by side that one task takes

/// task(o, i, n): the outputs i .. i+n-1 of outer index o; `work` elements are read for each.
template <class F> void each_columns(int64_t outer, int64_t inner, int64_t work, F const& task) {
  int64_t const blocks = (inner + reduce_columns - 1) / reduce_columns;
  parallel_chunks(outer * blocks, grain_of(work * std::min(inner, reduce_columns)), [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      int64_t const i = k % blocks * reduce_columns;
      task(k / blocks, i, std::min(reduce_columns, inner - i));
    }
  });
}

}  // namespace detail

/// Of sum: one double for each piece and output.
template <class T> size_t reduce_work_bytes(Reduce<T> const& a) {
  int64_t const pieces = detail::reduce_pieces(a);
  return pieces == 1 ? 0 : size_t(a.outer * pieces * a.inner) * sizeof(double);
}

template <class T> int sum(Reduce<T> const& a) {
  int64_t const pieces = detail::reduce_pieces(a), per_piece = (a.reduced + pieces - 1) / pieces;
  if (a.inner == 1 && a.reduced <= detail::reduce_lanes) {  // many short rows
    parallel_chunks(a.outer, grain_of(a.reduced), [&](int64_t begin, int64_t end) {
      for (int64_t o = begin; o < end; ++o) a.y[o] = T(a.scale * detail::sum_short(a.x + o * a.reduced, a.reduced));
    });
    return ok;
  }
  if (pieces == 1) {
    detail::each_columns(a.outer, a.inner, a.reduced, [&](int64_t o, int64_t i, int64_t n) {
      double total[detail::reduce_columns];
      detail::sum_piece(a.x + o * a.reduced * a.inner + i, a.reduced, a.inner, n, total);
      for (int64_t j = 0; j < n; ++j) a.y[o * a.inner + i + j] = T(a.scale * total[j]);
    });
    return ok;
  }
  double* partial = static_cast<double*>(a.work);
  parallel_tasks(a.outer * pieces, [&](int64_t task) {
    int64_t const o = task / pieces, first = std::min(a.reduced, task % pieces * per_piece);
    int64_t const rows = std::min(per_piece, a.reduced - first);
    detail::sum_piece(a.x + (o * a.reduced + first) * a.inner, rows, a.inner, a.inner, partial + task * a.inner);
  });
  detail::each_columns(a.outer, a.inner, pieces, [&](int64_t o, int64_t i, int64_t n) {
    for (int64_t j = i; j < i + n; ++j) {
      double total = 0;
      for (int64_t p = 0; p < pieces; ++p) total += partial[(o * pieces + p) * a.inner + j];
      a.y[o * a.inner + j] = T(a.scale * total);
    }
  });
  return ok;
}

namespace detail {

/// best[i], at[i] = the first largest of x[r * inner + i] over r, for i < n; a NaN counts as largest.
template <class T> void max_columns(T const* x, int64_t rows, int64_t inner, int64_t n, T* best, int64_t* at) {
  std::copy(x, x + n, best);
  std::fill(at, at + n, 0);
  each<T>(
      1, rows, [=](int64_t r) __attribute__((always_inline)) {
        T const* from = x + r * inner;
        for (int64_t i = 0; i < n; ++i) {
          bool const wins = !(from[i] <= best[i]) & (best[i] == best[i]);
          best[i] = wins ? from[i] : best[i];
          at[i] = wins ? r : at[i];
        }
      });
}

/// The same along one contiguous row.
template <class T> int64_t first_largest(T const* x, int64_t n) {
  int64_t best = 0;
  for (int64_t r = 1; r < n; ++r)
    if (!(x[r] <= x[best]) && x[best] == x[best]) best = r;
  return best;
}

}  // namespace detail

template <class T> int max(Reduce<T> const& a) {
  if (a.inner == 1) {
    parallel_chunks(a.outer, grain_of(a.reduced), [&](int64_t begin, int64_t end) {
      for (int64_t o = begin; o < end; ++o) {
        a.at[o] = detail::first_largest(a.x + o * a.reduced, a.reduced);
        a.y[o] = a.x[o * a.reduced + a.at[o]];
      }
    });
    return ok;
  }
  detail::each_columns(a.outer, a.inner, a.reduced, [&](int64_t o, int64_t i, int64_t n) {
    int64_t const to = o * a.inner + i;
    detail::max_columns(a.x + o * a.reduced * a.inner + i, a.reduced, a.inner, n, a.y + to, a.at + to);
  });
  return ok;
}

template <class T> int max_dx(Reduce<T> const& a) {
  parallel_chunks(a.outer * a.reduced, grain_of(a.inner),
                  [&](int64_t begin, int64_t end) { std::fill(a.dx + begin * a.inner, a.dx + end * a.inner, T(0)); });
  parallel_chunks(a.outer * a.inner, pointwise_grain, [&](int64_t begin, int64_t end) {
    for (int64_t j = begin; j < end; ++j) a.dx[(j / a.inner * a.reduced + a.at[j]) * a.inner + j % a.inner] = a.dy[j];
  });
  return ok;
}

}  // namespace d16::kernels::cpu
