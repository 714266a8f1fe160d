// Correlated noise: its variance, its correlations, what apertures make of it, and the real thing in CEERS images.
#include <doctest/doctest.h>
#include <d16/io/fits.hpp>
#include <d16/sim/drizzle_noise.hpp>

#include <filesystem>

using namespace d16;

namespace {
/// The mean of x[i] x[i + d] over an image, without clipping.
double covariance(Tensor const& x, int64_t dy, int64_t dx) {
  double sum = 0;
  int64_t H = x.dim(0), W = x.dim(1), count = 0;
  for (int64_t i = 0; i + dy < H; ++i)
    for (int64_t j = 0; j + dx < W; ++j, ++count)
      sum += double(x.data<float>()[i * W + j]) * double(x.data<float>()[(i + dy) * W + j + dx]);
  return sum / double(count);
}
}  // namespace

TEST_CASE("noise has its variance and its correlations, and no others") {
  int64_t const H = 400, W = 300;
  for (double lag1 : {0.0, 0.3, 0.45, 0.65}) {
    Tensor image = zeros({H, W});
    Random random(5);
    sim::DrizzleNoise(lag1).add(image.data<float>(), H, W, 1, 2, 1e30, random);
    // neighbours share noise: the sum of squared correlations, at most (1 + 2 * 0.65^2 + 2 * 0.2^2)^2 = 3.7, over H W
    double bound = 5 * std::sqrt(2 * 3.7 / double(H * W)),
           a = lag1 > 0 ? (1 - std::sqrt(1 - 2 * lag1 * lag1)) / (2 * lag1) : 0;
    double lag2 = a * a / (1 + 2 * a * a);
    CHECK(std::abs(covariance(image, 0, 0) / 4 - 1) < bound);
    CHECK(std::abs(covariance(image, 0, 1) / 4 - lag1) < bound);
    CHECK(std::abs(covariance(image, 1, 0) / 4 - lag1) < bound);
    CHECK(std::abs(covariance(image, 1, 1) / 4 - lag1 * lag1) < bound);
    CHECK(std::abs(covariance(image, 0, 2) / 4 - lag2) < bound);
    CHECK(std::abs(covariance(image, 3, 0) / 4) < bound);
    CHECK(std::abs(sim::autocorrelation(image, 0, 1) - lag1) < bound + 0.03);  // clipping at 3 sigma takes a little
  }
  CHECK_THROWS_AS(sim::DrizzleNoise(0.7), ValueError);
  CHECK_THROWS_AS(sim::DrizzleNoise(-0.1), ValueError);
}

TEST_CASE("photons of the light add to the variance, negative light does not") {
  int64_t const side = 200;
  for (double light : {-8.0, 0.0, 30.0}) {
    Tensor image = full({side, side}, light);
    Random random(6);
    sim::DrizzleNoise(0.45).add(image.data<float>(), side, side, 1, 0.5, 10, random);
    double variance = 0.25 + std::max(0.0, light) / 10, mean = 0;
    for (float v : image.host<float>()) mean += double(v) / double(side * side);
    double spread = covariance(image, 0, 0) - light * light - 2 * light * (mean - light);
    CHECK(std::abs(spread / variance - 1) < 5 * std::sqrt(2 * 2.2 / double(side * side)));
    CHECK(std::abs(mean - light) < 5 * std::sqrt(variance * 3.7 / double(side * side)));
  }
}

TEST_CASE("sums over an aperture scatter as sum_sigma says") {
  int64_t const side = 15;
  std::vector<double> weight = sim::aperture_weights(side, side, 7.2, 6.9, 5);
  double area = 0;
  for (double w : weight) area += w;
  CHECK(area == doctest::Approx(25 * 3.14159265).epsilon(0.005));  // 100 points in each pixel of the rim
  sim::DrizzleNoise noise(0.45);
  int const n = 3000;
  double squares = 0;
  for (int k = 0; k < n; ++k) {
    Random random(7, uint64_t(k));
    Tensor image = zeros({side, side});
    noise.add(image.data<float>(), side, side, 1, 1, 1e30, random);
    double sum = 0;
    for (size_t i = 0; i < weight.size(); ++i) sum += weight[i] * double(image.data<float>()[i]);
    squares += sum * sum / n;
  }
  double sigma = noise.sum_sigma(weight, side, side);
  CHECK(std::abs(std::sqrt(squares) / sigma - 1) < 5 / std::sqrt(2.0 * n));
  CHECK(sigma > 1.5 * std::sqrt(area));  // correlation makes it worse than white noise
  CHECK(sim::DrizzleNoise(0).sum_sigma({1, 1, 1, 1}, 2, 2) == doctest::Approx(2));
}

TEST_CASE("the autocorrelation leaves out masked and outlying pixels, and needs some") {
  Tensor image = zeros({60, 60}), mask = zeros({60, 60});
  Random random(8);
  sim::DrizzleNoise(0.4).add(image.data<float>(), 60, 60, 1, 1, 1e30, random);
  double clean = sim::autocorrelation(image, 0, 1);
  for (int64_t i = 0; i < 600; ++i) image.data<float>()[i] = 2.5f, mask.data<float>()[i] = 1;
  CHECK(sim::autocorrelation(image, 0, 1) > clean + 0.1);
  CHECK(std::abs(sim::autocorrelation(image, 0, 1, mask) - clean) < 0.1);
  CHECK_THROWS_AS(sim::autocorrelation(zeros({9, 9, 2}), 0, 1), ShapeError);
  CHECK_THROWS_AS(sim::autocorrelation(zeros({5, 5}), 0, 1), ValueError);
}

TEST_CASE("blank sky of CEERS drizzles has correlated neighbours, as the default kernel makes them") {
  std::string folder = "../shared/data/jwst_ceers_nircam";
  if (!std::filesystem::exists(folder + "/6414")) {
    MESSAGE("skipped: no " << folder);
    return;
  }
  double sum = 0;
  int count = 0;
  for (char const* object : {"6414", "10735"})  // the two without a large galaxy
    for (char const* band : {"f115w", "f150w", "f200w", "f277w", "f356w", "f444w"}) {
      std::string name = folder + "/" + object + "/" + band;
      Tensor image = io::read_fits(name + "_sci.fits").pixels, mask = io::read_fits(name + "_mask.fits").pixels;
      double right = sim::autocorrelation(image, 0, 1, mask), up = sim::autocorrelation(image, 1, 0, mask);
      MESSAGE(std::string(object) << " " << std::string(band) << ": lag 1 " << right << " along x, " << up
                                  << " along y, lag 2 " << sim::autocorrelation(image, 0, 2, mask));
      CHECK(right > 0.3);
      CHECK(right < 0.55);
      sum += (right + up) / 2, ++count;
    }
  CHECK(std::abs(sum / count - 0.45) < 0.05);
}
