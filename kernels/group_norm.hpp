// Contract of group normalisation: statistics of each sample, over its pixels and the channels of one group.
#pragma once
#include "view.hpp"

namespace d16::kernels {

/// x, y, dy, dx are (N, pixels, C); group k holds the channels k C / groups .. (k + 1) C / groups - 1, where groups
/// divides C; weight, bias, dw, db are (C), mean and inv_std (N, groups).
/// group_norm     reads x, weight, bias; writes y, mean and inv_std.
/// group_norm_dw  reads x, dy, mean, inv_std; writes dw, db, and sums (N,2,C): over the pixels, of dy and of dy times
///                the normalised x.
/// group_norm_dx  reads x, dy, weight, mean, inv_std, sums; writes dx.
/// A null weight is 1, a null bias 0.
template <class T> struct GroupNorm {
  int64_t N = 1, pixels = 1;
  int C = 1, groups = 1;
  double eps = 1e-5;
  T const *x{}, *weight{}, *bias{}, *dy{};
  double *mean{}, *inv_std{}, *sums{};
  T *y{}, *dx{}, *dw{}, *db{};
  void* work{};

  constexpr int per_group() const { return C / groups; }
};

}  // namespace d16::kernels
