// Augmentation of many bands: what may change and what may not, and the scale that keeps colours.
#include <doctest/doctest.h>
#include <d16/ops/arithmetic.hpp>
#include <d16/vision/augment_bands.hpp>

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

using namespace d16;
using vision::AugmentBandsOptions;
using vision::BandImage;

namespace {
BandImage numbered(int64_t h, int64_t w, int64_t c) {
  Tensor x = empty({h, w, c});
  for (int64_t i = 0; i < x.numel(); ++i) x.data<float>()[i] = float(i / c + 1) * float(i % c + 1);
  return vision::band_image(x);
}
std::vector<float> values(Tensor const& t) { return {t.data<float>(), t.data<float>() + t.numel()}; }
std::vector<float> sorted(std::vector<float> v) {
  std::sort(v.begin(), v.end());
  return v;
}
}  // namespace

TEST_CASE("band_image: what was not observed is 0 and marked") {
  Tensor x = from(std::vector<double>{1, NAN, NAN, 4, NAN, INFINITY}, {1, 2, 3});
  BandImage b = vision::band_image(x);
  CHECK(values(b.image) == std::vector<float>{1, 0, 0, 4, 0, 0});
  CHECK(values(b.valid) == std::vector<float>{1, 0, 0});
  CHECK(x.data<double>()[0] == 1);  // the input is left alone
  CHECK(std::isnan(x.data<double>()[1]));
  CHECK_THROWS_AS(vision::band_image(zeros({4, 4})), ShapeError);
}

TEST_CASE("augment_bands: the eight symmetries, exactly, all bands together") {
  BandImage x = numbered(7, 7, 3);
  std::set<std::vector<float>> seen;
  for (int64_t index = 0; index < 200; ++index) {
    BandImage y = vision::augment_bands(x, index, {.seed = 3});
    REQUIRE(y.image.shape() == x.image.shape());
    REQUIRE(sorted(values(y.image)) == sorted(values(x.image)));
    REQUIRE(values(y.valid) == values(x.valid));
    for (int64_t i = 0; i < 49; ++i)
      for (int64_t c = 0; c < 3; ++c)
        REQUIRE(y.image.data<float>()[3 * i + c] == y.image.data<float>()[3 * i] * float(c + 1));
    REQUIRE(y.image.data<float>()[3 * 24] == x.image.data<float>()[3 * 24]);  // the middle stays
    seen.insert(values(y.image));
  }
  CHECK(seen.size() == 8);
  CHECK(seen.count(values(x.image)) == 1);
  seen.clear();
  for (int64_t index = 0; index < 200; ++index)
    seen.insert(values(vision::augment_bands(x, index, {.mirror = false}).image));
  CHECK(seen.size() == 4);
  seen.clear();
  for (int64_t index = 0; index < 200; ++index) {  // four symmetries of a rectangle, and the middle of a larger image
    BandImage y = vision::augment_bands(numbered(4, 6, 1), index);
    REQUIRE(sorted(values(y.image)) == sorted(values(numbered(4, 6, 1).image)));
    seen.insert(values(y.image));
    REQUIRE(vision::augment_bands(numbered(9, 8, 2), index, {.size = 5}).image.shape() == Shape{5, 5, 2});
  }
  CHECK(seen.size() == 4);
}

TEST_CASE("augment_bands: exact turns are those of the bilinear path") {
  BandImage x = numbered(8, 8, 2);
  for (int64_t index = 0; index < 20; ++index) {
    std::vector<float> exact = values(vision::augment_bands(x, index, {.seed = 9}).image);
    std::vector<float> moved = values(vision::augment_bands(x, index, {.shift = 1e-9, .seed = 9}).image);
    for (size_t i = 0; i < exact.size(); ++i)  // values up to 128; a neighbour differs by at most 16
      REQUIRE(std::abs(exact[i] - moved[i]) <= 4 * 0x1p-23f * 128 + 2e-9f * 32);
  }
}

TEST_CASE("augment_bands: same seed and index, same bits; each change has its own random numbers") {
  BandImage x = numbered(9, 9, 4);
  AugmentBandsOptions all{.any_angle = true, .shift = 1.5, .size = 7, .noise = {1, 2, 3, 4}, .drop = 0.4, .seed = 11};
  BandImage a = vision::augment_bands(x, 5, all), b = vision::augment_bands(x, 5, all),
            c = vision::augment_bands(x, 6, all);
  CHECK(values(a.image) == values(b.image));
  CHECK(values(a.valid) == values(b.valid));
  CHECK(values(a.image) != values(c.image));
  AugmentBandsOptions whole = all;
  whole.drop = 0;
  BandImage kept = vision::augment_bands(x, 5, whole);
  for (int64_t i = 0; i < kept.image.numel(); ++i)
    REQUIRE(a.image.data<float>()[i] == (a.valid.data<float>()[i % 4] != 0 ? kept.image.data<float>()[i] : 0));
}

TEST_CASE("augment_bands: dropped bands and noise") {
  BandImage x = numbered(5, 5, 7);
  x.valid.data<float>()[2] = 0;
  for (int64_t i = 2; i < x.image.numel(); i += 7) x.image.data<float>()[i] = 0;
  int dropped = 0, fewest = 7, runs = 2000;
  for (int index = 0; index < runs; ++index) {
    BandImage y = vision::augment_bands(x, index, {.drop = 0.3, .keep = 3});
    int left = 0;
    for (int64_t c = 0; c < 7; ++c) left += y.valid.data<float>()[c] != 0;
    REQUIRE(y.valid.data<float>()[2] == 0);
    dropped += 6 - left, fewest = std::min(fewest, left);
  }
  CHECK(fewest == 3);
  // 0.3 of six bands, less those that `keep` saved: sum over k > 3 of (k - 3) C(6,k) 0.3^k 0.7^(6-k) = 0.0816.
  double mean = 6 * 0.3 - 0.0816, error = 5 * std::sqrt(6 * 0.3 * 0.7 / runs);
  CHECK(std::abs(double(dropped) / runs - mean) <= error);

  BandImage flat = vision::band_image(zeros({100, 100, 2}));
  flat.valid.data<float>()[1] = 0;
  BandImage noisy = vision::augment_bands(flat, 0, {.noise = {3, 5}});
  double squares = 0;
  for (int64_t i = 0; i < 10000; ++i) {
    squares += std::pow(noisy.image.data<float>()[2 * i], 2);
    REQUIRE(noisy.image.data<float>()[2 * i + 1] == 0);  // a missing band stays silent
  }
  CHECK(std::abs(squares / 1e4 / 9 - 1) <= 5 * std::sqrt(2 / 1e4));
  CHECK_THROWS_AS(vision::augment_bands(flat, 0, {.noise = {1}}), ShapeError);
  CHECK_THROWS_AS(vision::augment_bands(flat, 0, {.size = 101}), ShapeError);
  CHECK_THROWS_AS(vision::augment_bands(flat, 0, {.drop = 1.5}), ValueError);
  CHECK_THROWS_AS(vision::augment_bands({zeros({4, 4}), zeros({1})}, 0), ShapeError);
  CHECK_THROWS_AS(vision::augment_bands({}, 0), ShapeError);
}

TEST_CASE("augment_bands: a moved point source keeps its light") {
  Tensor image = zeros({31, 31, 1});
  image.data<float>()[15 * 31 + 15] = 1;
  std::set<float> peaks;
  for (int64_t index = 0; index < 30; ++index) {
    BandImage y = vision::augment_bands({image, ones({1})}, index, {.any_angle = true, .shift = 3});
    double sum = 0, x = 0, row = 0;
    for (int64_t i = 0; i < 961; ++i) {
      double v = y.image.data<float>()[i];
      sum += v, x += v * double(i % 31), row += v * double(i / 31);
    }
    CHECK(std::abs(sum - 1) <=
          0.35);  // one pixel, bilinearly: the four weights of a turned grid add up to 1 only on average
    CHECK(std::abs(x / sum - 15) <= 3.75);  // the shift, and the pixel that it lands in
    CHECK(std::abs(row / sum - 15) <= 3.75);
    peaks.insert(*std::max_element(y.image.data<float>(), y.image.data<float>() + 961));
  }
  CHECK(peaks.size() > 20);
}

TEST_CASE("augment_bands: mirroring says nothing about the shift") {
  BandImage x{zeros({31, 31, 1}), ones({1})};
  x.image.data<float>()[15 * 31 + 20] = 1;  // right of the middle
  int agree = 0, runs = 400;
  for (int index = 0; index < runs; ++index) {
    BandImage y = vision::augment_bands(x, index, {.quarter_turns = false, .shift = 3});
    double left = 0, above = 0;
    for (int64_t i = 0; i < 961; ++i) {
      left += i % 31 < 15 ? y.image.data<float>()[i] : 0;
      above += (15 - double(i / 31)) * y.image.data<float>()[i];
    }
    agree += (left > 0.5) == (above > 0);
  }
  CHECK(std::abs(double(agree) / runs - 0.5) <= 5 * 0.5 / std::sqrt(runs));
}

TEST_CASE("scale_flux: colours stay, brightness goes") {
  BandImage x = numbered(9, 9, 3);
  x.valid.data<float>()[2] = 0;
  BandImage brighter{x.image * 16, x.valid};  // a power of two, so that the quotients have the same bits
  vision::ScaledBands a = vision::scale_flux(x), b = vision::scale_flux(brighter);
  CHECK(b.scale == 16 * a.scale);
  CHECK(values(a.bands.image) == values(b.bands.image));
  double flux = vision::aperture_flux(a.bands.image.select(2, 1), 4, 4, 9 / 4.0).flux;
  CHECK(std::abs(flux - 1) <= 16 * 0x1p-24);  // the brightest valid band has flux 1
  for (int64_t i = 0; i < 81; ++i)
    REQUIRE(std::abs(a.bands.image.data<float>()[3 * i + 1] / a.bands.image.data<float>()[3 * i] - 2) <= 4 * 0x1p-23);
  vision::ScaledBands soft = vision::scale_flux(x, {.asinh = 0.1});
  for (int64_t i = 0; i < 243; ++i)
    REQUIRE(std::abs(soft.bands.image.data<float>()[i] -
                     std::asinh(a.bands.image.data<float>()[i] / 0.1) / std::asinh(10.0)) <= 4 * 0x1p-23);
  CHECK(vision::scale_flux(x, {.least = 1e9}).scale == 1e9);
  BandImage dark = vision::band_image(full({9, 9, 2}, -1.0));
  CHECK_THROWS_AS(vision::scale_flux(dark), ValueError);
  CHECK(vision::scale_flux(dark, {.least = 2}).scale == 2);
  CHECK_THROWS_AS(vision::scale_flux(x, {.asinh = -1}), ValueError);
}
