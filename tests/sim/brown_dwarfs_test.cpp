// Brown dwarfs: their table, their distances, and how often each temperature is drawn.
#include <doctest/doctest.h>

#include "tiny_survey.hpp"

using namespace d16;

TEST_CASE("the table is read, and refused when it is damaged") {
  tiny::Folder f;
  auto models = sim::read_brown_dwarfs(f.write("a.csv", tiny::dwarfs_text()));
  REQUIRE(models.size() == 12);
  CHECK(models[5].library == "cold");
  CHECK(models[5].teff == 700);
  CHECK(std::isnan(models[5].metallicity));
  CHECK(models[0].metallicity == 0);
  std::string bad = tiny::dwarfs_text();
  bad.replace(bad.find("warm,700,4.5,0.0,") + 17, 1, "-");
  CHECK_THROWS_AS(sim::read_brown_dwarfs(f.write("b.csv", bad)), FileError);
  CHECK_THROWS_AS(sim::read_brown_dwarfs(f.write("c.csv", "library,teff_K\n")), FileError);
  CHECK_THROWS_AS(sim::BrownDwarfs(models, {"nobody"}), ValueError);
  CHECK_THROWS_AS(sim::BrownDwarfs(models, {"warm"}, {.least_teff = 5000, .most_teff = 6000}), ValueError);
}

TEST_CASE("a fainter dwarf is farther by the root of the flux, whatever the unit of its library") {
  tiny::Folder f;
  auto models = sim::read_brown_dwarfs(f.write("a.csv", tiny::dwarfs_text()));
  std::vector<double> of_unit;
  for (char const* library : {"warm", "apart"}) {
    sim::BrownDwarfs dwarfs(models, {library}, {.least_teff = 900, .most_teff = 1100});
    Random random(1);
    double near = dwarfs.draw(random, 400).distance, far = dwarfs.draw(random, 25).distance;
    CHECK(far / near == doctest::Approx(4));
    of_unit.push_back(near);
  }
  CHECK(of_unit[0] == doctest::Approx(of_unit[1]));
  // a black body of 1000 K as large as Jupiter: pi B_nu (4.4 micron) = 5.8e25 nJy, R = 7.15e7 m, 400 nJy at 880 pc
  CHECK(of_unit[0] == doctest::Approx(880).epsilon(0.02));
}

TEST_CASE("temperatures come as often as their volume and their prior say") {
  tiny::Folder f;
  auto models = sim::read_brown_dwarfs(f.write("a.csv", tiny::dwarfs_text()));
  sim::DwarfPrior prior{.least_teff = 600, .most_teff = 1100, .scale_height = 1e9};
  sim::BrownDwarfs dwarfs(models, {"warm"}, prior);
  // Two temperatures of equal width, density d^3, d ~ sqrt(surface), surface ~ (T/1000)^3: odds (1000/700)^4.5
  double odds = std::pow(1000.0 / 700, 4.5), share = odds / (1 + odds);
  int const n = 4000;
  for (double height : {1e9, 300.0}) {
    prior.scale_height = height;
    sim::BrownDwarfs drawn(models, {"warm"}, prior);
    Random random(3);
    int hot = 0;
    for (int i = 0; i < n; ++i) hot += drawn.draw(random, 20).model->teff == 1000;
    double tolerance = 5 * std::sqrt(share * (1 - share) * n);
    if (height > 1e6) CHECK(std::abs(hot - share * n) < tolerance);
    else CHECK(hot < share * n - tolerance);  // a thin disc has no far, hot ones
  }
}
