// Contract of squeeze and excitation: every channel of a sample times a gate that depends on the means of all channels.
#pragma once
#include "precision.hpp"
#include "view.hpp"

namespace d16::kernels {

/// z = (x - mean) slope + bias.
struct ChannelLine {
  double mean = 0, slope = 1, bias = 0;
};

/// x, residual, y, dy, dx, dresidual are (N, pixels, C); w1, dw1 (R,C); b1, db1 (R); w2, dw2 (C,R); b2, db2 (C).
/// mean[n,c] = mean over the pixels of z, hidden = relu(w1 mean + b1), gate = sigmoid(w2 hidden + b2),
/// y = z gate + residual, and then with `relu` its positive part. z is x, or with norm_mean (C) what a batch norm makes
/// of it: norm_weight (x - norm_mean) norm_inv_std + norm_bias. sums (N,C,2), as image_sums of x, are needed with a norm
/// and save a reading of x without one.
/// squeeze_excitation     reads x, residual, w1, b1, w2, b2, the norm and sums; writes y, mean (N,C), hidden (N,R) and
///                        gate (N,C).
/// squeeze_excitation_dx  reads all of these and dy; writes dx, dw1, db1, dw2, db2, of a norm dnorm_weight and
///                        dnorm_bias (C), and with `relu`, if it is not null, dresidual; without, dy is that. The
///                        gradient of relu at 0 is 0. With norm_training the statistics are those of x.
/// A null bias or residual is 0, a null norm_weight 1. With T = bf16 all that is not as large as x is float32.
template <class T> struct SqueezeExcitation {
  int64_t N = 1, pixels = 1;
  int C = 1, R = 1;
  bool relu = false, norm_training = false;
  T const *x{}, *residual{}, *dy{};
  Wide<T> const *w1{}, *b1{}, *w2{}, *b2{}, *norm_weight{}, *norm_bias{};
  double const *sums{}, *norm_mean{}, *norm_inv_std{};
  double *mean{}, *hidden{}, *gate{};
  T *y{}, *dx{}, *dresidual{};
  Wide<T>*dw1{}, *db1{}, *dw2{}, *db2{}, *dnorm_weight{}, *dnorm_bias{};
  void* work{};

  /// Where the gradient in front of the ReLU is put on the way back; dx is written last.
  T* upstream() const { return !relu ? nullptr : dresidual ? dresidual : dx; }
  /// What the norm makes of channel c; x itself without one.
  ChannelLine line(int64_t c) const {
    if (!norm_mean) return {};
    double const weight = norm_weight ? double(norm_weight[c]) : 1;
    return {norm_mean[c], weight * norm_inv_std[c], norm_bias ? double(norm_bias[c]) : 0};
  }
};

}  // namespace d16::kernels
