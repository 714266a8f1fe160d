// What d16 simulate field may be told, and ranges as options.
#pragma once
#include <string>

#include "common.hpp"

namespace tool {

struct SimulateOptions : Common {
  std::string out, sheet;
  int64_t count = 24, size = 64, channels = 3, variants = 1, spikes = 4;
  std::string format = "fits", snr = "30:400", shear = "0", fwhm = "1.6:2.6", psf, contaminants = "all", number = "1:3";
  double exposure = 1, correlation = 0.4;
};

/// "LOW:HIGH", or one number for both.     Errors   ValueError that names the option.
struct Range {
  double low = 0, high = 0;
};
Range parse_range(char const* option, std::string const& words);

Json simulate(SimulateOptions const& o);

}  // namespace tool
