// What a simulated survey may be told, and what is known of each of its objects.
#pragma once
#include <array>
#include <cstdint>
#include <string>

#include "brown_dwarfs.hpp"
#include "filters.hpp"

namespace d16::sim {

/// The classes of the classifier, in the order of its outputs.
enum class SurveyClass { low_z, high_z, brown_dwarf };
constexpr char const* name_of(SurveyClass c) {
  return c == SurveyClass::low_z ? "low_z" : c == SurveyClass::high_z ? "high_z" : "brown_dwarf";
}

/// Parts that share no object. The held-out ones are made from what no other part has: another set of templates,
/// another library of brown dwarfs, another set of PSFs, or all three of them.
enum class Split { train, validation, test, heldout, heldout_templates, heldout_library, heldout_psf };
constexpr char const* name_of(Split s) {
  constexpr char const* names[] = {"train",           "validation", "test", "heldout", "heldout_templates",
                                   "heldout_library", "heldout_psf"};
  return names[int(s)];
}

/// Which objects a survey has.
enum class SurveySet {
  balanced,  ///< low-z, high-z, brown dwarfs in turn
  poster,    ///< 722 low-z, 722 high-z, 11 brown dwarfs in each 1455, well mixed
  bimodal,   ///< pairs: a high-z galaxy, then a low-z one whose Balmer break lies where the other's Lyman break is
  stress,    ///< low-z and high-z in turn, two magnitudes brighter, bright centres, bright sloping background
  little_red_dots,  ///< low-z and high-z in turn, all of them compact, red and V-shaped: they mimic brown dwarfs
};
constexpr char const* name_of(SurveySet s) {
  constexpr char const* names[] = {"balanced", "poster", "bimodal", "stress", "little_red_dots"};
  return names[int(s)];
}
/// The one of that name. Errors   ValueError that lists them all.
inline SurveySet survey_set(std::string const& name) {
  std::string names;
  for (int i = 0; i < 5; ++i) {
    if (name == name_of(SurveySet(i))) return SurveySet(i);
    names += std::string(i ? ", " : "") + name_of(SurveySet(i));
  }
  throw ValueError(text("survey_set: \"", name, "\" is none of ", names));
}
inline Split survey_split(std::string const& name) {
  std::string names;
  for (int i = 0; i < 7; ++i) {
    if (name == name_of(Split(i))) return Split(i);
    names += std::string(i ? ", " : "") + name_of(Split(i));
  }
  throw ValueError(text("survey_split: \"", name, "\" is none of ", names));
}

/// Everything about a simulated survey that is not data. All numbers are choices of ours unless a source is named.
///
/// All classes draw their detection magnitude from one distribution, and with it their signal to noise: F444W in an
/// aperture of radius 0.15 arcsec, corrected to a point's total, so that all objects are as easily found. Low-z and
/// high-z galaxies draw size, Sersic index and shape from one distribution, so that their total magnitudes agree too.
/// Brown dwarfs are points: their size cannot be matched, their total magnitude is the detection magnitude; instead
/// `compact_fraction` of the galaxies are smaller than a pixel, and for them the two agree too. So are little red dots.
struct SurveyOptions {
  uint64_t seed = 16;
  SurveySet set = SurveySet::balanced;

  double threshold = 6.5;                  ///< high-z from here on: 4.5, 6.5, 8 ...
  double least_z = 0.1, most_z = 15;       ///< of all galaxies
  double low_z_scale = 0.8;                ///< low-z: p(z) ~ z^2 exp(-z / scale)
  double high_z_scale = 2.5;               ///< high-z: p(z) ~ exp(-z / scale)
  double young_z = 6;                      ///< beyond, templates with a Balmer break above the next are left out
  double young_break = 2;                  ///< see Templates::balmer_break
  double dust_scale = 0.4, most_dust = 3;  ///< A_V: exponential, cut
  double igm_scatter = 0.25;               ///< of the logarithm of the optical depth, between lines of sight
  double template_error = 0.05;            ///< of the logarithm of each flux: templates and models are never right
  double red_dot_fraction = 0.05;          ///< of the galaxies of the balanced and the poster set
  DwarfPrior dwarfs = {};

  double brightest = 25;          ///< detection magnitude, AB; the faintest is the 5 sigma depth
  double counts_slope = 0.2;      ///< numbers per magnitude go as 10^(slope m)
  double compact_fraction = 0.3;  ///< of the galaxies: r_eff 0.003 to 0.03 arcsec, uniform in the logarithm
  double median_size = 0.12;      ///< of the others, arcsec: log-normal
  double size_scatter = 0.5;      ///< of its natural logarithm; cut at 0.03 and 0.6 arcsec
  double neighbour_probability = 0.3;

  /// 5 sigma depth of a point source in AB magnitudes: aperture of radius 0.15 arcsec, corrected to all of its light.
  /// Our choice, half a magnitude short of the deepest field of JADES, for which Robertson et al. 2024
  /// (arXiv:2312.10033) give 30.1 to 30.8 in radius 0.1 arcsec.
  Fluxes depth{29.5, 29.7, 29.7, 29.8, 30.0, 29.9, 29.7};
  double noise_correlation = 0.45;  ///< of neighbouring pixels; 0.37 to 0.48 measured in CEERS images
  double photons = 1000;            ///< detected per nJy: 30 ks, 25 m^2, 40 %, bands of a quarter of their wavelength

  std::string heldout_templates = "fsps";
  std::string heldout_library = "ATMO2020";
  std::string heldout_psf = "6414";
};

/// Bits of SurveyTruth::flags.
enum SurveyFlag : int32_t {
  survey_bimodal = 1,          ///< one of an aliasing pair
  survey_bright_centre = 2,    ///< an unresolved centre has a part of the light
  survey_background = 4,       ///< a bright, sloping background
  survey_neighbour = 8,        ///< another galaxy in the cutout
  survey_little_red_dot = 16,  ///< the template of a little red dot
  survey_compact = 32,         ///< smaller than a pixel
};

/// A Sersic galaxy, or a point when r_eff is 0.
struct SurveyShape {
  double x0 = 0, y0 = 0;  ///< column and row of the centre, pixels; pixel (0,0) has its centre at 0, 0
  double r_eff = 0;       ///< arcsec, along the major axis
  double n = 1, q = 1;    ///< Sersic index, minor to major axis
  double theta = 0;       ///< of the major axis, radians from +x towards +y
};

/// The truth about one object.
struct SurveyTruth {
  std::string id = {};
  SurveyClass label = SurveyClass::low_z;
  int32_t flags = 0;     ///< SurveyFlag
  int64_t pair = -1;     ///< number of the bimodal pair, else -1
  double z = 0;          ///< NaN for brown dwarfs
  Fluxes flux{};         ///< total, nJy
  double magnitude = 0;  ///< detection magnitude: F444W, radius 0.15 arcsec, corrected; AB
  double snr = 0;        ///< of the flux in that aperture: 5 at the depth of the survey
  SurveyShape shape = {};
  double centre_fraction = 0;  ///< of the light in an unresolved centre
  std::string source = {};     ///< set of templates, or library of brown dwarfs
  std::string templates = {};  ///< names and weights, joined by " + "
  double a_v = 0, igm_factor = 1;
  double teff = 0, logg = 0, metallicity = 0, distance_pc = 0;  ///< of brown dwarfs, else NaN
  std::string psf = {};                                         ///< set of PSFs
  SurveyShape neighbour = {};
  Fluxes neighbour_flux{};                          ///< nJy; 0: there is none
  double noise_factor = 1;                          ///< noise, in units of the survey's
  double background = 0, slope_x = 0, slope_y = 0;  ///< in noises of a pixel, and those from edge to edge
};

}  // namespace d16::sim
