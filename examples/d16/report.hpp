// The report of `d16 run`: one HTML file with pictures, a histogram, a table and how it was made.
#pragma once
#include <string>
#include <vector>

#include "pipeline.hpp"

namespace tool {

/// One object of the gallery, as pictures (size,size,3) in [0, 1] with row 0 on top.
struct Exhibit {
  size_t row = 0;  ///< of the catalogue
  d16::Tensor raw, denoised, residual;
};

/// The pictures of an object. In the residual raw - denoised zero is dark grey, light taken away orange, added blue.
Exhibit exhibit_of(Object const& object, size_t row);

struct Report {
  std::string input;
  std::vector<Row> rows;
  std::vector<Exhibit> exhibits;
  bool raw = false;
  double zoom = 1, seconds = 0;
};

/// A longer gallery is cut; the catalogue has everything.
constexpr size_t most_exhibits = 120;

std::string report_html(Report const& report, Networks const& networks);

}  // namespace tool
