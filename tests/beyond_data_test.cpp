// Zeros of mosaics: beyond the data, or sky.
#include <doctest/doctest.h>

#include <d16/core/random.hpp>
#include <d16/sim/drizzle_noise.hpp>

#include "beyond_data.hpp"

namespace {
constexpr int64_t side = 51;
double radius(int64_t k) { return std::hypot(double(k % side) - 24.3, double(k / side) - 25.6); }

/// value(k) where there are data, which end at column 12; noise with such a correlation of neighbours over it.
template <class F> tool::Plane mosaic(F const& value, double sigma, double correlation = 0) {
  tool::Plane p{side, side, std::vector<float>(size_t(side * side))};
  for (int64_t k = 0; k < side * side; ++k) p.values[size_t(k)] = float(value(k));
  d16::Random random(3);
  d16::sim::DrizzleNoise noise(correlation);
  if (sigma > 0) noise.add(p.values.data(), side, side, 1, sigma, 1e30, random);
  for (int64_t k = 0; k < side * side; ++k)
    if (k % side < 12) p.values[size_t(k)] = 0;
  return p;
}
int64_t dropped(tool::Plane p) {
  tool::drop_zeros(p);
  return std::count_if(p.values.begin(), p.values.end(), [](float v) { return std::isnan(v); });
}
double galaxy(int64_t k) { return 40 * std::exp(-radius(k) / 3); }
}  // namespace

TEST_CASE("zeros beyond the data go, whatever the sky and however bright the object") {
  CHECK(dropped(mosaic(galaxy, 1)) == 12 * side);
  for (double correlation : {0.0, 0.45, 0.69}) {
    CHECK(dropped(mosaic([](int64_t k) { return 20 + galaxy(k); }, 1, correlation)) == 12 * side);
    CHECK(dropped(mosaic([](int64_t k) { return 400 * std::exp(-radius(k) / 9); }, 1, correlation)) == 12 * side);
  }
}

TEST_CASE("zeros without noise are sky, and so are those of photons") {
  CHECK(dropped(mosaic(galaxy, 0)) == 0);
  CHECK(dropped(mosaic([](int64_t k) { return radius(k) > 12 ? 0 : 40 * (1 - radius(k) / 12); }, 0)) == 0);
  CHECK(dropped(mosaic([](int64_t k) { return 5 + galaxy(k) * (1 + std::cos(double(k % side) / 2)); }, 0)) == 0);
  d16::Random random(4);
  auto counts = [&](int64_t) { return 0.25 * std::floor(-3 * std::log(1 - random.uniform())); };
  CHECK(dropped(mosaic(counts, 0)) == 0);
  CHECK(dropped({2, 2, {0, 0, 0, 0}}) == 0);
}
