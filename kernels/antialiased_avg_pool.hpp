// Contract of antialiased pooling: a normalised Gaussian, applied to each channel, then every stride-th pixel.
#pragma once
#include <cmath>
#include <cstdint>

#include "view.hpp"

namespace d16::kernels {

/// x and dx are (N,H,W,C), y and dy (N,P,Q,C) with P = out(H), Q = out(W); group features have C = fields times order.
/// antialiased_avg_pool     reads x; writes y. Beyond the border x counts as zero.
/// antialiased_avg_pool_dx  reads dy; writes dx, by the exact adjoint.
template <class T> struct AntialiasedAvgPool {
  int64_t N = 1, H = 1, W = 1, C = 1;
  double sigma = 0.66;
  int kernel = 5, stride = 2, padding = 2;
  T const *x{}, *dy{};
  T *y{}, *dx{};
  void* work{};

  int64_t out(int64_t n) const { return (n + 2 * padding - kernel) / stride + 1; }

  /// The weight of tap i in one direction; the two-dimensional filter is tap(i) tap(j). Sums to 1.
  double tap(int i) const {
    double sum = 0, middle = (kernel - 1) / 2.0;
    for (int j = 0; j < kernel; ++j) sum += std::exp(-0.5 * (j - middle) * (j - middle) / (sigma * sigma));
    return std::exp(-0.5 * (i - middle) * (i - middle) / (sigma * sigma)) / sum;
  }
};

}  // namespace d16::kernels
