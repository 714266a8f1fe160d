// The factored group convolution in one kernel, for C_n and D_n with n = 4, 8, 16: fetch, transform, project, multiply,
// transform back, scale, shift, ReLU.
#pragma once
#include <algorithm>

#include "fourier_products.cuh"
#include "fourier_unfused.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace fourier {

/// One block of 256 threads: a tile of pixels, eight wide, by 24 output fields by all coefficients, whose sums stay in
/// the registers of eight warps: 96 for each thread. Pixels times order is 1024, whatever the group, so a warp always
/// has 32 pixels and four coefficients.
template <class Transform> struct FusedTile {
  static constexpr int order = Transform::order, units = order / 4, threads = 256, warps = threads / 32;
  static constexpr int pixels = 1024 / order, width = 8, height = pixels / width, fields = WarpTile::fields;
  static constexpr int columns = order / 2;  ///< of two coefficients
  static constexpr int strip = 4;            ///< rows that a warp projects together

  /// Exchange of sums between warps: pixels by eight fields by all coefficients, with pads against bank conflicts.
  static constexpr int field_pitch = order + 4, pixel_pitch = 8 * field_pitch + 4;
  static constexpr size_t exchange_words = size_t(pixels) * pixel_pitch;
};

/// Parameters of the fused kernel. Weights as pack_weights lays them out.
struct FusedArgs {
  Geometry g;
  int Ci, Co, V, harmonics, planes;  ///< planes: how many slots a pass has, 2, 4 or 6
  float const *x, *norm, *scale, *shift;
  float* y;
  uint32_t const* weights;
  int const* route;
  float const* taps;
  bool relu, simple;                      ///< simple: the 3 x 3 basis of six functions, without stride and dilation
  float point, centre, corner, diagonal;  ///< its values: ring 0 at 0; ring 1 at 0, at a corner; of m = 1 at a corner
  unsigned char first[64], last[64];      ///< harmonics that begin before the end of each pass, and reach into it
};

__host__ __device__ constexpr int even(int n) { return (n + 1) / 2 * 2; }
/// The input pixels under a tile.
template <class Tile> struct Halo {
  int height, width;
  __host__ __device__ explicit Halo(Geometry const& g)
      : height((Tile::height - 1) * g.stride + (g.kernel - 1) * g.dilation + 1),
        width((Tile::width - 1) * g.stride + (g.kernel - 1) * g.dilation + 1) {}
  __host__ __device__ int size() const { return height * width; }
};

/// Where a block is in the result.
template <class Tile> struct BlockPlace {
  int n, p, q, block;
  __device__ explicit BlockPlace(FusedArgs const& a) {
    int const across = (a.g.Q + Tile::width - 1) / Tile::width, down = (a.g.P + Tile::height - 1) / Tile::height;
    int const blocks = (a.Co + Tile::fields - 1) / Tile::fields;
    int at = int(blockIdx.x);
    block = at % blocks, at /= blocks;  // blocks of the same pixels are neighbours: they share the input in L2
    q = at % across * Tile::width, at /= across;
    p = at % down * Tile::height, n = at / down;
  }
};

/// The values of one field at one pixel, or zeros; read as the norm before the convolution would have written them.
template <int order>
__device__ __forceinline__ void read_field(FusedArgs const& a, float const* pixel, int c, float (&x)[order]) {
  if (!pixel || c >= a.Ci) {
    unrolled<order>([&](auto i) { x[i] = 0; });
    return;
  }
  unrolled<order / 4>([&](auto i) {
    float4 const v = __ldg(reinterpret_cast<float4 const*>(pixel + c * order) + i);
    x[4 * i] = v.x, x[4 * i + 1] = v.y, x[4 * i + 2] = v.z, x[4 * i + 3] = v.w;
  });
  if (a.norm) unrolled<order>([&](auto i) { x[i] = normalised(x[i], a.norm, c, a.Ci); });
}

/// Stage 1: the fields from c on, at all pixels under the tile, to Fourier coefficients. A thread transforms the field
/// or two of one word: coefficients (order, pixels under the tile, 4 words).
template <class Products, class Transform>
__device__ __forceinline__ void fetch(FusedArgs const& a, BlockPlace<FusedTile<Transform>> const& at, int c,
                                      uint32_t* coefficients) {
  constexpr int order = Transform::order;
  Halo<FusedTile<Transform>> const halo(a.g);
  int const words = halo.size() * words_per_pixel;
#pragma unroll 1
  for (int task = int(threadIdx.x); task < words; task += int(blockDim.x)) {
    int const pixel = task / words_per_pixel, field = c + task % words_per_pixel * Products::fields;
    int const row = a.g.pixel(at.p * a.g.stride + pixel / halo.width - a.g.padding, a.g.H);
    int const col = a.g.pixel(at.q * a.g.stride + pixel % halo.width - a.g.padding, a.g.W);
    float const* const from =
        row < 0 || col < 0 ? nullptr : a.x + ((int64_t(at.n) * a.g.H + row) * a.g.W + col) * a.Ci * order;
    float x[order], first[order];
    read_field(a, from, field, x);
    Transform::forward(x, first);
    if constexpr (Products::fields == 2) {
      float second[order];
      read_field(a, from, field + 1, x);
      Transform::forward(x, second);
      unrolled<order>([&](auto q) { coefficients[q * words + task] = Products::coefficient({first[q], second[q]}); });
    } else {
      unrolled<order>([&](auto q) { coefficients[q * words + task] = Products::coefficient(first[q]); });
    }
  }
}

/// Where the four values of a column and harmonic go, in words from the panels' first, and with which sign.
template <class Products, class Tile> class Routes {
 public:
  __device__ __forceinline__ Routes(FusedArgs const& a, int column, int harmonic, int first_slot)
      : planes_(a.planes), first_slot_(first_slot), route_(a.route + (column * a.harmonics + harmonic) * 4) {}
  template <class V> __device__ __forceinline__ void put(uint32_t* at, int value, V v) const {
    int const route = __ldg(route_ + value), place = (route < 0 ? -route : route) - 1;
    int const plane = place % slots_per_panel - first_slot_;
    if (route == 0 || plane < 0 || plane >= planes_) return;
    at[(place / slots_per_panel * planes_ + plane) * Tile::pixels * words_per_pixel] =
        Products::operand(route < 0 ? -v : v);
  }
  /// From cosine and sine parts of both coefficients of the column.
  template <class V> __device__ __forceinline__ void put_all(uint32_t* at, bool single, V ca, V sa, V cb, V sb) const {
    put(at, 0, single ? ca : ca - sb);
    put(at, 1, single ? sa : sa + cb);
    put(at, 2, single ? cb : ca + sb);
    put(at, 3, single ? sb : cb - sa);
  }

 private:
  int planes_, first_slot_;
  int const* route_;
};

/// The coefficients of column `c`. One-dimensional irreps come first, two to a column.
template <class Transform> __device__ __forceinline__ Column column_of(int c) {
  constexpr int singles = Transform::mirrored ? 2 : 1;
  if (c < singles) return {2 * c, 2 * c + 1, 1};
  if (!Transform::mirrored) return {2 * c, 2 * c + 1, 0};
  int const j = c - singles;
  return {4 + j / 2 * 4 + j % 2, 4 + j / 2 * 4 + j % 2 + 2, 0};
}

/// Stage 2 for any basis, stride and dilation: one row of eight pixels, four harmonics at a time.
template <class Products, class Transform>
__device__ __forceinline__ void project_row(FusedArgs const& a, uint32_t const* coefficients, uint32_t* panels,
                                            int column, int row, int pass) {
  using Tile = FusedTile<Transform>;
  using V = typename Products::Value;
  constexpr int together = 4;
  Halo<Tile> const halo(a.g);
  int const lane = int(threadIdx.x) % 32, col = lane / 4, word = lane % 4, words = halo.size() * words_per_pixel;
  int const pixels = a.g.kernel * a.g.kernel;
  Column const at = column_of<Transform>(column);
  uint32_t const* const from =
      coefficients + (row * a.g.stride * halo.width + col * a.g.stride) * words_per_pixel + word;
  uint32_t* const to = panels + (row * Tile::width + col) * words_per_pixel + word;
#pragma unroll 1
  for (int h = a.first[pass]; h < a.last[pass]; h += together) {
    V cosine_a[together] = {}, sine_a[together] = {}, cosine_b[together] = {}, sine_b[together] = {};
    int i = 0, j = 0;
#pragma unroll 1
    for (int tap = 0; tap < pixels; ++tap) {
      int const offset = (i * halo.width + j) * a.g.dilation * words_per_pixel;
      V const x = Products::load_word(from[at.a * words + offset]),
              y = Products::load_word(from[at.b * words + offset]);
      unrolled<together>([&](auto k) {
        float2 const basis = __ldg(reinterpret_cast<float2 const*>(a.taps) + (h + k) * pixels + tap);
        cosine_a[k] = multiply_add(basis.x, x, cosine_a[k]), sine_a[k] = multiply_add(basis.y, x, sine_a[k]);
        cosine_b[k] = multiply_add(basis.x, y, cosine_b[k]), sine_b[k] = multiply_add(basis.y, y, sine_b[k]);
      });
      if (++j == a.g.kernel) j = 0, ++i;
    }
    unrolled<together>([&](auto k) {
      if (h + k < a.last[pass])
        Routes<Products, Tile>(a, column, h + k, pass * a.planes)
            .put_all(to, at.single, cosine_a[k], sine_a[k], cosine_b[k], sine_b[k]);
    });
  }
}

/// Sums along a row of three pixels: the middle, and right plus and minus left.
template <class V> struct RowSums { V middle, sum, difference; };
/// The six functions of the 3 x 3 basis at one pixel, from the rows above, at and below it.
template <class V> struct Six {
  V point, ring, cosine, sine, cosine_2, sine_2;
  __device__ __forceinline__ Six(FusedArgs const& a, RowSums<V> const& up, RowSums<V> const& own,
                                 RowSums<V> const& down) {
    V const middles = up.middle + down.middle, zero{};
    point = multiply_add(a.point, own.middle, zero);
    ring = multiply_add(a.corner, up.sum + down.sum, multiply_add(a.centre, own.middle, own.sum + middles));
    cosine = multiply_add(a.diagonal, up.difference + down.difference, own.difference);
    sine = multiply_add(a.diagonal, up.sum - down.sum, up.middle - down.middle);
    cosine_2 = own.sum - middles;
    sine_2 = multiply_add(a.corner, up.difference - down.difference, zero);
  }
};
/// Stage 2 for the simple basis: four rows of eight pixels, each row of the input read once and used three times.
template <class Products, class Transform>
__device__ __forceinline__ void project_strip(FusedArgs const& a, uint32_t const* coefficients, uint32_t* panels,
                                              int column, int row) {
  using Tile = FusedTile<Transform>;
  using V = typename Products::Value;
  Halo<Tile> const halo(a.g);
  int const lane = int(threadIdx.x) % 32, col = lane / 4, word = lane % 4, words = halo.size() * words_per_pixel;
  Column const at = column_of<Transform>(column);
  uint32_t const* const from = coefficients + (row * halo.width + col) * words_per_pixel + word;
  uint32_t* to = panels + (row * Tile::width + col) * words_per_pixel + word;
  auto read = [&](int coefficient, int r) {
    uint32_t const* const left = from + coefficient * words + r * halo.width * words_per_pixel;
    V const w = Products::load_word(left[0]), m = Products::load_word(left[words_per_pixel]),
            e = Products::load_word(left[2 * words_per_pixel]);
    return RowSums<V>{m, e + w, e - w};
  };
  RowSums<V> x[3] = {read(at.a, 0), read(at.a, 1), {}}, y[3] = {read(at.b, 0), read(at.b, 1), {}};
  Routes<Products, Tile> const point(a, column, 0, 0), ring(a, column, 1, 0), once(a, column, 2, 0),
      twice(a, column, 3, 0);
  int const second = at.single ? 2 : 1;  // where what comes of coefficient b alone goes
  unrolled<Tile::strip>([&](auto r) {
    x[(r + 2) % 3] = read(at.a, r + 2), y[(r + 2) % 3] = read(at.b, r + 2);
    Six<V> const f(a, x[r % 3], x[(r + 1) % 3], x[(r + 2) % 3]), g(a, y[r % 3], y[(r + 1) % 3], y[(r + 2) % 3]);
    uint32_t* const here = to + r * Tile::width * words_per_pixel;
    point.put(here, 0, f.point), point.put(here, second, g.point);
    ring.put(here, 0, f.ring), ring.put(here, second, g.ring);
    once.put_all(here, at.single, f.cosine, f.sine, g.cosine, g.sine);
    twice.put_all(here, at.single, f.cosine_2, f.sine_2, g.cosine_2, g.sine_2);
  });
}

/// Stage 2: coefficients to the planes of one pass. Each warp takes some columns and rows.
template <class Products, class Transform>
__device__ __forceinline__ void project(FusedArgs const& a, uint32_t const* coefficients, uint32_t* panels, int pass) {
  using Tile = FusedTile<Transform>;
  int const warp = int(threadIdx.x) / 32;
  if (a.simple) {
#pragma unroll 1
    for (int task = warp; task < Tile::columns * Tile::height / Tile::strip; task += Tile::warps)
      project_strip<Products, Transform>(a, coefficients, panels, task % Tile::columns,
                                         task / Tile::columns * Tile::strip);
    return;
  }
#pragma unroll 1
  for (int task = warp; task < Tile::columns * Tile::height; task += Tile::warps)
    project_row<Products, Transform>(a, coefficients, panels, task % Tile::columns, task / Tile::columns, pass);
  int const beyond = a.V - pass * a.planes;  // a plane that only fills a step up: its weights are zeros, 0 x NaN is not
  if (a.V % 2 == 0 || beyond >= a.planes) return;
#pragma unroll 1
  for (int i = int(threadIdx.x); i < Tile::order * Tile::pixels * words_per_pixel; i += Tile::threads) {
    constexpr int plane = Tile::pixels * words_per_pixel;
    panels[(i / plane * a.planes + beyond) * plane + i % plane] = 0;
  }
}

/// Stage 3: the products of a pass, in steps of two planes. The weights of a step are on their way during the one
/// before: each has one user in the block, so they come from L2 without a stop in shared memory.
template <class Products, class Transform, bool first>
__device__ __forceinline__ void multiply_steps(Sums& sum, uint32_t const* weights, uint32_t const* panel, int planes,
                                               int steps, int lane) {
  using Tile = FusedTile<Transform>;
  constexpr int plane = Tile::pixels * words_per_pixel;
  typename Products::Weights now, next;
  Products::load(now, weights, lane);
#pragma unroll 1
  for (int s = 0; s < steps; ++s) {
    uint32_t const* const step = weights + s * Tile::units * words_per_step;
    if (s + 1 < steps) Products::load(next, step + Tile::units * words_per_step, lane);
    Products::template multiply<Transform::mirrored, first>(sum, now, step, panel + 2 * s * plane, planes * plane,
                                                            plane, lane);
    now = next;
  }
}

/// Stage 4: eight fields at a time, the warps exchange their coefficients and each thread transforms some fields back.
template <class Transform> __device__ __forceinline__ void finish(FusedArgs const& a,
                                                                  BlockPlace<FusedTile<Transform>> const& at,
                                                                  Sums const& sum, float* exchange) {
  using Tile = FusedTile<Transform>;
  constexpr int order = Tile::order;
  int const lane = int(threadIdx.x) % 32, warp = int(threadIdx.x) / 32, unit = warp % Tile::units;
  float* const own = exchange + (warp / Tile::units * WarpTile::pixels + lane / 4) * Tile::pixel_pitch +
                     lane % 4 * 2 * Tile::field_pitch + 4 * unit;
  Ending<float> const ending{a.scale, a.shift, a.relu};
  unrolled<WarpTile::columns>([&](auto j) {
    unrolled<WarpTile::rows>([&](auto i) {
      unrolled<4>([&](auto e) {
        float* const to = own + (i * 16 + e / 2 * 8) * Tile::pixel_pitch + e % 2 * Tile::field_pitch;
        *reinterpret_cast<float4*>(to) =
            make_float4(sum[0][i][j][e], sum[1][i][j][e], sum[2][i][j][e], sum[3][i][j][e]);
      });
    });
    __syncthreads();
#pragma unroll 1
    for (int task = int(threadIdx.x); task < Tile::pixels * 8; task += Tile::threads) {
      int const pixel = task / 8, field = task % 8, o = at.block * Tile::fields + j * 8 + field;
      int const p = at.p + pixel / Tile::width, q = at.q + pixel % Tile::width;
      if (p >= a.g.P || q >= a.g.Q || o >= a.Co) continue;
      float const* const from = exchange + pixel * Tile::pixel_pitch + field * Tile::field_pitch;
      float f[order], y[order];
      unrolled<order / 4>([&](auto i) {
        float4 const v = *reinterpret_cast<float4 const*>(from + 4 * i);
        f[4 * i] = v.x, f[4 * i + 1] = v.y, f[4 * i + 2] = v.z, f[4 * i + 3] = v.w;
      });
      Transform::transpose(f, y);
      float4* const to =
          reinterpret_cast<float4*>(a.y + (((int64_t(at.n) * a.g.P + p) * a.g.Q + q) * a.Co + o) * order);
      unrolled<order / 4>([&](auto i) {
        to[i] =
            make_float4(ending(y[4 * i], o), ending(y[4 * i + 1], o), ending(y[4 * i + 2], o), ending(y[4 * i + 3], o));
      });
    }
    __syncthreads();
  });
}

/// Grid: one block for each image, tile of pixels and 24 output fields. Input fields come in chunks of four words,
/// slots in passes. While one half of the warps multiplies, the other fetches the next chunk; then they change over.
template <class Products, class Transform> __global__ void __launch_bounds__(256, 1) fused(FusedArgs const a) {
  using Tile = FusedTile<Transform>;
  constexpr int chunk_fields = words_per_pixel * Products::fields, panel_words = 1024 * words_per_pixel;
  int const lane = int(threadIdx.x) % 32, warp = int(threadIdx.x) / 32, unit = warp % Tile::units;
  gpu::Smem smem;
  uint32_t* const coefficients = smem.take<uint32_t>(size_t(Tile::order * Halo<Tile>(a.g).size() * words_per_pixel));
  uint32_t* const panels = smem.take<uint32_t>(max(size_t(panel_words) * a.planes, Tile::exchange_words));
  BlockPlace<Tile> const at(a);
  int const chunks = (a.Ci + chunk_fields - 1) / chunk_fields, slots = even(a.V),
            passes = (slots + a.planes - 1) / a.planes;
  uint32_t const* weights =
      a.weights + (int64_t(at.block) * chunks * (slots / 2) * Tile::units + unit) * words_per_step;
  uint32_t const* const own_panel =
      panels + (unit * 4 * a.planes * Tile::pixels + warp / Tile::units * WarpTile::pixels) * words_per_pixel;
  Sums sum = {};
  fetch<Products, Transform>(a, at, 0, coefficients);
  __syncthreads();
#pragma unroll 1
  for (int i = 0; i < chunks * passes; ++i) {
    int const pass = i % passes, left = slots - pass * a.planes, steps = (left < a.planes ? left : a.planes) / 2;
    project<Products, Transform>(a, coefficients, panels, pass);
    __syncthreads();  // the planes are complete, and after the last pass nobody needs the coefficients
#pragma unroll 1
    for (int phase = 0; phase < 2; ++phase)
      if (phase == warp / 4) {
        if (unit == 0) multiply_steps<Products, Transform, true>(sum, weights, own_panel, a.planes, steps, lane);
        else if constexpr (Tile::units > 1)
          multiply_steps<Products, Transform, false>(sum, weights, own_panel, a.planes, steps, lane);
      } else if (pass == passes - 1 && i + 1 < chunks * passes) {
        fetch<Products, Transform>(a, at, (i / passes + 1) * chunk_fields, coefficients);
      }
    weights += steps * Tile::units * words_per_step;
    __syncthreads();  // the planes are free, and the next coefficients are there
  }
  finish<Transform>(a, at, sum, reinterpret_cast<float*>(panels));
}

/// Weights (Co,Ci,V,order) as `fused` reads them: blocks of 24 output fields, chunks of input fields, pairs of slots,
/// units of four coefficients, the words of a step; zeros where there is no such field or slot. One thread for each
/// word.
template <class Products>
__global__ void pack_weights(Tables<float> t, int Ci, int Co, int64_t count, float const* w, uint32_t* out) {
  constexpr int chunk_fields = words_per_pixel * Products::fields;
  int const pairs = even(t.V) / 2, units = t.order / 4, chunks = (Ci + chunk_fields - 1) / chunk_fields;
  for (int64_t i = gpu::this_thread(); i < count; i += gpu::all_threads()) {
    int const within = int(i % words_per_step), field = within % WarpTile::fields,
              entry = within / WarpTile::fields % 4;
    int const word = within / WarpTile::fields / 4 % words_per_pixel,
              plane = within / WarpTile::fields / 4 / words_per_pixel;
    int64_t const step = i / words_per_step;
    int const unit = int(step % units), pair = int(step / units % pairs), chunk = int(step / units / pairs % chunks);
    int const o = int(step / units / pairs / chunks) * WarpTile::fields + field, slot = 2 * pair + plane;
    auto value = [&](int c) {
      if (o >= Co || c >= Ci || slot >= t.V) return 0.0f;
      return weight_coefficient(t, w + (int64_t(o) * Ci + c) * t.V * t.slots, 4 * unit + entry, slot);
    };
    int const c = chunk * chunk_fields + word * Products::fields;
    uint32_t* const to = out + step * words_per_step + Products::weight_word(plane, word, entry, field);
    if constexpr (Products::fields == 2) *to = Products::operand({value(c), value(c + 1)});
    else *to = Products::operand(value(c));
  }
}

/// Calls run(GroupTransform<n, mirrored>()), or returns `unsupported` where there are no butterflies for the group.
template <class Run> int with_transform(Group group, Run const& run) {
  switch (group.mirrored() ? -group.n : group.n) {
    case 4: return run(GroupTransform<4, false>());
    case 8: return run(GroupTransform<8, false>());
    case 16: return run(GroupTransform<16, false>());
    case -4: return run(GroupTransform<4, true>());
    case -8: return run(GroupTransform<8, true>());
    case -16: return run(GroupTransform<16, true>());
    default: return unsupported;
  }
}

/// A convolution between group features by the fused kernel, or its adjoint, which is one of the same kind.
template <class Products> class Fused {
 public:
  Fused(GroupConv2d<float> const& a, bool adjoint) : plan_(plan_of(a, Sides::regular)) {
    args_.g = adjoint ? Geometry::adjoint(a) : Geometry::forward(a);
    args_.Ci = adjoint ? a.Co : a.Ci, args_.Co = adjoint ? a.Ci : a.Co;
    args_.V = a.V, args_.harmonics = plan_.sizes().harmonics;
    choose_planes(a);
    find_passes();
  }
  /// Whether its working set fits a block.
  bool fits() const { return args_.planes > 0; }

  size_t work_bytes(bool adjoint) const {
    Scratch scratch(nullptr);
    Pieces(*this, scratch, adjoint);
    return scratch.used;
  }

  int convolve(GroupConv2d<float> const& a, bool adjoint, float const* x, float const* norm, Ending<float> ending,
               float* y) const {
    if (!fits()) return unsupported;
    Scratch scratch(a.work);
    Pieces const at(*this, scratch, adjoint);
    Tables<float> const t = plan_.place(at.tables);
    float const* w = a.w;
    if (adjoint) launch_adjoint(t, a, at.adjoint), w = at.adjoint;
    gpu::launch(pack_weights<Products>, gpu::blocks_for(words(), 256), dim3(256), 0, gpu::current_stream(), t, args_.Ci,
                args_.Co, words(), w, at.packed);
    FusedArgs args = args_;
    args.x = x, args.norm = norm, args.y = y, args.weights = at.packed, args.route = t.route, args.taps = t.taps;
    args.scale = ending.scale, args.shift = ending.bias, args.relu = ending.relu;
    return with_transform(a.group, [&](auto transform) {
      using Tile = FusedTile<decltype(transform)>;
      Geometry const& g = args.g;
      int64_t const tiles = int64_t(dense::ceil_div(g.P, Tile::height)) * dense::ceil_div(g.Q, Tile::width) * g.N;
      int64_t const blocks = tiles * dense::ceil_div(args.Co, Tile::fields);
      if (blocks > 0x7fffffff) return int(unsupported);
      return gpu::launch(fused<Products, decltype(transform)>, dim3(unsigned(blocks)), dim3(Tile::threads),
                         shared_bytes<Tile>(args.planes), gpu::current_stream(), args);
    });
  }

 private:
  static constexpr size_t most_shared = size_t(163) << 10;  // what a block of compute capability 8.0 may have

  template <class Tile> size_t shared_bytes(int planes) const {
    return gpu::Smem::bytes<uint32_t>(size_t(Tile::order) * size_t(Halo<Tile>(args_.g).size() * words_per_pixel)) +
           gpu::Smem::bytes<uint32_t>(std::max(size_t(1024 * words_per_pixel) * size_t(planes), Tile::exchange_words));
  }

  void choose_planes(GroupConv2d<float> const& a) {
    with_transform(a.group, [&](auto transform) {
      for (int planes : {2, 4, 6})
        if (shared_bytes<FusedTile<decltype(transform)>>(planes) <= most_shared) args_.planes = planes;
      return int(ok);
    });
    if (args_.planes == 0 || dense::ceil_div(even(a.V), args_.planes) > int(sizeof args_.first)) args_.planes = 0;
    args_.simple = args_.planes == 6 && args_.g.stride == 1 && a.dilation == 1 && has_simple_basis(a);
  }

  /// Whether the basis is that of a point and a ring with m = 0, 1, 2 on 3 x 3 pixels, one at the sides.
  bool has_simple_basis(GroupConv2d<float> const& a) {
    auto const& h = plan_.harmonics();
    if (a.kernel != 3 || h.size() != 4 || h[1].m != 0 || h[2].m != 1 || h[3].m != 2) return false;
    auto at = [&](int v, int i, int j) { return a.basis[(v * 3 + i) * 3 + j]; };
    args_.point = float(at(0, 1, 1)), args_.centre = float(at(1, 1, 1));
    args_.corner = float(at(1, 0, 2)), args_.diagonal = float(at(2, 0, 2));
    double const c = at(1, 0, 2), d = at(2, 0, 2);
    double const expected[6][9] = {{0, 0, 0, 0, at(0, 1, 1), 0, 0, 0, 0}, {c, 1, c, 1, at(1, 1, 1), 1, c, 1, c},
                                   {-d, 0, d, -1, 0, 1, -d, 0, d},        {d, 1, d, 0, 0, 0, -d, -1, -d},
                                   {0, -1, 0, 1, 0, 1, 0, -1, 0},         {-c, 0, c, 0, 0, 0, c, 0, -c}};
    constexpr double rounding = 1e-9;
    for (int i = 0; i < 54; ++i)
      if (!(std::abs(a.basis[i] - expected[i / 9][i % 9]) < rounding)) return false;
    return true;
  }

  void find_passes() {
    auto const& h = plan_.harmonics();
    int const planes = args_.planes;
    for (int pass = 0; planes > 0 && pass * planes < even(args_.V); ++pass) {
      int first = 0, last = 0;
      for (int i = 0; i < int(h.size()); ++i) {
        int const end = h[size_t(i)].v + (h[size_t(i)].m > 0 ? 2 : 1);
        if (end <= pass * planes) first = i + 1;
        if (h[size_t(i)].v < (pass + 1) * planes) last = i + 1;
      }
      args_.first[pass] = static_cast<unsigned char>(first), args_.last[pass] = static_cast<unsigned char>(last);
    }
  }

  int64_t words() const {
    int64_t const blocks = dense::ceil_div(args_.Co, WarpTile::fields);
    int64_t const chunks = dense::ceil_div(args_.Ci, words_per_pixel * Products::fields);
    return blocks * chunks * (even(args_.V) / 2) * (plan_.sizes().order / 4) * words_per_step;
  }
  struct Pieces {
    void* tables;
    float* adjoint;
    uint32_t* packed;
    Pieces(Fused const& f, Scratch& scratch, bool for_adjoint) {
      int64_t const weights = int64_t(f.args_.Ci) * f.args_.Co * f.args_.V * f.plan_.sizes().order;
      tables = scratch.take<char>(int64_t(f.plan_.bytes()));
      adjoint = scratch.take<float>(for_adjoint ? weights : 0);
      packed = scratch.take<uint32_t>(f.words());
    }
  };

  Plan<float> const& plan_;
  FusedArgs args_{};
};

}  // namespace fourier
}  // namespace D16_GPU
}  // namespace d16::kernels
