// The gradient of the weights of the factored group convolution in one kernel and a sum: features and the gradient of
// the result are transformed and projected tile by tile, nothing of them passes through memory.
#pragma once
#include "fourier_features.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace fourier {

/// One block: tiles of 8 x 4 pixels one after another, a chunk of input fields with the slots of a pass (rows) by 24 or
/// 16 output fields (columns) by all entries, whose sums stay in registers. A unit of four coefficients has two warps,
/// with the even and the odd ones of its four entries, or one warp with all; so a thread has 72 sums or 96.
template <class Transform> struct GradientTile : PixelTile<Transform, 32> {
  using PixelTile<Transform, 32>::order;
  using PixelTile<Transform, 32>::units;
  using PixelTile<Transform, 32>::pixels;
  static constexpr int parts = order <= 16 ? 2 : 1, entries = 4 / parts;
  static constexpr int warps = units * parts, threads = 32 * warps;
  static constexpr int columns_of_8 = order <= 16 ? 3 : 2, fields = 8 * columns_of_8;
  static constexpr int row_tiles = 3;  ///< of two slots; a pass has at most six
  /// Coefficients of the gradient: (order, blocks of 4 words, pixels, 4 words), padded against bank conflicts.
  static constexpr int block_pitch = pixels * words_per_pixel + 12;
  template <class Products> static constexpr int word_blocks = fields / (words_per_pixel * Products::fields);
};

template <class E> struct GradientArgs {
  Features<E> in, dy;  ///< of dy the sizes of its image, its fields and values count
  int64_t tiles, per_split;
  float* out;  ///< (splits, order, fields V, fields of dy)
};

/// Whether a product with the entries of a part reads a coefficient, of features (panel) or of the gradient (output).
template <class U, int parts>
__host__ __device__ constexpr bool reads(int part, int UnitProduct::*side, int coefficient) {
  for (int i = 0; i < U::count; ++i)
    if (U::product(i).entry % parts == part && U::product(i).*side == coefficient) return true;
  return false;
}

/// The sums of one warp: of `entries` entries, for each slot and field of the chunk and each output field.
template <class Products, class Tile> class GradientSums;

/// 16 x 8 tiles of two slots with eight fields each by eight output fields, 16 pixels deep. Pixels are neighbours in
/// memory in neither operand, so both come transposed.
template <class Tile> class GradientSums<Bf16Products, Tile> {
 public:
  /// panels: of the unit's first coefficient. dy: of its first coefficient too.
  template <bool first, int part>
  __device__ __forceinline__ void add(uint32_t const* panels, int planes, uint32_t const* dy, int pitch, int lane) {
    using U = UnitOf<Tile::Transform::mirrored, first>;
    constexpr int plane = Tile::pixels * words_per_pixel;
#pragma unroll 1
    for (int k = 0; k < Tile::pixels; k += 16) {
      uint32_t b[4][Tile::columns_of_8][2];
      unrolled<4>([&](auto o) {
        if constexpr (reads<U, Tile::parts>(part, &UnitProduct::output, decltype(o)::value))
          load_columns(b[o], dy + o * pitch + k * words_per_pixel, lane);
      });
      unrolled<4>([&](auto p) {
        constexpr int panel = decltype(p)::value;
        if constexpr (reads<U, Tile::parts>(part, &UnitProduct::panel, panel)) {
          uint32_t a[Tile::row_tiles][4];
          load_rows(a, panels + p * planes * plane + k * words_per_pixel, planes, lane);
          unrolled<U::count>([&](auto i) {
            constexpr UnitProduct product = U::product(decltype(i)::value);
            if constexpr (product.panel == panel && product.entry % Tile::parts == part)
              multiply<product.negative>(sum_[product.entry / Tile::parts], a, b[product.output]);
          });
        }
      });
    }
  }
  /// put(entry, slot, field, output field, sum).
  template <class Put> __device__ __forceinline__ void each(int lane, Put const& put) const {
    unrolled<Tile::entries>([&](auto e) {
      unrolled<Tile::row_tiles>([&](auto r) {
        unrolled<Tile::columns_of_8>([&](auto j) {
          unrolled<4>([&](auto i) { put(e, 2 * r + i / 2, lane / 4, 8 * j + lane % 4 * 2 + i % 2, sum_[e][r][j][i]); });
        });
      });
    });
  }

 private:
  static __device__ __forceinline__ void load_columns(uint32_t (&b)[Tile::columns_of_8][2], uint32_t const* dy,
                                                      int lane) {
    uint32_t const* const row = dy + lane / 16 * Tile::block_pitch + lane % 16 * words_per_pixel;
    uint32_t two[4];
    gpu::ldmatrix_x4_trans(two, row);
    b[0][0] = two[0], b[0][1] = two[1], b[1][0] = two[2], b[1][1] = two[3];
    if constexpr (Tile::columns_of_8 == 3) {
      // the lanes from 16 on give addresses that are not used
      gpu::ldmatrix_x2_trans(b[2], dy + 2 * Tile::block_pitch + lane % 16 * words_per_pixel);
    }
  }
  static __device__ __forceinline__ void load_rows(uint32_t (&a)[Tile::row_tiles][4], uint32_t const* panel, int planes,
                                                   int lane) {
    constexpr int plane = Tile::pixels * words_per_pixel;
    uint32_t const* const row = panel + lane / 8 % 2 * plane + (lane / 16 * 8 + lane % 8) * words_per_pixel;
    unrolled<Tile::row_tiles>([&](auto r) {
      if (2 * r < planes) gpu::ldmatrix_x4_trans(a[r], row + 2 * r * plane);
      else unrolled<4>([&](auto i) { a[r][i] = 0; });
    });
  }
  template <bool negative>
  static __device__ __forceinline__ void multiply(float (&sum)[Tile::row_tiles][Tile::columns_of_8][4],
                                                  uint32_t const (&a)[Tile::row_tiles][4],
                                                  uint32_t const (&b)[Tile::columns_of_8][2]) {
    if constexpr (negative) {
      uint32_t minus[Tile::columns_of_8][2];
      unrolled<Tile::columns_of_8>(
          [&](auto j) { minus[j][0] = b[j][0] ^ Bf16Products::signs, minus[j][1] = b[j][1] ^ Bf16Products::signs; });
      gpu::mma_bf16_tile(sum, a, minus);
    } else {
      gpu::mma_bf16_tile(sum, a, b);
    }
  }

  float sum_[Tile::entries][Tile::row_tiles][Tile::columns_of_8][4] = {};
};

/// Multiply-adds in float32. A thread has three slots with two of four fields by every eighth output field.
template <class Tile> class GradientSums<ExactProducts, Tile> {
 public:
  template <bool first, int part>
  __device__ __forceinline__ void add(uint32_t const* panels, int planes, uint32_t const* dy, int pitch, int lane) {
    using U = UnitOf<Tile::Transform::mirrored, first>;
    constexpr int plane = Tile::pixels * words_per_pixel;
    int const slot = first_slot(lane), column = lane % 8;
    float const* const rows = reinterpret_cast<float const*>(panels) + slot * plane + first_field(lane);
    float const* const columns = reinterpret_cast<float const*>(dy) + column / 4 * Tile::block_pitch + column % 4;
#pragma unroll 1
    for (int pixel = 0; pixel < Tile::pixels; ++pixel) {
      float b[4][Tile::columns_of_8];
      unrolled<4>([&](auto o) {
        unrolled<Tile::columns_of_8>(
            [&](auto j) { b[o][j] = columns[o * pitch + 2 * j * Tile::block_pitch + pixel * words_per_pixel]; });
      });
      unrolled<4>([&](auto p) {
        constexpr int panel = decltype(p)::value;
        float2 a[slots_of_thread];
        unrolled<slots_of_thread>([&](auto s) {
          a[s] = float2{0, 0};
          if (slot + s < planes)
            a[s] = *reinterpret_cast<float2 const*>(rows + (p * planes + s) * plane + pixel * words_per_pixel);
        });
        unrolled<U::count>([&](auto i) {
          constexpr UnitProduct product = U::product(decltype(i)::value);
          if constexpr (product.panel == panel && product.entry % Tile::parts == part)
            multiply<product.negative>(sum_[product.entry / Tile::parts], a, b[product.output]);
        });
      });
    }
  }
  template <class Put> __device__ __forceinline__ void each(int lane, Put const& put) const {
    unrolled<Tile::entries>([&](auto e) {
      unrolled<slots_of_thread>([&](auto s) {
        unrolled<Tile::columns_of_8>([&](auto j) {
          unrolled<2>(
              [&](auto f) { put(e, first_slot(lane) + s, first_field(lane) + f, 8 * j + lane % 8, sum_[e][s][j][f]); });
        });
      });
    });
  }

 private:
  static constexpr int slots_of_thread = 3;
  static __device__ __forceinline__ int first_slot(int lane) { return lane / 16 * slots_of_thread; }
  static __device__ __forceinline__ int first_field(int lane) { return lane / 8 % 2 * 2; }

  template <bool negative>
  static __device__ __forceinline__ void multiply(float (&sum)[slots_of_thread][Tile::columns_of_8][2],
                                                  float2 const (&a)[slots_of_thread],
                                                  float const (&b)[Tile::columns_of_8]) {
    unrolled<slots_of_thread>([&](auto s) {
      unrolled<Tile::columns_of_8>([&](auto j) {
        float const factor = negative ? -b[j] : b[j];
        sum[s][j][0] += a[s].x * factor, sum[s][j][1] += a[s].y * factor;
      });
    });
  }

  float sum_[Tile::entries][slots_of_thread][Tile::columns_of_8][2] = {};
};

/// The gradient of the result at the pixels of a tile, the fields from `o` on, to Fourier coefficients.
template <class Products, class Tile, class E>
__device__ __forceinline__ void fetch_gradient(Features<E> const& dy, typename Tile::Place const& at, int o,
                                               uint32_t* to) {
  constexpr int blocks = Tile::template word_blocks<Products>, pitch = blocks * Tile::block_pitch;
  Geometry const& g = dy.g;
#pragma unroll 1
  for (int task = int(threadIdx.x); task < blocks * words_per_pixel * Tile::pixels; task += Tile::threads) {
    // eight pixels of a block of words: what a warp writes lies side by side
    int const block = task / (words_per_pixel * Tile::pixels), pixel = task / words_per_pixel % Tile::pixels;
    int const word = task % words_per_pixel;
    int const p = at.p + pixel / Tile::width, q = at.q + pixel % Tile::width;
    E const* const from =
        p < g.P && q < g.Q ? dy.x + ((int64_t(at.n) * g.P + p) * g.Q + q) * dy.fields * Tile::order : nullptr;
    uint32_t* const here = to + block * Tile::block_pitch + pixel * words_per_pixel + word;
    read_word<Products, typename Tile::Transform>(dy, from, o + (block * words_per_pixel + word) * Products::fields,
                                                  [&](auto k, uint32_t value) { here[k * pitch] = value; });
  }
}

/// One tile into the sums of a warp: its unit, and its part of the entries.
template <class Tile, class Sum>
__device__ __forceinline__ void add_tile(Sum& sum, uint32_t const* panels, int planes, uint32_t const* dy, int pitch) {
  int const lane = int(threadIdx.x) % 32, warp = int(threadIdx.x) / 32, unit = warp % Tile::units;
  uint32_t const* const rows = panels + unit * 4 * planes * Tile::pixels * words_per_pixel;
  uint32_t const* const columns = dy + unit * 4 * pitch;
  unrolled<Tile::parts>([&](auto part) {
    if (warp / Tile::units != part) return;
    if (unit == 0) sum.template add<true, decltype(part)::value>(rows, planes, columns, pitch, lane);
    else if constexpr (Tile::units > 1)
      sum.template add<false, decltype(part)::value>(rows, planes, columns, pitch, lane);
  });
}

/// Grid: (blocks of output fields by chunks of input fields by passes, splits of the tiles). The sums over a split's
/// pixels, in their order.
template <class Products, class Transform, class E> __global__ void __launch_bounds__(GradientTile<Transform>::threads)
    gradient_products(GradientArgs<E> const a) {
  using Tile = GradientTile<Transform>;
  constexpr int chunk_fields = words_per_pixel * Products::fields;
  constexpr int pitch = Tile::template word_blocks<Products> * Tile::block_pitch;
  Features<E> const& in = a.in;
  gpu::Smem smem;
  uint32_t* const coefficients = smem.take<uint32_t>(size_t(Tile::order * Halo<Tile>(in.g).size() * words_per_pixel));
  uint32_t* const panels = smem.take<uint32_t>(size_t(Tile::order * Tile::pixels * words_per_pixel) * in.planes);
  uint32_t* const dy = smem.take<uint32_t>(size_t(Tile::order * pitch));
  int const blocks = (a.dy.fields + Tile::fields - 1) / Tile::fields, passes = in.passes();
  int const pass = int(blockIdx.x) / blocks % passes, o = int(blockIdx.x) % blocks * Tile::fields;
  int const c = int(blockIdx.x) / blocks / passes * chunk_fields;
  int64_t const begin = blockIdx.y * a.per_split;
  int64_t const end = min(begin + a.per_split, a.tiles);
  GradientSums<Products, Tile> sum;
#pragma unroll 1
  for (int64_t tile = begin; tile < end; ++tile) {
    typename Tile::Place const at(in.g, tile);
    fetch<Products, Tile>(in, at, c, coefficients);
    fetch_gradient<Products, Tile>(a.dy, at, o, dy);
    __syncthreads();
    project<Products, Tile>(in, coefficients, panels, pass);
    __syncthreads();
    add_tile<Tile>(sum, panels, in.planes, dy, pitch);
    __syncthreads();  // the next tile may overwrite what these products have read
  }
  int const warp = int(threadIdx.x) / 32, unit = warp % Tile::units, part = warp / Tile::units;
  sum.each(int(threadIdx.x) % 32, [&](int entry, int slot, int field, int column, float value) {
    int const v = pass * in.planes + slot;
    if (slot >= in.planes || v >= in.V || c + field >= in.fields || o + column >= a.dy.fields) return;
    int64_t const row = int64_t(blockIdx.y) * Tile::order + 4 * unit + Tile::parts * entry + part;
    a.out[((row * in.fields + c + field) * in.V + v) * a.dy.fields + o + column] = value;
  });
}

/// The gradient of the weights between group features; E: what features are in memory.
template <class Products, class E> class FusedGradient {
 public:
  explicit FusedGradient(GroupConv2d<E> const& a)
      : plan_(plan_of<float>({a, Sides::regular})),
        in_(Describe<E>(a, plan_, Geometry::forward(a), a.Ci, [](auto const&... of) { return shared_bytes(of...); }).f),
        Co_(a.Co) {
    // what no output sees does not count: a tile at the border would multiply it by zeros, and it may be no number
    Geometry const& g = in_.g;
    int const reach = (g.kernel - 1) * g.dilation + 1 - g.padding;
    in_.rows = std::min(g.H, (g.P - 1) * g.stride + reach), in_.columns = std::min(g.W, (g.Q - 1) * g.stride + reach);
    int const fields = plan_.sizes().order <= 16 ? 24 : 16;
    int64_t const long_enough = dense::ceil_div(tiles(), 8);
    blocks_ = int64_t(dense::ceil_div(Co_, fields)) * dense::ceil_div(a.Ci, words_per_pixel * Products::fields);
    if (fits()) blocks_ *= in_.passes();
    splits_ = int(std::clamp<int64_t>(dense::enough_blocks / blocks_, 1, long_enough));
  }
  bool fits() const { return in_.planes > 0; }

  size_t gradient_bytes(GroupConv2d<E> const&) const {
    Scratch scratch(nullptr);
    Pieces(*this, scratch);
    return scratch.used;
  }

  /// dw from x and dy: partial sums, their sum in the order of the splits, and back to weights.
  int gradient(GroupConv2d<E> const& a) const {
    if (!fits() || blocks_ > 0x7fffffff) return unsupported;
    Tables<float> const t = plan_.on_device();
    if (!t.order) return unsupported;
    Scratch scratch(a.work);
    Pieces const at(*this, scratch);
    GradientArgs<E> args{};
    args.in = in_, args.in.x = a.x, args.in.norm = a.norm, args.in.route = t.route, args.in.taps = t.taps;
    args.dy.g = in_.g, args.dy.fields = Co_, args.dy.x = a.dy;
    args.tiles = tiles(), args.per_split = (tiles() + splits_ - 1) / splits_;
    args.out = splits_ > 1 ? at.partial : at.entries;
    int const status = with_transform(a.group, [&](auto transform) {
      using Tile = GradientTile<decltype(transform)>;
      return gpu::launch(gradient_products<Products, decltype(transform), E>,
                         dim3(unsigned(blocks_), unsigned(splits_)), dim3(Tile::threads), shared_bytes(in_, transform),
                         gpu::current_stream(), args);
    });
    if (status) return status;
    if (splits_ > 1)
      gpu::launch(add_splits<float>, gpu::blocks_for(entries(), 256), dim3(256), 0, gpu::current_stream(), entries(),
                  splits_, false, at.partial, at.entries);
    return gpu::launch(gradient_of_weights<float>, gpu::blocks_for(entries(), 256), dim3(256), 0, gpu::current_stream(),
                       t, in_.fields, Co_, at.entries, a.dw);
  }

 private:
  template <class Transform> static size_t shared_bytes(Features<E> const& in, Transform) {
    using Tile = GradientTile<Transform>;
    auto words = [](int64_t count) { return gpu::Smem::bytes<uint32_t>(size_t(Tile::order * count)); };
    return words(Halo<Tile>(in.g).size() * words_per_pixel) + words(Tile::pixels * words_per_pixel * in.planes) +
           words(Tile::template word_blocks<Products> * Tile::block_pitch);
  }
  int64_t tiles() const { return PixelTile<GroupTransform<4, false>, 32>::tiles(in_.g); }
  int64_t entries() const { return int64_t(plan_.sizes().order) * in_.fields * in_.V * Co_; }
  struct Pieces {
    float *entries, *partial;
    Pieces(FusedGradient const& f, Scratch& scratch) {
      entries = scratch.take<float>(f.entries());
      partial = scratch.take<float>(f.splits_ > 1 ? f.splits_ * f.entries() : 0);
    }
  };

  Plan<float> const& plan_;
  Features<E> in_;
  int Co_, splits_;
  int64_t blocks_;
};

}  // namespace fourier
}  // namespace D16_GPU
}  // namespace d16::kernels
