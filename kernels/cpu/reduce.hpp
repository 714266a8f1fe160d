// Reductions at memory speed: sums in double lanes, pieces of long axes on different threads.
#pragma once
#include <algorithm>
#include <cmath>

#include "../reduce.hpp"
#include "pointwise.hpp"
#include "sum.hpp"

namespace d16::kernels::cpu {

namespace detail {

/// How the middle axis is cut: by shape alone, so that results do not depend on the number of threads.
template <class T> int64_t reduce_pieces(Reduce<T> const& a) {
  int64_t const per_outer = a.reduced * a.inner;
  return std::clamp<int64_t>(per_outer / (2 * pointwise_grain), 1, 256);
}

}  // namespace detail

/// Of sum: one double for each piece and output.
template <class T> size_t reduce_work_bytes(Reduce<T> const& a) {
  return size_t(a.outer * detail::reduce_pieces(a) * a.inner) * sizeof(double);
}

template <class T> int sum(Reduce<T> const& a) {
  int64_t const pieces = detail::reduce_pieces(a), per_piece = (a.reduced + pieces - 1) / pieces;
  double* partial = static_cast<double*>(a.work);
  if (a.inner == 0) return ok;
  if (a.inner == 1 && a.reduced <= detail::reduce_lanes) {  // many short rows
    parallel_chunks(a.outer, std::max<int64_t>(1, pointwise_grain / std::max<int64_t>(1, a.reduced)),
                    [&](int64_t begin, int64_t end) {
                      for (int64_t o = begin; o < end; ++o)
                        a.y[o] = T(a.scale * detail::sum_short(a.x + o * a.reduced, a.reduced));
                    });
    return ok;
  }
  parallel_tasks(a.outer * pieces, [&](int64_t task) {
    int64_t const o = task / pieces, first = std::min(a.reduced, task % pieces * per_piece);
    int64_t const rows = std::min(per_piece, a.reduced - first);
    detail::sum_piece(a.x + (o * a.reduced + first) * a.inner, rows, a.inner, partial + task * a.inner);
  });
  for (int64_t o = 0; o < a.outer; ++o) {
    double* total = partial + o * pieces * a.inner;
    for (int64_t p = 1; p < pieces; ++p)
      for (int64_t i = 0; i < a.inner; ++i) total[i] += total[p * a.inner + i];
    for (int64_t i = 0; i < a.inner; ++i) a.y[o * a.inner + i] = T(a.scale * total[i]);
  }
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
    parallel_chunks(a.outer, std::max<int64_t>(1, pointwise_grain / a.reduced), [&](int64_t begin, int64_t end) {
      for (int64_t o = begin; o < end; ++o) {
        a.at[o] = detail::first_largest(a.x + o * a.reduced, a.reduced);
        a.y[o] = a.x[o * a.reduced + a.at[o]];
      }
    });
    return ok;
  }
  constexpr int64_t columns = 64;
  int64_t const blocks = (a.inner + columns - 1) / columns;
  int64_t const grain =
      std::max<int64_t>(1, pointwise_grain / std::max<int64_t>(1, a.reduced * std::min(a.inner, columns)));
  parallel_chunks(a.outer * blocks, grain, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      int64_t const o = task / blocks, i = task % blocks * columns, to = o * a.inner + i;
      detail::max_columns(a.x + o * a.reduced * a.inner + i, a.reduced, a.inner, std::min(columns, a.inner - i),
                          a.y + to, a.at + to);
    }
  });
  return ok;
}

template <class T> int max_dx(Reduce<T> const& a) {
  parallel_chunks(a.outer * a.reduced, std::max<int64_t>(1, pointwise_grain / std::max<int64_t>(1, a.inner)),
                  [&](int64_t begin, int64_t end) { std::fill(a.dx + begin * a.inner, a.dx + end * a.inner, T(0)); });
  parallel_chunks(a.outer * a.inner, pointwise_grain, [&](int64_t begin, int64_t end) {
    for (int64_t j = begin; j < end; ++j) a.dx[(j / a.inner * a.reduced + a.at[j]) * a.inner + j % a.inner] = a.dy[j];
  });
  return ok;
}

}  // namespace d16::kernels::cpu
