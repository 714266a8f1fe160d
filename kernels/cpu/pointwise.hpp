// Loops over independent elements: SIMD for float, threads over pieces.
#pragma once
#include <algorithm>
#include <type_traits>

#include <d16/core/parallel.hpp>

#include "isa.hpp"

namespace d16::kernels::cpu {

/// Elements that one thread takes at a time: a few of them fit the first-level cache.
constexpr int64_t pointwise_grain = 1 << 15;

/// The same in rows of so many elements.
constexpr int64_t grain_of(int64_t row) { return std::max<int64_t>(1, pointwise_grain / std::max<int64_t>(1, row)); }

/// body(i) for i in [begin, end). float runs in the best instruction set; double serves checks and is compiled once.
template <class T, class F> void each(int64_t begin, int64_t end, F const& body) {
  if constexpr (std::is_same_v<T, float>) return simd_for(begin, end, body);
  else
    for (int64_t i = begin; i < end; ++i) body(i);
}

/// body(i) for i in [0, n), on all threads.
template <class T, class F> void map(int64_t n, F const& body) {
  parallel_chunks(n, pointwise_grain, [&](int64_t begin, int64_t end) { each<T>(begin, end, body); });
}

}  // namespace d16::kernels::cpu
