// Brightness scales: the asinh stretch, and the invertible one that brings pixels of any unit to 0 .. 1.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "../autograd/tape.hpp"
#include "../core/dispatch.hpp"
#include "../kernels/cpu/stretch.hpp"
#include "../kernels/reference/band_levels.hpp"
#include "../kernels/reference/stretch.hpp"
#include "image.hpp"
#include "statistics.hpp"

namespace d16 {

template <class T> constinit Slot<kernels::Stretch<T>> stretch_slot{
    "stretch", {kernels::cpu::stretch<T>}, {kernels::reference::stretch<T>}, {}, {}};
template <class T> constinit Slot<kernels::Stretch<T>> stretch_dx_slot{
    "stretch_dx", {kernels::cpu::stretch_dx<T>}, {kernels::reference::stretch_dx<T>}, {}, {}};

namespace vision {

namespace detail {
/// Element i of the contiguous x through band i % bands, outside the gradient graph.
inline Tensor stretch(kernels::StretchOp op, std::vector<kernels::StretchBand> const& bands, Tensor const& x) {
  Tensor y = empty(x.shape(), x.like());
  for_float(x.dtype(), [&]<class T>(T) {
    kernels::Stretch<T> a{.op = op, .n = x.numel(), .C = int(bands.size()), .bands = bands.data(), .x = x.data<T>()};
    a.y = y.data<T>();
    run(stretch_slot<T>, x.device(), a);
  });
  return y;
}
}  // namespace detail

/// asinh(x / a) / asinh(1 / a): linear well below a, logarithmic above; 0 stays 0 and 1 stays 1.
/// Shapes   any, y as x, on any device.      Units  x in units of the white level.     Deterministic  yes.
/// Gradient dy / (a asinh(1/a) sqrt(1 + (x/a)^2)).
/// Errors   ValueError unless a > 0; DTypeError for integers.
/// Source   Lupton, Gunn & Szalay 1999, AJ 118, 1406; astropy.visualization.AsinhStretch.
inline Tensor asinh_stretch(Tensor x, double a) {
  require<ValueError>(a > 0, "asinh_stretch: a is ", a, "; it must be positive");
  x = x.contiguous();
  kernels::StretchBand scale{.s = a, .range = std::asinh(1 / a)};
  Tensor y = detail::stretch(kernels::StretchOp::asinh, {scale}, x);
  return record("asinh_stretch", y, wrt(x, [=](Tensor dy) {
                  dy = dy.contiguous();
                  Tensor dx = empty(x.shape(), x.like());
                  for_float(x.dtype(), [&]<class T>(T) {
                    kernels::Stretch<T> k{.n = x.numel(), .bands = &scale, .x = x.data<T>(), .dy = dy.data<T>()};
                    k.dx = dx.data<T>();
                    run(stretch_dx_slot<T>, x.device(), k);
                  });
                  return dx;
                }));
}

/// Where the pixels are finite: 1, else 0.       Shapes   any, result as x, bool.
inline Tensor finite_mask(Tensor const& x) {
  Tensor in = on_host("finite_mask", x), mask = empty(x.shape(), {DType::boolean, x.device()});
  bool* out = mask.data<bool>();
  for_float(in.dtype(), [&]<class T>(T) {
    T const* p = in.data<T>();
    parallel_for(in.numel(), [=](int64_t i) { out[i] = std::isfinite(p[i]); });
  });
  return mask;
}

/// The scale of one band, in the units of its pixels.
struct BandScale {
  double sky = 0;    ///< the level of the background
  double sigma = 1;  ///< the noise of one pixel; sky - 5 sigma becomes 0
  double white = 1;  ///< this much above the sky becomes 1
};

/// An asinh stretch that can be undone: y = (asinh((x - sky) / s) + asinh(5 sigma / s)) / (asinh(white / s) +
/// asinh(5 sigma / s)) with s = softness * sigma, for each band. sky - 5 sigma -> 0, sky + white -> 1.
struct Stretch {
  std::vector<BandScale> bands;
  double softness = 5;  ///< in sigma: where linear turns into logarithmic

  /// Pixels to 0 .. 1, values beyond cut off; pixels that are not finite become the level of the sky.
  /// Shapes   x (H,W) with one band, (H,W,C) or (N,H,W,C) with one for each channel; float32 or float64, on any device.
  /// Errors   ShapeError for another number of bands.
  Tensor apply(Tensor const& x) const { return each(kernels::StretchOp::apply, x); }
  /// Back to the units of the input. What apply() cut off stays cut.
  Tensor invert(Tensor const& y) const { return each(kernels::StretchOp::invert, y); }
  /// d input / d stretched at the stretched value y of band b: turns small stretched differences into input units.
  double slope(double y, int band) const {
    kernels::StretchBand b = scale(bands.at(size_t(band)));
    return b.range * b.s * std::cosh(y * b.range - b.zero);
  }
  /// The stretched level of the sky in band b.
  double sky_level(int band) const { return scale(bands.at(size_t(band))).sky_level(); }
  /// Stretched pixels with the sky brought to black: (y - sky level) / (1 - sky level), as pictures of a survey look.
  Tensor black_sky(Tensor const& y) const { return each(kernels::StretchOp::black_sky, y); }

 private:
  kernels::StretchBand scale(BandScale const& b) const {
    double s = softness * b.sigma, zero = std::asinh(5 / softness);
    return {.sky = b.sky, .s = s, .zero = zero, .range = std::asinh(b.white / s) + zero};
  }

  Tensor each(kernels::StretchOp op, Tensor const& x) const {
    Extent e = extent_of("stretch", x.shape());
    require<ShapeError>(e.C == int64_t(bands.size()), "stretch: the image is ", x.shape(), ", the stretch has ",
                        bands.size(), " bands; their number must be the same");
    require<ValueError>(softness > 0, "stretch: softness is ", softness, "; it must be positive");
    std::vector<kernels::StretchBand> scales;
    for (BandScale const& band : bands) {
      require<ValueError>(band.sigma > 0 && band.white > 0, "stretch: sigma is ", band.sigma, ", white ", band.white,
                          "; both must be positive");
      scales.push_back(scale(band));
    }
    return detail::stretch(op, scales, x.detach().contiguous());
  }
};

struct StretchOptions {
  double softness = 5;            ///< in sigma
  double white_quantile = 0.998;  ///< this fraction of the pixels is darker than white
  double least_white = 20;        ///< in sigma: noise is never stretched to full range
};

namespace detail {
/// By the statistics of this room, band after band.
template <class T> int band_levels(kernels::BandLevels<T> const& a) {
  for (int64_t i = 0; i < a.N * a.C; ++i) {
    T const* band = a.x + i / a.C * a.pixels * a.C + i % a.C;
    std::vector<double> values;
    for (int64_t p = 0; p < a.pixels; ++p)
      if (double v = double(band[p * a.C]); std::isfinite(v)) values.push_back(v);
    constexpr double none = std::numeric_limits<double>::quiet_NaN();
    a.levels[i] = {double(values.size()), none, none, none, none, none};
    if (values.empty()) continue;
    auto [low, high] = std::minmax_element(values.begin(), values.end());
    a.levels[i].lowest = *low, a.levels[i].highest = *high;
    a.levels[i].bright = quantile(values, a.quantile);
    ClippedStats sky = sigma_clipped_stats(std::move(values), {.sigma = a.clip, .maxiters = a.rounds});
    a.levels[i].median = sky.median, a.levels[i].std = sky.std;
  }
  return kernels::ok;
}
}  // namespace detail
}  // namespace vision

template <class T> constinit Slot<kernels::BandLevels<T>> band_levels_slot{
    "band_levels", {vision::detail::band_levels<T>}, {kernels::reference::band_levels<T>}, {}, {}};

namespace vision {

/// The stretch that suits an image: in each band sky and sigma by sigma clipping (3 sigma, 10 rounds). White is the
/// quantile of the pixels of the band where it is most sigma above the sky, and as many sigma in every band: so sky
/// and noise look the same in all bands, and colours are ratios of signal to noise.
/// Shapes   image (H,W) or (H,W,C), float32 or float64, any unit, on any device, of which six numbers for each band come
///          back. NaN pixels are left out.
/// Errors   ShapeError for a batch; ValueError for a band without finite pixels or with all pixels equal.
inline Stretch fit_stretch(Tensor const& image, StretchOptions o = {}) {
  require<ShapeError>(image.rank() == 2 || image.rank() == 3, "fit_stretch: the image is ", image.shape(),
                      "; one (H,W) or (H,W,C) is needed");
  using kernels::Levels;
  constexpr int64_t numbers = sizeof(Levels) / sizeof(double);
  int64_t bands = image.rank() == 3 ? image.dim(2) : 1;
  Tensor in = image.detach().contiguous(), there = empty({bands, numbers}, {DType::f64, image.device(), {}});
  for_float(in.dtype(), [&]<class T>(T) {
    kernels::BandLevels<T> a{
        .pixels = in.numel() / bands, .C = int(bands), .quantile = o.white_quantile, .x = in.data<T>()};
    a.levels = reinterpret_cast<Levels*>(there.data<double>());
    run(band_levels_slot<T>, in.device(), a);
  });
  Tensor here = there.to("cpu");
  Stretch stretch{{}, o.softness};
  double white = o.least_white;
  for (int64_t b = 0; b < bands; ++b) {
    Levels const& l = reinterpret_cast<Levels const*>(here.data<double>())[b];
    require<ValueError>(l.count > 0, "fit_stretch: band ", b, " of the image ", image.shape(), " has no finite pixel");
    double span = l.highest - l.lowest;
    require<ValueError>(span > 0, "fit_stretch: band ", b, ": all pixels are ", l.lowest,
                        "; an image has at least two values");
    // without noise there is a scale too
    double sigma = std::max({l.std, 1e-4 * (l.bright - l.median), 1e-9 * span});
    stretch.bands.push_back({l.median, sigma, 0});
    white = std::max(white, (l.bright - l.median) / sigma);
  }
  for (BandScale& band : stretch.bands) band.white = white * band.sigma;
  return stretch;
}

}  // namespace vision
}  // namespace d16
