// The report of `d16 run`: bodies of report.hpp.
#include "report.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <stamp.hpp>

#include <d16/core/parallel.hpp>
#include <d16/io/html.hpp>
#include <d16/io/plot.hpp>
#include <d16/io/png.hpp>
#include <d16/kernels/cpu/isa.hpp>
#include <d16/vision/filter.hpp>
#include <d16/vision/statistics.hpp>

#include "study.hpp"
#include "uncertainty.hpp"

namespace tool {

using d16::Tensor;
using d16::text;
namespace io = d16::io;
namespace html = d16::io::html;
namespace learn = d16::learn;

namespace {

/// Small pictures are shown twice as large when there are few of them, so that they look smooth.
html::Picture picture(Tensor const& x, std::string const& caption, bool enlarge) {
  return {io::encode_png(enlarge ? d16::vision::resize(x, 2 * x.dim(0), 2 * x.dim(1)) : x), caption};
}

std::string flag_badges(int32_t flags) {
  std::string out, names = flag_names(flags);
  while (!names.empty()) {
    size_t end = names.find(", ");
    out += html::badge(names.substr(0, end), html::Tone::warning) + " ";
    names.erase(0, end == names.npos ? end : end + 2);
  }
  return out;
}

/// What is shown as the probability: calibrated where that is known.
double said(Row const& row) { return std::isnan(row.p_cal) ? row.p_disk : row.p_cal; }

/// By the calibrated probability, where there is one; else by the threshold of the weights.
std::string verdict(Row const& row, double threshold) {
  bool calibrated = !std::isnan(row.p_cal);
  double p = said(row);
  if (p >= (calibrated ? sure_disk : threshold)) return html::badge("disk", html::Tone::good);
  if (calibrated && p > 1 - sure_disk) return html::badge("undecided", html::Tone::warning);
  return html::badge("not a disk");
}

std::string size_text(Row const& row) {
  return std::isnan(row.scale) ? html::number(row.r90, 1) + " px" : html::number(row.r90 * row.scale, 2) + "″";
}

html::Card card(Row const& row, Exhibit const& e, double threshold, bool enlarge) {
  html::Card card{row.id, verdict(row, threshold)};
  card.pictures.push_back(picture(e.raw, "raw", enlarge));
  if (e.denoised.defined()) {
    card.pictures.push_back(picture(e.denoised, "denoised", enlarge));
    std::string white = "σ, white " + html::significant(e.white, 2) + (e.unit.empty() ? "" : " " + e.unit);
    if (e.sigma.defined()) card.pictures.push_back(picture(e.sigma, white, enlarge));
    card.pictures.push_back(picture(e.residual, "residual / σ, ±5", enlarge));
  }
  if (e.truth.defined()) card.pictures.push_back(picture(e.truth, "truth", enlarge));
  card.below = html::meter(said(row), std::isnan(row.p_cal) ? "p(disk)" : "p(disk), calibrated");
  std::string truth = row.truth ? (*row.truth ? "truth: a disk · " : "truth: no disk · ") : "";
  card.below +=
      html::paragraph(text(truth, "p raw ", html::number(row.p_raw, 2), ", denoised ", html::number(row.p_denoised, 2),
                           " · S/N ", html::significant(row.snr), " · r90 ", size_text(row), " · ", row.bands));
  if (row.flags) card.below += "<p>" + flag_badges(row.flags) + "</p>";
  if (!row.note.empty()) card.below += html::paragraph(row.note);
  return card;
}

std::string cards(Report const& report, std::vector<Exhibit const*> const& list, double threshold) {
  std::vector<html::Card> out;
  for (Exhibit const* e : list) out.push_back(card(report.rows[e->row], *e, threshold, list.size() <= 24));
  return html::gallery(out);
}

/// Highest probability first.
std::string gallery(Report const& report, double threshold) {
  std::vector<Exhibit const*> order;
  for (Exhibit const& e : report.exhibits) order.push_back(&e);
  std::stable_sort(order.begin(), order.end(),
                   [&](auto* a, auto* b) { return said(report.rows[a->row]) > said(report.rows[b->row]); });
  std::string lead =
      "Raw, denoised, σ of the denoised light, and (raw - denoised) / error: light taken away (orange) or added "
      "(blue). "
      "Sorted by p(disk).";
  if (report.exhibits.size() == most_exhibits) lead += text(" The first ", int64_t(most_exhibits), " objects only.");
  return html::section("Pictures", lead, cards(report, order, threshold));
}

std::string worst_section(Report const& report, double threshold) {
  std::vector<Exhibit const*> list;
  for (Exhibit const& e : report.worst) list.push_back(&e);
  std::string none = report.has_truth ? "No call is wrong." : "Raw and denoised images agree everywhere.";
  return html::section(report.has_truth ? "The worst errors" : "Where raw and denoised image disagree most",
                       report.has_truth ? text("The ", list.size(), " surest wrong calls.")
                                        : text("No truth is known (--truth), so no error is: the ", list.size(),
                                               " largest changes of p."),
                       list.empty() ? html::paragraph(none) : cards(report, list, threshold));
}

double median(std::vector<double> values) {
  std::erase_if(values, [](double v) { return std::isnan(v); });
  return values.empty() ? nan : d16::vision::median(std::move(values));
}

std::string tiles(Report const& report, double threshold) {
  int64_t good = 0, disks = 0, flagged = 0;
  std::vector<double> snr;
  for (Row const& r : report.rows) {
    good += !(r.flags & flag_unreadable), disks += r.p_disk >= threshold, flagged += r.flags != 0;
    snr.push_back(r.snr);
  }
  int64_t all = int64_t(report.rows.size());
  std::vector<Row const*> rows;
  for (Row const& r : report.rows) rows.push_back(&r);
  Expected expected = expected_disks(rows);
  return html::tiles(
      {{html::count(all), "objects", all == good ? "all readable" : html::count(all - good) + " unreadable"},
       {html::number(expected.sum, 0) + " ± " + html::number(expected.half(), 0), "disks expected", "sum of p, 95 %"},
       {html::count(expected.sure), "sure disks", "p ≥ " + html::number(sure_disk, 1)},
       {html::count(disks), "above the threshold", "p_disk ≥ " + html::number(threshold, 2) + ", not calibrated"},
       {html::significant(median(snr)), "median S/N", "total, red band"},
       {html::count(flagged), "with a flag", "see the catalogue"}});
}

std::string comparison(Report const& report) {
  html::Sample p;
  html::Series against{.name = "", .mark = html::Series::Mark::points};
  int64_t changed = 0;
  for (Row const& r : report.rows) {
    if (std::isnan(r.p_disk)) continue;
    p.values.push_back(said(r)), changed += (r.flags & flag_changed) != 0;
    against.x.push_back(r.p_raw), against.y.push_back(r.p_denoised);
  }
  return html::section("Raw against denoised",
                       text(changed, " of ", p.values.size(),
                            " objects change their class by denoising. Whether "
                            "denoising helps at all is what d16 study disk measures."),
                       html::grid({html::histogram({p}, {.title = "How sure", .x = {"p(disk)", 0, 1}, .bins = 20}),
                                   html::plot({against}, {.title = "What denoising changes",
                                                          .x = {"p(disk), raw image", 0, 1},
                                                          .y = {"p(disk), denoised image", 0, 1},
                                                          .diagonal = true})}));
}

// --- what can be believed ------------------------------------------------------------------------------------------------

constexpr double snr_middles[] = {3.5, 7, 14, 32, 120};  ///< where the ranges of S/N are drawn

void add_point(html::Series& s, double x, learn::Fraction const& f) {
  if (f.n) s.add(x, f.value, f.interval.low, f.interval.high);
}

/// A score of the curves against S/N, raw and denoised.
std::string curve_plot(Curves const& curves, std::string const& source, char const* title,
                       learn::Fraction (Tally::*score)() const) {
  std::vector<html::Series> series;
  for (Shown shown : {Shown::noisy, Shown::denoised}) {
    html::Series s{.name = shown == Shown::noisy ? "raw" : "denoised", .mark = html::Series::Mark::points};
    for (int snr = 0; snr < snr_bins; ++snr) add_point(s, snr_middles[snr], (curves.sum(source, shown, snr).*score)());
    if (!s.x.empty()) series.push_back(std::move(s));
  }
  return html::plot(
      series,
      {.title = text(title, ": ", source), .x = {.label = "S/N", .log = true}, .y = {.label = title, .low = 0}});
}

html::Series reliability_of(Tally const& tally, std::string name) {
  html::Series s{.name = std::move(name), .mark = html::Series::Mark::points};
  for (size_t bin = 0; bin < Tally::bins; ++bin)
    add_point(s, (double(bin) + 0.5) / double(Tally::bins), tally.observed(bin));
  return s;
}
std::string reliability_plot(std::vector<html::Series> const& series, std::string title) {
  return html::plot(series, {.title = std::move(title),
                             .x = {"calibrated p of a disk", 0, 1},
                             .y = {"share that are disks", 0, 1},
                             .diagonal = true});
}

std::string false_disks(Report const& report) {
  if (report.curves.empty())
    return html::section("False disks", "",
                         html::paragraph("The weights carry no curves; d16 train calibration makes "
                                         "them."));
  std::vector<std::string> plots;
  for (std::string const& source : report.curves.sources())
    plots.push_back(curve_plot(report.curves, source, "others called disks", &Tally::false_disks));
  return html::section("False disks",
                       text("Of SIMULATED pictures of ellipticals, the share with a calibrated p of ", sure_disk,
                            " and more; bars are ", report.curves.intervals_text(), "."),
                       html::grid(plots));
}

constexpr char const* not_known = "not known";

/// Rows that belong together.
struct Group {
  std::string name;
  std::vector<Row const*> rows = {};
};
/// The rows by what bin(row) says; without a number they come last.
template <class Bin, class Name>
std::vector<Group> grouped(std::vector<Row> const& rows, int bins, Name const& name, Bin const& bin) {
  std::vector<Group> out;
  for (int k = 0; k < bins; ++k) out.push_back({name(k)});
  out.push_back({not_known});
  for (Row const& row : rows) {
    int k = std::isnan(row.p_disk) ? -2 : bin(row);
    if (k > -2) out[size_t(k < 0 ? bins : k)].rows.push_back(&row);
  }
  std::erase_if(out, [](Group const& g) { return g.rows.empty(); });
  return out;
}

constexpr double z_edges[] = {0, 0.5, 1, 2, 3, 5};
constexpr int z_bins = 6;
std::vector<Group> by_redshift(std::vector<Row> const& rows) {
  auto name = [](int k) {
    return k + 1 < z_bins ? text("z ", z_edges[k], " to ", z_edges[k + 1]) : text("z from ", z_edges[k]);
  };
  return grouped(rows, z_bins, name, [](Row const& r) {
    return std::isnan(r.redshift) ? -1 : int(std::upper_bound(z_edges, z_edges + z_bins, r.redshift) - z_edges) - 1;
  });
}
std::vector<Group> by_snr(std::vector<Row> const& rows) {
  return grouped(rows, snr_bins, snr_bin_name, [](Row const& r) { return std::isnan(r.snr) ? -1 : snr_bin(r.snr); });
}
std::vector<Group> by_size(std::vector<Row> const& rows) {
  return grouped(rows, size_bins, size_bin_name,
                 [](Row const& r) { return std::isnan(r.re_over_fwhm) ? -1 : size_bin(r.re_over_fwhm); });
}

Tally tally_of(std::vector<Row const*> const& rows) {
  Tally out;
  for (Row const* row : rows)
    if (row->truth) out.add(said(*row), *row->truth);
  return out;
}

/// By group: what is expected of these objects, and, with `truth`, what is true.
std::string expected_table(char const* by, std::vector<Group> const& groups, bool truth) {
  if (groups.size() == 1 && groups[0].name == not_known) return "";
  std::string out =
      text("| ", by, " | objects | expected disks, Σp | p ≥ ", sure_disk, " | expected purity of these |");
  out += truth ? " true disks | purity | completeness | others called disks |\n|---|---|---|---|---|---|---|---|---|\n"
               : "\n|---|---|---|---|---|\n";
  for (Group const& g : groups) {
    Expected e = expected_disks(g.rows);
    out += text("| ", g.name, " | ", e.objects, " | ", html::number(e.sum, 1), " ± ", html::number(e.half(), 1), " | ",
                e.sure, " | ", e.sure ? html::number(e.sure_sum / double(e.sure), 2) : "–", " |");
    Tally t = tally_of(g.rows);
    if (truth)
      out += text(" ", t.all_disks(), " | ", with_interval(t.purity()), " | ", with_interval(t.completeness()), " | ",
                  with_interval(t.false_disks()), " |");
    out += "\n";
  }
  return html_of_markdown(out);
}

std::string tables_by(Report const& report, bool truth) {
  return expected_table("redshift", by_redshift(report.rows), truth) +
         expected_table("S/N", by_snr(report.rows), truth) + expected_table("size", by_size(report.rows), truth);
}

/// Purity and completeness of simulated pictures by S/N and by size.
std::string curve_table(Report const& report) {
  Curves const& curves = report.curves;
  Shown shown = report.raw || report.other_denoiser ? Shown::noisy : Shown::denoised;
  std::string out;
  for (std::string const& source : curves.sources()) {
    out += text("\n\n| ", source, shown == Shown::noisy ? ", raw" : ", denoised",
                " | disks, others | purity | completeness | others called disks |\n|---|---|---|---|---|\n");
    auto add = [&](std::string const& name, Tally const& t) {
      if (t.all() == 0) return;
      out += text("| ", name, " | ", t.all_disks(), ", ", t.all() - t.all_disks(), " | ", with_interval(t.purity()),
                  " | ", with_interval(t.completeness()), " | ", with_interval(t.false_disks()), " |\n");
    };
    for (int snr = 0; snr < snr_bins; ++snr) add(snr_bin_name(snr), curves.sum(source, shown, snr));
    for (int size = 0; size < size_bins; ++size) add(size_bin_name(size), curves.sum(source, shown, -1, size));
  }
  return html_of_markdown(out.substr(2));
}

std::string believed(Report const& report) {
  std::string out;
  std::vector<std::string> plots;
  for (std::string const& source : report.curves.sources()) {
    std::vector<html::Series> both{reliability_of(report.curves.sum(source, Shown::noisy), "raw"),
                                   reliability_of(report.curves.sum(source, Shown::denoised), "denoised")};
    std::erase_if(both, [](html::Series const& s) { return s.x.empty(); });
    plots.push_back(reliability_plot(both, "Reliability: " + source));
    plots.push_back(curve_plot(report.curves, source, "purity", &Tally::purity));
    plots.push_back(curve_plot(report.curves, source, "completeness", &Tally::completeness));
  }
  if (report.has_truth) {
    std::vector<Row const*> all;
    for (Row const& row : report.rows) all.push_back(&row);
    plots.insert(plots.begin(), reliability_plot({reliability_of(tally_of(all), "these objects")},
                                                 "Reliability: these objects, --truth"));
  }
  out += html::grid(plots);
  if (report.has_truth) out += tables_by(report, true);
  if (!report.curves.empty()) out += curve_table(report);
  return html::section(
      "Reliability, purity, completeness",
      text("Disks are those with a calibrated p of ", sure_disk,
           " and more, purity is at the share of disks in each set. "
           "Brackets and bars: ",
           report.curves.empty() ? "95 % binomial intervals" : report.curves.intervals_text(),
           ". By redshift only where objects of known class have one: "
           "degraded pictures of nearby galaxies are at no redshift."),
      plots.empty() ? html::paragraph("Neither the class of these objects is known (--truth) nor do the weights carry "
                                      "curves (d16 train calibration).")
                    : out);
}

std::string expected_section(Report const& report) {
  std::vector<Group> all = grouped(
      report.rows, 1, [](int) { return "all"; }, [](Row const&) { return 0; });
  std::string out = expected_table("sample", all, report.has_truth);
  if (!report.has_truth) out += tables_by(report, false);
  if (!report.sample.empty()) out += html::paragraph(report.sample + ": in_sample of the catalogue.");
  return html::section("Expected number of disks",
                       "The sum of the probabilities with its 95 % interval, if they mean what they say, beside the "
                       "count of the sure ones.",
                       out);
}

std::string redshifts(Report const& report) {
  html::Sample all{.name = "all"}, disks{.name = text("p ≥ ", sure_disk)}, far{.name = "z > 3"}, near{.name = "z ≤ 3"};
  std::vector<Row const*> beyond;
  for (Row const& r : report.rows) {
    if (std::isnan(r.redshift) || std::isnan(r.p_disk)) continue;
    all.values.push_back(r.redshift);
    if (said(r) >= sure_disk) disks.values.push_back(r.redshift);
    (r.redshift > 3 ? far : near).values.push_back(said(r));
    if (r.redshift > 3) beyond.push_back(&r);
  }
  if (all.values.empty())
    return html::section("Redshift", "",
                         html::paragraph("No object has a redshift (z_spec, z, z_phot ... of --catalog)."));
  Expected e = expected_disks(beyond);
  return html::section(
      "Redshift",
      text("z > 3: ", e.objects, " objects, ", html::number(e.sum, 1), " ± ", html::number(e.half(), 1),
           " disks expected, ", e.sure, " with p ≥ ", sure_disk, "."),
      html::grid({html::histogram({all, disks}, {.title = "Disks over redshift", .x = {"redshift", 0}}),
                  html::histogram(
                      {far, near},
                      {.title = "Beyond z = 3 and before", .x = {"p(disk)", 0, 1}, .bins = 20, .density = true})}));
}

std::string fading(Report const& report) {
  if (report.faded.empty()) return "";
  std::vector<std::string> plots;
  for (bool denoised : {false, true}) {
    std::vector<html::Series> series;
    for (Faded const& f : report.faded)
      series.push_back({.name = f.id, .x = f.snr, .y = denoised ? f.denoised : f.raw});
    plots.push_back(html::plot(series, {.title = denoised ? "Denoised" : "Raw",
                                        .x = {.label = "S/N", .log = true},
                                        .y = {"p(disk), mean of three draws", 0, 1}}));
  }
  return html::section(
      "These objects made fainter",
      "Noise is added until they have such S/N, correlated as their own; the frame stays where it was. "
      "p is not calibrated here. The rightmost point is the object as it is.",
      html::grid(plots));
}

/// "F444W,F277W,F150W (6 objects)", one for each choice of bands.
std::string bands_text(std::vector<Row> const& rows) {
  std::map<std::string, int64_t> seen;
  for (Row const& r : rows)
    if (!r.bands.empty()) ++seen[r.bands];
  std::string out;
  for (auto const& [bands, count] : seen)
    out += text(out.empty() ? "" : "; ", bands, " (", count, count == 1 ? " object)" : " objects)");
  return out;
}

std::string how(Report const& r, Networks const& n) {
  std::string zoom = r.zoom == 1 ? "" : text(", divided by the zoom of ", r.zoom), hashes;
  for (std::string const& line : r.hashes) hashes += html::paragraph(line);
  if (!r.curves.empty()) hashes += html::paragraph("Curves: " + r.curves.command);
  return html::section(
      "What was done", command_line(),
      html::paragraph("Bands for red, green and blue: " + bands_text(r.rows) +
                      ". Unless --bands says otherwise, the reddest known filter is red, the one nearest "
                      "to a third of its wavelength blue, the one nearest to their geometric mean green. Other pixel "
                      "scales are resampled to the red band's.") +
          html::paragraph(text("Masked pixels and NaN are filled from around them. The object is what hangs together "
                               "at the centre and is symmetric about its "
                               "peak; the frame is ",
                               frame_per_r90, " times its r90 (of the stretched picture) wide", zoom,
                               ", as in the training set, and has ", n.size(), " × ", n.size(), " pixels.")) +
          html::paragraph("Denoising: an asinh stretch in units of each band's own noise, the network, the stretch "
                          "undone. Near the "
                          "centre (an eighth of the frame) a pixel changes by its noise and a tenth of its light only: "
                          "no neighbour is "
                          "looked for there. " +
                          base_name(n.denoiser->path()) + ": " + n.denoiser->summary() + ".") +
          html::paragraph("Classification: the pictures shown here, stretched to the brightness levels of the training "
                          "set. p(disk) is that of the " +
                          std::string(r.raw ? "raw" : "denoised") + " picture. " + base_name(n.classifier->path()) +
                          ": " + n.classifier->summary() + "; threshold " + html::number(n.classifier->threshold(), 3) +
                          ", chosen on validation data.") +
          html::paragraph("FITS images are shown with their first row at the bottom.") + hashes);
}

/// What is simulated, what is real, and what else must not be overlooked.
std::string box(Report const& report, Networks const& networks) {
  int64_t objects = int64_t(report.rows.size()), strange = 0;
  for (Row const& r : report.rows) strange += (r.flags & flag_ood) != 0;
  std::string out =
      report.simulated
          ? html::notice(text("SIMULATED: ", report.simulated, " of the ", objects, " objects, by their headers."))
          : html::notice("REAL, as far as their headers say: the objects.", html::Tone::plain);
  Curves const& curves = report.curves;
  for (std::string const& source : curves.sources())
    out += html::notice(text("SIMULATED: purity, completeness, reliability and false disks of ",
                             html::count(curves.pictures(source)), " pictures, ", source,
                             ", which went through this tool."));
  if (report.other_denoiser)
    out += html::notice(
        "Another denoiser than that of the curves: nothing is known of false disks among pictures denoised "
        "by this one. What is shown is of raw pictures; d16 train calibration makes curves for this denoiser.",
        html::Tone::warning);
  auto const& c = networks.classifier->calibration();
  if (!c) out += html::notice("Probabilities are not calibrated: the weights carry no calibration.", html::Tone::bad);
  else if (c->shown == Shown::clean)
    out +=
        html::notice("Probabilities are calibrated on clean pictures alone, not on noisy ones behind this denoiser.");
  for (std::string const& source : curves.sources()) {
    learn::Fraction raw = curves.sum(source, Shown::noisy).false_disks(),
                    denoised = curves.sum(source, Shown::denoised).false_disks();
    if (denoised.value > raw.value)
      out += html::notice(text("FALSE DISKS: denoised, ", with_interval(denoised), " of the others get p ≥ ", sure_disk,
                               ", raw ", with_interval(raw), " (", source, ")."),
                          html::Tone::bad);
  }
  if (strange)
    out += html::notice(text(strange, " of ", objects, " objects are unlike the training set (p_ood > 0.99)."));
  return out +
         html::notice(
             "First weights: trained for minutes on SDSS pictures of nearby galaxies with simulated noise and "
             "neighbours. Other telescopes, redshifts and resolutions are not what they know.") +
         html::paragraph(
             "“Disk-like” is what Galaxy Zoo volunteers called spiral or edge-on, against elliptical. A "
             "lenticular may be either. A denoiser can take real features away (bars, arms, companions): "
             "look at the residuals.");
}

}  // namespace

Expected expected_disks(std::vector<Row const*> const& rows) {
  Expected out;
  for (Row const* row : rows) {
    double p = said(*row);
    if (std::isnan(p)) continue;
    ++out.objects, out.sum += p, out.variance += p * (1 - p);
    if (p >= sure_disk) ++out.sure, out.sure_sum += p;
  }
  return out;
}
double Expected::half() const { return 1.96 * std::sqrt(variance); }

void Report::take_curves(Curves all, std::string const& denoiser_sha256) {
  curves = std::move(all);
  other_denoiser = !curves.empty() && curves.denoiser != denoiser_sha256;
  if (other_denoiser) std::erase_if(curves.cells, [](Curves::Cell const& c) { return c.shown == Shown::denoised; });
}

void Report::show(std::function<Exhibit()> const& make) {
  Row const& row = rows.back();
  double wrong = row.truth   ? std::abs(said(row) - double(*row.truth)) - 0.5
                 : has_truth ? 0
                             : std::abs(row.p_raw - row.p_denoised);
  bool bad = wrong > 0 && (worst.size() < most_worst || wrong > worst.back().wrong);
  bool first = exhibits.size() < most_exhibits;
  if (!bad && !first) return;
  Exhibit e = make();
  e.wrong = wrong;
  if (first) exhibits.push_back(e);
  if (!bad) return;
  auto at = std::find_if(worst.begin(), worst.end(), [&](Exhibit const& other) { return other.wrong < wrong; });
  worst.insert(at, std::move(e));
  if (worst.size() > most_worst) worst.pop_back();
}

namespace {

/// Numbers of standard deviations in colours.
Tensor coloured(Tensor const& sigmas) {
  constexpr float zero = 0.16f, full = 5, taken[3] = {1.0f, 0.55f, 0.15f}, added[3] = {0.25f, 0.6f, 1.0f};
  Tensor out = d16::empty({sigmas.dim(0), sigmas.dim(1), 3}, sigmas.like());
  for (int64_t i = 0; i < sigmas.numel(); ++i) {
    float v = sigmas.data<float>()[i] / full;
    for (int k = 0; k < 3; ++k)
      out.data<float>()[3 * i + k] =
          std::isfinite(v) ? std::clamp(zero + std::abs(v) * (v > 0 ? taken[k] : added[k]), 0.0f, 1.0f) : 0;
  }
  return out;
}
Tensor grey(Tensor const& plane, double white) {
  Tensor out = d16::empty({plane.dim(0), plane.dim(1), 3}, plane.like());
  for (int64_t i = 0; i < plane.numel(); ++i)
    std::fill_n(out.data<float>() + 3 * i, 3, std::clamp(float(plane.data<float>()[i] / white), 0.0f, 1.0f));
  return out;
}

}  // namespace

Exhibit exhibit_of(Object const& object, ProductPlanes const& planes, Tensor const& clean, size_t row) {
  Exhibit e;
  e.row = row, e.raw = picture_of(object.frame, object.frame.light), e.unit = object.frame.units[0];
  if (planes.denoised.defined()) {
    e.denoised = picture_of(object.frame, object.denoised), e.residual = coloured(planes.residual);
    std::vector<double> known = d16::vision::finite_values(planes.std);
    e.white = known.empty() ? 0 : d16::vision::quantile(known, 0.998);
    if (e.white > 0) e.sigma = grey(planes.std, e.white);
  }
  if (clean.defined()) e.truth = picture_of(object.frame, clean);
  if (object.frame.picture) return e;
  for (Tensor* picture : {&e.raw, &e.denoised, &e.sigma, &e.residual, &e.truth})  // FITS rows begin at the bottom
    if (picture->defined()) *picture = d16::vision::flip_vertical(*picture);
  return e;
}

std::string report_html(Report const& report, Networks const& networks) {
  double threshold = networks.classifier->threshold();
  io::Table table = catalog(report.rows, networks, report.raw);
  std::string body =
      box(report, networks) + tiles(report, threshold) + comparison(report) + false_disks(report) + believed(report) +
      expected_section(report) + redshifts(report) + gallery(report, threshold) + fading(report) +
      worst_section(report, threshold) +
      html::section("Catalogue", "catalog.fits and catalog.csv beside this file. Hover over a name for its meaning.",
                    html::table(table, {.max_rows = 500, .rest_is_in = "catalog.csv"}) +
                        html::paragraph("Flags are sums of: " + flag_legend() + ".")) +
      how(report, networks);
  std::string footer = text(command_line(), " · d16 ", d16::stamp::version, " (", d16::stamp::commit, ") · ",
                            d16::threads(), " threads, ", d16::kernels::cpu::isa_name(d16::kernels::cpu::best_isa()),
                            " · ", html::number(report.seconds, 1), " s, peak memory ", int64_t(peak_memory()), " MiB");
  return html::page("Disk or not: " + base_name(report.input), "Galaxy cutouts, denoised and classified by d16.", body,
                    footer);
}

}  // namespace tool
