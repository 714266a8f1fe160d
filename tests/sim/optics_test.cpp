// PSFs, convolution with them, and the noise of the detector.
#include <doctest/doctest.h>
#include <d16/sim/noise.hpp>
#include <d16/sim/psf.hpp>

#include <algorithm>
#include <vector>

using namespace d16;

TEST_CASE("psfs have sum 1, are round, and fall to one half at half of their width") {
  for (bool moffat : {false, true}) {
    Tensor psf = moffat ? sim::moffat_psf(41, 10, 2.5) : sim::gaussian_psf(41, 10);
    auto at = [&](int64_t i, int64_t j) { return psf.data<float>()[i * 41 + j]; };
    double sum = 0;
    for (float v : psf.host<float>()) sum += v;
    CHECK(sum == doctest::Approx(1).epsilon(41 * 41 * 0x1p-24));
    CHECK(std::abs(at(20, 25) / at(20, 20) - 0.5) < 0.005);  // pixel means: the curvature over a tenth of the width
    CHECK(at(20, 25) / at(15, 20) == doctest::Approx(1));
    CHECK(at(20, 40) / at(20, 20) > (moffat ? 1e-3 : 0));
    CHECK(at(20, 40) / at(20, 20) < (moffat ? 1e-1 : 1e-4));
  }
  CHECK_THROWS_AS(sim::gaussian_psf(4, 2), ValueError);
  CHECK_THROWS_AS(sim::moffat_psf(5, 0), ValueError);
  CHECK_THROWS_AS(sim::moffat_psf(5, 2, 1), ValueError);
}

TEST_CASE("convolve agrees with the obvious loop and does not mirror the psf") {
  Random random(2);
  int64_t H = 7, W = 5, C = 2, A = 3, B = 5;
  Tensor x = empty({H, W, C}), psf = empty({A, B});
  for (float& v : x.host<float>()) v = float(random.uniform(-1, 1));
  for (float& v : psf.host<float>()) v = float(random.uniform(-1, 1));
  Tensor y = sim::convolve(x, psf);
  for (int64_t i = 0; i < H; ++i)
    for (int64_t j = 0; j < W; ++j)
      for (int64_t c = 0; c < C; ++c) {
        double sum = 0;
        for (int64_t a = 0; a < A; ++a)
          for (int64_t b = 0; b < B; ++b) {
            int64_t r = i - a + A / 2, s = j - b + B / 2;
            if (r >= 0 && s >= 0 && r < H && s < W)
              sum += double(psf.data<float>()[a * B + b]) * x.data<float>()[(r * W + s) * C + c];
          }
        REQUIRE(std::abs(y.data<float>()[(i * W + j) * C + c] - sum) <= double(A * B) * 0x1p-23);
      }
  Tensor point = zeros({5, 7});
  point.data<float>()[2 * 7 + 3] = 1;
  Tensor image = sim::convolve(point, psf);
  CHECK(image.data<float>()[1 * 7 + 1] == psf.data<float>()[0]);
  CHECK_THROWS_AS(sim::convolve(x, zeros({2, 3})), ShapeError);
}

namespace {
struct Moments {
  double mean = 0, variance = 0, neighbour = 0;  // neighbour: correlation with the pixel to the right
};
Moments moments(Tensor const& x) {
  Moments m;
  auto v = x.host<float>();
  int64_t W = x.dim(1), n = x.numel();
  for (float value : v) m.mean += value / double(n);
  for (int64_t i = 0; i < n; ++i) {
    m.variance += (v[size_t(i)] - m.mean) * (v[size_t(i)] - m.mean) / double(n);
    if (i % W + 1 < W) m.neighbour += (v[size_t(i)] - m.mean) * (v[size_t(i + 1)] - m.mean) / double(n - n / W);
  }
  m.neighbour /= m.variance;
  return m;
}
}  // namespace

TEST_CASE("noise has the variance of its photons and of the read-out, and no bias") {
  int64_t side = 200;
  double n = double(side * side), bound = 5 / std::sqrt(n);
  for (double light : {0.0, 40.0})
    for (double sky : {3.0, 400.0}) {
      sim::NoiseModel model{.sky = sky, .read_noise = 2, .gain = 4};
      Random random(9);
      Moments m = moments(sim::add_noise(full({side, side}, light), random, model));
      double variance = (light * 4 + sky + 4) / 16;
      CHECK(std::abs(m.mean - light) < bound * std::sqrt(variance));
      CHECK(std::abs(m.variance / variance - 1) < 2 * bound);  // kurtosis of Poisson with mean 3 adds 1/3 to 2
      CHECK(std::abs(m.neighbour) < bound);
      if (light == 0) CHECK(model.sigma() == doctest::Approx(std::sqrt(variance)));
    }
}

TEST_CASE("correlated noise keeps its variance") {
  sim::NoiseModel model{.sky = 100, .read_noise = 0, .correlation = 0.7};
  Random random(3);
  Moments m = moments(sim::add_noise(zeros({300, 300}), random, model));
  std::vector<double> w = vision::gaussian_kernel(0.7, 3);
  double squares = 0, lag = 0;
  for (size_t i = 0; i < w.size(); ++i) squares += w[i] * w[i], lag += i ? w[i] * w[i - 1] : 0;
  // neighbours share noise: about 4 pi sigma^2 = 6 pixels count as one
  double bound = 5 / std::sqrt(300 * 300 / 6.0);
  CHECK(std::abs(m.variance / 100 - 1) < bound * std::sqrt(2));
  CHECK(std::abs(m.neighbour - lag / squares) < bound);
}

TEST_CASE("the same state draws the same noise") {
  Tensor x = full({9, 7, 3}, 20);
  Random a(5), b(5), c(6);
  Tensor u = sim::add_noise(x, a, {}), v = sim::add_noise(x, b, {}), w = sim::add_noise(x, c, {});
  CHECK(std::ranges::equal(u.host<float>(), v.host<float>()));
  CHECK_FALSE(std::ranges::equal(u.host<float>(), w.host<float>()));
  CHECK_THROWS_AS(sim::add_noise(x, a, {.gain = 0}), ValueError);
  CHECK_THROWS_AS(sim::add_noise(x, a, {.sky = -1}), ValueError);
}
