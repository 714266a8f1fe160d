// Features under a tile of pixels on their way to the products of the factored group convolution: from memory to
// Fourier coefficients, and from these, by the basis around each pixel, to planes of operands.
#pragma once
#include <algorithm>
#include <cstring>

#include "fourier_products.cuh"
#include "fourier_unfused.cuh"
#include "pack.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace fourier {

/// The values of one field: 16 bytes at once, or the whole field.
template <int order, class E> __device__ __forceinline__ void read_values(E const* from, float (&x)[order]) {
  constexpr int count = order < whole_pack<E> ? order : whole_pack<E>;
  unrolled<order / count>([&](auto i) {
    Pack<float, count> const pack = read_pack<count>(from, i);
    unrolled<count>([&](auto e) { x[count * i + e] = pack.value[e]; });
  });
}
template <int order, class E> __device__ __forceinline__ void write_values(E* to, float const (&x)[order]) {
  constexpr int count = order < whole_pack<E> ? order : whole_pack<E>;
  unrolled<order / count>([&](auto i) {
    Pack<float, count> pack;
    unrolled<count>([&](auto e) { pack.value[e] = x[count * i + e]; });
    write_pack<count>(to, i, pack);
  });
}

/// 16 bytes as numbers that lanes can exchange.
struct alignas(16) Words {
  uint32_t value[4];
};
/// A pack of E from as many floats.
template <class E> __device__ __forceinline__ Words words_of(float const* x) {
  constexpr int count = whole_pack<E>;
  float values[count];
  unrolled<count>([&](auto e) { values[e] = x[e]; });
  Pack<E, count> const pack = packed<E>(values);
  Words words;
  memcpy(&words, &pack, sizeof words);
  return words;
}
/// The same for the fields of two neighbouring lanes, which lie side by side in memory where both exist. Of every two
/// packs of a field the lanes write one each, so that a warp writes whole sectors. All lanes of a warp have to come.
template <int order, class E>
__device__ __forceinline__ void write_values_of_pair(E* to, float const (&x)[order], bool exists) {
  constexpr int count = whole_pack<E>;
  if constexpr (order <= count) {
    if (exists) write_values(to, x);
  } else {
    bool const odd = threadIdx.x % 2;
    bool const other_exists = __shfl_xor_sync(~0u, int(exists), 1);
    E *const even_field = odd ? to - order : to, *const odd_field = even_field + order;
    unrolled<order / count / 2>([&](auto i) {
      Words const first = words_of<E>(x + 2 * count * i), second = words_of<E>(x + 2 * count * i + count);
      Words got;
      unrolled<4>([&](auto e) { got.value[e] = __shfl_xor_sync(~0u, odd ? first.value[e] : second.value[e], 1); });
      int const at = 2 * i + odd;
      if (odd ? other_exists : exists) reinterpret_cast<Words*>(even_field)[at] = odd ? got : first;
      if (odd ? exists : other_exists) reinterpret_cast<Words*>(odd_field)[at] = odd ? second : got;
    });
  }
}

/// Features (N,H,W,fields,order), E in memory, and how they are projected.
template <class E> struct Features {
  Geometry g;
  int fields, V, harmonics, planes;  ///< planes: how many slots a pass has, 2, 4 or 6
  int rows, columns;                 ///< of the image that count
  E const* x;
  float const* norm;
  bool coefficients;  ///< x holds Fourier coefficients already
  bool simple;        ///< the 3 x 3 basis of six functions, without stride and dilation
  int const* route;
  float const* taps;
  float point, centre, corner, diagonal;  ///< the simple basis: ring 0 at 0; ring 1 at 0, at a corner; of m = 1 there
  unsigned char first[64], last[64];      ///< harmonics that begin before the end of each pass, and reach into it

  __host__ __device__ int slots() const { return (V + 1) / 2 * 2; }
  __host__ __device__ int passes() const { return (slots() + planes - 1) / planes; }
  /// How many slots the pass has, an even number.
  __host__ __device__ int slots_of(int pass) const {
    int const left = slots() - pass * planes;
    return left < planes ? left : planes;
  }
};

/// What all tiles of output pixels have that features are brought to: eight wide, with all coefficients of a field.
template <class Transform_, int pixels_> struct PixelTile {
  using Transform = Transform_;
  static constexpr int order = Transform::order, units = order / 4;
  static constexpr int pixels = pixels_, width = 8, height = pixels / width;
  static constexpr int columns = order / 2;  ///< of two coefficients
  static constexpr int strip = 4;            ///< rows that a warp projects together

  /// Where tile `index` of the images of g begins.
  struct Place {
    int n, p, q;
    __device__ Place(Geometry const& g, int64_t index) {
      int const across = (g.Q + width - 1) / width, down = (g.P + height - 1) / height;
      q = int(index % across) * width, p = int(index / across % down) * height, n = int(index / across / down);
    }
  };
  static int64_t tiles(Geometry const& g) {
    return int64_t(dense::ceil_div(g.P, height)) * dense::ceil_div(g.Q, width) * g.N;
  }
};
/// The input pixels under a tile.
template <class Tile> struct Halo {
  int height, width;
  __host__ __device__ explicit Halo(Geometry const& g)
      : height((Tile::height - 1) * g.stride + (g.kernel - 1) * g.dilation + 1),
        width((Tile::width - 1) * g.stride + (g.kernel - 1) * g.dilation + 1) {}
  __host__ __device__ int size() const { return height * width; }
};

/// The coefficients of one field at one pixel, or zeros where there are none. Features are read as the norm before the
/// convolution would have written them.
template <class Transform, class E> __device__ __forceinline__ void read_coefficients(Features<E> const& a,
                                                                                      E const* pixel, int c,
                                                                                      float (&f)[Transform::order]) {
  constexpr int order = Transform::order;
  if (!pixel || c >= a.fields) {
    unrolled<order>([&](auto i) { f[i] = 0; });
    return;
  }
  if (a.coefficients) return read_values(pixel + c * order, f);
  float x[order];
  read_values(pixel + c * order, x);
  if (a.norm) unrolled<order>([&](auto i) { x[i] = normalised(x[i], a.norm, c, a.fields); });
  Transform::forward(x, f);
}

/// The same for the field or two of one word: put(coefficient, word) for each.
template <class Products, class Transform, class E, class Put>
__device__ __forceinline__ void read_word(Features<E> const& a, E const* pixel, int c, Put const& put) {
  float first[Transform::order];
  read_coefficients<Transform>(a, pixel, c, first);
  if constexpr (Products::fields == 2) {
    float second[Transform::order];
    read_coefficients<Transform>(a, pixel, c + 1, second);
    unrolled<Transform::order>([&](auto q) { put(q, Products::coefficient({first[q], second[q]})); });
  } else {
    unrolled<Transform::order>([&](auto q) { put(q, Products::coefficient(first[q])); });
  }
}

/// Stage 1: the fields from c on, at all pixels under the tile, to Fourier coefficients. A thread transforms the field
/// or two of one word: coefficients (order, pixels under the tile, 4 words).
template <class Products, class Tile, class E> __device__ __forceinline__ void fetch(Features<E> const& a,
                                                                                     typename Tile::Place const& at,
                                                                                     int c, uint32_t* coefficients) {
  Halo<Tile> const halo(a.g);
  int const words = halo.size() * words_per_pixel;
#pragma unroll 1
  for (int task = int(threadIdx.x); task < words; task += int(blockDim.x)) {
    int const pixel = task / words_per_pixel, field = c + task % words_per_pixel * Products::fields;
    int const row = a.g.pixel(at.p * a.g.stride + pixel / halo.width - a.g.padding, a.rows);
    int const col = a.g.pixel(at.q * a.g.stride + pixel % halo.width - a.g.padding, a.columns);
    E const* const from =
        row < 0 || col < 0 ? nullptr : a.x + ((int64_t(at.n) * a.g.H + row) * a.g.W + col) * a.fields * Tile::order;
    read_word<Products, typename Tile::Transform>(
        a, from, field, [&](auto q, uint32_t value) { coefficients[q * words + task] = value; });
  }
}

/// Where the four values of a column and harmonic go, in words from the panels' first, and with which sign.
template <class Products, class Tile> class Routes {
 public:
  template <class E> __device__ __forceinline__ Routes(Features<E> const& a, int column, int harmonic, int first_slot)
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
template <class Products, class Tile, class E>
__device__ __forceinline__ void project_row(Features<E> const& a, uint32_t const* coefficients, uint32_t* panels,
                                            int column, int row, int pass) {
  using V = typename Products::Value;
  constexpr int together = 4;
  Halo<Tile> const halo(a.g);
  int const lane = int(threadIdx.x) % 32, col = lane / 4, word = lane % 4, words = halo.size() * words_per_pixel;
  int const pixels = a.g.kernel * a.g.kernel;
  Column const at = column_of<typename Tile::Transform>(column);
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
  template <class E> __device__ __forceinline__ Six(Features<E> const& a, RowSums<V> const& up, RowSums<V> const& own,
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
template <class Products, class Tile, class E>
__device__ __forceinline__ void project_strip(Features<E> const& a, uint32_t const* coefficients, uint32_t* panels,
                                              int column, int row) {
  using V = typename Products::Value;
  Halo<Tile> const halo(a.g);
  int const lane = int(threadIdx.x) % 32, col = lane / 4, word = lane % 4, words = halo.size() * words_per_pixel;
  Column const at = column_of<typename Tile::Transform>(column);
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

/// Stage 2: coefficients to the planes of one pass, panels (order, planes, pixels, 4 words). Each warp takes some
/// columns and rows.
template <class Products, class Tile, class E> __device__ __forceinline__ void project(Features<E> const& a,
                                                                                       uint32_t const* coefficients,
                                                                                       uint32_t* panels, int pass) {
  int const warp = int(threadIdx.x) / 32;
  if (a.simple) {
#pragma unroll 1
    for (int task = warp; task < Tile::columns * Tile::height / Tile::strip; task += Tile::warps)
      project_strip<Products, Tile>(a, coefficients, panels, task % Tile::columns, task / Tile::columns * Tile::strip);
    return;
  }
#pragma unroll 1
  for (int task = warp; task < Tile::columns * Tile::height; task += Tile::warps)
    project_row<Products, Tile>(a, coefficients, panels, task % Tile::columns, task / Tile::columns, pass);
  int const beyond = a.V - pass * a.planes;  // a plane that only fills a step up: its weights are zeros, 0 x NaN is not
  if (a.V % 2 == 0 || beyond >= a.planes) return;
#pragma unroll 1
  for (int i = int(threadIdx.x); i < Tile::order * Tile::pixels * words_per_pixel; i += Tile::threads) {
    constexpr int plane = Tile::pixels * words_per_pixel;
    panels[(i / plane * a.planes + beyond) * plane + i % plane] = 0;
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

/// Describes features and their basis to the kernels.
template <class E> class Describe {
 public:
  /// shared_bytes(Features, transform): what a block needs. Without planes, nothing fits a block.
  template <class SharedBytes>
  Describe(GroupConv2d<E> const& a, Plan<float> const& plan, Geometry const& g, int fields, SharedBytes shared_bytes) {
    f.g = g, f.fields = fields, f.V = a.V, f.harmonics = plan.sizes().harmonics, f.rows = g.H, f.columns = g.W;
    with_transform(a.group, [&](auto transform) {
      int most = 0;
      size_t const room = std::min(most_shared, gpu::most_shared_bytes());
      for (int planes : {2, 4, 6}) {
        f.planes = planes;
        if (shared_bytes(f, transform) <= room) most = planes;
      }
      return f.planes = most, int(ok);
    });
    if (f.planes == 0 || f.passes() > int(sizeof f.first)) f.planes = 0;
    f.simple = f.planes == 6 && g.stride == 1 && a.dilation == 1 && has_simple_basis(a, plan);
    find_passes(plan.harmonics());
  }
  Features<E> f{};

 private:
  // What a block of compute capability 8.0 may have: sums have one order on every card with as much. Some have less.
  static constexpr size_t most_shared = size_t(163) << 10;

  /// Whether the basis is that of a point and a ring with m = 0, 1, 2 on 3 x 3 pixels, one at the sides.
  bool has_simple_basis(GroupConv2d<E> const& a, Plan<float> const& plan) {
    auto const& h = plan.harmonics();
    if (a.kernel != 3 || h.size() != 4 || h[1].m != 0 || h[2].m != 1 || h[3].m != 2) return false;
    auto at = [&](int v, int i, int j) { return a.basis[(v * 3 + i) * 3 + j]; };
    f.point = float(at(0, 1, 1)), f.centre = float(at(1, 1, 1));
    f.corner = float(at(1, 0, 2)), f.diagonal = float(at(2, 0, 2));
    double const c = at(1, 0, 2), d = at(2, 0, 2);
    double const expected[6][9] = {{0, 0, 0, 0, at(0, 1, 1), 0, 0, 0, 0}, {c, 1, c, 1, at(1, 1, 1), 1, c, 1, c},
                                   {-d, 0, d, -1, 0, 1, -d, 0, d},        {d, 1, d, 0, 0, 0, -d, -1, -d},
                                   {0, -1, 0, 1, 0, 1, 0, -1, 0},         {-c, 0, c, 0, 0, 0, c, 0, -c}};
    constexpr double rounding = 1e-9;
    for (int i = 0; i < 54; ++i)
      if (!(std::abs(a.basis[i] - expected[i / 9][i % 9]) < rounding)) return false;
    return true;
  }

  void find_passes(std::vector<cpu::detail::Harmonic> const& h) {
    int const planes = f.planes;
    for (int pass = 0; planes > 0 && pass < f.passes(); ++pass) {
      int first = 0, last = 0;
      for (int i = 0; i < int(h.size()); ++i) {
        int const end = h[size_t(i)].v + (h[size_t(i)].m > 0 ? 2 : 1);
        if (end <= pass * planes) first = i + 1;
        if (h[size_t(i)].v < (pass + 1) * planes) last = i + 1;
      }
      f.first[pass] = static_cast<unsigned char>(first), f.last[pass] = static_cast<unsigned char>(last);
    }
  }
};

}  // namespace fourier
}  // namespace D16_GPU
}  // namespace d16::kernels
