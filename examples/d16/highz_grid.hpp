// The grid of 64x64 pixels of a cutout, and the images of its bands brought to it.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include <d16/vision/line_map.hpp>

#include "highz_input.hpp"

namespace tool {

/// The middle of an image of an odd side is the middle of a pixel, that of 64 pixels a corner. Images of the grid's
/// pixels are taken as they are, so that the grid's middle lies half a pixel from theirs where most sides are odd; all
/// others are interpolated to the same place.
class HighzGrid {
 public:
  /// `own`: images (H,W) with pixels of the grid's size.
  explicit HighzGrid(std::vector<d16::Tensor> const& own) {
    for (int axis : {0, 1}) {
      int64_t odd = 0;
      for (d16::Tensor const& image : own) odd += image.dim(axis) % 2 ? 1 : -1;
      shift_[axis] = odd > 0 ? -0.5 : 0;
    }
  }

  /// Whether pixels of an image of the grid's pixels are its pixels.
  bool aligned(d16::Tensor const& image) const {
    return (image.dim(0) % 2 != 0) == (shift_[0] != 0) && (image.dim(1) % 2 != 0) == (shift_[1] != 0);
  }

  /// The 64x64 pixels in the middle, NaN beyond the edges.
  static d16::Tensor middle(d16::Tensor const& image) {
    d16::Tensor out = d16::full({side, side}, nan, d16::vision::host_tensor());
    int64_t H = image.dim(0), W = image.dim(1), top = (H - side) >> 1, left = (W - side) >> 1;
    for (int64_t i = std::max<int64_t>(0, -top); i < std::min(side, H - top); ++i)
      for (int64_t j = std::max<int64_t>(0, -left); j < std::min(side, W - left); ++j)
        out.data<float>()[i * side + j] = image.data<float>()[(i + top) * W + j + left];
    return out;
  }

  /// The same part of the sky, each pixel the mean over (or the value at) its place; `step` is its side in old pixels.
  d16::Tensor resampled(d16::Tensor const& image, double step) const {
    auto low = [&](int axis) { return double(image.dim(axis)) / 2 + step * (shift_[axis] - double(side) / 2); };
    auto map = [&](int axis) {
      return d16::vision::window_map(image.dim(axis), low(axis), low(axis) + step * double(side), side);
    };
    d16::Tensor out = d16::vision::apply("read_highz_cutout", map(0), map(1), image);
    auto outside = [&](int64_t i, int axis) {
      double from = low(axis) + step * double(i);
      return from < -1e-6 || from + step > double(image.dim(axis)) + 1e-6;
    };
    for (int64_t i = 0; i < side; ++i)
      for (int64_t j = 0; j < side; ++j)
        if (outside(i, 0) || outside(j, 1)) out.data<float>()[i * side + j] = float(nan);
    return out;
  }

 private:
  static constexpr int64_t side = highz_side;
  double shift_[2];  ///< of the grid's middle from those of the images, in its pixels
};

}  // namespace tool
