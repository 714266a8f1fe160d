// One picture of examples of a simulated survey: a line for each, spectrum with photometry, then the seven cutouts.
#pragma once
#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "survey.hpp"

namespace d16::sim {

namespace detail {

using Ink = std::array<float, 3>;

/// A picture to draw on: (H,W,3), row 0 on top.
class Canvas {
 public:
  Canvas(int64_t height, int64_t width, Ink paper) : pixels_(empty({height, width, 3}, vision::host_tensor())) {
    fill(0, 0, height, width, paper);
  }
  Tensor const& picture() const { return pixels_; }
  void dot(int64_t y, int64_t x, Ink ink) {
    if (y < 0 || x < 0 || y >= pixels_.dim(0) || x >= pixels_.dim(1)) return;
    std::copy(ink.begin(), ink.end(), pixels_.data<float>() + (y * pixels_.dim(1) + x) * 3);
  }
  void fill(int64_t top, int64_t left, int64_t height, int64_t width, Ink ink) {
    for (int64_t i = 0; i < height * width; ++i) dot(top + i / width, left + i % width, ink);
  }
  void line(double y0, double x0, double y1, double x1, Ink ink) {
    int steps = int(std::max({std::abs(y1 - y0), std::abs(x1 - x0), 1.0})) + 1;
    for (int k = 0; k <= steps; ++k)
      dot(std::lround(y0 + (y1 - y0) * k / steps), std::lround(x0 + (x1 - x0) * k / steps), ink);
  }
  /// Capital letters and digits of 3 x 5 points, each `size` pixels wide.
  void write(int64_t top, int64_t left, std::string_view words, Ink ink, int64_t size = 2) {
    for (char c : words) {
      std::string_view glyph = glyph_of(char(std::toupper(static_cast<unsigned char>(c))));
      for (int64_t row = 0; row < 5; ++row)
        for (int64_t bit = 0; bit < 3; ++bit)
          if ((glyph[size_t(row)] - '0') >> (2 - bit) & 1) fill(top + row * size, left + bit * size, size, size, ink);
      left += 4 * size;
    }
  }

 private:
  /// Five rows as octal digits; what has no glyph is blank.
  static std::string_view glyph_of(char c) {
    constexpr std::string_view letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ.-=+/:_";
    constexpr std::string_view rows =
        "7555726227717477171755711747177475771222757577571725755656563444365556"
        "7464774644345535575572227111525565544447577556555525552656442557365655"
        "34216722225555755552557755525555222712470000200700070700272011244020200"
        "0007";
    size_t at = letters.find(c);
    return at == letters.npos ? std::string_view("00000") : rows.substr(at * 5, 5);
  }
  Tensor pixels_;
};

inline constexpr Ink paper{1, 1, 1}, ink{0.1f, 0.1f, 0.1f}, faint{0.75f, 0.75f, 0.75f}, blue{0.1f, 0.35f, 0.7f},
    red{0.8f, 0.15f, 0.1f};
inline constexpr int64_t stamp = 96, gap = 6, plot_width = 300, row_height = stamp + 24;

/// The spectrum as a line, true fluxes as squares, measured ones with error bars, over 0.6 to 5.5 micron and f_nu.
inline void draw_sed(Canvas& canvas, int64_t top, Survey const& survey, SurveyObject const& object,
                     Curve const& spectrum, std::vector<double> const& pivots) {
  Survey::Photometry seen = survey.measure(object.image.data<float>(), object.truth);
  double most = 0;
  for (size_t b = 0; b < pivots.size(); ++b) most = std::max({most, object.truth.flux[b], seen.flux[b]});
  int64_t left = gap, bottom = top + row_height - 6, height = stamp - 2;
  auto x_of = [&](double angstrom) {
    return double(left) + double(plot_width) * std::log(angstrom / 6000) / std::log(5.5e4 / 6000);
  };
  auto y_of = [&](double f) { return double(bottom) - double(height) * std::clamp(f / (1.25 * most) + 0.1, 0.0, 1.0); };
  canvas.line(y_of(0), double(left), y_of(0), double(left + plot_width), faint);
  for (size_t i = 1; i < spectrum.wavelength.size(); ++i)
    if (spectrum.wavelength[i - 1] > 6000 && spectrum.wavelength[i] < 5.5e4)
      canvas.line(y_of(spectrum.value[i - 1]), x_of(spectrum.wavelength[i - 1]), y_of(spectrum.value[i]),
                  x_of(spectrum.wavelength[i]), faint);
  for (size_t b = 0; b < pivots.size(); ++b) {
    double x = x_of(pivots[b]);
    canvas.fill(std::lround(y_of(object.truth.flux[b])) - 3, std::lround(x) - 3, 7, 7, blue);
    canvas.line(y_of(seen.flux[b] - seen.error[b]), x, y_of(seen.flux[b] + seen.error[b]), x, red);
    canvas.fill(std::lround(y_of(seen.flux[b])) - 1, std::lround(x) - 1, 3, 3, red);
  }
}

/// The cutouts in one stretch for all bands: from about 0 to the brightest pixel, asinh, black on white.
inline void draw_cutouts(Canvas& canvas, int64_t top, SurveyObject const& object) {
  float sigma = *std::max_element(object.error.begin(), object.error.end()), most = 6 * sigma;
  int64_t middle = cutout_side / 2;
  for (int64_t i = middle - 4; i < middle + 4; ++i)
    for (int64_t j = middle - 4; j < middle + 4; ++j)
      for (int64_t b = 0; b < survey_band_count; ++b)
        most = std::max(most, object.image.data<float>()[(i * cutout_side + j) * survey_band_count + b]);
  float unit = std::asinh(most / (3 * sigma));
  for (int64_t b = 0; b < survey_band_count; ++b) {
    int64_t left = 2 * gap + plot_width + b * (stamp + gap);
    canvas.write(top + 6, left, survey_bands[size_t(b)], ink);
    for (int64_t k = 0; k < stamp * stamp; ++k) {
      int64_t i = cutout_side - 1 - k / stamp * cutout_side / stamp,
              j = k % stamp * cutout_side / stamp;  // y points up
      float value = object.image.data<float>()[(i * cutout_side + j) * survey_band_count + b];
      float grey = 1 - std::clamp((std::asinh(value / (3 * sigma)) + 0.3f) / (unit + 0.3f), 0.0f, 1.0f);
      canvas.dot(top + 18 + k / stamp, left + k % stamp, {grey, grey, grey});
    }
  }
}

}  // namespace detail

/// A line for each object: its spectrum (grey; brown dwarfs have none), true fluxes (blue) and aperture fluxes with
/// their errors (red; light outside of 0.15 arcsec is not in them), f_nu over the logarithm of wavelength from 0.6 to
/// 5.5 micron; then its cutouts, all bands with one stretch.
/// Shapes   result (120 N + 6, 1032, 3) float32 in [0,1].    Errors   ValueError for no object.
inline Tensor survey_sheet(Survey const& survey, std::vector<Curve> const& filters, Split split,
                           std::vector<int64_t> const& indices) {
  using namespace detail;
  require<ValueError>(!indices.empty(), "survey_sheet: no objects; one or more are needed");
  std::vector<double> pivots;
  for (Curve const& filter : filters) pivots.push_back(pivot_wavelength(filter));
  Canvas canvas(int64_t(indices.size()) * row_height + gap, 3 * gap + plot_width + survey_band_count * (stamp + gap),
                paper);
  for (size_t row = 0; row < indices.size(); ++row) {
    SurveyObject object = survey.object(split, indices[row]);
    SurveyTruth const& t = object.truth;
    char words[80];
    char const* kind = t.flags & survey_little_red_dot ? "little red dot" : name_of(t.label);
    if (t.label == SurveyClass::brown_dwarf)
      std::snprintf(words, sizeof words, "%s %.0f K m=%.1f", kind, t.teff, t.magnitude);
    else std::snprintf(words, sizeof words, "%s z=%.2f m=%.1f R=%.2f", kind, t.z, t.magnitude, t.shape.r_eff);
    int64_t top = int64_t(row) * row_height;
    draw_sed(canvas, top, survey, object, survey.spectrum(split, indices[row]), pivots);
    canvas.write(top + 6, gap, words, ink);
    draw_cutouts(canvas, top, object);
  }
  return canvas.picture();
}

}  // namespace d16::sim
