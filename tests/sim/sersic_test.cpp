// The Sersic profile: b against scipy, half of the light inside r_eff, the total, the direction of the axis.
#include <doctest/doctest.h>
#include <d16/sim/sersic.hpp>

#include <limits>
#include <numbers>

using namespace d16;

TEST_CASE("sersic_b as scipy.special.gammaincinv(2n, 0.5)") {
  struct Known {
    double n, b;
  };
  for (Known k : {Known{0.1, 0.02074633919282486}, Known{0.36, 0.42606216678673753}, Known{0.5, 0.6931471805599455},
                  Known{1, 1.6783469900166612}, Known{2.5, 4.670908882795985}, Known{4, 7.669249442500804},
                  Known{10, 19.66767242330567}, Known{20, 39.6671650106891}}) {
    CAPTURE(k.n);
    // scipy's own inverse is good to 1e-14; at n = 20 the exponent of the first term, 40 log 40, rounds by 150 epsilon
    CHECK(std::abs(sim::sersic_b(k.n) / k.b - 1) < 1e-13);
  }
  CHECK_THROWS_AS(sim::sersic_b(0), ValueError);
  CHECK_THROWS_AS(sim::sersic_b(21), ValueError);
}

TEST_CASE("half of the light is inside r_eff, and all of it is total_flux") {
  for (double n : {0.5, 1.0, 2.5, 4.0}) {
    sim::Sersic s{.amplitude = 3, .r_eff = 7, .n = n, .q = 0.4};
    sim::SersicLight light(s);
    double inside = 0, all = 0;  // midpoint rule in u = r^(1/n), in which the profile is smooth
    int const steps = 200000;
    double end = std::pow(s.r_eff, 1 / n) * 60 / sim::sersic_b(n);  // there the profile has fallen by e^60
    for (int i = 0; i < steps; ++i) {
      double u = end * (i + 0.5) / steps, r = std::pow(u, n), dr = n * std::pow(u, n - 1) * end / steps;
      double ring = 2 * std::numbers::pi * s.q * r * light.at_radius(r) * dr;
      all += ring;
      if (r < s.r_eff) inside += ring;
    }
    CAPTURE(n);
    CHECK(all == doctest::Approx(s.total_flux()).epsilon(1e-6));
    CHECK(inside / all == doctest::Approx(0.5).epsilon(1e-3));  // off by less than one of the rings
    CHECK(s.with_flux(5).total_flux() == doctest::Approx(5));
  }
}

TEST_CASE("the long axis points along theta, from columns towards rows") {
  sim::Sersic s{.r_eff = 4, .q = 0.3, .theta = std::numbers::pi / 2, .x0 = 8, .y0 = 6};
  Tensor x = sim::sersic_profile(15, 17, s);
  auto at = [&](int64_t row, int64_t column) { return x.data<float>()[row * 17 + column]; };
  CHECK(x.shape() == Shape{15, 17});
  CHECK(at(10, 8) == doctest::Approx(1));  // r_eff away along the long axis: the amplitude
  CHECK(at(2, 8) == doctest::Approx(1));
  CHECK(at(6, 12) < 0.1);
  s.theta = std::numbers::pi / 4;
  x = sim::sersic_profile(15, 17, s);
  CHECK(at(8, 10) > 2 * at(4, 10));
  s.theta = std::atan2(3, 4), s.r_eff = 5;
  x = sim::sersic_profile(15, 17, s);
  CHECK(at(9, 12) == doctest::Approx(1));
  CHECK(at(3, 4) == doctest::Approx(1));
}

TEST_CASE("oversampling gives the mean over the pixel") {
  sim::Sersic s{.r_eff = 3, .n = 2, .q = 0.8, .theta = 0.4, .x0 = 2.2, .y0 = 1.9};
  Tensor fine = sim::sersic_profile(15, 15, {.r_eff = 9, .n = 2, .q = 0.8, .theta = 0.4, .x0 = 7.6, .y0 = 6.7}, 1,
                                    {.dtype = DType::f64});
  Tensor coarse = sim::sersic_profile(5, 5, s, 3, {.dtype = DType::f64});
  for (int64_t i = 0; i < 5; ++i)
    for (int64_t j = 0; j < 5; ++j) {
      double mean = 0;
      for (int64_t k = 0; k < 9; ++k) mean += fine.data<double>()[(3 * i + k / 3) * 15 + 3 * j + k % 3] / 9;
      CHECK(coarse.data<double>()[i * 5 + j] == doctest::Approx(mean).epsilon(1e-12));
    }
  CHECK_THROWS_AS(sim::sersic_profile(5, 5, s, 0), ValueError);
  s.q = 0;
  CHECK_THROWS_AS(sim::sersic_profile(5, 5, s), ValueError);
}
