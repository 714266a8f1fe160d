// Contract of reductions over one axis, or over several that lie side by side.
#pragma once
#include <cstddef>

#include "view.hpp"

namespace d16::kernels {

/// x is (outer, reduced, inner), y is (outer, inner).
/// sum       y = scale * sum over the middle axis.
/// max       y = the largest, at = its first position; a NaN counts as largest.
/// max_dx    dx = dy at the position `at`, 0 elsewhere.
template <class T> struct Reduce {
  int64_t outer = 1, reduced = 1, inner = 1;
  double scale = 1;
  T const *x{}, *dy{};
  T *y{}, *dx{};
  int64_t* at{};
  void* work{};
};

}  // namespace d16::kernels
