// Brightness scales: the asinh stretch, and the invertible one that brings pixels of any unit to 0 .. 1.
#pragma once
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "../autograd/tape.hpp"
#include "image.hpp"
#include "statistics.hpp"

namespace d16::vision {

/// asinh(x / a) / asinh(1 / a): linear well below a, logarithmic above; 0 stays 0 and 1 stays 1.
/// Shapes   any, y as x.      Units  x in units of the white level.     Deterministic  yes.
/// Gradient dy / (a asinh(1/a) sqrt(1 + (x/a)^2)).
/// Errors   ValueError unless a > 0; DTypeError for integers.
/// Source   Lupton, Gunn & Szalay 1999, AJ 118, 1406; astropy.visualization.AsinhStretch.
inline Tensor asinh_stretch(Tensor x, double a) {
  require<ValueError>(a > 0, "asinh_stretch: a is ", a, "; it must be positive");
  require<DeviceError>(x.device().is_host(), "asinh_stretch: x is on ", x.device(),
                       ", this runs on the host; use to(\"cpu\") first");
  x = x.contiguous();
  Tensor y = empty(x.shape(), x.like());
  double unit = std::asinh(1 / a);
  for_float(x.dtype(), [&]<class T>(T) {
    T const* in = x.data<T>();
    T* out = y.data<T>();
    parallel_for(x.numel(), [=](int64_t i) { out[i] = T(std::asinh(double(in[i]) / a) / unit); });
  });
  return record("asinh_stretch", y, wrt(x, [=](Tensor dy) {
                  dy = dy.contiguous();
                  Tensor dx = empty(x.shape(), x.like());
                  for_float(x.dtype(), [&]<class T>(T) {
                    T const *in = x.data<T>(), *up = dy.data<T>();
                    T* out = dx.data<T>();
                    parallel_for(x.numel(),
                                 [=](int64_t i) { out[i] = T(double(up[i]) / (unit * std::hypot(a, double(in[i])))); });
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
  /// Shapes   x (H,W) with one band, (H,W,C) or (N,H,W,C) with one for each channel; float32 or float64.
  /// Errors   ShapeError for another number of bands.
  Tensor apply(Tensor const& x) const {
    return each(x, [](Line const& line, double value) {
      double y = std::isfinite(value) ? line.forward(value - line.sky) : line.forward(0);
      return std::clamp(y, 0.0, 1.0);
    });
  }
  /// Back to the units of the input. What apply() cut off stays cut.
  Tensor invert(Tensor const& y) const {
    return each(y, [](Line const& line, double value) { return line.sky + line.backward(value); });
  }
  /// d input / d stretched at the stretched value y of band b: turns small stretched differences into input units.
  double slope(double y, int band) const {
    Line line(bands.at(size_t(band)), softness);
    return line.range * line.s * std::cosh(y * line.range - line.zero);
  }
  /// The stretched level of the sky in band b.
  double sky_level(int band) const { return Line(bands.at(size_t(band)), softness).forward(0); }
  /// Stretched pixels with the sky brought to black: (y - sky level) / (1 - sky level), as pictures of a survey look.
  Tensor black_sky(Tensor const& y) const {
    return each(y, [](Line const& line, double value) {
      double sky = line.forward(0);
      return std::clamp((value - sky) / (1 - sky), 0.0, 1.0);
    });
  }

 private:
  struct Line {
    double sky, s, zero, range;
    Line(BandScale const& b, double softness)
        : sky(b.sky), s(softness * b.sigma), zero(std::asinh(5 / softness)), range(std::asinh(b.white / s) + zero) {}
    double forward(double above_sky) const { return (std::asinh(above_sky / s) + zero) / range; }
    double backward(double y) const { return s * std::sinh(y * range - zero); }
  };

  template <class F> Tensor each(Tensor const& x, F const& f) const {
    Extent e = extent_of("stretch", x.shape());
    require<ShapeError>(e.C == int64_t(bands.size()), "stretch: the image is ", x.shape(), ", the stretch has ",
                        bands.size(), " bands; their number must be the same");
    require<ValueError>(softness > 0, "stretch: softness is ", softness, "; it must be positive");
    std::vector<Line> lines;
    for (BandScale const& band : bands) {
      require<ValueError>(band.sigma > 0 && band.white > 0, "stretch: sigma is ", band.sigma, ", white ", band.white,
                          "; both must be positive");
      lines.emplace_back(band, softness);
    }
    Tensor in = on_host("stretch", x), out = empty(x.shape(), x.like());
    for_float(x.dtype(), [&]<class T>(T) {
      T const* p = in.data<T>();
      T* q = out.data<T>();
      Line const* line = lines.data();
      parallel_for(in.numel(), [&, p, q, line](int64_t i) { q[i] = T(f(line[i % e.C], double(p[i]))); });
    });
    return out;
  }
};

struct StretchOptions {
  double softness = 5;            ///< in sigma
  double white_quantile = 0.998;  ///< this fraction of the pixels is darker than white
  double least_white = 20;        ///< in sigma: noise is never stretched to full range
};

/// The stretch that suits an image: in each band sky and sigma by sigma clipping (3 sigma, 10 rounds). White is the
/// quantile of the pixels of the band where it is most sigma above the sky, and as many sigma in every band: so sky
/// and noise look the same in all bands, and colours are ratios of signal to noise.
/// Shapes   image (H,W) or (H,W,C), float32 or float64, any unit. NaN pixels are left out.
/// Errors   ShapeError for a batch; ValueError for a band without finite pixels or with all pixels equal.
inline Stretch fit_stretch(Tensor const& image, StretchOptions o = {}) {
  require<ShapeError>(image.rank() == 2 || image.rank() == 3, "fit_stretch: the image is ", image.shape(),
                      "; one (H,W) or (H,W,C) is needed");
  Stretch stretch{{}, o.softness};
  double white = o.least_white;
  for (int64_t b = 0, bands = image.rank() == 3 ? image.dim(2) : 1; b < bands; ++b) {
    std::vector<double> values = finite_values(image.rank() == 3 ? image.select(2, b) : image);
    require<ValueError>(!values.empty(), "fit_stretch: band ", b, " of the image ", image.shape(),
                        " has no finite pixel");
    auto [low, high] = std::minmax_element(values.begin(), values.end());
    double first = *low, span = *high - *low;
    require<ValueError>(span > 0, "fit_stretch: band ", b, ": all pixels are ", first,
                        "; an image has at least two values");
    double bright = quantile(values, o.white_quantile);
    ClippedStats sky = sigma_clipped_stats(std::move(values), {.sigma = 3, .maxiters = 10});
    double sigma =
        std::max({sky.std, 1e-4 * (bright - sky.median), 1e-9 * span});  // without noise there is a scale too
    stretch.bands.push_back({sky.median, sigma, 0});
    white = std::max(white, (bright - sky.median) / sigma);
  }
  for (BandScale& band : stretch.bands) band.white = white * band.sigma;
  return stretch;
}

}  // namespace d16::vision
