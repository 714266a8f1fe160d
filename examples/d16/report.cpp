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

namespace tool {

using d16::Tensor;
using d16::text;
namespace io = d16::io;
namespace html = d16::io::html;

namespace {

/// Small pictures are shown twice as large when there are few of them, so that they look smooth.
html::Picture picture(Tensor const& x, char const* caption, bool enlarge) {
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

std::string size_text(Row const& row) {
  return std::isnan(row.scale) ? html::number(row.r90, 1) + " px" : html::number(row.r90 * row.scale, 2) + "″";
}

html::Card card(Row const& row, Exhibit const& e, Report const& report, double threshold, bool enlarge) {
  html::Card card{row.id, html::badge(row.p_disk >= threshold ? "disk" : "not a disk",
                                      row.p_disk >= threshold ? html::Tone::good : html::Tone::plain)};
  card.pictures.push_back(picture(e.raw, "raw", enlarge));
  if (e.denoised.defined()) {
    card.pictures.push_back(picture(e.denoised, "denoised", enlarge));
    card.pictures.push_back(picture(e.residual, "residual", enlarge));
  }
  card.below = html::meter(row.p_disk, "p(disk)");
  card.below += html::paragraph(text(report.raw ? "denoised " : "raw image ",
                                     html::number(report.raw ? row.p_denoised : row.p_raw, 2), " · S/N ",
                                     html::significant(row.snr), " · r90 ", size_text(row), " · ", row.bands));
  if (row.flags) card.below += "<p>" + flag_badges(row.flags) + "</p>";
  if (!row.note.empty()) card.below += html::paragraph(row.note);
  return card;
}

/// Highest probability first.
std::string gallery(Report const& report, double threshold) {
  std::vector<Exhibit const*> order;
  for (Exhibit const& e : report.exhibits) order.push_back(&e);
  std::stable_sort(order.begin(), order.end(),
                   [&](auto* a, auto* b) { return report.rows[a->row].p_disk > report.rows[b->row].p_disk; });
  std::vector<html::Card> cards;
  for (Exhibit const* e : order) cards.push_back(card(report.rows[e->row], *e, report, threshold, order.size() <= 24));
  std::string lead = "Raw, denoised, and the residual: light taken away (orange) or added (blue). Sorted by p(disk).";
  if (report.exhibits.size() == most_exhibits) lead += text(" The first ", int64_t(most_exhibits), " objects only.");
  return html::section("Gallery", lead, html::gallery(cards));
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
  return html::tiles(
      {{html::count(all), "objects", all == good ? "all readable" : html::count(all - good) + " unreadable"},
       {html::count(disks), "disk-like", "p(disk) ≥ " + html::number(threshold, 2)},
       {html::count(good - disks), "not disk-like", ""},
       {html::significant(median(snr)), "median S/N", "total, red band"},
       {html::count(flagged), "with a flag", "see the catalogue"}});
}

std::string plots(Report const& report) {
  html::Sample p;
  html::Series against{.name = "", .mark = html::Series::Mark::points};
  for (Row const& r : report.rows) {
    if (std::isnan(r.p_disk)) continue;
    p.values.push_back(r.p_disk);
    against.x.push_back(r.p_raw), against.y.push_back(r.p_denoised);
  }
  return html::section("Probabilities", "",
                       html::grid({html::histogram({p}, {.title = "How sure", .x = {"p(disk)", 0, 1}, .bins = 20}),
                                   html::plot({against}, {.title = "What denoising changes",
                                                          .x = {"p(disk), raw image", 0, 1},
                                                          .y = {"p(disk), denoised image", 0, 1},
                                                          .diagonal = true})}));
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
  std::string zoom = r.zoom == 1 ? "" : text(", divided by the zoom of ", r.zoom);
  return html::section(
      "What was done", "",
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
          html::paragraph("FITS images are shown with their first row at the bottom."));
}

std::string caveats() {
  return html::section(
      "Before you use these numbers", "",
      html::notice("First weights: trained for minutes on SDSS pictures of nearby galaxies with simulated noise and "
                   "neighbours. For other telescopes, redshifts "
                   "and resolutions the probabilities are not calibrated.") +
          html::paragraph("“Disk-like” is what Galaxy Zoo volunteers called spiral or edge-on, against elliptical. A "
                          "lenticular may be either.") +
          html::paragraph("A denoiser can take real features away (bars, arms, companions): look at the residuals.") +
          html::paragraph("Flags are sums of: " + flag_legend() + "."));
}

}  // namespace

Exhibit exhibit_of(Object const& object, size_t row) {
  Exhibit e{row, picture_of(object.frame, object.frame.light), {}, {}};
  if (object.denoised.defined()) {
    e.denoised = picture_of(object.frame, object.denoised);
    e.residual = d16::empty(e.raw.shape());
    constexpr float zero = 0.16f, gain = 2.5f, taken[3] = {1.0f, 0.55f, 0.15f}, added[3] = {0.25f, 0.6f, 1.0f};
    for (int64_t i = 0; i < e.raw.numel(); i += 3) {
      float const *a = e.raw.data<float>() + i, *b = e.denoised.data<float>() + i;
      float difference = gain * (a[0] + a[1] + a[2] - b[0] - b[1] - b[2]) / 3;
      for (int k = 0; k < 3; ++k)
        e.residual.data<float>()[i + k] =
            std::clamp(zero + std::abs(difference) * (difference > 0 ? taken[k] : added[k]), 0.0f, 1.0f);
    }
  }
  if (object.frame.picture) return e;
  for (Tensor* picture : {&e.raw, &e.denoised, &e.residual})  // FITS rows begin at the bottom
    if (picture->defined()) *picture = d16::vision::flip_vertical(*picture);
  return e;
}

std::string report_html(Report const& report, Networks const& networks) {
  double threshold = networks.classifier->threshold();
  io::Table table = catalog(report.rows, networks, report.raw);
  std::string body =
      tiles(report, threshold) + gallery(report, threshold) + plots(report) +
      html::section("Catalogue", "catalog.fits and catalog.csv beside this file. Hover over a name for its meaning.",
                    html::table(table, {.max_rows = 500, .rest_is_in = "catalog.csv"})) +
      how(report, networks) + caveats();
  std::string footer = text(command_line(), " · d16 ", d16::stamp::version, " (", d16::stamp::commit, ") · ",
                            d16::threads(), " threads, ", d16::kernels::cpu::isa_name(d16::kernels::cpu::best_isa()),
                            " · ", html::number(report.seconds, 1), " s, peak memory ", int64_t(peak_memory()), " MiB");
  return html::page("Disk or not: " + base_name(report.input), "Galaxy cutouts, denoised and classified by d16.", body,
                    footer);
}

}  // namespace tool
