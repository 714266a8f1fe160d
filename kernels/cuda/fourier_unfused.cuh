// The factored group convolution in four kernels, for any group and both precisions of numbers, and the gradient of its
// weights: transform, project, products, finish. The fused kernel is measured against it.
#pragma once
#include <algorithm>

#include "fourier_weights.cuh"
#include "pack.cuh"
#include "product.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace fourier {

using dense::Scratch;

/// Pixels of a convolution from images (N,H,W) to images (N,P,Q). Tap i of output p lies at p stride + i dilation -
/// padding; when `every` > 1, the input is spread out, and only every such position has a pixel: the adjoint of a
/// stride.
struct Geometry {
  int N, H, W, P, Q, kernel, stride, padding, dilation, every;

  template <class T> static Geometry forward(GroupConv2d<T> const& a) {
    return {a.N, a.H, a.W, a.out(a.H), a.out(a.W), a.kernel, a.stride, a.padding, a.dilation, 1};
  }
  template <class T> static Geometry adjoint(GroupConv2d<T> const& a) {
    int const padding = a.dilation * (a.kernel - 1) - a.padding;
    return {a.N, a.out(a.H), a.out(a.W), a.H, a.W, a.kernel, 1, padding, a.dilation, a.stride};
  }
  int64_t inputs() const { return int64_t(H) * W; }  ///< pixels of one image
  int64_t outputs() const { return int64_t(P) * Q; }
  /// The row or column of the input at a position, or -1.
  __device__ int pixel(int position, int size) const {
    if (position < 0 || position % every != 0 || position / every >= size) return -1;
    return position / every;
  }
};
inline Sides adjoint(Sides s) {
  return s == Sides::lifting ? Sides::projecting : s == Sides::projecting ? Sides::lifting : s;
}

/// A value of field c as the layer reads it: as it is, or relu((x - m) s + t) with norm (3,fields).
template <class T> __device__ __forceinline__ T normalised(T x, T const* norm, int c, int fields) {
  if (!norm) return x;
  T const y = (x - norm[c]) * norm[fields + c] + norm[2 * fields + c];
  return y < 0 ? T(0) : y;
}

/// x (rows, fields, order) to coefficients of the same shape: a product with the matrix of the transform, or a copy
/// where x holds `coefficients` already.
template <class T, class From, class To> __global__ void transform_fields(Tables<T> t, int order, bool coefficients,
                                                                          int64_t rows, int fields, From const* x,
                                                                          T const* norm, To* out) {
  int64_t const count = rows * fields * order;
  for (int64_t i = gpu::this_thread(); i < count; i += gpu::all_threads()) {
    int const q = int(i % order), c = int(i / order % fields);
    From const* const row = x + i / order * order;
    auto value = [&](int h) { return normalised(T(gpu::to_float(row[h])), norm, c, fields); };
    T sum = 0;
    if (order == 1 || coefficients) sum = value(q);
    else
      for (int h = 0; h < order; ++h) sum += t.phi[q * order + h] * value(h);
    out[i] = gpu::from_float<To>(sum);
  }
}

/// Coefficients (N,H,W,Ci,in_order) to panels (panels, N P Q, Ci V): the basis around each output, in the frame of each
/// element. One thread for each output pixel, field and column.
template <class T> __global__ void project_fields(Tables<T> t, Geometry g, int Ci, T const* x, T* panels) {
  int64_t const pixels = g.N * int64_t(g.P) * g.Q, count = pixels * Ci * t.columns, depth = int64_t(Ci) * t.V;
  for (int64_t i = gpu::this_thread(); i < count; i += gpu::all_threads()) {
    int const column = int(i % t.columns), c = int(i / t.columns % Ci);
    int64_t const pixel = i / t.columns / Ci, n = pixel / g.Q / g.P;
    int const p = int(pixel / g.Q % g.P), q = int(pixel % g.Q);
    Column const at = t.column[column];
    T* const to = panels + pixel * depth + c * t.V;
    for (int h = 0; h < t.harmonics; ++h) {
      T cosine_a = 0, sine_a = 0, cosine_b = 0, sine_b = 0;
      for (int tap = 0; tap < g.kernel * g.kernel; ++tap) {
        int const row = g.pixel(p * g.stride + tap / g.kernel * g.dilation - g.padding, g.H);
        int const col = g.pixel(q * g.stride + tap % g.kernel * g.dilation - g.padding, g.W);
        if (row < 0 || col < 0) continue;
        T const* const from = x + (((n * g.H + row) * g.W + col) * Ci + c) * t.in_order;
        T const a = from[at.a], b = at.b < 0 ? T(0) : from[at.b];
        T const C = t.taps[(h * g.kernel * g.kernel + tap) * 2], S = t.taps[(h * g.kernel * g.kernel + tap) * 2 + 1];
        cosine_a += C * a, sine_a += S * a, cosine_b += C * b, sine_b += S * b;
      }
      auto put = [&](int value, T result) {
        int const route = t.route[(column * t.harmonics + h) * 4 + value];
        if (route == 0) return;
        int const place = (route < 0 ? -route : route) - 1;
        to[place / slots_per_panel * pixels * depth + place % slots_per_panel] = route < 0 ? -result : result;
      };
      put(0, at.single ? cosine_a : cosine_a - sine_b);
      put(1, at.single ? sine_a : sine_a + cosine_b);
      put(2, at.single ? cosine_b : cosine_a + sine_b);
      put(3, at.single ? sine_b : cosine_b - sine_a);
    }
  }
}

/// A tile of 64 x 64 sums, 4 x 4 for each of 256 threads, from operands that pass through shared memory 16 deep.
template <class T> struct SumTile {
  static constexpr int size = 64, depth = 16, threads = 256, pitch = size + 4;
  static constexpr size_t shared_bytes = 2 * gpu::Smem::bytes<T>(depth * pitch);
  T *left, *right, sum[4][4] = {};

  __device__ explicit SumTile(gpu::Smem& smem) {
    left = smem.take<T>(depth * pitch);
    right = smem.take<T>(depth * pitch);
  }
  /// Adds the products of left(row, k) and right(k, column), k < depth. left_by_k: k is contiguous in memory.
  template <bool left_by_k, class Left, class Right>
  __device__ void add(int64_t whole_depth, Left const& left_at, Right const& right_at) {
    int const thread = int(threadIdx.x);
    for (int64_t k0 = 0; k0 < whole_depth; k0 += depth) {
      for (int i = thread; i < depth * size; i += threads) {
        // by k: four lines of eight, which the pitch puts into different banks
        int const k = left_by_k ? i % 8 + i / 32 % 2 * 8 : i / size,
                  row = left_by_k ? i / 8 % 4 + i / 64 * 4 : i % size;
        left[k * pitch + row] = k0 + k < whole_depth ? left_at(row, k0 + k) : T(0);
        right[i / size * pitch + i % size] = k0 + i / size < whole_depth ? right_at(k0 + i / size, i % size) : T(0);
      }
      __syncthreads();
#pragma unroll
      for (int k = 0; k < depth; ++k) {
        auto const a = read_pack<4>(left + k * pitch, thread / 16), b = read_pack<4>(right + k * pitch, thread % 16);
#pragma unroll
        for (int i = 0; i < 4; ++i)
#pragma unroll
          for (int j = 0; j < 4; ++j) sum[i][j] += a.value[i] * b.value[j];
      }
      __syncthreads();
    }
  }
  /// To a matrix that goes on for `rows` and `columns` from this tile's first ones: four columns at once where its rows,
  /// `all_columns` long, are made of such.
  __device__ void write(T* out, int64_t rows, int columns, int all_columns) const {
    int const row = int(threadIdx.x) / 16 * 4, column = int(threadIdx.x) % 16 * 4;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      T* const to = out + int64_t(row + i) * all_columns + column;
      if (row + i >= rows || column >= columns) continue;
      if (all_columns % 4 == 0) {
        Pack<T, 4> four;
#pragma unroll
        for (int j = 0; j < 4; ++j) four.value[j] = sum[i][j];
        write_pack<4>(to, 0, four);
      } else {
#pragma unroll
        for (int j = 0; j < 4; ++j)
          if (column + j < columns) to[j] = sum[i][j];
      }
    }
  }
};

/// panels (panels, pixels, depth) times entries (entries, depth, Co) to coefficients (outputs, pixels, Co).
/// Grid: (tiles of pixels, tiles of fields, outputs).
template <class T> __global__ void __launch_bounds__(SumTile<T>::threads)
    multiply_panels(Tables<T> t, int64_t pixels, int64_t depth, int Co, T const* panels, T const* entries, T* out) {
  gpu::Smem smem;
  SumTile<T> tile(smem);
  int64_t const first = int64_t(blockIdx.x) * tile.size;
  int const o = int(blockIdx.y) * tile.size, output = int(blockIdx.z);
  for (int i = t.product_begin[output]; i < t.product_begin[output + 1]; ++i) {
    Product const p = t.products[i];
    T const *const panel = panels + (p.panel * pixels + first) * depth, *const entry =
                                                                            entries + p.entry * depth * Co + o;
    T const sign = T(p.sign);
    tile.template add<true>(
        depth, [&](int row, int64_t k) { return first + row < pixels ? sign * panel[row * depth + k] : T(0); },
        [&](int64_t k, int column) { return o + column < Co ? entry[k * Co + column] : T(0); });
  }
  tile.write(out + (output * pixels + first) * Co + o, pixels - first, Co - o, Co);
}

/// What follows the sum of products: y = relu(scale sum + bias), where each may be absent. NaN passes.
template <class T> struct Ending {
  T const *scale{}, *bias{};
  bool relu = false;
  __device__ T operator()(T sum, int o) const {
    T const y = (scale ? scale[o] : T(1)) * sum + (bias ? bias[o] : T(0));
    return relu && y < 0 ? T(0) : y;
  }
};

/// Coefficients (outputs, pixels, Co) back to features y (pixels, Co, out_order).
template <class T, class To>
__global__ void finish_fields(Tables<T> t, int64_t pixels, int Co, T const* coefficients, Ending<T> ending, To* y) {
  int64_t const count = pixels * Co * t.out_order;
  for (int64_t i = gpu::this_thread(); i < count; i += gpu::all_threads()) {
    int const g = int(i % t.out_order);
    int64_t const at = i / t.out_order;
    T sum = 0;
    if (t.out_order == 1) sum = coefficients[at];
    else
      for (int q = 0; q < t.outputs; ++q) sum += t.phi[q * t.order + g] * coefficients[q * pixels * Co + at];
    y[i] = gpu::from_float<To>(ending(sum, int(at % Co)));
  }
}

/// The gradient of the entries, (splits, entries, depth, Co), from panels and the transformed gradient of the result,
/// (pixels, Co, outputs): each split adds its own range of pixels. Grid: (tiles of depth, tiles of fields, entries
/// splits).
template <class T> __global__ void __launch_bounds__(SumTile<T>::threads)
    multiply_gradient(Tables<T> t, int64_t pixels, int64_t per_split, int64_t depth, int Co, T const* panels,
                      T const* dy, T* out) {
  gpu::Smem smem;
  SumTile<T> tile(smem);
  int64_t const k = int64_t(blockIdx.x) * tile.size;
  int const o = int(blockIdx.y) * tile.size, entry = int(blockIdx.z) % t.outputs, split = int(blockIdx.z) / t.outputs;
  int64_t const first = split * per_split, left_over = pixels - first,
                mine = left_over < per_split ? left_over : per_split;
  for (int i = t.user_begin[entry]; i < t.user_begin[entry + 1]; ++i) {
    Product const p = t.users[i];
    T const* const panel = panels + (p.panel * pixels + first) * depth + k;
    T const *const gradient = dy + (first * Co + o) * t.outputs + p.output, sign = T(p.sign);
    tile.template add<false>(
        mine, [&](int row, int64_t pixel) { return k + row < depth ? sign * panel[pixel * depth + row] : T(0); },
        [&](int64_t pixel, int column) {
          return o + column < Co ? gradient[(pixel * Co + column) * t.outputs] : T(0);
        });
  }
  tile.write(out + (int64_t(blockIdx.z) * depth + k) * Co + o, depth - k, Co - o, Co);
}

/// total[i] (+)= the partial sums of i, in the order of their splits.
template <class T> __global__ void add_splits(int64_t count, int splits, bool onto, T const* partial, T* total) {
  for (int64_t i = gpu::this_thread(); i < count; i += gpu::all_threads()) {
    T sum = onto ? total[i] : T(0);
    for (int s = 0; s < splits; ++s) sum += partial[s * count + i];
    total[i] = sum;
  }
}

/// How many bytes of scratch memory a convolution in four kernels takes at most for its images, unless it is one image.
inline int64_t& most_scratch() {
  static int64_t bytes = int64_t(64) << 20;
  return bytes;
}

/// A convolution in four launches for every few images: as many as most_scratch() allows. Computed in T; features are E
/// in memory.
template <class T, class E = T> class Unfused {
 public:
  Unfused(GroupConv2d<E> const& a, bool adjoint)
      : plan_(plan_of<T>({a, adjoint ? fourier::adjoint(a.sides) : a.sides})),
        g_(adjoint ? Geometry::adjoint(a) : Geometry::forward(a)),
        Ci_(adjoint ? a.Co : a.Ci),
        Co_(adjoint ? a.Ci : a.Co) {}

  bool fits() const { return true; }
  size_t work_bytes(GroupConv2d<E> const& a, bool adjoint) const { return scratch_bytes(a, adjoint, false); }
  size_t gradient_bytes(GroupConv2d<E> const& a) const { return scratch_bytes(a, false, true); }

  /// y from x, weights and what follows the sums.
  int convolve(GroupConv2d<E> const& a, bool adjoint, E const* x, T const* norm, Ending<T> ending, E* y) const {
    Tables<T> const t = plan_.on_device();
    if (!t.order) return unsupported;
    Scratch scratch(a.work);
    Pieces const at(*this, scratch, a, adjoint, false);
    T const *w = a.w, *const entries = at.packed ? a.packed : at.entries;
    if (adjoint) launch_adjoint(t, a, at.adjoint), w = at.adjoint;
    if (!at.packed) launch_pack(t, w, at.entries);
    auto const stream = gpu::current_stream();
    for (int n = 0; n < g_.N; n += at.images) {
      Geometry const g = part(n, at.images);
      int64_t const pixels = g.N * g.outputs();
      panels(t, g, n, at, a.x_coefficients && !adjoint, x, norm);
      using Tile = SumTile<T>;
      gpu::launch(multiply_panels<T>,
                  dim3(unsigned(dense::ceil_div(pixels, Tile::size)), unsigned(dense::ceil_div(Co_, Tile::size)),
                       unsigned(t.outputs)),
                  dim3(Tile::threads), Tile::shared_bytes, stream, t, pixels, depth(), Co_, at.panels, entries,
                  at.sums);
      finish(t, pixels, at, ending, y + n * g.outputs() * Co_ * t.out_order);
    }
    return ok;
  }

  /// How many numbers packed weights have, and what writes them.
  int64_t packed_count() const { return plan_.sizes().outputs * depth() * Co_; }
  int pack(GroupConv2d<E> const& a) const {
    Tables<T> const t = plan_.on_device();
    return t.order ? launch_pack(t, a.w, a.packed) : int(unsupported);
  }

  /// dw from x and dy. Sums over pixels in two steps with a fixed order: the same bits in every run.
  int gradient(GroupConv2d<E> const& a) const {
    Tables<T> const t = plan_.on_device();
    if (!t.order) return unsupported;
    Scratch scratch(a.work);
    Pieces const at(*this, scratch, a, false, true);
    auto const stream = gpu::current_stream();
    int64_t const entries = t.outputs * depth() * Co_;
    for (int n = 0; n < g_.N; n += at.images) {
      Geometry const g = part(n, at.images);
      int64_t const pixels = g.N * g.outputs(), per_split = dense::ceil_div(pixels, at.splits);
      panels(t, g, n, at, false, a.x, a.norm);
      gpu::launch(transform_fields<T, E, T>, blocks(pixels * Co_ * t.out_order), dim3(256), 0, stream, t, t.out_order,
                  false, pixels, Co_, a.dy + n * g.outputs() * Co_ * t.out_order, static_cast<T const*>(nullptr),
                  at.dy);
      using Tile = SumTile<T>;
      gpu::launch(multiply_gradient<T>,
                  dim3(unsigned(dense::ceil_div(depth(), Tile::size)), unsigned(dense::ceil_div(Co_, Tile::size)),
                       unsigned(t.outputs * at.splits)),
                  dim3(Tile::threads), Tile::shared_bytes, stream, t, pixels, per_split, depth(), Co_, at.panels, at.dy,
                  at.partial);
      gpu::launch(add_splits<T>, blocks(entries), dim3(256), 0, stream, entries, at.splits, n > 0, at.partial,
                  at.entries);
    }
    return gpu::launch(gradient_of_weights<T>, blocks(int64_t(Co_) * Ci_ * t.V * t.slots), dim3(256), 0, stream, t, Ci_,
                       Co_, at.entries, a.dw);
  }

 private:
  static dim3 blocks(int64_t count) { return gpu::blocks_for(count, 256); }
  int64_t depth() const { return int64_t(Ci_) * plan_.sizes().V; }
  Geometry part(int n, int images) const {
    Geometry g = g_;
    g.N = std::min(images, g_.N - n);
    return g;
  }

  size_t scratch_bytes(GroupConv2d<E> const& a, bool adjoint, bool gradient) const {
    Scratch scratch(nullptr);
    Pieces(*this, scratch, a, adjoint, gradient);
    return scratch.used;
  }
  /// Scratch memory, in the order in which it is used.
  struct Pieces {
    int images, splits;
    bool packed, finish;  ///< weights come packed; what is finished is transformed once more
    T *adjoint, *entries, *partial, *transformed, *panels, *sums, *dy, *finished;

    Pieces(Unfused const& u, Scratch& scratch, GroupConv2d<E> const& a, bool for_adjoint, bool gradient)
        : packed(a.packed && !for_adjoint && !gradient), finish(a.y_coefficients && !for_adjoint && !gradient) {
      Tables<T> const& t = u.plan_.sizes();
      int64_t const in = u.g_.inputs() * u.Ci_ * t.in_order, wide = u.g_.outputs() * u.depth() * t.panels;
      int64_t const out = u.g_.outputs() * u.Co_ * t.outputs, most = most_scratch() / int64_t(sizeof(T));
      images = int(std::clamp<int64_t>(most / (in + wide + out), 1, u.g_.N));
      int64_t const tiles = int64_t(dense::ceil_div(u.depth(), 64)) * dense::ceil_div(u.Co_, 64) * t.outputs;
      int64_t const long_enough = dense::ceil_div(images * u.g_.outputs(), 256);
      splits = int(std::clamp<int64_t>(dense::enough_blocks / tiles, 1, long_enough));
      int64_t const weights = u.depth() * u.Co_;
      adjoint = scratch.take<T>(for_adjoint ? weights * t.slots : 0);
      entries = scratch.take<T>(packed ? 0 : weights * t.outputs);
      partial = scratch.take<T>(gradient ? weights * t.outputs * splits : 0);
      transformed = scratch.take<T>(images * in);
      panels = scratch.take<T>(images * wide);
      sums = scratch.take<T>(gradient ? 0 : images * out);
      dy = scratch.take<T>(gradient ? images * out : 0);
      finished = scratch.take<T>(finish ? images * u.g_.outputs() * u.Co_ * t.out_order : 0);
    }
  };

  int launch_pack(Tables<T> const& t, T const* w, T* entries) const {
    return gpu::launch(coefficients_of_weights<T>, blocks(packed_count()), dim3(256), 0, gpu::current_stream(), t, Ci_,
                       Co_, w, entries);
  }

  /// The features of some images, from number n on.
  void panels(Tables<T> const& t, Geometry const& g, int n, Pieces const& at, bool coefficients, E const* x,
              T const* norm) const {
    int64_t const rows = g.N * g.inputs();
    auto const stream = gpu::current_stream();
    gpu::launch(transform_fields<T, E, T>, blocks(rows * Ci_ * t.in_order), dim3(256), 0, stream, t, t.in_order,
                coefficients, rows, Ci_, x + n * g.inputs() * Ci_ * t.in_order, norm, at.transformed);
    gpu::launch(project_fields<T>, blocks(g.N * g.outputs() * Ci_ * t.columns), dim3(256), 0, stream, t, g, Ci_,
                at.transformed, at.panels);
  }

  /// From sums to y.
  void finish(Tables<T> const& t, int64_t pixels, Pieces const& at, Ending<T> ending, E* y) const {
    auto const stream = gpu::current_stream();
    dim3 const grid = blocks(pixels * Co_ * t.out_order);
    if (!at.finish)
      return void(gpu::launch(finish_fields<T, E>, grid, dim3(256), 0, stream, t, pixels, Co_, at.sums, ending, y));
    gpu::launch(finish_fields<T, T>, grid, dim3(256), 0, stream, t, pixels, Co_, at.sums, ending, at.finished);
    gpu::launch(transform_fields<T, T, E>, grid, dim3(256), 0, stream, t, t.out_order, false, pixels, Co_, at.finished,
                static_cast<T const*>(nullptr), y);
  }

  Plan<T> const& plan_;
  Geometry g_;
  int Ci_, Co_;
};

}  // namespace fourier
}  // namespace D16_GPU
}  // namespace d16::kernels
