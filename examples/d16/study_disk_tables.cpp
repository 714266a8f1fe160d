// The tables of `d16 study disk`: bodies of study_disk_tables.hpp.
#include "study_disk_tables.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include <d16/io/html.hpp>
#include <d16/learn/calibration.hpp>

#include "training.hpp"

namespace tool {

using d16::Tensor;
using d16::text;
namespace html = d16::io::html;
namespace io = d16::io;
namespace learn = d16::learn;

// --- what was run ---------------------------------------------------------------------------------------------------------

namespace {

constexpr int64_t test_samples = 2000;
constexpr double claimed_below = 0.05;  ///< p of a claim

DiskModel const& model_named(std::vector<DiskModel> const& models, std::string const& name) {
  auto found = std::find_if(models.begin(), models.end(), [&](DiskModel const& m) { return m.name == name; });
  d16::require<d16::FileError>(found != models.end(), "results.jsonl: \"", name, "\" is no classifier of the study");
  return *found;
}

}  // namespace

DiskStudy::DiskStudy(StudyDiskOptions const& o)
    : options(o), data(o), lines(study_results(o.out)), models(disk_models()) {
  std::string denoiser = join(o.out, "denoiser.safetensors");
  if (is_file(denoiser)) use_disk_denoiser(denoiser, data), has_denoiser_ = true;
  for (Json const& line : lines) {
    if (line.string("kind") != "main" && line.string("kind") != "question") continue;
    std::string asked = line.string("question").empty() ? "" : "-" + line.string("question");
    auto file = std::make_shared<io::TensorFile>(io::read_safetensors(study_logits_path(o.out, line.string("unit"))));
    for (auto const& [column, s] : line.at("scores").object())
      runs_[line.string("model") + "/" + column + asked].push_back({line.integer("run"),
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

std::string const& DiskStudy::what(std::string const& model) const { return model_named(models, model).what; }
int64_t DiskStudy::planned(std::string const& model) const { return model_named(models, model).all_regimes ? 5 : 3; }

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

/// Of some items; NaN without one class.
double balanced(std::vector<int64_t> const& items, std::vector<int64_t> const& label,
                std::vector<int64_t> const& calls) {
  double right[2] = {}, all[2] = {};
  for (int64_t i : items) {
    size_t k = size_t(label[size_t(i)]);
    all[k] += 1, right[k] += calls[size_t(i)] == label[size_t(i)];
  }
  return (right[0] / all[0] + right[1] / all[1]) / 2;
}

learn::PairedTest tested(Calls const& c, std::function<double(std::vector<int64_t> const&, int64_t)> const& score) {
  return learn::paired_test(int64_t(c.label.size()), int64_t(c.one.size()), score,
                            {.samples = test_samples, .seed = 16, .groups = c.field});
}

}  // namespace

double balanced_on(DiskStudy& study, DiskRun const& run, std::string const& part) {
  std::vector<int64_t> all, calls;
  for (double p : run.p(part)) all.push_back(int64_t(all.size())), calls.push_back(p >= run.rule.threshold);
  return balanced(all, study.truth(part).label, calls);
}

std::optional<learn::PairedTest> DiskStudy::compared(std::vector<DiskRun> const& one, std::vector<DiskRun> const& other,
                                                     std::vector<std::string> const& parts) {
  auto both = pairs(one, other);
  if (both.empty()) return {};
  std::string key;
  for (auto [a, b] : both) key += text(a->unit, "/", a->column, " ", b->unit, "/", b->column, " ");
  for (std::string const& part : parts) key += part + " ";
  if (auto found = tests_.find(key); found != tests_.end()) return found->second;
  Calls c = calls_of(*this, both, parts);
  return tests_[key] = tested(c, [&](std::vector<int64_t> const& items, int64_t run) {
           return balanced(items, c.label, c.one[size_t(run)]) - balanced(items, c.label, c.other[size_t(run)]);
         });
}

// --- numbers and words -----------------------------------------------------------------------------------------------------

std::string signed_text(double v, int places) { return (v < 0 ? "−" : "+") + decimals(std::abs(v), places); }

std::string words_of(std::optional<learn::PairedTest> const& t) {
  if (!t) return not_run;
  return text(signed_text(t->difference), " [", signed_text(t->interval.low), ", ", signed_text(t->interval.high), "]");
}

std::string p_text(double p) { return std::isnan(p) ? not_run : p < 0.001 ? "0.001" : decimals(p, 3); }
std::string p_text(std::optional<learn::PairedTest> const& t) { return t ? p_text(t->p) : not_run; }

std::string seeds_text(int64_t seeds, int64_t planned) {
  return seeds < planned ? text(seeds, " of ", planned) : text(seeds);
}

namespace {

std::string no_claim_yet(int64_t seeds, int64_t planned) {
  return text("preliminary, ", seeds_text(seeds, planned), " seeds: no claim");
}

std::string mean_text(int64_t seeds, int64_t planned) {
  return text(seeds < planned ? "Preliminary, " : "Mean of ", seeds_text(seeds, planned), " seeds.");
}

std::string names_of(std::vector<std::string> const& names) {
  std::string out;
  for (std::string const& name : names) out += (out.empty() ? "" : "; ") + name;
  return out;
}

}  // namespace

std::string claim_text(DiskStudy const& study, learn::PairedTest const& t, std::string const& model,
                       std::string const& regime) {
  int64_t seeds = int64_t(study.pairs(study.runs(model, regime), study.runs(model, "b")).size());
  std::string out = text("p = ", p_text(t.p), ": ");
  if (seeds < study.planned(model)) return out + no_claim_yet(seeds, study.planned(model));
  if (t.p >= claimed_below) return out + "no difference is claimed";
  return text(out, "regime ", regime, t.difference > 0 ? " is better than b" : " is worse than b with this denoiser");
}

namespace {

std::vector<double> values(std::vector<DiskRun> const& runs, double DiskRun::*member) {
  std::vector<double> out;
  for (DiskRun const& run : runs) out.push_back(run.*member);
  return out;
}

/// With the number of seeds where some are missing.
std::string cell(std::vector<DiskRun> const& runs, double DiskRun::*member, int64_t planned) {
  if (runs.empty()) return not_run;
  int64_t seeds = int64_t(runs.size());
  return spread_text(values(runs, member)) + (seeds < planned ? text(" (", seeds, ")") : "");
}

}  // namespace

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

int64_t seeds_of(DiskStudy const& study, std::vector<DiskRun> const& one, std::vector<DiskRun> const& other) {
  return int64_t(study.pairs(one, other).size());
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
    DiskModel const& m = model_named(models, row.model);
    int64_t planned_seeds = study.planned(row.model);
    out += text("| ", row.name, " | ", row.views ? std::string("as above") : html::count(m.weights), " | ",
                row.views ? std::string("16 times that") : html::count(m.multiply_adds), " | ",
                rate_text(study, row.model), " | ", planned_seeds);
    for (char const* column : {"clean", "a", "b", "c", "d", "e"}) {
      bool planned = row.all || *column == 'b' || *column == 'd';
      out += " | " + (planned ? cell(of_regime(study, row, column), member, planned_seeds) : std::string("–"));
    }
    out += " |\n";
  }
  return text(out, "\n± covers seeds only, not the ", study.data.pictures(0),
              " galaxies of the test set. In parentheses: how many seeds, where fewer were run than planned.\n");
}

std::string verdict_table(DiskStudy& study, std::vector<DiskModel> const& models) {
  std::string out = "| classifier | d − b | p | seeds | e − b | p | seeds |\n|---|---|---|---|---|---|---|\n";
  for (TableRow const& row : rows_of(models)) {
    out += "| " + row.name;
    auto b = of_regime(study, row, "b");
    for (char const* regime : {"d", "e"}) {
      if (*regime == 'e' && !row.all) {
        out += " | – | – | –";
        continue;
      }
      auto other = of_regime(study, row, regime);
      auto t = study.compared(other, b, disk_ladder());
      out += text(" | ", words_of(t), " | ", p_text(t), " | ",
                  seeds_text(seeds_of(study, other, b), study.planned(row.model)));
    }
    out += " |\n";
  }
  return out + "\nSeeds that both regimes have. Each p stands alone: it is not corrected for the number of rows.\n";
}

std::string rivals_table(DiskStudy& study, std::vector<DiskModel> const& models) {
  std::string out = "| D16 of order 16 minus | in b | p | seeds | in d | p | seeds |\n|---|---|---|---|---|---|---|\n";
  for (TableRow const& row : rows_of(models)) {
    if (row.model == "d16") continue;
    out += "| " + row.name;
    for (char const* regime : {"b", "d"}) {
      auto const &one = study.runs("d16", regime), other = of_regime(study, row, regime);
      auto t = study.compared(one, other, disk_ladder());
      out += text(" | ", words_of(t), " | ", p_text(t), " | ",
                  seeds_text(seeds_of(study, one, other), study.planned(row.model)));
    }
    out += " |\n";
  }
  return out +
         "\nOnly seeds that both have are compared. Each p stands alone: it is not corrected for the number of rows.\n";
}

namespace {
std::string const longer_b = text("b-epochs-", longer_epochs), longer_d = text("d-epochs-", longer_epochs);

/// "b, 3 times as many epochs".
std::string longer_name(std::string const& column) {
  if (column.size() == 1) return column;
  return text(column[0], ", ", longer_epochs, " times as many epochs");
}
}  // namespace

std::string longer_table(DiskStudy& study, std::vector<DiskModel> const& models) {
  std::string out = text("| classifier | regime | balanced accuracy | AUC | minus ", longer_name(longer_b),
                         " | p | seeds |\n|---|---|---|---|---|---|---|\n");
  for (DiskModel const& m : models) {
    std::vector<DiskRun> const& base = study.runs(m.name, longer_b);
    for (std::string const& column : {std::string("b"), longer_b, std::string("d"), longer_d, std::string("e")}) {
      std::vector<DiskRun> shared;
      for (auto [run, of_base] : study.pairs(study.runs(m.name, column), base)) shared.push_back(*run);
      if (shared.empty()) continue;
      out += text("| ", m.what, " | ", longer_name(column), " | ", spread_text(values(shared, &DiskRun::balanced)),
                  " | ", spread_text(values(shared, &DiskRun::auc)));
      auto t = column == longer_b ? std::nullopt : study.compared(shared, base, disk_ladder());
      out += t ? text(" | ", words_of(t), " | ", p_text(t)) : std::string(" | – | –");
      out += text(" | ", seeds_text(int64_t(shared.size()), longer_seeds), " |\n");
    }
  }
  return out +
         "\nSeeds that both have. For D16 three times as many epochs take about as long as the training of denoiser "
         "and classifier together; the CNN is quicker. Each p stands alone.\n";
}

namespace {

/// One bin of the levels: both differences, AUC beside them.
struct Bin {
  double snr, size;
  std::optional<learn::PairedTest> b = {}, d = {}, e = {};  ///< b: itself, not a difference
  double d_holm = nan, e_holm = nan, auc_b = nan, auc_d = nan, auc_e = nan;
};

double auc_of(DiskStudy& study, DiskRun const& run, std::string const& part) {
  std::vector<double> p = run.p(part);
  int64_t n = int64_t(p.size());
  return learn::roc_auc(d16::from(p, {n}), d16::from(study.truth(part).label, {n}));
}

double mean_of(std::vector<double> const& v) { return v.empty() ? nan : mean(v); }

/// Balanced accuracy of some runs on a part, sampled as the test of the plan.
std::optional<learn::PairedTest> alone(DiskStudy& study, std::vector<DiskRun> const& runs, std::string const& part) {
  if (runs.empty()) return {};
  Calls c = calls_of(study, study.pairs(runs, runs), {part});
  return tested(
      c, [&](std::vector<int64_t> const& items, int64_t run) { return balanced(items, c.label, c.one[size_t(run)]); });
}

std::vector<Bin> bins_of(DiskStudy& study, std::string const& model) {
  std::vector<Bin> out;
  auto const &b = study.runs(model, "b"), &d = study.runs(model, "d"), &e = study.runs(model, "e");
  for (double size : disk_sizes)
    for (double snr : disk_snr) {
      std::string part = disk_part(snr, size);
      auto auc_difference = [&](std::vector<DiskRun> const& one) {
        std::vector<double> list;
        for (auto [x, y] : study.pairs(one, b)) list.push_back(auc_of(study, *x, part) - auc_of(study, *y, part));
        return mean_of(list);
      };
      std::vector<double> auc;
      for (DiskRun const& run : b) auc.push_back(auc_of(study, run, part));
      Bin bin{snr, size};
      bin.b = alone(study, b, part), bin.d = study.compared(d, b, {part}), bin.e = study.compared(e, b, {part});
      bin.auc_b = mean_of(auc), bin.auc_d = auc_difference(d), bin.auc_e = auc_difference(e);
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
      "| R_e/FWHM | S/N | b | AUC b | d − b | p (Holm) | AUC d − b | e − b | p (Holm) | AUC e − b | seeds of d − b, "
      "e − b |\n|---|---|---|---|---|---|---|---|---|---|---|\n";
  auto with_interval = [](std::optional<learn::PairedTest> const& t) {
    if (!t) return std::string(not_run);
    return text(decimals(t->difference, 3), " [", decimals(t->interval.low, 3), ", ", decimals(t->interval.high, 3),
                "]");
  };
  auto number = [](double v, bool sign) {
    return std::isnan(v) ? std::string(not_run) : sign ? signed_text(v) : decimals(v, 3);
  };
  auto const &b = study.runs(model, "b"), &d = study.runs(model, "d"), &e = study.runs(model, "e");
  std::string seeds = text(seeds_text(seeds_of(study, d, b), study.planned(model)), ", ",
                           seeds_text(seeds_of(study, e, b), study.planned(model)));
  for (Bin const& bin : bins_of(study, model))
    out += text("| ", bin.size, " | ", bin.snr, " | ", with_interval(bin.b), " | ", number(bin.auc_b, false), " | ",
                words_of(bin.d), " | ", p_text(bin.d_holm), " | ", number(bin.auc_d, true), " | ", words_of(bin.e),
                " | ", p_text(bin.e_holm), " | ", number(bin.auc_e, true), " | ", seeds, " |\n");
  size_t bins = disk_ladder().size();
  return text(out,
              "\nValues near 0.5 are chance. One threshold, fitted on validation pictures of all levels, serves every "
              "bin. Differences are of the same seeds. The smallest possible p after Holm is ",
              decimals(2 * double(bins) / double(1 + test_samples), 3), ".\n");
}

// --- false disks -----------------------------------------------------------------------------------------------------------

std::vector<std::string> null_parts(NullKind const& kind, double snr) {
  if (kind.label < 0) return {text(kind.prefix, snr)};
  std::vector<std::string> out;
  for (double size : disk_sizes) out.push_back(disk_part(snr, size));
  return out;
}

learn::Fraction sure_disks(DiskStudy& study, std::vector<DiskRun> const& runs, std::vector<std::string> const& parts,
                           int64_t label) {
  int64_t called = 0, n = 0, seeds = 0;
  for (std::string const& part : parts)
    for (int64_t l : study.truth(part).label) n += label < 0 || l == label;
  for (DiskRun const& run : runs) {
    if (!std::all_of(parts.begin(), parts.end(), [&](std::string const& part) { return run.has(part); })) continue;
    for (std::string const& part : parts) {
      DiskTruth const& t = study.truth(part);
      std::vector<double> p = run.p(part);
      for (size_t i = 0; i < p.size(); ++i) called += (label < 0 || t.label[i] == label) && p[i] > sure_from;
    }
    ++seeds;
  }
  if (!seeds || !n) return {0, 0, nan, {0, 1}};
  double share = double(called) / double(seeds * n);
  int64_t galaxies = label < 0 ? n : n / int64_t(parts.size());  // the test pictures of all levels are of the same ones
  return {std::llround(share * double(n)), n, share,
          learn::wilson_interval(std::llround(share * double(galaxies)), galaxies)};
}

namespace {

/// "2 of 750", "1.7 of 750".
std::string count_text(learn::Fraction const& f) {
  double count = f.value * double(f.n);
  return text(decimals(count, std::abs(count - std::round(count)) < 0.05 ? 0 : 1), " of ", f.n);
}

}  // namespace

std::string share_text(learn::Fraction const& f) {
  if (f.n == 0) return not_run;
  return text(decimals(f.value, 3), " [", decimals(f.interval.low, 3), ", ", decimals(f.interval.high, 3), "] (",
              count_text(f), ")");
}

std::string false_table(DiskStudy& study, std::string const& model) {
  std::string out = "| what | S/N | b | d | e |\n|---|---|---|---|---|\n";
  auto add = [&](std::string const& name, double snr, std::vector<std::string> const& parts, int64_t label) {
    out += text("| ", name, " | ", snr);
    for (char const* regime : {"b", "d", "e"})
      out += " | " + share_text(sure_disks(study, study.runs(model, regime), parts, label));
    out += " |\n";
  };
  for (NullKind const& kind : null_kinds)
    for (double snr : disk_snr) {
      add(kind.name, snr, null_parts(kind, snr), kind.label);
      if (kind.label >= 0) add("of these at R_e/FWHM 1.5", snr, {disk_part(snr, 1.5)}, kind.label);
    }
  return out +
         "\nMean over seeds; Wilson interval as for one seed, in which a galaxy of several levels counts once. Test "
         "ellipticals: the levels of R_e/FWHM together.\n";
}

namespace {

/// What is no disk, all levels together, in a regime and in b: of the seeds of both.
struct FalseDisks {
  std::string name, regime;
  learn::Fraction here, in_b;
  int64_t seeds;
};

std::vector<FalseDisks> false_disks(DiskStudy& study, std::string const& model) {
  std::vector<FalseDisks> out;
  for (NullKind const& kind : null_kinds) {
    std::vector<std::string> parts;
    for (double snr : disk_snr)
      for (std::string const& part : null_parts(kind, snr)) parts.push_back(part);
    for (char const* regime : {"d", "e"}) {
      std::vector<DiskRun> here, in_b;
      for (auto [x, y] : study.pairs(study.runs(model, regime), study.runs(model, "b")))
        here.push_back(*x), in_b.push_back(*y);
      FalseDisks f{kind.name, regime, sure_disks(study, here, parts, kind.label),
                   sure_disks(study, in_b, parts, kind.label), int64_t(here.size())};
      if (f.here.n && f.in_b.n) out.push_back(f);
    }
  }
  return out;
}

std::string percent(learn::Fraction const& f) { return text(decimals(100 * f.value, 2), " % (", count_text(f), ")"); }

}  // namespace

std::vector<std::string> false_disk_warnings(DiskStudy& study, std::string const& model) {
  std::vector<std::string> out;
  for (FalseDisks const& f : false_disks(study, model)) {
    if (f.here.value <= f.in_b.value) continue;
    bool apart = f.here.interval.low > f.in_b.interval.high;
    out.push_back(text("FALSE DISKS: ", study.what(model), ", regime ", f.regime, ": ", percent(f.here), " of ", f.name,
                       " at p > ", sure_from, "; b: ", percent(f.in_b), ". ", mean_text(f.seeds, study.planned(model)),
                       " Planned comparison of rates, no test; the intervals ",
                       apart ? "do not overlap." : "overlap."));
  }
  return out;
}

std::vector<std::string> fewer_false_disks(DiskStudy& study, std::string const& model) {
  std::vector<std::string> fewer;
  for (FalseDisks const& f : false_disks(study, model))
    if (f.here.value < f.in_b.value)
      fewer.push_back(text("regime ", f.regime, " ", percent(f.here), " of ", f.name, ", b ", percent(f.in_b)));
  if (fewer.empty()) return {};
  return {text("Fewer false disks than in b, ", study.what(model), ": ", names_of(fewer), ".")};
}

namespace {

// --- the clean goals -----------------------------------------------------------------------------------------------------

struct Goal {
  char const* name;
  double value;
  bool least;  ///< else at most so much
};
constexpr Goal clean_goals[] = {{"AUC", 0.97, true},
                                {"balanced accuracy", 0.88, true},
                                {"accuracy on the most confident 70 %", 0.985, true},
                                {"calibration error", 0.03, false}};
constexpr size_t goal_count = std::size(clean_goals);

/// In the order of the goals.
std::array<double, goal_count> clean_of(DiskStudy& study, DiskRun const& run) {
  DiskTruth const& t = study.truth("test-clean");
  std::vector<double> p = run.p("test-clean");
  int64_t n = int64_t(p.size());
  return {run.auc, run.balanced, confident_accuracy(p, t.label),
          learn::calibration_error(learn::reliability_bins(d16::from(p, {n}), d16::from(t.label, {n})))};
}

/// One list over seeds for each goal.
std::array<std::vector<double>, goal_count> clean_values(DiskStudy& study, std::string const& model) {
  std::array<std::vector<double>, goal_count> out;
  for (DiskRun const& run : study.runs(model, "clean")) {
    auto values = clean_of(study, run);
    for (size_t k = 0; k < goal_count; ++k) out[k].push_back(values[k]);
  }
  return out;
}

std::string met(Goal const& goal, double v) {
  return (goal.least ? v >= goal.value : v <= goal.value) ? "met" : "missed";
}

}  // namespace

std::string clean_table(DiskStudy& study) {
  std::string out = "| clean pictures", line = "|---";
  for (Goal const& goal : clean_goals) {
    out += text(" | ", goal.name, goal.least ? " (≥ " : " (≤ ", decimals(goal.value, 3), ")");
    line += "|---";
  }
  out += " | seeds |\n" + line + "|---|\n";
  for (char const* model : {"d16", "cnn"}) {
    out += "| " + study.what(model);
    auto values = clean_values(study, model);
    for (size_t k = 0; k < goal_count; ++k)
      out += " | " + (values[k].empty() ? std::string(not_run)
                                        : spread_text(values[k]) + ", " + met(clean_goals[k], mean_of(values[k])));
    out += text(" | ", seeds_text(int64_t(values[0].size()), study.planned(model)), " |\n");
  }
  return out;
}

// --- what follows -----------------------------------------------------------------------------------------------------------

std::vector<std::string> verdict_words(DiskStudy& study) {
  std::vector<std::string> out;
  for (char const* model : {"d16", "cnn"})
    for (char const* regime : {"d", "e"})
      if (auto t = study.compared(study.runs(model, regime), study.runs(model, "b"), disk_ladder()))
        out.push_back(text(study.what(model), ", regime ", regime, " against b: ", words_of(t),
                           " in balanced accuracy, ", claim_text(study, *t, model, regime), "."));
  for (char const* model : {"d16", "cnn"})
    for (char const* regime : {"d", "e"})
      if (auto t = study.compared(study.runs(model, regime), study.runs(model, longer_b), disk_ladder())) {
        int64_t seeds = seeds_of(study, study.runs(model, regime), study.runs(model, longer_b));
        out.push_back(text("Not planned: ", study.what(model), ", regime ", regime, " against b of ", longer_epochs,
                           " times as many epochs: ", words_of(t), ", p = ", p_text(t), ", ",
                           seeds_text(seeds, longer_seeds), " seeds."));
      }
  return out;
}

namespace {

/// Test 2 of the plan.
std::string bins_words(DiskStudy& study, std::string const& model, std::string const& regime,
                       std::vector<Bin> const& bins) {
  auto [test, corrected] = regime == "d" ? std::pair(&Bin::d, &Bin::d_holm) : std::pair(&Bin::e, &Bin::e_holm);
  int64_t seeds = seeds_of(study, study.runs(model, regime), study.runs(model, "b"));
  std::string out = text(study.what(model), ", ", regime, " − b by level: ");
  if (!seeds) return text(out, not_run, ".");
  if (seeds < study.planned(model)) return text(out, no_claim_yet(seeds, study.planned(model)), ".");
  std::vector<std::string> names;
  for (Bin const& bin : bins)
    if (bin.*corrected < claimed_below)
      names.push_back(text("R_e/FWHM ", bin.size, ", S/N ", bin.snr, " (", signed_text((bin.*test)->difference), ")"));
  return text(out, "after Holm, ", names.size(), " of ", bins.size(), " bins differ", names.empty() ? "" : ": ",
              names_of(names), ".");
}

/// Test 3 of the plan.
std::string rivals_words(DiskStudy& study, std::string const& regime) {
  std::vector<std::string> better, worse, alike, early, missing;
  for (TableRow const& row : rows_of(study.models)) {
    if (row.model == "d16") continue;
    auto const &one = study.runs("d16", regime), other = of_regime(study, row, regime);
    auto t = study.compared(one, other, disk_ladder());
    int64_t seeds = seeds_of(study, one, other), planned = study.planned(row.model);
    if (!t) missing.push_back(row.name);
    else if (seeds < planned) early.push_back(text(row.name, " (", seeds_text(seeds, planned), " seeds)"));
    else (t->p >= claimed_below ? alike : t->difference > 0 ? better : worse).push_back(row.name);
  }
  std::vector<std::string> words;
  auto add = [&](char const* what, std::vector<std::string> const& names) {
    std::string list;
    for (std::string const& name : names) list += (list.empty() ? "" : " / ") + name;
    if (!names.empty()) words.push_back(text(what, list));
  };
  add("claimed better than ", better), add("not better than ", alike), add("claimed worse than ", worse);
  add("preliminary, no claim: ", early), add(text(not_run, ": ").c_str(), missing);
  return text(study.what("d16"), " in ", regime, ": ", names_of(words), ".");
}

std::string clean_words(DiskStudy& study, std::string const& model) {
  auto values = clean_values(study, model);
  int64_t seeds = int64_t(values[0].size());
  std::string out = text(study.what(model), ", clean goals: ");
  if (!seeds) return text(out, not_run, ".");
  std::vector<std::string> goals;
  for (size_t k = 0; k < goal_count; ++k) {
    Goal const& goal = clean_goals[k];
    double v = mean_of(values[k]);
    goals.push_back(text(goal.name, " ", decimals(v, 3), goal.least ? ", at least " : ", at most ",
                         decimals(goal.value, 3), ": ", met(goal, v)));
  }
  return text(out, names_of(goals), ". ", mean_text(seeds, study.planned(model)));
}

}  // namespace

std::vector<std::string> test_words(DiskStudy& study) {
  std::vector<std::string> out;
  for (char const* model : {"d16", "cnn"}) {
    std::vector<Bin> bins = bins_of(study, model);
    for (char const* regime : {"d", "e"}) out.push_back(bins_words(study, model, regime, bins));
  }
  for (char const* regime : {"b", "d"}) out.push_back(rivals_words(study, regime));
  for (char const* model : {"d16", "cnn"}) out.push_back(clean_words(study, model));
  return out;
}

}  // namespace tool
