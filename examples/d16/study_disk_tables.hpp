// What d16 study disk has found so far, and its tables in Markdown, for study_disk_report.cpp and its figures.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cutout.hpp"
#include "study_disk_models.hpp"

namespace tool {

constexpr char const* not_run = "not run yet";

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

  std::vector<DiskRun> const& runs(std::string const& model, std::string const& column) const;
  DiskTruth const& truth(std::string const& part);
  /// The same seeds of two.
  std::vector<std::pair<DiskRun const*, DiskRun const*>> pairs(std::vector<DiskRun> const& one,
                                                               std::vector<DiskRun> const& other) const;
  Json const* line(std::string const& unit) const;
  bool has_denoiser() const { return has_denoiser_; }

 private:
  std::map<std::string, std::vector<DiskRun>> runs_;
  std::map<std::string, DiskTruth> truth_;
  bool has_denoiser_ = false;
};

/// Of some items; NaN without one class.
double balanced(std::vector<int64_t> const& items, std::vector<int64_t> const& label,
                std::vector<int64_t> const& calls);
/// How many of a part have p > 0.7, mean over the seeds, with the interval of one. label -1: of all.
d16::learn::Fraction sure_disks(DiskStudy& study, std::vector<DiskRun> const& runs, std::string const& part,
                                int64_t label);

/// What is no disk, and where it is found.
struct NullKind {
  char const *prefix, *name;
  int64_t label;  ///< of those that count; -1: all
};
constexpr NullKind null_kinds[] = {{"spheroids-", "round n = 4 spheroids", -1},
                                   {"stars-", "stars", -1},
                                   {"test-", "test ellipticals at R_e/FWHM 1.5", 0}};
std::string null_part(NullKind const& kind, double snr);

/// What was found, in words that follow from the numbers.
std::vector<std::string> verdict_words(DiskStudy& study);
/// Where denoising calls more of what is no disk a disk than noise-augmented training does, all S/N together.
std::vector<std::string> false_disk_warnings(DiskStudy& study, std::string const& model);

// Tables of the plan.
std::string scores_table(DiskStudy const& study, std::vector<DiskModel> const& models, double DiskRun::*member);
std::string verdict_table(DiskStudy& study, std::vector<DiskModel> const& models);
std::string rivals_table(DiskStudy& study, std::vector<DiskModel> const& models);
std::string bins_table(DiskStudy& study, std::string const& model);
std::string false_table(DiskStudy& study, std::string const& model);
std::string clean_table(DiskStudy& study);
// Further ones.
std::string purity_table(DiskStudy& study, std::string const& model, std::string const& regime);
std::string number_table(DiskStudy& study, std::string const& model);
std::string parts_table(DiskStudy& study, std::string const& model);
std::string denoiser_text(DiskStudy const& study);
std::string questions_table(DiskStudy const& study);
std::string exposure_table(DiskStudy const& study);
std::string digits_table(DiskStudy const& study);
std::string speed_table(DiskStudy const& study);

}  // namespace tool
