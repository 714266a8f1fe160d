// Contract of batch normalisation, for images (G = 1) and for group features, whose statistics are shared by the group.
#pragma once
#include <cstdint>

#include "precision.hpp"
#include "view.hpp"

namespace d16::kernels {

/// x, y, dy, dx are (rows, C, G) with rows = N H W; everything else is (C). Statistics run over rows and G.
/// batch_norm     reads x, weight, bias; writes y, mean and inv_std. Training: mean and variance are those of x, and
///                running_mean, running_var (when given) move towards them. Otherwise they are the running ones.
///                Where moments (2,C) are given, they are the mean and the variance of x, already known; or sums
///                (images,C,2), as image_sums of x, with G = 1. Without y only mean, inv_std and the running statistics
///                are written.
/// batch_norm_apply  only the last step: y from x, weight, bias, mean and inv_std.
/// batch_norm_dw  reads x, dy, mean, inv_std; writes dw and db.
/// batch_norm_dx  reads x, dy, weight, mean, inv_std and, when training, dw and db; writes dx, which may be dy.
/// A null weight is 1, a null bias 0. With relu, y is the normalised x where that is positive and 0 elsewhere; the
/// gradients then read weight and bias too, and dy counts only where y is positive. With T = bf16 all that is not as
/// large as x is float32.
template <class T> struct BatchNorm {
  int64_t rows = 1;
  int C = 1, G = 1;
  bool training = false, relu = false;
  double eps = 1e-5;
  double momentum = 0.1;  ///< running = (1 - momentum) running + momentum new; the new variance is the unbiased one
  T const* x{};
  Wide<T> const *weight{}, *bias{};
  Wide<T>*running_mean{}, *running_var{};
  double const *moments{}, *sums{};
  int64_t images = 1;
  double *mean{}, *inv_std{};
  T* y{};
  T const* dy{};
  T* dx{};
  Wide<T>*dw{}, *db{};
  void* work{};
};

}  // namespace d16::kernels
