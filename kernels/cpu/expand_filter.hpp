// The dense filter of an equivariant convolution from its weights, and the adjoint for the gradient of the weights.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstring>

#include <d16/core/parallel.hpp>

#include "../group_conv2d.hpp"
#include "isa.hpp"

namespace d16::kernels::cpu {

namespace detail {

/// 64 bytes of T: the compiler maps them to whatever registers the instruction set has.
template <class T> struct Lanes {
  static constexpr int count = 64 / int(sizeof(T));
  typedef T Type __attribute__((vector_size(64)));
  typedef T Half __attribute__((vector_size(32)));
  typedef T Quarter __attribute__((vector_size(16)));
};
template <class V, class T> D16_INLINE void load_lanes(V& lanes, T const* from) {
  std::memcpy(&lanes, from, sizeof lanes);
}

template <class T> D16_INLINE T sum_lanes(typename Lanes<T>::Type const& all) {
  typename Lanes<T>::Half half[2];
  typename Lanes<T>::Quarter quarter[2];
  std::memcpy(half, &all, sizeof half);
  half[0] += half[1];
  std::memcpy(quarter, half, sizeof quarter);
  quarter[0] += quarter[1];
  T sum = quarter[0][0];
  for (int i = 1; i < int(16 / sizeof(T)); ++i) sum += quarter[0][i];
  return sum;
}

/// Which weight a tap (g,h) uses and, the other way round, which taps use a weight: `order` of them for every slot.
struct FilterTap {
  int g, h, frame;
};

/// What expansion and adjoint look up, laid out in scratch memory: the basis in T with functions and pixels padded by
/// zeros to whole registers, and the rule as tables.
template <class T> struct FilterTables {
  static constexpr int lanes = Lanes<T>::count;
  static constexpr int functions = 6;  // of one block: six accumulators; V is 1, 6, 11, 18, 31 for k = 1 .. 9

  FilterRule rule;
  int64_t pixels, padded_pixels, V, padded_V, order, Gin, Gout, slots, Co, Ci;
  T* basis;          ///< (G, padded_V, padded_pixels)
  int* slot;         ///< (Gout, Gin)
  FilterTap* users;  ///< (slots, G)

  explicit FilterTables(GroupConv2d<T> const& a) : rule(a.rule()), V(a.V), Co(a.Co), Ci(a.Ci) {
    pixels = int64_t(a.kernel) * a.kernel;
    padded_pixels = (pixels + lanes - 1) / lanes * lanes;
    padded_V = (V + functions - 1) / functions * functions;
    order = a.group.order();
    Gin = rule.in_order(), Gout = rule.out_order(), slots = rule.slots();
  }
  int64_t basis_count() const { return order * padded_V * padded_pixels; }
  int64_t row() const { return Ci * Gin * pixels; }
  int64_t filter_count() const { return Co * Gout * row(); }
  size_t bytes() const {
    size_t rule_bytes = size_t(slots * order) * sizeof(FilterTap) + size_t(Gout * Gin) * sizeof(int);
    return (size_t(basis_count()) * sizeof(T) + rule_bytes + 63) / 64 * 64;
  }

  /// Fills `memory` of bytes().
  void fill(GroupConv2d<T> const& a, void* memory) {
    basis = static_cast<T*>(memory);
    users = reinterpret_cast<FilterTap*>(basis + basis_count());
    slot = reinterpret_cast<int*>(users + slots * order);
    std::fill_n(basis, basis_count(), T(0));
    for (int64_t h = 0; h < order; ++h)
      for (int64_t v = 0; v < V; ++v)
        for (int64_t p = 0; p < pixels; ++p)
          basis[(h * padded_V + v) * padded_pixels + p] = T(a.basis[(h * V + v) * pixels + p]);
    for (int g = 0; g < Gout; ++g)
      for (int h = 0; h < Gin; ++h) {
        int const s = rule.slot(g, h), place = Gout > 1 ? g : h;  // a slot has one tap for each g, or for each h
        slot[g * Gin + h] = s;
        users[s * order + place] = {g, h, rule.frame(g, h)};
      }
  }
};

/// filter row (o,g): for each field c and element h, the K x K taps; a register that reaches past its taps is mended by
/// the next store, except at the end of the row.
template <class T>
D16_INLINE void expand_row(FilterTables<T> const& t, T const* weights, int64_t o, int64_t g, T* filter) {
  constexpr int lanes = FilterTables<T>::lanes;
  T* row = filter + (o * t.Gout + g) * t.row();
  int64_t at = 0, end = t.row();
  for (int64_t c = 0; c < t.Ci; ++c) {
    T const* w = weights + (o * t.Ci + c) * t.V * t.slots;
    for (int64_t h = 0; h < t.Gin; ++h, at += t.pixels) {
      T const* basis = t.basis + t.rule.frame(int(g), int(h)) * t.padded_V * t.padded_pixels;
      T const* slot = w + t.slot[g * t.Gin + h];
      for (int64_t p = 0; p < t.pixels; p += lanes) {
        typename Lanes<T>::Type sum{}, b;
        for (int64_t v = 0; v < t.V; ++v) {
          load_lanes(b, basis + v * t.padded_pixels + p);
          sum += slot[v * t.slots] * b;
        }
        int64_t room = end - (at + p);
        if (room >= lanes) std::memcpy(row + at + p, &sum, sizeof sum);
        else std::memcpy(row + at + p, &sum, size_t(std::min(room, t.pixels - p)) * sizeof(T));
      }
    }
  }
}

/// dw[o,c,.,u]: for six functions at a time, the products of filter gradient and basis over all taps that use slot u.
template <class T>
D16_INLINE void collapse_pair(FilterTables<T> const& t, T const* filter, int64_t o, int64_t c, T* weights) {
  using Vector = typename Lanes<T>::Type;
  constexpr int lanes = FilterTables<T>::lanes, functions = FilterTables<T>::functions;
  T* w = weights + (o * t.Ci + c) * t.V * t.slots;
  for (int64_t u = 0; u < t.slots; ++u)
    for (int64_t v = 0; v < t.V; v += functions) {
      Vector sum[functions]{};
      for (int64_t i = 0; i < t.order; ++i) {
        FilterTap const tap = t.users[u * t.order + i];
        T const* taps = filter + (o * t.Gout + tap.g) * t.row() + (c * t.Gin + tap.h) * t.pixels;
        T const* basis = t.basis + (tap.frame * t.padded_V + v) * t.padded_pixels;
        for (int64_t p = 0; p < t.pixels; p += lanes) {
          Vector f{}, b;
          if (t.pixels - p >= lanes) load_lanes(f, taps + p);
          else std::memcpy(&f, taps + p, size_t(t.pixels - p) * sizeof(T));
          for (int k = 0; k < functions; ++k) {
            load_lanes(b, basis + k * t.padded_pixels + p);
            sum[k] += f * b;
          }
        }
      }
      for (int k = 0; k < functions && v + k < t.V; ++k) w[(v + k) * t.slots + u] = sum_lanes<T>(sum[k]);
    }
}

/// The dense filter (Co*Gout, Ci*Gin, K, K) of a.w. `tables` are filled.
template <class T> void expand_filter(FilterTables<T> const& tables, T const* weights, T* filter) {
  parallel_tasks(tables.Co, [&](int64_t o) {
    simd_for(
        0, tables.Gout,
        [ =, &tables ](int64_t g) __attribute__((always_inline)) { expand_row(tables, weights, o, g, filter); });
  });
}

/// The gradient of the weights from that of the dense filter.
template <class T> void collapse_filter(FilterTables<T> const& tables, T const* filter, T* weights) {
  parallel_tasks(tables.Co, [&](int64_t o) {
    simd_for(
        0, tables.Ci,
        [ =, &tables ](int64_t c) __attribute__((always_inline)) { collapse_pair(tables, filter, o, c, weights); });
  });
}

}  // namespace detail
}  // namespace d16::kernels::cpu
