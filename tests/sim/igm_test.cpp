// Intergalactic absorption: values from the table of the paper, and the laws that its pieces obey.
#include <doctest/doctest.h>
#include <d16/sim/igm.hpp>

#include <initializer_list>

using namespace d16;

TEST_CASE("nothing is absorbed redward of Lyman alpha, and something blueward") {
  for (double z : {0.5, 3.0, 6.5, 9.0, 15.0}) {
    for (double rest : {1215.67, 1216.0, 1500.0, 4000.0}) CHECK(sim::igm_transmission(rest * (1 + z), z) == 1);
    CHECK(sim::igm_transmission(1215.0 * (1 + z), z) < 1);
  }
}

TEST_CASE("between Lyman beta and alpha one line absorbs, with the coefficients of table 2") {
  struct Known {
    double z, forest, power, damped, damped_power;
  };
  // at 1100 Angstrom rest, observed / 1215.67 is below 2.2, between 2.2 and 5.7, above; the damped systems change at 3
  for (Known k : {Known{1, 1.68976e-2, 1.2, 1.61698e-4, 2}, Known{3, 2.35379e-3, 3.7, 5.38995e-5, 3},
                  Known{8, 1.02611e-4, 5.5, 5.38995e-5, 3}, Known{1.55, 2.35379e-3, 3.7, 1.61698e-4, 2},
                  Known{2.4, 2.35379e-3, 3.7, 5.38995e-5, 3}, Known{5.4, 1.02611e-4, 5.5, 5.38995e-5, 3}}) {
    double x = 1100 * (1 + k.z) / 1215.67;
    double depth = k.forest * std::pow(x, k.power) + k.damped * std::pow(x, k.damped_power);
    CHECK(std::abs(sim::igm_optical_depth(1100 * (1 + k.z), k.z) / depth - 1) < 2e-5);  // six digits in the table
  }
}

TEST_CASE("the pieces of the continuum meet where they change") {
  // coefficients have four digits, and each term is about ten times the sum: 1e-3 of the depth
  auto jump = [](double at, double z) {
    double a = sim::igm_optical_depth(at * (1 - 1e-9), z), b = sim::igm_optical_depth(at * (1 + 1e-9), z);
    return std::abs(a - b) / (a + b);
  };
  double L = sim::lyman_limit;
  CHECK(jump(2.2 * L, 3) < 1e-3);
  CHECK(jump(2.2 * L, 6) < 1e-3);
  CHECK(jump(5.7 * L, 6) < 1e-3);
  CHECK(jump(3.0 * L, 4) < 1e-3);
  for (double z : {0.8, 1.7, 3.0, 6.5, 10.0}) {  // no step of the continuum at the limit of the source
    CHECK(sim::detail::forest_continuum_depth(1 + z, z) < 2e-3 * std::pow(1 + z, 2));
    CHECK(std::abs(sim::detail::damped_continuum_depth(1 + z, z)) < 2e-3 * std::pow(1 + z, 3));
  }
}

TEST_CASE("more distant galaxies lose more, shorter waves too; the factor scales the depth") {
  for (double rest : {920.0, 1000.0, 1100.0, 1200.0}) {
    double before = 2;
    for (double z = 0.5; z < 16; z += 0.25) {
      double t = sim::igm_transmission(rest * (1 + z), z);
      CHECK(t < before);
      CHECK(t >= 0);
      before = t;
    }
  }
  for (double z : {3.0, 7.0}) CHECK(sim::igm_transmission(850 * (1 + z), z) < sim::igm_transmission(1100 * (1 + z), z));
  CHECK(sim::igm_transmission(1100 * 9, 8) < 1e-3);  // the trough of Gunn and Peterson
  double t = sim::igm_transmission(1100 * 6, 5);
  CHECK(sim::igm_transmission(1100 * 6, 5, 2) == doctest::Approx(t * t));
}
