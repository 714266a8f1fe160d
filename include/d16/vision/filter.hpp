// Smoothing, resizing and turning of images.
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "line_map.hpp"
#include "resample.hpp"

namespace d16::vision {

/// Convolution with a Gaussian, cut at `truncate` sigma; the image is continued by reflection at its edges.
/// Shapes   x (H,W), (H,W,C) or (N,H,W,C), y as x.    Units  those of x; sigma in pixels.
/// Cost     4 * truncate * sigma multiplications a pixel.   Deterministic  yes.
/// Errors   ShapeError for other ranks; ValueError unless sigma > 0.
/// Source   scipy.ndimage.gaussian_filter, mode "reflect".
inline Tensor gaussian_filter(Tensor const& x, double sigma, double truncate = 4) {
  require<ValueError>(sigma > 0 && truncate > 0, "gaussian_filter: sigma is ", sigma, ", truncate ", truncate,
                      "; they must be positive");
  Extent e = extent_of("gaussian_filter", x.shape());
  std::vector<double> kernel = gaussian_kernel(sigma, int64_t(truncate * sigma + 0.5));
  return apply("gaussian_filter", correlation_map(e.H, kernel), correlation_map(e.W, kernel), x);
}

/// The median of size x size pixels around each pixel, channel by channel; edges as gaussian_filter.
/// Shapes   x (H,W), (H,W,C) or (N,H,W,C), y as x.    Units  those of x.
/// Cost     about 10 * size^2 comparisons a pixel.    Deterministic  yes.
/// Errors   ShapeError for other ranks; ValueError for an even size.
/// Source   scipy.ndimage.median_filter, mode "reflect".
inline Tensor median_filter(Tensor const& x, int64_t size) {
  require<ValueError>(size > 0 && size % 2 == 1, "median_filter: size is ", size, "; it must be odd");
  Extent e = extent_of("median_filter", x.shape());
  Tensor in = on_host("median_filter", x), out = empty(x.shape(), x.like());
  for_float(x.dtype(), [&]<class T>(T) {
    parallel_tasks(e.N * e.H, [&](int64_t line) {
      int64_t i = line % e.H;
      T const* picture = in.data<T>() + line / e.H * e.picture();
      T* target = out.data<T>() + line * e.row();
      std::vector<T> window(size_t(size * size));
      for (int64_t j = 0; j < e.W; ++j)
        for (int64_t c = 0; c < e.C; ++c) {
          auto next = window.begin();
          for (int64_t di = -size / 2; di <= size / 2; ++di)
            for (int64_t dj = -size / 2; dj <= size / 2; ++dj)
              *next++ = picture[reflect(i + di, e.H) * e.row() + reflect(j + dj, e.W) * e.C + c];
          std::nth_element(window.begin(), window.begin() + size * size / 2, window.end());
          target[j * e.C + c] = window[size_t(size * size / 2)];
        }
    });
  });
  return out;
}

/// Another number of pixels over the same area: the mean over each new pixel's area along an axis that shrinks (flux
/// per area is kept), bilinear interpolation along one that grows.
/// Shapes   x (H,W), (H,W,C) or (N,H,W,C), float32 or float64; y has height x width pixels.
/// Errors   ShapeError for other ranks; ValueError for a size below 1.
inline Tensor resize(Tensor const& x, int64_t height, int64_t width) {
  require<ValueError>(height > 0 && width > 0, "resize: to ", height, "x", width, " pixels; at least 1x1 is needed");
  Extent e = extent_of("resize", x.shape());
  return apply("resize", resize_map(e.H, height), resize_map(e.W, width), x);
}

/// The central height x width pixels, a view. Of an odd margin the smaller half is cut off before.
inline Tensor centre_crop(Tensor const& x, int64_t height, int64_t width) {
  Extent e = extent_of("centre_crop", x.shape());
  require<ShapeError>(height > 0 && width > 0 && height <= e.H && width <= e.W, "centre_crop: ", height, "x", width,
                      " pixels of an image ", x.shape(), "; it must fit");
  int h = x.rank() == 4 ? 1 : 0;
  int64_t top = (e.H - height) / 2, left = (e.W - width) / 2;
  return x.slice(h, top, top + height).slice(h + 1, left, left + width);
}

/// Turned about its centre by `angle` radians, counter-clockwise as displayed (row 0 on top); bilinear, edges
/// reflected. Shapes   x (H,W), (H,W,C) or (N,H,W,C) float32, y as x.
inline Tensor rotate(Tensor const& x, double angle) {
  Extent e = extent_of("rotate", x.shape());
  require<DTypeError>(x.dtype() == DType::f32, "rotate: the image is ", name_of(x.dtype()), "; cast it to float32");
  Tensor in = on_host("rotate", x), out = empty(x.shape(), x.like());
  Affine map = Affine::about_centre(e.H, e.W, e.H, e.W, {.angle = angle});
  parallel_tasks(e.N, [&](int64_t n) {
    sample(in.data<float>() + n * e.picture(), e.H, e.W, e.C, 1.0f, map, out.data<float>() + n * e.picture(), e.H, e.W);
  });
  return out;
}

namespace detail {
inline Tensor flip(char const* op, Tensor const& x, bool rows) {
  Extent e = extent_of(op, x.shape());
  Tensor in = on_host(op, x), out = empty(x.shape(), x.like());
  for_dtype(x.dtype(), [&]<class T>(T) {
    parallel_for(e.N * e.pixels(), [&](int64_t pixel) {
      int64_t j = pixel % e.W, line = pixel / e.W, i = line % e.H;
      int64_t from = rows ? (line - i + e.H - 1 - i) * e.W + j : line * e.W + e.W - 1 - j;
      std::copy_n(in.data<T>() + from * e.C, e.C, out.data<T>() + pixel * e.C);
    });
  });
  return out;
}
}  // namespace detail

/// Left and right exchanged.      Shapes   x (H,W), (H,W,C) or (N,H,W,C), any type.
inline Tensor flip_horizontal(Tensor const& x) { return detail::flip("flip_horizontal", x, false); }
/// Top and bottom exchanged.      Shapes   x (H,W), (H,W,C) or (N,H,W,C), any type.
inline Tensor flip_vertical(Tensor const& x) { return detail::flip("flip_vertical", x, true); }

}  // namespace d16::vision
