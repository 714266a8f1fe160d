// Convolution, inner batch norm and ReLU: one pass over the features in inference.
#pragma once
#include "../ops/arithmetic.hpp"
#include "../ops/unary.hpp"
#include "group_conv.hpp"
#include "norm.hpp"

namespace d16::nn {

/// relu(norm(conv(x))). Outside training the norm is a scale and a shift for each field, which the convolution applies
/// together with the ReLU while it writes its result. In training it finds mean and variance on the way.
/// In inference on a CUDA device `kept` says which features are Fourier coefficients: where the result goes to another
/// convolution, on both sides of it. What is linear and acts alike on all channels, as BlurPool, may come between.
/// Shapes   as conv.   Gradient  as that of the three; under NoGrad the one pass is taken.
/// Errors   ValueError when coefficients are asked for and it is not inference.
template <class Conv> Tensor conv_norm_relu(Conv& conv, InnerBatchNorm& norm, Tensor x, Coefficients kept = {}) {
  require<ValueError>(!(kept.x || kept.y) || (!norm.training() && NoGrad::off()),
                      "conv_norm_relu: coefficients are kept in inference only: eval() and NoGrad");
  if (norm.training()) {
    Tensor moments = empty({2, conv.weight.dim(0)}, {.dtype = DType::f64, .device = x.device()});
    Tensor y = conv.measured(x, moments);
    return norm.rectified(y, moments);
  }
  if (!NoGrad::off()) return norm.rectified(conv(x));
  Tensor scale = norm.weight / sqrt(norm.running_var + norm.options.eps);
  Tensor centred = conv.bias.defined() ? conv.bias - norm.running_mean : -norm.running_mean;
  return conv.scaled(x, scale, norm.bias + centred * scale, true, kept);
}

}  // namespace d16::nn
