// Contract of enlarging an image by an integer factor, nearest or bilinear.
#pragma once
#include "view.hpp"

namespace d16::kernels {

/// x, dx are (N,H,W,C); y, dy are (N,scale H,scale W,C). Along each axis an output o reads the inputs of tap(o).
/// upsample      y = the four inputs around it, by their weights.
/// upsample_dx   reads dy; the adjoint.
template <class T> struct Upsample {
  int64_t N = 1, H = 1, W = 1, C = 1;
  int scale = 2;
  bool bilinear = false, align_corners = false;
  T const *x{}, *dy{};
  T *y{}, *dx{};
};

/// Which inputs an output reads along one axis: (1 - fraction) x[low] + fraction x[high].
struct Tap {
  int64_t low, high;
  double fraction;
};

/// nearest: o / scale, rounded down. Bilinear: the centres of the outer pixels fall on one another when corners are
/// aligned; else the outer edges do, and what lies beyond the first or last centre takes its value.
constexpr Tap upsample_tap(int64_t o, int64_t size, int scale, bool bilinear, bool align_corners) {
  if (!bilinear) return {o / scale, o / scale, 0};
  double at = (double(o) + 0.5) / scale - 0.5;
  if (align_corners) at = scale * size > 1 ? double(o) * double(size - 1) / double(scale * size - 1) : 0;
  if (at < 0) at = 0;
  int64_t low = int64_t(at);
  if (low > size - 1) low = size - 1;
  int64_t high = low < size - 1 ? low + 1 : low;
  return {low, high, high == low ? 0 : at - double(low)};
}

}  // namespace d16::kernels
