// Apertures against exact areas, analytic galaxies and simulated correlated noise.
#include <doctest/doctest.h>
#include <d16/core/random.hpp>
#include <d16/vision/photometry.hpp>

#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

using namespace d16;
using std::numbers::pi;
using vision::circle_overlap;

namespace {
double const epsilon = std::numeric_limits<double>::epsilon();

Tensor filled(int64_t h, int64_t w, double value) { return full({h, w}, value, {.dtype = DType::f64}); }

/// Light of total flux 1 around (x, y): its mean over each pixel, as the telescope sees it.
Tensor gaussian(int64_t size, double x, double y, double sigma) {
  Tensor out = empty({size, size}, {.dtype = DType::f64});
  auto below = [&](double t) { return 0.5 * std::erf(t / (sigma * std::numbers::sqrt2)); };
  for (int64_t i = 0; i < size; ++i)
    for (int64_t j = 0; j < size; ++j)
      out.data<double>()[i * size + j] = (below(double(j) + 0.5 - x) - below(double(j) - 0.5 - x)) *
                                         (below(double(i) + 0.5 - y) - below(double(i) - 0.5 - y));
  return out;
}

/// White noise of sigma 1, or each pixel the mean of 2x2 of it times 2: sigma 1, lag 1 correlated by 1/2.
Tensor noise(int64_t size, bool smooth, uint64_t seed) {
  Random random(seed);
  std::vector<double> white(size_t((size + 1) * (size + 1)));
  for (double& v : white) v = random.normal();
  Tensor out = empty({size, size}, {.dtype = DType::f64});
  for (int64_t i = 0; i < size; ++i)
    for (int64_t j = 0; j < size; ++j) {
      double const* p = white.data() + i * (size + 1) + j;
      out.data<double>()[i * size + j] = smooth ? (p[0] + p[1] + p[size + 1] + p[size + 2]) / 2 : p[0];
    }
  return out;
}
}  // namespace

TEST_CASE("circle_overlap: the pixels of a circle add up to its area, each as a fine grid counts it") {
  for (double r : {0.05, 0.3, 0.5, 0.70710678, 1.0, 2.5, 7.3, 60.0})
    for (auto [x, y] : {std::pair{0.0, 0.0}, std::pair{0.5, 0.5}, std::pair{0.31, -0.17}, std::pair{-0.499, 0.25}}) {
      double sum = 0;
      int64_t reach = int64_t(r) + 2;
      for (int64_t i = -reach; i <= reach; ++i)
        for (int64_t j = -reach; j <= reach; ++j) sum += circle_overlap(double(j) - x, double(i) - y, r);
      // A rim pixel is four chords of areas up to r^2 apart, within 4 r^2 epsilon; there are fewer than 8 r + 8.
      CHECK(std::abs(sum - pi * r * r) <= (8 * r + 8) * 16 * (r * r + 1) * epsilon);
    }
  int const n = 400;
  for (auto [x, y, r] : {std::array{0.3, 0.2, 0.4}, std::array{1.1, 0.4, 1.2}, std::array{2.0, -1.5, 2.6},
                         std::array{-0.6, 0.1, 0.35}, std::array{5.0, 5.0, 7.0}, std::array{0.0, 0.9, 0.45}}) {
    double inside = 0;
    for (int i = 0; i < n; ++i)
      for (int j = 0; j < n; ++j) inside += std::hypot(x - 0.5 + (j + 0.5) / n, y - 0.5 + (i + 0.5) / n) < r;
    // Grid cells that the rim crosses: at most 4 n of n^2 for an arc that turns once, each off by half at most.
    CHECK(std::abs(circle_overlap(x, y, r) - inside / n / n) <= 2.0 / n);
  }
  CHECK(circle_overlap(3, 0, 2.5) == 0);
  CHECK(circle_overlap(0, 0, 0.7072) == 1);
  CHECK_THROWS_AS(circle_overlap(0, 0, 0), ValueError);
}

TEST_CASE("aperture_flux: flux, error and lost area; masks, NaN and edges") {
  Tensor flat = filled(21, 17, 3);
  vision::ApertureFlux f = vision::aperture_flux(flat, 8.2, 10.4, 4.3, {.sigma = 2});
  double area = pi * 4.3 * 4.3, squares = 0;
  for (int i = 0; i < 21; ++i)
    for (int j = 0; j < 17; ++j) squares += std::pow(circle_overlap(j - 8.2, i - 10.4, 4.3), 2);
  CHECK(std::abs(f.flux - 3 * area) <= 1e3 * epsilon * area);
  CHECK(std::abs(f.error - 2 * std::sqrt(squares)) <= 100 * epsilon * f.error);
  CHECK(std::abs(f.lost) <= 1e3 * epsilon);
  CHECK(f.snr() == f.flux / f.error);
  CHECK(vision::aperture_flux(flat, 8.2, 10.4, 4.3, {.sigma = 2, .error_factor = 1.5}).error == 1.5 * f.error);
  CHECK(vision::aperture_flux(flat, 8.2, 10.4, 4.3, {.error = filled(21, 17, 2)}).error == f.error);
  CHECK(vision::aperture_flux(flat, 8.2, 10.4, 4.3, {.background = 3}).flux == 0);
  CHECK(std::isnan(vision::aperture_flux(flat, 8.2, 10.4, 4.3).error));

  Tensor holed = flat.clone(), mask = zeros({21, 17}, {.dtype = DType::boolean});
  holed.data<double>()[10 * 17 + 8] = NAN;  // wholly inside
  mask.data<bool>()[11 * 17 + 8] = true;
  vision::ApertureFlux two = vision::aperture_flux(holed, 8.2, 10.4, 4.3, {.mask = mask});
  CHECK(std::abs(two.lost - 2 / area) <= 1e3 * epsilon);
  CHECK(std::abs(two.flux - 3 * (area - 2)) <= 1e3 * epsilon * area);
  vision::ApertureFlux corner = vision::aperture_flux(flat, -0.5, -0.5, 3);  // a quarter of the circle
  CHECK(std::abs(corner.lost - 0.75) <= 1e3 * epsilon);
  vision::ApertureFlux outside = vision::aperture_flux(flat, 100, 100, 3);
  CHECK(std::isnan(outside.flux));
  CHECK(outside.lost == 1);
  CHECK_THROWS_AS(vision::aperture_flux(flat, 8, 8, -1), ValueError);
  CHECK_THROWS_AS(vision::aperture_flux(flat, NAN, 8, 1), ValueError);
  CHECK_THROWS_AS(vision::aperture_flux(zeros({4, 4, 2}), 1, 1, 1), ShapeError);
  CHECK_THROWS_AS(vision::aperture_flux(flat, 8, 8, 2, {.mask = zeros({2, 2})}), ShapeError);
}

TEST_CASE("annulus_background: the ring's sky, not its sources") {
  Tensor image = noise(61, false, 3);
  for (double& v : image.host<double>()) v += 100;
  for (int64_t k = 0; k < 5; ++k) image.data<double>()[12 * 61 + 28 + k] = 1e4;
  vision::ClippedStats sky = vision::annulus_background(image, 30, 30, 10, 22);
  double pixels = pi * (22 * 22 - 10 * 10);
  CHECK(std::abs(sky.median - 100) <= 4 * 1.2533 / std::sqrt(pixels));  // four times the error of a median
  CHECK(std::abs(sky.std - 1) <= 0.1);
  CHECK(sky.count < int64_t(pixels));
  CHECK_THROWS_AS(vision::annulus_background(image, 30, 30, 5, 5), ValueError);
  CHECK_THROWS_AS(vision::annulus_background(image, 300, 30, 1, 5), ValueError);
}

TEST_CASE("sizes of a Gaussian are those of the formula") {
  // Pixels average the light, and the aperture takes it as spread evenly over each: twice a variance of 1/12 more on
  // each axis. What that leaves out is of fourth order, (1 / 6 sigma^2)^2.
  double sigma = 4, seen = std::sqrt(sigma * sigma + 1.0 / 6), order = std::pow(1 / (6 * sigma * sigma), 2);
  Tensor image = gaussian(81, 40.3, 39.6, sigma);
  auto radius = [&](double part) { return seen * std::sqrt(-2 * std::log(1 - part)); };
  CHECK(std::abs(vision::light_radius(image, 40.3, 39.6, 38) / radius(0.5) - 1) <= 4 * order);
  CHECK(std::abs(vision::light_radius(image, 40.3, 39.6, 38, 0.9) / radius(0.9) - 1) <= 4 * order);
  double inner = 0.08 / 0.04, outer = 0.16 / 0.04;
  auto light = [&](double r) { return 1 - std::exp(-r * r / (2 * seen * seen)); };
  CHECK(std::abs(vision::compactness(image, 40.3, 39.6, 0.04) / (light(outer) / light(inner)) - 1) <= 16 * order);
  CHECK(std::isnan(vision::compactness(filled(9, 9, -1), 4, 4, 0.04)));
  CHECK(std::isnan(vision::light_radius(filled(9, 9, -1), 4, 4, 3)));
  CHECK_THROWS_AS(vision::compactness(image, 4, 4, 0), ValueError);
  CHECK_THROWS_AS(vision::light_radius(image, 4, 4, 3, 1), ValueError);
}

TEST_CASE("correlated noise: measured, and in the errors of apertures") {
  int64_t size = 300;
  double bound = 5 / double(size);  // five times the error of a correlation of size^2 pixels
  Tensor rho = vision::noise_autocorrelation(noise(size, true, 5), 2);
  double expected[5] = {0, 0.5, 1, 0.5, 0};  // the same along both axes
  for (int i = 0; i < 5; ++i)
    for (int j = 0; j < 5; ++j) CHECK(std::abs(rho.data<double>()[i * 5 + j] - expected[i] * expected[j]) <= 2 * bound);
  CHECK(rho.data<double>()[12] == 1);
  CHECK(std::abs(vision::noise_autocorrelation(noise(size, false, 6), 1).data<double>()[5]) <= bound);
  CHECK_THROWS_AS(vision::noise_autocorrelation(filled(9, 9, 1), 1), ValueError);
  CHECK_THROWS_AS(vision::noise_autocorrelation(filled(9, 9, 1), 9), ValueError);

  Tensor white = filled(1, 1, 1);
  CHECK(std::abs(vision::correlated_error_factor(3.3, white) - 1) <= 100 * epsilon);
  double sum = 0, squares = 0;
  for (int i = -2; i <= 2; ++i)
    for (int j = -2; j <= 2; ++j) sum += circle_overlap(j, i, 1.5), squares += std::pow(circle_overlap(j, i, 1.5), 2);
  CHECK(std::abs(vision::correlated_error_factor(1.5, filled(9, 9, 1)) - sum / std::sqrt(squares)) <= 1e3 * epsilon);
  CHECK_THROWS_AS(vision::correlated_error_factor(1.5, filled(3, 3, -1)), ValueError);

  double factor = vision::correlated_error_factor(3, rho), scatter = 0, claimed = 0;
  int n = 0;
  Tensor field = noise(size, true, 7);
  for (double y = 6; y < 294; y += 8)
    for (double x = 6; x < 294; x += 8, ++n) {
      vision::ApertureFlux f = vision::aperture_flux(field, x, y, 3, {.sigma = 1, .error_factor = factor});
      scatter += f.flux * f.flux, claimed = f.error;
    }
  CHECK(factor > 1.5);
  CHECK(std::abs(std::sqrt(scatter / n) / claimed - 1) <= 4 / std::sqrt(2.0 * n));  // four times the error of a sigma
}
