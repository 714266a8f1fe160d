// Pixels to the sky and back in the gnomonic projection (TAN), which mosaics are drizzled to. Standard library only.
#pragma once
#include <array>
#include <cmath>
#include <numbers>
#include <optional>
#include <string>
#include <vector>

#include "fits_header.hpp"

namespace d16::io {

/// The tangent plane of an image. Pixels count from 0, the first one's centre at (0, 0).
struct TangentWcs {
  double x = 0, y = 0;         ///< the reference pixel
  double ra = 0, dec = 0;      ///< where it points, degrees
  std::array<double, 4> cd{};  ///< d(xi, eta) / d(x, y), degrees, rows first
  bool doubtful = false;       ///< the header contradicts itself: the rotation may be lost

  /// Arcseconds on a side of a pixel.
  double scale() const { return 3600 * std::sqrt(std::abs(cd[0] * cd[3] - cd[1] * cd[2])); }

  /// Right ascension and declination in degrees, 0 <= ra < 360.
  std::array<double, 2> sky(double px, double py) const {
    double dx = px - x, dy = py - y, xi = (cd[0] * dx + cd[1] * dy) * degree, eta = (cd[2] * dx + cd[3] * dy) * degree;
    double s = std::sin(dec * degree), c = std::cos(dec * degree), below = c - eta * s;
    double alpha = ra + std::atan2(xi, below) / degree;
    return {alpha - 360 * std::floor(alpha / 360), std::atan2(s + eta * c, std::hypot(xi, below)) / degree};
  }

  /// The pixel of a place on the sky; nothing for what lies 90 degrees away or more.
  std::optional<std::array<double, 2>> pixel(double alpha, double delta) const {
    double a = (alpha - ra) * degree, s = std::sin(delta * degree), c = std::cos(delta * degree);
    double s0 = std::sin(dec * degree), c0 = std::cos(dec * degree), below = s0 * s + c0 * c * std::cos(a);
    double determinant = cd[0] * cd[3] - cd[1] * cd[2];
    if (!(below > 1e-9) || determinant == 0) return {};
    double xi = c * std::sin(a) / below / degree, eta = (c0 * s - s0 * c * std::cos(a)) / below / degree;
    return {{x + (cd[3] * xi - cd[1] * eta) / determinant, y + (cd[0] * eta - cd[2] * xi) / determinant}};
  }

 private:
  static constexpr double degree = std::numbers::pi / 180;
};

namespace detail {
/// Reference and matrix of a header, whatever its axes are called; nothing where one of them is missing.
inline std::optional<TangentWcs> plane_of(FitsHeader const& h) {
  auto x = h.number("CRPIX1"), y = h.number("CRPIX2"), ra = h.number("CRVAL1"), dec = h.number("CRVAL2");
  if (!x || !y || !ra || !dec || !pixel_scale(h).known()) return {};
  WcsMatrix matrix = wcs_matrix(h);
  TangentWcs w{*x - 1, *y - 1, *ra, *dec, {}, matrix.doubtful};
  double unit = arcsec_in(h.string("CUNIT1").value_or("")) / 3600;
  for (size_t i = 0; i < 4; ++i) w.cd[i] = matrix.m[i] * unit;
  return w;
}
}  // namespace detail

/// The tangent plane that a header describes; nothing where it has no equatorial TAN axes. Distortions (SIP) are not
/// read: mosaics have none.
/// Source   Calabretta & Greisen 2002, A&A 395, 1077, section 5.1.3.
inline std::optional<TangentWcs> tangent_wcs(FitsHeader const& h) {
  std::string axes = h.string("CTYPE1").value_or("") + h.string("CTYPE2").value_or("");
  bool has_unit = detail::arcsec_in(h.string("CUNIT1").value_or("")) != 0;
  if (axes != "RA---TANDEC--TAN" || !has_unit) return {};
  return detail::plane_of(h);
}

/// What a header says of that tangent plane.
inline std::vector<FitsCard> wcs_cards(TangentWcs const& w) {
  return {{"CTYPE1", "RA---TAN"},
          {"CTYPE2", "DEC--TAN"},
          {"CRPIX1", w.x + 1},
          {"CRPIX2", w.y + 1},
          {"CRVAL1", w.ra, "deg"},
          {"CRVAL2", w.dec, "deg"},
          {"CD1_1", w.cd[0], "deg per pixel"},
          {"CD1_2", w.cd[1]},
          {"CD2_1", w.cd[2]},
          {"CD2_2", w.cd[3]}};
}

}  // namespace d16::io
