// mse, mae, PSNR and SSIM against scikit-image and by their laws.
#include <doctest/doctest.h>
#include <d16/vision/filter.hpp>
#include <d16/vision/quality.hpp>

#include <limits>

#include "pictures.hpp"

using namespace d16;
using testing::picture_a;
using testing::picture_b;

namespace {
/// A window of n values below 1: each of the five moments rounds n times, and c2 = 9e-4 is the least denominator.
double tolerance(double n) { return 5 * n * std::numeric_limits<double>::epsilon() / 9e-4; }
}  // namespace

TEST_CASE("psnr and ssim as scikit-image 0.26") {
  Tensor a = picture_a(), b = picture_b();
  CHECK(std::abs(vision::psnr(a, b, 2) - 24.31959404057856) <= 143 * 10 * std::numeric_limits<double>::epsilon());
  CHECK(std::abs(vision::ssim(a, b) - 0.887658993397226) <= tolerance(49));
  CHECK(std::abs(vision::ssim(a, b, {.win_size = 5}) - 0.8844283546920324) <= tolerance(25));
  CHECK(std::abs(vision::ssim(a, b, {.gaussian_weights = true, .use_sample_covariance = false}) - 0.8754698780958226) <=
        tolerance(121));
  // a border of one pixel only: the Gaussian reaches over the edge, which is reflected
  CHECK(std::abs(vision::ssim(a, b, {.data_range = 2, .gaussian_weights = true, .sigma = 0.8, .win_size = 3}) -
                 0.88384423919837) <= tolerance(49));
}

TEST_CASE("ssim of channels and batches is the mean of their planes") {
  Tensor a = picture_a(), b = picture_b(), x = empty({1, 13, 11, 2}, a.like()), y = empty({1, 13, 11, 2}, a.like());
  for (int64_t i = 0; i < 143; ++i) {
    x.data<double>()[2 * i] = a.data<double>()[i], y.data<double>()[2 * i] = b.data<double>()[i];
    x.data<double>()[2 * i + 1] = y.data<double>()[2 * i + 1] = b.data<double>()[i];
  }
  double expected = (vision::ssim(a, b) + 1) / 2;
  CHECK(std::abs(vision::ssim(x, y) - expected) <= tolerance(49));
  CHECK(std::abs(vision::ssim(x.reshape({13, 11, 2}), y.reshape({13, 11, 2})) - expected) <= tolerance(49));
}

TEST_CASE("equal images, float32 images, mse and mae") {
  Tensor a = picture_a(), b = picture_b();
  CHECK(vision::mse(a, a) == 0);
  CHECK(std::isinf(vision::psnr(a, a)));
  CHECK(std::abs(vision::ssim(a, a) - 1) <= tolerance(49));
  Tensor u = from(std::vector<float>{0, 1, 2}, {3}), v = from(std::vector<float>{1, 1, 5}, {3});
  CHECK(vision::mse(u, v) == doctest::Approx(10.0 / 3));
  CHECK(vision::mae(u, v) == doctest::Approx(4.0 / 3));
  CHECK(vision::psnr(u, v, 10) == doctest::Approx(10 * std::log10(30.0)));
  CHECK(vision::ssim(a, b) > vision::ssim(a, from(std::vector<double>(143, 0.5), {13, 11})));
}

TEST_CASE("quality says what does not fit") {
  Tensor a = picture_a(), small = zeros({5, 5});
  CHECK_THROWS_WITH_AS(vision::psnr(a, small), "psnr: a is (13,11), b is (5,5); they must be equal", ShapeError);
  CHECK_THROWS_AS(vision::psnr(a, a, 0), ValueError);
  CHECK_THROWS_WITH_AS(vision::ssim(small, small), "ssim: the images are (5,5), the window is 7x7; it must fit",
                       ShapeError);
  CHECK_THROWS_AS(vision::ssim(a, a, {.win_size = 4}), ValueError);
  CHECK_THROWS_AS(vision::ssim(zeros({9}), zeros({9})), ShapeError);
}

TEST_CASE("the power of a wave is in the ring of its frequency, that of white noise in all") {
  int64_t const n = 16;
  Tensor wave = empty({n, n}, {.dtype = DType::f64});
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j)
      wave.data<double>()[i * n + j] = std::cos(2 * std::numbers::pi * 3 * double(j) / double(n));
  std::vector<double> power = vision::ring_power(wave);
  REQUIRE(power.size() == 8);
  // |F|^2 / pixels is pixels / 4 at the two frequencies +3 and -3 of the ring's 16: lengths from 2.5 to 3.5
  double const bound = double(n * n) * 2 * double(n) * std::numeric_limits<double>::epsilon();
  int64_t in_ring = 0;
  for (int64_t u = -8; u < 8; ++u)
    for (int64_t v = -8; v < 8; ++v) in_ring += std::llround(std::hypot(double(u), double(v))) == 3;
  CHECK(std::abs(power[2] - 2 * double(n * n) / 4 / double(in_ring)) <= bound);
  for (size_t k : {0u, 1u, 3u, 4u, 5u, 6u, 7u}) CHECK(power[k] <= bound);
  manual_seed(5);
  Tensor noise = normal({64, 64}, {.dtype = DType::f64});
  for (double& v : noise.host<double>()) v *= 3;
  double sum = 0;
  for (double p : vision::ring_power(noise)) sum += p / 32;
  CHECK(sum > 7.5);  // 9, from rings of 4 to 200 frequencies whose powers scatter by 100 %
  CHECK(sum < 10.5);
  double white = vision::spectral_flatness(noise), red = vision::spectral_flatness(vision::gaussian_filter(noise, 2));
  CHECK(white > 0.95);
  CHECK(red < 0.5);
  CHECK(white <= 1);
  CHECK_THROWS_AS(vision::ring_power(zeros({3, 9})), ShapeError);
}

TEST_CASE("ssim_map is ssim before the mean") {
  manual_seed(6);
  Tensor a = uniform({12, 15, 2}, {.dtype = DType::f64}), b = uniform({12, 15, 2}, {.dtype = DType::f64});
  Tensor map = vision::ssim_map(a, b);
  CHECK(map.shape() == Shape{6, 9, 2});
  double sum = 0;
  for (double v : map.host<double>()) sum += v;
  CHECK(sum / double(map.numel()) == vision::ssim(a, b));
  Tensor same = vision::ssim_map(a, a);
  for (double v : same.host<double>()) REQUIRE(std::abs(v - 1) < 1e-12);
}
