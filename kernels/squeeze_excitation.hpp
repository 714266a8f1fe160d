// Contract of squeeze and excitation: every channel of a sample times a gate that depends on the means of all channels.
#pragma once
#include "view.hpp"

namespace d16::kernels {

/// x, y, dy, dx are (N, pixels, C); w1, dw1 (R,C); b1, db1 (R); w2, dw2 (C,R); b2, db2 (C).
/// mean[n,c] = mean over the pixels of x, hidden = relu(w1 mean + b1), gate = sigmoid(w2 hidden + b2), y = x gate.
/// squeeze_excitation     reads x, w1, b1, w2, b2; writes y, mean (N,C), hidden (N,R) and gate (N,C).
/// squeeze_excitation_dx  reads all of these and dy; writes dx, dw1, db1, dw2, db2. The gradient of relu at 0 is 0.
/// A null bias is 0.
template <class T> struct SqueezeExcitation {
  int64_t N = 1, pixels = 1;
  int C = 1, R = 1;
  T const *x{}, *w1{}, *b1{}, *w2{}, *b2{}, *dy{};
  double *mean{}, *hidden{}, *gate{};
  T *y{}, *dx{}, *dw1{}, *db1{}, *dw2{}, *db2{};
  void* work{};
};

}  // namespace d16::kernels
