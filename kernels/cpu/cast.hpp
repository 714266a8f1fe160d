// Conversion between element types: each piece is widened to doubles in cache, then narrowed, so that n types need
// 2 n loops and not n^2.
#pragma once
#include <algorithm>

#include "../cast.hpp"
#include "../reference/cast.hpp"
#include "pointwise.hpp"

namespace d16::kernels::cpu {

inline int cast(Cast const& a) {
  constexpr int64_t block = 512;
  parallel_chunks(a.n, pointwise_grain, [&](int64_t begin, int64_t end) {
    double wide[block];
    for (int64_t at = begin; at < end; at += block) {
      int64_t const n = std::min(block, end - at);
      for_dtype(a.from, [&]<class T>(T) {
        T const* x = static_cast<T const*>(a.x) + at;
        for (int64_t i = 0; i < n; ++i) wide[i] = double(x[i]);
      });
      for_dtype(a.to, [&]<class T>(T) {
        T* y = static_cast<T*>(a.y) + at;
        for (int64_t i = 0; i < n; ++i) y[i] = reference::converted<T>(wide[i]);
      });
    }
  });
  return ok;
}

}  // namespace d16::kernels::cpu
