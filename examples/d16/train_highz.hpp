// What d16 train highz may be told.
#pragma once
#include <string>

#include "common.hpp"

namespace tool {

struct TrainHighzOptions : Common {
  std::string data = "../shared/data", out;
  std::string set = "balanced", variant = "main";
  int64_t runs = 10;
  int64_t count = 0;  ///< training objects; 0: 9000 of the balanced set, 1455 of the poster's
  int64_t validation = 6000, test = 6000, side = 32, epochs = 10, batch = 16;
  int64_t accumulate = 1;
  std::string precision = "float32";
  double threshold = 6.5;
};

/// Independent runs of one classifier, each resumed where it was interrupted; the best on validation objects is kept.
Json train_highz(TrainHighzOptions const& o);

}  // namespace tool
