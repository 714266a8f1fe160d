// d16 classify --system highz: low-z, high-z or brown dwarf for each row of a catalogue or each cutout.
#pragma once
#include <string>
#include <vector>

#include "common.hpp"

namespace tool {

/// What only this system may be told.
struct HighzChoices {
  std::string cutouts;             ///< folder for the rows of a catalogue
  std::string trees;               ///< for rows with fluxes only; empty: highz.json of this program
  std::string unit, aperture;      ///< of a catalogue's fluxes
  std::string pixel_unit;          ///< of the cutouts
  double pixel_arcsec = 0;         ///< of the cutouts; 0: from the headers
  std::vector<double> prior;       ///< of low-z, high-z, brown dwarf; empty: those of the weights
  std::vector<double> thresholds;  ///< of high-z, brown dwarf; empty: those of the weights

  friend bool operator==(HighzChoices const&, HighzChoices const&) = default;
};

struct ClassifyHighzOptions : Common {
  std::string input, out;  ///< out: NAME.fits, NAME.csv, or a folder for both and report.html
  std::string weights;     ///< network or trees for cutouts; empty: highz.safetensors or highz.json of this program
  HighzChoices choices;
};

/// One output row for each input row, in the same order, all columns kept. A row that cannot be classified has NaN and
/// a flag; a bad file is a flagged row. Nothing is written unless all is.
/// Errors   FileError, WeightsError, ValueError with what to do.
Json classify_highz(ClassifyHighzOptions const& o);

}  // namespace tool
