// Figures of one object in the seven bands, for reports: its spectrum, its bands side by side, its segments.
#pragma once
#include <optional>
#include <string>

#include <d16/sim/filters.hpp>

#include "highz_input.hpp"

namespace tool {

/// Photometry to be drawn, and what is true of a simulated object. All in nJy.
struct HighzSpectrum {
  BandNumbers flux{}, error{};            ///< NaN: no data, an empty box
  std::optional<BandNumbers> truth = {};  ///< fluxes without noise
  d16::sim::Curve curve = {};             ///< spectrum without noise over Angstrom; may be empty
};
/// Fluxes with errors against wavelength as SVG; a band without data is an empty box.
std::string highz_spectrum_plot(HighzSpectrum const& spectrum);

/// The bands side by side, (64,64,7) with NaN for what is missing: each in units of its own noise, all with the same
/// white, so that a break is seen as a band that goes; an empty box for each missing band. `name` is for those who
/// cannot see it. A row of figures to be put into <div class="pictures">.
std::string highz_strip(d16::Tensor const& image, std::string const& name);

/// In colour, as it came and as the classifier sees it (HighzInputs::image of that object): two figures as above.
std::string highz_colours(d16::Tensor const& image, d16::Tensor const& prepared, std::string const& name);

/// The detection image with the outlines of its segments, and what is left when the neighbours are masked: three
/// figures as above. The noise of all red bands must be known and their pixels be there, as in a simulation.
std::string highz_segments(BandObject const& object, std::string const& name);

}  // namespace tool
