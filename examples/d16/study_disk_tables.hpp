// What d16 study disk has found so far, and its tables in Markdown, for study_disk_report.cpp and its figures.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <d16/learn/paired.hpp>

#include "cutout.hpp"
#include "study_disk_models.hpp"

namespace tool {

constexpr char const* not_run = "not run yet";
constexpr double sure_from = 0.7;  ///< from here on a disk is counted

/// One test part: what is true.
struct DiskTruth {
  std::vector<int64_t> label, field, item;
};

/// One classifier of one seed in one column of the table.
struct DiskRun {
  int64_t seed;
  DiskRule rule;
  double auc, balanced, validation_auc;
  std::shared_ptr<d16::io::TensorFile> logits;
  std::string unit, column;

  bool has(std::string const& part) const { return logits->has(column + "/" + part); }
  std::vector<double> p(std::string const& part) const {
    return disk_probabilities(logits->at(column + "/" + part), rule.temperature);
  }
};

/// What was run.
class DiskStudy {
 public:
  explicit DiskStudy(StudyDiskOptions const& o);

  StudyDiskOptions options;
  DiskData data;
  std::vector<Json> lines;
  std::vector<DiskModel> models;

  /// DiskModel::what.
  std::string const& what(std::string const& model) const;
  /// Seeds of the plan.
  int64_t planned(std::string const& model) const;
  /// column: one of the table, or with an open question "b-size-0.5".
  std::vector<DiskRun> const& runs(std::string const& model, std::string const& column) const;
  DiskTruth const& truth(std::string const& part);
  /// The same seeds of two.
  std::vector<std::pair<DiskRun const*, DiskRun const*>> pairs(std::vector<DiskRun> const& one,
                                                               std::vector<DiskRun> const& other) const;
  /// The test of the plan, one minus other, of the seeds of both; nothing when there is none.
  std::optional<d16::learn::PairedTest> compared(std::vector<DiskRun> const& one, std::vector<DiskRun> const& other,
                                                 std::vector<std::string> const& parts);
  Json const* line(std::string const& unit) const;
  bool has_denoiser() const { return has_denoiser_; }

 private:
  std::map<std::string, std::vector<DiskRun>> runs_;
  std::map<std::string, DiskTruth> truth_;
  std::map<std::string, d16::learn::PairedTest> tests_;
  bool has_denoiser_ = false;
};

/// Balanced accuracy of a run on a part, at its threshold; NaN without one class.
double balanced_on(DiskStudy& study, DiskRun const& run, std::string const& part);
/// How many of some parts have p > 0.7, mean over the seeds; the interval is that of one seed and counts a galaxy that
/// is in several parts once. label -1: of all.
d16::learn::Fraction sure_disks(DiskStudy& study, std::vector<DiskRun> const& runs,
                                std::vector<std::string> const& parts, int64_t label);
/// "0.002 [0.001, 0.010] (1.7 of 750)".
std::string share_text(d16::learn::Fraction const& f);

/// What is no disk, and where it is found.
struct NullKind {
  char const *prefix, *name;
  int64_t label;  ///< of those that count; -1: all
};
constexpr NullKind null_kinds[] = {
    {"spheroids-", "round n = 4 spheroids", -1}, {"stars-", "stars", -1}, {"test-", "test ellipticals", 0}};
/// At one S/N; of test pictures one for each R_e/FWHM.
std::vector<std::string> null_parts(NullKind const& kind, double snr);

// Numbers as the tables write them.
std::string signed_text(double v, int places = 3);
std::string p_text(double p);
std::string p_text(std::optional<d16::learn::PairedTest> const& t);
std::string words_of(std::optional<d16::learn::PairedTest> const& t);
/// "5", or "3 of 5" before all that were planned are there.
std::string seeds_text(int64_t seeds, int64_t planned);
/// "p = 0.020: regime d is worse than b with this denoiser" or why nothing is claimed.
std::string claim_text(DiskStudy const& study, d16::learn::PairedTest const& t, std::string const& model,
                       std::string const& regime);

/// What was found, in words that follow from the numbers.
std::vector<std::string> verdict_words(DiskStudy& study);
/// Where denoising calls more of what is no disk a disk than noise-augmented training does, all S/N together.
std::vector<std::string> false_disk_warnings(DiskStudy& study, std::string const& model);
/// Where it calls fewer.
std::vector<std::string> fewer_false_disks(DiskStudy& study, std::string const& model);
/// What follows from tests 2 and 3 of the plan and from its clean goals.
std::vector<std::string> test_words(DiskStudy& study);

// Tables of the plan.
std::string scores_table(DiskStudy const& study, std::vector<DiskModel> const& models, double DiskRun::*member);
std::string verdict_table(DiskStudy& study, std::vector<DiskModel> const& models);
std::string rivals_table(DiskStudy& study, std::vector<DiskModel> const& models);
/// Not planned: all against regime b trained three times as long.
std::string longer_table(DiskStudy& study, std::vector<DiskModel> const& models);
std::string bins_table(DiskStudy& study, std::string const& model);
std::string false_table(DiskStudy& study, std::string const& model);
std::string clean_table(DiskStudy& study);

}  // namespace tool
