// The report of `d16 study highz`: tables in report.md, plots in report.html, pictures of the worst errors.
#include <algorithm>
#include <cmath>
#include <map>
#include <stamp.hpp>

#include <d16/io/html.hpp>
#include <d16/io/plot.hpp>
#include <d16/io/png.hpp>
#include <d16/io/read_file.hpp>
#include <d16/io/safetensors.hpp>
#include <d16/learn/curves.hpp>
#include <d16/learn/intervals.hpp>
#include <d16/sim/survey_sheet.hpp>

#include "cutout.hpp"
#include "highz_figures.hpp"
#include "highz_models.hpp"
#include "highz_predict.hpp"
#include "study_highz.hpp"

namespace tool {

using d16::Tensor;
using d16::text;
namespace html = d16::io::html;
namespace io = d16::io;
namespace learn = d16::learn;
namespace sim = d16::sim;

namespace {

constexpr char const* class_names[] = {"low-z", "high-z", "brown dwarf"};
constexpr char const* object_names[] = {"Low-z galaxy", "High-z galaxy", "Brown dwarf"};
constexpr double endless = 1e300;

/// What is true of the objects of one part.
struct Truth {
  Tensor label;
  std::vector<double> z, snr;
  std::vector<int64_t> survey_flags, prepared_flags;
};

/// One unit with its logits.
struct Done {
  Json line;
  HighzRule rule;
  io::TensorFile logits;
  std::string variant() const { return line.string("variant"); }
  Tensor of(std::string const& part) const { return logits.at(part).cast(d16::DType::f64).contiguous(); }
};

struct Study {
  StudyHighzOptions options;
  std::vector<Done> done = {};
  std::map<std::string, Truth> truth = {};
  size_t best = 0;  ///< the least validation loss of what has weights and is shown all bands

  std::vector<Done const*> runs(std::string const& variant) const {
    std::vector<Done const*> out;
    for (Done const& d : done)
      if (d.variant() == variant) out.push_back(&d);
    return out;
  }
};

Truth truth_of(HighzCache const& cache, std::string const& part, int64_t count) {
  Truth out;
  std::vector<int64_t> label;
  cache.for_chunks(part, count, [&](HighzSet const& set, int64_t) {
    for (int64_t i = 0; i < set.size(); ++i) {
      label.push_back(set.label.data<int64_t>()[i]);
      out.z.push_back(set.truth.data<double>()[3 * i]);
      out.snr.push_back(set.snr(i));
      out.survey_flags.push_back(set.flags.data<int64_t>()[2 * i]);
      out.prepared_flags.push_back(set.flags.data<int64_t>()[2 * i + 1]);
    }
  });
  out.label = d16::from(label, {int64_t(label.size())});
  return out;
}

bool can_ship(Done const& d, int64_t side) {
  HighzVariant v = highz_variant(d.variant(), side);
  bool has_weights = v.kind == HighzVariant::Kind::network || v.kind == HighzVariant::Kind::trees;
  return has_weights && v.bands == 0x7f;
}

Study read_study(StudyHighzOptions const& o, HighzCache const& cache) {
  Study study{.options = o};
  for (Json const& line : study_results(o.out)) {
    Done d{line, {line.number("temperature"), line.number("threshold_high_z"), line.number("threshold_dwarf")}, {}};
    d.logits = io::read_safetensors(study_logits_path(o.out, line.string("unit")));
    study.done.push_back(std::move(d));
  }
  double least = endless;
  for (size_t i = 0; i < study.done.size(); ++i) {
    double loss = study.done[i].line.number("validation_loss");
    if (can_ship(study.done[i], o.side) && loss < least) least = loss, study.best = i;
  }
  for (std::string const& part : study_parts()) study.truth[part] = truth_of(cache, part, study_count(o, part));
  return study;
}

// --- tables ----------------------------------------------------------------------------------------------------------

std::vector<HighzScores> scores_of(Study const& study, std::string const& variant, std::string const& part, double low,
                                   double high) {
  Truth const& t = study.truth.at(part);
  std::vector<HighzScores> out;
  for (Done const* d : study.runs(variant))
    out.push_back(score_highz(d->of(part), t.label, highz_rows(t.snr, low, high), d->rule));
  return out;
}
template <class Get> std::string over(std::vector<HighzScores> const& scores, Get const& get) {
  std::vector<double> values;
  for (HighzScores const& s : scores) values.push_back(get(s));
  return spread_text(values);
}

std::string main_table(Study const& study, double low, double high) {
  std::string out =
      "| classifier | runs | weights | training | validation loss | balanced accuracy | AUC high-z | AUC dwarf | "
      "high-z purity | high-z completeness | dwarf precision | dwarf recall |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|---|\n";
  for (HighzVariant const& v : highz_variants(study.options.side)) {
    auto runs = study.runs(v.name);
    if (runs.empty() || v.bands != 0x7f) continue;
    std::vector<double> loss, seconds;
    for (Done const* d : runs)
      loss.push_back(d->line.number("validation_loss")), seconds.push_back(d->line.number("training_seconds"));
    std::vector<HighzScores> s = scores_of(study, v.name, "test", low, high);
    bool cuts = v.kind == HighzVariant::Kind::cuts;  // they say nothing about galaxies
    auto unless_cuts = [&](std::string words) { return cuts ? std::string("–") : words; };
    out += text("| ", v.name, ": ", v.what, " | ", runs.size(), " | ", runs[0]->line.integer("weights"), " | ",
                spread_text(seconds, 0), " s | ", unless_cuts(spread_text(loss, 4)), " | ",
                unless_cuts(over(s, [](auto const& x) { return x.accuracy; })), " | ",
                unless_cuts(over(s, [](auto const& x) { return x.auc_high_z; })), " | ",
                unless_cuts(over(s, [](auto const& x) { return x.auc_dwarf; })), " | ",
                unless_cuts(over(s, [](auto const& x) { return x.purity; })), " | ",
                unless_cuts(over(s, [](auto const& x) { return x.completeness; })), " | ",
                over(s, [](auto const& x) { return x.precision; }), " | ",
                over(s, [](auto const& x) { return x.recall; }), " |\n");
  }
  return out;
}

Tensor rows_of(Tensor const& x, std::vector<int64_t> const& rows) {
  std::vector<int64_t> out;
  for (int64_t i : rows) out.push_back(x.data<int64_t>()[i]);
  return d16::from(out, {int64_t(out.size())});
}

std::string confusion_table(Tensor const& confusion) {
  std::string out = "| truth | called low-z | called high-z | called brown dwarf |\n|---|---|---|---|\n";
  auto fractions = learn::confusion_fractions(confusion);
  for (size_t t = 0; t < 3; ++t) {
    out += text("| ", class_names[t]);
    for (learn::Fraction const& f : fractions[t]) out += " | " + with_interval(f);
    out += " |\n";
  }
  return out;
}

/// Precision and recall of each class, balanced and at 722:722:11.
std::string class_table(Study const& study, Done const& d, double low, double high) {
  Truth const& t = study.truth.at("test");
  std::vector<int64_t> rows = highz_rows(t.snr, low, high);
  HighzScores s = score_highz(d.of("test"), t.label, rows, d.rule);
  auto balanced = learn::class_scores(s.balanced);
  auto survey = learn::scores_at_prevalence(rows_of(t.label, rows), rows_of(highz_calls(d.of("test"), d.rule), rows),
                                            {highz_prevalence.begin(), highz_prevalence.end()}, {.samples = 300});
  std::string out =
      "| class | precision, balanced | recall, balanced | precision at 722:722:11 | recall at its thresholds |\n"
      "|---|---|---|---|---|\n";
  for (size_t k = 0; k < 3; ++k)
    out += text("| ", class_names[k], " | ", with_interval(balanced[k].precision), " | ",
                with_interval(balanced[k].recall), " | ", with_interval(survey[k].precision), " | ",
                with_interval(survey[k].recall), " |\n");
  return out;
}

/// Precision and recall of each class in one bin of S/N.
struct SnrBin {
  std::string name;
  int64_t n = 0;
  std::vector<learn::ClassScore> balanced = {};
  std::vector<learn::PrevalenceScore> survey = {};
};
/// Bins in which a class has fewer than five objects are left out.
std::vector<SnrBin> by_snr(Study const& study, Done const& d) {
  struct Edge {
    double low, high;
    char const* name;
  };
  constexpr Edge edges[] = {
      {5, 7, "5–7"}, {7, 10, "7–10"}, {10, 15, "10–15"}, {15, 30, "15–30"}, {30, endless, "≥ 30"}};
  Truth const& t = study.truth.at("test");
  Tensor calls = highz_calls(d.of("test"), d.rule);
  std::vector<SnrBin> out;
  for (Edge const& edge : edges) {
    std::vector<int64_t> rows = highz_rows(t.snr, edge.low, edge.high);
    std::array<int64_t, 3> counts{};
    for (int64_t i : rows) ++counts[size_t(t.label.data<int64_t>()[i])];
    if (*std::min_element(counts.begin(), counts.end()) < 5) continue;
    HighzScores s = score_highz(d.of("test"), t.label, rows, d.rule);
    out.push_back({edge.name, int64_t(rows.size()), learn::class_scores(s.balanced),
                   learn::scores_at_prevalence(rows_of(t.label, rows), rows_of(calls, rows),
                                               {highz_prevalence.begin(), highz_prevalence.end()}, {.samples = 500})});
  }
  return out;
}

std::string number_and_range(double value, learn::Interval const& i) {
  return std::isfinite(value) ? text(decimals(value, 3), " [", decimals(i.low, 3), ", ", decimals(i.high, 3), "]")
                              : "–";
}

std::string snr_table(std::vector<SnrBin> const& bins, bool at_prevalence) {
  std::string out =
      "| S/N | objects | low-z precision | low-z recall | high-z precision | high-z recall | dwarf precision | dwarf "
      "recall |\n|---|---|---|---|---|---|---|---|\n";
  for (SnrBin const& bin : bins) {
    out += text("| ", bin.name, " | ", bin.n);
    auto add = [&](auto const& score) {
      out += " | " + number_and_range(score.precision.value, score.precision.interval) + " | " +
             number_and_range(score.recall.value, score.recall.interval);
    };
    for (size_t k = 0; k < 3; ++k)
      if (at_prevalence) add(bin.survey[k]);
      else add(bin.balanced[k]);
    out += " |\n";
  }
  return out;
}

/// The same for the page: the darker, the better.
std::string snr_grid(std::vector<SnrBin> const& bins, std::string const& title, bool at_prevalence) {
  std::string out = "<h3>" + html::escape(title) +
                    "</h3><div class=\"scroll\"><table class=\"confusion\" style=\"font-size:12.5px\"><thead><tr><td "
                    "class=\"corner\">S/N</td>";
  for (char const* name : class_names) out += text("<th colspan=\"2\" style=\"padding:6px 4px 0\">", name, "</th>");
  out += "</tr>\n<tr><td></td>";
  for (int k = 0; k < 3; ++k)
    for (char const* name : {"precision", "recall"})
      out += text("<th class=\"total\" style=\"padding:0 4px 4px\">", name, "</th>");
  out += "</tr></thead>\n<tbody>\n";
  auto cell = [&](double value, learn::Interval const& i) {
    double shade = std::isfinite(value) ? std::clamp(1.8 * (value - 0.5), 0.0, 0.9) : 0;
    out += text("<td", shade > 0.65 ? " class=\"strong\"" : "", " style=\"--v:", shade,
                ";min-width:0;padding:5px 6px;font-size:13.5px\">", decimals(value, 3),
                "<small style=\"font-size:10.5px\">", decimals(i.low, 2), "–", decimals(i.high, 2), "</small></td>");
  };
  for (SnrBin const& bin : bins) {
    out += text("<tr><th class=\"text\" style=\"padding:5px 8px 5px 0;white-space:nowrap\">", bin.name, "<small>",
                html::count(bin.n), "</small></th>");
    for (size_t k = 0; k < 3; ++k) {
      auto add = [&](auto const& s) {
        cell(s.precision.value, s.precision.interval), cell(s.recall.value, s.recall.interval);
      };
      if (at_prevalence) add(bin.survey[k]);
      else add(bin.balanced[k]);
    }
    out += "</tr>\n";
  }
  return html::figure(out + "</tbody></table></div>\n", "");
}

/// Of the objects of one class that count, how many were called `wanted`.
template <class Counts>
learn::Fraction share(Truth const& t, Tensor const& calls, int64_t label, int64_t wanted, Counts const& counts) {
  int64_t right = 0, all = 0;
  for (int64_t i = 0; i < calls.numel(); ++i) {
    if (t.label.data<int64_t>()[i] != label || !counts(i)) continue;
    ++all, right += calls.data<int64_t>()[i] == wanted;
  }
  return learn::fraction(right, all);
}

std::string parts_table(Study const& study, Done const& d) {
  std::string out =
      "| part | S/N | low-z recall | high-z recall | brown-dwarf recall | high-z purity at 722:722:11 | dwarf "
      "precision "
      "at 722:722:11 |\n|---|---|---|---|---|---|---|\n";
  for (std::string const& part : study_parts()) {
    if (part == "validation") continue;
    Truth const& t = study.truth.at(part);
    for (auto [low, high, name] : {std::tuple(10.0, endless, "≥ 10"), std::tuple(5.0, 10.0, "5–10")}) {
      std::vector<int64_t> rows = highz_rows(t.snr, low, high);
      if (rows.empty()) continue;
      Tensor calls = highz_calls(d.of(part), d.rule);
      HighzScores s = score_highz(d.of(part), t.label, rows, d.rule);
      auto counts = [&, low = low, high = high](int64_t i) {
        return t.snr[size_t(i)] >= low && t.snr[size_t(i)] < high;
      };
      out += text("| ", part, " | ", name);
      for (int64_t k = 0; k < 3; ++k) out += " | " + with_interval(share(t, calls, k, k, counts));
      out += text(" | ", std::isfinite(s.purity) ? decimals(s.purity, 3) : "–", " | ",
                  std::isfinite(s.precision) ? decimals(s.precision, 3) : "–", " |\n");
    }
  }
  return out;
}

/// Little red dots apart, and the aliasing pairs as the poster counts them.
std::string special_text(Study const& study, Done const& d) {
  Truth const& dots = study.truth.at("red_dots");
  Tensor calls = highz_calls(d.of("red_dots"), d.rule);
  auto good = [&](int64_t i) { return dots.snr[size_t(i)] >= 10; };
  Truth const& pairs = study.truth.at("bimodal");
  Tensor first = learn::argmax(d.of("bimodal"));
  auto bright = [&](int64_t i) { return pairs.snr[size_t(i)] >= 10; };
  Truth const& test = study.truth.at("test");
  int64_t lost = 0;
  for (int64_t flags : test.prepared_flags) lost += (flags & highz_no_detection) != 0;
  return text(
      "- little red dots of S/N >= 10 called brown dwarfs: low-z ones ", with_interval(share(dots, calls, 0, 2, good)),
      ", high-z ones ", with_interval(share(dots, calls, 1, 2, good)),
      "\n- Balmer/Lyman pairs of S/N >= 10 (equal frequencies): TPR ", with_interval(share(pairs, first, 1, 1, bright)),
      ", TNR ", with_interval(share(pairs, first, 0, 0, bright)), " (poster: ~99 % and ~96 % of 67 real galaxies)\n",
      "- test objects in whose middle nothing was detected: ", lost, " of ", test.prepared_flags.size(),
      "; they are classified here all the same\n");
}

/// Balanced accuracy on the objects of S/N >= 10 of the test set's beginning, under another name of logits.
std::vector<double> accuracies(Study const& study, std::string const& variant, std::string const& logits) {
  std::vector<double> out;
  Truth const& t = study.truth.at("test");
  std::vector<double> snr(t.snr.begin(), t.snr.begin() + study_zeroed_count(study.options));
  for (Done const* d : study.runs(variant))
    if (d->logits.has(logits))
      out.push_back(score_highz(d->of(logits), t.label, highz_rows(snr, 10), d->rule).accuracy);
  return out;
}

double mean_of(std::vector<double> const& values) { return values.empty() ? NAN : learn::spread_of_runs(values).mean; }

std::string ablation_table(Study const& study) {
  std::string out =
      "| band taken away | zeroed at test time, network not told | the same, told | trained without it "
      "|\n|---|---|---|---|\n";
  for (auto const& band : sim::survey_bands)
    out += text("| ", band, " | ", spread_text(accuracies(study, "no-hog", text("zeroed-", band))), " | ",
                spread_text(accuracies(study, "no-hog", text("missing-", band))), " | ",
                spread_text(accuracies(study, text("without-", band), "test")), " |\n");
  out += text("| none | ", spread_text(accuracies(study, "no-hog", "test")), " | | |\n| all but F444W | | | ",
              spread_text(accuracies(study, "only-F444W", "test")), " |\n");
  return out;
}

struct Goal {
  std::string words;
  bool met;
};
std::vector<Goal> goals(Study const& study, Done const& d) {
  Truth const &t = study.truth.at("test"), &library = study.truth.at("heldout_library");
  HighzScores s = score_highz(d.of("test"), t.label, highz_rows(t.snr, 10), d.rule);
  auto good = [&](int64_t i) { return library.snr[size_t(i)] >= 10; };
  learn::Fraction held = share(library, highz_calls(d.of("heldout_library"), d.rule), 2, 2, good);
  return {{text("high-z purity ", decimals(s.purity, 3), " at completeness ", decimals(s.completeness, 3),
                " (asked: 0.95 at 0.90)"),
           s.purity >= 0.95 && s.completeness >= 0.90},
          {text("brown-dwarf recall ", decimals(s.recall, 3), " at precision ", decimals(s.precision, 3),
                " (asked: 0.90 at 0.60)"),
           s.recall >= 0.90 && s.precision >= 0.60},
          {text("recall on the held-out library ", with_interval(held), " (asked: 0.80)"), held.value >= 0.80}};
}

// --- plots -----------------------------------------------------------------------------------------------------------

html::Series roc_series(Truth const& t, Tensor const& logits, HighzRule const& rule, int64_t k, std::string name) {
  Tensor p = highz_probabilities(logits, rule.temperature, {1, 1, 1});
  std::vector<int64_t> rows = highz_rows(t.snr, 10);
  std::vector<double> scores;
  for (int64_t i : rows) scores.push_back(p.data<double>()[3 * i + k]);
  html::Series s{.name = std::move(name)};
  Tensor label = learn::one_against_rest(rows_of(t.label, rows), k);
  for (learn::RocPoint const& point : learn::roc_curve(d16::from(scores, {int64_t(scores.size())}), label))
    s.x.push_back(std::max(point.false_positive_rate, 1e-4)), s.y.push_back(point.true_positive_rate);
  return s;
}

/// The best run on validation of each of these.
std::vector<Done const*> best_of(Study const& study, std::vector<std::string> const& variants) {
  std::vector<Done const*> out;
  for (std::string const& v : variants) {
    auto runs = study.runs(v);
    auto less = [](Done const* a, Done const* b) {
      return a->line.number("validation_loss") < b->line.number("validation_loss");
    };
    if (!runs.empty()) out.push_back(*std::min_element(runs.begin(), runs.end(), less));
  }
  return out;
}

/// The trees and the network with the least validation loss of those that are shown all bands; what there is of them.
std::vector<Done const*> rivals(Study const& study) {
  std::vector<Done const*> out;
  for (auto kind : {HighzVariant::Kind::trees, HighzVariant::Kind::network}) {
    Done const* best = nullptr;
    for (Done const& d : study.done) {
      if (!can_ship(d, study.options.side) || highz_variant(d.variant(), study.options.side).kind != kind) continue;
      if (!best || d.line.number("validation_loss") < best->line.number("validation_loss")) best = &d;
    }
    if (best) out.push_back(best);
  }
  return out;
}

std::string roc_plots(Study const& study) {
  std::vector<std::string> plots;
  for (int64_t k : {1, 2}) {
    std::vector<html::Series> series;
    for (Done const* d : best_of(study, {"trees-flux", "trees-size", "templates", "main", "no-hog"}))
      series.push_back(roc_series(study.truth.at("test"), d->of("test"), d->rule, k, d->variant()));
    plots.push_back(html::plot(series, {.title = text("ROC of ", class_names[k], ", S/N ≥ 10"),
                                        .x = {"false positive rate", 1e-4, 1, true},
                                        .y = {"true positive rate", 0, 1}}));
  }
  return html::grid(plots);
}

/// A score of each of these by S/N.
template <class Get> std::string snr_plot(Study const& study, std::string const& title, Get const& get) {
  std::vector<double> const edges{5, 7, 10, 15, 20, 30, 50, 100, 400};
  std::vector<html::Series> series;
  Truth const& t = study.truth.at("test");
  for (Done const* d : best_of(study, {"trees-flux", "trees-size", "templates", "main"})) {
    html::Series s{.name = d->variant()};
    for (size_t i = 0; i + 1 < edges.size(); ++i) {
      std::vector<int64_t> rows = highz_rows(t.snr, edges[i], edges[i + 1]);
      if (rows.size() < 20) continue;
      s.x.push_back(std::sqrt(edges[i] * edges[i + 1]));
      s.y.push_back(get(score_highz(d->of("test"), t.label, rows, d->rule)));
    }
    series.push_back(s);
  }
  return html::plot(series, {.title = title, .x = {"S/N in F444W", 5, 400, true}, .y = {"", NAN, 1}});
}

std::vector<learn::ReliabilityBin> reliability_of(Study const& study, Done const& d, int64_t k) {
  Truth const& t = study.truth.at("test");
  Tensor p = highz_probabilities(d.of("test"), d.rule.temperature, {1, 1, 1});
  std::vector<double> said;
  for (int64_t i = 0; i < p.dim(0); ++i) said.push_back(p.data<double>()[3 * i + k]);
  return learn::reliability_bins(d16::from(said, {p.dim(0)}), learn::one_against_rest(t.label, k));
}

html::Series reliability_series(Study const& study, Done const& d, int64_t k) {
  std::vector<learn::ReliabilityBin> bins = reliability_of(study, d, k);
  html::Series s{.name = text(d.line.string("unit"), ", mean distance ", decimals(learn::calibration_error(bins), 4)),
                 .mark = html::Series::Mark::points};
  for (learn::ReliabilityBin const& bin : bins) {
    if (bin.count == 0) continue;
    double error = std::sqrt(bin.fraction * (1 - bin.fraction) / double(bin.count));
    s.add(bin.mean_probability, bin.fraction, bin.fraction - error, bin.fraction + error);
  }
  return s;
}

std::string reliability_plots(Study const& study) {
  std::vector<std::string> plots;
  for (int64_t k : {1, 2}) {
    std::vector<html::Series> series;
    for (Done const* d : rivals(study)) series.push_back(reliability_series(study, *d, k));
    plots.push_back(html::plot(series, {.title = text("Reliability of ", class_names[k]),
                                        .x = {text("said: p ", class_names[k]), 0, 1},
                                        .y = {"true fraction", 0, 1},
                                        .diagonal = true,
                                        .height = 380}));
  }
  return html::grid(plots);
}

std::string confusions(Study const& study) {
  std::vector<std::string> pieces;
  Truth const& t = study.truth.at("test");
  for (Done const* d : rivals(study)) {
    Tensor counts = score_highz(d->of("test"), t.label, highz_rows(t.snr, 10), d->rule).survey;
    pieces.push_back(html::figure("<h3>" + html::escape(d->line.string("unit")) + "</h3>" +
                                      html::confusion_matrix({class_names[0], class_names[1], class_names[2]},
                                                             {counts.data<int64_t>(), counts.data<int64_t>() + 9}),
                                  ""));
  }
  return html::grid(pieces);
}

/// Balanced accuracy without each band, as a plot and as a table; empty before any of it was run.
std::string ablation(Study const& study) {
  html::Series untold{.name = "zeroed, not told", .mark = html::Series::Mark::points}, told = untold, trained = untold;
  told.name = "missing, told", trained.name = "trained without";
  std::vector<double> means[3];
  for (std::string const band : sim::survey_bands) {
    auto add = [&](html::Series& s, size_t column, std::string const& variant, std::string const& logits) {
      means[column].push_back(mean_of(accuracies(study, variant, logits)));
      if (std::isfinite(means[column].back())) s.x.push_back(wavelength(band)), s.y.push_back(means[column].back());
    };
    add(untold, 0, "no-hog", "zeroed-" + band), add(told, 1, "no-hog", "missing-" + band);
    add(trained, 2, "without-" + band, "test");
  }
  if (untold.x.empty() && trained.x.empty()) return html::paragraph("None of these has been run yet.");
  io::Table table;
  table.column("band", std::vector<std::string>(sim::survey_bands.begin(), sim::survey_bands.end()));
  table.column("zeroed", means[0]).column("told", means[1]).column("trained", means[2]);
  return html::grid(
      {html::plot({untold, told, trained},
                  {.title = "Balanced accuracy without one band", .x = {"the band (µm)", 0.6, 4.8}, .y = {"", NAN, 1}}),
       html::table(table, {.digits = 3})});
}

// --- pictures --------------------------------------------------------------------------------------------------------

/// The objects of S/N >= 10 that were called something else with the greatest confidence.
std::vector<int64_t> worst_errors(Study const& study, Done const& d, size_t count) {
  Truth const& t = study.truth.at("test");
  Tensor p = highz_probabilities(d.of("test"), d.rule.temperature, {1, 1, 1});
  std::vector<std::pair<double, int64_t>> order;
  for (int64_t i : highz_rows(t.snr, 10)) order.push_back({p.data<double>()[3 * i + t.label.data<int64_t>()[i]], i});
  std::sort(order.begin(), order.end());
  std::vector<int64_t> out;
  for (size_t i = 0; i < std::min(count, order.size()); ++i) out.push_back(order[i].second);
  return out;
}

/// The first object of a part that is so, else the brightest that is of this class.
template <class Suits> int64_t first_that(Truth const& t, int64_t label, Suits const& suits) {
  int64_t brightest = -1;
  for (int64_t i = 0; i < t.label.numel(); ++i) {
    if (t.label.data<int64_t>()[i] != label) continue;
    if (suits(i)) return i;
    if (brightest < 0 || t.snr[size_t(i)] > t.snr[size_t(brightest)]) brightest = i;
  }
  return brightest;
}

/// A galaxy with a clear spectrum and a size, or a dwarf: what the class looks like.
int64_t typical(Truth const& t, int64_t label) {
  int64_t odd = sim::survey_neighbour;
  if (label != 2) odd |= sim::survey_little_red_dot | sim::survey_compact;
  return first_that(t, label, [&](int64_t i) {
    auto at = size_t(i);
    bool break_in_bands = label != 1 || (t.z[at] > 8.2 && t.z[at] < 10);
    return t.snr[at] >= 30 && t.snr[at] < 100 && !(t.survey_flags[at] & odd) && break_in_bands;
  });
}

std::string words_of(sim::SurveyTruth const& t) {
  bool dwarf = t.label == sim::SurveyClass::brown_dwarf;
  return text(dwarf ? text("T = ", decimals(t.teff, 0), " K")
                    : text("z = ", decimals(t.z, 2), " · half-light radius ", decimals(t.shape.r_eff, 2), "″"),
              " · ", decimals(t.magnitude, 1), " mag · S/N ", decimals(t.snr, 0));
}

/// Spectrum, bands and answer for a test object of which the bands in `missing` are taken away.
std::string example(sim::Survey const& survey, HighzPredictor& classifier, int64_t index, uint32_t missing) {
  sim::SurveyObject o = survey.object(sim::Split::test, index);
  BandObject object{o.image, o.error};
  for (int64_t i = 0; i < object.image.numel(); ++i)
    if (missing >> (i % highz_bands) & 1) object.image.data<float>()[i] = NAN;
  HighzInputs in = prepare_highz({object});
  auto [p, call] = classifier.of_objects(in)[0];
  std::string title = object_names[size_t(o.truth.label)], meters;
  char const* short_names[] = {"p low-z", "p high-z", "p dwarf"};
  for (size_t k = 0; k < 3; ++k) meters += html::meter(p[k], short_names[k]);
  return text(
      "<article><header><h3>", title, missing ? ", the same without two bands" : "", "</h3>",
      html::badge(text("called ", class_names[call]), call == int(o.truth.label) ? html::Tone::good : html::Tone::bad),
      "</header>\n",
      highz_spectrum_plot({in.flux[0], in.flux_error[0], o.truth.flux, survey.spectrum(sim::Split::test, index)}),
      "<div class=\"pictures\" style=\"gap:4px;margin-top:8px\">", highz_strip(object.image, title), "</div>\n", meters,
      html::paragraph(words_of(o.truth)), "</article>\n");
}

std::string examples(Study const& study, HighzCache const& cache, Done const& best) {
  constexpr uint32_t no_f090w_f356w = 0b0100001;
  if (!can_ship(best, study.options.side)) return html::paragraph("No classifier with weights has been run yet.");
  std::string weights = join(join(study.options.out, "units"), best.line.string("unit"));
  HighzPredictor classifier(weights + (is_file(weights + ".json") ? ".json" : ".safetensors"), study.options.device,
                            {1, 1, 1});
  Truth const& t = study.truth.at("test");
  std::vector<std::string> cards;
  for (auto [label, missing] : {std::pair(0, 0u), std::pair(1, 0u), std::pair(2, 0u), std::pair(1, no_f090w_f356w)})
    if (int64_t i = typical(t, label); i >= 0) cards.push_back(example(cache.survey("test"), classifier, i, missing));
  return html::grid(cards);
}

/// One object of a part before and after its neighbours are masked.
std::string segments(Study const& study, HighzCache const& cache, std::string const& part, int64_t index) {
  sim::SurveyObject o = cache.survey(part).object(highz_part(part).split, index);
  std::string name = object_names[size_t(o.truth.label)];
  if (part == "stress") name += " on a bright, sloping background";
  bool blended = study.truth.at(part).prepared_flags[size_t(index)] & highz_blended;
  return text("<article><header><h3>", name, "</h3>", html::badge(blended ? "BLENDED" : "MASKED", html::Tone::warning),
              "</header>\n<div class=\"pictures\">", highz_segments({o.image, o.error}, name), "</div>\n",
              html::paragraph(words_of(o.truth)), "</article>\n");
}

/// A blended object and one with a neighbour apart, of the test set and of the stress set.
std::string segmentation(Study const& study, HighzCache const& cache) {
  std::vector<std::string> cards;
  for (std::string const part : {"test", "stress"})
    for (int64_t flag : {highz_blended, highz_masked}) {
      Truth const& t = study.truth.at(part);
      int64_t i = first_that(t, 1, [&](int64_t k) {
        auto at = size_t(k);
        int64_t seen = t.prepared_flags[at] & (highz_blended | highz_masked);
        return t.snr[at] >= 15 && t.survey_flags[at] & sim::survey_neighbour && (seen & flag) &&
               (flag == highz_blended || seen == flag);
      });
      if (i >= 0) cards.push_back(segments(study, cache, part, i));
    }
  return html::grid(cards);
}

/// The best trees and the best network by S/N.
std::string snr_text(Study const& study) {
  std::string out;
  for (Done const* d : rivals(study)) {
    std::vector<SnrBin> bins = by_snr(study, *d);
    out += text("\n## ", d->line.string("unit"), " by S/N\n\nBy its thresholds at 722:722:11:\n\n",
                snr_table(bins, true), "\nLargest probability at equal frequencies:\n\n", snr_table(bins, false));
  }
  return out;
}
std::string snr_grids(Study const& study) {
  std::vector<std::string> pieces;
  for (Done const* d : rivals(study)) {
    std::vector<SnrBin> bins = by_snr(study, *d);
    std::string unit = d->line.string("unit");
    pieces.push_back(snr_grid(bins, unit + ", its thresholds at 722:722:11", true));
    pieces.push_back(snr_grid(bins, unit + ", equal frequencies", false));
  }
  pieces.push_back(snr_plot(study, "Balanced accuracy", [](HighzScores const& s) { return s.accuracy; }));
  pieces.push_back(
      snr_plot(study, "Brown-dwarf precision at 722:722:11", [](HighzScores const& s) { return s.precision; }));
  return html::grid(pieces);
}

std::string markdown(Study const& study, Done const& best) {
  StudyHighzOptions const& o = study.options;
  Truth const& t = study.truth.at("test");
  HighzScores s = score_highz(best.of("test"), t.label, highz_rows(t.snr, 10), best.rule);
  std::string out = text(
      "# Low-z, high-z or brown dwarf: the study on the simulated survey\n\nAll numbers are about a simulation. ",
      o.train, " training, ", o.validation, " validation and ", o.test, " test objects, a third of each class; ",
      o.extra, " of each further part. High-z: z >= ", o.threshold,
      ". ± is the standard deviation over runs, brackets are 95 % intervals (Wilson for counts, bootstrap for "
      "precision at 722:722:11). Thresholds and temperatures are from validation objects.\n\n```\n",
      command_line(), "\n```\n\n## All classifiers, test objects of S/N >= 10\n\n", main_table(study, 10, endless),
      "\nThe poster (Roberts & Conselice): 97.4 % of low-z and 98.0 % of high-z right, no brown dwarf found: a real "
      "survey, the best of ten runs. It is not the same test.\n\n## All classifiers, S/N 5 to 10\n\n",
      main_table(study, 5, 10), "\n## The classifier with the least validation loss: ", best.line.string("unit"),
      "\n\n");
  for (Goal const& goal : goals(study, best)) out += text("- ", goal.met ? "met: " : "not met: ", goal.words, "\n");
  out += text("\nLargest probability at equal frequencies, S/N >= 10:\n\n", confusion_table(s.balanced),
              "\nBy its thresholds at 722:722:11, S/N >= 10:\n\n", confusion_table(s.survey), "\n",
              class_table(study, best, 10, endless), "\nS/N 5 to 10:\n\n", class_table(study, best, 5, 10),
              snr_text(study), "\n## Other parts of the survey, by the same thresholds\n\n", parts_table(study, best),
              "\n", special_text(study, best), "\nCalibration error (10 bins, equal frequencies, all S/N): high-z ",
              decimals(learn::calibration_error(reliability_of(study, best, 1)), 4), ", brown dwarfs ",
              decimals(learn::calibration_error(reliability_of(study, best, 2)), 4),
              ".\n\n## Without single bands: balanced accuracy, S/N >= 10, the first ", study_zeroed_count(o),
              " test objects (trained without: all)\n\n", ablation_table(study));
  return out;
}

std::string tiles(Done const& best, HighzScores const& s) {
  std::string at = "S/N ≥ 10, at 722:722:11";
  return html::tiles(
      {{decimals(best.line.number("validation_loss"), 3), "least validation loss", best.line.string("unit")},
       {decimals(s.purity, 3), "high-z purity", at},
       {decimals(s.completeness, 3), "high-z completeness", at},
       {decimals(s.precision, 3), "brown-dwarf precision", at},
       {decimals(s.recall, 3), "brown-dwarf recall", at}});
}

}  // namespace

Json study_highz_report(StudyHighzOptions const& o) {
  HighzCache cache(o.data, join(o.out, "cache"), {.threshold = o.threshold}, o.side);
  Study study = read_study(o, cache);
  d16::require<d16::ValueError>(!study.done.empty(), o.out, ": has no results yet; give more --minutes");
  Done const& best = study.done[study.best];
  Truth const& t = study.truth.at("test");
  HighzScores s = score_highz(best.of("test"), t.label, highz_rows(t.snr, 10), best.rule);
  sim::Survey const& survey = cache.survey("test");
  io::write_png(join(o.out, "errors.png"),
                sim::survey_sheet(survey, cache.data().filters, sim::Split::test, worst_errors(study, best, 12)));
  io::write_file(join(o.out, "report.md"), markdown(study, best));
  std::string body =
      html::notice("SIMULATED: all objects are from d16 simulate survey; no telescope saw them.") + tiles(best, s) +
      html::section(
          "Spectra and cutouts",
          text("Fluxes are measured in 0.15″ and corrected to all light of a point, so that extended galaxies "
               "lie below the truth; grey: the spectrum without noise. Dashed and empty boxes: bands without "
               "data. Answers of ",
               best.line.string("unit"), ", at equal frequencies."),
          examples(study, cache, best)) +
      html::section("Segmentation, before and after",
                    "F277W, F356W and F444W together in units of their noise. Blue: the object; orange: neighbours, "
                    "which become noise with two pixels around them (dashed).",
                    segmentation(study, cache)) +
      html::section("Confusion", "Test objects of S/N ≥ 10, by the thresholds at 722:722:11.", confusions(study)) +
      html::section("ROC", "The best run on validation of each; the axis of false positives is logarithmic.",
                    roc_plots(study)) +
      html::section("Signal to noise",
                    "Precision and recall of each class with 95 % intervals; numbers of objects below the bins.",
                    snr_grids(study)) +
      html::section("Reliability", "At equal class frequencies, all test objects; bars are binomial errors.",
                    reliability_plots(study)) +
      html::section("Bands", "One band taken away from no-hog; test objects of S/N ≥ 10.", ablation(study)) +
      html::section("The worst errors", "Spectrum with true (blue) and measured (red) fluxes, then the seven bands.",
                    html::figure(html::image(io::read_file(join(o.out, "errors.png")), "worst errors"), ""));
  io::write_file(join(o.out, "report.html"),
                 html::page("Low-z, high-z or brown dwarf", "A simulated survey, classified by d16.", body,
                            text(command_line(), " · d16 ", d16::stamp::version, " (", d16::stamp::commit, ")")));
  Json answer = Json::object({{"out", o.out},
                              {"units", int64_t(study.done.size())},
                              {"best", best.line.string("unit")},
                              {"simulated", true},
                              {"snr_10", s.json()}});
  bool all = true;
  for (Goal const& goal : goals(study, best)) {
    all = all && goal.met;
    say(text(goal.met ? "met: " : "not met: ", goal.words));
  }
  answer["goals_met"] = all;
  say(text(join(o.out, "report.md"), ", report.html, errors.png written"));
  return answer;
}

}  // namespace tool
