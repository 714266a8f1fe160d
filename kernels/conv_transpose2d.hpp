// Contract of the transposed convolution: the map whose adjoint is conv2d with the same weights.
#pragma once
#include <cstdint>

#include "conv2d.hpp"

namespace d16::kernels {

/// x and dx are (N,H,W,Ci); w and dw (Ci,Co,kh,kw); y and dy (N,P,Q,Co); bias and db (Co).
/// conv_transpose2d     reads x, w, bias (may be null); writes y, with `relu` its positive part; its pixels begin
///                      y_pitch elements apart, where that is not 0, as in the first channels of a wider image.
/// conv_transpose2d_dx  reads dy, w; writes dx.
/// conv_transpose2d_dw  reads dy, x; writes dw.
/// conv_transpose2d_db  reads dy; writes db.
/// output_pad adds rows and columns at the end of y; it is less than the stride.
/// For T = bf16 weights and bias, and their gradients, are float32; sums are float32, each result is rounded once.
template <class T> struct ConvTranspose2d {
  int N = 1, H = 1, W = 1, Ci = 1, Co = 1, kh = 1, kw = 1;
  int stride_h = 1, stride_w = 1, pad_h = 0, pad_w = 0, output_pad_h = 0, output_pad_w = 0;
  T const *x{}, *dy{};
  Wide<T> const *w{}, *bias{};
  T *y{}, *dx{};
  Wide<T>*dw{}, *db{};
  void* work{};
  Precision precision{};  ///< as of Conv2d
  bool relu = false;
  int64_t y_pitch = 0;

  constexpr int P() const { return (H - 1) * stride_h - 2 * pad_h + kh + output_pad_h; }
  constexpr int Q() const { return (W - 1) * stride_w - 2 * pad_w + kw + output_pad_w; }
};

/// The convolution from y to x that a transposed convolution is the adjoint of, with its weights.
template <class T> constexpr Conv2d<T> adjoint(ConvTranspose2d<T> const& a) {
  return {.N = a.N,
          .H = a.P(),
          .W = a.Q(),
          .Ci = a.Co,
          .Co = a.Ci,
          .kh = a.kh,
          .kw = a.kw,
          .stride_h = a.stride_h,
          .stride_w = a.stride_w,
          .pad_h = a.pad_h,
          .pad_w = a.pad_w,
          .w = a.w,
          .work = a.work,
          .precision = a.precision};
}
/// conv_transpose2d is conv2d_dx of this, apart from its ending. Winograd's algorithm has none.
template <class T> constexpr Conv2d<T> adjoint_of_forward(ConvTranspose2d<T> const& a) {
  Conv2d<T> c = adjoint(a);
  c.dy = a.x, c.dx = a.y;
  if (a.relu || a.y_pitch) c.algorithm = Conv2dAlgorithm::direct;
  return c;
}
template <class T> constexpr StampEnding<T> ending_of(ConvTranspose2d<T> const& a) {
  return {a.bias, a.relu, a.y_pitch ? a.y_pitch : a.Co};
}
/// conv_transpose2d_dx is conv2d of this.
template <class T> constexpr Conv2d<T> adjoint_of_dx(ConvTranspose2d<T> const& a) {
  Conv2d<T> c = adjoint(a);
  c.x = a.dy, c.y = a.dx;
  return c;
}
/// conv_transpose2d_dw is conv2d_dw of this.
template <class T> constexpr Conv2d<T> adjoint_of_dw(ConvTranspose2d<T> const& a) {
  Conv2d<T> c = adjoint(a);
  c.x = a.dy, c.dy = a.x, c.dw = a.dw;
  return c;
}

}  // namespace d16::kernels
