// Contracts of maximum and mean over windows of an image.
#pragma once
#include "view.hpp"

namespace d16::kernels {

/// x, dx are (N,H,W,C); y, dy are (N,P,Q,C) with P = out_h(), Q = out_w().
/// max_pool2d      y = largest of the window; ties go to the first, a NaN wins over all, padding never wins.
/// max_pool2d_dx   reads x and dy; dx = sum of the dy of the windows whose largest element it is.
/// avg_pool2d      y = sum of the window / its number of elements, padding counted if count_include_pad.
/// avg_pool2d_dx   reads dy; the adjoint.
template <class T> struct Pool2d {
  int64_t N = 1, H = 1, W = 1, C = 1;
  int kernel_h = 2, kernel_w = 2, stride_h = 2, stride_w = 2, padding_h = 0, padding_w = 0;
  bool count_include_pad = true;
  T const *x{}, *dy{};
  T *y{}, *dx{};

  constexpr int64_t out_h() const { return (H + 2 * padding_h - kernel_h) / stride_h + 1; }
  constexpr int64_t out_w() const { return (W + 2 * padding_w - kernel_w) / stride_w + 1; }
};

/// The part of a window that lies inside the image, along one axis.
struct Window {
  int64_t begin, end;
  constexpr Window(int64_t out, int stride, int padding, int kernel, int64_t size)
      : begin(out * stride - padding), end(begin + kernel) {
    if (begin < 0) begin = 0;
    if (end > size) end = size;
  }
  constexpr int64_t size() const { return end - begin; }
};

}  // namespace d16::kernels
