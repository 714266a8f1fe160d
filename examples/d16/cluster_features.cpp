// What d16 cluster works on: the rows of a catalogue, their columns, robustly scaled.
#include <algorithm>
#include <cmath>
#include <functional>

#include <d16/io/survey_catalog.hpp>
#include <d16/photoz/colours.hpp>

#include "cluster.hpp"

namespace tool {

using d16::FileError;
using d16::require;
using d16::text;
namespace io = d16::io;
namespace photoz = d16::photoz;

namespace {

constexpr double far = 5;   // spreads from the median beyond which a value is drawn in
constexpr double seen = 2;  // S/N below which a flux is a limit

/// A column before scaling: values of all rows, and where known their errors and which of them are limits.
struct Raw {
  std::string name;
  std::vector<double> value, error;
  std::vector<bool> limit;
};

std::vector<Raw> magnitudes(photoz::FluxTable const& fluxes, std::vector<std::string> const& bands,
                            std::vector<std::string>& notes) {
  std::vector<Raw> out;
  for (size_t b = 0; b < bands.size(); ++b) {
    bool any = false;
    for (size_t i = 0; i < fluxes.rows(); ++i) any |= std::isfinite(fluxes.flux[b][i]) && fluxes.error[b][i] > 0;
    if (!any) {
      notes.push_back("band " + bands[b] + " has no flux with an error and is left out");
      continue;
    }
    photoz::AsinhMagnitude magnitude = photoz::asinh_magnitude(fluxes.error[b]);
    Raw raw{bands[b], {}, {}, {}};
    for (size_t i = 0; i < fluxes.rows(); ++i) {
      double f = fluxes.flux[b][i], e = fluxes.error[b][i];
      raw.value.push_back(magnitude(f)), raw.error.push_back(magnitude.error(f, e)), raw.limit.push_back(f < seen * e);
    }
    out.push_back(std::move(raw));
  }
  return out;
}

std::vector<Raw> colours(std::vector<Raw> const& magnitudes) {
  std::vector<Raw> out;
  for (size_t b = 0; b + 1 < magnitudes.size(); ++b) {
    Raw const &blue = magnitudes[b], &red = magnitudes[b + 1];
    Raw raw{blue.name + "-" + red.name, {}, {}, {}};
    for (size_t i = 0; i < blue.value.size(); ++i) {
      raw.value.push_back(blue.value[i] - red.value[i]);
      raw.error.push_back(std::hypot(blue.error[i], red.error[i]));
      raw.limit.push_back(blue.limit[i] || red.limit[i]);
    }
    out.push_back(std::move(raw));
  }
  return out;
}

std::vector<Raw> photometric(ClusterCatalogue const& c, ClusterOptions const& o, std::vector<std::string>& notes) {
  auto asked = [&](char const* name) { return std::count(o.features.begin(), o.features.end(), name) > 0; };
  std::vector<Raw> bands = magnitudes(c.photometry.fluxes, c.photometry.bands(), notes), out;
  if (asked("magnitudes")) out = bands;
  if (asked("size") && c.photometry.size.empty()) notes.push_back("no column of radii: sizes are left out");
  else if (asked("size")) {
    Raw raw{"log " + c.photometry.size_column, {}, {}, {}};
    for (double r : c.photometry.size) raw.value.push_back(r > 0 ? std::log10(r) : nan);
    out.push_back(std::move(raw));
  }
  if (asked("colours"))
    for (Raw& raw : colours(bands)) out.push_back(std::move(raw));
  return out;
}

std::vector<Raw> of_columns(ClusterCatalogue const& c, std::vector<std::string> const& columns) {
  std::vector<Raw> out;
  for (std::string const& name : columns) {
    io::Column const* column = find_any(c.rows.table, {name});
    require<FileError>(column, c.rows.table.source(), ": no column \"", name, "\"; it has ", c.rows.table.names());
    Raw raw{column->name, measured(c.rows.table, column), {}, {}};
    out.push_back(std::move(raw));
  }
  return out;
}

/// Rows that are wanted and have half of the features at least.
std::vector<size_t> usable(ClusterCatalogue const& c, std::vector<Raw> const& raw, ClusterOptions const& o,
                           std::vector<std::string>& notes) {
  std::vector<size_t> out;
  std::vector<int64_t> cuts;
  if (o.sound) {
    io::Column const* column = find_any(c.rows.table, {"cuts"});
    require<FileError>(column, c.rows.table.source(), ": no column \"cuts\"; d16 photoz --cuts makes it");
    cuts = c.rows.table.integers(column->name);
  }
  int64_t faint = 0, unsound = 0, empty = 0;
  for (size_t i = 0; i < c.rows.size(); ++i) {
    auto known = std::count_if(raw.begin(), raw.end(), [&](Raw const& r) { return std::isfinite(r.value[i]); });
    if (!cuts.empty() && cuts[i] != 0) ++unsound;
    else if (o.min_snr > 0 && !(total_snr(c.photometry.fluxes, i) >= o.min_snr)) ++faint;
    else if (2 * size_t(known) < raw.size()) ++empty;
    else out.push_back(i);
  }
  if (unsound) notes.push_back(text(unsound, " rows fail the quality cuts and are left out"));
  if (faint) notes.push_back(text(faint, " rows have S/N below ", o.min_snr, " and are left out"));
  if (empty) notes.push_back(text(empty, " rows have less than half of the features and are left out"));
  if (o.limit > 0 && out.size() > size_t(o.limit)) {
    std::vector<size_t> kept;
    for (size_t k = 0; k < size_t(o.limit); ++k) kept.push_back(out[k * out.size() / size_t(o.limit)]);
    notes.push_back(text("--limit: ", kept.size(), " of ", out.size(), " rows, evenly spread"));
    out = std::move(kept);
  }
  return out;
}

/// Median and spread of a column over the rows: 1.4826 times the median distance from the median, or, where more than
/// half of the rows have one value, the root of the mean of its squares.
std::pair<double, double> middle(std::vector<double> const& value, std::vector<size_t> const& rows) {
  std::vector<double> known;
  for (size_t i : rows)
    if (std::isfinite(value[i])) known.push_back(value[i]);
  if (known.size() < 2) return {nan, 0};
  double median = d16::vision::median(known);
  for (double& v : known) v = std::abs(v - median);
  double const mad = d16::vision::median(known);
  if (mad > 0) return {median, 1.482602218505602 * mad};
  double squares = 0;
  for (double v : known) squares += v * v;
  return {median, std::sqrt(squares / double(known.size()))};
}

}  // namespace

ClusterCatalogue read_cluster_catalogue(ClusterOptions const& o) {
  ClusterCatalogue c;
  bool joins = !o.join.table.empty() || !o.join.match.empty();
  if (o.columns.empty()) {
    PhotometryOptions how = o.photometry;
    how.names_only = true;
    c.photometry = read_photometry(how);
    c.rows = std::move(c.photometry.rows);
    c.notes = c.photometry.notes;
  } else {
    require<FileError>(is_file(o.photometry.catalog), o.photometry.catalog,
                       ": no such file; --catalog is a FITS, CSV or blank-separated table");
    c.rows = list_highz({.input = o.photometry.catalog, .any_columns = true});
  }
  if (joins) {
    require<FileError>(c.rows.fits.empty(), o.photometry.catalog,
                       ": --join and --match are for catalogues that are text; write it as CSV first");
    Joined joined = join_tables(std::move(c.rows.table), o.join);
    c.rows.table = std::move(joined.table);
    c.rows.names.clear();
    for (io::Column const& column : c.rows.table.columns()) c.rows.names.push_back(column.name);
    c.notes.insert(c.notes.end(), joined.notes.begin(), joined.notes.end());
  }
  io::Table const& table = c.rows.table;
  std::vector<std::string> redshifts{"z_spec", "EAZY_z_spec", "TRUE_Z", "z", "z_a", "z_phot", "EAZY_z_a"};
  if (!o.photometry.redshift.empty()) redshifts = {o.photometry.redshift};
  io::Column const* z = find_any(table, redshifts);
  require<FileError>(z || o.photometry.redshift.empty(), table.source(), ": no column \"", o.photometry.redshift,
                     "\"; it has ", table.names());
  c.z = io::detail::redshifts(measured(table, z));
  c.z_column = z ? z->name : "";
  c.bimodal.assign(c.rows.size(), false);
  if (io::Column const* flags = find_any(table, {"photoz_flags"})) {
    std::vector<int64_t> bits = table.integers(flags->name);
    for (size_t i = 0; i < bits.size(); ++i) c.bimodal[i] = (bits[i] & 16) != 0;  // photoz_bimodal
  }
  if (!o.label.empty()) {
    io::Column const* label = find_any(table, {o.label});
    require<FileError>(label, table.source(), ": no column \"", o.label, "\"; it has ", table.names());
    c.label = table.strings(label->name);
  }
  if (!o.confident.empty()) {
    io::Column const* column = find_any(table, {o.confident});
    require<FileError>(column, table.source(), ": no column \"", o.confident, "\"; it has ", table.names());
    for (std::string const& word : table.strings(column->name))
      c.confident.push_back(lower(word) == "true" || word == "1" || lower(word) == "t");
  }
  return c;
}

ClusterFeatures cluster_features(ClusterCatalogue const& c, ClusterOptions const& o) {
  ClusterFeatures out;
  std::vector<Raw> raw = o.columns.empty() ? photometric(c, o, out.notes) : of_columns(c, o.columns);
  out.rows = usable(c, raw, o, out.notes);
  std::vector<std::vector<float>> scaled;
  for (Raw const& r : raw) {
    auto [median, spread] = middle(r.value, out.rows);
    if (!(spread > 0)) {
      out.notes.push_back("feature " + r.name + " has one value and is left out");
      continue;
    }
    std::vector<float> column;
    std::vector<double> errors;
    int64_t missing = 0, limits = 0, clipped = 0;
    for (size_t i : out.rows) {
      double t = (r.value[i] - median) / spread;
      missing += !std::isfinite(t), clipped += std::abs(t) > far;
      limits += !r.limit.empty() && r.limit[i];
      if (!r.error.empty() && std::isfinite(r.error[i])) errors.push_back(r.error[i]);
      column.push_back(std::isfinite(t) ? float(std::clamp(t, -far, far))
                                        : 0.0f);  // the median stands for what is missing
    }
    out.names.push_back(r.name), out.median.push_back(median), out.spread.push_back(spread);
    out.error.push_back(errors.empty() ? nan : d16::vision::median(std::move(errors)));
    out.missing.push_back(missing), out.limits.push_back(limits), out.clipped.push_back(clipped);
    scaled.push_back(std::move(column));
  }
  require<FileError>(scaled.size() >= 2, o.photometry.catalog, ": ", scaled.size(),
                     " features that differ between rows; two at least are needed");
  size_t needed = size_t(3 * o.perplexity) + 2;
  require<FileError>(out.rows.size() >= needed, o.photometry.catalog, ": ", out.rows.size(), " rows can be used; ",
                     needed, " at least are needed for a perplexity of ", o.perplexity, ", give a smaller one");
  out.x = d16::empty({int64_t(out.rows.size()), int64_t(scaled.size())},
                     {.dtype = d16::DType::f32, .device = d16::Device()});
  for (size_t i = 0; i < out.rows.size(); ++i)
    for (size_t k = 0; k < scaled.size(); ++k) out.x.data<float>()[i * scaled.size() + k] = scaled[k][i];
  return out;
}

}  // namespace tool
