// Units of flux as surveys write them, all as nanojansky. Standard library only.
#pragma once
#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>
#include <string_view>

#include "../core/error.hpp"

namespace d16::io {

/// Nanojansky of one unit of an image or catalogue whose magnitudes are zero_point - 2.5 log10(value), AB system:
/// 10^((31.4 - zero_point) / 2.5). 31.4 is nJy (JADES), 28.9 is 10 nJy (UNCOVER), 23.9 uJy, 22.5 nanomaggies.
inline double nanojansky_of_zero_point(double zero_point) { return std::pow(10, (31.4 - zero_point) / 2.5); }

/// AB magnitude 31.4 - 2.5 log10(flux) of a flux in nJy; NaN unless the flux is positive.
inline double ab_magnitude(double nanojansky) {
  return nanojansky > 0 ? 31.4 - 2.5 * std::log10(nanojansky) : std::numeric_limits<double>::quiet_NaN();
}

namespace detail {

/// "1e-8 Jy" -> 1e-8, leaving "Jy". A star or blanks may stand between; 1 where there is no number.
inline double take_factor(std::string_view& unit) {
  double factor = 1;
  if (unit.starts_with("nan") || unit.starts_with("inf")) return 1;  // numbers to from_chars
  auto [end, error] = std::from_chars(unit.data(), unit.data() + unit.size(), factor);
  if (error != std::errc()) return 1;
  unit.remove_prefix(size_t(end - unit.data()));
  unit.remove_prefix(std::min(unit.size(), unit.find_first_not_of(" *")));
  return factor;
}

}  // namespace detail

/// Nanojansky of one `unit`: Jy, mJy, uJy, nJy, nanomaggy, MJy/sr (for a pixel of pixel_arcsec on a side), each with a
/// number before it if need be: "10 nJy", "10*nJy", "1e-8 Jy". Upper and lower case count for the prefixes m and M
/// only.
/// Errors   ValueError for another unit, a factor that is not positive, MJy/sr without the size of the pixel.
/// Source   1 nanomaggy has AB magnitude 22.5; 1 square arcsecond is (pi / 648000)^2 sr.
inline double nanojansky_in(std::string_view unit, double pixel_arcsec = std::numeric_limits<double>::quiet_NaN()) {
  std::string_view rest = unit;
  rest.remove_prefix(std::min(rest.size(), rest.find_first_not_of(' ')));
  rest = rest.substr(0, rest.find_last_not_of(' ') + 1);
  double factor = detail::take_factor(rest);
  require<ValueError>(factor > 0, "flux unit \"", unit, "\": the factor must be positive");
  std::string name(rest);
  if (name.starts_with("\xC2\xB5") || name.starts_with("\xCE\xBC")) name.replace(0, 2, "u");  // the micro sign, mu
  char prefix = name.empty() ? ' ' : name[0];
  for (char& c : name) c = char(std::tolower(static_cast<unsigned char>(c)));
  std::erase(name, ' ');
  if (name == "jy") return factor * 1e9;
  if (name == "mjy" && prefix == 'm') return factor * 1e6;
  if (name == "ujy" || name == "microjy" || name == "microjansky") return factor * 1e3;
  if (name == "njy" || name == "nanojansky") return factor;
  if (name == "nanomaggy" || name == "nanomaggies" || name == "nmgy" || name == "nanomaggie")
    return factor * nanojansky_of_zero_point(22.5);
  bool per_steradian =
      prefix == 'M' && (name == "mjy/sr" || name == "mjysr-1" || name == "mjy.sr-1" || name == "mjysr**-1");
  require<ValueError>(per_steradian, "flux unit \"", unit,
                      "\" is not known; give Jy, mJy, uJy, nJy, nanomaggy, MJy/sr, or one of them after a number");
  require<ValueError>(pixel_arcsec > 0, "flux unit \"", unit, "\": the size of a pixel is ", pixel_arcsec,
                      " arcsec; it must be known to turn brightness into flux");
  double side = pixel_arcsec * 3.141592653589793 / 648000;
  return factor * 1e15 * side * side;
}

}  // namespace d16::io
