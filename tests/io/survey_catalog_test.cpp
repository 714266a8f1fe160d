// Catalogues as JADES and UNCOVER write them, made here: units, sentinels, missing bands, and what is refused.
#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include <d16/io/survey_catalog.hpp>

#include "bad_input.hpp"

using namespace bad_input;
using namespace d16;
using namespace d16::io;

namespace {
using D = std::vector<double>;

Table uncover_table(std::string const& unit = "") {
  Table t;
  t.column("id", std::vector<int64_t>{101, 102, 9'007'199'254'740'993});
  t.column("ra", D{3.5, 3.6, 3.7}, {.unit = "deg"}).column("dec", D{-30.3, -30.4, -30.5}, {.unit = "deg"});
  t.column("f_f200w", std::vector<float>{12.5f, -0.25f, -99}, {.unit = unit});
  t.column("e_f200w", std::vector<float>{0.5f, 0.5f, -99}, {.unit = unit});
  t.column("w_f200w", std::vector<float>{1, 1, 0});
  t.column("f_f444w", D{20, NAN, 7}, {.unit = unit}).column("e_f444w", D{1, 1, 0}, {.unit = unit});
  t.column("f_f356w", D{1, 2, 3}, {.unit = unit}).column("w_f356w", D{1, 0, NAN});  // no errors
  t.column("flux_radius", D{3.1, 4.2, -99});
  t.column("z_spec", D{-1, 7.04, -99}).column("z_phot", D{3.3, 7, NAN});
  t.column("z_160", D{3, 6.5, NAN}).column("z_840", D{3.6, 7.5, NAN});
  t.column("use_phot", std::vector<int32_t>{1, 0, 1}).column("flag_star", std::vector<int32_t>{0, 0, 1});
  return t;
}

/// Several tables in one file: each written alone, the empty primary HDU of all but the first cut off.
std::string joined(TemporaryFolder const& folder, std::vector<std::pair<std::string, Table>> const& tables) {
  std::string bytes;
  for (auto const& [name, table] : tables) {
    write_fits_table(folder / "one.fits", table, name);
    std::string one = read_file(folder / "one.fits");
    bytes += bytes.empty() ? one : one.substr(2880);
  }
  return bytes;
}

std::vector<std::pair<std::string, Table>> jades_tables() {
  std::vector<int64_t> id{7, 8};
  Table flag, size, circ, kron, photoz;
  flag.column("ID", id).column("RA", D{53.1, 53.2}).column("DEC", D{-27.8, -27.9});
  flag.column("FLAG_ST", std::vector<int32_t>{0, 1}).column("FLAG_BN", std::vector<int32_t>{1, 0});
  size.column("ID", id).column("F444W_RHALF", D{0.12, 0.3}, {.unit = "arcsec"});
  circ.column("ID", id);
  for (std::string const& band : nircam_bands()) {
    double wave = std::stod(band.substr(1, 3));
    circ.column(band + "_CIRC1", D{wave, -wave}, {.unit = "nJy"}).column(band + "_CIRC1_e", D{2, 3}, {.unit = "nJy"});
  }
  kron.column("ID", id).column("F444W_KRON", D{0.5, 0.25}, {.unit = "uJy"}).column("F444W_KRON_e", D{0.1, 0.1});
  photoz.column("ID", id).column("EAZY_z_a", D{8.2, -1}).column("EAZY_l68", D{8, -1}).column("EAZY_u68", D{8.5, -1});
  return {{"FLAG", flag}, {"SIZE", size}, {"CIRC", circ}, {"KRON", kron}, {"PHOTOZ", photoz}};
}
}  // namespace

TEST_CASE("survey catalogue: UNCOVER, in 10 nJy where no unit is stated") {
  TemporaryFolder folder;
  std::string path = folder / "uncover.fits";
  write_fits_table(path, uncover_table());
  SourceCatalog c = read_survey_catalog(path);
  CHECK(c.rows() == 3);
  CHECK(c.id == std::vector<int64_t>{101, 102, 9'007'199'254'740'993});
  CHECK(c.ra[2] == 3.7);
  CHECK(c.bands == nircam_bands());
  REQUIRE(c.flux.size() == 7);
  CHECK(c.flux[3][0] == 125);
  CHECK(c.error[3][0] == 5);
  CHECK(c.flux[3][1] == -2.5);  // faint, not missing
  CHECK(std::isnan(c.flux[3][2]));
  CHECK(c.flux[6][0] == 200);
  CHECK(std::isnan(c.flux[6][1]));  // NaN in the file
  CHECK(std::isnan(c.flux[6][2]));  // an error of 0
  CHECK(std::isnan(c.error[6][2]));
  for (double f : c.flux[0]) CHECK(std::isnan(f));
  CHECK(c.flux[5][0] == 10);
  CHECK(std::isnan(c.error[5][0]));
  CHECK(std::isnan(c.flux[5][1]));  // a weight of 0
  CHECK(c.units_assumed);
  CHECK(std::isnan(c.z_spec[0]));
  CHECK(c.z_spec[1] == 7.04);
  CHECK(c.z_low[1] == 6.5);
  CHECK(c.z_high[0] == 3.6);
  CHECK(c.flux_radius[0] == 3.1);
  CHECK(std::isnan(c.flux_radius[2]));
  CHECK((c.flags[0] & source_not_for_use) == 0);
  CHECK((c.flags[1] & source_not_for_use) != 0);
  CHECK((c.flags[2] & source_star) != 0);
  CHECK((c.flags[0] & source_missing_band) != 0);
  REQUIRE(c.notes.size() == 2);
  CHECK(c.notes[0] == "no column for the bands F090W F115W F150W F277W");

  write_fits_table(path, uncover_table("uJy"));
  SourceCatalog stated = read_survey_catalog(path, {.bands = {"f200w", "F444W"}});
  CHECK(stated.flux[0][0] == 12500);
  CHECK(!stated.units_assumed);
  CHECK((stated.flags[0] & source_missing_band) == 0);
  CHECK(read_survey_catalog(path, {.bands = {"F444W"}, .unit = "nJy"}).flux[0][0] == 20);
}

TEST_CASE("survey catalogue: JADES, apertures from HDUs of their own") {
  TemporaryFolder folder;
  std::string path = folder.file("jades.fits", joined(folder, jades_tables()));
  SourceCatalog c = read_survey_catalog(path);
  CHECK(c.id == std::vector<int64_t>{7, 8});
  CHECK(c.flux[0] == D{90, -90});
  CHECK(c.flux[6] == D{444, -444});
  CHECK(c.error[6] == D{2, 3});
  CHECK(!c.units_assumed);
  CHECK(c.flux_radius == D{0.12, 0.3});
  CHECK(c.z_phot[0] == 8.2);
  CHECK(std::isnan(c.z_phot[1]));
  CHECK(c.z_low[0] == 8);
  CHECK(c.z_high[0] == 8.5);
  CHECK(std::isnan(c.z_spec[0]));
  CHECK(c.flags == std::vector<int64_t>{source_not_for_use, source_star});
  CHECK(c.notes.empty());
  SourceCatalog kron = read_survey_catalog(path, {.aperture = "KRON"});
  CHECK(kron.flux[6] == D{500, 250});
  CHECK(std::isnan(kron.flux[0][0]));
  CHECK(kron.notes.size() == 1);

  auto tables = jades_tables();
  tables.resize(3);
  SourceCatalog bare = read_survey_catalog(folder.file("bare.fits", joined(folder, {tables[0], tables[2]})));
  CHECK(bare.flux[6] == D{444, -444});
  CHECK(std::isnan(bare.z_phot[0]));
  CHECK(bare.notes ==
        std::vector<std::string>{"no HDU SIZE: flux_radius is unknown", "no HDU PHOTOZ: redshifts are unknown"});
}

TEST_CASE("survey catalogue: one clear error for each kind of damage") {
  TemporaryFolder folder;
  std::string path = folder / "c.fits";
  auto error = [&](Table const& table, SurveyCatalogOptions const& o = {}) {
    write_fits_table(path, table);
    return error_of([&] { read_survey_catalog(path, o); });
  };
  Table no_id, text, unit = uncover_table("erg/s"), no_flux;
  no_id.column("ra", D{1}).column("dec", D{1}).column("f_f444w", D{1});
  CHECK(error(no_id) == path +
                            ": HDU CATALOG: no column \"id\"; it has ra, dec, f_f444w; give the style of the "
                            "catalogue, or rename the column");
  text.column("id", std::vector<int64_t>{1}).column("ra", D{1}).column("dec", D{1});
  no_flux = text;
  text.column("f_f444w", std::vector<std::string>{"bright"});
  CHECK(error(text) == path + ": HDU CATALOG: column \"f_f444w\" is text; numbers are needed");
  CHECK(contains(error(no_flux), ": no column \"f_F444W\" of any band; it has id, ra, dec; give the style"));
  CHECK(contains(error(unit), ": column \"f_f200w\": flux unit \"erg/s\" is not known; give Jy, "));
  CHECK(contains(error(unit), "give the unit of the fluxes"));
  CHECK(error(uncover_table(), {.max_rows = 2}) ==
        path + ": HDU CATALOG has 3 rows, more than 2 (FitsTableOptions::max_rows)");
  CHECK(contains(error(uncover_table(), {.style = CatalogStyle::jades}), "no HDU \"FLAG\"; it has PRIMARY, CATALOG"));
  CHECK(contains(error_of<ValueError>([&] { read_survey_catalog(path, {.bands = {}}); }), "no bands"));

  auto jades = [&](size_t which, Table const& table, SurveyCatalogOptions const& o = {}) {
    auto tables = jades_tables();
    tables[which].second = table;
    path = folder.file("j.fits", joined(folder, tables));
    return error_of([&] { read_survey_catalog(path, o); });
  };
  Table short_one, other_order;
  short_one.column("ID", std::vector<int64_t>{7}).column("F444W_CIRC1", D{1});
  other_order.column("ID", std::vector<int64_t>{8, 7}).column("EAZY_z_a", D{1, 2});
  CHECK(contains(jades(2, short_one),
                 "j.fits: HDU CIRC has 1 rows, the first table 2; all tables must list the same sources"));
  CHECK(contains(jades(4, other_order),
                 "j.fits: HDU PHOTOZ row 1 is source 8, in the first table 7; all tables must list the same sources in "
                 "the same order"));
  CHECK(contains(jades(4, jades_tables()[4].second, {.aperture = "CIRC9"}),
                 "HDU CIRC: no column \"F444W_CIRC9\" of any band"));
  CHECK(contains(jades(4, jades_tables()[4].second, {.aperture = "ISO"}),
                 "no HDU \"ISO\"; it has PRIMARY, FLAG, SIZE, CIRC"));

  std::string whole = read_file(path);
  CHECK(contains(error_of([&] { read_survey_catalog(folder.file("cut.fits", whole.substr(0, 2880 * 3 - 100))); }),
                 "cut.fits: "));
  CHECK(contains(error_of([&] { read_survey_catalog(folder.file("text.fits", "id,ra,dec\n1,2,3\n")); }),
                 "does not begin as FITS"));
  CHECK(contains(error_of([&] { read_survey_catalog(folder / "absent.fits"); }), "cannot open"));
}

TEST_CASE("survey catalogue: 1,000 mutations throw d16::Error or read") {
  TemporaryFolder folder;
  write_fits_table(folder / "t.fits", uncover_table());
  std::string const uncover = read_file(folder / "t.fits"), jades = joined(folder, jades_tables());
  Random random(3);
  int refused = 0;
  for (int i = 0; i < 1000; ++i) {
    std::string path = folder.file("mutated", mutated(i % 2 ? uncover : jades, random));
    try {
      bool read = read_survey_catalog(path).rows() >= 0;
      CHECK(read);
    } catch (Error const&) {
      ++refused;
    }
  }
  CHECK(refused > 100);
}
