// The innermost loops of every matrix product: tiles of C held in vector registers, one copy per instruction set.
#pragma once
#include <cstdint>
#include <utility>

#include "isa.hpp"

namespace d16::kernels::cpu {

/// A panel holds `panel_rows` rows of A and up to `panel_depth` of their k:
///   by rows     element (m, k) at m * panel_pitch<T> + k   when k is contiguous in memory
///   by columns  element (m, k) at k * panel_rows + m       when m is
/// so that packing only copies. The pitch is an odd number of cache lines: the rows fall into different cache sets.
constexpr int panel_rows = 24, panel_depth = 256;
template <class T> constexpr int panel_pitch = panel_depth + 64 / int(sizeof(T));

/// Where a tile goes: c = product + base, or product + c when base is null.
template <class T> struct Destination {
  T* const* rows;      // the rows of C
  int64_t column;      // the first column of the tile, in C
  int count, columns;  // how many rows and columns of the tile there are in C
  T const* base;
};

/// One tile: rows x width of C from a panel of A and a sliver of B.
template <class T> struct Tile {
  int rows, width;
  void (*run)(int depth, T const* a, T const* b, Destination<T> const& c);
};

/// The inner loops of an instruction set.
template <class T> struct Tiles {
  int lanes;
  Tile<T> by_rows[4], by_columns[4];  // [v]: v vectors wide, for the two kinds of panel
  Tile<T> dots;                       // four columns, the lanes run along k; run is null where it would not pay
  /// Copies rows of `length` contiguous elements; consecutive rows are from_step and to_step apart.
  void (*copy)(int64_t rows, int64_t length, T const* from, int64_t from_step, T* to, int64_t to_step);
};

namespace detail {

template <class T, int lanes> struct VectorOf {
  typedef T type __attribute__((vector_size(sizeof(T) * lanes), may_alias));
  typedef T unaligned __attribute__((vector_size(sizeof(T) * lanes), aligned(sizeof(T)), may_alias));
};
template <class T, int lanes> using Vector = typename VectorOf<T, lanes>::type;
template <class T, int lanes> using Unaligned = typename VectorOf<T, lanes>::unaligned;

/// Adds a finished tile to C; one loop for whole and for clipped tiles keeps the code small.
template <class T, int lanes> D16_INLINE void store(T const* sum, int width, Destination<T> const& c) {
  for (int r = 0; r < c.count; ++r, sum += width) {
    T* row = c.rows[r] + c.column;
    T const* base = c.base ? c.base : row;
    int n = 0;
    for (; n + lanes <= c.columns; n += lanes)
      *reinterpret_cast<Unaligned<T, lanes>*>(row + n) = *reinterpret_cast<Unaligned<T, lanes> const*>(sum + n) +
                                                         *reinterpret_cast<Unaligned<T, lanes> const*>(base + n);
    for (; n < c.columns; ++n) row[n] = sum[n] + base[n];
  }
}

/// The lanes run along the columns of C: per k, one vector of B for each `vectors` and one broadcast of A for each row.
template <class T, int lanes, int vectors, int rows, bool by_rows>
D16_INLINE void outer_products(int depth, T const* a, T const* b, Destination<T> const& c) {
  Vector<T, lanes> sum[rows][vectors] = {};
  for (int k = 0; k < depth; ++k, b += vectors * lanes) {
    Vector<T, lanes> bk[vectors];
#pragma GCC unroll 3
    for (int v = 0; v < vectors; ++v) bk[v] = *reinterpret_cast<Unaligned<T, lanes> const*>(b + v * lanes);
#pragma GCC unroll 24
    for (int r = 0; r < rows; ++r) {
      T const ark = by_rows ? a[r * panel_pitch<T> + k] : a[int64_t(k) * panel_rows + r];
#pragma GCC unroll 3
      for (int v = 0; v < vectors; ++v) sum[r][v] += ark * bk[v];
    }
  }
  Vector<T, lanes> spilled[rows][vectors];  // a copy, so that the sums themselves need no memory
#pragma GCC unroll 24
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 3
    for (int v = 0; v < vectors; ++v) spilled[r][v] = sum[r][v];
  store<T, lanes>(reinterpret_cast<T const*>(spilled), vectors * lanes, c);
}

/// a = the sums of neighbouring lanes, of a in the lower half and of b in the upper.
template <class T, int lanes, int... i>
D16_INLINE void add_neighbours(Vector<T, lanes>& a, Vector<T, lanes> const& b, std::integer_sequence<int, i...>) {
  a = __builtin_shufflevector(a, b, (2 * i)...) + __builtin_shufflevector(a, b, (2 * i + 1)...);
}

/// The lanes run along k, for a last sliver of few columns. As many sums as lanes, so that a tree of neighbour sums
/// leaves the total of each in its own lane. Panel and sliver are padded with zeros to whole vectors.
template <class T, int lanes> D16_INLINE void dot_products(int depth, T const* a, T const* b, Destination<T> const& c) {
  constexpr int columns = 4, rows = lanes / columns;
  Vector<T, lanes> sum[lanes] = {};
  for (int k = 0; k < depth; k += lanes, b += columns * lanes) {
    Vector<T, lanes> bk[columns];
#pragma GCC unroll 4
    for (int n = 0; n < columns; ++n) bk[n] = *reinterpret_cast<Unaligned<T, lanes> const*>(b + n * lanes);
#pragma GCC unroll 4
    for (int r = 0; r < rows; ++r) {
      Vector<T, lanes> const ark = *reinterpret_cast<Unaligned<T, lanes> const*>(a + r * panel_pitch<T> + k);
#pragma GCC unroll 4
      for (int n = 0; n < columns; ++n) sum[r * columns + n] += ark * bk[n];
    }
  }
#pragma GCC unroll 4
  for (int half = lanes / 2; half > 0; half /= 2)
#pragma GCC unroll 8
    for (int i = 0; i < half; ++i) {
      Vector<T, lanes> pair = sum[2 * i];
      add_neighbours<T, lanes>(pair, sum[2 * i + 1], std::make_integer_sequence<int, lanes>{});
      sum[i] = pair;
    }
  Vector<T, lanes> const totals = sum[0];
  store<T, columns>(reinterpret_cast<T const*>(&totals), columns, c);
}

/// Whole vectors, the last one overlapping its neighbour: no scalar remainder.
template <class T, int lanes> D16_INLINE void copy_vectors(int64_t length, T const* from, T* to) {
  using V = Unaligned<T, lanes>;
  for (int64_t i = 0; i + lanes < length; i += lanes)
    *reinterpret_cast<V*>(to + i) = *reinterpret_cast<V const*>(from + i);
  *reinterpret_cast<V*>(to + length - lanes) = *reinterpret_cast<V const*>(from + length - lanes);
}
template <class T, int lanes>
D16_INLINE void copy_rows(int64_t rows, int64_t length, T const* from, int64_t from_step, T* to, int64_t to_step) {
  for (; rows > 0; --rows, from += from_step, to += to_step)
    if (length >= lanes) copy_vectors<T, lanes>(length, from, to);
    else if (length >= 4) copy_vectors<T, 4>(length, from, to);
    else
      for (int64_t i = 0; i < length; ++i) to[i] = from[i];
}

// 24 accumulators fill the 32 registers of AVX-512, 12 the 16 registers of AVX2 and SSE2.
template <class T, int vectors, bool by_rows>
D16_TARGET_AVX512 void outer_avx512(int depth, T const* a, T const* b, Destination<T> const& c) {
  outer_products<T, 64 / sizeof(T), vectors, 24 / vectors, by_rows>(depth, a, b, c);
}
template <class T, int vectors, bool by_rows>
D16_TARGET_AVX2 void outer_avx2(int depth, T const* a, T const* b, Destination<T> const& c) {
  outer_products<T, 32 / sizeof(T), vectors, 12 / vectors, by_rows>(depth, a, b, c);
}
template <class T, int vectors, bool by_rows>
void outer_baseline(int depth, T const* a, T const* b, Destination<T> const& c) {
  outer_products<T, 16 / sizeof(T), vectors, 12 / vectors, by_rows>(depth, a, b, c);
}
template <class T> D16_TARGET_AVX512 void dots_avx512(int depth, T const* a, T const* b, Destination<T> const& c) {
  dot_products<T, 64 / sizeof(T)>(depth, a, b, c);
}
template <class T> D16_TARGET_AVX2 void dots_avx2(int depth, T const* a, T const* b, Destination<T> const& c) {
  dot_products<T, 32 / sizeof(T)>(depth, a, b, c);
}

template <class T> D16_TARGET_AVX512 void copy_avx512(int64_t rows, int64_t length, T const* from, int64_t from_step,
                                                      T* to, int64_t to_step) {
  copy_rows<T, 64 / sizeof(T)>(rows, length, from, from_step, to, to_step);
}
template <class T>
D16_TARGET_AVX2 void copy_avx2(int64_t rows, int64_t length, T const* from, int64_t from_step, T* to, int64_t to_step) {
  copy_rows<T, 32 / sizeof(T)>(rows, length, from, from_step, to, to_step);
}
template <class T>
void copy_baseline(int64_t rows, int64_t length, T const* from, int64_t from_step, T* to, int64_t to_step) {
  copy_rows<T, 16 / sizeof(T)>(rows, length, from, from_step, to, to_step);
}

template <class T> constexpr Tiles<T> avx512_tiles() {
  constexpr int L = 64 / sizeof(T);
  return {L,
          {{},
           {24, L, outer_avx512<T, 1, true>},
           {12, 2 * L, outer_avx512<T, 2, true>},
           {8, 3 * L, outer_avx512<T, 3, true>}},
          {{},
           {24, L, outer_avx512<T, 1, false>},
           {12, 2 * L, outer_avx512<T, 2, false>},
           {8, 3 * L, outer_avx512<T, 3, false>}},
          {L / 4, 4, dots_avx512<T>},
          copy_avx512<T>};
}
template <class T> constexpr Tiles<T> avx2_tiles() {
  constexpr int L = 32 / sizeof(T);
  return {
      L,
      {{}, {12, L, outer_avx2<T, 1, true>}, {6, 2 * L, outer_avx2<T, 2, true>}, {4, 3 * L, outer_avx2<T, 3, true>}},
      {{}, {12, L, outer_avx2<T, 1, false>}, {6, 2 * L, outer_avx2<T, 2, false>}, {4, 3 * L, outer_avx2<T, 3, false>}},
      {L / 4, 4, dots_avx2<T>},
      copy_avx2<T>};
}
template <class T> constexpr Tiles<T> baseline_tiles() {
  constexpr int L = 16 / sizeof(T);
  return {L,
          {{},
           {12, L, outer_baseline<T, 1, true>},
           {6, 2 * L, outer_baseline<T, 2, true>},
           {4, 3 * L, outer_baseline<T, 3, true>}},
          {{},
           {12, L, outer_baseline<T, 1, false>},
           {6, 2 * L, outer_baseline<T, 2, false>},
           {4, 3 * L, outer_baseline<T, 3, false>}},
          {},
          copy_baseline<T>};
}

}  // namespace detail

/// The tiles of an instruction set. T is float or double.
template <class T> Tiles<T> const& tiles(Isa isa) {
  static constexpr Tiles<T> table[] = {detail::baseline_tiles<T>(), detail::avx2_tiles<T>(), detail::avx512_tiles<T>()};
  return table[vectors_of(isa)];
}

}  // namespace d16::kernels::cpu
