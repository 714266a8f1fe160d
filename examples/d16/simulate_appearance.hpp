// What d16 simulate appearance may be told.
#pragma once
#include <string>

#include "common.hpp"

namespace tool {

struct SimulateAppearanceOptions : Common {
  std::string input, out, sheet, snr = "3:100", shrink = "1:4", correlation = "0:0.5", contaminants = "none";
  int64_t size = 64, crop = 0, channels = 3, limit = 0, variants = 1;
  double fwhm = 2;
  bool reframe = false;
};

Json simulate_appearance(SimulateAppearanceOptions const& o);

}  // namespace tool
