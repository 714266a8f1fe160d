// Catalogues of JWST surveys (JADES, UNCOVER) read into one form: fluxes in nanojansky, NaN where there is no
// measurement. Link cfitsio.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fits.hpp"
#include "flux_unit.hpp"

namespace d16::io {

/// The seven broad bands of NIRCam, blue first.
inline std::vector<std::string> const& nircam_bands() {
  static std::vector<std::string> const bands{"F090W", "F115W", "F150W", "F200W", "F277W", "F356W", "F444W"};
  return bands;
}

/// How a catalogue names its columns.
///   uncover   one table: id, ra, dec, f_f444w, e_f444w, w_f444w, flux_radius, z_spec, z_phot, use_phot, flag_star;
///             10 nJy where no unit is stated
///   jades     HDUs FLAG (ID, RA, DEC), SIZE (F444W_RHALF), CIRC or KRON (F444W_CIRC1, F444W_CIRC1_e), PHOTOZ
///             (EAZY_z_a, EAZY_l68, EAZY_u68); nJy where no unit is stated
enum class CatalogStyle { automatic, uncover, jades };

/// Bits of SourceCatalog::flags.
enum SourceFlag : int64_t {
  source_star = 1,          ///< the catalogue calls it a star (flag_star, FLAG_ST)
  source_not_for_use = 2,   ///< the catalogue advises against it (use_phot 0, FLAG_BS or FLAG_BN set)
  source_missing_band = 4,  ///< at least one of the bands has no flux
};

/// A catalogue in memory, one row for each source in the order of the file. What is unknown is NaN, also where the file
/// has -99 and its like.
struct SourceCatalog {
  std::string source;              ///< the file
  std::vector<std::string> bands;  ///< as asked for
  std::vector<int64_t> id;
  std::vector<double> ra, dec;                        ///< degrees
  std::vector<std::vector<double>> flux;              ///< nJy: flux[band][row]
  std::vector<std::vector<double>> error;             ///< nJy, 1 sigma
  std::vector<double> flux_radius;                    ///< half-light radius in the unit of the file
  std::vector<double> z_spec, z_phot, z_low, z_high;  ///< z_low to z_high: 68 % of the photometric redshift
  std::vector<int64_t> flags;                         ///< SourceFlag
  bool units_assumed = false;                         ///< no unit was stated: that of the style was taken
  std::vector<std::string> notes;                     ///< what was assumed or is missing, one sentence each

  int64_t rows() const { return int64_t(id.size()); }
};

struct SurveyCatalogOptions {
  CatalogStyle style = CatalogStyle::automatic;
  std::vector<std::string> bands = nircam_bands();
  std::string aperture = "CIRC1";  ///< of JADES: the HDU and column, CIRC0 .. CIRC6, KRON, and CIRC1_CONV, KRON_CONV
  std::string unit = {};           ///< of the fluxes, whatever the file says: "nJy", "10 nJy" ...
  int64_t max_rows = 5'000'000;
};

namespace detail {

/// Sentinels of catalogues for "not measured"; fluxes of faint sources may well be negative, but not these numbers.
inline bool is_sentinel(double v) {
  return !std::isfinite(v) || v == -99 || v == -999 || v == -9999 || v == -99999 || v <= -1e29;
}

inline std::string upper(std::string s) {
  for (char& c : s) c = char(std::toupper(static_cast<unsigned char>(c)));
  return s;
}

/// One HDU of a catalogue: its columns by name, whatever the case, read one by one.
class CatalogTable {
 public:
  CatalogTable(std::string path, std::string hdu, int64_t max_rows)
      : path_(std::move(path)), hdu_(std::move(hdu)), max_rows_(max_rows) {
    FitsFile file(path_);
    FitsHdu found = find_hdu(file, hdu_, first_table, "table");
    require<FileError>(found.kind == FitsHdu::Kind::table, path_, ": HDU ", found.name,
                       " is an image; a catalogue needs a table");
    rows_ = found.sizes[0], name_ = found.name;
    for (FitsColumn const& column : fits_columns(file, found)) names_.push_back(column.name);
  }

  int64_t rows() const { return rows_; }
  std::string where() const { return path_ + ": HDU " + name_; }
  std::string names() const {
    std::string out;
    for (size_t i = 0; i < names_.size() && i < 30; ++i) out += (i ? ", " : "") + ascii(names_[i]);
    return out + (names_.size() > 30 ? ", ..." : "");
  }
  /// The name as the file writes it; empty when there is none.
  std::string find(std::string const& name) const {
    for (std::string const& own : names_)
      if (same_name(own, name)) return own;
    return {};
  }
  /// The first of these names that is there.
  std::string find_any(std::vector<std::string> const& names) const {
    for (std::string const& name : names)
      if (std::string own = find(name); !own.empty()) return own;
    return {};
  }
  Table read(std::vector<std::string> const& columns) const {
    return read_fits_table(path_, {.hdu = name_, .columns = columns, .max_rows = max_rows_});
  }
  /// A column that has to be there.
  std::string need(std::string const& name) const {
    std::string own = find(name);
    require<FileError>(!own.empty(), where(), ": no column \"", name, "\"; it has ", names(),
                       "; give the style of the catalogue, or rename the column");
    return own;
  }

 private:
  std::string path_, hdu_, name_;
  int64_t max_rows_, rows_ = 0;
  std::vector<std::string> names_;
};

/// Reads columns of one HDU and hands them out, checked.
class CatalogColumns {
 public:
  CatalogColumns(CatalogTable const& file, std::vector<std::string> wanted) : where_(file.where()) {
    std::erase(wanted, "");
    std::sort(wanted.begin(), wanted.end());
    wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
    if (!wanted.empty()) table_ = file.read(wanted);
    rows_ = file.rows();
  }

  /// Numbers with sentinels as NaN; all NaN where there is no such column.
  std::vector<double> numbers(std::string const& name) const {
    if (name.empty()) return std::vector<double>(size_t(rows_), std::numeric_limits<double>::quiet_NaN());
    require<FileError>(!std::holds_alternative<std::vector<std::string>>(table_.at(name).values), where_, ": column \"",
                       name, "\" is text; numbers are needed");
    std::vector<double> values = table_.numbers(name);
    for (double& v : values)
      if (is_sentinel(v)) v = std::numeric_limits<double>::quiet_NaN();
    return values;
  }
  std::vector<int64_t> integers(std::string const& name) const { return table_.integers(name); }
  std::string unit(std::string const& name) const { return name.empty() ? "" : table_.at(name).info.unit; }

 private:
  std::string where_;
  Table table_;
  int64_t rows_ = 0;
};

/// Names of the columns of one band: flux, error, weight; empty where there are none.
struct BandColumns {
  std::string flux, error, weight;
};

/// Fluxes and errors of all bands from one HDU, in nJy.
inline void read_bands(SourceCatalog& out, CatalogTable const& file, std::vector<BandColumns> const& names,
                       std::string const& style_unit, std::string const& unit) {
  std::vector<std::string> wanted;
  for (BandColumns const& n : names) wanted.insert(wanted.end(), {n.flux, n.error, n.weight});
  CatalogColumns columns(file, wanted);
  std::string missing, assumed;
  for (size_t b = 0; b < names.size(); ++b) {
    std::vector<double> flux = columns.numbers(names[b].flux), error = columns.numbers(names[b].error),
                        weight = columns.numbers(names[b].weight);
    if (names[b].flux.empty()) missing += " " + out.bands[b];
    std::string stated = unit.empty() ? columns.unit(names[b].flux) : unit;
    if (stated.empty() && !names[b].flux.empty()) stated = style_unit, out.units_assumed = true;
    double factor = 1;
    if (!stated.empty()) try {
        factor = nanojansky_in(ascii(stated));
      } catch (ValueError const& fault) {
        throw FileError(
            text(file.where(), ": column \"", names[b].flux, "\": ", fault.what(), "; give the unit of the fluxes"));
      }
    for (size_t i = 0; i < flux.size(); ++i) {
      bool measured = std::isfinite(flux[i]) && (names[b].error.empty() || error[i] > 0) && !(weight[i] <= 0);
      double nan = std::numeric_limits<double>::quiet_NaN();
      flux[i] = measured ? flux[i] * factor : nan, error[i] = measured ? error[i] * factor : nan;
      if (!measured) out.flags[i] |= source_missing_band;
    }
    out.flux.push_back(std::move(flux)), out.error.push_back(std::move(error));
  }
  if (!missing.empty()) out.notes.push_back("no column for the bands" + missing);
  if (out.units_assumed) out.notes.push_back("fluxes have no unit in the file: " + style_unit + " was assumed");
}

/// What the rows of another HDU have to agree with.
inline void check_same_sources(SourceCatalog const& out, CatalogTable const& file) {
  require<FileError>(file.rows() == out.rows(), file.where(), " has ", file.rows(), " rows, the first table ",
                     out.rows(), "; all tables must list the same sources");
  std::string name = file.find("ID");
  if (name.empty()) return;
  std::vector<int64_t> id = CatalogColumns(file, {name}).integers(name);
  for (size_t i = 0; i < id.size(); ++i)
    require<FileError>(id[i] == out.id[i], file.where(), " row ", i + 1, " is source ", id[i], ", in the first table ",
                       out.id[i], "; all tables must list the same sources in the same order");
}

inline SourceCatalog begin_catalog(CatalogTable const& file, std::string const& path, SurveyCatalogOptions const& o) {
  SourceCatalog out;
  out.source = path, out.bands = o.bands;
  std::string id = file.need("id"), ra = file.need("ra"), dec = file.need("dec");
  CatalogColumns columns(file, {id, ra, dec});
  out.id = columns.integers(id), out.ra = columns.numbers(ra), out.dec = columns.numbers(dec);
  out.flags.assign(size_t(file.rows()), 0);
  return out;
}

inline void set_flag(SourceCatalog& out, std::vector<double> const& values, double set_where_below,
                     double set_where_above, SourceFlag flag) {
  for (size_t i = 0; i < values.size(); ++i)
    if (values[i] < set_where_below || values[i] > set_where_above) out.flags[i] |= flag;
}

/// Redshifts are not negative: -1 stands for none.
inline std::vector<double> redshifts(std::vector<double> z) {
  for (double& v : z)
    if (v < 0) v = std::numeric_limits<double>::quiet_NaN();
  return z;
}

inline SourceCatalog read_uncover(std::string const& path, SurveyCatalogOptions const& o) {
  CatalogTable file(path, "", o.max_rows);
  SourceCatalog out = begin_catalog(file, path, o);
  std::vector<BandColumns> names;
  bool any = false;
  for (std::string const& band : o.bands) {
    names.push_back({file.find("f_" + band), file.find("e_" + band), file.find("w_" + band)});
    any = any || !names.back().flux.empty();
  }
  require<FileError>(any, file.where(), ": no column \"f_", o.bands.empty() ? "" : o.bands.back(),
                     "\" of any band; it has ", file.names(), "; give the style of the catalogue");
  read_bands(out, file, names, "10 nJy", o.unit);
  std::string radius = file.find("flux_radius"), spec = file.find("z_spec"), phot = file.find_any({"z_phot", "z_500"}),
              low = file.find_any({"z_phot_16", "z_160", "z16"}), high = file.find_any({"z_phot_84", "z_840", "z84"}),
              use = file.find("use_phot"), star = file.find("flag_star");
  CatalogColumns columns(file, {radius, spec, phot, low, high, use, star});
  out.flux_radius = columns.numbers(radius);
  out.z_spec = redshifts(columns.numbers(spec)), out.z_phot = redshifts(columns.numbers(phot));
  out.z_low = redshifts(columns.numbers(low)), out.z_high = redshifts(columns.numbers(high));
  set_flag(out, columns.numbers(use), 0.5, INFINITY, source_not_for_use);
  set_flag(out, columns.numbers(star), -INFINITY, 0.5, source_star);
  return out;
}

/// "CIRC1" is a column of the HDU CIRC, "CIRC1_CONV" of CIRC_CONV, "KRON" of KRON.
inline std::string jades_hdu(std::string const& aperture) {
  std::string hdu;
  for (char c : upper(aperture))
    if (!std::isdigit(static_cast<unsigned char>(c))) hdu += c;
  return hdu;
}

inline SourceCatalog read_jades(std::string const& path, SurveyCatalogOptions const& o) {
  CatalogTable first(path, "FLAG", o.max_rows);
  SourceCatalog out = begin_catalog(first, path, o);
  CatalogTable light(path, jades_hdu(o.aperture), o.max_rows);
  check_same_sources(out, light);
  std::string column = upper(o.aperture).substr(0, upper(o.aperture).find("_CONV"));
  std::vector<BandColumns> names;
  bool any = false;
  for (std::string const& band : o.bands) {
    std::string flux = band + "_" + column;
    names.push_back({light.find(flux), light.find_any({flux + "_e", flux + "_err"}), {}});
    any = any || !names.back().flux.empty();
  }
  require<FileError>(any, light.where(), ": no column \"", o.bands.empty() ? "" : o.bands.back(), "_", column,
                     "\" of any band; it has ", light.names(), "; choose another aperture");
  read_bands(out, light, names, "nJy", o.unit);
  std::vector<double> unknown(size_t(out.rows()), std::numeric_limits<double>::quiet_NaN());
  out.flux_radius = out.z_spec = out.z_phot = out.z_low = out.z_high = unknown;
  std::vector<FitsHdu> hdus = list_fits(path);
  auto has = [&](char const* name) {
    return std::any_of(hdus.begin(), hdus.end(), [&](FitsHdu const& hdu) { return same_name(hdu.name, name); });
  };
  if (has("SIZE")) {
    CatalogTable file(path, "SIZE", o.max_rows);
    check_same_sources(out, file);
    std::string radius = file.find_any({"F444W_RHALF", "RHALF", "FLUX_RADIUS"});
    out.flux_radius = CatalogColumns(file, {radius}).numbers(radius);
  } else out.notes.push_back("no HDU SIZE: flux_radius is unknown");
  if (has("PHOTOZ")) {
    CatalogTable file(path, "PHOTOZ", o.max_rows);
    check_same_sources(out, file);
    std::string spec = file.find_any({"z_spec", "EAZY_z_spec"}), phot = file.find("EAZY_z_a"),
                low = file.find("EAZY_l68"), high = file.find("EAZY_u68");
    CatalogColumns columns(file, {spec, phot, low, high});
    out.z_spec = redshifts(columns.numbers(spec)), out.z_phot = redshifts(columns.numbers(phot));
    out.z_low = redshifts(columns.numbers(low)), out.z_high = redshifts(columns.numbers(high));
  } else out.notes.push_back("no HDU PHOTOZ: redshifts are unknown");
  std::string star = first.find("FLAG_ST"), bright = first.find("FLAG_BS"), neighbour = first.find("FLAG_BN");
  CatalogColumns columns(first, {star, bright, neighbour});
  set_flag(out, columns.numbers(star), -INFINITY, 0.5, source_star);
  set_flag(out, columns.numbers(bright), -INFINITY, 0.5, source_not_for_use);
  set_flag(out, columns.numbers(neighbour), -INFINITY, 0.5, source_not_for_use);
  return out;
}

}  // namespace detail

/// Reads a catalogue of either style; `automatic` looks for an HDU named FLAG (JADES). Columns are found whatever their
/// case; only those that are needed are read. A flux counts as measured when it is finite, no sentinel, its error
/// (where there is a column) positive and its weight (where there is a column) above 0; otherwise flux and error are
/// NaN.
/// Units    fluxes in nJy: TUNITn of the file, or else that of the style, noted in `units_assumed`.
/// Cost     the columns that are read.       Deterministic  yes.
/// Errors   FileError that names file, HDU and column and says what to do: not FITS, truncated, no such column, text
///          where numbers belong, an unknown unit, tables that do not list the same sources.
inline SourceCatalog read_survey_catalog(std::string const& path, SurveyCatalogOptions const& o = {}) {
  require<ValueError>(!o.bands.empty(), "read_survey_catalog: no bands; name one at least");
  CatalogStyle style = o.style;
  if (style == CatalogStyle::automatic) {
    std::vector<FitsHdu> hdus = list_fits(path);
    bool flag =
        std::any_of(hdus.begin(), hdus.end(), [](FitsHdu const& h) { return detail::same_name(h.name, "FLAG"); });
    style = flag ? CatalogStyle::jades : CatalogStyle::uncover;
  }
  return style == CatalogStyle::jades ? detail::read_jades(path, o) : detail::read_uncover(path, o);
}

}  // namespace d16::io
