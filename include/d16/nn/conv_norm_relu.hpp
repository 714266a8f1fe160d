// Convolution, inner batch norm and ReLU: one pass over the features in inference.
#pragma once
#include "../ops/arithmetic.hpp"
#include "../ops/unary.hpp"
#include "group_conv.hpp"
#include "norm.hpp"

namespace d16::nn {

/// relu(norm(conv(x))). Outside training the norm is a scale and a shift for each field, which the convolution applies
/// together with the ReLU while it writes its result.
/// Shapes   as conv.   Gradient  as that of the three; under NoGrad the one pass is taken.
template <class Conv> Tensor conv_norm_relu(Conv& conv, InnerBatchNorm& norm, Tensor x) {
  if (norm.training() || !NoGrad::off()) return relu(norm(conv(x)));
  Tensor scale = norm.weight / sqrt(norm.running_var + norm.options.eps);
  Tensor centred = conv.bias.defined() ? conv.bias - norm.running_mean : -norm.running_mean;
  return conv.scaled(x, scale, norm.bias + centred * scale, true);
}

}  // namespace d16::nn
