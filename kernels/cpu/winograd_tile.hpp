// Winograd's convolution F(4x4,3x3), its stages on one tile or panel, one copy per instruction set (the lanes of a
// vector are channels):
//   weights    g, 3 x 3            ->  G g G^T, 6 x 6
//   image      d, 6 x 6 pixels     ->  B^T d B, 6 x 6
//   product    for each of the 36 points, the sum over channels, or over tiles for the gradient of the weights
//   result     m, 6 x 6            ->  A^T m A + bias, 4 x 4 pixels
//   gradient   dy, 4 x 4 pixels    ->  A dy A^T, 6 x 6
//   collect    sums, 6 x 6         ->  G^T u G, 3 x 3
// Source: Winograd 1980; Lavin & Gray 2016.
#pragma once
#include <cstring>

#include "gemm_tile.hpp"

namespace d16::kernels::cpu {
namespace detail {

constexpr int winograd_points = 36;

/// The transforms along one axis. They evaluate polynomials at 0, a, -a, b, -b and infinity; every other choice gives
/// the same convolution but for rounding. With a = 2/3 and b = 3/2 errors grow a quarter as much as with the common 1
/// and 2 (largest row of |A^T| (|G| 1) (|B^T| 1): 23.2 instead of 48, squared in two dimensions), and every step is
/// still one fused multiply-add.
template <class T> struct WinogradAxis {
  static constexpr T a = T(2.0 / 3), b = T(1.5), a2 = T(4.0 / 9), b2 = T(2.25), a3 = T(8.0 / 27), b3 = T(3.375);
  static constexpr T squares = T(97.0 / 36);                         // a^2 + b^2
  static constexpr T over_a = T(-81.0 / 130), over_b = T(8.0 / 65);  // 1 / (2 a^2 (a^2 - b^2)), 1 / (2 b^2 (b^2 - a^2))

  /// out = G g
  template <class V> static D16_INLINE void weights(V const* g, int step, V* out) {
    V const even_a = over_a * (g[0] + a2 * g[2 * step]), odd_a = (over_a * a) * g[step];
    V const even_b = over_b * (g[0] + b2 * g[2 * step]), odd_b = (over_b * b) * g[step];
    out[0] = g[0], out[1] = even_a + odd_a, out[2] = even_a - odd_a;
    out[3] = even_b + odd_b, out[4] = even_b - odd_b, out[5] = g[2 * step];
  }
  /// out = G^T u
  template <class V> static D16_INLINE void collect(V const* u, int step, V* out) {
    V const sum_a = over_a * (u[step] + u[2 * step]), sum_b = over_b * (u[3 * step] + u[4 * step]);
    out[0] = u[0] + sum_a + sum_b;
    out[1] = (over_a * a) * (u[step] - u[2 * step]) + (over_b * b) * (u[3 * step] - u[4 * step]);
    out[2] = u[5 * step] + a2 * sum_a + b2 * sum_b;
  }
  /// out = B^T d
  template <class V> static D16_INLINE void image(V const* d, int step, V* out) {
    V const even_a = d[4 * step] - b2 * d[2 * step], odd_a = d[3 * step] - b2 * d[step];
    V const even_b = d[4 * step] - a2 * d[2 * step], odd_b = d[3 * step] - a2 * d[step];
    out[0] = (d[0] - squares * d[2 * step]) + d[4 * step];
    out[1] = even_a + a * odd_a, out[2] = even_a - a * odd_a;
    out[3] = even_b + b * odd_b, out[4] = even_b - b * odd_b;
    out[5] = (d[step] - squares * d[3 * step]) + d[5 * step];
  }
  /// out = A^T m
  template <class V> static D16_INLINE void result(V const* m, int step, V* out) {
    V const sum_a = m[step] + m[2 * step], sum_b = m[3 * step] + m[4 * step];
    V const difference_a = m[step] - m[2 * step], difference_b = m[3 * step] - m[4 * step];
    out[0] = m[0] + sum_a + sum_b;
    out[1] = a * difference_a + b * difference_b;
    out[2] = a2 * sum_a + b2 * sum_b;
    out[3] = m[5 * step] + a3 * difference_a + b3 * difference_b;
  }
  /// out = A y
  template <class V> static D16_INLINE void gradient(V const* y, int step, V* out) {
    V const even_a = y[0] + a2 * y[2 * step], odd_a = a * y[step] + a3 * y[3 * step];
    V const even_b = y[0] + b2 * y[2 * step], odd_b = b * y[step] + b3 * y[3 * step];
    out[0] = y[0], out[1] = even_a + odd_a, out[2] = even_a - odd_a;
    out[3] = even_b + odd_b, out[4] = even_b - odd_b, out[5] = y[3 * step];
  }
};

/// Weights (k, n, 3, 3), whose taps are contiguous, to panels of columns n.
template <class T> struct WinogradWeights {
  T const* data;
  int64_t step_n;
  bool flipped;  ///< rotated by half a turn
  int count;     ///< of columns that there are, at most a vector
  T* to;         ///< point p goes to to + p * point
  int64_t point;
};

/// Pixels (their channels contiguous) to points, for all channels.
template <class T> struct WinogradImage {
  T const* const* pixel;
  int channels;  ///< at least a vector
  T* to;
  int64_t point;
};

/// c[row][column] (+)= sum over k of a[row, k] b[k][column]
template <class T> struct WinogradProduct {
  int depth;
  T const* a;
  int64_t step;  ///< of a: from row to row when k is contiguous, from k to k when rows are
  T const* b;
  int64_t b_step;
  T* c;
  int64_t c_step;
  bool accumulate;
};

/// Points to pixels, null where there is none.
template <class T> struct WinogradResult {
  T const* from;
  int64_t point;
  int channels;
  T const* bias;
  T* const* pixel;
};

/// The sum of `parts` sums of points to the gradient of weights, (column, 3, 3) with contiguous taps.
template <class T> struct WinogradCollect {
  T const* from;
  int64_t point, part;
  int parts, count;
  T* dw;
  int64_t step_n;
};

template <class T> struct WinogradTile {
  int rows;
  void (*run[2])(WinogradProduct<T> const&);  ///< [vectors - 1]
};

template <class T> struct WinogradStages {
  int lanes;
  WinogradTile<T> product;  ///< k contiguous in a
  WinogradTile<T> across;   ///< rows contiguous in a; a multiple of 16 is one of its rows
  void (*weights)(WinogradWeights<T> const&);
  void (*image)(WinogradImage<T> const&);
  void (*result)(WinogradResult<T> const&);
  void (*gradient)(WinogradImage<T> const&);
  void (*collect)(WinogradCollect<T> const&);
};

template <class V, class T> D16_INLINE void load_vector(V& v, T const* from) { std::memcpy(&v, from, sizeof v); }
template <class V, class T> D16_INLINE void save_vector(T* to, V const& v) { std::memcpy(to, &v, sizeof v); }

template <class T, int L> D16_INLINE void winograd_weights(WinogradWeights<T> const& a) {
  using V = Vector<T, L>;
  V g[9] = {}, half[18], u[6];
  for (int n = 0; n < a.count; ++n)
#pragma GCC unroll 9
    for (int tap = 0; tap < 9; ++tap) g[tap][n] = a.data[n * a.step_n + (a.flipped ? 8 - tap : tap)];
#pragma GCC unroll 3
  for (int j = 0; j < 3; ++j) {
    WinogradAxis<T>::weights(g + j, 3, u);
#pragma GCC unroll 6
    for (int i = 0; i < 6; ++i) half[i * 3 + j] = u[i];
  }
#pragma GCC unroll 6
  for (int i = 0; i < 6; ++i) {
    WinogradAxis<T>::weights(half + i * 3, 1, u);
#pragma GCC unroll 6
    for (int j = 0; j < 6; ++j) save_vector(a.to + (i * 6 + j) * a.point, u[j]);
  }
}

/// Every vector of channels, the last one overlapping its neighbour.
template <int L> D16_INLINE int channel_of(int done, int channels) {
  return done + L <= channels ? done : channels - L;
}

template <class T, int L> D16_INLINE void winograd_image(WinogradImage<T> const& a) {
  using V = Vector<T, L>;
  for (int done = 0; done < a.channels; done += L) {
    int const c = channel_of<L>(done, a.channels);
    V d[6], half[36], u[6];
#pragma GCC unroll 6
    for (int j = 0; j < 6; ++j) {
#pragma GCC unroll 6
      for (int i = 0; i < 6; ++i) load_vector(d[i], a.pixel[i * 6 + j] + c);
      WinogradAxis<T>::image(d, 1, u);
#pragma GCC unroll 6
      for (int i = 0; i < 6; ++i) half[i * 6 + j] = u[i];
    }
#pragma GCC unroll 6
    for (int i = 0; i < 6; ++i) {
      WinogradAxis<T>::image(half + i * 6, 1, u);
#pragma GCC unroll 6
      for (int j = 0; j < 6; ++j) save_vector(a.to + (i * 6 + j) * a.point + c, u[j]);
    }
  }
}

template <class T, int L> D16_INLINE void winograd_gradient(WinogradImage<T> const& a) {
  using V = Vector<T, L>;
  for (int done = 0; done < a.channels; done += L) {
    int const c = channel_of<L>(done, a.channels);
    V d[4], half[24], u[6];
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) load_vector(d[i], a.pixel[i * 4 + j] + c);
      WinogradAxis<T>::gradient(d, 1, u);
#pragma GCC unroll 6
      for (int i = 0; i < 6; ++i) half[i * 4 + j] = u[i];
    }
#pragma GCC unroll 6
    for (int i = 0; i < 6; ++i) {
      WinogradAxis<T>::gradient(half + i * 4, 1, u);
#pragma GCC unroll 6
      for (int j = 0; j < 6; ++j) save_vector(a.to + (i * 6 + j) * a.point + c, u[j]);
    }
  }
}

template <class T, int L> D16_INLINE void winograd_result(WinogradResult<T> const& a) {
  using V = Vector<T, L>;
  for (int done = 0; done < a.channels; done += L) {
    int const c = channel_of<L>(done, a.channels);
    V m[6], half[24], y[4], bias{};
    if (a.bias) load_vector(bias, a.bias + c);
#pragma GCC unroll 6
    for (int j = 0; j < 6; ++j) {
#pragma GCC unroll 6
      for (int i = 0; i < 6; ++i) load_vector(m[i], a.from + (i * 6 + j) * a.point + c);
      WinogradAxis<T>::result(m, 1, y);
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) half[i * 6 + j] = y[i];
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      WinogradAxis<T>::result(half + i * 6, 1, y);
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j)
        if (T* const to = a.pixel[i * 4 + j]) save_vector(to + c, V(y[j] + bias));
    }
  }
}

template <class T, int L> D16_INLINE void winograd_collect(WinogradCollect<T> const& a) {
  using V = Vector<T, L>;
  V sum[36], half[18], g[3];
#pragma GCC unroll 36
  for (int p = 0; p < 36; ++p) load_vector(sum[p], a.from + p * a.point);
  for (int part = 1; part < a.parts; ++part)
    for (int p = 0; p < 36; ++p) {
      V one;
      load_vector(one, a.from + part * a.part + p * a.point);
      sum[p] += one;
    }
  for (int j = 0; j < 6; ++j) {
    WinogradAxis<T>::collect(sum + j, 6, g);
    for (int i = 0; i < 3; ++i) half[i * 6 + j] = g[i];
  }
  for (int i = 0; i < 3; ++i) {
    WinogradAxis<T>::collect(half + i * 6, 1, g);
    for (int j = 0; j < 3; ++j)
      for (int n = 0; n < a.count; ++n) a.dw[n * a.step_n + i * 3 + j] = g[j][n];
  }
}

template <class T, int L, int rows, int vectors, bool across>
D16_INLINE void winograd_product(WinogradProduct<T> const& p) {
  using V = Vector<T, L>;
  V sum[rows][vectors];
#pragma GCC unroll 12
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < vectors; ++v) {
      sum[r][v] = V{};
      if (p.accumulate) load_vector(sum[r][v], p.c + r * p.c_step + v * L);
    }
  T const *a = p.a, *b = p.b;
  int64_t const step = p.step;
  for (int k = 0; k < p.depth; ++k, a += across ? step : 1, b += p.b_step) {
    V bk[vectors];
#pragma GCC unroll 2
    for (int v = 0; v < vectors; ++v) load_vector(bk[v], b + v * L);
#pragma GCC unroll 12
    for (int r = 0; r < rows; ++r) {
      T const w = across ? a[r] : a[r * step];
#pragma GCC unroll 2
      for (int v = 0; v < vectors; ++v) sum[r][v] += w * bk[v];
    }
  }
#pragma GCC unroll 12
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < vectors; ++v) save_vector(p.c + r * p.c_step + v * L, sum[r][v]);
}

#define D16_WINOGRAD_STAGES(isa, TARGET, LANES, ROWS, FEWER)                                                         \
  template <class T> TARGET void winograd_weights_##isa(WinogradWeights<T> const& a) {                               \
    winograd_weights<T, LANES>(a);                                                                                   \
  }                                                                                                                  \
  template <class T> TARGET void winograd_image_##isa(WinogradImage<T> const& a) { winograd_image<T, LANES>(a); }    \
  template <class T> TARGET void winograd_result_##isa(WinogradResult<T> const& a) { winograd_result<T, LANES>(a); } \
  template <class T> TARGET void winograd_gradient_##isa(WinogradImage<T> const& a) {                                \
    winograd_gradient<T, LANES>(a);                                                                                  \
  }                                                                                                                  \
  template <class T> TARGET void winograd_collect_##isa(WinogradCollect<T> const& a) {                               \
    winograd_collect<T, LANES>(a);                                                                                   \
  }                                                                                                                  \
  template <class T, int R, int v, bool across> TARGET void winograd_product_##isa(WinogradProduct<T> const& a) {    \
    winograd_product<T, LANES, R, v, across>(a);                                                                     \
  }                                                                                                                  \
  template <class T> constexpr WinogradStages<T> winograd_stages_##isa() {                                           \
    return {LANES,                                                                                                   \
            {ROWS, {winograd_product_##isa<T, ROWS, 1, false>, winograd_product_##isa<T, ROWS, 2, false>}},          \
            {FEWER, {winograd_product_##isa<T, FEWER, 1, true>, winograd_product_##isa<T, FEWER, 2, true>}},         \
            winograd_weights_##isa<T>,                                                                               \
            winograd_image_##isa<T>,                                                                                 \
            winograd_result_##isa<T>,                                                                                \
            winograd_gradient_##isa<T>,                                                                              \
            winograd_collect_##isa<T>};                                                                              \
  }
D16_WINOGRAD_STAGES(avx512, D16_TARGET_AVX512, 64 / int(sizeof(T)), 12, 8)
D16_WINOGRAD_STAGES(avx2, D16_TARGET_AVX2, 32 / int(sizeof(T)), 6, 4)
D16_WINOGRAD_STAGES(baseline, , 16 / int(sizeof(T)), 6, 4)
#undef D16_WINOGRAD_STAGES

}  // namespace detail

/// The stages of an instruction set.
template <class T> detail::WinogradStages<T> const& winograd_stages(Isa isa) {
  static constexpr detail::WinogradStages<T> table[] = {
      detail::winograd_stages_baseline<T>(), detail::winograd_stages_avx2<T>(), detail::winograd_stages_avx512<T>()};
  return table[vectors_of(isa)];
}

}  // namespace d16::kernels::cpu
