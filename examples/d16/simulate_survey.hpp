// What d16 simulate survey may be told.
#pragma once
#include <string>

#include "common.hpp"

namespace tool {

struct SimulateSurveyOptions : Common {
  std::string out, data = "../shared/data";
  std::string set = "balanced", split = "test", format = "fits";
  int64_t count = 0, first = 0;  ///< count 0: 1455 of the poster set, 300 of others
  double threshold = 6.5;
};

Json simulate_survey(SimulateSurveyOptions const& o);

}  // namespace tool
