// Contract of the transposed convolution: the map whose adjoint is conv2d with the same weights.
#pragma once
#include <cstdint>

#include "view.hpp"

namespace d16::kernels {

/// x and dx are (N,H,W,Ci); w and dw (Ci,Co,kh,kw); y and dy (N,P,Q,Co); bias and db (Co).
/// conv_transpose2d     reads x, w, bias (may be null); writes y.
/// conv_transpose2d_dx  reads dy, w; writes dx.
/// conv_transpose2d_dw  reads dy, x; writes dw.
/// conv_transpose2d_db  reads dy; writes db.
/// output_pad adds rows and columns at the end of y; it is less than the stride.
template <class T> struct ConvTranspose2d {
  int N = 1, H = 1, W = 1, Ci = 1, Co = 1, kh = 1, kw = 1;
  int stride_h = 1, stride_w = 1, pad_h = 0, pad_w = 0, output_pad_h = 0, output_pad_w = 0;
  T const *x{}, *w{}, *bias{}, *dy{};
  T *y{}, *dx{}, *dw{}, *db{};
  void* work{};

  constexpr int P() const { return (H - 1) * stride_h - 2 * pad_h + kh + output_pad_h; }
  constexpr int Q() const { return (W - 1) * stride_w - 2 * pad_w + kw + output_pad_w; }
};

}  // namespace d16::kernels
