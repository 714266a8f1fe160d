// The noise of a cutout is measured beside its galaxy.
#include <doctest/doctest.h>

#include "corner_noise.hpp"

namespace {
constexpr int64_t side = 64;

/// A galaxy whose wings fade into noise in which neighbours are so alike.
tool::Plane cutout(double correlation) {
  tool::Plane p{side, side, std::vector<float>(size_t(side * side))};
  for (int64_t k = 0; k < side * side; ++k)
    p.values[size_t(k)] = float(60 * std::exp(-std::hypot(double(k % side) - 31.5, double(k / side) - 31.5) / 5));
  d16::Random random(5);
  d16::sim::DrizzleNoise(correlation).add(p.values.data(), side, side, 1, 1, 1e30, random);
  return p;
}
double everywhere(tool::Plane const& p) { return d16::sim::autocorrelation(d16::from(p.values, {side, side}), 0, 1); }
}  // namespace

TEST_CASE("noise in the corners: wings of the galaxy do not count") {
  CHECK(tool::corner_correlation(cutout(0)) == doctest::Approx(0).epsilon(0.08));
  CHECK(everywhere(cutout(0)) > 0.2);
  CHECK(tool::corner_correlation(cutout(0.5)) == doctest::Approx(0.5).epsilon(0.12));
}

TEST_CASE("noise in the corners: not known where there is nothing") {
  tool::Plane p = cutout(0);
  for (float& v : p.values) v = NAN;
  CHECK(std::isnan(tool::corner_correlation(p)));
  CHECK(std::isnan(tool::corner_correlation({4, 4, std::vector<float>(16, 1)})));
}
