// Contract of the asinh stretch of pixels, with a scale for each band, and of the way back.
#pragma once
#include <cmath>
#include <cstdint>

#include "view.hpp"

namespace d16::kernels {

/// The scale of one band: stretched = (asinh((pixel - sky) / s) + zero) / range.
struct StretchBand {
  double sky = 0, s = 1, zero = 0, range = 1;

  double forward(double pixel) const { return (std::asinh((pixel - sky) / s) + zero) / range; }
  double backward(double stretched) const { return sky + s * std::sinh(stretched * range - zero); }
  double sky_level() const { return zero / range; }
};

enum class StretchOp {
  asinh,      ///< pixel to stretched, whatever it is
  apply,      ///< the same, cut off at 0 and 1; what is not finite counts as sky
  invert,     ///< stretched to pixel
  black_sky,  ///< stretched to (stretched - sky_level) / (1 - sky_level), cut off at 0 and 1
};

/// Element i is of band i % C.
/// stretch      reads x; writes y (which may be x).
/// stretch_dx   of StretchOp::asinh alone: reads x, dy; writes dx (which may be dy) = dy / (range hypot(s, x - sky)).
template <class T> struct Stretch {
  StretchOp op = StretchOp::asinh;
  int64_t n = 0;
  int C = 1;
  StretchBand const* bands{};  ///< C of them, in host memory whatever the device
  T const *x{}, *dy{};
  T *y{}, *dx{};
};

/// One pixel in double.
inline double stretched(StretchOp op, StretchBand const& band, double x) {
  double y = x;
  switch (op) {
    case StretchOp::asinh: return band.forward(x);
    case StretchOp::invert: return band.backward(x);
    case StretchOp::apply: y = band.forward(std::isfinite(x) ? x : band.sky); break;
    case StretchOp::black_sky: y = (x - band.sky_level()) / (1 - band.sky_level()); break;
  }
  return y < 0 ? 0 : y > 1 ? 1 : y;
}

}  // namespace d16::kernels
