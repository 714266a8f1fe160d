// The background of simulated skies: levels, slopes, sources that must not count, masks and holes.
#include <doctest/doctest.h>
#include <d16/core/random.hpp>
#include <d16/vision/background.hpp>

#include <cmath>
#include <limits>

using namespace d16;
using vision::MeshInterpolation;

namespace {
double const epsilon = std::numeric_limits<double>::epsilon();

/// level + slope x + noise.
Tensor sky(int64_t h, int64_t w, double level, double slope, double sigma, uint64_t seed = 1) {
  Random random(seed);
  Tensor x = empty({h, w}, {.dtype = DType::f64});
  for (int64_t i = 0; i < h * w; ++i) x.data<double>()[i] = level + slope * double(i % w) + sigma * random.normal();
  return x;
}

double largest_error(Tensor const& map, double level, double slope, int64_t border = 0) {
  double worst = 0;
  int64_t h = map.dim(0), w = map.dim(1);
  for (int64_t i = 0; i < h; ++i)
    for (int64_t j = border; j < w - border; ++j)
      if (double d = std::abs(map.data<double>()[i * w + j] - level - slope * double(j)); !(d <= worst))
        worst = std::isnan(d) ? INFINITY : d;
  return worst;
}
}  // namespace

TEST_CASE("sky_mode: lopsided distributions, and the median where they are too lopsided") {
  CHECK(vision::sky_mode({.mean = 1.1, .median = 1, .std = 1, .count = 9}) == doctest::Approx(2.5 - 1.65));
  CHECK(vision::sky_mode({.mean = 1.5, .median = 1, .std = 1, .count = 9}) == 1);
  CHECK(vision::sky_mode({.mean = 7, .median = 7, .std = 0, .count = 9}) == 7);
}

TEST_CASE("sky_level: level and noise in spite of sources") {
  Tensor x = sky(80, 80, 5, 0, 0.5);
  for (int64_t k = 0; k < 300; ++k) x.data<double>()[k * 21] += 3 + double(k % 40);
  vision::SkyLevel level = vision::sky_level(x);
  // 6,100 pixels: the mode is 2.5 medians less 1.5 means, with errors of 1.25 and 1 sigma / sqrt(n) that go together.
  CHECK(std::abs(level.level - 5) <= 5 * 2.5 * 0.5 / std::sqrt(6100));
  CHECK(std::abs(level.rms / 0.5 - 1) <= 0.05);  // clipping at 3 sigma takes 1.3 % off, the rest is scatter
  CHECK(level.count <= 6400 - 280);
  CHECK_THROWS_AS(vision::sky_level(full({3}, NAN)), ValueError);
}

TEST_CASE("mesh_background: without noise, constants and slopes are exact") {
  for (MeshInterpolation interpolation : {MeshInterpolation::bilinear, MeshInterpolation::bicubic})
    for (auto [h, w] : {std::pair<int64_t, int64_t>{40, 64}, {37, 53}, {5, 7}, {1, 1}}) {
      vision::Background flat =
          vision::mesh_background(sky(h, w, 3, 0, 0), {}, {.box = 8, .interpolation = interpolation});
      CHECK(flat.level.shape() == Shape{h, w});
      CHECK(largest_error(flat.level, 3, 0) <= 32 * epsilon);
      CHECK(largest_error(flat.rms, 0, 0) == 0);
    }
  // A box's level is that of its centre; interpolation between centres keeps a straight line, except for half a box at
  // the edges and, bicubic, one box more, where the line is continued by reflection. The median filter keeps it too.
  CHECK(largest_error(vision::mesh_background(sky(40, 64, 3, 0.1, 0), {}, {.box = 8, .filter = 1}).level, 3, 0.1, 4) <=
        64 * 9 * epsilon);
  CHECK(largest_error(vision::mesh_background(sky(40, 64, 3, 0.1, 0), {},
                                              {.box = 8, .filter = 1, .interpolation = MeshInterpolation::bicubic})
                          .level,
                      3, 0.1, 12) <= 64 * 9 * epsilon);
  CHECK(largest_error(vision::mesh_background(sky(40, 64, 3, 0.1, 0), {}, {.box = 8, .filter = 3}).level, 3, 0.1, 12) <=
        64 * 9 * epsilon);
}

TEST_CASE("mesh_background: noise, a box full of light, masked and empty boxes") {
  Tensor x = sky(96, 96, 10, 0.02, 1, 4), mask = zeros({96, 96}, {.dtype = DType::boolean});
  auto set = [](Tensor& t, int64_t top, int64_t left, int64_t side, double value) {
    for (int64_t i = top; i < top + side; ++i)
      for (int64_t j = left; j < left + side; ++j) t.data<double>()[i * 96 + j] = value;
  };
  set(x, 32, 32, 16, 500);  // the median filter takes this box out
  set(x, 64, 0, 16, NAN);   // this one is filled from the others
  set(x, 0, 80, 10, 900);
  for (int64_t i = 0; i < 10; ++i)
    for (int64_t j = 80; j < 90; ++j) mask.data<bool>()[i * 96 + j] = true;
  vision::Background b = vision::mesh_background(x, mask, {.box = 16});
  CHECK(b.mesh_level.shape() == Shape{6, 6});
  // A box of 256 pixels knows its mode to 2.5 / 16; five times that, and the slope of a box at the edges.
  CHECK(largest_error(b.level, 10, 0.02) <= 5 * 2.5 / 16 + 0.02 * 16);
  CHECK(std::abs(b.typical_rms() - 1) <= 0.1);
  CHECK(std::abs(b.typical_level() - 10.95) <= 0.3);
  CHECK(largest_error(vision::mesh_background(x, {}, {.box = 16, .filter = 1}).level, 10, 0.02) > 100);
}

TEST_CASE("mesh_background: wrong input") {
  Tensor x = sky(20, 20, 1, 0, 1);
  CHECK_THROWS_AS(vision::mesh_background(zeros({4, 4, 2})), ShapeError);
  CHECK_THROWS_AS(vision::mesh_background(x, zeros({20, 19})), ShapeError);
  CHECK_THROWS_AS(vision::mesh_background(x, {}, {.filter = 2}), ValueError);
  CHECK_THROWS_AS(vision::mesh_background(x, {}, {.box = 0}), ValueError);
  CHECK_THROWS_AS(vision::mesh_background(full({20, 20}, NAN)), ValueError);
}
