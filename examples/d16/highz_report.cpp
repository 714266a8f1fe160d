// The report of the seven-band classifier: bodies of highz_report.hpp.
#include "highz_report.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stamp.hpp>

#include <d16/core/parallel.hpp>
#include <d16/io/html.hpp>
#include <d16/io/plot.hpp>
#include <d16/io/png.hpp>
#include <d16/io/survey_catalog.hpp>
#include <d16/vision/image.hpp>
#include <d16/vision/statistics.hpp>

#include "cutout.hpp"

namespace tool {

using d16::Tensor;
using d16::text;
namespace io = d16::io;
namespace html = d16::io::html;
namespace vision = d16::vision;

HighzResult::HighzResult() : snr(nan), compactness(nan), half_light(nan), ra(nan), dec(nan) {
  p.fill(nan), flux.fill(nan), error.fill(nan);
}

void HighzExhibits::insert(std::vector<Ranked>& list, size_t most, double rank, HighzExhibit const& exhibit) {
  auto at = std::find_if(list.begin(), list.end(), [&](Ranked const& r) { return rank < r.rank; });
  if (at == list.end() && list.size() == most) return;
  list.insert(at, {rank, exhibit});
  if (list.size() > most) list.pop_back();
}
void HighzExhibits::offer(HighzResult const& result, HighzExhibit exhibit) {
  if (!result.classified()) return;
  insert(lists_[size_t(result.call)], surest, -result.p[size_t(result.call)], exhibit);
  insert(lists_[3], doubtful, *std::max_element(result.p.begin(), result.p.end()), exhibit);
}
std::vector<HighzExhibit> HighzExhibits::exhibits(std::vector<Ranked> const& list) {
  std::vector<HighzExhibit> out;
  for (Ranked const& ranked : list) out.push_back(ranked.exhibit);
  return out;
}

namespace {

constexpr char const* titles[3] = {"Low-z galaxies", "High-z galaxies", "Brown dwarfs"};

// --- pictures: row 0 of an image is at the bottom of the sky, and the last of a picture ---------------------------------

/// Values of one band as they lie in the picture.
std::vector<double> band_values(Tensor const& image, int64_t band) {
  std::vector<double> out;
  for (int64_t i = 0; i < highz_side; ++i)
    for (int64_t j = 0; j < highz_side; ++j)
      out.push_back(double(image.data<float>()[((highz_side - 1 - i) * highz_side + j) * highz_bands + band]));
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

/// An empty box with a cross: there is no such band.
Tensor empty_box() {
  Tensor out = d16::full({highz_side, highz_side, 1}, 0.13, {.device = d16::Device()});
  for (int64_t i = 0; i < highz_side; ++i)
    for (int64_t j = 0; j < highz_side; ++j) {
      bool border = i == 0 || j == 0 || i == highz_side - 1 || j == highz_side - 1;
      if (border || i == j || i == highz_side - 1 - j) out.data<float>()[i * highz_side + j] = 0.45f;
    }
  return out;
}

std::string figure_of(Tensor const& picture, std::string const& caption, std::string const& alt) {
  return html::figure(html::image(io::encode_png(picture), alt + ", " + caption), caption);
}

/// The bands one after the other, each in units of its own noise, all with the same white: a break is seen as a band that goes.
std::string strip(Tensor const& image, std::string const& id) {
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
    Tensor picture = there ? d16::empty({highz_side, highz_side, 1}, vision::host_tensor()) : empty_box();
    for (size_t i = 0; i < bands[b].size() && there; ++i)
      picture.data<float>()[i] = shade(bands[b][i], levels[b], bright);
    out += figure_of(picture, io::nircam_bands()[b] + (there ? "" : ": none"), id);
  }
  return out;
}

/// Three bands that are there as red, green and blue: the reddest, the middle one and the bluest of the redder half.
Tensor colour_picture(Tensor const& image, Tensor const& present) {
  std::vector<int64_t> there;
  for (int64_t b = 0; b < highz_bands; ++b)
    if (has_data(band_values(present, b))) there.push_back(b);
  int64_t last = int64_t(there.size()) - 1;
  int64_t const chosen[3] = {there[size_t(last)], there[size_t(std::max<int64_t>(0, last - 2))],
                             there[size_t(std::max<int64_t>(0, last - 4))]};
  Tensor picture = d16::empty({highz_side, highz_side, 3}, vision::host_tensor());
  for (int64_t c = 0; c < 3; ++c) {
    std::vector<double> values = band_values(image, chosen[c]);
    Levels levels = levels_of(values);
    for (size_t i = 0; i < values.size(); ++i)
      picture.data<float>()[int64_t(i) * 3 + c] = shade(values[i], levels, levels.bright);
  }
  return picture;
}

/// Before and after the background is off and neighbours are masked, and then the bands.
std::string pictures(HighzExhibit const& e, std::string const& id) {
  return "<div class=\"pictures\">" + figure_of(colour_picture(e.image, e.image), "as it came", id) +
         figure_of(colour_picture(e.prepared, e.image), "neighbours masked", id) + strip(e.image, id) + "</div>\n";
}

/// Fluxes with errors against wavelength; a band without data is an empty box.
std::string sed_plot(HighzResult const& r) {
  html::Series s{.name = "", .mark = html::Series::Mark::points};
  std::vector<double> missing;
  for (size_t b = 0; b < r.flux.size(); ++b) {
    double micrometres = wavelength(io::nircam_bands()[b]);
    if (!std::isfinite(r.flux[b])) missing.push_back(micrometres);
    else s.x.push_back(micrometres), s.y.push_back(r.flux[b]), s.error.push_back(r.error[b]);
  }
  std::vector<double> ys{0};
  for (size_t i = 0; i < s.y.size(); ++i) ys.push_back(s.y[i] - s.error[i]), ys.push_back(s.y[i] + s.error[i]);
  html::PlotOptions o{.title = "", .x = {"wavelength (µm)", 0.6, 4.8}, .y = {"flux (nJy)"}, .height = 250};
  html::detail::Frame frame(o, {0.6, 4.8}, ys);
  std::string svg =
      frame.open() + html::detail::line(frame.x.at(0.6), frame.y.at(0), frame.x.at(4.8), frame.y.at(0), "guide");
  for (double x : missing) {
    double left = frame.x.at(x - 0.11), right = frame.x.at(x + 0.11), top = 14, bottom = frame.bottom() - 4;
    svg += text("<rect class=\"guide\" x=\"", html::detail::coordinate(left), "\" y=\"", top, "\" width=\"",
                html::detail::coordinate(right - left), "\" height=\"", html::detail::coordinate(bottom - top),
                "\"><title>no data</title></rect>\n");
  }
  svg += html::detail::draw_points(frame, s, 0, 100);
  return html::detail::framed("", {""}, svg + frame.close());
}

// --- sections ---------------------------------------------------------------------------------------------------------

std::string flag_badges(int32_t flags, std::string const& words) {
  std::string out;
  for (size_t begin = 0; begin < words.size();) {  // "EDGE=1 MASKED=2 ..."
    size_t end = std::min(words.find(' ', begin), words.size()), equal = words.find('=', begin);
    if (flags & std::stoi(words.substr(equal + 1)))
      out += html::badge(words.substr(begin, equal - begin), html::Tone::warning) + " ";
    begin = end + 1;
  }
  return out;
}

std::string article(HighzReport const& report, HighzExhibit const& e) {
  HighzResult const& r = report.results[e.row];
  std::string const& id = report.rows.id[e.row];
  std::string meters;
  for (size_t k = 0; k < 3; ++k) meters += html::meter(r.p[k], std::string("p ") + highz_classes[k]);
  std::string words =
      text("row ", e.row + 1, " · from ", r.used, " · ", r.n_bands, " bands · S/N ", html::significant(r.snr));
  if (e.image.defined())
    words += text(" · compactness ", html::number(r.compactness, 2), " · half of the light within ",
                  html::number(r.half_light, 2), "″");
  std::string right = meters + html::paragraph(words) + "<p>" + flag_badges(r.flags, report.flag_text) + "</p>";
  if (!r.note.empty()) right += html::paragraph(r.note);
  return text("<article style=\"margin-bottom:18px\"><header><h3>", html::escape(id), "</h3>",
              html::badge(highz_classes[r.call], html::Tone::good), "</header>\n",
              html::grid({sed_plot(r), html::figure(right, "")}), e.image.defined() ? "<p></p>" + pictures(e, id) : "",
              "</article>\n");
}

std::string gallery(HighzReport const& report, std::string const& title, std::string const& lead,
                    std::vector<HighzExhibit> const& exhibits) {
  std::string body;
  for (HighzExhibit const& e : exhibits) body += article(report, e);
  return html::section(title, lead, body.empty() ? html::paragraph("None.") : body);
}

std::array<int64_t, 4> counts_of(std::vector<HighzResult> const& results) {
  std::array<int64_t, 4> counts{};
  for (HighzResult const& r : results) ++counts[r.classified() ? size_t(r.call) : 3];
  return counts;
}

std::string tiles(HighzReport const& report) {
  auto counts = counts_of(report.results);
  std::vector<html::Tile> list{{html::count(int64_t(report.results.size())), "rows", ""}};
  std::string const rules[3] = {"the rest", "p ≥ " + html::number(report.thresholds.high_z, 3),
                                "p ≥ " + html::number(report.thresholds.brown_dwarf, 3)};
  for (size_t k = 0; k < 3; ++k) list.push_back({html::count(counts[k]), highz_classes[k], rules[k]});
  list.push_back({html::count(counts[3]), "not classified", "NaN and a flag"});
  return html::tiles(list);
}

std::string histograms(HighzReport const& report) {
  std::vector<std::string> plots;
  for (size_t k = 0; k < 3; ++k) {
    html::Sample sample;
    for (HighzResult const& r : report.results)
      if (r.classified()) sample.values.push_back(r.p[k]);
    plots.push_back(html::histogram(
        {sample}, {.title = std::string("p ") + highz_classes[k], .x = {"probability", 0, 1}, .bins = 20}));
  }
  return html::section("Probabilities", "Of all rows that were classified.", html::grid(plots));
}

std::string failures(HighzReport const& report) {
  constexpr int most = 50;
  std::string list;
  int shown = 0;
  for (size_t i = 0; i < report.results.size() && shown < most; ++i) {
    HighzResult const& r = report.results[i];
    if (r.classified()) continue;
    ++shown;
    list += text("<p><b>", html::escape(report.rows.id[i]), "</b> ", flag_badges(r.flags, report.flag_text),
                 html::escape(r.note), "</p>\n");
  }
  if (list.empty()) return "";
  return html::section("Not classified", shown == most ? text("The first ", most, " of them.") : "", list);
}

std::string how(HighzReport const& report) {
  std::string out;
  for (HighzPredictor const* c : report.classifiers) {
    auto prior = c->prior();
    out += html::paragraph(text(c->trees() ? "Trees" : "Network", ": ", base_name(c->path()), ", ", c->summary(),
                                ", sha256 ", c->sha256(), ". High-z begins at z = ", html::significant(c->redshift()),
                                ". Probabilities are for class frequencies ", html::significant(prior[0]), ", ",
                                html::significant(prior[1]), ", ", html::significant(prior[2]), "."));
    if (c->simulated())
      out +=
          html::notice(base_name(c->path()) + " was trained on SIMULATED data: its scores are scores on a simulation.");
  }
  if (report.rows.simulated) out += html::notice("The input is SIMULATED data: no telescope saw these objects.");
  out += html::paragraph(text("An object is called a brown dwarf where that probability reaches ",
                              html::number(report.thresholds.brown_dwarf, 3), ", else high-z where that one reaches ",
                              html::number(report.thresholds.high_z, 3), ", else low-z."));
  for (std::string const& note : report.rows.notes) out += html::paragraph(note + ".");
  return html::section("How it was made", "", out + html::paragraph("Flags are sums of " + report.flag_text + "."));
}

/// What the rows are called, and then the results.
io::Table named(HighzReport const& report) {
  io::Table out;
  out.column("id", report.rows.id, {"", "of the row, by the input"});
  for (io::Column const& column : report.table.columns())
    std::visit([&](auto const& values) { out.column(column.name, values, column.info); }, column.values);
  return out;
}

}  // namespace

std::string highz_report_html(HighzReport const& report) {
  std::string body = tiles(report);
  for (int k : {1, 2, 0})
    body += gallery(report, titles[k], text("The surest ", HighzExhibits::surest, " of them."),
                    report.exhibits.of_class(k));
  body += gallery(report, "Least sure", "Where the largest probability is smallest.", report.exhibits.least_sure());
  body += histograms(report) +
          html::section("Catalogue", "catalog.fits and catalog.csv beside this file have all columns of the input too.",
                        html::table(named(report), {.max_rows = 300, .rest_is_in = "catalog.csv"})) +
          failures(report) + how(report);
  std::string footer =
      text(command_line(), " · d16 ", d16::stamp::version, " (", d16::stamp::commit, ") · ", d16::threads(),
           " threads · ", html::number(report.seconds, 1), " s, peak memory ", int64_t(peak_memory()), " MiB");
  return html::page("Low-z, high-z or brown dwarf: " + base_name(report.input),
                    "Objects in the seven wide NIRCam bands, classified by d16.", body, footer);
}

}  // namespace tool
