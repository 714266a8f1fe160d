// What d16 simulate redshift may be told.
#pragma once
#include <string>
#include <vector>

#include "common.hpp"

namespace tool {

struct SimulateRedshiftOptions : Common {
  std::string input, out, psf, band, unit, psf_out;
  std::vector<double> z_out{2};
  double z_in = 0, pixel_in = 0, fwhm_out = 0, pixel_out = 0.04, psf_pixel_out = 0, sigma = 0, correlation = 0.45;
  double dimming = 4, luminosity_evolution = 0, size_evolution = 0, hubble = 70, matter = 0.3;
  int64_t size = 0, limit = 0;
};

Json simulate_redshift(SimulateRedshiftOptions const& o);

}  // namespace tool
