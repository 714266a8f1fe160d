// Fluxes of a catalogue in whatever bands it has, and the filters and templates that go with them.
#pragma once
#include <cmath>
#include <string>
#include <vector>

#include <d16/photoz/redshift.hpp>

#include "highz_catalog.hpp"

namespace tool {

/// Which catalogue, and what its columns mean.
struct PhotometryOptions {
  std::string catalog, unit, aperture;
  std::vector<std::string> bands = {};  ///< empty: all that there are filters for
  std::string data = "../shared/data";
  std::string filters = {};    ///< curves in EAZY's format; empty: those of NIRCam in `data`
  std::string passbands = {};  ///< CSV band, pivot, width in Angstrom: filters approximated as top hats
  std::string redshift = {};   ///< column of true redshifts; empty: z_spec, EAZY_z_spec, TRUE_Z, the first there is
  bool names_only = false;     ///< of the filters: their curves are not needed
  bool as_asked = false;       ///< the bands stay in the order of `bands`
  std::string size = {};  ///< column of radii; empty: flux_radius, F444W_RHALF, RHALF, half_light, the first there is
};

/// A catalogue with fluxes in bands. Unknown numbers are NaN.
struct Photometry {
  HighzRows rows;
  std::vector<d16::sim::Curve> filters;  ///< one for each band, blue first as far as wavelengths are known
  d16::photoz::FluxTable fluxes;         ///< nJy
  std::vector<double> truth;             ///< spectroscopic or simulated redshifts; empty: no such column
  std::string truth_column;
  std::vector<double> size;  ///< empty: no such column
  std::string size_column, size_unit;
  bool approximate_filters = false;
  std::vector<std::string> notes;

  std::vector<std::string> bands() const;
};

/// Errors   FileError: what is missing or damaged, and what to do.
Photometry read_photometry(PhotometryOptions const& o);

/// Errors   FileError unless it is named .fits or .csv.
void check_catalogue_name(std::string const& out);

/// S/N of all bands of a row together, weighted by 1 / sigma^2; NaN without a band.
double total_snr(d16::photoz::FluxTable const& table, size_t row);

/// Spectra by name: jades, larson, fsps or eazy of the folder `data`, or folders with *.sed and *.dat files; each behind
/// dust of each A_V, magnitudes at 5500 Angstrom by the law of Calzetti.
/// Errors   FileError: no such set, nothing in it.
std::vector<d16::sim::Curve> read_templates(std::vector<std::string> const& names, std::string const& data,
                                            std::vector<double> const& dust = {0});

/// A number for --json, which has no NaN: null where it is not known.
inline Json known(double value) { return std::isfinite(value) ? Json(value) : Json(); }

/// Where the brown-dwarf models of the folder `data` are.
std::string dwarf_models_of(std::string const& data);

}  // namespace tool
