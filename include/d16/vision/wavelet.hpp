// Wavelet shrinkage: what is small on every scale is noise.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "image.hpp"
#include "statistics.hpp"

namespace d16::vision {

struct WaveletOptions {
  double sigma = 0;    ///< of the noise; 0: from the median of the finest diagonal details
  int levels = 0;      ///< scales; 0: three less than fit, at least one
  int64_t shifts = 0;  ///< the mean over the results for all moves by 0 to `shifts` pixels each way: no blocks remain
};

namespace detail {

/// A rectangle of numbers in double.
struct Sheet {
  int64_t H = 0, W = 0;
  std::vector<double> v = {};
  Sheet(int64_t h, int64_t w) : H(h), W(w), v(size_t(h * w)) {}
  double& at(int64_t i, int64_t j) { return v[size_t(i * W + j)]; }
  double at(int64_t i, int64_t j) const { return v[size_t(i * W + j)]; }
};

/// One scale of the Haar transform: means and three kinds of details, each half as large; an odd line ends with its last
/// pixel twice.
struct HaarScale {
  Sheet mean, rows, columns, diagonal;

  explicit HaarScale(Sheet const& x)
      : mean((x.H + 1) / 2, (x.W + 1) / 2), rows(mean.H, mean.W), columns(mean.H, mean.W), diagonal(mean.H, mean.W) {
    for (int64_t i = 0; i < mean.H; ++i)
      for (int64_t j = 0; j < mean.W; ++j) {
        int64_t below = std::min(2 * i + 1, x.H - 1), right = std::min(2 * j + 1, x.W - 1);
        double a = x.at(2 * i, 2 * j), b = x.at(2 * i, right), c = x.at(below, 2 * j), d = x.at(below, right);
        mean.at(i, j) = (a + b + c + d) / 2, rows.at(i, j) = (a + b - c - d) / 2;
        columns.at(i, j) = (a - b + c - d) / 2, diagonal.at(i, j) = (a - b - c + d) / 2;
      }
  }
  /// Back to a sheet of the size it came from.
  void merge(Sheet& out) const {
    for (int64_t i = 0; i < out.H; ++i)
      for (int64_t j = 0; j < out.W; ++j) {
        int64_t k = i / 2, l = j / 2;
        double vertical = i % 2 ? -1 : 1, horizontal = j % 2 ? -1 : 1;
        out.at(i, j) = (mean.at(k, l) + vertical * rows.at(k, l) + horizontal * columns.at(k, l) +
                        vertical * horizontal * diagonal.at(k, l)) /
                       2;
      }
  }
};

/// Median of the absolute values that are not 0, over that of a normal distribution.
inline double noise_of(Sheet const& details) {
  std::vector<double> sizes;
  for (double v : details.v)
    if (v != 0) sizes.push_back(std::abs(v));
  return sizes.empty() ? 0 : median(std::move(sizes)) / 0.6744897501960817;
}

/// Details shrink by variance / sqrt(their mean square - variance): BayesShrink, soft.
inline void shrink(Sheet& details, double variance) {
  double squares = 0;
  for (double v : details.v) squares += v * v;
  double signal = squares / double(details.v.size()) - variance;
  double threshold = variance / std::sqrt(std::max(signal, std::numeric_limits<double>::epsilon()));
  for (double& v : details.v) v = std::copysign(std::max(0.0, std::abs(v) - threshold), v);
}

inline Sheet wavelet_shrunk(Sheet const& x, WaveletOptions const& o) {
  int most = int(std::floor(std::log2(double(std::min(x.H, x.W)))));
  int levels = o.levels > 0 ? o.levels : std::max(1, most - 3);
  std::vector<HaarScale> scales;
  for (int k = 0; k < levels; ++k) scales.emplace_back(k == 0 ? x : scales.back().mean);
  double sigma = o.sigma > 0 ? o.sigma : noise_of(scales.front().diagonal);
  for (HaarScale& scale : scales)
    for (Sheet* details : {&scale.rows, &scale.columns, &scale.diagonal}) shrink(*details, sigma * sigma);
  for (size_t k = scales.size() - 1; k > 0; --k) scales[k].merge(scales[k - 1].mean);
  Sheet out(x.H, x.W);
  scales.front().merge(out);
  return out;
}

/// Moved down and right; what leaves at one edge comes in at the other.
inline Sheet rolled(Sheet const& x, int64_t down, int64_t right) {
  Sheet out(x.H, x.W);
  for (int64_t i = 0; i < x.H; ++i)
    for (int64_t j = 0; j < x.W; ++j) out.at((i + down + x.H) % x.H, (j + right + x.W) % x.W) = x.at(i, j);
  return out;
}

}  // namespace detail

/// Haar transform, details of each scale and direction shrunk towards 0 by s^2 / sqrt(max(m - s^2, eps)), s the noise and
/// m their mean square, and back; channel by channel.
/// Shapes   x (H,W), (H,W,C) or (N,H,W,C), float32 or float64, at least 2x2 pixels, y as x.    Units  those of x, as sigma.
/// Cost     about 20 (shifts + 1)^2 operations a value.    Deterministic  yes, any threads.    Gradient  none.
/// Errors   ShapeError for other ranks and sizes; ValueError for a negative option or more levels than fit.
/// Source   Chang, Yu & Vetterli 2000, IEEE TIP 9, 1532 (BayesShrink); Donoho & Johnstone 1994, Biometrika 81, 425
///          (noise); Coifman & Donoho 1995 (shifts). Options and defaults of skimage.restoration.denoise_wavelet.
inline Tensor wavelet_filter(Tensor const& x, WaveletOptions const& o = {}) {
  Extent e = extent_of("wavelet_filter", x.shape());
  require<ShapeError>(e.H > 1 && e.W > 1, "wavelet_filter: the image is ", x.shape(), "; 2x2 pixels are needed");
  require<ValueError>(o.sigma >= 0 && o.shifts >= 0 && o.shifts < std::min(e.H, e.W) && o.levels >= 0 &&
                          (int64_t(1) << o.levels) <= std::min(e.H, e.W),
                      "wavelet_filter: sigma ", o.sigma, ", levels ", o.levels, ", shifts ", o.shifts, " for ", e.H,
                      "x", e.W, " pixels; no negative number, and scales and moves that fit, are needed");
  Tensor in = on_host("wavelet_filter", x), out = empty(x.shape(), x.like());
  double share = 1 / double((o.shifts + 1) * (o.shifts + 1));
  parallel_tasks(e.N * e.C, [&](int64_t task) {
    int64_t first = task / e.C * e.picture() + task % e.C;
    detail::Sheet sheet(e.H, e.W), sum(e.H, e.W);
    for_float(x.dtype(), [&]<class T>(T) {
      for (int64_t p = 0; p < e.pixels(); ++p) sheet.v[size_t(p)] = double(in.data<T>()[first + p * e.C]);
    });
    for (int64_t down = 0; down <= o.shifts; ++down)
      for (int64_t right = 0; right <= o.shifts; ++right) {
        detail::Sheet moved = detail::wavelet_shrunk(detail::rolled(sheet, down, right), o);
        moved = detail::rolled(moved, -down, -right);
        for (size_t p = 0; p < sum.v.size(); ++p) sum.v[p] += share * moved.v[p];
      }
    for_float(x.dtype(), [&]<class T>(T) {
      for (int64_t p = 0; p < e.pixels(); ++p) out.data<T>()[first + p * e.C] = T(sum.v[size_t(p)]);
    });
  });
  return out;
}

}  // namespace d16::vision
