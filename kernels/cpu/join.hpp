// The positive part into a range of a wider array at memory speed: a SIMD loop for each line, threads over lines.
#pragma once
#include "../join.hpp"
#include "pointwise.hpp"

namespace d16::kernels::cpu {

template <class T> int relu_join(ReluJoin<T> const& a) {
  parallel_chunks(a.rows, grain_of(a.length), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      T const* x = a.x + r * a.length;
      T* y = a.y + r * a.pitch;
      each<T>(
          0, a.length, [=](int64_t i) __attribute__((always_inline)) { y[i] = x[i] < 0 ? T(0) : x[i]; });
    }
  });
  return ok;
}

template <class T> int relu_join_dx(ReluJoin<T> const& a) {
  parallel_chunks(a.rows, grain_of(a.length), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      T const *y = a.y + r * a.pitch, *dy = a.dy + r * a.pitch;
      T* dx = a.dx + r * a.length;
      each<T>(
          0, a.length, [=](int64_t i) __attribute__((always_inline)) { dx[i] = y[i] <= 0 ? T(0) : dy[i]; });
    }
  });
  return ok;
}

}  // namespace d16::kernels::cpu
