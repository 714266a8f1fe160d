// The Sersic profile of a galaxy's light: its constant b, total flux and picture.
#pragma once
#include <cmath>
#include <cstdint>
#include <numbers>

#include "../core/tensor.hpp"

namespace d16::sim {

/// The b of index n that makes r_eff enclose half of the light: gamma(2n, b) = Gamma(2n) / 2, solved by bisection of
/// the series of the incomplete gamma function; right to rounding for any n.
/// Errors   ValueError unless 0 < n <= 20.
inline double sersic_b(double n) {
  require<ValueError>(n > 0 && n <= 20, "sersic_b: n is ", n, "; 0 < n <= 20 is needed");
  double a = 2 * n, low = 0, high = a;  // the median of a gamma distribution lies below its mean
  auto fraction = [a](double x) {
    double term = std::exp(a * std::log(x) - x - std::lgamma(a + 1)), sum = term;
    for (int k = 1; term > sum * 1e-17; ++k) sum += term *= x / (a + k);
    return sum;
  };
  for (int step = 0; step < 60; ++step) {
    double middle = (low + high) / 2;
    (fraction(middle) < 0.5 ? low : high) = middle;
  }
  return (low + high) / 2;
}

/// I(x, y) = amplitude exp(-b ((r / r_eff)^(1/n) - 1)), r the radius along the major axis of the ellipse through (x,
/// y).
struct Sersic {
  double amplitude = 1;   ///< brightness at r_eff
  double r_eff = 5;       ///< semi-major axis of the ellipse with half of the light, pixels
  double n = 1;           ///< 1: exponential disk, 4: elliptical galaxy (de Vaucouleurs)
  double q = 1;           ///< minor to major axis
  double theta = 0;       ///< of the major axis, radians from +x towards +y (columns and rows)
  double x0 = 0, y0 = 0;  ///< the centre, pixels; pixel (0,0) has its centre at 0,0

  /// All the light: 2 pi q n r_eff^2 amplitude e^b b^(-2n) Gamma(2n).
  double total_flux() const {
    double b = sersic_b(n);
    return 2 * std::numbers::pi * q * n * r_eff * r_eff * amplitude *
           std::exp(b - 2 * n * std::log(b) + std::lgamma(2 * n));
  }
  /// The same shape with another total flux.
  Sersic with_flux(double flux) const {
    Sersic s = *this;
    s.amplitude *= flux / total_flux();
    return s;
  }
};

/// A Sersic profile ready to be evaluated at many points.
class SersicLight {
 public:
  explicit SersicLight(Sersic const& s) : s_(s), b_(sersic_b(s.n)), c_(std::cos(s.theta)), d_(std::sin(s.theta)) {
    require<ValueError>(s.r_eff > 0 && s.q > 0 && s.q <= 1, "sersic_profile: r_eff is ", s.r_eff, ", q ", s.q,
                        "; r_eff > 0 and 0 < q <= 1 are needed");
  }
  double operator()(double x, double y) const {
    double dx = x - s_.x0, dy = y - s_.y0;
    double u = dx * c_ + dy * d_, v = (dy * c_ - dx * d_) / s_.q;
    return at_radius(std::sqrt(u * u + v * v));
  }
  double at_radius(double r) const { return s_.amplitude * std::exp(-b_ * (std::pow(r / s_.r_eff, 1 / s_.n) - 1)); }

 private:
  Sersic s_;
  double b_, c_, d_;
};

/// The mean of light(x, y) over a regular grid of oversample^2 points in the pixel at column x, row y.
template <class Light> double pixel_mean(Light const& light, double x, double y, int oversample) {
  double sum = 0;
  for (int i = 0; i < oversample; ++i)
    for (int j = 0; j < oversample; ++j)
      sum += light(x + (j + 0.5) / oversample - 0.5, y + (i + 0.5) / oversample - 0.5);
  return sum / (oversample * oversample);
}

/// The picture of one Sersic profile.
/// Shapes   result (height,width) of the wanted type.    Units  those of amplitude, per pixel.
/// Cost     height * width * oversample^2 powers.        Deterministic  yes.
/// Errors   ValueError for r_eff, q, n or oversample out of range.
/// Source   Sersic 1963; Graham & Driver 2005, PASA 22, 118; convention of astropy's Sersic2D with ellip = 1 - q.
inline Tensor sersic_profile(int64_t height, int64_t width, Sersic const& s, int oversample = 1,
                             TensorOptions o = {.device = Device()}) {
  require<ValueError>(oversample > 0, "sersic_profile: oversample is ", oversample, "; it must be positive");
  Tensor image = empty({height, width}, o);
  SersicLight light(s);
  for_float(o.dtype, [&]<class T>(T) {
    T* out = image.data<T>();
    parallel_for(height * width, [&, out](int64_t i) {
      out[i] = T(pixel_mean(light, double(i % width), double(i / width), oversample));
    });
  });
  return image;
}

}  // namespace d16::sim
