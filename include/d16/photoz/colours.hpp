// Magnitudes and colours of a catalogue: also of fluxes that noise made negative, with their errors.
#pragma once
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include "../vision/statistics.hpp"

namespace d16::photoz {

constexpr double ab_zero = 3.631e12;  ///< flux of magnitude 0, nJy

/// Magnitudes by the inverse hyperbolic sine: those of the logarithm where the flux is several times the softening b, and
/// finite, with a finite error, for any flux: 0 gives the magnitude that stands for "not seen".
///   m = -2.5 / ln 10 (asinh(f / 2b) + ln(b / f0)),   sigma_m = 2.5 / ln 10 sigma_f / (2b sqrt(1 + (f / 2b)^2))
/// Source   Lupton, Gunn & Szalay 1999, AJ 118, 1406, eq. 3 and 9, with b as a flux.
struct AsinhMagnitude {
  double softening;  ///< nJy; about the error of a flux

  double operator()(double flux) const {
    return -unit * (std::asinh(flux / (2 * softening)) + std::log(softening / ab_zero));
  }
  double error(double flux, double sigma) const { return unit * sigma / std::hypot(2 * softening, flux); }

  static constexpr double unit = 1.0857362047581296;  // 2.5 / ln 10
};

/// With the median error of a band as its softening. NaN errors are left out.
/// Errors   ValueError when there is no error.
inline AsinhMagnitude asinh_magnitude(std::vector<double> const& errors) {
  std::vector<double> known;
  for (double e : errors)
    if (e > 0) known.push_back(e);
  return {vision::median(std::move(known))};
}

/// -2.5 log10 of the ratio of two fluxes, NaN unless both are positive.
inline double colour(double blue, double red) {
  return blue > 0 && red > 0 ? -2.5 * std::log10(blue / red) : std::numeric_limits<double>::quiet_NaN();
}

/// Colours of dwarfs of 500 to 1300 K in AB: F115W - F277W < -0.8 and F277W - F444W > 1.1, numbers and signs of
/// arXiv:2306.02663; blue from 1 to 2.5 micron and red from 3 to 4.5 is what Hainline et al. 2024 (arXiv:2309.03250)
/// looked for too. False where a colour is missing.
inline bool is_dwarf_by_colour(double f115w, double f277w, double f444w) {
  return colour(f115w, f277w) < -0.8 && colour(f277w, f444w) > 1.1;
}

/// Colours of all pairs of bands, the bluer first: (0,1), (0,2) .. (1,2) ..; NaN where one of the two is missing or not
/// seen with `least_snr`. AB colours: Vega colours differ by a constant for each pair, which moves the thresholds of a
/// tree and none of its answers.
inline void pairwise_colours(double const* flux, double const* error, size_t bands, double least_snr, float* out) {
  auto seen = [&](size_t b) { return error[b] > 0 && flux[b] > 0 && flux[b] >= least_snr * error[b]; };
  for (size_t a = 0; a < bands; ++a)
    for (size_t b = a + 1; b < bands; ++b)
      *out++ = seen(a) && seen(b) ? float(colour(flux[a], flux[b])) : std::numeric_limits<float>::quiet_NaN();
}
inline std::vector<std::string> pair_names(std::vector<std::string> const& bands) {
  std::vector<std::string> out;
  for (size_t a = 0; a < bands.size(); ++a)
    for (size_t b = a + 1; b < bands.size(); ++b) out.push_back(bands[a] + "-" + bands[b]);
  return out;
}

}  // namespace d16::photoz
