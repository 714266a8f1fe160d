// Templates to fluxes: against integrals over the tables themselves, and the laws of dust and redshift.
#include <doctest/doctest.h>

#include "tiny_survey.hpp"

using namespace d16;

namespace {
sim::Mixture one(int member, double z, double a_v = 0) { return {{member, 0, 0}, {1, 0, 0}, z, a_v}; }
}  // namespace

TEST_CASE("Calzetti's law: one at V, greyer to the red, steep to the blue, never negative") {
  // k(0.55) = 2.659 (-2.156 + 1.509/.55 - .198/.3025 + .011/.166375) + 4.05 = 4.0479
  CHECK(sim::calzetti(5500) == doctest::Approx(4.0479 / 4.05).epsilon(1e-4));
  CHECK(sim::calzetti(1500) == doctest::Approx(10.33 / 4.05).epsilon(1e-3));
  double before = 1e9;
  for (double x = 1000; x < 40000; x *= 1.05) {
    CHECK(sim::calzetti(x) <= before);
    CHECK(sim::calzetti(x) >= 0);
    before = sim::calzetti(x);
  }
  CHECK(std::abs(sim::calzetti(6299) - sim::calzetti(6301)) < 0.01);  // the two formulas meet
}

TEST_CASE("colours agree with integrals over the tables") {
  sim::SurveyData data = tiny::data();
  sim::Templates templates(data.filters, data.templates);
  REQUIRE(templates.size() == 5);
  for (int member = 0; member < 5; ++member)
    for (double z : {0.2, 0.9, 3.001, 4.3}) {  // without intergalactic absorption; at 3 the break is inside F150W
      sim::Curve const& rest = (member < 3 ? data.templates[0] : data.templates[1]).templates[size_t(member % 3)];
      sim::Curve seen = rest;
      for (double& x : seen.wavelength) x *= 1 + z;
      sim::Fluxes fast = templates.fluxes(one(member, z));
      double unit = fast[sim::f444w] / sim::ab_flux(seen, data.filters[sim::f444w]);
      for (size_t b = 0; b < 7; ++b) {
        // straight lines over cells of 0.002: (0.002)^2 times a curvature below 25; neither break nor line is at an
        // edge of a filter, where a cell more or less would count
        double slow = sim::ab_flux(seen, data.filters[b]) * unit;
        CAPTURE(member);
        CAPTURE(z);
        CAPTURE(b);
        CHECK(std::abs(fast[b] / slow - 1) < 1e-4);
      }
    }
}

TEST_CASE("a Lyman break: bands blueward vanish, and hold more on a clear line of sight") {
  sim::SurveyData data = tiny::data();
  sim::Templates templates(data.filters, data.templates);
  sim::Fluxes at9 = templates.fluxes(one(0, 9)), at4 = templates.fluxes(one(0, 4));
  CHECK(at9[0] < 1e-3 * at9[2]);
  CHECK(at4[0] > 0.3 * at4[2]);
  // the limit at z: 1216 (1 + z) crosses F115W from 10100 to 12800, z = 7.3 to 9.5
  double before = 10;
  for (double z = 7.3; z < 9.6; z += 0.1) {
    sim::Fluxes f = templates.fluxes(one(0, z));
    CHECK(f[1] / f[2] < before);
    before = f[1] / f[2];
  }
  sim::Mixture clear = one(0, 6.2), foggy = clear;
  clear.igm_factor = 0.5, foggy.igm_factor = 2;
  CHECK(templates.fluxes(clear)[0] > templates.fluxes(foggy)[0]);
  CHECK(templates.fluxes(clear)[3] == templates.fluxes(foggy)[3]);
  CHECK_THROWS_AS(templates.fluxes(one(0, -0.1)), ValueError);
}

TEST_CASE("dust reddens by its law; mixtures add; names and breaks are those of the tables") {
  sim::SurveyData data = tiny::data();
  sim::Templates templates(data.filters, data.templates);
  sim::Fluxes clean = templates.fluxes(one(1, 1)), dusty = templates.fluxes(one(1, 1, 2));
  double before = 0;
  for (size_t b = 0; b < 7; ++b) {
    double magnitudes = -2.5 * std::log10(dusty[b] / clean[b]), middle = sim::pivot_wavelength(data.filters[b]) / 2;
    // the law is curved over a band a fifth wide: a few per cent
    CHECK(magnitudes == doctest::Approx(2 * sim::calzetti(middle)).epsilon(0.05));
    CHECK(dusty[b] / clean[b] > before);
    before = dusty[b] / clean[b];
  }
  sim::Fluxes a = templates.fluxes(one(0, 2)), c = templates.fluxes(one(2, 2));
  sim::Fluxes sum = templates.fluxes({{0, 2, 0}, {0.25, 0.75, 0}, 2});
  for (size_t b = 0; b < 7; ++b) CHECK(sum[b] == doctest::Approx(0.25 * a[b] + 0.75 * c[b]).epsilon(1e-9));
  CHECK(templates.range("b") == std::pair(3, 5));
  CHECK(templates.name(4) == "red");
  CHECK(templates.balmer_break(0) == doctest::Approx(std::pow(4150.0 / 3550, -0.2)).epsilon(0.01));
  CHECK(templates.balmer_break(2) == doctest::Approx(5 * std::pow(4150.0 / 3550, 2)).epsilon(0.01));
  CHECK_THROWS_WITH_AS(templates.range("c"), doctest::Contains("there are a, b"), ValueError);
  CHECK_THROWS_AS(sim::Templates({data.filters[0]}, data.templates), ValueError);
  CHECK_THROWS_AS(sim::Templates(data.filters, {}), ValueError);
}
