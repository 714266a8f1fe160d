// The background of an image: one level, or a smooth map of level and noise from a mesh of boxes.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>
#include <utility>
#include <vector>

#include "../ops/pair.hpp"
#include "filter.hpp"
#include "statistics.hpp"

namespace d16::vision {

/// Level and noise of pixels that are mostly sky.
struct SkyLevel {
  double level, rms;
  int64_t count;  ///< pixels that were left after clipping
};

/// The mode of a clipped distribution that sources make lopsided: 2.5 median - 1.5 mean, or the median where the two
/// differ by more than 0.3 sigma.
/// Source   Bertin & Arnouts 1996, A&AS 117, 393, section 7.1; photutils.background.SExtractorBackground.
inline double sky_mode(ClippedStats const& s) {
  if (s.std == 0) return s.mean;
  return std::abs(s.mean - s.median) < 0.3 * s.std ? 2.5 * s.median - 1.5 * s.mean : s.median;
}

/// Sigma clipping, then level = sky_mode and rms = standard deviation of what is left.
/// Errors   ValueError when there are no values.
inline SkyLevel sky_level(std::vector<double> values, SigmaClipOptions clip = {.sigma = 3, .maxiters = 10}) {
  ClippedStats s = sigma_clipped_stats(std::move(values), clip);
  return {sky_mode(s), s.std, s.count};
}
/// Of all finite pixels of an image of any shape.
inline SkyLevel sky_level(Tensor const& image, SigmaClipOptions clip = {.sigma = 3, .maxiters = 10}) {
  return sky_level(finite_values(image), clip);
}

enum class MeshInterpolation { bilinear, bicubic };

struct BackgroundOptions {
  Pair box = 64;            ///< pixels of a box of the mesh, about: an image is cut into equal boxes
  int filter = 3;           ///< median over filter x filter boxes, odd; 1: none
  double min_usable = 0.1;  ///< a box with fewer usable pixels than this part takes its value from the others
  MeshInterpolation interpolation = MeshInterpolation::bilinear;
  SigmaClipOptions clip = {.sigma = 3, .maxiters = 10};
};

/// Maps of the background in the shape of the image, and the mesh they were drawn from.
struct Background {
  Tensor level, rms;            ///< (H,W), dtype of the image
  Tensor mesh_level, mesh_rms;  ///< (boxes down, boxes across), float64
  double typical_level() const { return median(mesh_level); }
  double typical_rms() const { return median(mesh_rms); }
};

namespace detail {

/// Boxes without a value take the mean of the others, weighted by 1 / distance^2.
inline void fill_mesh(Tensor& mesh) {
  int64_t rows = mesh.dim(0), columns = mesh.dim(1);
  std::vector<double> known(mesh.data<double>(), mesh.data<double>() + mesh.numel());
  for (int64_t i = 0; i < mesh.numel(); ++i) {
    if (std::isfinite(known[size_t(i)])) continue;
    double sum = 0, weights = 0;
    for (int64_t k = 0; k < rows * columns; ++k) {
      if (!std::isfinite(known[size_t(k)])) continue;
      double dy = double(k / columns - i / columns), dx = double(k % columns - i % columns);
      double weight = 1 / (dy * dy + dx * dx);
      sum += weight * known[size_t(k)], weights += weight;
    }
    mesh.data<double>()[i] = sum / weights;
  }
}

/// The median of the boxes within reach; at the edges of those that are there.
inline Tensor filter_mesh(Tensor const& mesh, int size) {
  int64_t rows = mesh.dim(0), columns = mesh.dim(1), reach = size / 2;
  Tensor out = empty(mesh.shape(), mesh.like());
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) {
      std::vector<double> near;
      for (int64_t k = std::max<int64_t>(0, i - reach); k <= std::min(rows - 1, i + reach); ++k)
        for (int64_t l = std::max<int64_t>(0, j - reach); l <= std::min(columns - 1, j + reach); ++l)
          near.push_back(mesh.data<double>()[k * columns + l]);
      out.data<double>()[i * columns + j] = median(std::move(near));
    }
  return out;
}

/// n values, at the centres of equal stretches of a line, drawn on m >= n points by cubic convolution; constant beyond.
/// Source   Keys 1981, IEEE Trans. ASSP 29, 1153, with a = -1/2.
inline LineMap cubic_map(int64_t n, int64_t m) {
  LineMap map;
  for (int64_t i = 0; i < m; ++i) {
    double at = (double(i) + 0.5) * double(n) / double(m) - 0.5, left = std::floor(at), t = at - left;
    std::vector<double> weights{t * (-0.5 + t * (1 - 0.5 * t)), 1 + t * t * (1.5 * t - 2.5),
                                t * (0.5 + t * (2 - 1.5 * t)), t * t * (0.5 * t - 0.5)};
    map.rows.push_back(folded(int64_t(left) - 1, weights, n));
  }
  return map;
}

inline Tensor draw_mesh(Tensor const& mesh, Tensor const& image, MeshInterpolation interpolation) {
  int64_t H = image.dim(0), W = image.dim(1);
  Tensor map = interpolation == MeshInterpolation::bilinear
                   ? resize(mesh, H, W)
                   : apply("background", cubic_map(mesh.dim(0), H), cubic_map(mesh.dim(1), W), mesh);
  return map.cast(image.dtype());
}

/// Level and rms of one box, rows [i0, i1) and columns [j0, j1); NaN where too few pixels are usable.
inline std::pair<double, double> box_sky(std::vector<double> const& values, int64_t W, int64_t i0, int64_t i1,
                                         int64_t j0, int64_t j1, BackgroundOptions const& o) {
  std::vector<double> usable;
  for (int64_t i = i0; i < i1; ++i)
    for (int64_t j = j0; j < j1; ++j)
      if (double v = values[size_t(i * W + j)]; std::isfinite(v)) usable.push_back(v);
  double nan = std::numeric_limits<double>::quiet_NaN(), needed = o.min_usable * double((i1 - i0) * (j1 - j0));
  if (usable.empty() || double(usable.size()) < needed) return {nan, nan};
  SkyLevel sky = sky_level(std::move(usable), o.clip);
  return {sky.level, sky.rms};
}

}  // namespace detail

/// Maps of level and noise: the image is cut into boxes; in each sky_level() of the pixels that are finite and not
/// masked; a median filter over the boxes takes out those that a bright source fills; interpolation between their
/// centres.
/// Shapes   image (H,W) float32 or float64; mask (H,W), true or not 0 is left out.      Units  those of the image.
/// Cost     about 10 sorts of a box's pixels for each box.      Deterministic  yes.      Gradient  none.
/// Errors   ShapeError for other ranks and sizes; ValueError for options out of range and when no box has enough usable
///          pixels.
/// Source   Bertin & Arnouts 1996, section 7.1; photutils.background.Background2D (with its boxes where they divide the
///          image, and its bilinear interpolation).
inline Background mesh_background(Tensor const& image, Tensor const& mask = {}, BackgroundOptions const& o = {}) {
  require<ShapeError>(image.rank() == 2 && image.numel() > 0, "mesh_background: the image is ", image.shape(),
                      "; one band (H,W) with pixels is needed");
  if (mask.defined())
    require<ShapeError>(mask.shape() == image.shape(), "mesh_background: the mask is ", mask.shape(), ", the image ",
                        image.shape(), "; they must be equal");
  require<ValueError>(o.box.h > 0 && o.box.w > 0 && o.filter > 0 && o.filter % 2 == 1, "mesh_background: boxes of ",
                      o.box, " pixels, filter ", o.filter, "; the box must be positive, the filter odd");
  Tensor in = on_host("mesh_background", image).cast(DType::f64);
  std::vector<double> values(in.data<double>(), in.data<double>() + in.numel());
  if (mask.defined()) {
    Tensor left_out = on_host("mesh_background", mask).cast(DType::f64);
    for (size_t i = 0; i < values.size(); ++i)
      if (left_out.data<double>()[i] != 0) values[i] = std::numeric_limits<double>::quiet_NaN();
  }
  int64_t H = image.dim(0), W = image.dim(1);
  int64_t rows = std::max<int64_t>(1, (H + o.box.h / 2) / o.box.h),
          columns = std::max<int64_t>(1, (W + o.box.w / 2) / o.box.w);
  Tensor level = empty({rows, columns}, host_tensor(DType::f64)), rms = empty({rows, columns}, host_tensor(DType::f64));
  parallel_tasks(rows * columns, [&](int64_t box) {
    int64_t i = box / columns, j = box % columns;
    std::tie(level.data<double>()[box], rms.data<double>()[box]) =
        detail::box_sky(values, W, i * H / rows, (i + 1) * H / rows, j * W / columns, (j + 1) * W / columns, o);
  });
  bool any = std::any_of(level.data<double>(), level.data<double>() + level.numel(), [](double v) { return v == v; });
  require<ValueError>(any, "mesh_background: none of the ", rows * columns, " boxes of ", image.shape(), " has ",
                      100 * o.min_usable, " % of usable pixels; mask less or lower min_usable");
  for (Tensor* mesh : {&level, &rms}) {
    detail::fill_mesh(*mesh);
    *mesh = detail::filter_mesh(*mesh, o.filter);
  }
  return {detail::draw_mesh(level, image, o.interpolation), detail::draw_mesh(rms, image, o.interpolation), level, rms};
}

}  // namespace d16::vision
