// Filters against scipy and against obvious loops; resizing, turning and mirroring by their laws.
#include <doctest/doctest.h>
#include <d16/vision/filter.hpp>

#include <algorithm>
#include <limits>
#include <numbers>

#include "pictures.hpp"

using namespace d16;
using testing::picture_a;
using testing::pixel;

namespace {
double const epsilon = std::numeric_limits<double>::epsilon();

double largest_difference(Tensor const& a, Tensor const& b) {
  Tensor x = a.cast(DType::f64).contiguous(), y = b.cast(DType::f64).contiguous();
  REQUIRE(x.shape() == y.shape());
  double worst = 0;
  for (int64_t i = 0; i < x.numel(); ++i) worst = std::max(worst, std::abs(x.data<double>()[i] - y.data<double>()[i]));
  return worst;
}
}  // namespace

TEST_CASE("gaussian_filter and median_filter as scipy 1.16") {
  Tensor a = picture_a();
  struct Expected {
    int64_t i, j;
    double narrow, wide, median3, median5;
  };
  for (Expected e : {Expected{0, 0, 0.30186950626847125, 0.4023402610517494, 0.1, 0.37},
                     Expected{6, 5, 0.3903416411251991, 0.4176589130746555, 0.46, 0.46},
                     Expected{12, 10, 0.5992795144053324, 0.44993825982141994, 0.74, 0.59},
                     Expected{3, 9, 0.34770072766812976, 0.41732113237759794, 0.42, 0.42}}) {
    CHECK(std::abs(pixel(vision::gaussian_filter(a, 1.2), e.i, e.j) - e.narrow) <= 4 * 11 * epsilon);
    CHECK(std::abs(pixel(vision::gaussian_filter(a, 4), e.i, e.j) - e.wide) <=
          4 * 33 * epsilon);  // wider than the image
    CHECK(pixel(vision::median_filter(a, 3), e.i, e.j) == e.median3);
    CHECK(pixel(vision::median_filter(a, 5), e.i, e.j) == e.median5);
  }
}

TEST_CASE("filters work channel by channel, in float32, on batches") {
  Tensor a = picture_a({.dtype = DType::f32}), x = empty({2, 13, 11, 3});
  for (int64_t n = 0; n < 2; ++n)
    for (int64_t i = 0; i < 143; ++i)
      for (int64_t c = 0; c < 3; ++c)
        x.data<float>()[(n * 143 + i) * 3 + c] = a.data<float>()[i] * float(c + 1) + float(n);
  Tensor smooth = vision::gaussian_filter(x, 1.2), one = vision::gaussian_filter(a, 1.2);
  Tensor rank = vision::median_filter(x, 3), one_rank = vision::median_filter(a, 3);
  for (int64_t n = 0; n < 2; ++n)
    for (int64_t c = 0; c < 3; ++c) {
      double scale = double(c + 1), bound = 4 * 11 * 0x1p-23 * (scale + 1);
      for (int64_t i = 0; i < 143; ++i) {
        double expected = one.data<float>()[i] * scale + double(n),
               rank_expected = one_rank.data<float>()[i] * scale + double(n);
        REQUIRE(std::abs(smooth.data<float>()[(n * 143 + i) * 3 + c] - expected) <= bound);
        REQUIRE(std::abs(rank.data<float>()[(n * 143 + i) * 3 + c] - rank_expected) <= bound);
      }
    }
}

TEST_CASE("resize keeps the mean when it shrinks and straight lines when it grows") {
  Tensor a = picture_a();
  for (auto [h, w] : {std::pair<int64_t, int64_t>{5, 3}, {1, 1}, {13, 11}, {7, 11}, {2, 10}}) {
    Tensor small = vision::resize(a, h, w);
    double before = 0, after = 0;
    for (double v : a.host<double>()) before += v / 143;
    for (double v : small.host<double>()) after += v / double(h * w);
    CHECK(std::abs(before - after) <= 2 * 143 * epsilon);
  }
  CHECK(largest_difference(vision::resize(a, 13, 11), a) <= 2 * epsilon);
  Tensor ramp = empty({1, 6}, {.dtype = DType::f64});
  for (int64_t j = 0; j < 6; ++j) ramp.data<double>()[j] = double(j);
  Tensor grown = vision::resize(ramp, 3, 24);  // centres at (j + 0.5) / 4 - 0.5, flat beyond the outer centres
  for (int64_t j = 0; j < 24; ++j)
    CHECK(std::abs(pixel(grown, 2, j) - std::clamp((double(j) + 0.5) / 4 - 0.5, 0.0, 5.0)) <= 8 * epsilon);
  Tensor two = from(std::vector<float>{0, 1, 2, 3, 4, 5}, {1, 6});
  Tensor third = vision::resize(two, 1, 4);  // 1.5 pixels each: (0 + 0.5*1) / 1.5 ...
  float expected[] = {1.0f / 3, 5.0f / 3, 10.0f / 3, 14.0f / 3};
  for (int64_t j = 0; j < 4; ++j) CHECK(std::abs(third.data<float>()[j] - expected[j]) <= 3 * 5 * 0x1p-23f);
  CHECK_THROWS_AS(vision::resize(a, 0, 3), ValueError);
}

TEST_CASE("centre_crop is a view of the middle") {
  Tensor a = picture_a();
  Tensor middle = vision::centre_crop(a, 3, 4).contiguous();
  CHECK(middle.shape() == Shape{3, 4});
  CHECK(pixel(middle, 0, 0) == pixel(a, 5, 3));
  CHECK(vision::centre_crop(zeros({2, 9, 9, 3}), 9, 1).shape() == Shape{2, 9, 1, 3});
  CHECK_THROWS_AS(vision::centre_crop(a, 14, 2), ShapeError);
}

TEST_CASE("a quarter turn moves pixels counter-clockwise as displayed") {
  Tensor x = zeros({5, 5, 1});
  x.data<float>()[2 * 5 + 4] = 1;  // in the middle of the right edge
  Tensor up = vision::rotate(x, std::numbers::pi / 2);
  CHECK(up.data<float>()[0 * 5 + 2] == doctest::Approx(1));  // now in the middle of the upper edge
  Tensor a = picture_a({.dtype = DType::f32}), square = vision::centre_crop(a, 11, 11).contiguous();
  double turn = 0x1p-23 * 4;  // four weights, values below 1; angles are rounded in double
  Tensor four = square;
  for (int i = 0; i < 4; ++i) four = vision::rotate(four, std::numbers::pi / 2);
  CHECK(largest_difference(four, square) <= 4 * turn);
  CHECK(largest_difference(vision::rotate(square, std::numbers::pi),
                           vision::flip_vertical(vision::flip_horizontal(square))) <= turn);
  CHECK(largest_difference(vision::rotate(square, 0), square) == 0);
  CHECK(largest_difference(vision::rotate(square, 0.3), square) > 0.1);
}

TEST_CASE("flips exchange and undo themselves, for any type") {
  Tensor x = from(std::vector<uint8_t>{1, 2, 3, 4, 5, 6}, {1, 3, 2});
  CHECK(vision::flip_horizontal(x).data<uint8_t>()[0] == 5);
  CHECK(vision::flip_horizontal(x).data<uint8_t>()[1] == 6);
  Tensor y = from(std::vector<double>{1, 2, 3, 4}, {2, 2});
  CHECK(vision::flip_vertical(y).data<double>()[0] == 3);
  CHECK(largest_difference(vision::flip_vertical(vision::flip_vertical(y)), y) == 0);
}

TEST_CASE("sample moves, zooms and mirrors as told") {
  Tensor x = zeros({7, 9, 1});
  x.data<float>()[3 * 9 + 6] = 1;  // two right of the centre
  auto at = [&](vision::Motion m, int64_t i, int64_t j) {
    Tensor y = empty({7, 9, 1});
    vision::sample(x.data<float>(), 7, 9, 1, 1.0f, vision::Affine::about_centre(7, 9, 7, 9, m), y.data<float>(), 7, 9);
    return y.data<float>()[i * 9 + j];
  };
  CHECK(at({}, 3, 6) == 1);
  CHECK(at({.mirror = true}, 3, 2) == 1);
  CHECK(at({.shift_y = 2, .shift_x = -1}, 5, 5) == 1);
  CHECK(at({.scale = 0.5}, 3, 5) == 1);
  CHECK(at({.angle = std::numbers::pi / 2, .mirror = true}, 5, 4) ==
        doctest::Approx(1));  // mirrored to the left, turned down
  uint8_t bytes[] = {0, 255, 51, 102};
  float out[4];
  vision::sample(bytes, 2, 2, 1, 1.0f / 255, vision::Affine::about_centre(2, 2, 2, 2, {.shift_x = 0.5}), out, 2, 2);
  CHECK(out[1] == doctest::Approx(0.5));  // half way between 0 and 255
  CHECK(out[3] == doctest::Approx(0.3));
}
