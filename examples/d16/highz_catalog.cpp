// Rows of the seven-band classifier: bodies of highz_catalog.hpp.
#include "highz_catalog.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>

#include <d16/io/blank_table.hpp>
#include <d16/io/csv.hpp>
#include <d16/io/fits.hpp>
#include <d16/io/survey_catalog.hpp>

namespace tool {

using d16::FileError;
using d16::require;
using d16::text;
namespace io = d16::io;

namespace {

bool same_name(std::string const& a, std::string const& b) { return lower(a) == lower(b); }

}  // namespace

io::Column const* find_any(io::Table const& table, std::vector<std::string> const& names) {
  for (std::string const& name : names)
    for (io::Column const& column : table.columns())
      if (same_name(column.name, name)) return &column;
  return nullptr;
}

std::vector<double> measured(io::Table const& table, io::Column const* column) {
  if (!column) return std::vector<double>(size_t(table.rows()), nan);
  std::vector<double> values = table.numbers(column->name);
  for (double& v : values)
    if (io::detail::is_sentinel(v)) v = nan;
  return values;
}

namespace {

std::vector<std::string> apertures(HighzRowsOptions const& o) {
  return o.aperture.empty() ? std::vector<std::string>{"CIRC1", "CIRC2", "KRON"} : std::vector{o.aperture};
}

/// Where a table has the flux of a band, its error, and what its unit is where it states none.
struct FluxColumns {
  io::Column const *flux = nullptr, *error = nullptr;
  std::string unit = "nJy";
};
FluxColumns flux_columns(io::Table const& table, std::string const& band, HighzRowsOptions const& o) {
  if (io::Column const* flux = find_any(table, {"f_" + band})) return {flux, find_any(table, {"e_" + band}), "10 nJy"};
  for (std::string const& aperture : apertures(o)) {
    std::string name = band + "_" + aperture;
    if (io::Column const* flux = find_any(table, {name})) return {flux, find_any(table, {name + "_e", name + "_err"})};
  }
  return {find_any(table, {band}), find_any(table, {band + "_err", band + "_e", "e_" + band})};
}

}  // namespace

std::optional<BandFluxes> band_fluxes(io::Table const& table, std::string const& band, HighzRowsOptions const& o) {
  FluxColumns columns = flux_columns(table, band, o);
  if (!columns.flux) return {};
  require<FileError>(columns.error, table.source(), ": column \"", columns.flux->name,
                     "\" has no error beside it, such as \"", columns.flux->name, "_e\"; errors are needed");
  std::string unit = !o.unit.empty() ? o.unit : columns.flux->info.unit;
  BandFluxes out{measured(table, columns.flux), measured(table, columns.error), unit.empty()};
  if (unit.empty()) unit = columns.unit;
  double factor = 1;
  try {
    factor = io::nanojansky_in(io::detail::ascii(unit));
  } catch (d16::ValueError const& fault) {
    throw FileError(text(table.source(), ": column \"", columns.flux->name, "\": ", fault.what()));
  }
  for (size_t i = 0; i < out.flux.size(); ++i) {
    bool good = std::isfinite(out.flux[i]) && out.error[i] > 0;
    out.flux[i] = good ? out.flux[i] * factor : nan, out.error[i] = good ? out.error[i] * factor : nan;
  }
  return out;
}

namespace {

void add_band(HighzRows& rows, size_t band, std::vector<double> const& flux, std::vector<double> const& error) {
  for (size_t i = 0; i < flux.size(); ++i) rows.flux[i][band] = flux[i], rows.error[i][band] = error[i];
}

void begin_fluxes(HighzRows& rows) {
  BandNumbers unknown;
  unknown.fill(nan);
  rows.flux.assign(rows.size(), unknown), rows.error.assign(rows.size(), unknown);
}

/// Fluxes of any table that names its columns by the bands.
void add_fluxes(HighzRows& rows, HighzRowsOptions const& o) {
  begin_fluxes(rows);
  int found = 0;
  for (size_t b = 0; b < highz_bands; ++b) {
    std::optional<BandFluxes> band = band_fluxes(rows.table, io::nircam_bands()[b], o);
    if (!band) continue;
    ++found;
    rows.units_assumed |= band->unit_assumed;
    add_band(rows, b, band->flux, band->error);
  }
  if (found == 0) rows.flux.clear(), rows.error.clear();
}

/// Fluxes of a catalogue of JADES or UNCOVER by the reader for them.
void add_survey_fluxes(HighzRows& rows, HighzRowsOptions const& o) {
  io::SourceCatalog c =
      io::read_survey_catalog(rows.fits, {.aperture = o.aperture.empty() ? "CIRC1" : o.aperture, .unit = o.unit});
  require<FileError>(c.rows() == int64_t(rows.size()), rows.fits, ": ", c.rows(), " sources for ", rows.size(),
                     " rows; it must list each once");
  begin_fluxes(rows);
  for (size_t b = 0; b < highz_bands; ++b) add_band(rows, b, c.flux[b], c.error[b]);
  rows.units_assumed = c.units_assumed;
  rows.notes.insert(rows.notes.end(), c.notes.begin(), c.notes.end());
}

/// The columns of the other tables that list the same sources, under names not seen before.
void add_other_tables(HighzRows& rows, std::vector<io::FitsHdu> const& hdus) {
  for (io::FitsHdu const& hdu : hdus) {
    bool same = hdu.kind == io::FitsHdu::Kind::table && hdu.index != rows.hdu && hdu.sizes[0] == rows.table.rows();
    if (!same) continue;
    io::Table more = io::read_fits_table(rows.fits, {.hdu = std::to_string(hdu.index)});
    for (io::Column const& column : more.columns())
      if (!find_any(rows.table, {column.name}))
        std::visit([&](auto const& values) { rows.table.column(column.name, values, column.info); }, column.values);
  }
}

void read_fits_rows(HighzRows& rows, std::string const& path, HighzRowsOptions const& o) {
  std::vector<io::FitsHdu> hdus = io::list_fits(path);
  auto named = [&](char const* name) {
    return std::find_if(hdus.begin(), hdus.end(), [&](auto const& h) { return same_name(h.name, name); });
  };
  auto is_table = [](io::FitsHdu const& hdu) { return hdu.kind == io::FitsHdu::Kind::table; };
  bool jades = named("FLAG") != hdus.end();
  auto first = jades ? named("FLAG") : std::find_if(hdus.begin(), hdus.end(), is_table);
  require<FileError>(first != hdus.end() && is_table(*first), path, ": no table in it; it has ",
                     io::detail::fits_names(hdus), "; give a catalogue");
  rows.fits = path, rows.hdu = first->index;
  rows.table = io::read_fits_table(path, {.hdu = std::to_string(rows.hdu)});
  rows.table.set_source(path + ": HDU " + first->name);
  for (io::Column const& column : rows.table.columns()) rows.names.push_back(column.name);
  for (std::string const& column : rows.table.left_out()) {
    rows.names.push_back(column.substr(0, column.rfind(": ")));
    rows.notes.push_back("not in a CSV: column " + column);
  }
  rows.simulated = same_name(first->name, "SIMULATED");
  rows.id.resize(size_t(rows.table.rows()));
  bool uncover = std::any_of(rows.names.begin(), rows.names.end(),
                             [](std::string const& name) { return lower(name).starts_with("f_f"); });
  if (!o.any_columns) (jades || uncover ? add_survey_fluxes : add_fluxes)(rows, o);
  if (jades) add_other_tables(rows, hdus);
}

/// The cutouts of a folder, or of one file of many, by the ids of the rows.
void add_cutouts(HighzRows& rows, std::string const& place) {
  std::map<std::string, HighzSource> by_id;
  for (HighzSource& source : find_highz_sources(place)) by_id[source.id] = std::move(source);
  size_t found = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    auto source = by_id.find(rows.id[i]);
    if (source == by_id.end()) continue;
    rows.cutout[i] = source->second;
    ++found;
  }
  require<FileError>(found > 0, place, ": none of its ", by_id.size(), " objects, such as \"", by_id.begin()->first,
                     "\", has an id of the catalogue, such as \"", rows.id[0], "\"");
}

bool is_text(std::string const& path) {
  std::string name = lower(path);
  return ends_with(name, ".csv") || ends_with(name, ".cat") || ends_with(name, ".txt");
}

HighzRows read_catalogue(std::string const& path, HighzRowsOptions const& o, std::string const& cutouts) {
  HighzRows rows;
  if (is_text(path)) {
    rows.table = ends_with(lower(path), ".csv") ? io::read_csv(path) : io::read_blank_table(path);
    for (io::Column const& column : rows.table.columns()) rows.names.push_back(column.name);
    rows.id.resize(size_t(rows.table.rows()));
    if (!o.any_columns) add_fluxes(rows, o);
  } else read_fits_rows(rows, path, o);
  require<FileError>(rows.size() > 0, path, ": has no rows; nothing to classify");
  io::Column const* id = find_any(rows.table, {"id", "source_id", "objid", "number"});
  if (id) rows.id = rows.table.strings(id->name);
  else
    for (size_t i = 0; i < rows.size(); ++i) rows.id[i] = std::to_string(i + 1);
  rows.cutout.resize(rows.size());
  if (cutouts.empty()) {
    require<FileError>(!rows.flux.empty() || o.any_columns, rows.table.source(),
                       ": no fluxes in columns such as F444W, f_f444w or F444W_", apertures(o)[0], "; it has ",
                       rows.table.names(), "; name the --aperture or give --cutouts");
  } else {
    require<FileError>(id, rows.table.source(), ": no column \"id\" to find cutouts by; it has ", rows.table.names());
    add_cutouts(rows, cutouts);
  }
  return rows;
}

HighzRows read_folder(std::string const& input) {
  HighzRows rows;
  rows.cutout = find_highz_sources(input);
  std::vector<std::string> files;
  std::string prefix = is_folder(input) ? join(input, "") : std::string();
  for (HighzSource const& source : rows.cutout) {
    rows.id.push_back(source.id);
    bool inside = !prefix.empty() && source.path.starts_with(prefix);
    files.push_back(inside ? source.path.substr(prefix.size()) : base_name(source.path));
  }
  rows.table.column("id", rows.id, {"", "object: name of its file or folder"});
  rows.table.column("file", files, {"", "where it was read, in the input"});
  rows.names = {"id", "file"};
  return rows;
}

/// Whether a file is a catalogue and not an image: text, or a FITS file with a table and no image with data.
bool is_catalogue(std::string const& path) {
  if (is_text(path)) return true;
  bool table = false;
  for (io::FitsHdu const& hdu : io::list_fits(path)) {
    if (hdu.kind == io::FitsHdu::Kind::image && hdu.has_data()) return false;
    table = table || hdu.kind == io::FitsHdu::Kind::table;
  }
  return table;
}

}  // namespace

HighzRows list_highz(HighzRowsOptions const& o) {
  require<FileError>(is_folder(o.input) || is_file(o.input), o.input,
                     ": no such file or folder; give cutouts or a catalogue");
  if (is_file(o.input)) {
    if (is_catalogue(o.input)) return read_catalogue(o.input, o, o.cutouts);
    require<FileError>(o.cutouts.empty(), o.input, ": is no catalogue; --cutouts belongs to a catalogue");
    return read_folder(o.input);
  }
  std::string catalogue = join(o.input, "catalog.fits"), own = join(o.input, "cutouts");
  if (!is_file(catalogue)) {
    require<FileError>(o.cutouts.empty(), o.input,
                       ": is a folder without catalog.fits; --cutouts belongs to a catalogue");
    return read_folder(o.input);
  }
  return read_catalogue(catalogue, o, !o.cutouts.empty() ? o.cutouts : is_folder(own) ? own : "");
}

io::Table rename_taken(io::Table const& results, std::vector<std::string> const& taken) {
  io::Table out;
  auto is_taken = [&](std::string const& name) {
    return std::any_of(taken.begin(), taken.end(), [&](std::string const& t) { return same_name(t, name); });
  };
  for (io::Column const& column : results.columns()) {
    std::string name = column.name;
    while (is_taken(name)) name += "_d16";
    std::visit([&](auto const& values) { out.column(name, values, column.info); }, column.values);
  }
  return out;
}

namespace {

/// A column of a CSV as numbers where all of its fields are: whole ones stay what they are, digit by digit.
template <class T> std::optional<std::vector<T>> as_numbers(std::vector<std::string> const& texts) {
  std::vector<T> out;
  bool any = false;
  for (std::string const& s : texts) {
    T value{};
    if (s.empty() && std::is_floating_point_v<T>) value = T(nan);
    else {
      auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), value);
      bool same = std::is_floating_point_v<T> || io::Table::text_of(value) == s;  // "007" is a name
      if (error != std::errc() || end != s.data() + s.size() || !same) return {};
      any = true;
    }
    out.push_back(value);
  }
  return any ? std::optional(std::move(out)) : std::nullopt;
}

bool is_zero_padded(std::string const& s) {
  return s.size() > 1 && s[0] == '0' && std::isdigit(static_cast<unsigned char>(s[1]));
}

io::Table typed(io::Table const& table) {
  io::Table out;
  for (io::Column const& column : table.columns()) {
    auto const* texts = std::get_if<std::vector<std::string>>(&column.values);
    if (!texts) std::visit([&](auto const& values) { out.column(column.name, values, column.info); }, column.values);
    else if (std::any_of(texts->begin(), texts->end(), is_zero_padded)) out.column(column.name, *texts, column.info);
    else if (auto integers = as_numbers<int64_t>(*texts)) out.column(column.name, *integers, column.info);
    else if (auto reals = as_numbers<double>(*texts)) out.column(column.name, *reals, column.info);
    else out.column(column.name, *texts, column.info);
  }
  return out;
}

io::Table joined(io::Table table, io::Table const& results) {
  for (io::Column const& column : results.columns())
    std::visit([&](auto const& values) { table.column(column.name, values, column.info); }, column.values);
  return table;
}

/// Puts a column behind the others of the table that the file is at.
void append_column(io::detail::FitsFile& file, io::Column const& column) {
  fitsfile* f = file.get();
  int status = 0, count = 0;
  fits_get_num_cols(f, &count, &status);
  std::string name = column.name, form = io::detail::table_form(column), number = std::to_string(count + 1);
  fits_insert_col(f, count + 1, name.data(), form.data(), &status);
  file.check(status, "column " + name + " cannot be made");
  std::string comment = io::detail::ascii(column.info.comment);
  if (!comment.empty()) fits_modify_comment(f, ("TTYPE" + number).c_str(), comment.c_str(), &status);
  file.check(status, "comment of column " + name);
  if (!column.info.unit.empty()) io::detail::write_card(file, {"TUNIT" + number, column.info.unit});
  if (!comment.empty()) io::detail::write_card(file, {"TCOMM" + number, comment});
  io::detail::write_values(file, count + 1, column);
}

/// Takes out the cards of an earlier run that would stand before those that are written now: readers take the first.
void remove_cards(io::detail::FitsFile& file, std::vector<io::FitsCard> const& cards) {
  std::vector<std::string> keys{"D16*", "CHECKSUM", "DATASUM"};  // the sums are of the table as it was
  for (io::FitsCard const& card : cards)
    if (card.key != "HISTORY" && card.key != "COMMENT") keys.push_back(card.key);
  for (std::string const& key : keys)
    for (int missing = 0; missing == 0;) fits_delete_key(file.get(), key.c_str(), &missing);
  fits_clear_errmsg();
}

}  // namespace

void write_highz_fits(std::string const& path, HighzRows const& rows, io::Table const& results,
                      std::vector<io::FitsCard> const& cards) {
  if (rows.fits.empty()) {
    io::write_fits_table(path, joined(typed(rows.table), results), "CATALOG", cards);
    return;
  }
  io::detail::FitsFile from(rows.fits), to = io::detail::FitsFile::in_memory(path);
  int count = 0, status = 0;
  fits_get_num_hdus(from.get(), &count, &status);
  from.check(status, "cannot be copied");
  for (int i = 0; i < count; ++i) {
    from.go_to(i);
    fits_copy_hdu(from.get(), to.get(), 0, &status);
    from.check(status, text("HDU ", i, " cannot be copied"));
  }
  to.go_to(rows.hdu);
  for (io::Column const& column : results.columns()) append_column(to, column);
  remove_cards(to, cards);
  io::detail::write_cards(to, "", cards);
  to.go_to(count - 1);  // take_bytes() wants to be where the file ends
  io::write_file(path, to.take_bytes());
}

void write_highz_csv(std::string const& path, HighzRows const& rows, io::Table const& results) {
  io::write_csv(path, joined(rows.table, results));
}

}  // namespace tool
