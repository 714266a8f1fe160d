// Catalogues with fluxes in bands: bodies of photometry.hpp.
#include "photometry.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <utility>

#include <d16/io/csv.hpp>
#include <d16/io/survey_catalog.hpp>
#include <d16/sim/filters.hpp>

#include "cutout.hpp"

namespace tool {

using d16::FileError;
using d16::require;
using d16::text;
namespace io = d16::io;
namespace sim = d16::sim;
namespace photoz = d16::photoz;

namespace {

/// The wide and medium bands of NIRCam.
constexpr char const* nircam[] = {"F070W", "F090W", "F115W", "F140M", "F150W", "F162M", "F182M",
                                  "F200W", "F210M", "F250M", "F277W", "F300M", "F335M", "F356W",
                                  "F360M", "F410M", "F430M", "F444W", "F460M", "F480M"};

/// The filters of a table of passbands.
std::vector<sim::Curve> read_passbands(std::string const& path) {
  io::Table table = io::read_csv(path);
  std::vector<std::string> band = table.strings("band");
  std::vector<double> pivot = table.numbers("pivot"), width = table.numbers("width");
  std::vector<sim::Curve> out;
  for (size_t i = 0; i < band.size(); ++i) try {
      out.push_back(photoz::top_hat(band[i], pivot[i], width[i]));
    } catch (d16::ValueError const& fault) {
      throw FileError(text(path, " ", table.where(int64_t(i)), ": ", fault.what()));
    }
  require<FileError>(!out.empty(), path, ": has no rows; one for each band is needed");
  return out;
}

/// The bands that may be in the catalogue.
std::vector<std::string> candidates(PhotometryOptions const& o, std::vector<sim::Curve> const& passbands) {
  if (!o.bands.empty()) return o.bands;
  std::vector<std::string> out;
  for (sim::Curve const& curve : passbands) out.push_back(curve.name);
  if (out.empty()) out.assign(std::begin(nircam), std::end(nircam));
  return out;
}

/// Pivot of the filter's curve or of the passband with its name, or what the name of a band of NIRCam says, in
/// Angstrom; NaN where nothing does.
double wavelength_of(sim::Curve const& filter, std::vector<sim::Curve> const& passbands) {
  if (!filter.wavelength.empty()) return sim::pivot_wavelength(filter);
  for (sim::Curve const& curve : passbands)
    if (lower(curve.name) == lower(filter.name)) return sim::pivot_wavelength(curve);
  return is_nircam(filter.name) ? 1e4 * wavelength(filter.name) : photoz::not_known;
}

/// Blue first; as they are where a wavelength is not known.
void sort_bands(Photometry& p, std::vector<sim::Curve> const& passbands) {
  std::vector<std::pair<double, size_t>> order;
  for (size_t b = 0; b < p.filters.size(); ++b) order.emplace_back(wavelength_of(p.filters[b], passbands), b);
  if (std::any_of(order.begin(), order.end(), [](auto const& band) { return std::isnan(band.first); })) return;
  std::sort(order.begin(), order.end());
  Photometry sorted;
  for (auto const& [wavelength, b] : order) {
    sorted.filters.push_back(std::move(p.filters[b]));
    sorted.fluxes.flux.push_back(std::move(p.fluxes.flux[b]));
    sorted.fluxes.error.push_back(std::move(p.fluxes.error[b]));
  }
  p.filters = std::move(sorted.filters), p.fluxes = std::move(sorted.fluxes);
}

std::vector<sim::Curve> filters_of(PhotometryOptions const& o, std::vector<sim::Curve> const& passbands,
                                   std::vector<std::string> const& bands) {
  std::vector<sim::Curve> out;
  if (o.names_only) {
    for (std::string const& band : bands) out.push_back({band, {}, {}});
    return out;
  }
  if (passbands.empty()) {
    std::string file = o.filters;
    if (file.empty()) file = join(o.data, "nircam_filters_jades_seds/configs/jwst_nircam_FILTER.RES");
    require<FileError>(is_file(file), file,
                       ": no such file; --filters names curves in EAZY's format, --passbands a CSV of approximations");
    out = sim::read_filters(file, bands);
    for (size_t i = 0; i < out.size(); ++i) out[i].name = bands[i];
    return out;
  }
  for (std::string const& band : bands) {
    auto found = std::find_if(passbands.begin(), passbands.end(),
                              [&](sim::Curve const& curve) { return lower(curve.name) == lower(band); });
    require<FileError>(found != passbands.end(), o.passbands, ": no band \"", band, "\"; add a row for it");
    out.push_back(*found);
  }
  return out;
}

}  // namespace

std::vector<std::string> Photometry::bands() const {
  std::vector<std::string> out;
  for (sim::Curve const& filter : filters) out.push_back(filter.name);
  return out;
}

Photometry read_photometry(PhotometryOptions const& o) {
  require<FileError>(is_file(o.catalog), o.catalog,
                     ": no such file; --catalog is a FITS, CSV or blank-separated table");
  HighzRowsOptions how{.input = o.catalog, .cutouts = {}, .unit = o.unit, .aperture = o.aperture, .any_columns = true};
  Photometry out;
  out.rows = list_highz(how);
  std::vector<sim::Curve> passbands;
  if (!o.passbands.empty()) passbands = read_passbands(o.passbands);
  out.approximate_filters = !passbands.empty();

  std::vector<std::string> bands;
  bool assumed = false;
  for (std::string const& band : candidates(o, passbands)) {
    std::optional<BandFluxes> found = band_fluxes(out.rows.table, band, how);
    require<FileError>(found || o.bands.empty(), o.catalog, ": no flux in band ", band, "; it has ",
                       out.rows.table.names());
    if (!found) continue;
    bands.push_back(band);
    assumed |= found->unit_assumed;
    out.fluxes.flux.push_back(std::move(found->flux)), out.fluxes.error.push_back(std::move(found->error));
  }
  require<FileError>(bands.size() >= 2, o.catalog, ": fluxes in ", bands.size(),
                     " bands that there are filters for, in columns such as F444W, f_f444w or F444W_CIRC1 with errors "
                     "beside them; two are needed; it has ",
                     out.rows.table.names());
  out.filters = filters_of(o, passbands, bands);
  if (!o.as_asked) sort_bands(out, passbands);
  if (assumed)
    out.notes.push_back("the fluxes have no unit in the file: one was assumed; redshifts do not depend on it");
  if (out.approximate_filters)
    out.notes.push_back(text("APPROXIMATE FILTERS: top hats of the pivot wavelengths and widths in ",
                             base_name(o.passbands), " stand for the true curves"));
  if (out.rows.simulated) out.notes.push_back("SIMULATED data: no telescope saw this");

  std::vector<std::string> truths{"z_spec", "EAZY_z_spec", "TRUE_Z"},
      sizes{"flux_radius", "F444W_RHALF", "RHALF", "half_light"};
  if (!o.redshift.empty()) truths = {o.redshift};
  if (!o.size.empty()) sizes = {o.size};
  io::Column const *truth = find_any(out.rows.table, truths), *size = find_any(out.rows.table, sizes);
  require<FileError>(truth || o.redshift.empty(), o.catalog, ": no column \"", o.redshift, "\"; it has ",
                     out.rows.table.names());
  require<FileError>(size || o.size.empty(), o.catalog, ": no column \"", o.size, "\"; it has ",
                     out.rows.table.names());
  if (truth) {
    out.truth = io::detail::redshifts(measured(out.rows.table, truth));
    out.truth_column = truth->name;
  }
  if (size) out.size = measured(out.rows.table, size), out.size_column = size->name, out.size_unit = size->info.unit;
  return out;
}

void check_catalogue_name(std::string const& out) {
  require<FileError>(ends_with(lower(out), ".csv") || ends_with(lower(out), ".fits"), out,
                     ": --out is a catalogue: NAME.fits or NAME.csv");
}

double total_snr(photoz::FluxTable const& table, size_t row) {
  double sum = 0, weight = 0;
  for (size_t b = 0; b < table.flux.size(); ++b) {
    double f = table.flux[b][row], e = table.error[b][row];
    if (std::isfinite(f) && e > 0) sum += f / (e * e), weight += 1 / (e * e);
  }
  return weight > 0 ? sum / std::sqrt(weight) : photoz::not_known;
}

namespace {

sim::Curve reddened(sim::Curve curve, double a_v) {
  if (a_v == 0) return curve;
  for (size_t i = 0; i < curve.wavelength.size(); ++i)
    curve.value[i] *= std::pow(10.0, -0.4 * a_v * sim::calzetti(curve.wavelength[i]));
  curve.name += text("_av", a_v);
  return curve;
}

}  // namespace

std::vector<sim::Curve> read_templates(std::vector<std::string> const& names, std::string const& data,
                                       std::vector<double> const& dust) {
  std::string nircam_data = join(data, "nircam_filters_jades_seds/configs/EAZY_templates/templates");
  std::string eazy = join(data, "sed_templates_eazy/templates");
  std::vector<sim::Curve> out;
  for (std::string const& name : names) {
    std::vector<std::string> places{name};
    if (name == "jades") places = {join(nircam_data, "jades")};
    if (name == "larson") places = {join(nircam_data, "LarsonTemplates")};
    if (name == "fsps") places = {join(eazy, "fsps_full")};
    if (name == "eazy") places = {join(eazy, "EAZY_v1.1_lines"), join(eazy, "Dusty"), eazy};
    for (std::string const& place : places) {
      require<FileError>(is_folder(place), place,
                         ": no such folder of templates; jades, larson, fsps, eazy or a folder is needed");
      size_t before = out.size();
      for (std::string const& file : list_folder(place)) {
        bool spectrum = ends_with(file, ".sed") || ends_with(file, ".dat");
        bool wanted = place != eazy || file == "erb2010_highEW.dat";  // the folder has tables of other kinds too
        if (!spectrum || !wanted) continue;
        sim::Curve curve = sim::read_spectrum(join(place, file), file.substr(0, file.size() - 4));
        for (double a_v : dust) out.push_back(reddened(curve, a_v));
      }
      require<FileError>(out.size() > before, place, ": no *.sed or *.dat in it; the templates are needed");
    }
  }
  return out;
}

std::string dwarf_models_of(std::string const& data) {
  return join(data, "brown_dwarf_photometry/bd_photometry_nircam8.csv");
}

}  // namespace tool
