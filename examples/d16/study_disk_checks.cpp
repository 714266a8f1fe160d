// What d16 study disk tells beside the tables of the plan: bodies of study_disk_checks.hpp.
#include "study_disk_checks.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <d16/learn/calibration.hpp>

#include "training.hpp"

namespace tool {

using d16::DType;
using d16::Tensor;
using d16::text;
namespace learn = d16::learn;

// --- not planned: the grain of the noise ---------------------------------------------------------------------------------

namespace {

constexpr int64_t border_rows = 6;  ///< at the top and at the bottom
// where an earlier run, which enlarged galaxies as much as it had reduced them, told the classes by their grain
constexpr double grain_snr = disk_snr[0], grain_size = disk_sizes[std::size(disk_sizes) - 1];

bool is_made(DiskStudy const& study, std::string const& part) {
  return is_file(join(join(study.options.out, "cache"), part + ".safetensors"));
}

/// Of each picture, the autocorrelation of its border rows at a distance of two pixels.
std::vector<double> grain_of(DiskStudy const& study, std::string const& part) {
  Tensor seen = study.data.pairs(part).seen.cast(DType::f32).contiguous();
  std::vector<double> out;
  for (int64_t n = 0; n < seen.dim(0); ++n) {
    double products = 0, squares = 0;
    for (int64_t i = 0; i < disk_side; ++i) {
      if (i >= border_rows && i < disk_side - border_rows) continue;
      float const* row = seen.data<float>() + (n * disk_side + i) * disk_side;
      double mean = std::accumulate(row, row + disk_side, 0.0) / double(disk_side);
      for (int64_t j = 0; j < disk_side; ++j) {
        double v = double(row[j]) - mean;
        squares += v * v;
        if (j + 2 < disk_side) products += v * (double(row[j + 2]) - mean);
      }
    }
    out.push_back(squares > 0 ? products / squares : 0);
  }
  return out;
}

double correlation(std::vector<double> const& x, std::vector<double> const& y) {
  double mx = mean(x), my = mean(y), xy = 0, xx = 0, yy = 0;
  for (size_t i = 0; i < x.size(); ++i)
    xy += (x[i] - mx) * (y[i] - my), xx += (x[i] - mx) * (x[i] - mx), yy += (y[i] - my) * (y[i] - my);
  return xy / std::sqrt(xx * yy);
}

/// Of the grain with the logit of D16, mean over seeds.
std::string correlation_text(DiskStudy const& study, std::string const& regime, std::string const& part,
                             std::vector<double> const& grain) {
  auto const& runs = study.runs("d16", regime);
  double sum = 0;
  for (DiskRun const& run : runs) {
    Tensor z = run.logits->at(run.column + "/" + part);
    std::vector<double> logit;
    for (int64_t i = 0; i < z.dim(0); ++i) logit.push_back(double(z.data<float>()[2 * i + 1] - z.data<float>()[2 * i]));
    sum += correlation(grain, logit) / double(runs.size());
  }
  return runs.empty() ? not_run : signed_text(sum, 2);
}

/// How many test galaxies are so small that they are not reduced, and stay below the wanted R_e/FWHM.
std::string too_small_text(DiskStudy const& study) {
  if (!is_made(study, "test-clean")) return text("How many galaxies stay below the nominal R_e/FWHM: ", not_run, ".\n");
  DiskPairs clean = study.data.pairs("test-clean");
  Tensor light = disk_light(clean.target.cast(DType::f32), clean.stretch).contiguous();
  std::vector<double> r_e;
  for (int64_t n = 0; n < light.dim(0); ++n) {
    auto half = d16::sim::detail::half_light(light.data<float>() + n * disk_side * disk_side, disk_side, disk_side, 1);
    r_e.push_back(std::sqrt(double(half.pixels.size()) / std::numbers::pi));
  }
  std::string out = "Galaxies that are too small to be reduced stay below the nominal R_e/FWHM: ";
  for (double size : disk_sizes) {
    double least = size * d16::sim::Appearance{}.fwhm;
    int64_t below = std::count_if(r_e.begin(), r_e.end(), [&](double r) { return r < least; });
    out +=
        text(size == disk_sizes[0] ? "" : ", ", decimals(100 * double(below) / double(r_e.size()), 0), " % at ", size);
  }
  return text(out, " (of ", r_e.size(), "; R_e measured in the frame of ", disk_side, " pixels without noise).\n");
}

/// What this means where it can matter most.
std::string grain_words(DiskStudy const& study, std::string const& part, std::vector<double> const& grain, double auc) {
  bool tells = auc > 0.55;
  return text(
      "At R_e/FWHM ", grain_size, " and S/N ", grain_snr, ", the grain of the enlarged noise ",
      tells ? "tells" : "hardly tells", " the classes apart: AUC ", decimals(auc, 2),
      " from the border alone, correlation with the logit ", correlation_text(study, "b", part, grain), " in b, ",
      correlation_text(study, "d", part, grain), " in d.",
      tells ? " Regime b can use it, the denoiser removes it. Harm there need not be loss of galaxy structure." : "",
      "\n");
}

}  // namespace

std::string grain_text(DiskStudy& study) {
  std::string out = text(
      "**Not planned: a check that a review of an earlier run asked for.** A galaxy is reduced until its R_e is so "
      "many "
      "FWHM, gets its noise, and is enlarged, noise and all, by a factor that is the same for all galaxies of a level: "
      "the grain of the noise should not tell the classes apart. The AUC here is that of the border alone, the first "
      "and last ",
      border_rows,
      " rows of the noisy test pictures: the less their pixels correlate at a distance of 2, the more likely a disk. "
      "0.5 is chance; where the S/N is high, light of the galaxy is in the border too. Beside it, the correlation of "
      "the grain with the logit of ",
      study.what("d16"),
      ", mean over seeds.\n\n| R_e/FWHM | S/N | AUC of the border | correlation in b | in d | in e "
      "|\n|---|---|---|---|---|---|\n");
  std::string words;
  for (double size : disk_sizes)
    for (double snr : disk_snr) {
      std::string part = disk_part(snr, size);
      out += text("| ", size, " | ", snr);
      if (!is_made(study, part)) {
        out += text(" | ", not_run, " | ", not_run, " | ", not_run, " | ", not_run, " |\n");
        continue;
      }
      std::vector<double> grain = grain_of(study, part);
      int64_t n = int64_t(grain.size());
      double auc = 1 - learn::roc_auc(d16::from(grain, {n}), d16::from(study.truth(part).label, {n}));
      out += text(" | ", decimals(auc, 3));
      for (char const* regime : {"b", "d", "e"}) out += " | " + correlation_text(study, regime, part, grain);
      out += " |\n";
      if (snr == grain_snr && size == grain_size) words = grain_words(study, part, grain, auc);
    }
  return out + "\n" + words + "\n" + too_small_text(study);
}

// --- limits -----------------------------------------------------------------------------------------------------------------

namespace {

/// Classifiers whose best learning rate is the least or the greatest of those tried.
std::string rates_at_the_edge(DiskStudy const& study) {
  std::string out;
  for (DiskModel const& m : study.models) {
    double least = 0, most = 0, best = -1, rate = 0;
    for (Json const& line : study.lines) {
      if (line.string("kind") != "tune" || line.string("model") != m.name) continue;
      double lr = line.number("lr"), auc = line.number("validation_auc");
      least = most > 0 ? std::min(least, lr) : lr, most = std::max(most, lr);
      if (auc > best) best = auc, rate = lr;
    }
    if (most > least && (rate == least || rate == most))
      out += text(out.empty() ? "" : "; ", m.what, " (", rate == least ? "the least, " : "the greatest, ", rate, ")");
  }
  return out;
}

}  // namespace

std::string limits_text(DiskStudy& study) {
  std::string out =
      "- Learning rates were chosen in regime b, which can only favour b.\n"
      "- The denoiser was taught by the clean pictures of the training galaxies, which no classifier in regime b sees: "
      "what d or e gains is a gain over such a training, not over every classifier of noisy pictures.\n";
  if (std::string edge = rates_at_the_edge(study); !edge.empty())
    out +=
        text("- The best learning rate lies at the edge of those that were tried, a better one may lie beyond: ", edge,
             ".\n");
  if (Json const* line = study.line("denoiser")) {
    Json const &faint = line->at("levels").array().front(), &bright = line->at("levels").array().back();
    if (faint.number("psnr_denoised") > bright.number("psnr_denoised"))
      out += text("- PSNR of denoised pictures falls from ", decimals(faint.number("psnr_denoised"), 1), " dB at S/N ",
                  faint.number("snr"), " to ", decimals(bright.number("psnr_denoised"), 1), " dB at S/N ",
                  bright.number("snr"), " because the scale of a picture follows its noise: compare within a row.\n");
    out += text("- Faint arms left in noisy pictures (", decimals(faint.number("arms_left_noisy"), 2),
                ") are all of them by construction: both pictures of a pair have the same noise.\n");
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
      "| S/N | disks | expected in b | p > 0.7 (disks) | expected in d | p > 0.7 (disks) | expected in e | p > 0.7 "
      "(disks) |\n"
      "|---|---|---|---|---|---|---|---|\n";
  for (double snr : disk_snr) {
    DiskTruth const& t = study.truth(disk_part(snr, 1.5));
    out += text("| ", snr, " | ", std::count(t.label.begin(), t.label.end(), 1));
    for (char const* regime : {"b", "d", "e"}) {
      auto const& runs = study.runs(model, regime);
      if (runs.empty()) {
        out += text(" | ", not_run, " | ", not_run);
        continue;
      }
      double sum = 0, variance = 0;
      int64_t above = 0, right = 0;
      std::vector<double> p = runs[0].p(disk_part(snr, 1.5));
      for (size_t i = 0; i < p.size(); ++i) {
        sum += p[i], variance += p[i] * (1 - p[i]);
        above += p[i] > sure_from, right += p[i] > sure_from && t.label[i] == 1;
      }
      double half = 1.96 * std::sqrt(variance);
      out += text(" | ", decimals(sum, 0), " [", decimals(sum - half, 0), ", ", decimals(sum + half, 0), "] | ", above,
                  " (", right, ")");
    }
    out += " |\n";
  }
  return out +
         "\nFirst seed; the interval assumes calibrated, independent p. In parentheses: how many of them are disks.\n";
}

namespace {

/// The test pictures at the usual level with one kind of contaminants each.
struct Scheme {
  std::string part, name;
};
std::vector<Scheme> schemes() {
  return {{"scheme-none", "none"},
          {"scheme-stars", "stars"},
          {"scheme-neighbours", "neighbours"},
          {"scheme-trails", "one to three satellite trails"},
          {disk_part(15, 1.5), "all, as in training"}};
}

/// p of each disk with arms less that of the same without, in the same noise.
std::vector<double> raised_by_arms(DiskRun const& run, std::string const& part) {
  std::vector<double> p = run.p(part), out;
  for (size_t i = 0, n = p.size() / 2; i < n; ++i) out.push_back(p[n + i] - p[i]);
  return out;
}

}  // namespace

std::string schemes_table(DiskStudy& study, std::string const& model) {
  std::string out = "| contaminants, S/N 15, R_e/FWHM 1.5 | b | d | e |\n|---|---|---|---|\n";
  for (Scheme const& scheme : schemes()) {
    out += "| " + scheme.name;
    for (char const* regime : {"b", "d", "e"})
      out += " | " + share_text(sure_disks(study, study.runs(model, regime), {scheme.part}, 0));
    out += " |\n";
  }
  return out + "\nTest ellipticals with p > 0.7; mean over seeds, Wilson interval as for one seed.\n";
}

std::string parts_table(DiskStudy& study, std::string const& model) {
  std::string out = "| part | b | d | e |\n|---|---|---|---|\n";
  auto add = [&](std::string const& part, std::string const& name, auto const& number, int places = 3) {
    out += "| " + name;
    for (char const* regime : {"b", "d", "e"}) {
      std::vector<double> list;
      for (DiskRun const& run : study.runs(model, regime))
        if (run.has(part)) list.push_back(number(run, part));
      std::string cell = list.empty() ? not_run : spread_text(list, places);
      out += " | " + (cell.starts_with("-") ? "−" + cell.substr(1) : cell);
    }
    out += " |\n";
  };
  auto accuracy = [&](DiskRun const& run, std::string const& part) { return balanced_on(study, run, part); };
  auto mean_p = [](DiskRun const& run, std::string const& part) { return mean(run.p(part)); };
  for (Scheme const& scheme : schemes()) add(scheme.part, "contaminants: " + scheme.name, accuracy);
  add("field-other", "another PSF, uncorrelated noise", accuracy);
  for (double snr : disk_snr) {
    std::string part = text("arms-", snr), at = text(", S/N ", snr);
    add(part, "mean p of disks without arms" + at, [](DiskRun const& run, std::string const& name) {
      std::vector<double> p = run.p(name);
      p.resize(p.size() / 2);  // the same pictures with arms follow
      return mean(p);
    });
    add(
        part, "p of the same with faint arms minus without, mean of the pairs" + at,
        [](auto const& run, auto const& name) { return mean(raised_by_arms(run, name)); }, 4);
    add(part, "share of the pairs in which arms raise p" + at, [](auto const& run, auto const& name) {
      std::vector<double> more = raised_by_arms(run, name);
      return double(std::count_if(more.begin(), more.end(), [](double v) { return v > 0; })) / double(more.size());
    });
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

/// "size-0.5" in plain words.
std::string question_text(std::string const& question) {
  size_t dash = question.find('-');
  std::string kind = question.substr(0, dash);
  double value = dash == question.npos ? 0 : std::strtod(question.c_str() + dash + 1, nullptr);
  if (kind == "size")
    return text(value == 0.5     ? "half"
                : value == 0.25  ? "a quarter"
                : value == 0.125 ? "an eighth"
                                 : text(100 * value, " %"),
                " of the training pictures");
  if (kind == "labels") return text(100 * value, " % of the labels wrong");
  if (kind == "patch") return text(value, " x ", value, " pixels");
  if (kind == "classes") return "three classes: elliptical, spiral, edge-on";
  if (kind == "selection") return "the half of the training pictures that the galaxy fills most";
  if (kind == "channels") return "in colour: " + text(value) + " channels";
  return question;
}

/// Three classes: rows are the truth, the last one mergers.
std::string classes_text(DiskStudy const& study, Json const& line) {
  Json const& s = line.at("scores").at(line.string("regime"));
  constexpr char const* names[] = {"elliptical", "spiral", "edge-on", "mergers, never trained on"};
  std::string out = text("\n| ", study.what(line.string("model")),
                         ", truth | called elliptical | spiral | edge-on |\n|---|---|---|---|\n");
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
  std::string out = "| question | classifier | balanced accuracy | AUC |\n|---|---|---|---|\n", rows;
  auto row = [&](std::string const& name, Json const& line) {
    Json const& s = line.at("scores").at(line.string("regime"));
    return text("| ", name, " | ", study.what(line.string("model")), " | ", decimals(s.number("balanced_accuracy"), 3),
                " | ", decimals(s.number("auc"), 3), " |\n");
  };
  for (Json const& line : study.lines)
    if (line.string("kind") == "question" && !line.string("question").starts_with("epochs"))  // has its own table
      rows += row(question_text(line.string("question")), line);
  if (rows.empty()) return std::string(not_run) + "\n";
  for (char const* model : {"d16", "cnn"})
    if (Json const* line = study.line(text(model, "-b-0")))
      out += row("nothing changed: first seed of regime b", *line);
  out += rows;
  for (Json const& line : study.lines)
    if (line.string("kind") == "question" && line.at("scores").at(line.string("regime")).has("confusion"))
      out += classes_text(study, line);
  return out;
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
    out += text("| ", study.what(line.string("model")), " | ", fraction("trained_turned"), " | ",
                fraction("trained_upright"), " |\n");
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
    out += text("| ", study.what(l.string("model")), ", regime ", l.string("regime"));
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
    std::string inference = "| " + study.what(l.string("model")), training = inference + ", training";
    for (Json const& row : l.at("speed").array()) {
      inference += " | " + cell(row);
      training += " | " + (row.has("training") ? cell(row.at("training")) : std::string("–"));
    }
    out += inference + " |\n" + training + " |\n";
  }
  return any ? out : std::string(not_run) + "\n";
}

}  // namespace tool
