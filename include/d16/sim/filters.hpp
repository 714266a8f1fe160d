// Filter curves of a camera, and the flux that a spectrum has through one: photon-counting AB photometry.
#pragma once
#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "../core/error.hpp"
#include "../io/read_file.hpp"

namespace d16::sim {

/// The wide bands of NIRCam that the simulated survey has, from blue to red. A cutout has them in this order.
inline constexpr std::array<char const*, 7> survey_bands{"F090W", "F115W", "F150W", "F200W", "F277W", "F356W", "F444W"};
inline constexpr int survey_band_count = int(survey_bands.size());
inline constexpr int f444w = survey_band_count - 1;  ///< the detection band

/// One number for each band.
using Fluxes = std::array<double, survey_band_count>;

/// A table of numbers over wavelength, straight lines in between, 0 outside: a spectrum or a filter curve.
struct Curve {
  std::string name = {};
  std::vector<double> wavelength = {};  ///< Angstrom, rising
  std::vector<double> value = {};       ///< F_lambda of a spectrum; photons counted per photon of a filter
};

namespace detail {
/// A table that functions below can integrate.
inline void check_curve(Curve const& c, std::string const& source) {
  require<FileError>(c.wavelength.size() == c.value.size() && c.wavelength.size() > 1, source, ": curve \"", c.name,
                     "\" has ", c.wavelength.size(), " wavelengths and ", c.value.size(),
                     " values; two or more of each are needed");
  for (size_t i = 1; i < c.wavelength.size(); ++i)
    require<FileError>(c.wavelength[i] > c.wavelength[i - 1], source, ": curve \"", c.name, "\": wavelength ",
                       c.wavelength[i], " follows ", c.wavelength[i - 1], "; they must rise");
}

/// The words of a line.
inline std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> words;
  for (size_t at = 0; (at = line.find_first_not_of(" \t\r", at)) != line.npos;) {
    size_t end = std::min(line.size(), line.find_first_of(" \t\r", at));
    words.emplace_back(line.substr(at, end - at));
    at = end;
  }
  return words;
}
inline std::string_view next_line(std::string_view& text) {
  size_t end = std::min(text.size(), text.find('\n'));
  std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(text.size(), end + 1));
  return line;
}
/// A number, or an error that names the place.
inline double number_of(std::string const& word, std::string const& where) {
  char* end = nullptr;
  double value = std::strtod(word.c_str(), &end);
  require<FileError>(end == word.c_str() + word.size() && !word.empty() && std::isfinite(value), where, ": \"", word,
                     "\" is no number");
  return value;
}
}  // namespace detail

/// Integral of value(x) g(x) dx over the curve, trapezoids between its points.
template <class G> double integral(Curve const& c, G const& g) {
  double sum = 0;
  for (size_t i = 1; i < c.wavelength.size(); ++i)
    sum += (c.wavelength[i] - c.wavelength[i - 1]) / 2 *
           (c.value[i] * g(c.wavelength[i]) + c.value[i - 1] * g(c.wavelength[i - 1]));
  return sum;
}

/// sqrt(int T lambda dlambda / int T / lambda dlambda): where a flux per frequency equals the one per wavelength.
/// Units    Angstrom.    Source   Tokunaga & Vacca 2005, PASP 117, 421, eq. A16.
inline double pivot_wavelength(Curve const& filter) {
  return std::sqrt(integral(filter, [](double x) { return x; }) / integral(filter, [](double x) { return 1 / x; }));
}

/// The curve at one wavelength.
inline double value_at(Curve const& c, double x) {
  if (x < c.wavelength.front() || x > c.wavelength.back()) return 0;
  size_t i = size_t(std::upper_bound(c.wavelength.begin(), c.wavelength.end(), x) - c.wavelength.begin());
  if (i == c.wavelength.size()) return c.value.back();
  double t = (x - c.wavelength[i - 1]) / (c.wavelength[i] - c.wavelength[i - 1]);
  return c.value[i - 1] + t * (c.value[i] - c.value[i - 1]);
}

/// f_nu = int F_lambda T lambda dlambda / (c int T / lambda dlambda), on the points of both tables.
/// Units    nJy for F_lambda in erg / (s cm^2 A).    Cost   a search for each point.
/// Source   Bessell & Murphy 2012, PASP 124, 140, eq. A12.
inline double ab_flux(Curve const& spectrum, Curve const& filter) {
  Curve both{filter.name, {}, {}};
  std::merge(spectrum.wavelength.begin(), spectrum.wavelength.end(), filter.wavelength.begin(), filter.wavelength.end(),
             std::back_inserter(both.wavelength));
  double low = filter.wavelength.front(), high = filter.wavelength.back();
  std::erase_if(both.wavelength, [=](double x) { return x < low || x > high; });
  for (double x : both.wavelength) both.value.push_back(value_at(spectrum, x) * value_at(filter, x));
  constexpr double angstrom_per_second = 2.99792458e18, njy = 1e32;  // c; of one erg / (s cm^2 Hz)
  return njy * integral(both, [](double x) { return x; }) /
         (angstrom_per_second * integral(filter, [](double x) { return 1 / x; }));
}

/// Reads filters of the given names ("F090W") from a file in EAZY's format: for each a line "points name ... lambda_c=
/// wavelength" and as many lines "index wavelength throughput". A name fits "F090W" when it ends in it, in any case.
/// Errors   FileError: no such filter, a truncated table, numbers that are none, a pivot wavelength that is not the
///          lambda_c of the file to one part in a thousand.
inline std::vector<Curve> read_filters(std::string const& path, std::vector<std::string> const& names) {
  std::string bytes = io::read_file(path);
  std::string_view text = bytes;
  std::vector<Curve> found(names.size());
  while (!text.empty()) {
    std::vector<std::string> words = detail::words_of(detail::next_line(text));
    if (words.empty()) continue;
    auto points = int64_t(detail::number_of(words[0], path));
    require<FileError>(words.size() > 1 && points > 1, path, ": \"", words[0], "\" begins no filter of EAZY's format");
    size_t wanted = names.size();
    std::string lower = words[1];
    for (char& c : lower) c = char(std::tolower(static_cast<unsigned char>(c)));
    for (size_t i = 0; i < names.size(); ++i) {
      std::string name = names[i];
      for (char& c : name) c = char(std::tolower(static_cast<unsigned char>(c)));
      if (lower.ends_with(name)) wanted = i;
    }
    Curve curve{wanted < names.size() ? names[wanted] : words[1], {}, {}};
    for (int64_t i = 0; i < points; ++i) {
      std::string_view line = detail::next_line(text);
      if (wanted == names.size()) continue;
      std::vector<std::string> row = detail::words_of(line);
      require<FileError>(row.size() == 3, path, ": filter ", curve.name, ", point ", i + 1, " of ", points,
                         " is not \"index wavelength throughput\"; the file is damaged");
      curve.wavelength.push_back(detail::number_of(row[1], path));
      curve.value.push_back(detail::number_of(row[2], path));
    }
    if (wanted == names.size()) continue;
    detail::check_curve(curve, path);
    for (size_t i = 2; i + 1 < words.size(); ++i) {
      if (words[i] != "lambda_c=") continue;
      double told = detail::number_of(words[i + 1], path), pivot = pivot_wavelength(curve);
      require<FileError>(std::abs(pivot / told - 1) < 1e-3, path, ": filter ", curve.name, " has its pivot at ", pivot,
                         " Angstrom, its header says ", told, "; the file is damaged");
    }
    found[wanted] = std::move(curve);
  }
  for (size_t i = 0; i < names.size(); ++i)
    require<FileError>(!found[i].wavelength.empty(), path, ": no filter \"", names[i], "\"; another file is needed");
  return found;
}

/// Reads a spectrum from a text of two columns, wavelength in Angstrom and F_lambda in any unit; '#' begins a comment.
/// Points that do not rise in wavelength (models repeat some at their seams) are left out.
/// Errors   FileError: fewer than two points, words that are no numbers.
inline Curve read_spectrum(std::string const& path, std::string name) {
  std::string bytes = io::read_file(path);
  std::string_view text = bytes;
  Curve curve{std::move(name), {}, {}};
  while (!text.empty()) {
    std::vector<std::string> words = detail::words_of(detail::next_line(text));
    if (words.empty() || words[0][0] == '#') continue;
    require<FileError>(words.size() >= 2, path, ": a line has one word; wavelength and flux are needed");
    double x = detail::number_of(words[0], path), f = detail::number_of(words[1], path);
    if (!curve.wavelength.empty() && x <= curve.wavelength.back()) continue;
    curve.wavelength.push_back(x);
    curve.value.push_back(f);
  }
  detail::check_curve(curve, path);
  return curve;
}

}  // namespace d16::sim
