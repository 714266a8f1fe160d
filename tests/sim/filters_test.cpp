// Filter curves: their file, pivot wavelengths, and AB fluxes of spectra whose answer is known.
#include <doctest/doctest.h>

#include <filesystem>

#include "tiny_survey.hpp"

using namespace d16;

TEST_CASE("pivot wavelength of a box, and the flux of a spectrum that is flat per frequency") {
  double a = 9000, b = 12000;
  sim::Curve box{"box", {}, {}}, flat{"flat", {}, {}};
  for (int i = 0; i <= 3000; ++i) box.wavelength.push_back(a + (b - a) * i / 3000), box.value.push_back(0.3);
  // trapezoids of 1/x with steps of 1 in 9000 are off by (1/9000)^2 / 12
  double pivot = std::sqrt((b * b - a * a) / 2 / std::log(b / a));
  CHECK(std::abs(sim::pivot_wavelength(box) / pivot - 1) < 1e-8);
  constexpr double c = 2.99792458e18;
  for (int i = 0; i <= 8000; ++i) {
    double x = 5000 + i;
    flat.wavelength.push_back(x), flat.value.push_back(37e-32 * c / (x * x));  // 37 nJy
  }
  CHECK(std::abs(sim::ab_flux(flat, box) / 37 - 1) < 1e-7);
  // and at the pivot F_lambda and f_nu of any spectrum agree: here one that is flat per wavelength
  sim::Curve constant{"", {1000, 50000}, {1e-20, 1e-20}};
  CHECK(std::abs(sim::ab_flux(constant, box) / (1e-20 * pivot * pivot / c * 1e32) - 1) < 1e-7);
  sim::Curve elsewhere{"", {100, 200}, {1, 1}};
  CHECK(sim::ab_flux(elsewhere, box) == 0);
}

TEST_CASE("a curve between and beyond its points") {
  sim::Curve c{"", {1, 2, 4}, {0, 10, 20}};
  CHECK(sim::value_at(c, 1.5) == doctest::Approx(5));
  CHECK(sim::value_at(c, 3) == doctest::Approx(15));
  CHECK(sim::value_at(c, 4) == 20);
  CHECK(sim::value_at(c, 0.9) == 0);
  CHECK(sim::value_at(c, 4.1) == 0);
}

TEST_CASE("filters are found by name, and files that are none are refused") {
  tiny::Folder f;
  std::string good = tiny::filters_text(), path = f.write("a.res", good);
  auto filters = sim::read_filters(path, {"F444W", "f090w"});
  REQUIRE(filters.size() == 2);
  CHECK(filters[0].name == "F444W");
  CHECK(filters[0].value.size() == 23);
  CHECK(std::abs(sim::pivot_wavelength(filters[1]) - 9000) < 40);
  CHECK_THROWS_WITH_AS(sim::read_filters(path, {"F999W"}), doctest::Contains("no filter \"F999W\""), FileError);
  std::string other_pivot = good;
  other_pivot.replace(other_pivot.find("f200w v1 lambda_c= ") + 19, 1, "3");
  CHECK_THROWS_WITH_AS(sim::read_filters(f.write("b.res", other_pivot), {"F200W"}), doctest::Contains("pivot"),
                       FileError);
  CHECK_THROWS_AS(sim::read_filters(f.write("c.res", good.substr(0, good.size() - 60)), {"F444W"}), FileError);
  CHECK_THROWS_AS(sim::read_filters(f.write("d.res", "no filters at all\n"), {"F444W"}), FileError);
  CHECK_THROWS_AS(sim::read_filters(f / "absent", {"F444W"}), FileError);
}

TEST_CASE("spectra: comments and repeated points are passed over, words are refused") {
  tiny::Folder f;
  auto c = sim::read_spectrum(f.write("a", "# head\n100 1\n200 2\n\n200 3\n 300  4  5\n"), "x");
  CHECK(c.wavelength == std::vector<double>{100, 200, 300});
  CHECK(c.value == std::vector<double>{1, 2, 4});
  CHECK_THROWS_AS(sim::read_spectrum(f.write("b", "100 1\n200 two\n"), "x"), FileError);
  CHECK_THROWS_AS(sim::read_spectrum(f.write("c", "100 1\n"), "x"), FileError);
  CHECK_THROWS_AS(sim::read_spectrum(f.write("d", "100\n200\n"), "x"), FileError);
}

TEST_CASE("the real NIRCam filters have the pivot wavelengths that their file tells") {
  std::string path = "../shared/data/nircam_filters_jades_seds/configs/jwst_nircam_FILTER.RES";
  if (!std::filesystem::exists(path)) {
    MESSAGE("skipped: no " << path);
    return;
  }
  auto filters = sim::read_filters(path, {sim::survey_bands.begin(), sim::survey_bands.end()});
  double const told[] = {9022.9, 11543, 15007, 19886, 27623, 35682, 44037};  // lambda_c of the headers, four digits
  for (size_t b = 0; b < 7; ++b) CHECK(std::abs(sim::pivot_wavelength(filters[b]) / told[b] - 1) < 1e-4);
}
