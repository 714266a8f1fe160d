// What d16 study disk may be told, and the pieces that the study and its report share.
#pragma once
#include <string>
#include <vector>

#include "study.hpp"

namespace tool {

struct StudyDiskOptions : Common {
  std::string data, labels;               ///< pictures and their classes, as of `train disk`
  std::string out, only;                  ///< only: MODEL or MODEL/REGIME
  std::string denoiser;                   ///< weights to begin the training of the denoiser with; empty: fresh ones
  std::string shared = "../shared/data";  ///< where jwst_ceers_nircam and mnist_10k may lie
  int64_t seeds = 5;                      ///< of the two classifiers with all regimes; of the others three at most
  int64_t epochs = 16, denoiser_epochs = 8, tune_epochs = 4, batch = 32, limit = 0;
  double minutes = 0;     ///< begin no unit after so many; 0: no limit
  bool questions = true;  ///< the open questions after the table of the plan
  bool report = false;    ///< only write the report of what is there
};

/// Makes the pictures, trains the denoiser and then every classifier in every regime, one unit after the other; what
/// stands in results.jsonl is not done again. Then writes the report of all units that are there.
Json study_disk(StudyDiskOptions const& o);

/// report.html, report.md and pictures from what is there. Returns the verdict.
Json study_disk_report(StudyDiskOptions const& o);

}  // namespace tool
