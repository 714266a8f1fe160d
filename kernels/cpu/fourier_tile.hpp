// The stages of the factored group convolution on one tile of pixels, one copy per instruction set:
//   transform  pixels of a field -> its coefficients, a plane each (the lanes of a vector are pixels from here on)
//   project    planes -> features, the left operands of the products
//   product    features times weights, both in panels
//   finish     products -> coefficients -> group elements, scaled, shifted, rectified, written out
#pragma once
#include <cstring>

#include "fourier_tables.hpp"

namespace d16::kernels::cpu {
namespace detail {

constexpr int most_elements = 64;   ///< order of the largest group that the factored path takes
constexpr int most_harmonics = 64;  ///< and the number of rings times frequencies
constexpr int most_radius = 7;      ///< and the kernel, 15 x 15

/// Pixels of an image (or a zero pixel) to planes of coefficients: F[(field * order + q) * plane + position].
template <class T> struct TransformArgs {
  T const* const* pixel;  ///< of each position, (fields, elements)
  int64_t positions;      ///< a multiple of the lanes
  int64_t channel;        ///< of the first field
  int fields, order;
  T const* matrix;  ///< of the transform, when there is no butterfly
  T* planes;
  int64_t plane;
};

/// A sparse row of the folded basis: sums over the taps that mirrors in x and y map to each other.
struct FoldedTap {
  int at;  ///< index among the folded sums
  double factor;
};

/// The planes of one field to features, for some vectors of output positions.
template <class T> struct ProjectArgs {
  FourierTables const* tables;
  int kernel;
  int64_t const* offset;       ///< of each tap, from an output's position
  FoldedTap const* taps;       ///< of every harmonic, cosine first
  int const* tap_begin;        ///< (2 harmonics + 1)
  bool plain3;                 ///< kernel 3, a point and a ring up to frequency 2: the formulas below are enough
  T centre, corner, diagonal;  ///< of the ring, relative to its value at distance 1
  T const* planes;
  int64_t plane;
  T* panels;
  int64_t panel, group_size;  ///< distances of panels, and of groups of two vectors
  int64_t slot;               ///< first slot of the field
  int vectors;
  int const* start;  ///< the position of each vector's first output
};

/// C[rows][pixels] (+)= A[depth][rows]^T (B[depth][pixels] + sign B2[depth][pixels])
template <class T> struct ProductArgs {
  int depth;
  T const *a, *b, *b2;
  T sign;
  T* c;
  bool accumulate;
};

/// The coefficients of output fields to pixels.
template <class T> struct FinishArgs {
  FourierTables const* tables;
  T const* products;                 ///< [product][group of two vectors][field][pixel]
  int64_t product_size, group_size;  ///< distances
  int fields, vectors;
  T const *matrix, *scale, *shift;  ///< scale and shift of each field
  bool relu, stream;
  T* const* pixel;  ///< of each position, null where there is none
};

/// A sum of coefficients of the weights: factor times number `at`.
template <class T> struct WeightTerm {
  int at;
  T factor;
};

/// The weights of `rows` output fields and some input fields to the right operands of all products.
template <class T> struct PackArgs {
  T const* const* weights;  ///< of each output field (null: none), from the first input field on: (fields, V, slots)
  int rows, fields, V, slots, products;
  T const* matrix;
  WeightTerm<T> const* terms;
  int const* begin;  ///< (products, V) + 1
  T* coefficients;   ///< scratch, (V, slots) vectors
  T* panels;         ///< (fields, V, rows) of each product, overrun by less than a vector
  int64_t panel;
};

/// The reverse, for the gradient: right operands with the lanes along the output fields, to weights.
template <class T> struct UnpackArgs {
  T const* entries;     ///< [entry][slot][output field]: of one input field and from the first output field on
  int64_t entry, slot;  ///< distances
  int V, slots, count;  ///< how many lanes are output fields
  T const* matrix;
  Term const* terms;
  int term_count;
  T const* unit;  ///< of each function: the factor that its feature lacks
  T* coefficients;
  T* const* weights;  ///< of each output field: (V, slots) of the input field
};

/// C[rows][outputs] += sign * sum over pixels of A[rows][pixels] B[pixels][outputs]
template <class T> struct GradientArgs {
  int64_t pixels;
  T const* a;
  int64_t a_row, a_group;  ///< distances of rows, and of groups of two vectors of pixels
  T const* b;
  int64_t outputs;  ///< distance of pixels in b and of rows in c
  T* c;
  T sign;
};

/// One product tile.
template <class T> struct ProductTile {
  int rows;
  void (*run[2][2])(ProductArgs<T> const&);  ///< [vectors - 1][b2 is used]
};

/// transform and finish for a group; the first entry of each list is the general one.
template <class T> struct GroupStages {
  int n;
  bool mirrored;
  void (*transform)(TransformArgs<T> const&);
  void (*finish)(FinishArgs<T> const&);
  void (*pack)(PackArgs<T> const&);
  void (*unpack)(UnpackArgs<T> const&);
};

/// A tile of the weight gradient.
template <class T> struct GradientTile {
  int rows;
  void (*run[2])(GradientArgs<T> const&);  ///< [vectors - 1]
};

template <class T> struct FourierStages {
  int lanes;
  ProductTile<T> tiles[3];
  GradientTile<T> gradients[3];  ///< the last has one row
  void (*project)(ProjectArgs<T> const&);
  int groups;
  GroupStages<T> group[7];

  GroupStages<T> const& stages_of(Group g) const {
    for (int i = 1; i < groups; ++i)
      if (group[i].n == g.n && group[i].mirrored == g.mirrored()) return group[i];
    return group[0];
  }
  /// The tile that wastes least on `fields` rows.
  ProductTile<T> const& tile_for(int fields) const {
    int best = 0;
    auto padded = [&](int i) { return (fields + tiles[i].rows - 1) / tiles[i].rows * tiles[i].rows; };
    for (int i = 1; i < 3; ++i)
      if (padded(i) < padded(best)) best = i;
    return tiles[best];
  }
};

template <class V, class T> D16_INLINE void load(V& v, T const* from) { std::memcpy(&v, from, sizeof v); }
template <class V, class T> D16_INLINE void save(T* to, V const& v) { std::memcpy(to, &v, sizeof v); }
/// Around the caches, which a large output would only sweep. `to` is aligned.
template <class V, class T> D16_INLINE void stream(T* to, V const& v) {
#if defined(__x86_64__)
  if constexpr (sizeof(V) == 64) asm("vmovntps %1, %0" : "=m"(*reinterpret_cast<V*>(to)) : "v"(v));
  else if constexpr (sizeof(V) == 32) asm("vmovntps %1, %0" : "=m"(*reinterpret_cast<V*>(to)) : "x"(v));
  else
#endif
    save(to, v);
}

template <class T, int L, int n, bool mirrored> D16_INLINE void transform_tile(TransformArgs<T> const& a) {
  using V = Vector<T, L>;
  using Transform = GroupTransform<T, L, n, mirrored>;
  constexpr int G = n == 0 ? 0 : mirrored ? 2 * n : n;
  for (int64_t p = 0; p < a.positions; p += L) {
    T const* const* pixel = a.pixel + p;
    if constexpr (G == 0) {
      V x[most_elements], f[most_elements];
      for (int c = 0; c < a.fields; ++c) {
        T const zero = 0;
        for (int h = 0; h < a.order; ++h)
          for (int i = 0; i < L; ++i) x[h][i] = pixel[i] ? pixel[i][a.channel + c * a.order + h] : zero;
        if (a.matrix) Transform::forward(a.matrix, a.order, x, f);
        for (int q = 0; q < a.order; ++q) save(a.planes + (c * a.order + q) * a.plane + p, a.matrix ? f[q] : x[q]);
      }
    } else if constexpr (G % L == 0) {
      for (int c = 0; c < a.fields; ++c) {
        V x[G], f[G];
        for (int b = 0; b < G; b += L) {
#pragma GCC unroll 16
          for (int i = 0; i < L; ++i) {
            x[b + i] = V{};
            if (pixel[i]) load(x[b + i], pixel[i] + a.channel + c * G + b);
          }
          transpose<T, L>(x + b);
        }
        Transform::forward(nullptr, G, x, f);
#pragma GCC unroll 32
        for (int q = 0; q < G; ++q) save(a.planes + (c * G + q) * a.plane + p, f[q]);
      }
    } else {
      constexpr int together = L / G;  // fields in one vector
      for (int c = 0; c < a.fields; c += together) {
        int const count = std::min(together, a.fields - c);
        V x[L], f[G];
#pragma GCC unroll 16
        for (int i = 0; i < L; ++i) {
          x[i] = V{};
          if (!pixel[i]) continue;
          if (count == together) load(x[i], pixel[i] + a.channel + c * G);
          else std::memcpy(&x[i], pixel[i] + a.channel + c * G, sizeof(T) * size_t(count * G));
        }
        transpose<T, L>(x);
        for (int j = 0; j < count; ++j) {
          Transform::forward(nullptr, G, x + j * G, f);
#pragma GCC unroll 32
          for (int q = 0; q < G; ++q) save(a.planes + ((c + j) * G + q) * a.plane + p, f[q]);
        }
      }
    }
  }
}

/// The six functions of the plain 3 x 3 basis at one plane; cosine and sine of frequency 2 without its corner value,
/// the ring with its centre.
template <class T, int L> struct Plain3 {
  using V = Vector<T, L>;
  V point, ring, c1, s1, c2, s2;

  D16_INLINE void fill(T const* f, int64_t const* offset, T centre, T corner, T diagonal) {
    V nw, n, ne, w, e, sw, s, se;
    load(nw, f + offset[0]), load(n, f + offset[1]), load(ne, f + offset[2]);
    load(w, f + offset[3]), load(point, f + offset[4]), load(e, f + offset[5]);
    load(sw, f + offset[6]), load(s, f + offset[7]), load(se, f + offset[8]);
    V const west = nw + sw, west_up = nw - sw, east = ne + se, east_up = ne - se;
    V const across = e + w, along = n + s;
    ring = across + along + corner * (east + west) + centre * point;
    c1 = (e - w) + diagonal * (east - west);
    s1 = (n - s) + diagonal * (east_up + west_up);
    c2 = across - along;
    s2 = corner * (east_up - west_up);
  }
};

/// Where the values of a column go: true when each of `count` values has one place, as it does for all but tiny groups.
/// place(f) is the value that a feature takes, and may turn its sign.
template <class T, class Place> D16_INLINE bool assign(ProjectArgs<T> const& a, std::vector<Feature> const& features,
                                                       int width, int count, T** to, T* sign, Place const& place) {
  if (int(features.size()) != count) return false;
  for (int i = 0; i < count; ++i) to[i] = nullptr;
  for (Feature f : features) {
    int const i = place(f);
    to[i] = a.panels + f.panel * a.panel + (a.slot + f.slot) * width;
    sign[i] = T(f.sign);
  }
  for (int i = 0; i < count; ++i)
    if (!to[i]) return false;
  return true;
}

/// A column with both members: point 0 1, ring 0 1, then u0 u1 d0 d1 of frequency 1 and of frequency 2.
template <class T, int L> D16_INLINE bool project_pair(ProjectArgs<T> const& a, int column) {
  using V = Vector<T, L>;
  Column const source = a.tables->columns[size_t(column)];
  T* to[12];
  T sign[12];
  auto place = [](Feature& f) { return f.harmonic < 2 ? 2 * f.harmonic + f.value : 4 * (f.harmonic - 1) + f.value; };
  if (!assign(a, a.tables->features[size_t(column)], 2 * L, 12, to, sign, place)) return false;
  T const *fa = a.planes + source.a * a.plane, *fb = a.planes + source.b * a.plane;
  for (int v = 0; v < a.vectors; ++v) {
    int64_t const at = v / 2 * a.group_size + v % 2 * L;
    Plain3<T, L> x, y;
    x.fill(fa + a.start[v], a.offset, a.centre, a.corner, a.diagonal);
    save(to[0] + at, x.point), save(to[2] + at, x.ring);
    y.fill(fb + a.start[v], a.offset, a.centre, a.corner, a.diagonal);
    save(to[1] + at, y.point), save(to[3] + at, y.ring);
    V const u0 = sign[4] * (x.c1 - y.s1), u1 = sign[5] * (x.s1 + y.c1), d0 = sign[6] * (x.c1 + y.s1),
            d1 = sign[7] * (y.c1 - x.s1);
    save(to[4] + at, u0), save(to[5] + at, u1), save(to[6] + at, d0), save(to[7] + at, d1);
    V const v0 = sign[8] * (x.c2 - y.s2), v1 = sign[9] * (x.s2 + y.c2), w0 = sign[10] * (x.c2 + y.s2),
            w1 = sign[11] * (y.c2 - x.s2);
    save(to[8] + at, v0), save(to[9] + at, v1), save(to[10] + at, w0), save(to[11] + at, w1);
  }
  return true;
}

/// A column with one member: point, ring, cosine and sine of frequency 1 and of frequency 2.
template <class T, int L> D16_INLINE bool project_single(ProjectArgs<T> const& a, int column) {
  using V = Vector<T, L>;
  Column const source = a.tables->columns[size_t(column)];
  T* to[6];
  T sign[6];
  auto place = [=](Feature& f) {
    if (f.harmonic < 2) return f.harmonic;
    bool const sine = source.b < 0 ? f.value % 2 == 1 : f.value % 2 == 0;
    if (f.value == (source.b < 0 ? 3 : 0)) f.sign = -f.sign;
    return 2 * (f.harmonic - 1) + sine;
  };
  if (!assign(a, a.tables->features[size_t(column)], 2 * L, 6, to, sign, place)) return false;
  T const* f = a.planes + std::max(source.a, source.b) * a.plane;
  for (int v = 0; v < a.vectors; ++v) {
    int64_t const at = v / 2 * a.group_size + v % 2 * L;
    Plain3<T, L> x;
    x.fill(f + a.start[v], a.offset, a.centre, a.corner, a.diagonal);
    V const c1 = sign[2] * x.c1, s1 = sign[3] * x.s1, c2 = sign[4] * x.c2, s2 = sign[5] * x.s2;
    save(to[0] + at, x.point), save(to[1] + at, x.ring), save(to[2] + at, c1);
    save(to[3] + at, s1), save(to[4] + at, c2), save(to[5] + at, s2);
  }
  return true;
}

/// Sums of the taps that the mirrors x -> -x and y -> -y map to each other: for each (i, j) with 0 <= i, j <= radius,
/// even or odd in x, and in y; a harmonic needs those of one parity only.
template <class T, int L>
D16_INLINE void fold_taps(T const* f, int64_t const* offset, int radius, Vector<T, L>* folded) {
  using V = Vector<T, L>;
  int const side = radius + 1, kernel = 2 * radius + 1, square = side * side;
  auto tap = [&](V & v, int up, int right) __attribute__((always_inline)) {
    load(v, f + offset[(radius - up) * kernel + radius + right]);
  };
  for (int i = 0; i < side; ++i)
    for (int j = 0; j < side; ++j) {
      V* out = folded + i * side + j;  // even-even, then odd in x, odd in y, odd in both
      V ne, nw, se, sw;
      tap(ne, i, j);
      if (i == 0 && j == 0) {
        out[0] = ne;
        out[square] = out[2 * square] = out[3 * square] = V{};
      } else if (i == 0) {
        tap(nw, 0, -j);
        out[0] = ne + nw, out[square] = ne - nw;
        out[2 * square] = out[3 * square] = V{};
      } else if (j == 0) {
        tap(se, -i, 0);
        out[0] = ne + se, out[2 * square] = ne - se;
        out[square] = out[3 * square] = V{};
      } else {
        tap(nw, i, -j), tap(se, -i, j), tap(sw, -i, -j);
        V const up = ne + nw, up_x = ne - nw, down = se + sw, down_x = se - sw;
        out[0] = up + down, out[square] = up_x + down_x;
        out[2 * square] = up - down, out[3 * square] = up_x - down_x;
      }
    }
}

/// C and S of every harmonic at one plane.
template <class T, int L> D16_INLINE void correlate(ProjectArgs<T> const& a, T const* f, Vector<T, L>* c_and_s) {
  using V = Vector<T, L>;
  V folded[4 * (most_radius + 1) * (most_radius + 1)];
  fold_taps<T, L>(f, a.offset, a.kernel / 2, folded);
  int const functions = 2 * int(a.tables->harmonics.size());
  for (int i = 0; i < functions; ++i) {
    V sum{};
    for (int tap = a.tap_begin[i]; tap < a.tap_begin[i + 1]; ++tap)
      sum += T(a.taps[tap].factor) * folded[a.taps[tap].at];
    c_and_s[i] = sum;
  }
}

template <class T, int L> D16_INLINE void project_any(ProjectArgs<T> const& a, int column) {
  using V = Vector<T, L>;
  FourierTables const& t = *a.tables;
  auto const& features = t.features[size_t(column)];
  if (features.empty()) return;
  Column const source = t.columns[size_t(column)];
  constexpr int width = 2 * L;
  int const harmonics = int(t.harmonics.size());
  V x[2 * most_harmonics], y[2 * most_harmonics], value[4 * most_harmonics];
  for (int v = 0; v < a.vectors; ++v) {
    if (source.a >= 0) correlate<T, L>(a, a.planes + source.a * a.plane + a.start[v], x);
    if (source.b >= 0) correlate<T, L>(a, a.planes + source.b * a.plane + a.start[v], y);
    for (int h = 0; h < harmonics; ++h) {
      V const c = x[2 * h], s = x[2 * h + 1], e = y[2 * h], f = y[2 * h + 1];
      V* out = value + 4 * h;
      if (source.b < 0) out[0] = c, out[1] = s, out[2] = c, out[3] = -s;
      else if (source.a < 0) out[0] = -f, out[1] = e, out[2] = f, out[3] = e;
      else out[0] = c - f, out[1] = s + e, out[2] = c + f, out[3] = e - s;
    }
    T* to = a.panels + v / 2 * a.group_size + v % 2 * L;
    for (Feature const& f : features) {
      V const scaled = T(f.sign) * value[4 * f.harmonic + f.value];
      save(to + f.panel * a.panel + (a.slot + f.slot) * width, scaled);
    }
  }
}

template <class T, int L> D16_INLINE void project_tile(ProjectArgs<T> const& a) {
  for (int column = 0; column < int(a.tables->columns.size()); ++column) {
    Column const source = a.tables->columns[size_t(column)];
    bool const pair = source.a >= 0 && source.b >= 0;
    if (a.plain3 && (pair ? project_pair<T, L>(a, column) : project_single<T, L>(a, column))) continue;
    project_any<T, L>(a, column);
  }
}

template <class T, int L, int rows, int vectors, bool summed> D16_INLINE void product_tile(ProductArgs<T> const& p) {
  using V = Vector<T, L>;
  constexpr int width = 2 * L;  // of a row of pixels, whether all of it is used or not
  V sum[rows][vectors];
#pragma GCC unroll 12
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < vectors; ++v) {
      sum[r][v] = V{};
      if (p.accumulate) load(sum[r][v], p.c + r * width + v * L);
    }
  T const *a = p.a, *b = p.b, *b2 = p.b2;
  T const sign = p.sign;
  for (int k = 0; k < p.depth; ++k, a += rows, b += width, b2 += width) {
    V bk[vectors];
#pragma GCC unroll 2
    for (int v = 0; v < vectors; ++v) {
      load(bk[v], b + v * L);
      if constexpr (summed) {
        V other;
        load(other, b2 + v * L);
        bk[v] += sign * other;
      }
    }
#pragma GCC unroll 12
    for (int r = 0; r < rows; ++r) {
      T const w = a[r];
#pragma GCC unroll 2
      for (int v = 0; v < vectors; ++v) sum[r][v] += w * bk[v];
    }
  }
#pragma GCC unroll 12
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < vectors; ++v) save(p.c + r * width + v * L, sum[r][v]);
}

/// The coefficients of one field at one vector of pixels from the products.
template <class T, int L, int n, bool mirrored>
D16_INLINE void coefficients(FinishArgs<T> const& a, T const* product, Vector<T, L>* f) {
  using V = Vector<T, L>;
  auto at = [&](V & v, int i) __attribute__((always_inline)) { load(v, product + i * a.product_size); };
  if (n == 0 || !a.tables->factored()) {
    int const count = n == 0 ? a.tables->outputs : mirrored ? 2 * n : n;
    for (int q = 0; q < count; ++q) {
      V sum{}, one;
      for (Part const& part : a.tables->results[size_t(q)]) {
        at(one, part.of);
        sum += T(part.sign) * one;
      }
      f[q] = sum;
    }
    return;
  }
  constexpr int real = mirrored ? 4 : 2;
#pragma GCC unroll 4
  for (int q = 0; q < real; ++q) at(f[q], q);
#pragma GCC unroll 8
  for (int k = 1; k < n / 2; ++k) {
    if constexpr (mirrored) {
      V m[7];
#pragma GCC unroll 7
      for (int i = 0; i < 7; ++i) at(m[i], real + 7 * (k - 1) + i);
      f[4 * k] = (m[0] + m[3]) + (m[6] - m[4]);
      f[4 * k + 1] = m[2] + m[4];
      f[4 * k + 2] = m[1] + m[3];
      f[4 * k + 3] = (m[0] - m[1]) + (m[2] + m[5]);
    } else {
      V m[3];
#pragma GCC unroll 3
      for (int i = 0; i < 3; ++i) at(m[i], real + 3 * (k - 1) + i);
      f[2 * k] = m[0] - m[2];
      f[2 * k + 1] = m[0] + m[1];
    }
  }
}

template <class T, int L> D16_INLINE void epilogue(FinishArgs<T> const& a, int field, int count, Vector<T, L>* x) {
  using V = Vector<T, L>;
  T const scale = a.scale[field], shift = a.shift[field];
  V const zero{};
  for (int h = 0; h < count; ++h) {
    x[h] = scale * x[h] + shift;
    if (a.relu) x[h] = x[h] < zero ? zero : x[h];  // a NaN stays
  }
}

template <class T, int L, int n, bool mirrored> D16_INLINE void finish_tile(FinishArgs<T> const& a) {
  using V = Vector<T, L>;
  using Transform = GroupTransform<T, L, n, mirrored>;
  constexpr int G = n == 0 ? 0 : mirrored ? 2 * n : n;
  constexpr int width = 2 * L;
  for (int v = 0; v < a.vectors; ++v) {
    T* const* pixel = a.pixel + v * L;
    T const* products = a.products + v / 2 * a.group_size + v % 2 * L;
    if constexpr (G == 0) {
      V f[most_elements], x[most_elements];
      int const count = a.tables->outputs;
      for (int o = 0; o < a.fields; ++o) {
        coefficients<T, L, n, mirrored>(a, products + o * width, f);
        if (a.matrix) Transform::transpose(a.matrix, count, f, x);
        V* const out = a.matrix ? x : f;
        epilogue<T, L>(a, o, count, out);
        for (int i = 0; i < L; ++i)
          if (pixel[i])
            for (int h = 0; h < count; ++h) pixel[i][o * count + h] = out[h][i];
      }
    } else if constexpr (G % L == 0) {
      for (int o = 0; o < a.fields; ++o) {
        V f[G], x[G];
        coefficients<T, L, n, mirrored>(a, products + o * width, f);
        Transform::transpose(nullptr, G, f, x);
        epilogue<T, L>(a, o, G, x);
        for (int b = 0; b < G; b += L) {
          transpose<T, L>(x + b);
#pragma GCC unroll 16
          for (int i = 0; i < L; ++i)
            if (pixel[i]) a.stream ? stream(pixel[i] + o * G + b, x[b + i]) : save(pixel[i] + o * G + b, x[b + i]);
        }
      }
    } else {
      constexpr int together = L / G;
      for (int o = 0; o < a.fields; o += together) {
        int const count = std::min(together, a.fields - o);
        V f[G], x[L];
        for (V& all : x) all = V{};
        for (int j = 0; j < count; ++j) {
          coefficients<T, L, n, mirrored>(a, products + (o + j) * width, f);
          Transform::transpose(nullptr, G, f, x + j * G);
          epilogue<T, L>(a, o + j, G, x + j * G);
        }
        transpose<T, L>(x);
#pragma GCC unroll 16
        for (int i = 0; i < L; ++i) {
          if (!pixel[i]) continue;
          if (count == together) save(pixel[i] + o * G, x[i]);
          else std::memcpy(pixel[i] + o * G, &x[i], sizeof(T) * size_t(count * G));
        }
      }
    }
  }
}

/// The transform of one function's weights, for the fields in the lanes: x[h] of lane i is rows[i][h], zero beyond.
template <class T, int L>
D16_INLINE void gather_weights(T const* const* rows, int count, int64_t at, int slots, Vector<T, L>* x) {
  if (slots % L == 0) {
    for (int b = 0; b < slots; b += L) {
#pragma GCC unroll 16
      for (int i = 0; i < L; ++i) {
        x[b + i] = Vector<T, L>{};
        if (i < count && rows[i]) load(x[b + i], rows[i] + at + b);
      }
      transpose<T, L>(x + b);
    }
    return;
  }
  for (int h = 0; h < slots; ++h) {
    x[h] = Vector<T, L>{};
    for (int i = 0; i < count; ++i)
      if (rows[i]) x[h][i] = rows[i][at + h];
  }
}

template <class T, int L, int n, bool mirrored> D16_INLINE void pack_tile(PackArgs<T> const& a) {
  using V = Vector<T, L>;
  V x[most_elements], f[most_elements];
  for (int c = 0; c < a.fields; ++c) {
    for (int v = 0; v < a.V; ++v) {
      gather_weights<T, L>(a.weights, a.rows, int64_t(c * a.V + v) * a.slots, a.slots, x);
      bool const transformed = a.slots > 1;
      if (transformed) GroupTransform<T, L, n, mirrored>::forward(a.matrix, a.slots, x, f);
      for (int q = 0; q < a.slots; ++q) save(a.coefficients + (v * a.slots + q) * L, transformed ? f[q] : x[q]);
    }
    int const* begin = a.begin;
    for (int product = 0; product < a.products; ++product)
      for (int slot = 0; slot < a.V; ++slot, ++begin) {
        V sum{}, one;
        for (int t = begin[0]; t < begin[1]; ++t) {
          load(one, a.coefficients + a.terms[t].at * L);
          sum += a.terms[t].factor * one;
        }
        save(a.panels + product * a.panel + (c * a.V + slot) * a.rows, sum);
      }
  }
}

template <class T, int L, int n, bool mirrored> D16_INLINE void unpack_tile(UnpackArgs<T> const& a) {
  using V = Vector<T, L>;
  V const zero{};
  V f[most_elements] = {}, x[most_elements] = {}, one;
  for (int i = 0; i < a.V * a.slots; ++i) save(a.coefficients + i * L, zero);
  for (int i = 0; i < a.term_count; ++i) {
    Term const& t = a.terms[i];
    T* const to = a.coefficients + (t.q < 0 ? t.v : t.v * a.slots + t.q) * L;
    V sum;
    load(sum, to);
    load(one, a.entries + t.entry * a.entry + t.slot * a.slot);
    sum += T(t.factor) * a.unit[t.slot] * one;
    save(to, sum);
  }
  for (int v = 0; v < a.V; ++v) {
    for (int q = 0; q < a.slots; ++q) load(f[q], a.coefficients + (v * a.slots + q) * L);
    bool const transformed = a.slots > 1;
    if (transformed) GroupTransform<T, L, n, mirrored>::transpose(a.matrix, a.slots, f, x);
    if (a.slots % L == 0) {
      for (int b = 0; b < a.slots; b += L) {
        transpose<T, L>(x + b);
        for (int i = 0; i < a.count; ++i) save(a.weights[i] + v * a.slots + b, x[b + i]);
      }
    } else {
      for (int i = 0; i < a.count; ++i)
        for (int h = 0; h < a.slots; ++h) a.weights[i][v * a.slots + h] = transformed ? x[h][i] : f[h][i];
    }
  }
}

template <class T, int L, int rows, int vectors> D16_INLINE void gradient_tile(GradientArgs<T> const& p) {
  using V = Vector<T, L>;
  constexpr int width = 2 * L;
  V sum[rows][vectors] = {};
  T const* b = p.b;
  T const* group = p.a;
  for (int64_t left = p.pixels; left > 0; left -= width, group += p.a_group) {
    int const count = int(left < width ? left : width);
    T const* a = group;
    for (int i = 0; i < count; ++i, ++a, b += p.outputs) {
      V bk[vectors];
#pragma GCC unroll 2
      for (int v = 0; v < vectors; ++v) load(bk[v], b + v * L);
#pragma GCC unroll 12
      for (int r = 0; r < rows; ++r) {
        T const w = a[r * p.a_row];
#pragma GCC unroll 2
        for (int v = 0; v < vectors; ++v) sum[r][v] += w * bk[v];
      }
    }
  }
#pragma GCC unroll 12
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < vectors; ++v) {
      V old;
      load(old, p.c + r * p.outputs + v * L);
      old += p.sign * sum[r][v];
      save(p.c + r * p.outputs + v * L, old);
    }
}

#define D16_FOURIER_STAGES(isa, TARGET)                                                                               \
  template <class T, int L, int n, bool m> TARGET void transform_##isa(TransformArgs<T> const& a) {                   \
    transform_tile<T, L, n, m>(a);                                                                                    \
  }                                                                                                                   \
  template <class T, int L, int n, bool m> TARGET void finish_##isa(FinishArgs<T> const& a) {                         \
    finish_tile<T, L, n, m>(a);                                                                                       \
  }                                                                                                                   \
  template <class T, int L, int n, bool m> TARGET void pack_##isa(PackArgs<T> const& a) { pack_tile<T, L, n, m>(a); } \
  template <class T, int L, int n, bool m> TARGET void unpack_##isa(UnpackArgs<T> const& a) {                         \
    unpack_tile<T, L, n, m>(a);                                                                                       \
  }                                                                                                                   \
  template <class T, int L, int R, int v> TARGET void gradient_##isa(GradientArgs<T> const& a) {                      \
    gradient_tile<T, L, R, v>(a);                                                                                     \
  }                                                                                                                   \
  template <class T, int L> TARGET void project_##isa(ProjectArgs<T> const& a) { project_tile<T, L>(a); }             \
  template <class T, int L, int R, int v, bool s> TARGET void product_##isa(ProductArgs<T> const& a) {                \
    product_tile<T, L, R, v, s>(a);                                                                                   \
  }
D16_FOURIER_STAGES(avx512, D16_TARGET_AVX512)
D16_FOURIER_STAGES(avx2, D16_TARGET_AVX2)
D16_FOURIER_STAGES(baseline, )
#undef D16_FOURIER_STAGES

#define D16_PRODUCT_TILE(isa, rows)                                                \
  {                                                                                \
    rows, {                                                                        \
      {product_##isa<T, L, rows, 1, false>, product_##isa<T, L, rows, 1, true>}, { \
        product_##isa<T, L, rows, 2, false>, product_##isa<T, L, rows, 2, true>    \
      }                                                                            \
    }                                                                              \
  }
#define D16_GROUP_STAGES(isa, n, mirrored)                                                                           \
  {                                                                                                                  \
    n, mirrored, transform_##isa<T, L, n, mirrored>, finish_##isa<T, L, n, mirrored>, pack_##isa<T, L, n, mirrored>, \
        unpack_##isa<T, L, n, mirrored>                                                                              \
  }
#define D16_GRADIENT_TILE(isa, rows)                                       \
  {                                                                        \
    rows, { gradient_##isa<T, L, rows, 1>, gradient_##isa<T, L, rows, 2> } \
  }

template <class T> constexpr FourierStages<T> avx512_stages() {
  constexpr int L = 64 / sizeof(T);
  return {L,
          {D16_PRODUCT_TILE(avx512, 12), D16_PRODUCT_TILE(avx512, 8), D16_PRODUCT_TILE(avx512, 4)},
          {D16_GRADIENT_TILE(avx512, 12), D16_GRADIENT_TILE(avx512, 4), D16_GRADIENT_TILE(avx512, 1)},
          project_avx512<T, L>,
          7,
          {D16_GROUP_STAGES(avx512, 0, false), D16_GROUP_STAGES(avx512, 8, true), D16_GROUP_STAGES(avx512, 16, true),
           D16_GROUP_STAGES(avx512, 4, true), D16_GROUP_STAGES(avx512, 8, false), D16_GROUP_STAGES(avx512, 16, false),
           D16_GROUP_STAGES(avx512, 4, false)}};
}
template <class T> constexpr FourierStages<T> avx2_stages() {
  constexpr int L = 32 / sizeof(T);
  return {L,
          {D16_PRODUCT_TILE(avx2, 6), D16_PRODUCT_TILE(avx2, 4), D16_PRODUCT_TILE(avx2, 2)},
          {D16_GRADIENT_TILE(avx2, 6), D16_GRADIENT_TILE(avx2, 2), D16_GRADIENT_TILE(avx2, 1)},
          project_avx2<T, L>,
          7,
          {D16_GROUP_STAGES(avx2, 0, false), D16_GROUP_STAGES(avx2, 8, true), D16_GROUP_STAGES(avx2, 16, true),
           D16_GROUP_STAGES(avx2, 4, true), D16_GROUP_STAGES(avx2, 8, false), D16_GROUP_STAGES(avx2, 16, false),
           D16_GROUP_STAGES(avx2, 4, false)}};
}
template <class T> constexpr FourierStages<T> baseline_stages() {
  constexpr int L = 16 / sizeof(T);
  return {L,
          {D16_PRODUCT_TILE(baseline, L), D16_PRODUCT_TILE(baseline, L / 2), D16_PRODUCT_TILE(baseline, 1)},
          {D16_GRADIENT_TILE(baseline, 4), D16_GRADIENT_TILE(baseline, 2), D16_GRADIENT_TILE(baseline, 1)},
          project_baseline<T, L>,
          1,
          {D16_GROUP_STAGES(baseline, 0, false)}};
}
#undef D16_PRODUCT_TILE
#undef D16_GRADIENT_TILE
#undef D16_GROUP_STAGES

}  // namespace detail

/// The stages of an instruction set. float64 serves checks and has one copy.
template <class T> detail::FourierStages<T> const& fourier_stages(Isa isa) {
  static constexpr detail::FourierStages<T> baseline = detail::baseline_stages<T>();
  if constexpr (std::is_same_v<T, double>) {
    return baseline;
  } else {
    static constexpr detail::FourierStages<T> avx2 = detail::avx2_stages<T>(), avx512 = detail::avx512_stages<T>();
    return isa == Isa::avx512 ? avx512 : isa == Isa::avx2 ? avx2 : baseline;
  }
}

}  // namespace d16::kernels::cpu
