// What the seven-band classifier is asked about, row by row, and the catalogue it answers with.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include <d16/io/fits_header.hpp>
#include <d16/io/table.hpp>

#include "highz_cutout.hpp"

namespace tool {

/// How to find rows and their data.
struct HighzRowsOptions {
  std::string input, cutouts = {};  ///< cutouts: a folder for the rows of a catalogue
  std::string unit = {};            ///< of the catalogue's fluxes; empty: TUNIT, or else that of its kind, flagged
  std::string aperture = {};        ///< of BAND_APERTURE columns; empty: CIRC1, CIRC2 or KRON, the first that is there
  bool any_columns = false;         ///< take any catalogue and leave its fluxes alone: for band_fluxes()
};

/// The rows of the input in their order.
struct HighzRows {
  d16::io::Table table;            ///< the columns of a catalogue; of a folder of cutouts: id and file
  std::string fits;                ///< the FITS file that the columns are copied from; empty: they are in `table`
  int hdu = 0;                     ///< of the table in it that has a row for each source
  std::vector<std::string> names;  ///< of all columns, also of those that `table` cannot hold
  std::vector<std::string> id;
  std::vector<HighzSource> cutout;       ///< of each row; without files where there is none
  std::vector<BandNumbers> flux, error;  ///< of the catalogue, nJy, NaN where missing; empty for a folder of cutouts
  bool units_assumed = false, simulated = false;
  std::vector<std::string> notes;

  size_t size() const { return id.size(); }
};

/// The first of these columns that is there, whatever the case of its name; null when there is none.
d16::io::Column const* find_any(d16::io::Table const& table, std::vector<std::string> const& names);
/// Numbers of a column of numbers, or of text that is numbers; sentinels, and a null column, become NaN.
std::vector<double> measured(d16::io::Table const& table, d16::io::Column const* column);

/// Fluxes of one band and their errors, nJy.
struct BandFluxes {
  std::vector<double> flux, error;
  bool unit_assumed = false;
};
/// Of any table that names its columns by the bands: F444W, f_f444w or F444W_CIRC1; nothing when it has none.
/// Errors   FileError: fluxes without errors, an unknown unit.
std::optional<BandFluxes> band_fluxes(d16::io::Table const& table, std::string const& band, HighzRowsOptions const& o);

/// The input is a folder of d16 simulate survey (catalog.fits, cutouts/), a folder of cutouts or one of them
/// (find_highz_sources), or a catalogue: JADES, UNCOVER, or any FITS or CSV table with an id and fluxes in columns
/// F444W, f_f444w or F444W_CIRC1 and their errors; .cat and .txt are tables between blanks (io/blank_table.hpp).
/// Errors   FileError: nothing to classify, damaged, no fluxes, text where numbers belong, tables of different lengths.
HighzRows list_highz(HighzRowsOptions const& o);

/// Columns of the results under names that no column of the input has: "flags" becomes "flags_d16" where it is taken.
d16::io::Table rename_taken(d16::io::Table const& results, std::vector<std::string> const& taken);

/// The columns of the input and then the results. FITS: all HDUs of a FITS catalogue are copied as they are, the results
/// are further columns of its table, with the cards at the end of that header; whole or not at all.
void write_highz_fits(std::string const& path, HighzRows const& rows, d16::io::Table const& results,
                      std::vector<d16::io::FitsCard> const& cards);
void write_highz_csv(std::string const& path, HighzRows const& rows, d16::io::Table const& results);

}  // namespace tool
