// Loops over the columns of matrices: sums by column, and maps whose parameters differ by column. Short rows are taken
// several at a time, so that the inner loop is long enough for SIMD. What norms and gates of channels share.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "pointwise.hpp"

namespace d16::kernels::cpu::detail {

constexpr int64_t column_lanes = 256;

/// Lines of up to column_lanes lanes: element l of line i lies at `at` + i `stride` + l. Its column is that of its
/// place in a row, (at + l) % columns.
struct ColumnTile {
  int64_t at, lanes, lines, stride;
};

/// visit(ColumnTile) until all of a matrix (rows, columns) without gaps is covered.
template <class F> void each_tile(int64_t rows, int64_t columns, F const& visit) {
  if (rows == 0) return;
  int64_t const fold = std::clamp<int64_t>(column_lanes / columns, 1, rows), wide = fold * columns;
  for (int64_t at = 0; at < wide; at += column_lanes)  // more than once only where fold is 1
    visit(ColumnTile{at, std::min(column_lanes, wide - at), rows / fold, wide});
  if (rows % fold) visit(ColumnTile{rows / fold * wide, rows % fold * columns, 1, wide});
}

/// lane[l] = value(column of lane l).
template <class L, class F> void fill_lanes(ColumnTile const& t, int64_t columns, L* lane, F const& value) {
  int64_t column = t.at % columns;
  for (int64_t l = 0; l < t.lanes; ++l) {
    lane[l] = L(value(column));
    if (++column == columns) column = 0;
  }
}

template <int terms> struct Terms { double of[terms]; };

/// total[k * columns + c] += term(i, about(c)).of[k], over the elements i of column c, in double.
template <class T, int terms, class About, class F>
void column_sums(int64_t rows, int64_t columns, About const& about, F const& term, double* total) {
  each_tile(rows, columns, [&](ColumnTile t) {
    double lanes[terms * column_lanes], abouts[column_lanes];
    std::fill_n(lanes, terms * column_lanes, 0.0);
    fill_lanes(t, columns, abouts, about);
    double *sum = lanes, *pivot = abouts;
    each<T>(
        0, t.lines, [=](int64_t line) __attribute__((always_inline)) {
          int64_t const first = t.at + line * t.stride;
          for (int64_t l = 0; l < t.lanes; ++l) {
            Terms<terms> const value = term(first + l, pivot[l]);
            for (int k = 0; k < terms; ++k) sum[k * column_lanes + l] += value.of[k];
          }
        });
    for (int k = 0; k < terms; ++k)
      for (int64_t l = 0; l < t.lanes; ++l) total[k * columns + (t.at + l) % columns] += sum[k * column_lanes + l];
  });
}

/// body(i, l) for all elements i of a matrix, where l is the lane of its column; fill(tile) sets the lanes first.
template <class T, class Fill, class F>
void column_map(int64_t rows, int64_t columns, Fill const& fill, F const& body) {
  each_tile(rows, columns, [&](ColumnTile t) {
    fill(t);
    each<T>(
        0, t.lines, [=](int64_t line) __attribute__((always_inline)) {
          int64_t const first = t.at + line * t.stride;
          for (int64_t l = 0; l < t.lanes; ++l) body(first + l, l);
        });
  });
}

/// How samples (N, pixels, C) are cut for the threads: into pieces of whole pixels, by the shape only.
struct SamplePieces {
  int64_t N, pixels, C, per_piece, pieces;

  SamplePieces(int64_t samples, int64_t size, int64_t channels) : N(samples), pixels(size), C(channels) {
    per_piece = std::max<int64_t>(64, 2 * pointwise_grain / std::max<int64_t>(1, C));
    pieces = std::max<int64_t>(1, (pixels + per_piece - 1) / per_piece);
  }
  /// Doubles for `terms` sums of each channel of each piece.
  size_t sums(int terms) const { return size_t(N * pieces * terms * C); }

  /// body(n, piece, first element, pixels of the piece), on all threads.
  template <class F> void each(F const& body) const {
    parallel_tasks(N * pieces, [&](int64_t task) {
      int64_t const n = task / pieces, piece = task % pieces, begin = piece * per_piece;
      body(n, piece, (n * pixels + begin) * C, std::min(per_piece, pixels - begin));
    });
  }
};

}  // namespace d16::kernels::cpu::detail
