// The inner loops of the factored group convolution, one copy per instruction set.
#pragma once
#include "fourier_project.hpp"
#include "fourier_weights.hpp"

namespace d16::kernels::cpu {
namespace detail {

/// What the norm and the ReLU before the convolution make of a vector of channels from `channel` on.
template <class T, int L> D16_INLINE void normalise(TransformArgs<T> const& a, int64_t channel, Vector<T, L>& x) {
  Vector<T, L> mean, scale, shift, zero{};
  load(mean, a.mean + channel), load(scale, a.scale + channel), load(shift, a.shift + channel);
  x = (x - mean) * scale + shift;
  x = x < zero ? zero : x;  // a NaN stays
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
          for (int i = 0; i < L; ++i) {
            int64_t const channel = a.channel + c * a.order + h;
            T value = pixel[i] ? pixel[i][channel] : zero;
            if (a.mean && pixel[i]) {
              value = (value - a.mean[channel]) * a.scale[channel] + a.shift[channel];
              value = value < zero ? zero : value;
            }
            x[h][i] = value;
          }
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
            if (!pixel[i]) continue;
            load(x[b + i], pixel[i] + a.channel + c * G + b);
            if (a.mean) normalise<T, L>(a, a.channel + c * G + b, x[b + i]);
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
          if (a.mean) normalise<T, L>(a, a.channel + c * G, x[i]);
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
  int const count = n == 0 ? a.tables->outputs : mirrored ? 2 * n : n;
  if (a.plain) {
    for (int q = 0; q < count; ++q) at(f[q], q);
    return;
  }
  if (n == 0 || !a.tables->factored()) {
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

/// Sums of the values of a field and of their squares, from its coefficients: the first belongs to the trivial irrep,
/// the second to all of them (Parseval).
template <class T, int L> D16_INLINE void add_sums(FinishArgs<T> const& a, int field, int order, int real,
                                                   Vector<T, L> const* f, T const* valid) {
  using V = Vector<T, L>;
  V mask, sum, squares, power{}, half{};
  load(mask, valid);
  T* const to = a.sums + 2 * field * L;
  load(sum, to), load(squares, to + L);
  for (int q = 0; q < real; ++q) power += f[q] * f[q];
  for (int q = real; q < order; ++q) half += f[q] * f[q];
  sum += mask * (T(order) * f[0]);
  squares += mask * (T(order) * (power + T(0.5) * half));
  save(to, sum), save(to + L, squares);
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
        if (a.valid) add_sums<T, L>(a, o, count, count > 1 ? a.tables->real_coefficients() : 1, f, a.valid + v * L);
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
        if (a.valid) add_sums<T, L>(a, o, G, mirrored ? 4 : 2, f, a.valid + v * L);
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
          if (a.valid) add_sums<T, L>(a, o + j, G, mirrored ? 4 : 2, f, a.valid + v * L);
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
    return isa >= Isa::avx512 ? avx512 : isa == Isa::avx2 ? avx2 : baseline;
  }
}

}  // namespace d16::kernels::cpu
