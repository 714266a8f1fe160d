// Cutouts of many bands: units, grids of two sizes, missing bands, cubes, and the JWST files where they are at hand.
#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include <d16/io/band_cutout.hpp>

#include "bad_input.hpp"

using namespace bad_input;
using namespace d16;
using namespace d16::io;

namespace {
std::vector<FitsCard> sky_cards(std::string const& unit, double arcsec) {
  std::vector<FitsCard> cards{{"CTYPE1", std::string("RA---TAN")},
                              {"CTYPE2", std::string("DEC--TAN")},
                              {"CDELT1", -arcsec / 3600},
                              {"CDELT2", arcsec / 3600}};
  if (!unit.empty()) cards.push_back({"BUNIT", unit});
  return cards;
}
float at(BandCutout const& c, int64_t i, int64_t j, int64_t band) {
  return c.image.data<float>()[(i * c.image.dim(1) + j) * c.image.dim(2) + band];
}
}  // namespace

TEST_CASE("band cutout: every unit becomes nJy per pixel, missing bands stay NaN") {
  TemporaryFolder folder;
  Tensor image = full({4, 6}, 2.0, {.dtype = DType::f32});
  image.data<float>()[9] = NAN;
  write_fits(folder / "a.fits", image, sky_cards("nJy", 0.03));
  write_fits(folder / "b.fits", image, sky_cards("10*nJy", 0.03));
  write_fits(folder / "c.fits", image, sky_cards("MJy/sr", 0.03));
  write_fits(folder / "d.fits", full({4, 6}, NAN), sky_cards("nJy", 0.03));
  BandCutout c = read_band_cutout({{"F090W", folder / "a.fits"},
                                   {"f200w", folder / "b.fits"},
                                   {"F444W", folder / "c.fits"},
                                   {"F356W", folder / "d.fits"}});
  CHECK(c.image.shape() == Shape{4, 6, 7});
  CHECK(c.present == std::vector<bool>{true, false, false, true, false, false, true});
  CHECK(at(c, 0, 0, 0) == 2);
  CHECK(at(c, 0, 0, 3) == 20);
  CHECK(std::abs(at(c, 0, 0, 6) / (2 * 23504.43 * 0.0009) - 1) <= 1e-6);  // 1 MJy/sr on a square arcsecond, to 7 digits
  CHECK(std::isnan(at(c, 0, 0, 1)));
  CHECK(std::isnan(at(c, 1, 3, 0)));
  CHECK(std::abs(c.scale.arcsec - 0.03) <= 1e-12);
  CHECK(!c.units_assumed);
  CHECK(read_band_cutout({{"F090W", folder / "a.fits"}}, {.unit = "uJy"}).image.data<float>()[0] == 2000);
  CHECK(read_band_cutout({{"F090W", folder / "a.fits"}}, {.section = FitsSection{1, 3, 0, 4}}).image.shape() ==
        Shape{4, 2, 7});
}

TEST_CASE("band cutout: a finer grid is added up around the common middle") {
  TemporaryFolder folder;
  Tensor coarse = full({5, 5}, 8.0), fine = full({10, 10}, 2.0), odd = full({11, 11}, 2.0);
  fine.data<float>()[4 * 10 + 4] = 102;  // in the middle pixel of the coarse grid
  write_fits(folder / "coarse.fits", coarse, sky_cards("nJy", 0.04));
  write_fits(folder / "fine.fits", fine, sky_cards("nJy", 0.02));
  write_fits(folder / "odd.fits", odd, sky_cards("nJy", 0.02));
  BandCutout c = read_band_cutout(
      {{"F444W", folder / "coarse.fits"}, {"F115W", folder / "fine.fits"}, {"F150W", folder / "odd.fits"}});
  for (int64_t i = 0; i < 5; ++i)
    for (int64_t j = 0; j < 5; ++j) {
      CHECK(at(c, i, j, 6) == 8);
      CHECK(at(c, i, j, 1) == doctest::Approx(i == 2 && j == 2 ? 108 : 8));
      CHECK(at(c, i, j, 2) == doctest::Approx(8));
    }
  Tensor far = full({20, 10}, 2.0);
  write_fits(folder / "far.fits", far, sky_cards("nJy", 0.02));
  CHECK(error_of([&] {
          read_band_cutout({{"F444W", folder / "coarse.fits"}, {"F115W", folder / "far.fits"}});
        }) == folder / "far.fits" +
                  ": is 10x20 pixels of 0.02 arcsec, other bands are 5x5 of 0.04; cut the same part of the "
                  "sky out of all bands");
}

TEST_CASE("band cutout: cubes by the names of their planes, or by their number") {
  TemporaryFolder folder;
  auto cube = [&](std::vector<std::string> cards) {
    std::vector<std::string> header{"SIMPLE  =                    T", "BITPIX  =                  -32",
                                    "NAXIS   =                    3", "NAXIS1  =                    2",
                                    "NAXIS2  =                    1", "NAXIS3  =                    2"};
    header.insert(header.end(), cards.begin(), cards.end());
    header.push_back("END");
    std::string bytes;
    for (std::string& card : header) bytes += card.append(80 - card.size(), ' ');
    bytes.append(2880 - bytes.size() % 2880, ' ');
    for (char exponent : {'\x3F', '\x40', '\x40', '\x41'})  // 0.5, 2, 2, 8, big-endian
      bytes += std::string(1, exponent) + std::string(3, '\0');
    return folder.file("cube.fits", bytes.append(2880 - bytes.size() % 2880, '\0'));
  };
  std::string named = cube({"BUNIT   = 'nJy     '", "BAND1   = 'F444W   '", "BAND2   = 'F090W   '"});
  BandCutout c = read_band_cube(named);
  CHECK(c.image.shape() == Shape{1, 2, 7});
  CHECK(at(c, 0, 0, 6) == 0.5f);
  CHECK(at(c, 0, 1, 6) == 2);
  CHECK(at(c, 0, 1, 0) == 8);
  CHECK(std::isnan(at(c, 0, 0, 3)));
  BandCutout legacy = read_band_cube(cube({"BUNIT   = 'nJy     '", "BAND0   = 'F444W   '", "BAND1   = 'F090W   '"}));
  CHECK(at(legacy, 0, 0, 6) == 0.5f);  // the Legacy Surveys count from 0
  CHECK(at(legacy, 0, 1, 0) == 8);
  std::string plain = cube({"BUNIT   = 'nJy     '"});
  CHECK(at(read_band_cube(plain, {.bands = {"a", "b"}}), 0, 1, 1) == 8);
  CHECK(contains(error_of([&] { read_band_cube(plain); }), "2 planes without cards BAND1 .., 7 bands were asked for"));
  CHECK(contains(error_of([&] {
                   read_band_cube(cube({"BAND1   = 'x'", "BAND2   = 'y'"}));
                 }),
                 "none of the planes is a band"));
  write_fits(folder / "flat.fits", ones({2, 2}));
  CHECK(contains(error_of([&] { read_band_cube(folder / "flat.fits"); }), "no cube with three axes; it has PRIMARY"));
}

TEST_CASE("band cutout: one clear error for each kind of damage") {
  TemporaryFolder folder;
  std::string path = folder / "x.fits";
  write_fits(path, ones({4, 4}), sky_cards("", 0.04));
  CHECK(error_of([&] {
          read_band_cutout({{"F444W", path}});
        }) == path + ": the header has no BUNIT; say what the unit of the pixels is");
  BandCutout assumed = read_band_cutout({{"F444W", path}}, {.default_unit = "10 nJy"});
  CHECK(assumed.units_assumed);
  CHECK(at(assumed, 0, 0, 6) == 10);
  CHECK(contains(error_of([&] {
                   read_band_cutout({{"F444W", path}}, {.unit = "counts"});
                 }),
                 path + ": flux unit \"counts\" is not known"));
  write_fits(path, ones({4, 4}), {{"BUNIT", std::string("MJy/sr")}});
  CHECK(contains(error_of([&] { read_band_cutout({{"F444W", path}}); }), "the size of a pixel is nan arcsec"));
  CHECK(at(read_band_cutout({{"F444W", path}}, {.pixel_arcsec = 0.04}), 0, 0, 6) ==
        doctest::Approx(37.6071).epsilon(1e-5));
  write_fits(path, full({4, 4}, NAN), sky_cards("nJy", 0.04));
  CHECK(contains(error_of([&] { read_band_cutout({{"F444W", path}}); }), "no band has a finite pixel"));
  CHECK(contains(error_of<ValueError>([&] {
                   read_band_cutout({{"F999W", path}});
                 }),
                 "band F999W is none of those asked for"));
  CHECK(contains(error_of<ValueError>([&] {
                   read_band_cutout({{"F444W", path}, {"f444w", path}});
                 }),
                 "a second file for band"));
  CHECK(contains(error_of<ValueError>([&] { read_band_cutout({}); }), "no files"));
  CHECK(contains(error_of([&] { read_band_cutout({{"F444W", folder.file("no.fits", "SIMPLE  =")}}); }), "no.fits: "));
}

TEST_CASE("band cutout: six of the seven bands of the JWST cutouts, two grids") {
  std::string const data = "../shared/data/jwst_ceers_nircam/40/";
  if (!std::filesystem::exists(data)) {
    MESSAGE("skipped: ../shared/data is not here");
    return;
  }
  std::vector<std::pair<std::string, std::string>> files;
  for (char const* band : {"F115W", "F150W", "F200W", "F277W", "F356W", "F444W"}) {
    std::string small = band;
    for (char& c : small) c = char(std::tolower(c));
    files.push_back({band, data + small + "_sci.fits"});
  }
  BandCutout c = read_band_cutout(files, {.unit = "MJy/sr"});
  CHECK(c.image.shape() == Shape{125, 125, 7});
  CHECK(c.present == std::vector<bool>{false, true, true, true, true, true, true});
  CHECK(c.scale.doubtful);
  // The whole light of a band, added up on its own grid, is that of the common one but for its outermost half pixel.
  FitsImage f115w = read_fits(files[0].second);
  double own = 0, common = 0;
  for (float v : f115w.pixels.host<float>()) own += v * 9.4018;
  for (int64_t i = 0; i < 125 * 125; ++i) common += c.image.data<float>()[7 * i + 1];
  CHECK(std::abs(common / own - 1) <= 0.02);
}
