// Contract of the mean over windows that cut an image into a given number of rows and columns.
#pragma once
#include "view.hpp"

namespace d16::kernels {

/// x, dx are (N,H,W,C); y, dy are (N,P,Q,C). Window p of P over H pixels is AdaptiveWindow(p, P, H).
/// adaptive_avg_pool2d     reads x; y = mean of the window.
/// adaptive_avg_pool2d_dx  reads dy; the adjoint.
template <class T> struct AdaptivePool2d {
  int64_t N = 1, H = 1, W = 1, C = 1, P = 1, Q = 1;
  T const *x{}, *dy{};
  T *y{}, *dx{};
};

/// Pixels floor(p size / count) .. ceil((p + 1) size / count) - 1: neighbours overlap where the sizes do not divide.
/// Pixel i lies in window p exactly when p lies in AdaptiveWindow(i, size, count), so that the adjoint has such windows
/// too.
struct AdaptiveWindow {
  int64_t begin, end;
  constexpr AdaptiveWindow(int64_t p, int64_t count, int64_t size)
      : begin(p * size / count), end(((p + 1) * size + count - 1) / count) {}
  constexpr int64_t size() const { return end - begin; }
};

}  // namespace d16::kernels
