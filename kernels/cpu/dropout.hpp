// Dropout: four elements for each Philox block, many blocks at a time in SIMD.
#pragma once
#include <algorithm>
#include <cmath>

#include "../dropout.hpp"
#include "pointwise.hpp"

namespace d16::kernels::cpu {

template <class T> int dropout(Dropout<T> const& a) {
  T const *x = a.x, scale = T(1 / (1 - a.p));
  T* y = a.y;
  uint64_t const seed = a.seed, stream = a.stream;
  // unit_interval(word) >= p, in integers
  uint32_t const limit = uint32_t(std::min(std::ceil(a.p * 0x1p24), 0x1p24));
  parallel_chunks(a.n, pointwise_grain, [&](int64_t begin, int64_t end) {  // a grain is whole blocks of four
    auto body = [=](int64_t block) __attribute__((always_inline)) {
      std::array<uint32_t, 4> const words = philox(seed, uint64_t(block), stream);
      for (int k = 0; k < 4; ++k) y[4 * block + k] = (words[size_t(k)] >> 8) >= limit ? x[4 * block + k] * scale : T(0);
    };
    simd_for(begin / 4, end / 4, body);
    for (int64_t i = end / 4 * 4; i < end; ++i)
      y[i] = (philox(seed, uint64_t(i / 4), stream)[size_t(i % 4)] >> 8) >= limit ? x[i] * scale : T(0);
  });
  return ok;
}

}  // namespace d16::kernels::cpu
