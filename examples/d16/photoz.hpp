// d16 photoz: photometric redshifts of a catalogue, quality cuts, and the report on both.
#pragma once
#include <string>
#include <vector>

#include <d16/photoz/cuts.hpp>
#include <d16/photoz/scores.hpp>

#include "common.hpp"
#include "photometry.hpp"

namespace tool {

struct PhotozOptions : Common {
  PhotometryOptions photometry;
  std::string out, pdf, report;
  std::vector<std::string> templates{"jades", "larson"};
  std::vector<double> dust{0};
  double least_z = 0.01, most_z = 20, step = 0.01;
  double template_error = 0.05, error_scale = 0.5;
  std::string error_curve;
  std::string prior, prior_band;  ///< file of p(z | magnitude); empty: flat
  std::string dwarfs;             ///< empty: those of the data folder; "none"
  bool cuts = false;
  double least_size = d16::photoz::not_known;
  double bimodal = 0.1;
};
Json photoz(PhotozOptions const& o);

/// Bits of the column photoz_flags.
enum PhotozFlag : int32_t {
  photoz_few_bands = 1,      ///< fewer than three bands: no redshift
  photoz_no_light = 2,       ///< no template can be brighter than nothing: no redshift
  photoz_missing_band = 4,   ///< at least one band has no flux
  photoz_edge = 8,           ///< the least chi^2 is at the end of the grid
  photoz_bimodal = 16,       ///< two modes where Balmer and Lyman break change places
  photoz_filters_guess = 32  ///< filter curves were approximated
};

/// What a run found, for the report.
struct PhotozResults {
  PhotozOptions const& options;
  Photometry const& catalogue;
  d16::photoz::TemplateGrid const& grid;
  d16::photoz::DwarfModels const& dwarfs;
  d16::photoz::MagnitudePrior const& prior;
  std::vector<d16::photoz::RedshiftFit> fits = {};
  std::vector<int32_t> flags = {}, failed = {};  ///< failed: empty without cuts
  std::vector<double> snr = {};                  ///< all bands together, weighted by 1 / sigma^2
  std::vector<d16::photoz::CutCount> counts = {};
  double seconds = 0;
};

/// Scores of rows with a true redshift: of all, by signal to noise, of those that pass the cuts.
struct PhotozBin {
  std::string name;
  d16::photoz::RedshiftScores scores;
};
std::vector<PhotozBin> photoz_bins(PhotozResults const& r);

/// One HTML page.
std::string photoz_report(PhotozResults const& r);

}  // namespace tool
