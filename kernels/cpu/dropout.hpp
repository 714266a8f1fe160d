// Dropout: random words for a piece that stays in cache, then the mask; both in SIMD.
#pragma once
#include <algorithm>
#include <cmath>

#include "../dropout.hpp"
#include "math.hpp"
#include "philox.hpp"
#include "pointwise.hpp"

namespace d16::kernels::cpu {

template <class T> int dropout(Dropout<T> const& a) {
  constexpr int64_t block = 1024;  // of elements; divides the grain, so that a piece starts at a whole Philox block
  T const scale = T(1 / (1 - a.p));
  uint64_t const stream = a.stream + (a.offset ? *a.offset : 0);
  uint32_t const limit = uint32_t(std::ceil(a.p * 0x1p24));  // unit_interval(word) >= p, in integers
  parallel_chunks(a.n, pointwise_grain, [&](int64_t begin, int64_t end) {
    uint32_t drawn[block];
    uint32_t const* words = drawn;
    for (int64_t at = begin; at < end; at += block) {
      int64_t const n = std::min(block, end - at);
      philox_words(a.seed, uint64_t(at / 4), stream, (n + 3) / 4, drawn);
      T const* x = a.x + at;
      T* y = a.y + at;
      each<T>(
          0, n, [=](int64_t i) __attribute__((always_inline)) {
            y[i] = math::select((words[i] >> 8) >= limit, x[i] * scale, T(0));
          });
    }
  });
  return ok;
}

}  // namespace d16::kernels::cpu
