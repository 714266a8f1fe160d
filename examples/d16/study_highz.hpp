// What d16 study highz may be told, and the pieces that the study and its report share.
#pragma once
#include <string>
#include <vector>

#include "study.hpp"

namespace tool {

struct StudyHighzOptions : Common {
  std::string data = "../shared/data", out, only;  ///< only: one variant by name
  int64_t runs = 10;                               ///< of the main network; of the others three at most
  double minutes = 0;                              ///< begin no unit after so many; 0: no limit
  int64_t train = 9000, validation = 6000, test = 22800, extra = 3000;  ///< objects; extra: of each further part
  int64_t side = 32, epochs = 10, batch = 16;
  double threshold = 6.5;
};

/// Trains and tests every variant, one unit (variant, run) after the other; what stands in results.jsonl is not done
/// again. Then writes the report of all units that are there.
Json study_highz(StudyHighzOptions const& o);

/// The parts that every classifier is tested on, the validation set among them.
std::vector<std::string> study_parts();
int64_t study_count(StudyHighzOptions const& o, std::string const& part);
/// Objects of the test set on which single bands are taken away.
int64_t study_zeroed_count(StudyHighzOptions const& o);

/// report.md, report.html and pictures from what is there. Returns the numbers of the best classifier.
Json study_highz_report(StudyHighzOptions const& o);

}  // namespace tool
