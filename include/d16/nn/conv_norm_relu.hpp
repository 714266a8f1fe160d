// Convolution, batch norm and what follows them, in as few passes over the features as their kernels allow.
#pragma once
#include "../ops/arithmetic.hpp"
#include "../ops/unary.hpp"
#include "attention.hpp"
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

namespace detail {

/// Memory for the sums that a convolution of x adds up for the norm or the squeeze behind it. On a GPU, where it has its
/// results in registers, that costs no pass over memory; a cpu has them in its caches when the norm comes: none.
inline Tensor sums_of(Conv2d const& conv, Tensor const& x) {
  using Kind = Device::Kind;
  if (x.device().kind != Kind::cuda && x.device().kind != Kind::cuda_emulated) return {};
  return empty({x.dim(axis::N), conv.weight.dim(0), 2}, {.dtype = DType::f64, .device = x.device()});
}

}  // namespace detail

/// norm(conv(x)); in training on a GPU the norm reads its result once, since the convolution gives its statistics.
inline Tensor conv_norm(Conv2d& conv, BatchNorm2d& norm, Tensor x) {
  Tensor sums = norm.training() ? detail::sums_of(conv, x) : Tensor();
  return norm(conv(x, sums), sums);
}
/// relu(norm(conv(x))).
inline Tensor conv_norm_relu(Conv2d& conv, BatchNorm2d& norm, Tensor x) {
  Tensor sums = norm.training() ? detail::sums_of(conv, x) : Tensor();
  return norm.rectified(conv(x, sums), sums);
}
/// relu(attention(norm(conv(x))) + residual), the end of a residual block with squeeze and excitation: of the
/// convolution's result its sums are found while it is written, then it is read once. Neither norm nor squeeze reads it.
inline Tensor conv_norm_attention(Conv2d& conv, BatchNorm2d& norm, ChannelAttention& attention, Tensor x,
                                  Tensor residual) {
  Tensor sums = detail::sums_of(conv, x);
  return attention.normed(norm, conv(x, sums), residual, sums);
}

}  // namespace d16::nn
