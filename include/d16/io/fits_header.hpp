// FITS header cards as values, and the pixel scale that they tell, with the traps of real files. Standard library only.
#pragma once
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "../core/error.hpp"

namespace d16::io {

/// One keyword: {"EXPTIME", 100.0, "seconds"}. COMMENT and HISTORY may be there many times.
struct FitsCard {
  std::string key;
  std::variant<std::string, double, int64_t, bool> value;
  std::string comment = {};
};

/// The cards of one HDU in their order. Keys are matched as FITS has them: upper case.
struct FitsHeader {
  std::vector<FitsCard> cards = {};

  FitsCard const* find(std::string_view key) const {
    for (FitsCard const& card : cards)
      if (card.key == key) return &card;
    return nullptr;
  }
  bool has(std::string_view key) const { return find(key) != nullptr; }
  /// The number of that key; nothing when there is none or it is no number.
  std::optional<double> number(std::string_view key) const {
    FitsCard const* card = find(key);
    if (!card) return {};
    if (auto real = std::get_if<double>(&card->value)) return *real;
    if (auto integer = std::get_if<int64_t>(&card->value)) return double(*integer);
    return {};
  }
  /// The string of that key; nothing when there is none or it is no string.
  std::optional<std::string> string(std::string_view key) const {
    FitsCard const* card = find(key);
    auto found = card ? std::get_if<std::string>(&card->value) : nullptr;
    return found ? std::optional(*found) : std::nullopt;
  }
};

/// How large a pixel is on the sky, and how that was found out.
struct PixelScale {
  double arcsec = std::numeric_limits<double>::quiet_NaN();  ///< geometric mean of the two sides; NaN when unknown
  std::string how = "no sky coordinates in the header";      ///< a sentence for the user
  bool doubtful = false;                                     ///< the header contradicts itself: show `how`

  bool known() const { return arcsec == arcsec; }
};

namespace detail {

/// Arcseconds in the unit of an axis; 0 when it is no angle.
inline double arcsec_in(std::string_view unit) {
  constexpr std::pair<std::string_view, double> units[] = {
      {"", 3600},     {"deg", 3600},   {"degree", 3600},           {"degrees", 3600},
      {"arcmin", 60}, {"arcsec", 1.0}, {"rad", 206264.80624709636}};
  for (auto const& [name, arcsec] : units)
    if (unit == name) return arcsec;
  return 0;
}

inline bool on_the_sky(std::string_view ctype) {
  for (std::string_view axis : {"RA--", "DEC-", "GLON", "GLAT", "ELON", "ELAT"})
    if (ctype.starts_with(axis)) return true;
  return false;
}

struct WcsMatrix {
  std::array<double, 4> m{};  // rows first, in the unit of the axes per pixel
  std::string how;
  bool doubtful = false;
};

/// CD when it is there, else CDELT times PC, else CDELT turned by CROTA2, degrees (Calabretta & Greisen 2002, eq. 189:
/// 2MASS, Spitzer, DSS). A PC matrix beside a CDELT is a rotation, of determinant one; where it is
/// not, and nothing stands off its diagonal, a cutout tool has dropped PC1_2 and PC2_1: CDELT alone is the scale.
inline WcsMatrix wcs_matrix(FitsHeader const& h) {
  auto number = [&](char const* key, double otherwise) { return h.number(key).value_or(otherwise); };
  if (h.has("CD1_1") || h.has("CD1_2") || h.has("CD2_1") || h.has("CD2_2"))
    return {{number("CD1_1", 0), number("CD1_2", 0), number("CD2_1", 0), number("CD2_2", 0)}, "the CD matrix"};
  double sx = number("CDELT1", 1), sy = number("CDELT2", 1);
  double pc[4] = {number("PC1_1", 1), number("PC1_2", 0), number("PC2_1", 0), number("PC2_2", 1)};
  bool has_cdelt = h.has("CDELT1") && h.has("CDELT2"),
       has_pc = h.has("PC1_1") || h.has("PC2_2") || h.has("PC1_2") || h.has("PC2_1");
  if (!has_cdelt && !has_pc) return {};
  if (!has_pc && number("CROTA2", 0) != 0) {
    double angle = number("CROTA2", 0) * std::numbers::pi / 180, c = std::cos(angle), s = std::sin(angle);
    return {{sx * c, -sy * s, sx * s, sy * c}, "CDELT turned by CROTA2"};
  }
  if (!has_pc) return {{sx, 0, 0, sy}, "CDELT"};
  WcsMatrix product{{sx * pc[0], sx * pc[1], sy * pc[2], sy * pc[3]}, "CDELT times the PC matrix"};
  bool cdelt_is_scale = has_cdelt && (sx != 1 || sy != 1);
  double determinant = std::abs(pc[0] * pc[3] - pc[1] * pc[2]);
  if (!cdelt_is_scale || std::abs(determinant - 1) < 0.02) return product;
  product.doubtful = true;
  if (pc[1] != 0 || pc[2] != 0) {
    product.how += text(", though the determinant of PC is ", determinant, " and not 1");
    return product;
  }
  return {{sx, 0, 0, sy},
          text("CDELT alone: PC1_1 is ", pc[0], " and PC1_2, PC2_1 are missing, so PC is a rotation cut in half"),
          true};
}

}  // namespace detail

/// The pixel scale of an image: |det M|^(1/2) of its coordinate matrix M (Calabretta & Greisen 2002); without sky
/// coordinates PIXAR_A2 (square arcseconds, JWST) or the PIXSCALE, PIXELSCL, SECPIX of observatories (arcseconds).
/// It never guesses: when the header does not say, `arcsec` is NaN; when it contradicts itself, `doubtful` is set.
inline PixelScale pixel_scale(FitsHeader const& h) {
  double area = h.number("PIXAR_A2").value_or(0);
  std::string ctype = h.string("CTYPE1").value_or(""), unit = h.string("CUNIT1").value_or("");
  if (!detail::on_the_sky(ctype)) {
    if (area > 0) return {std::sqrt(area), "PIXAR_A2"};
    for (char const* key : {"PIXSCALE", "PIXELSCL", "PIXSCAL1", "SECPIX", "SECPIX1"})
      if (double value = h.number(key).value_or(0); value > 0) return {value, key};
    if (ctype.empty()) return {};
    return {.how = text("the axes are ", ctype, ", not sky coordinates")};
  }
  detail::WcsMatrix wcs = detail::wcs_matrix(h);
  double arcsec = detail::arcsec_in(unit);
  auto [a, b, c, d] = wcs.m;
  double scale = std::sqrt(std::abs(a * d - b * c)) * arcsec;
  if (arcsec == 0) return {.how = text("the unit of the axes is ", unit, ", not an angle"), .doubtful = true};
  if (wcs.how.empty()) return {.how = "CTYPE without CDELT, CD or PC"};
  if (!(scale > 0) || !std::isfinite(scale))
    return {.how = text("the determinant of ", wcs.how, " is zero"), .doubtful = true};
  PixelScale out{scale, wcs.how, wcs.doubtful};
  double ratio = std::hypot(a, c) / std::hypot(b, d);
  if (std::abs(ratio - 1) > 0.01) out.how += text("; pixels are not square, ", ratio, " to 1");
  if (area > 0 && std::abs(std::sqrt(area) / scale - 1) > 0.02) {
    out.how += text("; PIXAR_A2 says ", std::sqrt(area), " arcsec");
    out.doubtful = true;
  }
  return out;
}

}  // namespace d16::io
