// How a block multiplies two tiles in shared memory and what it keeps in registers: with FFMA, or on tensor cores.
#pragma once
#include "pack.cuh"
#include "product_operands.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace dense {

/// 16 bytes, moved at once.
template <class E> using Chunk = Pack<E, whole_pack<E>>;

/// ROWS x COLUMNS sums by multiply-adds of T, the exact path: a thread keeps TM x TN of them, so that the 16 (TM + TN)
/// bytes that it reads from shared memory per chunk feed 16 / sizeof(T) TM TN multiply-adds.
template <class T, int ROWS, int COLUMNS, int TM, int TN> struct SimtTile {
  using Element = T;
  using Sum = T;
  static constexpr int rows = ROWS, columns = COLUMNS, stages = 3;
  static constexpr int across = COLUMNS / TN, down = ROWS / TM, threads = across * down;
  // blocks of a multiprocessor: more would make registers spill; operands that are not deep leave room for more
  static constexpr int at_once = threads > 128 ? 1 : 2,
                       at_once_shallow = sizeof(T) == 4 && threads == 128 ? 4 : at_once;

  Sum sum[TM][TN] = {};

  // Its own sums: rows and columns of the tile, and the threads that have the same columns.
  static constexpr int own_rows = TM, own_columns = TN, lines = down;
  __device__ static int line() { return int(threadIdx.x) / across; }
  template <class L> __device__ static int row(int i) { return place<L>(i, line(), down); }
  template <class L> __device__ static int column(int j) { return place<L>(j, int(threadIdx.x) % across, across); }
  __device__ Sum at(int i, int j) const { return sum[i][j]; }

  /// The i-th row (or column) of the thread `at` of `count`. Deep tiles: neighbours read neighbouring lines; others:
  /// neighbouring chunks of a line. Either way eight threads meet every bank once.
  template <class L> __device__ static int place(int i, int at, int count) {
    return L::deep ? at + i * count : at * L::chunk + i % L::chunk + i / L::chunk * count * L::chunk;
  }
  /// value[i][v] = element v of chunk c along k, of row `first` + i of this thread.
  template <class L, int n>
  __device__ static void read(T const* tile, int c, int first, int at, int count, T (&value)[n][L::chunk]) {
#pragma unroll
    for (int i = 0; i < n; ++i) {
      int const v = i % L::chunk, i0 = i - v, row = place<L>(first + (L::deep ? i : i0), at, count);
      T const* const from = L::deep ? tile + row * L::pitch + c * L::chunk : tile + (c * L::chunk + v) * L::pitch + row;
      auto const chunk = *reinterpret_cast<Chunk<T> const*>(from);
#pragma unroll
      for (int e = 0; e < L::chunk; ++e) (L::deep ? value[i][e] : value[i0 + e][v]) = chunk.value[e];
    }
  }
  /// A chunk of k at a time, and of that four columns at a time: more would not fit beside the sums.
  template <class LA, class LB> __device__ void multiply(T const* a, T const* b) {
    constexpr int chunk = LA::chunk, some = 4;
    int const thread = int(threadIdx.x);
#pragma unroll
    for (int c = 0; c < LA::depth / chunk; ++c) {
      T x[TM][chunk];
      read<LA, TM>(a, c, 0, thread / across, down, x);
#pragma unroll
      for (int first = 0; first < TN; first += some) {
        T y[some][chunk];
        read<LB, some>(b, c, first, thread % across, across, y);
#pragma unroll
        for (int v = 0; v < chunk; ++v)
#pragma unroll
          for (int i = 0; i < TM; ++i)
#pragma unroll
            for (int j = 0; j < some; ++j) sum[i][first + j] += x[i][v] * y[j][v];
      }
    }
  }
  template <class LA, class LB, class Out> __device__ void put(Out const& out, int row, int column) const {
    if constexpr (!LB::deep)
      if (out.in_chunks()) return put_chunks<LA, LB>(out, row, column);
    put_one_by_one<LA, LB>(out, row, column);
  }
  template <class LA, class LB, class Out> __device__ void put_one_by_one(Out const& out, int row, int column) const {
    int const thread = int(threadIdx.x);
    decltype(out.line(0)) lines[TM];
#pragma unroll
    for (int i = 0; i < TM; ++i) lines[i] = out.line(row + place<LA>(i, thread / across, down));
#pragma unroll
    for (int j = 0; j < TN; ++j) {
      auto const c = out.template columns<1>(column + place<LB>(j, thread % across, across));
#pragma unroll
      for (int i = 0; i < TM; ++i) out.put(lines[i], c, sum[i][j]);
    }
  }
  /// Where B is not deep a thread has chunks of neighbouring columns.
  template <class LA, class LB, class Out> __device__ void put_chunks(Out const& out, int row, int column) const {
    constexpr int chunk = LB::chunk;
    int const thread = int(threadIdx.x);
    decltype(out.template columns<chunk>(0)) columns[TN / chunk];
#pragma unroll
    for (int j = 0; j < TN / chunk; ++j)
      columns[j] = out.template columns<chunk>(column + place<LB>(j * chunk, thread % across, across));
#pragma unroll
    for (int i = 0; i < TM; ++i) {
      auto const line = out.line(row + place<LA>(i, thread / across, down));
#pragma unroll
      for (int j = 0; j < TN / chunk; ++j) {
        Sum values[chunk];
#pragma unroll
        for (int e = 0; e < chunk; ++e) values[e] = sum[i][j * chunk + e];
        out.put_chunk(line, columns[j], values);
      }
    }
  }
};

/// ROWS x COLUMNS float sums on tensor cores, by DOWN x ACROSS warps. E: bf16 as it is, float rounded to tf32. One
/// step is 32 bytes of k, so the fragments of both kinds lie alike in a deep tile.
template <class E, int ROWS, int COLUMNS, int DOWN, int ACROSS> struct MmaTile {
  using Element = E;
  using Sum = float;
  static constexpr int rows = ROWS, columns = COLUMNS, stages = 4;
  static constexpr int threads = 32 * DOWN * ACROSS;
  static constexpr int at_once = (sizeof(E) == 4 && threads == 128 ? 384 : 512) / threads;  // else tf32 spills
  static constexpr int at_once_shallow = at_once;
  static constexpr int MT = ROWS / DOWN / 16, NT = COLUMNS / ACROSS / 8;
  static_assert(NT % 2 == 0, "B is read in pairs of fragments");

  Sum sum[MT][NT][4] = {};

  // Its own sums: rows and columns of the tile, and the threads that have the same columns.
  static constexpr int own_rows = 2 * MT, own_columns = 2 * NT, lines = 8 * DOWN;
  __device__ static int line() { return int(threadIdx.x) / 32 / ACROSS * 8 + lane() / 4; }
  template <class L> __device__ static int row(int i) { return row_of_warp() + lane() / 4 + i * 8; }
  template <class L> __device__ static int column(int j) {
    return column_of_warp() + j / 2 * 8 + lane() % 4 * 2 + j % 2;
  }
  __device__ Sum at(int i, int j) const { return sum[i / 2][j / 2][i % 2 * 2 + j % 2]; }

  __device__ static int lane() { return int(threadIdx.x) % 32; }
  __device__ static int row_of_warp() { return int(threadIdx.x) / 32 / ACROSS * MT * 16; }
  __device__ static int column_of_warp() { return int(threadIdx.x) / 32 % ACROSS * NT * 8; }

  template <class L> __device__ static void read_a(E const* tile, int k, uint32_t (&f)[MT][4]) {
#pragma unroll
    for (int i = 0; i < MT; ++i) {
      int const row = row_of_warp() + i * 16;
      if constexpr (L::deep) {  // matrices: rows 0-7 and 8-15 of the first half of k, then of the second
        gpu::ldmatrix_x4(f[i], tile + (row + lane() % 16) * L::pitch + k + lane() / 16 * L::chunk);
      } else if constexpr (sizeof(E) == 2) {
        gpu::ldmatrix_x4_trans(f[i], tile + (k + lane() / 16 * 8 + lane() % 8) * L::pitch + row + lane() / 8 % 2 * 8);
      } else {
#pragma unroll
        for (int part = 0; part < 4; ++part)
          f[i][part] =
              __float_as_uint(tile[(k + part / 2 * 4 + lane() % 4) * L::pitch + row + part % 2 * 8 + lane() / 4]);
      }
    }
  }
  template <class L> __device__ static void read_b(E const* tile, int k, uint32_t (&f)[NT][2]) {
#pragma unroll
    for (int j = 0; j < NT; j += 2) {
      int const column = column_of_warp() + j * 8;
      uint32_t pair[4];
      if constexpr (L::deep) {  // matrices: both halves of k of columns 0-7, then of columns 8-15
        gpu::ldmatrix_x4(pair,
                         tile + (column + lane() / 16 * 8 + lane() % 8) * L::pitch + k + lane() / 8 % 2 * L::chunk);
      } else if constexpr (sizeof(E) == 2) {
        gpu::ldmatrix_x4_trans(pair, tile + (k + lane() % 16) * L::pitch + column + lane() / 16 * 8);
      } else {
#pragma unroll
        for (int part = 0; part < 4; ++part)
          pair[part] =
              __float_as_uint(tile[(k + part % 2 * 4 + lane() % 4) * L::pitch + column + part / 2 * 8 + lane() / 4]);
      }
      f[j][0] = pair[0], f[j][1] = pair[1], f[j + 1][0] = pair[2], f[j + 1][1] = pair[3];
    }
  }
  template <int n, int m> __device__ static void round_to_tf32(uint32_t (&f)[n][m]) {
#pragma unroll
    for (int i = 0; i < n; ++i)
#pragma unroll
      for (int part = 0; part < m; ++part) f[i][part] = gpu::to_tf32(__uint_as_float(f[i][part]));
  }
  template <class LA, class LB> __device__ void multiply(E const* a, E const* b) {
#pragma unroll
    for (int k = 0; k < LA::depth; k += 2 * LA::chunk) {
      uint32_t x[MT][4], y[NT][2];
      read_a<LA>(a, k, x);
      read_b<LB>(b, k, y);
      if constexpr (sizeof(E) == 2) {
        gpu::mma_bf16_tile(sum, x, y);
      } else {
        round_to_tf32(x), round_to_tf32(y);
        gpu::mma_tf32_tile(sum, x, y);
      }
    }
  }
  template <class LA, class LB, class Out> __device__ void put(Out const& out, int row, int column) const {
    row += row_of_warp() + lane() / 4, column += column_of_warp();
    if (out.in_chunks()) put_chunks(out, row, column);
    else put_one_by_one(out, row, column + lane() % 4 * 2);
  }
  template <class Out> __device__ void put_one_by_one(Out const& out, int row, int column) const {
    decltype(out.line(0)) lines[2 * MT];
#pragma unroll
    for (int i = 0; i < 2 * MT; ++i) lines[i] = out.line(row + i * 8);
#pragma unroll
    for (int j = 0; j < 2 * NT; ++j) {
      auto const c = out.template columns<1>(column + j / 2 * 8 + j % 2);
#pragma unroll
      for (int i = 0; i < 2 * MT; ++i) out.put(lines[i], c, sum[i / 2][j / 2][i % 2 * 2 + j % 2]);
    }
  }
  /// Each lane has pairs of columns of several matrices of 8 columns. They are exchanged, so that it has chunks of one.
  template <class Out> __device__ void put_chunks(Out const& out, int row, int column) const {
    constexpr int chunk = 16 / int(sizeof(typename Out::Value)), pairs = chunk / 2;
    static_assert(NT % pairs == 0);
    decltype(out.template columns<chunk>(0)) columns[NT / pairs];
#pragma unroll
    for (int j = 0; j < NT / pairs; ++j)
      columns[j] = out.template columns<chunk>(column + (j * pairs + lane() % pairs) * 8 + lane() % 4 / pairs * chunk);
#pragma unroll
    for (int i = 0; i < 2 * MT; ++i) {
      auto const line = out.line(row + i * 8);
#pragma unroll
      for (int j = 0; j < NT / pairs; ++j) {
        Sum values[chunk];
#pragma unroll
        for (int e = 0; e < chunk; ++e) values[e] = sum[i / 2][j * pairs + e / 2][i % 2 * 2 + e % 2];
        exchange(values);
        out.put_chunk(line, columns[j], values);
      }
    }
  }
  /// Pair t of lane l, counted in its group of as many lanes as there are pairs, becomes pair l of lane t: a transposition
  /// bit by bit.
  template <int chunk> __device__ static void exchange(Sum (&values)[chunk]) {
#pragma unroll
    for (int bit = 1; bit < chunk / 2; bit *= 2)
#pragma unroll
      for (int e = 0; e < chunk; ++e) {
        if (e / 2 & bit) continue;
        bool const upper = lane() & bit;
        Sum const low = values[e], high = values[e + 2 * bit];
        Sum const got = __shfl_xor_sync(~0u, upper ? low : high, bit);
        values[e] = upper ? got : low, values[e + 2 * bit] = upper ? high : got;
      }
  }
};

/// The tiles of a way to multiply: large ones, narrow ones for fewer columns or few tiles, slim ones for at most 32 columns,
/// of which wider tiles would multiply none.
template <class T> struct Exact {
  using Element = T;
  using Large = SimtTile<T, 128, 128, 8, 8>;
  using Narrow = SimtTile<T, 128, 64, 8, 8>;
  using Slim = SimtTile<T, 128, 32, 8, 4>;
};
template <> struct Exact<double> {
  using Element = double;
  using Large = SimtTile<double, 128, 64, 8, 4>;
  using Narrow = Large;
  using Slim = SimtTile<double, 128, 32, 8, 4>;
};
template <class E> struct TensorCores {
  using Element = E;
  using Large = MmaTile<E, 128, 128, 2, 4>;
  using Narrow = MmaTile<E, 128, 64, 2, 2>;
  using Slim = MmaTile<E, 128, 32, 4, 1>;
};

}  // namespace dense
}  // namespace D16_GPU
}  // namespace d16::kernels
