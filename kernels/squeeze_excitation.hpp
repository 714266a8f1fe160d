// Contract of squeeze and excitation: every channel of a sample times a gate that depends on the means of all channels.
#pragma once
#include "view.hpp"

namespace d16::kernels {

/// x, residual, y, dy, dx, dresidual are (N, pixels, C); w1, dw1 (R,C); b1, db1 (R); w2, dw2 (C,R); b2, db2 (C).
/// mean[n,c] = mean over the pixels of x, hidden = relu(w1 mean + b1), gate = sigmoid(w2 hidden + b2),
/// y = x gate + residual, and then with `relu` its positive part.
/// squeeze_excitation     reads x, residual, w1, b1, w2, b2; writes y, mean (N,C), hidden (N,R) and gate (N,C).
/// squeeze_excitation_dx  reads all of these and dy; writes dx, dw1, db1, dw2, db2, and with `relu`, if it is not null,
///                        dresidual; without, dy is that. The gradient of relu at 0 is 0.
/// A null bias or residual is 0.
template <class T> struct SqueezeExcitation {
  int64_t N = 1, pixels = 1;
  int C = 1, R = 1;
  bool relu = false;
  T const *x{}, *residual{}, *w1{}, *b1{}, *w2{}, *b2{}, *dy{};
  double *mean{}, *hidden{}, *gate{};
  T *y{}, *dx{}, *dresidual{}, *dw1{}, *db1{}, *dw2{}, *db2{};

  /// Where the gradient in front of the ReLU is put on the way back; dx is written last.
  T* upstream() const { return !relu ? nullptr : dresidual ? dresidual : dx; }
  void* work{};
};

}  // namespace d16::kernels
