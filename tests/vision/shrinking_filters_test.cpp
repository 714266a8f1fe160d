// Non-local means and wavelet shrinkage by their laws; their numbers are golden cases from scikit-image.
#include <doctest/doctest.h>
#include <d16/vision/non_local_means.hpp>
#include <d16/vision/quality.hpp>
#include <d16/vision/wavelet.hpp>

#include <limits>

#include "pictures.hpp"

using namespace d16;
using testing::picture_a;

namespace {
double const epsilon = std::numeric_limits<double>::epsilon();

double largest_difference(Tensor const& a, Tensor const& b) {
  double worst = 0;
  for (int64_t i = 0; i < a.numel(); ++i) worst = std::max(worst, std::abs(a.data<double>()[i] - b.data<double>()[i]));
  return worst;
}
}  // namespace

TEST_CASE("non-local means: nothing to average leaves the image, everything alike is its mean") {
  Tensor a = picture_a();
  CHECK(largest_difference(vision::non_local_means(a, {.patch = 1, .reach = 0}), a) == 0);
  // h so large that every pixel weighs the same; all of them are within reach
  Tensor flat = vision::non_local_means(a, {.patch = 3, .reach = 13, .h = 1e9});
  double mean = 0;
  for (double v : a.host<double>()) mean += v / double(a.numel());
  // weights are 1 - d with d below 1 / h^2 = 1e-18
  for (double v : flat.host<double>()) REQUIRE(std::abs(v - mean) <= 143 * epsilon);
  // h so small that only the pixel itself is like itself
  CHECK(largest_difference(vision::non_local_means(a, {.patch = 5, .reach = 4, .h = 1e-9}), a) <= 4 * epsilon);
}

TEST_CASE("non-local means on a batch in float32 is that of each picture") {
  Tensor a = picture_a({.dtype = DType::f32}), x = empty({2, 13, 11, 1});
  for (int64_t i = 0; i < 143; ++i)
    x.data<float>()[i] = a.data<float>()[i], x.data<float>()[143 + i] = 1 - a.data<float>()[i];
  vision::NonLocalMeansOptions o{.patch = 3, .reach = 2, .h = 0.3};
  Tensor both = vision::non_local_means(x, o), one = vision::non_local_means(a, o);
  for (int64_t i = 0; i < 143; ++i) {
    REQUIRE(both.data<float>()[i] == one.data<float>()[i]);
    REQUIRE(std::abs(both.data<float>()[143 + i] - (1 - one.data<float>()[i])) <= 4 * 0x1p-23);
  }
  CHECK_THROWS_AS(vision::non_local_means(a, {.patch = 4}), ValueError);
  CHECK_THROWS_AS(vision::non_local_means(a, {.h = 0}), ValueError);
  CHECK_THROWS_AS(vision::non_local_means(zeros({3})), ShapeError);
}

TEST_CASE("the wavelet filter: without noise everything stays, and what is smaller than the noise goes") {
  Tensor a = picture_a();
  // a transform of 3 scales there and back: 8 additions and halvings a scale
  CHECK(largest_difference(vision::wavelet_filter(a, {.sigma = 1e-12, .levels = 3}), a) <= 1e-9);
  // a threshold above all details leaves the mean of blocks of 4 x 4 pixels
  Tensor blocks = vision::wavelet_filter(a, {.sigma = 1e6, .levels = 2});
  double sum = 0;
  for (int64_t i = 0; i < 4; ++i)
    for (int64_t j = 0; j < 4; ++j) sum += a.data<double>()[i * 11 + j] / 16;
  CHECK(std::abs(blocks.data<double>()[0] - sum) <= 32 * epsilon);
  CHECK(blocks.data<double>()[0] == blocks.data<double>()[3 * 11 + 3]);
}

TEST_CASE("moves make the wavelet filter follow moved images") {
  // moves by 0 to 3 pixels are all moves of blocks of 4 x 4, so the result moves with a periodic image
  manual_seed(4);
  Tensor x = normal({16, 16}, {.dtype = DType::f64}), y = empty(x.shape(), x.like());
  for (int64_t i = 0; i < 16; ++i)
    for (int64_t j = 0; j < 16; ++j) y.data<double>()[(i + 1) % 16 * 16 + j] = x.data<double>()[i * 16 + j];
  vision::WaveletOptions o{.sigma = 0.7, .levels = 2, .shifts = 3};
  Tensor fx = vision::wavelet_filter(x, o), fy = vision::wavelet_filter(y, o);
  double worst = 0;
  for (int64_t i = 0; i < 16; ++i)
    for (int64_t j = 0; j < 16; ++j)
      worst = std::max(worst, std::abs(fy.data<double>()[(i + 1) % 16 * 16 + j] - fx.data<double>()[i * 16 + j]));
  CHECK(worst <= 16 * 16 * 8 * epsilon);
  CHECK(vision::psnr(fx, x) < 60);  // and something was taken away
  CHECK_THROWS_AS(vision::wavelet_filter(x, {.levels = 5}), ValueError);
  CHECK_THROWS_AS(vision::wavelet_filter(x, {.shifts = 16}), ValueError);
  CHECK_THROWS_AS(vision::wavelet_filter(zeros({1, 8})), ShapeError);
}
