// The report of `d16 study disk`: the tables of docs/disk-study.md in report.md, plots and pictures in report.html.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <stamp.hpp>

#include <d16/io/atomic_file.hpp>
#include <d16/io/html.hpp>
#include <d16/io/plot.hpp>
#include <d16/io/png.hpp>
#include <d16/io/safetensors.hpp>
#include <d16/learn/calibration.hpp>
#include <d16/learn/paired.hpp>

#include "study_disk_models.hpp"

namespace tool {

using d16::DType;
using d16::Tensor;
using d16::text;
namespace html = d16::io::html;
namespace io = d16::io;
namespace learn = d16::learn;

namespace {

constexpr char const* not_run = "not run yet";
constexpr double missing = std::numeric_limits<double>::quiet_NaN();
constexpr double sure = 0.7;            ///< from here on a disk is counted
constexpr double claimed_below = 0.05;  ///< p of a claim

/// One test part: what is true.
struct Truth {
  std::vector<int64_t> label, field, item;
};

/// One classifier of one seed in one column of the table.
struct Run {
  int64_t seed;
  DiskRule rule;
  double auc, balanced, validation_auc;
  std::shared_ptr<io::TensorFile> logits;
  std::string unit, column;

  bool has(std::string const& part) const { return logits->has(column + "/" + part); }
  std::vector<double> p(std::string const& part) const {
    return disk_probabilities(logits->at(column + "/" + part), rule.temperature);
  }
};

/// What was run.
class Study {
 public:
  explicit Study(StudyDiskOptions const& o) : options(o), data(o), lines(study_results(o.out)) {
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
      std::sort(list.begin(), list.end(), [](Run const& a, Run const& b) { return a.seed < b.seed; });
  }

  StudyDiskOptions options;
  DiskData data;
  std::vector<Json> lines;

  std::vector<Run> const& runs(std::string const& model, std::string const& column) const {
    static std::vector<Run> const none;
    auto found = runs_.find(model + "/" + column);
    return found == runs_.end() ? none : found->second;
  }
  Truth const& truth(std::string const& part) {
    Truth& t = truth_[part];
    if (!t.label.empty()) return t;
    DiskSet set = data.load(part);
    for (int64_t i = 0; i < set.size(); ++i) {
      t.label.push_back(set.is_disk(i)), t.field.push_back(set.field.data<int64_t>()[i]);
      t.item.push_back(set.item.data<int64_t>()[i]);
    }
    return t;
  }
  /// The same seeds of two.
  std::vector<std::pair<Run const*, Run const*>> pairs(std::vector<Run> const& one,
                                                       std::vector<Run> const& other) const {
    std::vector<std::pair<Run const*, Run const*>> out;
    for (Run const& a : one)
      for (Run const& b : other)
        if (a.seed == b.seed) out.push_back({&a, &b});
    return out;
  }
  Json const* line(std::string const& unit) const {
    for (Json const& l : lines)
      if (l.string("unit") == unit) return &l;
    return nullptr;
  }

 private:
  std::map<std::string, std::vector<Run>> runs_;
  std::map<std::string, Truth> truth_;
};

// --- statistics ----------------------------------------------------------------------------------------------------------

/// Truth and calls of several parts, one after the other.
struct Calls {
  std::vector<int64_t> label, field;
  std::vector<std::vector<int64_t>> one, other;  ///< of each pair of runs
};

Calls calls_of(Study& study, std::vector<std::pair<Run const*, Run const*>> const& pairs,
               std::vector<std::string> const& parts) {
  Calls out;
  for (std::string const& part : parts) {
    Truth const& t = study.truth(part);
    out.label.insert(out.label.end(), t.label.begin(), t.label.end());
    out.field.insert(out.field.end(), t.field.begin(), t.field.end());
  }
  auto called = [&](Run const& run) {
    std::vector<int64_t> calls;
    for (std::string const& part : parts)
      for (double p : run.p(part)) calls.push_back(p >= run.rule.threshold);
    return calls;
  };
  for (auto [a, b] : pairs) out.one.push_back(called(*a)), out.other.push_back(called(*b));
  return out;
}

double balanced(std::vector<int64_t> const& items, std::vector<int64_t> const& label,
                std::vector<int64_t> const& calls) {
  double right[2] = {}, all[2] = {};
  for (int64_t i : items) {
    size_t k = size_t(label[size_t(i)]);
    all[k] += 1, right[k] += calls[size_t(i)] == label[size_t(i)];
  }
  return (right[0] / all[0] + right[1] / all[1]) / 2;  // NaN without one class
}

/// The test of the plan; nothing when no seed was run of both.
std::optional<learn::PairedTest> compared(Study& study, std::vector<Run> const& one, std::vector<Run> const& other,
                                          std::vector<std::string> const& parts) {
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

std::vector<double> values(std::vector<Run> const& runs, double Run::*member) {
  std::vector<double> out;
  for (Run const& run : runs) out.push_back(run.*member);
  return out;
}
std::string cell(std::vector<Run> const& runs, double Run::*member) {
  return runs.empty() ? not_run : spread_text(values(runs, member));
}

/// How many of a part have p > 0.7, mean over the seeds, with the interval of one.
learn::Fraction sure_disks(Study& study, std::vector<Run> const& runs, std::string const& part, int64_t label) {
  Truth const& t = study.truth(part);
  double sum = 0;
  int64_t n = 0, seeds = 0;
  for (int64_t l : t.label) n += label < 0 || l == label;
  for (Run const& run : runs) {
    if (!run.has(part)) continue;
    std::vector<double> p = run.p(part);
    for (size_t i = 0; i < p.size(); ++i) sum += (label < 0 || t.label[i] == label) && p[i] > sure;
    ++seeds;
  }
  return seeds ? learn::fraction(std::llround(sum / double(seeds)), n) : learn::Fraction{0, 0, missing, {0, 1}};
}

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

std::string rate_text(Study const& study, std::string const& model) {
  for (Json const& line : study.lines)
    if (line.string("kind") == "main" && line.string("model") == model) return text(line.number("lr"));
  return not_run;
}

std::vector<Run> of_regime(Study const& study, TableRow const& row, std::string const& column) {
  if (!row.views) return study.runs(row.model, column);
  std::vector<Run> out;  // the column "views" holds those of b and of d
  for (Run const& run : study.runs(row.model, "views"))
    if (run.unit.find("-" + column + "-") != run.unit.npos) out.push_back(run);
  return out;
}

std::string scores_table(Study const& study, std::vector<DiskModel> const& models, double Run::*member) {
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

std::string verdict_table(Study& study, std::vector<DiskModel> const& models) {
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

std::string rivals_table(Study& study, std::vector<DiskModel> const& models) {
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

/// One bin of the levels: both differences, AUC beside them.
struct Bin {
  double snr, size;
  double b = missing;
  std::optional<learn::PairedTest> d = {}, e = {};
  double d_holm = missing, e_holm = missing, auc_d = missing, auc_e = missing;
};

double mean_auc(Study& study, std::vector<Run> const& runs, std::string const& part) {
  Truth const& t = study.truth(part);
  double sum = 0;
  for (Run const& run : runs) {
    std::vector<double> p = run.p(part);
    int64_t n = int64_t(p.size());
    sum += learn::roc_auc(d16::from(p, {n}), d16::from(t.label, {n})) / double(runs.size());
  }
  return runs.empty() ? missing : sum;
}

std::vector<Bin> bins_of(Study& study, std::string const& model) {
  std::vector<Bin> out;
  auto const &b = study.runs(model, "b"), &d = study.runs(model, "d"), &e = study.runs(model, "e");
  for (double size : disk_sizes)
    for (double snr : disk_snr) {
      std::string part = disk_part(snr, size);
      Bin bin{snr, size};
      Truth const& t = study.truth(part);
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

std::string bins_table(std::vector<Bin> const& bins) {
  std::string out =
      "| R_e/FWHM | S/N | b | d − b | p (Holm) | AUC d − b | e − b | p (Holm) | AUC e − b |\n"
      "|---|---|---|---|---|---|---|---|---|\n";
  auto difference = [](double v) { return std::isfinite(v) ? signed_text(v) : std::string(not_run); };
  for (Bin const& bin : bins)
    out += text("| ", bin.size, " | ", bin.snr, " | ", std::isfinite(bin.b) ? decimals(bin.b, 3) : not_run, " | ",
                words_of(bin.d), " | ", std::isfinite(bin.d_holm) ? p_text(bin.d_holm) : not_run, " | ",
                difference(bin.auc_d), " | ", words_of(bin.e), " | ",
                std::isfinite(bin.e_holm) ? p_text(bin.e_holm) : not_run, " | ", difference(bin.auc_e), " |\n");
  return out;
}

// --- false disks -----------------------------------------------------------------------------------------------------------

struct NullKind {
  char const *prefix, *name;
  int64_t label;  ///< of those that count; -1: all
};
constexpr NullKind null_kinds[] = {{"spheroids-", "round n = 4 spheroids", -1},
                                   {"stars-", "stars", -1},
                                   {"test-", "test ellipticals at R_e/FWHM 1.5", 0}};
std::string null_part(NullKind const& kind, double snr) {
  return kind.label < 0 ? text(kind.prefix, snr) : disk_part(snr, 1.5);
}

std::string false_table(Study& study, std::string const& model) {
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

/// Where denoising calls more of what is no disk a disk than noise-augmented training does, all S/N together.
std::vector<std::string> false_disk_warnings(Study& study, std::string const& model) {
  std::vector<std::string> out;
  for (NullKind const& kind : null_kinds) {
    std::map<std::string, learn::Fraction> rate;
    for (std::string const regime : {"b", "d", "e"}) {
      int64_t called = 0, all = 0;
      for (double snr : disk_snr) {
        learn::Fraction f = sure_disks(study, study.runs(model, regime), null_part(kind, snr), kind.label);
        called += f.successes, all += f.n;
      }
      rate[regime] = learn::fraction(called, all);
    }
    for (std::string const regime : {"d", "e"})
      if (rate[regime].n && rate["b"].n && rate[regime].value > rate["b"].value)
        out.push_back(text("FALSE DISKS: ", model, " in regime ", regime, " calls ", with_interval(rate[regime]),
                           " of ", kind.name, " a disk at p > 0.7, in b ", with_interval(rate["b"]), "."));
  }
  return out;
}

// --- the clean goals -----------------------------------------------------------------------------------------------------

struct Clean {
  double auc, balanced, confident, ece;
};
Clean clean_of(Study& study, Run const& run) {
  Truth const& t = study.truth("test-clean");
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

std::string clean_table(Study& study) {
  std::string out =
      "| clean pictures | AUC (0.970) | balanced accuracy (0.88) | accuracy on the surest 70 % (0.985) | calibration "
      "error (0.03) |\n|---|---|---|---|---|\n";
  for (char const* model : {"d16", "cnn"}) {
    std::vector<double> column[4];
    for (Run const& run : study.runs(model, "clean")) {
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

/// Purity and completeness of disks at the threshold, by level: the first seed.
std::string purity_table(Study& study, std::string const& model, std::string const& regime) {
  std::string out = "| R_e/FWHM | S/N | purity | completeness |\n|---|---|---|---|\n";
  auto const& runs = study.runs(model, regime);
  if (runs.empty()) return std::string(not_run) + "\n";
  for (double size : disk_sizes)
    for (double snr : disk_snr) {
      std::string part = disk_part(snr, size);
      Truth const& t = study.truth(part);
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

/// The sum of the probabilities beside the count above 0.7 and the truth.
std::string number_table(Study& study, std::string const& model) {
  std::string out =
      "| S/N | disks | expected in b | p > 0.7 | expected in d | p > 0.7 | expected in e | p > 0.7 |\n"
      "|---|---|---|---|---|---|---|---|\n";
  for (double snr : disk_snr) {
    Truth const& t = study.truth(disk_part(snr, 1.5));
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

/// Balanced accuracy on single parts, or the mean p where nothing is true or false.
std::string parts_table(Study& study, std::string const& model) {
  std::string out = "| part | b | d | e |\n|---|---|---|---|\n";
  auto add = [&](std::string const& part, std::string const& name, auto const& number) {
    out += "| " + name;
    for (char const* regime : {"b", "d", "e"}) {
      std::vector<double> list;
      for (Run const& run : study.runs(model, regime))
        if (run.has(part)) list.push_back(number(run, part));
      out += " | " + (list.empty() ? std::string(not_run) : spread_text(list));
    }
    out += " |\n";
  };
  auto accuracy = [&](Run const& run, std::string const& part) {
    Truth const& t = study.truth(part);
    std::vector<int64_t> all, calls;
    for (double p : run.p(part)) all.push_back(int64_t(all.size())), calls.push_back(p >= run.rule.threshold);
    return balanced(all, t.label, calls);
  };
  auto mean_p = [](Run const& run, std::string const& part) {
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
      return [=](Run const& run, std::string const& part) {
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

std::string denoiser_text(Study const& study) {
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

std::string questions_table(Study const& study) {
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
std::string digits_table(Study const& study) {
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
std::string speed_table(Study const& study) {
  std::string out = "| classifier | batch 1 | batch 8 | batch 64 | batch 256 |\n|---|---|---|---|---|\n";
  bool any = false;
  for (Json const& line : study.lines) {
    if (line.string("kind") != "speed") continue;
    any = true;
    out += "| " + line.string("model");
    for (Json const& row : line.at("speed").array()) out += " | " + decimals(row.number("images_per_second"), 0);
    out += " |\n";
  }
  return any ? out : std::string(not_run) + "\n";
}

/// What was found, in words that follow from the numbers.
std::vector<std::string> verdict_words(Study& study) {
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

std::string markdown(Study& study, std::vector<DiskModel> const& models) {
  StudyDiskOptions const& o = study.options;
  std::string out = text(
      "# Denoise, then classify: the study\n\nRows, columns and tests were committed before the first run. \"", not_run,
      "\" is what it says. All degradation is simulated, at the level of appearance; the galaxies are real (SDSS).\n\n",
      "```\n", command_line(), "\n```\n\n",
      "**Question.** Does a denoiser in front of a classifier find disk-like galaxies in noisy pictures better than "
      "the "
      "same classifier that was trained on noisy pictures? A denoiser adds no information: it can only beat a badly "
      "trained baseline, so the verdict compares with regime b.\n\n",
      "**Data.** Galaxy Zoo 1 pictures as 64 x 64 grey pixels; labels mean featured or edge-on against smooth. ",
      study.data.split_text(),
      ", by sky field: crc32 of the decimal `objid >> 16` mod 5 is 0 for test, 1 for validation. S/N 3 to 100 and "
      "R_e/FWHM 0.6 to 4 in training, the levels of the tables in the test, one to three contaminants.\n\n",
      "**Regimes.** (a) trained clean, tested noisy; (b) trained and tested noisy; (c) trained clean, tested denoised; "
      "(d) trained and tested denoised; (e) noisy and denoised as two channels. The same augmented views for all, ",
      o.epochs, " epochs, the learning rate of each classifier from three by validation AUC in regime b after ",
      o.tune_epochs, " epochs. Thresholds and temperatures are from validation pictures.\n\n",
      "± is the standard deviation over seeds, brackets are 95 % intervals: paired bootstrap over sky fields and "
      "seeds, "
      "2000 samples, two-sided p; Wilson for counts. A claim needs p < 0.05.\n\n## Verdict\n\n");
  for (std::string const& words : verdict_words(study)) out += "- " + words + "\n";
  for (char const* model : {"d16", "cnn"})
    for (std::string const& words : false_disk_warnings(study, model)) out += "- **" + words + "**\n";
  out += text("\n", verdict_table(study, models), "\n## Balanced accuracy, all levels together\n\n",
              scores_table(study, models, &Run::balanced), "\n## AUC, all levels together\n\n",
              scores_table(study, models, &Run::auc), "\n## D16 against the others\n\n", rivals_table(study, models),
              "\n## Clean, held-out, grey\n\n", clean_table(study));
  for (char const* model : {"d16", "cnn"})
    out += text("\n## By level: ", model, "\n\n", bins_table(bins_of(study, model)), "\n### False disks (p > 0.7)\n\n",
                false_table(study, model), "\n### Expected number of disks of the test set, R_e/FWHM 1.5\n\n",
                number_table(study, model), "\n### Other tests\n\n", parts_table(study, model));
  for (char const* regime : {"b", "d"})
    out += text("\n## Purity and completeness of d16 in ", regime, ", first seed, at its threshold\n\n",
                purity_table(study, "d16", regime));
  return out + "\n## The denoiser alone\n\n" + denoiser_text(study) + "\n## Open questions (regime b)\n\n" +
         questions_table(study) + "\n## Sanity: accuracy on 10,000 turned digits (rotated MNIST)\n\n" +
         digits_table(study) + "\n## Images per second, one network, inference\n\n" + speed_table(study);
}

// --- the page --------------------------------------------------------------------------------------------------------------

/// Tables in Markdown, and words between them, for the page.
std::string as_html(std::string const& markdown_table) {
  if (size_t gap = markdown_table.find("\n\n"); gap != markdown_table.npos)
    return as_html(markdown_table.substr(0, gap + 1)) + as_html(markdown_table.substr(gap + 2));
  if (markdown_table.find("|---|") == markdown_table.npos) return html::paragraph(markdown_table);
  std::string out = "<div class=\"scroll\"><table>", rest;
  bool head = true;
  for (size_t at = 0, end; (end = markdown_table.find('\n', at)) != markdown_table.npos; at = end + 1) {
    std::string line = markdown_table.substr(at, end - at);
    if (line.starts_with("|---")) continue;
    if (!line.starts_with("|")) {
      rest += line + " ";
      continue;
    }
    out += head ? "<thead><tr>" : "<tr>";
    for (size_t k = 2, next; (next = line.find(" |", k)) != line.npos; k = next + 3)
      out += text(head ? "<th>" : "<td>", html::escape(line.substr(k, next - k)), head ? "</th>" : "</td>");
    out += head ? "</tr></thead>\n<tbody>" : "</tr>\n";
    head = false;
  }
  return out + "</tbody></table></div>\n" + (rest.empty() ? "" : html::paragraph(rest));
}

std::string level_plots(Study& study, std::string const& model) {
  std::vector<std::string> pieces;
  for (double size : disk_sizes) {
    std::vector<html::Series> series;
    for (char const* regime : {"a", "b", "c", "d", "e"}) {
      html::Series s{.name = regime};
      auto const& runs = study.runs(model, regime);
      if (runs.empty()) continue;
      for (double snr : disk_snr) {
        std::vector<double> list;
        Truth const& t = study.truth(disk_part(snr, size));
        for (Run const& run : runs) {
          std::vector<int64_t> all, calls;
          for (double p : run.p(disk_part(snr, size)))
            all.push_back(int64_t(all.size())), calls.push_back(p >= run.rule.threshold);
          list.push_back(balanced(all, t.label, calls));
        }
        learn::Spread spread = learn::spread_of_runs(list);
        s.x.push_back(snr), s.y.push_back(spread.mean);
        s.error.push_back(std::isfinite(spread.sigma) ? spread.sigma : 0);
      }
      series.push_back(std::move(s));
    }
    if (!series.empty())
      pieces.push_back(html::plot(series, {.title = text(model, ", R_e/FWHM ", size),
                                           .x = {.label = "S/N", .log = true},
                                           .y = {.label = "balanced accuracy", .low = 0.5, .high = 1}}));
  }
  return html::grid(pieces);
}

std::string false_plots(Study& study, std::string const& model) {
  std::vector<std::string> pieces;
  for (NullKind const& kind : null_kinds) {
    std::vector<html::Series> series;
    for (char const* regime : {"b", "d", "e"}) {
      html::Series s{.name = regime};
      for (double snr : disk_snr) {
        learn::Fraction f = sure_disks(study, study.runs(model, regime), null_part(kind, snr), kind.label);
        if (!f.n) continue;
        s.x.push_back(snr), s.y.push_back(f.value);
        s.error.push_back((f.interval.high - f.interval.low) / 2);
      }
      if (!s.x.empty()) series.push_back(std::move(s));
    }
    if (!series.empty())
      pieces.push_back(html::plot(series, {.title = text(model, ": ", kind.name),
                                           .x = {.label = "S/N", .log = true},
                                           .y = {.label = "share with p > 0.7", .low = 0}}));
  }
  return html::grid(pieces);
}

std::string reliability_plots(Study& study) {
  std::vector<std::string> pieces;
  for (char const* model : {"d16", "cnn"}) {
    std::vector<html::Series> series;
    for (char const* regime : {"b", "d", "e"}) {
      auto const& runs = study.runs(model, regime);
      if (runs.empty()) continue;
      std::vector<double> p;
      std::vector<int64_t> label;
      for (std::string const& part : disk_ladder()) {
        std::vector<double> some = runs[0].p(part);
        Truth const& t = study.truth(part);
        p.insert(p.end(), some.begin(), some.end()), label.insert(label.end(), t.label.begin(), t.label.end());
      }
      int64_t n = int64_t(p.size());
      html::Series s{.name = regime};
      for (auto const& bin : learn::reliability_bins(d16::from(p, {n}), d16::from(label, {n}))) {
        if (!bin.count) continue;
        s.x.push_back(bin.mean_probability), s.y.push_back(bin.fraction);
        s.error.push_back(std::sqrt(bin.fraction * (1 - bin.fraction) / double(bin.count)));
      }
      series.push_back(std::move(s));
    }
    if (!series.empty())
      pieces.push_back(html::plot(series, {.title = text(model, ", all levels"),
                                           .x = {"calibrated p of a disk", 0, 1},
                                           .y = {"share that are disks", 0, 1},
                                           .diagonal = true}));
  }
  return html::grid(pieces);
}

/// A plane (side,side,1) as a picture in grey.
std::string grey_png(Tensor const& plane) {
  Tensor x = plane.cast(DType::f32).contiguous();
  Tensor out = d16::empty({x.dim(0), x.dim(1), 3});
  for (int64_t k = 0; k < x.numel(); ++k)
    std::fill_n(out.data<float>() + 3 * k, 3, std::clamp(x.data<float>()[k], 0.0f, 1.0f));
  return io::encode_png(out);
}

/// The first test pictures at one level: noisy, denoised, what was taken away in units of the noise, the truth.
std::string examples(Study& study, double snr) {
  std::string part = disk_part(snr, 1.5);
  DiskPairs pairs = study.data.pairs(part);
  DiskSet set = study.data.load(part);
  std::vector<html::Card> cards;
  if (!set.denoised.defined()) return html::paragraph("The denoiser has not been trained yet.");
  Tensor noisy = disk_light(pairs.seen.cast(DType::f32), pairs.stretch);
  Tensor clean = disk_light(pairs.target.cast(DType::f32), pairs.stretch);
  for (int64_t i = 0; i < std::min<int64_t>(8, set.size()); ++i) {
    double sigma = pairs.stretch[size_t(i)].bands[0].sigma;
    Tensor residual = (noisy.select(0, i) - clean.select(0, i)) / (8 * sigma) + 0.5;
    cards.push_back({text(study.data.id(set.item.data<int64_t>()[i])),
                     html::badge(set.is_disk(i) ? "disk" : "elliptical"),
                     {{grey_png(set.noisy.select(0, i)), "noisy"},
                      {grey_png(set.denoised.select(0, i)), "denoised"},
                      {grey_png(residual), "noise and objects, ±4σ"},
                      {grey_png(disk_inputs(clean.slice(0, i, i + 1)).select(0, 0)), "truth"}},
                     ""});
  }
  return html::gallery(cards);
}

/// p against S/N of the real galaxies made fainter.
std::string fading(Study& study) {
  if (!study.data.has_ceers()) return html::paragraph("There is no jwst_ceers_nircam in --shared.");
  std::vector<std::string> pieces;
  constexpr double levels[] = {100, 30, 10, 3};
  for (char const* regime : {"b", "d", "e"}) {
    auto const& runs = study.runs("d16", regime);
    if (runs.empty() || !runs[0].has("ceers-1")) continue;
    for (int shrink : {1, 2, 4}) {
      std::string part = text("ceers-", shrink);
      Truth const& t = study.truth(part);
      std::vector<html::Series> series;
      for (size_t first = 0; first < t.item.size(); first += 12) {
        html::Series s{.name = text(t.field[first])};
        for (size_t level = 0; level < 4; ++level) {
          std::vector<double> list;
          for (Run const& run : runs) {
            std::vector<double> p = run.p(part);
            for (size_t copy = 0; copy < 3; ++copy) list.push_back(p[first + 3 * level + copy]);
          }
          learn::Spread spread = learn::spread_of_runs(list);
          s.x.push_back(levels[level]), s.y.push_back(spread.mean), s.error.push_back(spread.sigma);
        }
        series.push_back(std::move(s));
      }
      pieces.push_back(html::plot(series, {.title = text("d16, regime ", regime, ", shrunk ", shrink, " times"),
                                           .x = {.label = "S/N", .log = true},
                                           .y = {"p of a disk", 0, 1}}));
    }
  }
  return pieces.empty() ? html::paragraph(not_run) : html::grid(pieces);
}

/// The surest wrong answers of one run at S/N from 15 up.
std::string worst_errors(Study& study, size_t count) {
  auto const& runs = study.runs("d16", "b");
  if (runs.empty()) return html::paragraph(not_run);
  struct Error {
    double doubt;
    std::string part;
    int64_t at;
    double p;
  };
  std::vector<Error> errors;
  for (double size : disk_sizes)
    for (double snr : {15.0, 35.0, 100.0}) {
      std::string part = disk_part(snr, size);
      std::vector<double> p = runs[0].p(part);
      Truth const& t = study.truth(part);
      for (size_t i = 0; i < p.size(); ++i) errors.push_back({t.label[i] ? p[i] : 1 - p[i], part, int64_t(i), p[i]});
    }
  std::sort(errors.begin(), errors.end(), [](Error const& a, Error const& b) { return a.doubt < b.doubt; });
  std::vector<html::Card> cards;
  std::map<int64_t, bool> seen;
  for (Error const& e : errors) {
    if (cards.size() == count) break;
    int64_t item = study.truth(e.part).item[size_t(e.at)];
    if (std::exchange(seen[item], true)) continue;
    DiskSet set = study.data.load(e.part);
    cards.push_back(
        {study.data.id(item),
         html::badge(set.is_disk(e.at) ? "disk" : "elliptical"),
         {{grey_png(set.noisy.select(0, e.at)), "as seen"}, {io::encode_png(study.data.picture(item)), "as it was"}},
         html::meter(e.p, "p of a disk") + html::paragraph(e.part)});
  }
  return html::gallery(cards);
}

std::string page(Study& study, std::vector<DiskModel> const& models) {
  std::string box = html::notice(
      "SIMULATED: noise, PSF, contaminants, spheroids, stars and arms, at the level of appearance. REAL: the galaxies "
      "of "
      "Galaxy Zoo and the six of CEERS. Labels mean featured or edge-on against smooth.");
  for (std::string const& words : verdict_words(study)) box += html::notice(words, html::Tone::plain);
  for (char const* model : {"d16", "cnn"})
    for (std::string const& words : false_disk_warnings(study, model)) box += html::notice(words, html::Tone::bad);
  std::string by_level, false_disks, numbers, purity;
  for (char const* model : {"d16", "cnn"}) {
    by_level += level_plots(study, model) + as_html(bins_table(bins_of(study, model)));
    false_disks += false_plots(study, model) + as_html(false_table(study, model));
    numbers += html::paragraph(model) + as_html(number_table(study, model));
  }
  for (char const* regime : {"b", "d"})
    purity += html::paragraph(text("d16 in ", regime, ", first seed:")) + as_html(purity_table(study, "d16", regime));
  std::string hashes;
  for (Json const& line : study.lines)
    hashes += html::paragraph(text(line.string("unit"), ": d16 ", line.string("d16"), ", denoiser ",
                                   line.string("denoiser_sha256").substr(0, 16)));
  return box +
         html::section("Noise-augmented against denoised", "Bars: standard deviation over seeds.",
                       as_html(verdict_table(study, models)) + as_html(scores_table(study, models, &Run::balanced)) +
                           as_html(rivals_table(study, models)) + by_level) +
         html::section("False disks", "What is no disk and has p > 0.7.", false_disks + as_html(denoiser_text(study))) +
         html::section("Reliability, purity, completeness",
                       "By S/N and R_e/FWHM; these pictures have no redshift. First seed.",
                       reliability_plots(study) + purity + as_html(clean_table(study))) +
         html::section("Expected number of disks", "Sum of p with 95 % interval beside the count at p > 0.7.",
                       numbers) +
         html::section("Redshift", "",
                       html::paragraph("Galaxy Zoo's pictures are of z < 0.3: there is no histogram of "
                                       "z > 3 here. d16 run makes it from a catalogue.")) +
         html::section("Pictures", "The first test pictures at R_e/FWHM 1.5: S/N 35, then 7.",
                       examples(study, 35) + examples(study, 7)) +
         html::section("Real galaxies made fainter", "Mean p over seeds and three realisations of noise.",
                       fading(study)) +
         html::section("The worst errors", "d16 in regime b, first seed, S/N from 15 up; one level of each galaxy.",
                       worst_errors(study, 24)) +
         html::section("Open questions", "",
                       as_html(parts_table(study, "d16")) + as_html(questions_table(study)) +
                           as_html(digits_table(study)) + as_html(speed_table(study))) +
         html::section("How it was made", command_line(), hashes);
}

}  // namespace

Json study_disk_report(StudyDiskOptions const& o) {
  Study study(o);
  d16::require<d16::ValueError>(!study.lines.empty(), o.out, ": has no results yet; run d16 study disk first");
  std::vector<DiskModel> models = disk_models();
  io::write_file(join(o.out, "report.md"), markdown(study, models));
  io::write_file(join(o.out, "report.html"),
                 html::page("Denoise, then classify", "Disk or elliptical in clean, noisy and denoised pictures.",
                            page(study, models),
                            text(command_line(), " · d16 ", d16::stamp::version, " (", d16::stamp::commit, ")")));
  Json verdict = Json::array({});
  for (std::string const& words : verdict_words(study)) say(words), verdict.push_back(words);
  for (char const* model : {"d16", "cnn"})
    for (std::string const& words : false_disk_warnings(study, model)) say(words), verdict.push_back(words);
  say(text(join(o.out, "report.md"), " and report.html written"));
  return Json::object({{"out", o.out}, {"units", int64_t(study.lines.size())}, {"verdict", verdict}});
}

}  // namespace tool
