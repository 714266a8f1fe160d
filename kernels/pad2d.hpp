// Contract of continuing an image beyond its edges: by zeros, from the opposite side, or mirrored.
#pragma once
#include "view.hpp"

namespace d16::kernels {

/// What lies beyond the edge: nothing, the image again (as on a torus), or its mirror image without the edge itself.
enum class PaddingMode { zeros, circular, reflect };
constexpr char const* name_of(PaddingMode mode) {
  return mode == PaddingMode::zeros ? "zeros" : mode == PaddingMode::circular ? "circular" : "reflect";
}

/// x, dx are (N,H,W,C); y, dy are (N,top + H + bottom,left + W + right,C).
/// pad2d      y[p,q] = x[pad2d_source(p - top), pad2d_source(q - left)], 0 where there is none.
/// pad2d_dx   reads dy; the adjoint: each pixel sums the gradients of its copies.
/// circular needs margins of at most the size, reflect of less: then a line has at most three copies.
template <class T> struct Pad2d {
  int64_t N = 1, H = 1, W = 1, C = 1, top = 0, bottom = 0, left = 0, right = 0;
  PaddingMode mode = PaddingMode::zeros;
  T const *x{}, *dy{};
  T *y{}, *dx{};

  constexpr int64_t out_h() const { return top + H + bottom; }
  constexpr int64_t out_w() const { return left + W + right; }
};

/// The line of the image that continues it at position i, -1 for none; i counts from the first line of the image.
constexpr int64_t pad2d_source(int64_t i, int64_t size, PaddingMode mode) {
  if (i >= 0 && i < size) return i;
  if (mode == PaddingMode::circular) return i < 0 ? i + size : i - size;
  if (mode == PaddingMode::reflect) return i < 0 ? -i : 2 * (size - 1) - i;
  return -1;
}

}  // namespace d16::kernels
