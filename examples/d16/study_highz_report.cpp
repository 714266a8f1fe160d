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

#include "highz_models.hpp"
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
constexpr double endless = 1e300;

/// What is true of the objects of one part.
struct Truth {
  Tensor label;
  std::vector<double> snr;
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

/// "0.953 ± 0.004" over runs; of one run the number alone.
std::string spread(std::vector<double> values, int places = 3) {
  std::erase_if(values, [](double v) { return !std::isfinite(v); });
  if (values.empty()) return "–";
  learn::Spread s = learn::spread_of_runs(values);
  return decimals(s.mean, places) + (s.runs > 1 ? " ± " + decimals(s.sigma, places) : "");
}
std::string with_interval(learn::Fraction const& f) {
  if (f.n == 0) return "–";
  return text(decimals(f.value, 3), " [", decimals(f.interval.low, 3), ", ", decimals(f.interval.high, 3), "] (",
              f.successes, " of ", f.n, ")");
}
std::string with_interval(learn::Bootstrap const& b) {
  if (!std::isfinite(b.value)) return "–";
  return text(decimals(b.value, 3), " [", decimals(b.interval.low, 3), ", ", decimals(b.interval.high, 3), "]");
}

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
  return spread(values);
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
                spread(seconds, 0), " s | ", unless_cuts(spread(loss, 4)), " | ",
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
    out += text("| ", band, " | ", spread(accuracies(study, "no-hog", text("zeroed-", band))), " | ",
                spread(accuracies(study, "no-hog", text("missing-", band))), " | ",
                spread(accuracies(study, text("without-", band), "test")), " |\n");
  out += text("| none | ", spread(accuracies(study, "no-hog", "test")), " | | |\n| all but F444W | | | ",
              spread(accuracies(study, "only-F444W", "test")), " |\n");
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

std::string snr_plot(Study const& study) {
  std::vector<double> const edges{5, 7, 10, 15, 20, 30, 50, 100, 400};
  std::vector<html::Series> series;
  Truth const& t = study.truth.at("test");
  for (Done const* d : best_of(study, {"trees-flux", "trees-size", "templates", "main"})) {
    html::Series s{.name = d->variant()};
    for (size_t i = 0; i + 1 < edges.size(); ++i) {
      std::vector<int64_t> rows = highz_rows(t.snr, edges[i], edges[i + 1]);
      if (rows.size() < 20) continue;
      s.x.push_back(std::sqrt(edges[i] * edges[i + 1]));
      s.y.push_back(score_highz(d->of("test"), t.label, rows, d->rule).accuracy);
    }
    series.push_back(s);
  }
  return html::plot(series,
                    {.title = "Balanced accuracy by S/N", .x = {"S/N in F444W", 5, 400, true}, .y = {"accuracy"}});
}

std::vector<learn::ReliabilityBin> reliability_of(Study const& study, Done const& d, int64_t k) {
  Truth const& t = study.truth.at("test");
  Tensor p = highz_probabilities(d.of("test"), d.rule.temperature, {1, 1, 1});
  std::vector<double> said;
  for (int64_t i = 0; i < p.dim(0); ++i) said.push_back(p.data<double>()[3 * i + k]);
  return learn::reliability_bins(d16::from(said, {p.dim(0)}), learn::one_against_rest(t.label, k));
}

std::string reliability_plots(Study const& study, Done const& d) {
  std::vector<std::string> plots;
  for (int64_t k : {1, 2}) {
    std::vector<double> said, seen;
    std::vector<int64_t> counts;
    for (learn::ReliabilityBin const& bin : reliability_of(study, d, k))
      said.push_back(bin.mean_probability), seen.push_back(bin.fraction), counts.push_back(bin.count);
    plots.push_back(html::reliability(said, seen, counts, text("Reliability of ", class_names[k])));
  }
  return html::grid(plots);
}

std::string ablation_plot(Study const& study) {
  html::Series untold{.name = "zeroed, not told", .mark = html::Series::Mark::points}, told = untold, trained = untold;
  told.name = "missing, told", trained.name = "trained without";
  for (size_t b = 0; b < sim::survey_bands.size(); ++b) {
    auto add = [&](html::Series& s, std::string const& variant, std::string const& logits) {
      double mean = mean_of(accuracies(study, variant, logits));
      if (std::isfinite(mean)) s.x.push_back(double(b + 1)), s.y.push_back(mean);
    };
    std::string band = sim::survey_bands[b];
    add(untold, "no-hog", "zeroed-" + band), add(told, "no-hog", "missing-" + band);
    add(trained, "without-" + band, "test");
  }
  return html::plot({untold, told, trained},
                    {.title = "Balanced accuracy without one band",
                     .x = {"band: 1 F090W, 2 F115W, 3 F150W, 4 F200W, 5 F277W, 6 F356W, 7 F444W", 0, 8},
                     .y = {"accuracy", 0, 1}});
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

/// Three objects of each class: the first of S/N >= 20.
std::vector<int64_t> typical(Truth const& t) {
  std::vector<int64_t> out;
  for (int64_t k = 0; k < 3; ++k)
    for (int64_t i = 0, left = 3; i < t.label.numel() && left > 0; ++i)
      if (t.label.data<int64_t>()[i] == k && t.snr[size_t(i)] >= 20) out.push_back(i), --left;
  return out;
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
              "\n## Other parts of the survey, by the same thresholds\n\n", parts_table(study, best), "\n",
              special_text(study, best), "\nCalibration error (10 bins, equal frequencies, all S/N): high-z ",
              decimals(learn::calibration_error(reliability_of(study, best, 1)), 4), ", brown dwarfs ",
              decimals(learn::calibration_error(reliability_of(study, best, 2)), 4),
              ".\n\n## Without single bands: balanced accuracy, S/N >= 10, the first ", study_zeroed_count(o),
              " test objects (trained without: all)\n\n", ablation_table(study));
  return out;
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
  io::write_png(join(o.out, "examples.png"),
                sim::survey_sheet(survey, cache.data().filters, sim::Split::test, typical(t)));
  io::write_file(join(o.out, "report.md"), markdown(study, best));
  std::vector<int64_t> counts(s.survey.data<int64_t>(), s.survey.data<int64_t>() + 9);
  std::string body =
      html::section("Confusion", text(best.line.string("unit"), ", test objects of S/N ≥ 10, at 722:722:11"),
                    html::confusion_matrix({"low-z", "high-z", "brown dwarf"}, counts)) +
      html::section("ROC", "The best run on validation of each; the axis of false positives is logarithmic.",
                    roc_plots(study)) +
      html::section("Signal to noise", "", snr_plot(study)) +
      html::section("Reliability", "At equal class frequencies.", reliability_plots(study, best)) +
      html::section("Bands", "", ablation_plot(study)) +
      html::section("The worst errors", "Spectrum with true (blue) and measured (red) fluxes, then the seven bands.",
                    html::figure(html::image(io::read_file(join(o.out, "errors.png")), "worst errors"), "")) +
      html::section("Examples", "",
                    html::figure(html::image(io::read_file(join(o.out, "examples.png")), "examples"), ""));
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
  say(text(join(o.out, "report.md"), ", report.html, errors.png, examples.png written"));
  return answer;
}

}  // namespace tool
