// Matrix products at the speed of the machine. The operands are anything that can be packed into panels: a matrix in
// memory here, the patches of an image in conv2d.hpp.
#pragma once
#include <algorithm>
#include <cstring>

#include <d16/core/parallel.hpp>

#include "../gemm.hpp"
#include "denormals.hpp"
#include "gemm_tile.hpp"

namespace d16::kernels::cpu {

namespace detail {

constexpr int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
constexpr int64_t round_up(int64_t a, int64_t b) { return divide_up(a, b) * b; }
constexpr int cache_line = 64;

/// [0, K) cut into equal blocks of at most panel_depth, each a whole number of vectors (but for the end of the last).
struct Blocks {
  int64_t first, end;
  int count, depth;
  Blocks(int64_t begin, int64_t stop) : first(begin), end(stop) {
    count = int(std::max<int64_t>(1, divide_up(end - first, panel_depth)));
    depth = int(round_up(divide_up(end - first, count), 16));
  }
  int64_t begin(int i) const { return std::min(end, first + int64_t(i) * depth); }
  int depth_of(int i) const { return int(begin(i + 1) - begin(i)); }
};

/// Some columns of B and C that one tile computes.
template <class T> struct Sliver {
  int begin, columns;   // the columns that exist
  Tile<T> const* tile;  // its width counts the padding too
  bool dots;
};

/// The columns of B cut into slivers of three vectors (or two, so that no narrow one is left), then, where the rest
/// would fill at most half a vector, of four columns for the tile that runs along k. That tile ends with sums across its
/// vectors, which take longer than half-empty vectors would unless `depth`, the k it runs along, is some vectors long.
template <class T> class Slivers {
 public:
  Slivers(Tiles<T> const& tiles, bool by_rows, int columns, int depth)
      : tiles_(tiles), by_rows_(by_rows), columns_(columns) {
    int rest = columns % tiles.lanes;
    bool dots = by_rows && tiles.dots.run && rest > 0 && 2 * rest <= tiles.lanes && depth >= 4 * tiles.lanes;
    vectors_ = columns / tiles.lanes + (rest > 0 && !dots);
    wide_ = int(divide_up(vectors_, 3));
    count_ = wide_ + (dots ? int(divide_up(rest, tiles.dots.width)) : 0);
  }
  int count() const { return count_; }
  bool dots() const { return count_ > wide_; }
  Sliver<T> operator[](int64_t i) const {
    if (i >= wide_) {
      int begin = vectors_ * tiles_.lanes + int(i - wide_) * tiles_.dots.width;
      return {begin, std::min(tiles_.dots.width, columns_ - begin), &tiles_.dots, true};
    }
    int first = int(i * vectors_ / wide_), next = int((i + 1) * vectors_ / wide_);
    int begin = first * tiles_.lanes, end = std::min(columns_, next * tiles_.lanes);
    return {begin, end - begin, (by_rows_ ? tiles_.by_rows : tiles_.by_columns) + (next - first), false};
  }

 private:
  Tiles<T> const& tiles_;
  bool by_rows_;
  int columns_, vectors_, wide_, count_;
};

/// At least the padded width of all slivers, for any instruction set.
constexpr int64_t padded_columns(int64_t columns) { return round_up(columns, 16); }

/// Scratch memory is handed out in whole cache lines.
template <class T> T* align(void* work) {
  return reinterpret_cast<T*>(round_up(reinterpret_cast<intptr_t>(work), cache_line));
}

/// Packs `depth` of the k of a sliver: element (k, n) at k * width + n, or vectors along k for the tile `dots`.
template <class T, class B>
void pack_sliver(Tiles<T> const& tiles, B const& b, Sliver<T> const& s, int64_t k, int depth, T* out) {
  if (!s.dots) return b.pack_sliver(tiles, k, depth, s.begin, s.columns, s.tile->width, out);
  constexpr int width = 4;
  int const lanes = tiles.lanes;
  T square[panel_depth * width];
  b.pack_sliver(tiles, k, depth, s.begin, s.columns, width, square);
  for (int i = 0; i < round_up(depth, lanes); ++i)
    for (int n = 0; n < width; ++n)
      out[(i / lanes * width + n) * lanes + i % lanes] = i < depth ? square[i * width + n] : T(0);
}

struct Range {
  int64_t begin, end;
};

/// One block of k, and what the product of the first one is added to: a row of biases or zeros. Later ones, where
/// `set` is false, are added to C.
template <class T> struct Step {
  int64_t k;
  int depth, padded_depth;
  T const* base;
  bool set;
};

/// The rows of C: N images of P x Q pixels, or just Q rows. relu: multiply_rows keeps their positive part.
template <class T> struct Rows {
  T* data;
  int64_t Q, P, step_q, step_p, step_n;
  bool relu = false;

  static Rows matrix(T* data, int64_t pitch) { return {data, int64_t(1) << 60, 1, pitch, 0, 0}; }
  /// Columns [begin, end) of some rows, which are in the cache.
  void rectify(Range rows, int begin, int end) const {
    for (int64_t m = rows.begin; m < rows.end; ++m) {
      T* row;
      locate(m, 1, &row);
      simd_for(
          begin, end, [=](int64_t n) __attribute__((always_inline)) { row[n] = row[n] < 0 ? T(0) : row[n]; });
    }
  }
  /// out[i] = row m + i.
  void locate(int64_t m, int count, T** out) const {
    int64_t q = m % Q, p = m / Q % P, n = m / Q / P;
    for (int i = 0; i < count; ++i) {
      out[i] = data + n * step_n + p * step_p + q * step_q;
      if (++q < Q) continue;
      q = 0;
      if (++p < P) continue;
      p = 0;
      ++n;
    }
  }
};

/// One step for some rows of C and some slivers of its columns; b holds those slivers of B packed.
template <class T, class A> void multiply(Tiles<T> const& tiles, A const& a, T const* b, Rows<T> const& c,
                                          Slivers<T> const& slivers, Range some_slivers, Range some_rows,
                                          Step<T> step) {
  static constexpr T zeros[3 * 16] = {};
  alignas(cache_line) T panel[panel_rows * panel_pitch<T>];
  T* rows[panel_rows];
  int const depth = step.depth, origin = slivers[some_slivers.begin].begin;
  for (int64_t m = some_rows.begin; m < some_rows.end; m += panel_rows) {
    int const count = int(std::min<int64_t>(panel_rows, some_rows.end - m));
    a.pack_panel(tiles, m, count, step.k, depth, panel);
    if (slivers.dots())
      for (int r = 0; r < count; ++r) std::memset(panel + r * panel_pitch<T> + depth, 0, cache_line);
    if (a.by_rows())
      for (int r = count; r < panel_rows; ++r)
        std::memset(panel + r * panel_pitch<T>, 0, sizeof(T) * size_t(depth) + cache_line);
    c.locate(m, count, rows);
    for (int64_t i = some_slivers.begin; i < some_slivers.end; ++i) {
      Sliver<T> const s = slivers[i];
      T const* base = !step.set ? nullptr : step.base ? step.base + s.begin : zeros;
      T const* packed = b + int64_t(s.begin - origin) * step.padded_depth;
      for (int r = 0; r < count; r += s.tile->rows)
        s.tile->run(depth, panel + (a.by_rows() ? r * panel_pitch<T> : r), packed,
                    {rows + r, s.begin, std::min(s.tile->rows, count - r), s.columns, base});
    }
  }
}

/// Below this many multiply-adds a loop is not worth waking a thread.
constexpr int64_t small_product = 1 << 20;

/// C = A B + base for any number of rows: all of B is packed first, then every task computes some rows.
template <class T, class A, class B> void multiply_rows(Tiles<T> const& tiles, int64_t M, int N, int K, A const& a,
                                                        B const& b, Rows<T> const& c, T const* base, bool accumulate,
                                                        void* work) {
  Blocks const blocks(0, K);
  Slivers<T> const slivers(tiles, a.by_rows(), N, blocks.depth);
  T* const packed = align<T>(work);
  int64_t const block_size = blocks.depth * padded_columns(N);
  bool const small = M * N * K < small_product;
  auto place = [&](int block, int column) { return packed + block * block_size + int64_t(column) * blocks.depth; };

  int64_t const slivers_to_pack = int64_t(blocks.count) * slivers.count();
  parallel_chunks(slivers_to_pack, small ? slivers_to_pack : 2, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      int const block = int(i / slivers.count());
      Sliver<T> const s = slivers[int(i % slivers.count())];
      pack_sliver(tiles, b, s, blocks.begin(block), blocks.depth_of(block), place(block, s.begin));
    }
  });

  // Tasks of ten panels, so that C stays in the cache from block to block; fewer, and parts of the columns, when M is
  // small.
  int64_t const rows =
      small ? M : std::clamp<int64_t>(round_up(divide_up(M, 32), panel_rows), panel_rows, 10 * panel_rows);
  int64_t const row_tasks = divide_up(M, rows);
  int const column_tasks = small ? 1 : int(std::clamp<int64_t>(16 / row_tasks, 1, slivers.count()));
  parallel_tasks(row_tasks * column_tasks, [&](int64_t task) {
    FlushDenormals flush;
    int64_t const begin = task / column_tasks * rows, part = task % column_tasks;
    Range const some{part * slivers.count() / column_tasks, (part + 1) * slivers.count() / column_tasks};
    for (int i = 0; i < blocks.count; ++i)
      multiply<T>(tiles, a, place(i, slivers[some.begin].begin), c, slivers, some, {begin, std::min(M, begin + rows)},
                  {blocks.begin(i), blocks.depth_of(i), blocks.depth, base, i == 0 && !accumulate});
    if (!c.relu || some.begin == some.end) return;
    Sliver<T> const last = slivers[some.end - 1];
    c.rectify({begin, std::min(M, begin + rows)}, slivers[some.begin].begin, last.begin + last.columns);
  });
}
inline int64_t multiply_rows_work(int64_t N, int64_t K, size_t size) {
  Blocks const blocks(0, K);
  return blocks.count * int64_t(blocks.depth) * padded_columns(N) * int64_t(size) + cache_line;
}

/// How a product with long K and a small C is cut: chunks of K, whose partial products are added in order, times parts
/// of the columns. Every part packs its B itself.
struct DeepSplit {
  static constexpr int columns = 384;  // of a part: a multiple of three vectors of any instruction set
  int64_t chunk, chunks, parts;
  DeepSplit(int N, int64_t K) {
    parts = divide_up(N, columns);
    chunks = std::clamp<int64_t>(divide_up(32, parts), 1, std::max<int64_t>(1, K / (4 * panel_depth)));
    chunk = round_up(divide_up(K, chunks), 16);
    chunks = divide_up(K, chunk);
  }
  int64_t partial(int64_t M, int64_t N) const { return round_up(M * N, 16); }
  int64_t scratch() const { return int64_t(panel_depth) * columns; }
  int64_t work(int64_t M, int64_t N, size_t size) const {
    return chunks * (partial(M, N) + parts * scratch()) * int64_t(size) + cache_line;
  }
};

/// Row i of A B is given to finish(i, row), for long K.
template <class T, class A, class B, class Finish> void multiply_deep(Tiles<T> const& tiles, int M, int N, int64_t K,
                                                                      A const& a, B const& b, Finish const& finish,
                                                                      void* work) {
  DeepSplit const split(N, K);
  Slivers<T> const slivers(tiles, a.by_rows(), N, panel_depth);
  int64_t const partial_size = split.partial(M, N);
  T* const partial = align<T>(work);
  T* const scratch = partial + split.chunks * partial_size;

  parallel_tasks(split.chunks * split.parts, [&](int64_t task) {
    FlushDenormals flush;
    int64_t const chunk = task / split.parts, part = task % split.parts;
    Range const some{part * slivers.count() / split.parts, (part + 1) * slivers.count() / split.parts};
    T* const packed = scratch + task * split.scratch();
    auto const rows = Rows<T>::matrix(partial + chunk * partial_size, N);
    Blocks const blocks(chunk * split.chunk, std::min(K, (chunk + 1) * split.chunk));
    for (int i = 0; i < blocks.count; ++i) {
      Step<T> const step{blocks.begin(i), blocks.depth_of(i), blocks.depth, nullptr, i == 0};
      for (int64_t s = some.begin; s < some.end; ++s)
        pack_sliver(tiles, b, slivers[s], step.k, step.depth,
                    packed + int64_t(slivers[s].begin - slivers[some.begin].begin) * blocks.depth);
      multiply<T>(tiles, a, packed, rows, slivers, some, {0, M}, step);
    }
  });
  parallel_chunks(M, std::max<int64_t>(1, small_product / 64 / (N * split.chunks)), [&](int64_t begin, int64_t end) {
    for (int64_t m = begin; m < end; ++m) {
      T* const row = partial + m * N;
      for (int64_t chunk = 1; chunk < split.chunks; ++chunk)
        simd_for(
            0, N, [=](int64_t n) __attribute__((always_inline)) { row[n] += row[chunk * partial_size + n]; });
      finish(m, row);
    }
  });
}

/// Zeros in the columns that pad rows to their width.
template <class T> void clear_padding(int rows, int columns, int width, T* out) {
  if (columns < width)
    for (int i = 0; i < rows; ++i) std::memset(out + i * width + columns, 0, sizeof(T) * size_t(width - columns));
}

/// An operand in memory. As A its rows run along k, as B along n; `across` is the other way round.
template <class T> struct Matrix {
  T const* data;
  int64_t pitch;
  bool across;

  bool by_rows() const { return !across; }

  void pack_panel(Tiles<T> const& tiles, int64_t m, int count, int64_t k, int depth, T* panel) const {
    if (!across) return tiles.copy(count, depth, data + m * pitch + k, pitch, panel, panel_pitch<T>);
    tiles.copy(depth, count, data + k * pitch + m, pitch, panel, panel_rows);
    clear_padding(depth, count, panel_rows, panel);
  }

  void pack_sliver(Tiles<T> const& tiles, int64_t k, int depth, int n, int columns, int width, T* out) const {
    clear_padding(depth, columns, width, out);
    if (!across) return tiles.copy(depth, columns, data + k * pitch + n, pitch, out, width);
    constexpr int square = 16;  // keeps the cache lines that are written in the cache until they are full
    for (int i = 0; i < depth; i += square)
      for (int c = 0; c < columns; ++c)
        for (int j = i; j < std::min(depth, i + square); ++j) out[j * width + c] = data[(n + c) * pitch + k + j];
  }
};

/// A long sum over k for few elements of C: then the split is along k.
inline bool is_deep(int64_t M, int64_t N, int64_t K) { return K >= 8 * panel_depth && M * N <= 256 * 256; }

}  // namespace detail

/// The bytes of scratch memory that gemm needs: B once more, or some partial products when K is long and C small.
template <class T> size_t gemm_work_bytes(Gemm<T> const& g) {
  if (detail::is_deep(g.M, g.N, g.K)) return size_t(detail::DeepSplit(g.N, g.K).work(g.M, g.N, sizeof(T)));
  return size_t(detail::multiply_rows_work(g.N, g.K, sizeof(T)));
}

/// The product on a given instruction set.
template <class T> int gemm_on(Isa isa, Gemm<T> const& g) {
  if (g.M <= 0 || g.N <= 0) return ok;
  detail::Matrix<T> const a{g.a, g.row_of_a(), g.trans_a}, b{g.b, g.row_of_b(), g.trans_b};
  auto const c = detail::Rows<T>::matrix(g.c, g.row_of_c());
  if (!detail::is_deep(g.M, g.N, g.K)) {
    detail::multiply_rows(tiles<T>(isa), g.M, g.N, g.K, a, b, c, g.bias, g.accumulate, g.work);
    return ok;
  }
  auto finish = [=](int64_t m, T const* product) {
    T* row = g.c + m * g.row_of_c();
    for (int n = 0; n < g.N; ++n) row[n] = product[n] + (g.bias ? g.bias[n] : g.accumulate ? row[n] : T(0));
  };
  detail::multiply_deep(tiles<T>(isa), g.M, g.N, g.K, a, b, finish, g.work);
  return ok;
}

template <class T> int gemm(Gemm<T> const& g) { return gemm_on(best_isa(), g); }

}  // namespace d16::kernels::cpu
