// The positive part into a range of a wider array, as loops.
#pragma once
#include "../join.hpp"

namespace d16::kernels::reference {

template <class T> int relu_join(ReluJoin<T> const& a) {
  for (int64_t r = 0; r < a.rows; ++r)
    for (int64_t i = 0; i < a.length; ++i) {
      T const x = a.x[r * a.length + i];
      a.y[r * a.pitch + i] = x < 0 ? T(0) : x;
    }
  return ok;
}

template <class T> int relu_join_dx(ReluJoin<T> const& a) {
  for (int64_t r = 0; r < a.rows; ++r)
    for (int64_t i = 0; i < a.length; ++i) {
      int64_t const at = r * a.pitch + i;
      a.dx[r * a.length + i] = a.y[at] <= 0 ? T(0) : a.dy[at];
    }
  return ok;
}

}  // namespace d16::kernels::reference
