// From free weights to the right operands of the products, and back for their gradient.
#pragma once
#include "fourier_stages.hpp"

namespace d16::kernels::cpu::detail {

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

}  // namespace d16::kernels::cpu::detail
