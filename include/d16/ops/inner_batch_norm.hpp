// Batch normalisation of group features: batch_norm.hpp with statistics shared by the elements of a field.
#pragma once
#include "batch_norm.hpp"

namespace d16 {

/// Batch normalisation of group features, with one mean and one variance for all elements of a field, so that it
/// commutes with the group: y = weight (x - mean) / sqrt(variance + eps) + bias, mean and variance over N,H,W,G.
/// Shapes   x, y (N,H,W,C,G); all others (C). An undefined weight is 1, an undefined bias 0.
/// Types    float32 or float64; on CUDA devices x and y also bfloat16, with all others in float32.
/// Units    weight, bias, y: the same.
/// Cost     12 N H W C G bytes when training, 8 otherwise.   Deterministic  yes.
/// Aliasing running_mean and running_var are updated in place when training.
/// Gradient to x, weight, bias; through the statistics when training.
/// Errors   d16::ShapeError, DTypeError, DeviceError; ValueError without running statistics unless training.
/// Source   Weiler & Cesa 2019, arXiv:1911.08251.
inline Tensor inner_batch_norm(Tensor x, Tensor weight, Tensor bias, Tensor running_mean, Tensor running_var,
                               BatchNormOptions o = {}) {
  require<ShapeError>(x.rank() == 5, "inner_batch_norm: x is ", x.shape(),
                      "; needs (N,H,W,C,G), or batch_norm2d for images");
  return detail::batch_norm("inner_batch_norm", x, weight, bias, running_mean, running_var, o);
}

}  // namespace d16
