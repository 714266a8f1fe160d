// The product kernel: C = A B for matrices and patches, tile by tile, through a pipeline of asynchronous copies.
#pragma once
#include <algorithm>

#include "../precision.hpp"
#include "cast.cuh"
#include "channel_sums.cuh"
#include "product_tiles.cuh"
#include "turn_square.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace dense {

/// C is (M,N), K is summed over, for each of `blocks` pairs of operands. A long sum is cut into `splits` of `per_split`
/// each, whose partial sums are added afterwards, in order: no atomic additions, the same bits in every run.
struct ProductSizes {
  int M, N, K, blocks = 1, splits = 1, per_split = 0;
};

template <class T> __device__ bool is_aligned(T const* p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; }

/// Where results go and what becomes of them: y = activation(scale (sum + bias) + shift + residual).
/// Row m of y is pixel (n,p,q) at n step_n + p step_p + q step_q, or just line m;
/// block b begins b of_block elements later.
template <class T> struct Finish {
  using Value = T;
  using Sum = Wide<T>;
  T* data{};
  int64_t step_q = 0, step_p = 0, step_n = 0, of_block = 0;
  int Q = 1, P = 1, M = 0, N = 0;
  Sum const *bias{}, *scale{}, *shift{};  // of a column; the block's are of_block later
  T const* residual{};                    // as y lies
  bool relu = false;

  __device__ void select(int block, int /*split*/, ProductSizes const&) {
    data += block * of_block;
    if (bias) bias += block * of_block;
    if (scale) scale += block * of_block, shift += block * of_block;
    if (residual) residual += block * of_block;
  }
  struct Line {
    int64_t offset;
    bool exists;
  };
  /// `count` neighbouring columns, which exist or not together: y = activation(scale sum + shift + residual).
  template <int count> struct Columns {
    int n;
    bool exists;
    Sum scale[count], shift[count];
  };
  __device__ Line line(int m) const {
    int const n = m / Q / P, p = m / Q % P, q = m % Q;
    return {n * step_n + p * step_p + q * step_q, m < M};
  }
  template <int count> __device__ Columns<count> columns(int n) const {
    Columns<count> c{n, n < N, {}, {}};
#pragma unroll
    for (int i = 0; i < count; ++i) {
      c.scale[i] = scale && c.exists ? scale[n + i] : Sum(1);
      c.shift[i] = (bias && c.exists ? bias[n + i] : Sum(0)) * c.scale[i];
      if (scale && c.exists) c.shift[i] += shift[n + i];
    }
    return c;
  }
  __device__ Sum result(Sum scaled, Sum more) const {
    Sum const y = scaled + more;
    return relu && y < 0 ? Sum(0) : y;  // not fmax: a NaN stays one
  }
  __device__ void put(Line const& line, Columns<1> const& c, Sum sum) const {
    int64_t const at = line.offset + c.n;
    if (!line.exists || !c.exists) return;
    Sum const more = residual ? Sum(gpu::to_float(residual[at])) : Sum(0);
    data[at] = gpu::from_float<T>(result(sum * c.scale[0] + c.shift[0], more));
  }
  /// Whether columns can be moved in chunks of 16 bytes.
  __device__ bool in_chunks() const {
    constexpr int chunk = 16 / int(sizeof(T));
    return (N | step_q | step_p | step_n) % chunk == 0 && is_aligned(data) && is_aligned(residual);
  }
  template <int chunk> __device__ void put_chunk(Line const& line, Columns<chunk> const& c, Sum (&sum)[chunk]) const {
    if (!line.exists || !c.exists) return;
    int64_t const at = line.offset + c.n;
    Chunk<T> more{};
    if (residual) more = *reinterpret_cast<Chunk<T> const*>(residual + at);
#pragma unroll
    for (int i = 0; i < chunk; ++i) sum[i] = result(sum[i] * c.scale[i] + c.shift[i], gpu::to_float(more.value[i]));
    *reinterpret_cast<Chunk<T>*>(data + at) = packed<T>(sum);
  }

  /// For a matrix whose rows are `pitch` elements apart.
  static Finish matrix(T* data, int M, int N, int64_t pitch) {
    Finish to;
    to.data = data, to.M = M, to.N = N, to.step_n = pitch;
    return to;
  }
};

/// The same without residual and ReLU, with the sums of y and of its squares over `rows_of_sums` rows each, a divisor of
/// the rows of a tile and of M.
template <class T> struct FinishWithSums : Finish<T> {
  using typename Finish<T>::Sum;
  channels::Sums* sums;  // (M / rows_of_sums, columns of all blocks)
  int rows_of_sums, all_columns;

  __device__ void select(int block, int split, ProductSizes const& s) {
    Finish<T>::select(block, split, s);
    sums += block * this->of_block;
  }
  /// What is put for a sum, as it is read again.
  __device__ Sum stored(typename Finish<T>::template Columns<1> const& c, Sum sum) const {
    return gpu::to_float(gpu::from_float<T>(sum * c.scale[0] + c.shift[0]));
  }
};

/// What else a convolution does to a result while it is in a register:
/// y = relu(scale (convolution + bias) + shift + residual), each part where it is given. scale, shift (Co): a batch
/// norm with its statistics folded in, both or none. residual: as y.
template <class T> struct Fused {
  Wide<T> const *scale{}, *shift{};
  T const* residual{};
  bool relu = false;
  channels::Sums* sums{};  ///< as of FinishWithSums; without scale, residual and ReLU
  int rows_of_sums = 0;

  Finish<T> finish(T* data, int M, int N, int64_t pitch, Wide<T> const* bias) const {
    auto to = Finish<T>::matrix(data, M, N, pitch);
    to.bias = bias, to.scale = scale, to.shift = shift, to.residual = residual, to.relu = relu;
    return to;
  }
};

/// Partial sums: (blocks, splits, M, N).
template <class Sum> struct Partial {
  using Value = Sum;
  Sum* data;
  int M, N;

  template <int count> struct Columns { int n; };
  __device__ void select(int block, int split, ProductSizes const& s) {
    data += (int64_t(block) * s.splits + split) * M * N;
  }
  __device__ Sum* line(int m) const { return m < M ? data + int64_t(m) * N : nullptr; }
  template <int count> __device__ Columns<count> columns(int n) const { return {n}; }
  __device__ void put(Sum* line, Columns<1> c, Sum sum) const {
    if (line && c.n < N) line[c.n] = sum;
  }
  __device__ bool in_chunks() const { return N % (16 / int(sizeof(Sum))) == 0; }
  template <int chunk> __device__ void put_chunk(Sum* line, Columns<chunk> c, Sum (&sum)[chunk]) const {
    if (line && c.n < N) *reinterpret_cast<Chunk<Sum>*>(line + c.n) = packed<Sum>(sum);
  }
};

/// Tiles in bands of eight rows, so that the blocks that run at the same time share what they read.
struct TilePlace {
  int row, column;
  __device__ TilePlace(int tile, int rows, int columns) {
    constexpr int band = 8;
    int const first = tile / (band * columns) * band, height = rows - first < band ? rows - first : band;
    row = first + tile % (band * columns) % height, column = tile % (band * columns) / height;
  }
};

__host__ __device__ constexpr int ceil_div(int64_t a, int64_t b) { return int((a + b - 1) / b); }

/// Numbers that leave registers for it.
template <class T> constexpr bool sums_in_registers = !std::is_same_v<T, double>;
template <class Out> constexpr bool has_sums = requires(Out out) { out.sums; };
/// Sums of one line of threads for each column; the gap spreads lines over all banks.
template <class Tile> constexpr int pitch_of_sums = Tile::columns + 1;

/// The sums of what a tile has put: each thread adds up its rows, for each of its columns, then a thread for each column
/// the lines of threads, in double. A thread counts from its first value on: few values, near one another, of which float32
/// keeps the digits wherever they are, in a fourth of the registers.
template <class LA, class LB, class Tile, class Out>
__device__ void put_sums(Tile const& tile, Out const& out, channels::Sums* of_line, int row, int column) {
  constexpr int pitch = pitch_of_sums<Tile>;
  for (int first = 0; first < Tile::rows; first += out.rows_of_sums) {
#pragma unroll
    for (int j = 0; j < Tile::own_columns; ++j) {
      int const n = Tile::template column<LB>(j);
      auto const c = out.template columns<1>(column + n);
      auto const pivot = out.stored(c, tile.at(0, j));
      typename Out::Sum sum = 0, squares = 0, count = 0;
#pragma unroll
      for (int i = 0; i < Tile::own_rows; ++i) {
        int const m = Tile::template row<LA>(i);
        auto const d = out.stored(c, tile.at(i, j)) - pivot;
        if (m >= first && m < first + out.rows_of_sums) sum += d, squares += d * d, count += 1;
      }
      double const p = double(pivot), all = double(count) * p;
      of_line[Tile::line() * pitch + n] = {all + double(sum), (all + 2 * double(sum)) * p + double(squares)};
    }
    __syncthreads();  // the sums of all lines are there
    for (int n = int(threadIdx.x); n < Tile::columns; n += Tile::threads) {
      if (row + first >= out.M || column + n >= out.N) continue;
      channels::Sums sum = of_line[n];
      for (int line = 1; line < Tile::lines; ++line) sum.add(of_line[line * pitch + n]);
      out.sums[int64_t((row + first) / out.rows_of_sums) * out.all_columns + column + n] = sum;
    }
    __syncthreads();  // they have been read
  }
}

/// Patches keep their places in registers, whichever way they lie.
template <class A, class B> constexpr bool shallow = !A::gathered && !A::deep && !B::deep;

/// One tile of C. Grid: (tiles, splits, blocks). Of `stages` tiles of A and B in shared memory one is multiplied while
/// the others are on their way.
template <class Tile, class A, class B, class Out>
__global__ void __launch_bounds__(Tile::threads, shallow<A, B> ? Tile::at_once_shallow : Tile::at_once)
    product(A a, B b, Out out, ProductSizes s) {
  using E = typename Tile::Element;
  using LA = Layout<E, Tile::rows, A::deep>;
  using LB = Layout<E, Tile::columns, B::deep>;
  gpu::Smem smem;
  E* const tiles_a = smem.take<E>(Tile::stages * LA::size);
  E* const tiles_b = smem.take<E>(Tile::stages * LB::size);
  int const split = int(blockIdx.y), block = int(blockIdx.z);
  TilePlace const at(int(blockIdx.x), ceil_div(s.M, Tile::rows), ceil_div(s.N, Tile::columns));
  int const begin = split * s.per_split, end = min(s.K, begin + s.per_split), steps = ceil_div(end - begin, LA::depth);
  typename A::template Loader<LA, Tile::threads> from_a(a, block, at.row * Tile::rows, begin, end);
  typename B::template Loader<LB, Tile::threads> from_b(b, block, at.column * Tile::columns, begin, end);
  auto load = [&](int step) {  // a group is committed even when it is empty: waiting counts groups
    if (step < steps) {
      from_a.load(tiles_a + step % Tile::stages * LA::size);
      from_b.load(tiles_b + step % Tile::stages * LB::size);
    }
    gpu::cp_async_commit();
  };
  Tile tile;
#pragma unroll
  for (int step = 0; step < Tile::stages - 1; ++step) load(step);
#pragma unroll 1
  for (int step = 0; step < steps; ++step) {
    gpu::cp_async_wait<Tile::stages - 2>();
    __syncthreads();  // this step's tiles have landed, and nobody reads the stage that is filled next
    load(step + Tile::stages - 1);
    tile.template multiply<LA, LB>(tiles_a + step % Tile::stages * LA::size, tiles_b + step % Tile::stages * LB::size);
  }
  out.select(block, split, s);
  tile.template put<LA, LB>(out, at.row * Tile::rows, at.column * Tile::columns);
  if constexpr (has_sums<Out>)
    put_sums<LA, LB>(tile, out, smem.take<channels::Sums>(Tile::lines * pitch_of_sums<Tile>), at.row * Tile::rows,
                     at.column * Tile::columns);
}

/// Adds the partial sums of each element, in order. One thread per element and block.
template <class T> __global__ void finish_partial(Wide<T> const* partial, Finish<T> out, ProductSizes s) {
  out.select(int(blockIdx.z), 0, s);
  int64_t const elements = int64_t(s.M) * s.N;
  partial += blockIdx.z * s.splits * elements;
  for (int64_t i = gpu::this_thread(); i < elements; i += gpu::all_threads()) {
    Wide<T> sum = 0;
    for (int split = 0; split < s.splits; ++split) sum += partial[split * elements + i];
    out.put(out.line(int(i / s.N)), out.template columns<1>(int(i % s.N)), sum);
  }
}

/// out[i] = element(i), for what a product wants in another order or rounding than it lies in memory.
template <class E, class Element> __global__ void fill(Element element, int64_t count, E* out) {
  for (int64_t i = gpu::this_thread(); i < count; i += gpu::all_threads()) out[i] = gpu::from_float<E>(element(i));
}
template <class E, class Element> void launch_fill(Element const& element, int64_t count, E* out) {
  if (count > 0)
    gpu::launch(fill<E, Element>, gpu::blocks_for(count, 256), dim3(256), 0, gpu::current_stream(), element, count,
                out);
}

/// out (lines, depth): element(line, k), where neighbouring lines lie side by side in what it reads.
/// Grid: (squares of lines, squares of k).
template <class E, class Element> __global__ void __launch_bounds__(square* square_rows)
    fill_turned(Element const element, int lines, int depth, E* out) {
  gpu::Smem smem;
  auto* const values = smem.take<decltype(element(0, 0))>(square_values);
  int const line0 = int(blockIdx.x) * square, k0 = int(blockIdx.y) * square;
  turn_square(
      values, depth - k0, lines - line0, [&](int k, int line) { return element(line0 + line, k0 + k); },
      [&](int line, int k, auto value) { out[int64_t(line0 + line) * depth + k0 + k] = gpu::from_float<E>(value); });
}
template <class E, class Element> int launch_fill_turned(Element const& element, int lines, int depth, E* out) {
  if (lines <= 0 || depth <= 0) return ok;
  dim3 const grid(unsigned(ceil_div(lines, square)), unsigned(ceil_div(depth, square)));
  if (grid.y > 65535) return unsupported;
  return gpu::launch(fill_turned<E, Element>, grid, dim3(square, square_rows), gpu::Smem::bytes<Wide<E>>(square_values),
                     gpu::current_stream(), element, lines, depth, out);
}

/// Blocks that keep a large GPU busy: two for each of some 130 multiprocessors. A constant, so that sums have one order
/// on every card.
constexpr int64_t enough_blocks = 264;

template <class Tile> constexpr int64_t tiles_of(ProductSizes const& s) {
  return int64_t(ceil_div(s.M, Tile::rows)) * ceil_div(s.N, Tile::columns) * s.blocks;
}
template <class Tiles> constexpr bool takes_large(ProductSizes const& s) {
  return s.N > Tiles::Narrow::columns && 2 * tiles_of<typename Tiles::Large>(s) >= enough_blocks;
}
template <class Tiles> constexpr bool takes_slim(ProductSizes const& s) { return s.N <= Tiles::Slim::columns; }
/// The sizes with a sum as deep as it is worth splitting: at least eight steps for each part.
template <class Tiles> ProductSizes split(ProductSizes s) {
  constexpr int depth = 64 / int(sizeof(typename Tiles::Element));
  int64_t const tiles = takes_slim<Tiles>(s)    ? tiles_of<typename Tiles::Slim>(s)
                        : takes_large<Tiles>(s) ? tiles_of<typename Tiles::Large>(s)
                                                : tiles_of<typename Tiles::Narrow>(s);
  int64_t const wanted = std::min(enough_blocks / std::max<int64_t>(tiles, 1), int64_t(s.K) / (8 * depth));
  s.per_split = std::max(1, ceil_div(ceil_div(s.K, std::max<int64_t>(wanted, 1)), depth)) * depth;
  s.splits = std::max(1, ceil_div(s.K, s.per_split));
  return s;
}

/// The shared memory of a tile's block.
template <class Tile, class A, class B, class Out> constexpr size_t shared_bytes() {
  using E = typename Tile::Element;
  size_t bytes = gpu::Smem::bytes<E>(Tile::stages * Layout<E, Tile::rows, A::deep>::size) +
                 gpu::Smem::bytes<E>(Tile::stages * Layout<E, Tile::columns, B::deep>::size);
  if constexpr (has_sums<Out>) bytes += gpu::Smem::bytes<channels::Sums>(Tile::lines * pitch_of_sums<Tile>);
  return bytes;
}
template <class Tile, class A, class B, class Out>
int launch_product(A const& a, B const& b, Out const& out, ProductSizes const& s) {
  int64_t const tiles = int64_t(ceil_div(s.M, Tile::rows)) * ceil_div(s.N, Tile::columns);
  if (tiles > 0x7fffffff || s.blocks > 65535) return unsupported;
  return gpu::launch(product<Tile, A, B, Out>, dim3(unsigned(tiles), unsigned(s.splits), unsigned(s.blocks)),
                     dim3(Tile::threads), shared_bytes<Tile, A, B, Out>(), gpu::current_stream(), a, b, out, s);
}

/// C = A B for a split that `split` has chosen. Large tiles with sums of their columns do not fit every card.
template <class Tiles, class A, class B, class Out>
int multiply(A const& a, B const& b, Out const& out, ProductSizes const& s) {
  if (s.M <= 0 || s.N <= 0 || s.blocks <= 0) return ok;
  if (takes_slim<Tiles>(s)) return launch_product<typename Tiles::Slim>(a, b, out, s);
  bool const fits = shared_bytes<typename Tiles::Large, A, B, Out>() <= gpu::most_shared_bytes();
  if (takes_large<Tiles>(s) && fits) return launch_product<typename Tiles::Large>(a, b, out, s);
  return launch_product<typename Tiles::Narrow>(a, b, out, s);
}

/// Scratch memory, piece by piece, each on a boundary of 256 bytes. With a null base it only counts.
struct Scratch {
  char* base;
  size_t used = 0;
  explicit Scratch(void* work) : base(static_cast<char*>(work)) {}
  template <class E> E* take(int64_t count) {
    E* const at = base ? reinterpret_cast<E*>(base + used) : nullptr;
    used += (size_t(count) * sizeof(E) + 255) / 256 * 256;
    return at;
  }
};

/// Lines of `blocks` times `length` elements as a product reads them: in place, or as a copy in E whose blocks are
/// filled up with zeros to multiples of 16 bytes. Tensor cores on bf16 read in chunks of 16 bytes only.
template <class E, class T> class Prepared {
 public:
  struct Element {
    T const* from;
    int64_t pitch;
    int blocks, length, padded;
    __device__ auto operator()(int64_t i) const {
      int const c = int(i % padded), block = int(i / padded % blocks);
      using S = decltype(gpu::to_float(*from));
      return c < length ? gpu::to_float(from[i / padded / blocks * pitch + block * length + c]) : S(0);
    }
  };
  Prepared(T const* from, int64_t lines, int blocks, int length, int64_t pitch, Scratch& scratch)
      : from_(from), lines_(lines), pitch_(pitch), blocks_(blocks), length_(length) {
    constexpr int chunk = 16 / int(sizeof(E));
    aligned_ = reinterpret_cast<uintptr_t>(from) % 16 == 0 && pitch % chunk == 0 && length % chunk == 0;
    if (copied()) copy_ = scratch.take<E>(lines * pitch_of_copy());
  }
  void fill() const {
    if constexpr (std::is_same_v<T, float> && std::is_same_v<E, bf16>)
      if (aligned_ && pitch_ == pitch_of_copy() &&
          lines_ * pitch_ > 0) {  // nothing to fill up: without a division for each number
        cast_packs<float, bf16>({.n = lines_ * pitch_, .x = from_, .y = copy_});
        return;
      }
    if (copied()) launch_fill(Element{from_, pitch_, blocks_, length_, padded()}, lines_ * pitch_of_copy(), copy_);
  }
  E const* data() const {
    if constexpr (std::is_same_v<E, T>) return copied() ? copy_ : from_;
    else return copy_;
  }
  bool aligned() const { return copied() || aligned_; }
  int64_t pitch() const { return copied() ? pitch_of_copy() : pitch_; }
  int channels() const { return copied() ? padded() : length_; }  ///< from one block to the next

 private:
  bool copied() const { return !std::is_same_v<E, T> || (sizeof(E) == 2 && !aligned_); }
  int padded() const { return (length_ + 7) / 8 * 8; }
  int64_t pitch_of_copy() const { return int64_t(blocks_) * padded(); }

  T const* from_;
  E* copy_{};
  int64_t lines_, pitch_;
  int blocks_, length_;
  bool aligned_;
};

/// Calls run(Tiles()) with the way to multiply numbers of T.
template <class T, class Run> auto with_tiles(Precision precision, Run const& run) {
  if constexpr (std::is_same_v<T, double>) return run(Exact<double>());
  else if constexpr (std::is_same_v<T, bf16>) return run(TensorCores<bf16>());
  else if (precision == Precision::tf32) return run(TensorCores<float>());
  else if (precision == Precision::bfloat16) return run(TensorCores<bf16>());
  else return run(Exact<float>());
}

}  // namespace dense
}  // namespace D16_GPU
}  // namespace d16::kernels
