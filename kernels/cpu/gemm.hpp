// Matrix products at the speed of the machine. The operands are anything that can be packed into panels: a matrix in
// memory here, the patches of an image in conv2d.hpp.
#pragma once
#include <algorithm>
#include <cstring>

#include <d16/core/parallel.hpp>

#include "../gemm.hpp"
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
  int begin, columns;    // the columns that exist
  Tile<T> const* tile;   // its width counts the padding too
  bool dots;
};

/// The columns of B cut into slivers of three vectors (or two, so that no narrow one is left), then, where the rest
/// would fill at most half a vector, of four columns for the tile that runs along k.
template <class T> class Slivers {
 public:
  Slivers(Tiles<T> const& tiles, bool by_rows, int columns) : tiles_(tiles), by_rows_(by_rows), columns_(columns) {
    int rest = columns % tiles.lanes;
    bool dots = by_rows && tiles.dots.run && rest > 0 && 2 * rest <= tiles.lanes;
    vectors_ = columns / tiles.lanes + (rest > 0 && !dots);
    wide_ = int(divide_up(vectors_, 3));
    count_ = wide_ + (dots ? int(divide_up(rest, tiles.dots.width)) : 0);
  }
  int count() const { return count_; }
  Sliver<T> operator[](int i) const {
    if (i >= wide_) {
      int begin = vectors_ * tiles_.lanes + (i - wide_) * tiles_.dots.width;
      return {begin, std::min(tiles_.dots.width, columns_ - begin), &tiles_.dots, true};
    }
    int first = int(int64_t(i) * vectors_ / wide_), next = int(int64_t(i + 1) * vectors_ / wide_);
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
void pack_sliver(B const& b, Sliver<T> const& s, int lanes, int64_t k, int depth, T* out) {
  if (!s.dots) return b.pack_sliver(k, depth, s.begin, s.columns, s.tile->width, out);
  constexpr int width = 4;
  T square[panel_depth * width];
  b.pack_sliver(k, depth, s.begin, s.columns, width, square);
  for (int i = 0; i < round_up(depth, lanes); ++i)
    for (int n = 0; n < width; ++n)
      out[(i / lanes * width + n) * lanes + i % lanes] = i < depth ? square[i * width + n] : T(0);
}

/// Adds one block of k to rows [begin, end) of C, in the slivers [first, last): b holds them packed.
template <class T, class A, class C>
void multiply(A const& a, T const* b, C const& c, Slivers<T> const& slivers, int first, int last, int64_t begin, int64_t end,
              int64_t k, int depth, int padded_depth, T const* base, bool set) {
  static constexpr T zeros[3 * 16] = {};
  alignas(cache_line) T panel[panel_rows * panel_pitch<T>];
  T* rows[panel_rows];
  int const origin = slivers[first].begin;
  for (int64_t m = begin; m < end; m += panel_rows) {
    int const count = int(std::min<int64_t>(panel_rows, end - m));
    a.pack_panel(m, count, k, depth, panel);
    if (A::by_rows) {
      for (int r = 0; r < count; ++r) std::memset(panel + r * panel_pitch<T> + depth, 0, cache_line);
      for (int r = count; r < panel_rows; ++r) std::memset(panel + r * panel_pitch<T>, 0, sizeof(T) * size_t(depth) + cache_line);
    }
    for (int r = 0; r < count; ++r) rows[r] = c(m + r);
    for (int i = first; i < last; ++i) {
      Sliver<T> const s = slivers[i];
      T const* bias = !set ? nullptr : base ? base + s.begin : zeros;
      T const* packed = b + int64_t(s.begin - origin) * padded_depth;
      for (int r = 0; r < count; r += s.tile->rows)
        s.tile->run(depth, panel + (A::by_rows ? r * panel_pitch<T> : r), packed,
                    {rows + r, s.begin, std::min(s.tile->rows, count - r), s.columns, bias});
    }
  }
}

/// Below this many multiply-adds a loop is not worth waking a thread.
constexpr int64_t small_product = 1 << 20;

/// C = A B + base for any number of rows: all of B is packed first, then every task computes some rows.
template <class T, class A, class B, class C>
void multiply_rows(Tiles<T> const& tiles, int64_t M, int N, int K, A const& a, B const& b, C const& c, T const* base,
                   bool accumulate, void* work) {
  Blocks const blocks(0, K);
  Slivers<T> const slivers(tiles, A::by_rows, N);
  T* const packed = align<T>(work);
  int64_t const block_size = blocks.depth * padded_columns(N);
  bool const small = M * N * K < small_product;
  auto place = [&](int block, int column) { return packed + block * block_size + int64_t(column) * blocks.depth; };

  int64_t const slivers_to_pack = int64_t(blocks.count) * slivers.count();
  parallel_chunks(slivers_to_pack, small ? slivers_to_pack : 2, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      int const block = int(i / slivers.count());
      Sliver<T> const s = slivers[int(i % slivers.count())];
      pack_sliver(b, s, tiles.lanes, blocks.begin(block), blocks.depth_of(block), place(block, s.begin));
    }
  });

  // Tasks of ten panels, so that C stays in the cache from block to block; fewer, and parts of the columns, when M is small.
  int64_t const rows = small ? M : std::clamp<int64_t>(round_up(divide_up(M, 32), panel_rows), panel_rows, 10 * panel_rows);
  int64_t const row_tasks = divide_up(M, rows);
  int const column_tasks = small ? 1 : int(std::clamp<int64_t>(16 / row_tasks, 1, slivers.count()));
  parallel_tasks(row_tasks * column_tasks, [&](int64_t task) {
    int64_t const begin = task / column_tasks * rows, end = std::min(M, begin + rows);
    int const part = int(task % column_tasks);
    int const first = part * slivers.count() / column_tasks, last = (part + 1) * slivers.count() / column_tasks;
    for (int i = 0; i < blocks.count; ++i)
      multiply(a, place(i, slivers[first].begin), c, slivers, first, last, begin, end, blocks.begin(i), blocks.depth_of(i),
               blocks.depth, base, i == 0 && !accumulate);
  });
}
inline int64_t multiply_rows_work(int64_t N, int64_t K, size_t size) {
  Blocks const blocks(0, K);
  return blocks.count * int64_t(blocks.depth) * padded_columns(N) * int64_t(size) + cache_line;
}

/// How a product with long K and a small C is cut: chunks of K, whose partial products are added in order, times parts of
/// the columns. Every part packs its B itself.
struct DeepSplit {
  static constexpr int columns = 192;  // of a part: a multiple of three vectors of any instruction set
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
template <class T, class A, class B, class Finish>
void multiply_deep(Tiles<T> const& tiles, int M, int N, int64_t K, A const& a, B const& b, Finish const& finish, void* work) {
  DeepSplit const split(N, K);
  Slivers<T> const slivers(tiles, A::by_rows, N);
  int const slivers_of_part = DeepSplit::columns / (3 * tiles.lanes);
  int64_t const partial_size = split.partial(M, N);
  T* const partial = align<T>(work);
  T* const scratch = partial + split.chunks * partial_size;

  parallel_tasks(split.chunks * split.parts, [&](int64_t task) {
    int64_t const chunk = task / split.parts;
    int const first = int(task % split.parts) * slivers_of_part, last = std::min(slivers.count(), first + slivers_of_part);
    T* const packed = scratch + task * split.scratch();
    T* const out = partial + chunk * partial_size;
    auto row = [=](int64_t m) { return out + m * N; };
    Blocks const blocks(chunk * split.chunk, std::min(K, (chunk + 1) * split.chunk));
    for (int i = 0; i < blocks.count; ++i) {
      int64_t const k = blocks.begin(i);
      int const depth = blocks.depth_of(i), origin = slivers[first].begin;
      for (int s = first; s < last; ++s)
        pack_sliver(b, slivers[s], tiles.lanes, k, depth, packed + int64_t(slivers[s].begin - origin) * blocks.depth);
      multiply(a, packed, row, slivers, first, last, 0, M, k, depth, blocks.depth, static_cast<T const*>(nullptr), i == 0);
    }
  });
  parallel_chunks(M, std::max<int64_t>(1, small_product / 64 / (N * split.chunks)), [&](int64_t begin, int64_t end) {
    for (int64_t m = begin; m < end; ++m) {
      T* const row = partial + m * N;
      for (int64_t chunk = 1; chunk < split.chunks; ++chunk)
        simd_for(0, N, [=](int64_t n) __attribute__((always_inline)) { row[n] += row[chunk * partial_size + n]; });
      finish(m, row);
    }
  });
}

/// A matrix in memory whose rows are contiguous: as A (k along the rows) or as B (n along the rows).
template <class T> struct Along {
  static constexpr bool by_rows = true;
  T const* data;
  int64_t pitch;
  void pack_panel(int64_t m, int count, int64_t k, int depth, T* panel) const {
    for (int r = 0; r < count; ++r)
      std::memcpy(panel + r * panel_pitch<T>, data + (m + r) * pitch + k, sizeof(T) * size_t(depth));
  }
  void pack_sliver(int64_t k, int depth, int n, int columns, int width, T* out) const {
    for (int i = 0; i < depth; ++i, out += width) {
      std::memcpy(out, data + (k + i) * pitch + n, sizeof(T) * size_t(columns));
      std::memset(out + columns, 0, sizeof(T) * size_t(width - columns));
    }
  }
};

/// A matrix in memory whose transpose is wanted: as A (m along the rows) or as B (k along the rows).
template <class T> struct Across {
  static constexpr bool by_rows = false;
  T const* data;
  int64_t pitch;
  void pack_panel(int64_t m, int count, int64_t k, int depth, T* panel) const {
    for (int i = 0; i < depth; ++i, panel += panel_rows) {
      std::memcpy(panel, data + (k + i) * pitch + m, sizeof(T) * size_t(count));
      std::memset(panel + count, 0, sizeof(T) * size_t(panel_rows - count));
    }
  }
  void pack_sliver(int64_t k, int depth, int n, int columns, int width, T* out) const {
    constexpr int square = 16;  // keeps the cache lines that are written in the cache until they are full
    for (int i = 0; i < depth; i += square) {
      int const end = std::min(depth, i + square);
      for (int c = 0; c < width; ++c)
        for (int j = i; j < end; ++j) out[j * width + c] = c < columns ? data[(n + c) * pitch + k + j] : T(0);
    }
  }
};

/// A long sum over k for few elements of C: then the split is along k.
inline bool is_deep(int64_t M, int64_t N, int64_t K) { return K >= 8 * panel_depth && M * N <= 256 * 256; }

template <class T, class A, class B> void gemm(Tiles<T> const& tiles, Gemm<T> const& g, A const& a, B const& b) {
  int64_t const pitch = g.row_of_c();
  if (!is_deep(g.M, g.N, g.K)) {
    T* const c = g.c;
    auto row = [=](int64_t m) { return c + m * pitch; };
    return multiply_rows(tiles, g.M, g.N, g.K, a, b, row, g.bias, g.accumulate, g.work);
  }
  multiply_deep(
      tiles, g.M, g.N, g.K, a, b,
      [&](int64_t m, T const* row) {
        T* const c = g.c + m * pitch;
        for (int n = 0; n < g.N; ++n) c[n] = row[n] + (g.bias ? g.bias[n] : g.accumulate ? c[n] : T(0));
      },
      g.work);
}

}  // namespace detail

/// The bytes of scratch memory that gemm needs: B once more, or some partial products when K is long and C small.
template <class T> size_t gemm_work_bytes(Gemm<T> const& g) {
  if (detail::is_deep(g.M, g.N, g.K)) return size_t(detail::DeepSplit(g.N, g.K).work(g.M, g.N, sizeof(T)));
  return size_t(detail::multiply_rows_work(g.N, g.K, sizeof(T)));
}

/// The product on a given instruction set.
template <class T> int gemm_on(Isa isa, Gemm<T> const& g) {
  if (g.M <= 0 || g.N <= 0) return ok;
  Tiles<T> const& t = tiles<T>(isa);
  detail::Along<T> const a{g.a, g.row_of_a()}, b{g.b, g.row_of_b()};
  detail::Across<T> const at{g.a, g.row_of_a()}, bt{g.b, g.row_of_b()};
  if (g.trans_a) g.trans_b ? detail::gemm(t, g, at, bt) : detail::gemm(t, g, at, b);
  else g.trans_b ? detail::gemm(t, g, a, bt) : detail::gemm(t, g, a, b);
  return ok;
}

template <class T> int gemm(Gemm<T> const& g) { return gemm_on(best_isa(), g); }

}  // namespace d16::kernels::cpu
