// Figures of one object in the seven bands: bodies of highz_figures.hpp.
#include "highz_figures.hpp"

#include <algorithm>
#include <cmath>

#include <d16/io/html.hpp>
#include <d16/io/plot.hpp>
#include <d16/io/png.hpp>
#include <d16/io/survey_catalog.hpp>
#include <d16/vision/background.hpp>
#include <d16/vision/segment.hpp>
#include <d16/vision/statistics.hpp>

#include "cutout.hpp"

namespace tool {

using d16::Tensor;
using d16::text;
namespace io = d16::io;
namespace html = d16::io::html;
namespace vision = d16::vision;

namespace {

constexpr int64_t side = highz_side;

// --- pictures: row 0 of an image is at the bottom of the sky, and the last of a picture ---------------------------------

/// Values of one band as they lie in the picture.
std::vector<double> band_values(Tensor const& image, int64_t band) {
  int64_t bands = image.numel() / (side * side);
  std::vector<double> out;
  for (int64_t i = 0; i < side; ++i)
    for (int64_t j = 0; j < side; ++j)
      out.push_back(double(image.data<float>()[((side - 1 - i) * side + j) * bands + band]));
  return out;
}
bool has_data(std::vector<double> const& values) {
  return std::any_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}
std::vector<double> finite(std::vector<double> values) {
  std::erase_if(values, [](double v) { return !std::isfinite(v); });
  return values;
}

/// Level, noise and brightest part of a band, for its stretch.
struct Levels {
  double sky = 0, sigma = 1, bright = 10;
};
Levels levels_of(std::vector<double> const& values) {
  std::vector<double> good = finite(values);
  Levels out;
  out.sky = vision::median(good);
  for (double& v : good) v = std::abs(v - out.sky);
  out.sigma = std::max(1.4826 * vision::median(good), 1e-300);
  out.bright = vision::quantile(good, 0.998) / out.sigma;
  return out;
}

/// A pixel in [0,1]: asinh above two sigma, white at `bright` sigma.
float shade(double value, Levels const& l, double bright) {
  if (!std::isfinite(value)) return 0;
  double x = std::asinh((value - l.sky) / (2 * l.sigma)), white = std::asinh(std::max(bright, 10.0) / 2);
  return float(std::clamp((x + 0.7) / (white + 0.7), 0.0, 1.0));
}
Tensor grey_picture(std::vector<double> const& values, Levels const& levels, double bright) {
  Tensor picture = d16::empty({side, side, 1}, vision::host_tensor());
  for (size_t i = 0; i < values.size(); ++i) picture.data<float>()[i] = shade(values[i], levels, bright);
  return picture;
}

/// An empty box with a cross: there is no such band.
Tensor empty_box() {
  Tensor out = d16::full({side, side, 1}, 0.13, {.device = d16::Device()});
  for (int64_t i = 0; i < side; ++i)
    for (int64_t j = 0; j < side; ++j) {
      bool border = i == 0 || j == 0 || i == side - 1 || j == side - 1;
      if (border || i == j || i == side - 1 - j) out.data<float>()[i * side + j] = 0.45f;
    }
  return out;
}

std::string figure_of(Tensor const& picture, std::string const& caption, std::string const& alt) {
  return html::figure(html::image(io::encode_png(picture), alt + ", " + caption), caption);
}

/// Three bands that are there as red, green and blue: the reddest, the middle one and the bluest of the redder half.
Tensor colour_picture(Tensor const& image, Tensor const& present) {
  std::vector<int64_t> there;
  for (int64_t b = 0; b < highz_bands; ++b)
    if (has_data(band_values(present, b))) there.push_back(b);
  int64_t last = int64_t(there.size()) - 1;
  int64_t const chosen[3] = {there[size_t(last)], there[size_t(std::max<int64_t>(0, last - 2))],
                             there[size_t(std::max<int64_t>(0, last - 4))]};
  Tensor picture = d16::empty({side, side, 3}, vision::host_tensor());
  for (int64_t c = 0; c < 3; ++c) {
    std::vector<double> values = band_values(image, chosen[c]);
    Levels levels = levels_of(values);
    for (size_t i = 0; i < values.size(); ++i)
      picture.data<float>()[int64_t(i) * 3 + c] = shade(values[i], levels, levels.bright);
  }
  return picture;
}

// --- the spectrum -----------------------------------------------------------------------------------------------------

constexpr double bluest = 0.6, reddest = 4.8;  // micrometres

std::string curve_path(html::detail::Frame const& frame, d16::sim::Curve const& curve) {
  std::vector<double> x, y;
  for (size_t i = 0; i < curve.wavelength.size(); ++i)
    if (double um = curve.wavelength[i] / 1e4; um > bluest && um < reddest)
      x.push_back(um), y.push_back(curve.value[i]);
  std::string path;
  bool pen_down = false;
  for (size_t i : html::detail::line_points(y)) {
    path += text(pen_down ? "L" : "M", html::detail::coordinate(frame.x.at(x[i])), " ",
                 html::detail::coordinate(frame.y.at(y[i])));
    pen_down = y[i] < frame.y.high();  // lines beyond the frame end at it
  }
  return "<path d=\"" + path + "\" fill=\"none\" stroke=\"var(--muted)\" stroke-width=\"1\" opacity=\".6\"/>\n";
}

/// A square around each of these values, empty so that what was measured is seen in it.
std::string squares(html::detail::Frame const& frame, std::vector<double> const& x, BandNumbers const& y) {
  std::string out;
  for (size_t b = 0; b < y.size(); ++b)
    out += text("<rect x=\"", html::detail::coordinate(frame.x.at(x[b]) - 5.5), "\" y=\"",
                html::detail::coordinate(frame.y.at(y[b]) - 5.5),
                "\" width=\"11\" height=\"11\" rx=\"1.5\" fill=\"none\" stroke-width=\"1.8\" stroke=\"",
                html::detail::colour(1), "\"/>\n");
  return out;
}

std::string missing_box(html::detail::Frame const& frame, double x, std::string const& band) {
  double left = frame.x.at(x - 0.11), right = frame.x.at(x + 0.11), top = 14, bottom = frame.bottom() - 4;
  return text("<rect class=\"guide\" x=\"", html::detail::coordinate(left), "\" y=\"", top, "\" width=\"",
              html::detail::coordinate(right - left), "\" height=\"", html::detail::coordinate(bottom - top),
              "\"><title>", band, ": no data</title></rect>\n");
}

// --- segments ---------------------------------------------------------------------------------------------------------

/// What prepare_highz() detects on: the red bands together in units of their noise, with its background off.
Tensor detection_of(BandObject const& object) {
  constexpr int64_t first_red = 4;
  Tensor red = object.image.slice(2, first_red, highz_bands).contiguous();
  Tensor out = vision::detection_image(red, {object.error.begin() + first_red, object.error.end()});
  auto subtract = [&](auto const& level) {
    for (int64_t i = 0; i < out.numel(); ++i) out.data<float>()[i] -= float(level(i));
  };
  double median = vision::median(out);
  subtract([&](int64_t) { return median; });
  Tensor sources = vision::segment(out, 1.0, {}, {.threshold = 1.5, .min_area = 5}).source_mask();
  Tensor level = vision::mesh_background(out, sources, {.box = 32, .filter = 1, .min_usable = 0.05}).level;
  subtract([&](int64_t i) { return level.data<float>()[i]; });
  return out;
}

/// The edges of pixels between which `label` changes, of those that `belongs` counts, in the coordinates of a picture.
template <class Label, class Belongs> std::string outline(Label const& label, Belongs const& belongs) {
  std::string path;
  auto at = [&](int64_t x, int64_t y) {
    bool inside = x >= 0 && y >= 0 && x < side && y < side;
    return inside ? int64_t(label((side - 1 - y) * side + x)) : int64_t(0);
  };
  for (int64_t y = 0; y < side; ++y)
    for (int64_t x = 0; x < side; ++x) {
      int64_t here = at(x, y);
      if (!belongs(here)) continue;
      if (at(x, y - 1) != here) path += text("M", x, " ", y, "h1");
      if (at(x, y + 1) != here) path += text("M", x, " ", y + 1, "h1");
      if (at(x - 1, y) != here) path += text("M", x, " ", y, "v1");
      if (at(x + 1, y) != here) path += text("M", x + 1, " ", y, "v1");
    }
  return path;
}
std::string stroke(std::string const& path, char const* colour, bool dashed = false) {
  return text("<path d=\"", path, "\" fill=\"none\" stroke=\"", colour, "\" stroke-width=\"",
              dashed ? ".5\" stroke-dasharray=\"1 1" : ".7", "\" stroke-linecap=\"round\"/>");
}

std::string panel(Tensor const& picture, std::string const& drawing, std::string const& caption,
                  std::string const& alt) {
  return html::figure(text("<svg viewBox=\"0 0 ", side, " ", side, "\" role=\"img\" aria-label=\"",
                           html::escape(alt + ", " + caption), "\" style=\"border-radius:5px\"><image width=\"", side,
                           "\" height=\"", side, "\" style=\"image-rendering:pixelated\" href=\"",
                           io::data_uri("image/png", io::encode_png(picture)), "\"/>", drawing, "</svg>"),
                      caption);
}

}  // namespace

std::string highz_spectrum_plot(HighzSpectrum const& spectrum) {
  html::Series measured{.name = "measured", .mark = html::Series::Mark::points};
  std::vector<double> all, ys{0};
  std::string missing;
  for (std::string const& band : io::nircam_bands()) all.push_back(wavelength(band));
  for (size_t b = 0; b < all.size(); ++b) {
    double flux = spectrum.flux[b], error = spectrum.error[b];
    if (spectrum.truth) ys.push_back((*spectrum.truth)[b]);
    if (!std::isfinite(flux)) continue;
    measured.add(all[b], flux, flux - error, flux + error);
    ys.push_back(flux - error), ys.push_back(flux + error);
  }
  auto [low, high] = std::minmax_element(ys.begin(), ys.end());
  double margin = 0.05 * (*high - *low), bottom = *low < 0 ? *low - margin : 0;
  html::PlotOptions o{.title = "",
                      .x = {"wavelength (µm)", bluest, reddest},
                      .y = {"flux (nJy)", bottom, *high + margin},
                      .height = 250};
  html::detail::Frame frame(o, {bluest, reddest}, ys);
  std::string svg =
      frame.open() + html::detail::line(frame.x.at(bluest), frame.y.at(0), frame.x.at(reddest), frame.y.at(0), "guide");
  if (!spectrum.curve.wavelength.empty()) svg += curve_path(frame, spectrum.curve);
  for (size_t b = 0; b < all.size(); ++b)
    if (!std::isfinite(spectrum.flux[b])) svg += missing_box(frame, all[b], io::nircam_bands()[b]);
  if (spectrum.truth) svg += squares(frame, all, *spectrum.truth);
  svg += html::detail::draw_points(frame, measured, 0, 100);
  std::vector<std::string> names{""};
  if (spectrum.truth) names = {"measured", "true"};
  return html::detail::framed("", names, svg + frame.close());
}

std::string highz_strip(Tensor const& image, std::string const& name) {
  std::vector<std::vector<double>> bands;
  std::vector<Levels> levels;
  double bright = 10;
  for (int64_t b = 0; b < highz_bands; ++b) {
    bands.push_back(band_values(image, b));
    levels.push_back(has_data(bands.back()) ? levels_of(bands.back()) : Levels());
    if (has_data(bands.back())) bright = std::max(bright, levels.back().bright);
  }
  std::string out;
  for (size_t b = 0; b < bands.size(); ++b) {
    bool there = has_data(bands[b]);
    out += figure_of(there ? grey_picture(bands[b], levels[b], bright) : empty_box(),
                     io::nircam_bands()[b] + (there ? "" : ": none"), name);
  }
  return out;
}

std::string highz_colours(Tensor const& image, Tensor const& prepared, std::string const& name) {
  return figure_of(colour_picture(image, image), "as it came", name) +
         figure_of(colour_picture(prepared, image), "neighbours masked", name);
}

std::string highz_segments(BandObject const& object, std::string const& name) {
  constexpr char const *blue = "#46c8ff", *orange = "#ff9a3c";
  Tensor detection = detection_of(object), after = prepare_highz({object}).detection;
  vision::Segmentation s = vision::segment(detection, 1.0, {}, {.threshold = 1.5, .min_area = 5});
  int64_t keep = vision::central_source(s), others = int64_t(s.sources.size()) - (keep > 0);
  Tensor masked = vision::mask_neighbours(detection, s, keep, {.grow = 2}).mask;
  auto label = [&](int64_t i) { return s.labels.data<int64_t>()[i]; };
  auto is_object = [&](int64_t l) { return l == keep && keep > 0; };
  std::string own = stroke(outline(label, is_object), blue),
              neighbours = stroke(outline(label, [&](int64_t l) { return l > 0 && l != keep; }), orange),
              holes =
                  stroke(outline([&](int64_t i) { return masked.data<bool>()[i]; }, [](int64_t l) { return l > 0; }),
                         orange, true);
  std::vector<double> before = band_values(detection, 0), left = band_values(after, 0);
  Levels levels = levels_of(before);
  Tensor picture = grey_picture(before, levels, levels.bright);
  std::string words = text(others, others == 1 ? " neighbour" : " neighbours");
  return panel(picture, "", "detection image", name) + panel(picture, neighbours + own, words, name) +
         panel(grey_picture(left, levels, levels.bright), holes + own, "neighbours masked", name);
}

}  // namespace tool
