// Contract of pooling over the group: the invariant maximum or mean of each field.
#pragma once
#include <cstdint>

#include "view.hpp"

namespace d16::kernels {

/// x and dx are (rows, G) with rows = N H W C; y and dy are (rows). Sums are float64, bf16 results are rounded once.
/// group_max_pool, group_mean_pool        read x; write y. A NaN in a row makes its maximum NaN.
/// group_max_pool_dx, group_mean_pool_dx  read dy (and x for the maximum); write dx. The gradient of a maximum goes to
///                                        the first element that has it (the first NaN, if there is one).
template <class T> struct GroupPool {
  int64_t rows = 1;
  int G = 1;
  T const *x{}, *dy{};
  T *y{}, *dx{};
};

}  // namespace d16::kernels
