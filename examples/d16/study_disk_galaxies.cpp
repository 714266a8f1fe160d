// What the report of `d16 study disk` says of single galaxies: bodies of study_disk_galaxies.hpp.
#include "study_disk_galaxies.hpp"

#include <algorithm>
#include <cmath>
#include <set>

namespace tool {

using d16::text;
namespace learn = d16::learn;

namespace {

constexpr char const* shown_regimes[] = {"b", "d", "e"};
constexpr size_t reliability_bins = 10;

std::string p_cell(double p) { return std::isfinite(p) ? decimals(p, 2) : not_run; }

}  // namespace

std::vector<ReliabilityRow> reliability_rows(DiskStudy& study, std::string const& model, std::string const& regime) {
  auto const& runs = study.runs(model, regime);
  if (runs.empty()) return {};
  struct Bin {
    double sum = 0;
    int64_t disks = 0, n = 0;
    std::map<int64_t, double> of_field = {};
  };
  std::vector<Bin> bins(reliability_bins);
  for (std::string const& part : disk_ladder()) {
    std::vector<double> p = runs[0].p(part);
    DiskTruth const& t = study.truth(part);
    for (size_t i = 0; i < p.size(); ++i) {
      Bin& bin = bins[std::min(reliability_bins - 1, size_t(p[i] * double(reliability_bins)))];
      bin.sum += p[i], bin.disks += t.label[i], ++bin.n, ++bin.of_field[t.field[i]];
    }
  }
  std::vector<ReliabilityRow> out;
  for (Bin const& bin : bins) {
    // Kish's design effect: n pictures in fields of n_f each say as much as n^2 / sum(n_f^2) independent ones
    double squares = 0;
    for (auto const& [field, n] : bin.of_field) squares += n * n;
    double z = 1.959963984540054 * std::sqrt(squares / std::max(1.0, double(bin.n)));
    out.push_back({bin.sum / double(bin.n), learn::fraction(bin.disks, bin.n, z)});
  }
  return out;
}

std::string reliability_table(DiskStudy& study, std::string const& model) {
  std::string out = "| p from", line = "|---";
  std::vector<std::vector<ReliabilityRow>> columns;
  for (char const* regime : shown_regimes) {
    out += text(" | mean p in ", regime, " | disks among them"), line += "|---|---";
    columns.push_back(reliability_rows(study, model, regime));
  }
  out += " |\n" + line + "|\n";
  for (size_t k = 0; k < reliability_bins; ++k) {
    out += "| " + decimals(double(k) / reliability_bins, 1);
    for (auto const& rows : columns)
      if (rows.empty()) out += text(" | ", not_run, " | ", not_run);
      else if (rows[k].disks.n == 0) out += " | – | –";
      else out += text(" | ", decimals(rows[k].mean_p, 2), " | ", with_interval(rows[k].disks));
    out += " |\n";
  }
  return out;
}

std::vector<FadedGalaxy> faded_galaxies(DiskStudy& study, std::string const& regime, int shrink) {
  constexpr double levels[] = {100, 30, 10, 3};
  constexpr size_t copies = 3;
  std::string part = text("ceers-", shrink);
  std::vector<std::vector<double>> p;
  for (DiskRun const& run : study.runs("d16", regime))
    if (run.has(part)) p.push_back(run.p(part));
  std::vector<FadedGalaxy> out;
  if (p.empty()) return out;
  DiskTruth const& t = study.truth(part);
  for (size_t first = 0; first < t.item.size(); first += copies) {
    std::vector<double> list;
    for (auto const& of_run : p) list.insert(list.end(), &of_run[first], &of_run[first] + copies);
    out.push_back({t.field[first], levels[first / copies % std::size(levels)], learn::spread_of_runs(list)});
  }
  return out;
}

std::string shrunk_text(int shrink) { return shrink == 1 ? "not shrunk" : text("shrunk ", shrink, " times"); }

std::string fading_table(DiskStudy& study) {
  std::string out =
      "| galaxy | size | regime | S/N 100 | S/N 30 | S/N 10 | S/N 3 |\n"
      "|---|---|---|---|---|---|---|\n";
  std::map<int64_t, std::string> of_galaxy;
  for (int shrink : faded_shrinks)
    for (char const* regime : shown_regimes) {
      std::map<int64_t, std::string> cells;
      for (FadedGalaxy const& g : faded_galaxies(study, regime, shrink))
        cells[g.id] += text(" | ", decimals(g.p.mean, 2), " ± ", decimals(g.p.sigma, 2));
      for (auto const& [id, list] : cells)
        of_galaxy[id] += text("| ", id, " | ", shrunk_text(shrink), " | ", regime, list, " |\n");
    }
  if (of_galaxy.empty()) return std::string(not_run) + "\n";
  for (auto const& [id, rows] : of_galaxy) out += rows;
  return out;
}

std::vector<DiskError> worst_errors(DiskStudy& study, size_t count) {
  auto p_of = [&](char const* regime, std::string const& part) {
    auto const& runs = study.runs("d16", regime);
    return runs.empty() ? std::vector<double>(study.truth(part).item.size(), std::nan("")) : runs[0].p(part);
  };
  std::vector<DiskError> all;
  for (double size : disk_sizes)
    for (double snr : {15.0, 35.0, 100.0}) {
      std::string part = disk_part(snr, size);
      std::vector<double> b = p_of("b", part), d = p_of("d", part), e = p_of("e", part);
      DiskTruth const& t = study.truth(part);
      for (size_t i = 0; i < b.size(); ++i)
        if (t.label[i] ? b[i] < 0.5 : b[i] >= 0.5)
          all.push_back({snr, size, int64_t(i), t.item[i], t.label[i] == 1, b[i], d[i], e[i]});
    }
  std::stable_sort(all.begin(), all.end(), [](DiskError const& x, DiskError const& y) {
    return std::abs(x.p_b - 0.5) > std::abs(y.p_b - 0.5);
  });
  std::vector<DiskError> out;
  std::set<int64_t> seen;
  for (DiskError const& error : all)
    if (out.size() < count && seen.insert(error.item).second) out.push_back(error);
  return out;
}

std::string errors_table(DiskStudy& study, size_t count) {
  std::string out = "| objid | truth | level | p in b | p in d | p in e |\n|---|---|---|---|---|---|\n";
  std::vector<DiskError> errors = worst_errors(study, count);
  for (DiskError const& e : errors)
    out += text("| ", study.data.id(e.item), " | ", e.is_disk ? "disk" : "elliptical", " | ", e.level(), " | ",
                p_cell(e.p_b), " | ", p_cell(e.p_d), " | ", p_cell(e.p_e), " |\n");
  return errors.empty() ? std::string(not_run) + "\n" : out;
}

}  // namespace tool
