// Vectors of floats in the learners' inner loops, and the choice of their width at run time.
#pragma once
#include <cstdint>

#include "../kernels/cpu/gemm_tile.hpp"

namespace d16::learn::detail {

using kernels::cpu::detail::Unaligned;
using kernels::cpu::detail::Vector;

template <int lanes> struct LaneBits { typedef int32_t type __attribute__((vector_size(4 * lanes))); };

template <int lanes> D16_INLINE void load(float const* p, Vector<float, lanes>& v) {
  v = *reinterpret_cast<Unaligned<float, lanes> const*>(p);
}
template <int lanes> D16_INLINE void store(Vector<float, lanes> const& v, float* p) {
  *reinterpret_cast<Unaligned<float, lanes>*>(p) = v;
}

/// v + |v|: twice the positive part, exactly.
template <int lanes> D16_INLINE void twice_positive(Vector<float, lanes> const& v, Vector<float, lanes>& out) {
  using I = typename LaneBits<lanes>::type;
  out = v + (Vector<float, lanes>)((I)v & INT32_MAX);
}

/// The sum of the elements, in an order that the width fixes.
template <int lanes> D16_INLINE float lane_sum(Vector<float, lanes> const& v) {
  float element[lanes];
  store<lanes>(v, element);
  for (int half = lanes / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) element[i] += element[i + half];
  return element[0];
}

template <class F> D16_TARGET_AVX512 void lanes_avx512(F const& body) { body.template operator()<16>(); }
template <class F> D16_TARGET_AVX2 void lanes_avx2(F const& body) { body.template operator()<8>(); }
template <class F> void lanes_baseline(F const& body) { body.template operator()<4>(); }

/// body<lanes>() compiled for the best instruction set of this machine, with vectors of its width. The body must be
/// inlined:  with_lanes([&]<int lanes>() __attribute__((always_inline)) { ... });
template <class F> void with_lanes(F const& body) {
  switch (kernels::cpu::best_isa()) {
    case kernels::cpu::Isa::amx:
    case kernels::cpu::Isa::avx512: return lanes_avx512(body);
    case kernels::cpu::Isa::avx2: return lanes_avx2(body);
    case kernels::cpu::Isa::baseline: return lanes_baseline(body);
  }
}

}  // namespace d16::learn::detail
