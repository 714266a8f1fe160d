// d16 train separator and d16 separate: stars, brown dwarfs and galaxies by their colours.
#pragma once
#include <string>
#include <vector>

#include "common.hpp"
#include "photometry.hpp"

namespace tool {

struct TrainSeparatorOptions : Common {
  PhotometryOptions photometry;  ///< a catalogue of the survey: its bands, errors and what it misses
  std::string out;
  std::vector<std::string> libraries;  ///< NAME=FILE.csv: further classes
  std::vector<std::string> templates{"jades", "larson"}, test_templates{"fsps"};
  std::vector<double> dust{0, 0.5, 1, 2};
  std::string dwarfs;  ///< empty: those of the data folder
  std::string heldout = "ATMO2020";
  int64_t count = 20000, rounds = 400, depth = 1;
};
Json train_separator(TrainSeparatorOptions const& o);

struct SeparateOptions : Common {
  PhotometryOptions photometry;
  std::string weights, out;
  std::vector<double> prior;
  double compact = 2;
};
Json separate(SeparateOptions const& o);

}  // namespace tool
