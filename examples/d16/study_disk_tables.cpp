// The tables of `d16 study disk`: bodies of study_disk_tables.hpp.
#include "study_disk_tables.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include <d16/io/html.hpp>
#include <d16/learn/calibration.hpp>
#include <d16/learn/paired.hpp>

namespace tool {

using d16::Tensor;
using d16::text;
namespace html = d16::io::html;
namespace io = d16::io;
namespace learn = d16::learn;

// --- what was run ---------------------------------------------------------------------------------------------------------

DiskStudy::DiskStudy(StudyDiskOptions const& o) : options(o), data(o), lines(study_results(o.out)) {
  std::string denoiser = join(o.out, "denoiser.safetensors");
  if (is_file(denoiser)) use_disk_denoiser(denoiser, data), has_denoiser_ = true;
  for (Json const& line : lines) {
    if (line.string("kind") != "main") continue;
    auto file = std::make_shared<io::TensorFile>(io::read_safetensors(study_logits_path(o.out, line.string("unit"))));
    for (auto const& [column, s] : line.at("scores").object())
      runs_[line.string("model") + "/" + column].push_back({line.integer("run"),
                                                            {s.number("temperature"), s.number("threshold")},
                                                            s.number("auc"),
                                                            s.number("balanced_accuracy"),
                                                            line.number("validation_auc"),
                                                            file,
                                                            line.string("unit"),
                                                            column});
  }
  for (auto& [name, list] : runs_)
    std::sort(list.begin(), list.end(), [](DiskRun const& a, DiskRun const& b) { return a.seed < b.seed; });
}

std::vector<DiskRun> const& DiskStudy::runs(std::string const& model, std::string const& column) const {
  static std::vector<DiskRun> const none;
  auto found = runs_.find(model + "/" + column);
  return found == runs_.end() ? none : found->second;
}
DiskTruth const& DiskStudy::truth(std::string const& part) {
  DiskTruth& t = truth_[part];
  if (!t.label.empty()) return t;
  DiskSet set = data.load(part);
  for (int64_t i = 0; i < set.size(); ++i) {
    t.label.push_back(set.is_disk(i)), t.field.push_back(set.field.data<int64_t>()[i]);
    t.item.push_back(set.item.data<int64_t>()[i]);
  }
  return t;
}
std::vector<std::pair<DiskRun const*, DiskRun const*>> DiskStudy::pairs(std::vector<DiskRun> const& one,
                                                                        std::vector<DiskRun> const& other) const {
  std::vector<std::pair<DiskRun const*, DiskRun const*>> out;
  for (DiskRun const& a : one)
    for (DiskRun const& b : other)
      if (a.seed == b.seed) out.push_back({&a, &b});
  return out;
}
Json const* DiskStudy::line(std::string const& unit) const {
  for (Json const& l : lines)
    if (l.string("unit") == unit) return &l;
  return nullptr;
}

namespace {

constexpr double sure = 0.7;            ///< from here on a disk is counted
constexpr double claimed_below = 0.05;  ///< p of a claim

/// DiskTruth and calls of several parts, one after the other.
struct Calls {
  std::vector<int64_t> label, field;
  std::vector<std::vector<int64_t>> one, other;  ///< of each pair of runs
};

Calls calls_of(DiskStudy& study, std::vector<std::pair<DiskRun const*, DiskRun const*>> const& pairs,
               std::vector<std::string> const& parts) {
  Calls out;
  for (std::string const& part : parts) {
    DiskTruth const& t = study.truth(part);
    out.label.insert(out.label.end(), t.label.begin(), t.label.end());
    out.field.insert(out.field.end(), t.field.begin(), t.field.end());
  }
  auto called = [&](DiskRun const& run) {
    std::vector<int64_t> calls;
    for (std::string const& part : parts)
      for (double p : run.p(part)) calls.push_back(p >= run.rule.threshold);
    return calls;
  };
  for (auto [a, b] : pairs) out.one.push_back(called(*a)), out.other.push_back(called(*b));
  return out;
}

}  // namespace

double balanced(std::vector<int64_t> const& items, std::vector<int64_t> const& label,
                std::vector<int64_t> const& calls) {
  double right[2] = {}, all[2] = {};
  for (int64_t i : items) {
    size_t k = size_t(label[size_t(i)]);
    all[k] += 1, right[k] += calls[size_t(i)] == label[size_t(i)];
  }
  return (right[0] / all[0] + right[1] / all[1]) / 2;  // NaN without one class
}

namespace {

/// The test of the plan; nothing when no seed was run of both.
std::optional<learn::PairedTest> compared(DiskStudy& study, std::vector<DiskRun> const& one,
                                          std::vector<DiskRun> const& other, std::vector<std::string> const& parts) {
  auto pairs = study.pairs(one, other);
  if (pairs.empty()) return {};
  Calls c = calls_of(study, pairs, parts);
  return learn::paired_test(int64_t(c.label.size()), int64_t(pairs.size()),
                            [&](std::vector<int64_t> const& items, int64_t run) {
                              return balanced(items, c.label, c.one[size_t(run)]) -
                                     balanced(items, c.label, c.other[size_t(run)]);
                            },
                            {.samples = 2000, .seed = 16, .groups = c.field});
}

std::string signed_text(double v, int places = 3) { return (v < 0 ? "−" : "+") + decimals(std::abs(v), places); }

std::string words_of(std::optional<learn::PairedTest> const& t) {
  if (!t) return not_run;
  return text(signed_text(t->difference), " [", signed_text(t->interval.low), ", ", signed_text(t->interval.high), "]");
}

std::string p_text(double p) { return p < 0.001 ? "0.001" : decimals(p, 3); }

std::string p_text(std::optional<learn::PairedTest> const& t) { return t ? p_text(t->p) : not_run; }

std::vector<double> values(std::vector<DiskRun> const& runs, double DiskRun::*member) {
  std::vector<double> out;
  for (DiskRun const& run : runs) out.push_back(run.*member);
  return out;
}

std::string cell(std::vector<DiskRun> const& runs, double DiskRun::*member) {
  return runs.empty() ? not_run : spread_text(values(runs, member));
}

}  // namespace

learn::Fraction sure_disks(DiskStudy& study, std::vector<DiskRun> const& runs, std::string const& part, int64_t label) {
  DiskTruth const& t = study.truth(part);
  double sum = 0;
  int64_t n = 0, seeds = 0;
  for (int64_t l : t.label) n += label < 0 || l == label;
  for (DiskRun const& run : runs) {
    if (!run.has(part)) continue;
    std::vector<double> p = run.p(part);
    for (size_t i = 0; i < p.size(); ++i) sum += (label < 0 || t.label[i] == label) && p[i] > sure;
    ++seeds;
  }
  return seeds ? learn::fraction(std::llround(sum / double(seeds)), n) : learn::Fraction{0, 0, nan, {0, 1}};
}

namespace {

// --- tables of the plan --------------------------------------------------------------------------------------------------

struct TableRow {
  std::string model, name;
  bool all, views = false;
};

std::vector<TableRow> rows_of(std::vector<DiskModel> const& models) {
  std::vector<TableRow> out;
  for (DiskModel const& m : models) {
    out.push_back({m.name, m.what, m.all_regimes});
    if (m.name == "cnn-macs") out.push_back({"cnn", "CNN of equal weights, mean of 16 views", false, true});
  }
  return out;
}

std::string rate_text(DiskStudy const& study, std::string const& model) {
  for (Json const& line : study.lines)
    if (line.string("kind") == "main" && line.string("model") == model) return text(line.number("lr"));
  return not_run;
}

std::vector<DiskRun> of_regime(DiskStudy const& study, TableRow const& row, std::string const& column) {
  if (!row.views) return study.runs(row.model, column);
  std::vector<DiskRun> out;  // the column "views" holds those of b and of d
  for (DiskRun const& run : study.runs(row.model, "views"))
    if (run.unit.find("-" + column + "-") != run.unit.npos) out.push_back(run);
  return out;
}

}  // namespace

std::string scores_table(DiskStudy const& study, std::vector<DiskModel> const& models, double DiskRun::*member) {
  std::string out =
      "| classifier | weights | multiply-adds | learning rate | seeds | clean | a | b | c | d | e |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|\n";
  for (TableRow const& row : rows_of(models)) {
    DiskModel const& m =
        *std::find_if(models.begin(), models.end(), [&](auto const& x) { return x.name == row.model; });
    out += text("| ", row.name, " | ", row.views ? std::string("as above") : html::count(m.weights), " | ",
                row.views ? std::string("16 times that") : html::count(m.multiply_adds), " | ",
                rate_text(study, row.model), " | ", of_regime(study, row, "b").size());
    for (char const* column : {"clean", "a", "b", "c", "d", "e"}) {
      bool planned = row.all || *column == 'b' || *column == 'd';
      out += " | " + (planned ? cell(of_regime(study, row, column), member) : std::string("–"));
    }
    out += " |\n";
  }
  return out;
}

std::string verdict_table(DiskStudy& study, std::vector<DiskModel> const& models) {
  std::string out = "| classifier | d − b | p | e − b | p |\n|---|---|---|---|---|\n";
  for (TableRow const& row : rows_of(models)) {
    auto b = of_regime(study, row, "b");
    auto d = compared(study, of_regime(study, row, "d"), b, disk_ladder());
    out += text("| ", row.name, " | ", words_of(d), " | ", p_text(d));
    if (row.all) {
      auto e = compared(study, study.runs(row.model, "e"), b, disk_ladder());
      out += text(" | ", words_of(e), " | ", p_text(e), " |\n");
    } else {
      out += " | – | – |\n";
    }
  }
  return out;
}

std::string rivals_table(DiskStudy& study, std::vector<DiskModel> const& models) {
  std::string out = "| D16 of order 16 minus | in b | p | in d | p |\n|---|---|---|---|---|\n";
  for (TableRow const& row : rows_of(models)) {
    if (row.model == "d16") continue;
    out += "| " + row.name;
    for (char const* regime : {"b", "d"}) {
      auto t = compared(study, study.runs("d16", regime), of_regime(study, row, regime), disk_ladder());
      out += text(" | ", words_of(t), " | ", p_text(t));
    }
    out += " |\n";
  }
  return out;
}

namespace {

/// One bin of the levels: both differences, AUC beside them.
struct Bin {
  double snr, size;
  double b = nan;
  std::optional<learn::PairedTest> d = {}, e = {};
  double d_holm = nan, e_holm = nan, auc_d = nan, auc_e = nan;
};

double mean_auc(DiskStudy& study, std::vector<DiskRun> const& runs, std::string const& part) {
  DiskTruth const& t = study.truth(part);
  double sum = 0;
  for (DiskRun const& run : runs) {
    std::vector<double> p = run.p(part);
    int64_t n = int64_t(p.size());
    sum += learn::roc_auc(d16::from(p, {n}), d16::from(t.label, {n})) / double(runs.size());
  }
  return runs.empty() ? nan : sum;
}

std::vector<Bin> bins_of(DiskStudy& study, std::string const& model) {
  std::vector<Bin> out;
  auto const &b = study.runs(model, "b"), &d = study.runs(model, "d"), &e = study.runs(model, "e");
  for (double size : disk_sizes)
    for (double snr : disk_snr) {
      std::string part = disk_part(snr, size);
      Bin bin{snr, size};
      DiskTruth const& t = study.truth(part);
      std::vector<int64_t> all;
      for (size_t i = 0; i < t.label.size(); ++i) all.push_back(int64_t(i));
      for (auto const& calls : calls_of(study, study.pairs(b, b), {part}).one)
        bin.b = (std::isnan(bin.b) ? 0 : bin.b) + balanced(all, t.label, calls) / double(b.size());
      bin.d = compared(study, d, b, {part}), bin.e = compared(study, e, b, {part});
      double auc = mean_auc(study, b, part);
      bin.auc_d = mean_auc(study, d, part) - auc, bin.auc_e = mean_auc(study, e, part) - auc;
      out.push_back(bin);
    }
  for (auto [test, corrected] : {std::pair(&Bin::d, &Bin::d_holm), std::pair(&Bin::e, &Bin::e_holm)}) {
    std::vector<double> p;
    for (Bin const& bin : out)
      if (bin.*test) p.push_back((bin.*test)->p);
    if (p.size() != out.size()) continue;
    std::vector<double> holm = learn::holm(p);
    for (size_t i = 0; i < out.size(); ++i) out[i].*corrected = holm[i];
  }
  return out;
}

}  // namespace

std::string bins_table(DiskStudy& study, std::string const& model) {
  std::string out =
      "| R_e/FWHM | S/N | b | d − b | p (Holm) | AUC d − b | e − b | p (Holm) | AUC e − b |\n"
      "|---|---|---|---|---|---|---|---|---|\n";
  auto difference = [](double v) { return std::isfinite(v) ? signed_text(v) : std::string(not_run); };
  for (Bin const& bin : bins_of(study, model))
    out += text("| ", bin.size, " | ", bin.snr, " | ", std::isfinite(bin.b) ? decimals(bin.b, 3) : not_run, " | ",
                words_of(bin.d), " | ", std::isfinite(bin.d_holm) ? p_text(bin.d_holm) : not_run, " | ",
                difference(bin.auc_d), " | ", words_of(bin.e), " | ",
                std::isfinite(bin.e_holm) ? p_text(bin.e_holm) : not_run, " | ", difference(bin.auc_e), " |\n");
  return out;
}

// --- false disks -----------------------------------------------------------------------------------------------------------

std::string null_part(NullKind const& kind, double snr) {
  return kind.label < 0 ? text(kind.prefix, snr) : disk_part(snr, 1.5);
}

std::string false_table(DiskStudy& study, std::string const& model) {
  std::string out = "| what | S/N | b | d | e |\n|---|---|---|---|---|\n";
  for (NullKind const& kind : null_kinds)
    for (double snr : disk_snr) {
      out += text("| ", kind.name, " | ", snr);
      for (char const* regime : {"b", "d", "e"}) {
        learn::Fraction f = sure_disks(study, study.runs(model, regime), null_part(kind, snr), kind.label);
        out += " | " + (f.n ? with_interval(f) : std::string(not_run));
      }
      out += " |\n";
    }
  return out;
}

std::vector<std::string> false_disk_warnings(DiskStudy& study, std::string const& model) {
  std::vector<std::string> out;
  for (NullKind const& kind : null_kinds) {
    std::map<std::string, learn::Fraction> rate;
    for (std::string const regime : {"b", "d", "e"}) {
      int64_t called = 0, all = 0;
      for (double snr : disk_snr) {
        learn::Fraction f = sure_disks(study, study.runs(model, regime), null_part(kind, snr), kind.label);
        called += f.successes, all += f.n;
      }
      // the same test ellipticals at each level: as many are counted as there are galaxies
      int64_t looks = kind.label < 0 ? 1 : int64_t(std::size(disk_snr));
      rate[regime] = learn::fraction(std::llround(double(called) / double(looks)), all / looks);
    }
    for (std::string const regime : {"d", "e"})
      if (rate[regime].n && rate["b"].n && rate[regime].value > rate["b"].value)
        out.push_back(text("FALSE DISKS: ", model, " in regime ", regime, " calls ", with_interval(rate[regime]),
                           " of ", kind.name, " a disk at p > 0.7, in b ", with_interval(rate["b"]), "."));
  }
  return out;
}

namespace {

// --- the clean goals -----------------------------------------------------------------------------------------------------

struct Clean {
  double auc, balanced, confident, ece;
};

Clean clean_of(DiskStudy& study, DiskRun const& run) {
  DiskTruth const& t = study.truth("test-clean");
  std::vector<double> p = run.p("test-clean");
  std::vector<std::pair<double, int64_t>> order;
  for (size_t i = 0; i < p.size(); ++i)
    order.push_back({std::max(p[i], 1 - p[i]), int64_t((p[i] >= 0.5) == (t.label[i] == 1))});
  std::stable_sort(order.begin(), order.end(), [](auto const& a, auto const& b) { return a.first > b.first; });
  size_t kept = size_t(0.7 * double(order.size()));
  double right = 0;
  for (size_t i = 0; i < kept; ++i) right += double(order[i].second);
  int64_t n = int64_t(p.size());
  return {run.auc, run.balanced, right / double(kept),
          learn::calibration_error(learn::reliability_bins(d16::from(p, {n}), d16::from(t.label, {n})))};
}

}  // namespace

std::string clean_table(DiskStudy& study) {
  std::string out =
      "| clean pictures | AUC (0.970) | balanced accuracy (0.88) | accuracy on the surest 70 % (0.985) | calibration "
      "error (0.03) |\n|---|---|---|---|---|\n";
  for (char const* model : {"d16", "cnn"}) {
    std::vector<double> column[4];
    for (DiskRun const& run : study.runs(model, "clean")) {
      Clean c = clean_of(study, run);
      column[0].push_back(c.auc), column[1].push_back(c.balanced), column[2].push_back(c.confident);
      column[3].push_back(c.ece);
    }
    out += text("| ", model);
    for (auto const& list : column) out += " | " + (list.empty() ? std::string(not_run) : spread_text(list));
    out += " |\n";
  }
  return out;
}

// --- further tables ------------------------------------------------------------------------------------------------------

std::string purity_table(DiskStudy& study, std::string const& model, std::string const& regime) {
  std::string out = "| R_e/FWHM | S/N | purity | completeness |\n|---|---|---|---|\n";
  auto const& runs = study.runs(model, regime);
  if (runs.empty()) return std::string(not_run) + "\n";
  for (double size : disk_sizes)
    for (double snr : disk_snr) {
      std::string part = disk_part(snr, size);
      DiskTruth const& t = study.truth(part);
      std::vector<double> p = runs[0].p(part);
      std::vector<int64_t> calls;
      for (double v : p) calls.push_back(v >= runs[0].rule.threshold);
      int64_t n = int64_t(p.size());
      auto score = learn::class_scores(learn::confusion_matrix(d16::from(t.label, {n}), d16::from(calls, {n}), 2))[1];
      out += text("| ", size, " | ", snr, " | ", with_interval(score.precision), " | ", with_interval(score.recall),
                  " |\n");
    }
  return out;
}

std::string number_table(DiskStudy& study, std::string const& model) {
  std::string out =
      "| S/N | disks | expected in b | p > 0.7 | expected in d | p > 0.7 | expected in e | p > 0.7 |\n"
      "|---|---|---|---|---|---|---|---|\n";
  for (double snr : disk_snr) {
    DiskTruth const& t = study.truth(disk_part(snr, 1.5));
    out += text("| ", snr, " | ", std::count(t.label.begin(), t.label.end(), 1));
    for (char const* regime : {"b", "d", "e"}) {
      auto const& runs = study.runs(model, regime);
      double sum = 0, variance = 0;
      int64_t above = 0;
      if (!runs.empty())
        for (double p : runs[0].p(disk_part(snr, 1.5))) sum += p, variance += p * (1 - p), above += p > sure;
      double half = 1.96 * std::sqrt(variance);
      out += runs.empty() ? text(" | ", not_run, " | ", not_run)
                          : text(" | ", decimals(sum, 0), " [", decimals(sum - half, 0), ", ", decimals(sum + half, 0),
                                 "] | ", above);
    }
    out += " |\n";
  }
  return out;
}

std::string parts_table(DiskStudy& study, std::string const& model) {
  std::string out = "| part | b | d | e |\n|---|---|---|---|\n";
  auto add = [&](std::string const& part, std::string const& name, auto const& number) {
    out += "| " + name;
    for (char const* regime : {"b", "d", "e"}) {
      std::vector<double> list;
      for (DiskRun const& run : study.runs(model, regime))
        if (run.has(part)) list.push_back(number(run, part));
      out += " | " + (list.empty() ? std::string(not_run) : spread_text(list));
    }
    out += " |\n";
  };
  auto accuracy = [&](DiskRun const& run, std::string const& part) {
    DiskTruth const& t = study.truth(part);
    std::vector<int64_t> all, calls;
    for (double p : run.p(part)) all.push_back(int64_t(all.size())), calls.push_back(p >= run.rule.threshold);
    return balanced(all, t.label, calls);
  };
  auto mean_p = [](DiskRun const& run, std::string const& part) {
    double sum = 0;
    std::vector<double> p = run.p(part);
    for (double v : p) sum += v / double(p.size());
    return sum;
  };
  for (char const* scheme : {"none", "stars", "neighbours", "trails"})
    add(text("scheme-", scheme), text("contaminants: ", scheme), accuracy);
  add("field-other", "another PSF, uncorrelated noise", accuracy);
  for (double snr : disk_snr) {
    auto half = [&](bool arms) {
      return [=](DiskRun const& run, std::string const& part) {
        std::vector<double> p = run.p(part);
        size_t n = p.size() / 2;
        double sum = 0;
        for (size_t i = 0; i < n; ++i) sum += p[i + (arms ? n : 0)] / double(n);
        return sum;
      };
    };
    add(text("arms-", snr), text("mean p of disks without arms, S/N ", snr), half(false));
    add(text("arms-", snr), text("mean p of the same with faint arms, S/N ", snr), half(true));
  }
  add("mergers", "mean p of mergers, S/N 15 (never trained on)", mean_p);
  return out;
}

std::string denoiser_text(DiskStudy const& study) {
  Json const* line = study.line("denoiser");
  if (!line) return std::string(not_run) + "\n";
  double frames = double(line->integer("frames_of_nothing"));
  std::string out = text(
      "Pure noise: ", decimals(1000 * double(line->integer("sources_noisy")) / frames, 0),
      " sources above 3 sigma in 1,000 frames before the denoiser, ",
      decimals(1000 * double(line->integer("sources_denoised")) / frames, 0),
      " after it (sigma: that of the noisy frame).\n\n| S/N | PSNR noisy | PSNR denoised | faint arms left, noisy | "
      "faint arms left, denoised |\n|---|---|---|---|---|\n");
  for (Json const& l : line->at("levels").array())
    out += text("| ", l.number("snr"), " | ", decimals(l.number("psnr_noisy"), 2), " | ",
                decimals(l.number("psnr_denoised"), 2), " | ", decimals(l.number("arms_left_noisy"), 2), " ± ",
                decimals(l.number("arms_left_noisy_error"), 2), " | ", decimals(l.number("arms_left_denoised"), 2),
                " ± ", decimals(l.number("arms_left_denoised_error"), 2), " |\n");
  return out +
         "\nArms left: the difference between a disk with arms and the same without, in the same noise, projected "
         "on the true difference; 1 is all of it.\n";
}

namespace {

/// Three classes: rows are the truth, the last one mergers.
std::string classes_text(Json const& line) {
  Json const& s = line.at("scores").at(line.string("regime"));
  constexpr char const* names[] = {"elliptical", "spiral", "edge-on", "mergers, never trained on"};
  std::string out =
      text("\n| ", line.string("model"), ", truth | called elliptical | spiral | edge-on |\n|---|---|---|---|\n");
  for (size_t t = 0; t < 4; ++t) {
    Json const& counts = t < 3 ? s.at("confusion") : s.at("mergers_called");
    int64_t all = 0, at = t < 3 ? int64_t(3 * t) : 0;
    for (int64_t k = 0; k < 3; ++k) all += counts.array()[size_t(at + k)].integer();
    out += text("| ", names[t]);
    for (int64_t k = 0; k < 3; ++k)
      out += " | " + with_interval(learn::fraction(counts.array()[size_t(at + k)].integer(), all));
    out += " |\n";
  }
  return out;
}

}  // namespace

std::string questions_table(DiskStudy const& study) {
  std::string out = "| question | classifier | balanced accuracy | AUC |\n|---|---|---|---|\n";
  bool any = false;
  for (Json const& line : study.lines) {
    if (line.string("kind") != "question") continue;
    any = true;
    Json const& s = line.at("scores").at(line.string("regime"));
    out += text("| ", line.string("question"), " | ", line.string("model"), " | ",
                decimals(s.number("balanced_accuracy"), 3), " | ", decimals(s.number("auc"), 3), " |\n");
  }
  for (Json const& line : study.lines)
    if (line.string("kind") == "question" && line.at("scores").at(line.string("regime")).has("confusion"))
      out += classes_text(line);
  return any ? out : std::string(not_run) + "\n";
}

std::string digits_table(DiskStudy const& study) {
  std::string out = "| classifier | trained on turned digits | trained on upright digits |\n|---|---|---|\n";
  bool any = false;
  for (Json const& line : study.lines) {
    if (line.string("kind") != "digits") continue;
    any = true;
    auto fraction = [&](char const* key) {
      int64_t n = line.integer("test");
      return with_interval(learn::fraction(std::llround(line.number(key) * double(n)), n));
    };
    out +=
        text("| ", line.string("model"), " | ", fraction("trained_turned"), " | ", fraction("trained_upright"), " |\n");
  }
  return any ? out : std::string(not_run) + "\n";
}

std::string exposure_table(DiskStudy const& study) {
  std::string out = "| classifier, regime", line = "|---";
  for (double times : disk_exposures) out += text(" | ", times, " x"), line += "|---";
  out += " |\n" + line + "|\n";
  bool any = false;
  for (Json const& l : study.lines) {
    if (l.string("kind") != "exposure") continue;
    any = true;
    out += text("| ", l.string("model"), ", ", l.string("regime"));
    for (Json const& row : l.at("exposures").array())
      out += text(" | ", decimals(row.number("balanced_accuracy"), 3), " (AUC ", decimals(row.number("auc"), 3), ")");
    out += " |\n";
  }
  return any ? out : std::string(not_run) + "\n";
}

std::string speed_table(DiskStudy const& study) {
  constexpr char const* batches[] = {"1", "8", "64", "256"};
  std::string out = "| classifier |", line = "|---|";
  for (char const* batch : batches) out += text(" batch ", batch, " |"), line += "---|";
  out += "\n" + line + "\n";
  auto cell = [](Json const& row) {
    return decimals(row.number("images_per_second"), 0) +
           (row.has("memory_mib") ? text(" (", decimals(row.number("memory_mib"), 0), " MiB)") : "");
  };
  bool any = false;
  for (Json const& l : study.lines) {
    if (l.string("kind") != "speed") continue;
    any = true;
    std::string inference = "| " + l.string("model"), training = inference + ", training";
    for (Json const& row : l.at("speed").array()) {
      inference += " | " + cell(row);
      training += " | " + (row.has("training") ? cell(row.at("training")) : std::string("–"));
    }
    out += inference + " |\n" + training + " |\n";
  }
  return any ? out : std::string(not_run) + "\n";
}

std::vector<std::string> verdict_words(DiskStudy& study) {
  std::vector<std::string> out;
  for (char const* model : {"d16", "cnn"})
    for (char const* regime : {"d", "e"}) {
      auto t = compared(study, study.runs(model, regime), study.runs(model, "b"), disk_ladder());
      if (!t) continue;
      bool claimed = t->p < claimed_below;
      out.push_back(text(model, ", regime ", regime, " against b: ", words_of(t),
                         " in balanced accuracy, p = ", p_text(t->p), ": ",
                         !claimed            ? "no difference is claimed"
                         : t->difference > 0 ? "denoising helps"
                                             : "denoising does harm",
                         "."));
    }
  return out;
}

}  // namespace tool
