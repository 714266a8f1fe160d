// The report of d16 photoz: scatter, coverage, cuts and brown dwarfs on one page.
#include <algorithm>
#include <cmath>

#include <d16/io/html.hpp>
#include <d16/io/plot.hpp>

#include "photoz.hpp"

namespace tool {

using d16::text;
namespace io = d16::io;
namespace html = d16::io::html;
using namespace d16::photoz;

namespace {

std::string tiles_of(PhotozResults const& r, std::vector<PhotozBin> const& bins) {
  auto known = std::count_if(r.fits.begin(), r.fits.end(), [](RedshiftFit const& f) { return f.known(); });
  auto bimodal = std::count_if(r.flags.begin(), r.flags.end(), [](int32_t f) { return (f & photoz_bimodal) != 0; });
  std::vector<html::Tile> tiles{
      {html::count(int64_t(r.fits.size())), "rows", text(html::count(known), " with a redshift")},
      {html::count(int64_t(double(r.fits.size()) / r.seconds)), "objects a second",
       text(r.grid.templates(), " templates, ", r.grid.redshifts(), " redshifts, ", d16::threads(), " threads")},
      {html::count(bimodal), "bimodal", text("second mode at ", r.options.bimodal, " of the first or more, aliased")}};
  if (!bins.empty() && bins[0].scores.n > 1) {
    RedshiftScores const& s = bins[0].scores;
    tiles.push_back(
        {html::number(s.sigma_nmad, 4), "σ_NMAD", text("± ", html::number(s.sigma_error, 4), ", ", s.n, " rows")});
    tiles.push_back({text(html::number(100 * s.outliers.value, 1), " %"), "outliers beyond 0.15",
                     text(html::number(100 * s.outliers.interval.low, 1), " to ",
                          html::number(100 * s.outliers.interval.high, 1), " % (95 %)")});
  }
  return html::tiles(tiles);
}

std::string against_truth(PhotozResults const& r, std::vector<PhotozBin> const& bins) {
  if (bins.empty() || bins[0].scores.n < 2) return "";
  html::Series sure{.name = "one mode", .mark = html::Series::Mark::points},
      doubtful{.name = "bimodal", .mark = html::Series::Mark::points};
  html::Sample rank;
  for (size_t i = 0; i < r.fits.size(); ++i) {
    double z = r.catalogue.truth[i];
    if (!r.fits[i].known() || !std::isfinite(z)) continue;
    html::Series& s = r.flags[i] & photoz_bimodal ? doubtful : sure;
    s.x.push_back(z), s.y.push_back(r.fits[i].z_a);
    rank.values.push_back(r.fits[i].rank);
  }
  io::Table table;
  std::vector<std::string> names;
  std::vector<int64_t> n;
  std::vector<double> columns[6];
  for (PhotozBin const& bin : bins) {
    RedshiftScores const& s = bin.scores;
    if (s.n == 0) continue;
    names.push_back(bin.name), n.push_back(s.n);
    double values[] = {s.sigma_nmad, s.sigma_error, s.bias, s.outliers.value, s.in68.value, s.in95.value};
    for (size_t k = 0; k < 6; ++k) columns[k].push_back(values[k]);
  }
  char const* titles[] = {"sigma_NMAD", "its error", "bias", "outliers", "in 68 %", "in 95 %"};
  table.column("rows", names).column("n", n);
  for (size_t k = 0; k < 6; ++k) table.column(titles[k], columns[k]);
  std::string truth = r.catalogue.rows.simulated ? "true redshift (simulated)" : "spectroscopic redshift";
  return html::section(
      "Against " + r.catalogue.truth_column,
      "S/N: all bands together, weighted by 1/σ². Outliers: |z_a − z| > 0.15 (1 + z). The last two columns would be "
      "0.68 and 0.95 if P(z) were right.",
      html::table(table) +
          html::grid({html::plot({sure, doubtful}, {.title = "Redshift", .x = {truth}, .y = {"z_a"}, .diagonal = true}),
                      html::histogram({rank}, {.title = "Where the truth lies in P(z)",
                                               .x = {"P(below the true redshift); flat is right", 0, 1},
                                               .bins = 20})}));
}

std::string cuts_of(PhotozResults const& r) {
  if (r.counts.empty()) return "";
  io::Table table;
  std::vector<std::string> name, asks;
  std::vector<int64_t> fail, left;
  for (CutCount const& c : r.counts)
    name.push_back(c.name), asks.push_back(c.asks), fail.push_back(c.fail), left.push_back(c.left);
  table.column("cut", name).column("asks for", asks).column("fail", fail, {"", "each cut alone"});
  table.column("left", left, {"", "pass this one and all above"});
  return html::section("Quality cuts", "In the column cuts, 0 passes all.", html::table(table));
}

std::string distributions(PhotozResults const& r) {
  html::Sample z{"all", {}}, sound{"pass the cuts", {}};
  html::Series dwarfs{.mark = html::Series::Mark::points};
  for (size_t i = 0; i < r.fits.size(); ++i) {
    RedshiftFit const& f = r.fits[i];
    if (!f.known()) continue;
    z.values.push_back(f.z_a);
    if (!r.failed.empty() && r.failed[i] == 0) sound.values.push_back(f.z_a);
    dwarfs.x.push_back(f.chi2_beside_dwarf), dwarfs.y.push_back(f.dwarf.chi2);
  }
  std::vector<html::Sample> samples{z};
  if (!r.failed.empty()) samples.push_back(sound);
  std::vector<std::string> plots{html::histogram(samples, {.title = "Redshifts", .x = {"z_a"}, .bins = 40})};
  if (!r.dwarfs.empty())
    plots.push_back(html::plot({dwarfs}, {.title = "Galaxy or brown dwarf",
                                          .x = {"χ² of the best galaxy, same bands", 0.01, 1e4, true},
                                          .y = {"χ² of the best dwarf", 0.01, 1e4, true},
                                          .diagonal = true}));
  return html::section("Distributions", "Below the dashed line a brown dwarf fits better.", html::grid(plots));
}

}  // namespace

std::string photoz_report(PhotozResults const& r) {
  std::vector<PhotozBin> bins = photoz_bins(r);
  std::string body;
  for (std::string const& note : r.catalogue.notes) body += html::notice(note);
  body += tiles_of(r, bins) + against_truth(r, bins) + cuts_of(r) + distributions(r);
  return html::page("Photometric redshifts", base_name(r.options.photometry.catalog), body, made_by());
}

}  // namespace tool
