// Augmentation of batches: the items of a loader and of augment_bands(), on every device.
#include <doctest/doctest.h>
#include <d16/cuda/use.hpp>
#include <d16/data/loader.hpp>
#include <d16/vision/augment.hpp>
#include <d16/vision/augment_bands.hpp>

#include <cmath>
#include <vector>

using namespace d16;
using vision::AugmentBandsOptions;
using vision::BandBatch;

namespace {
data::Dataset numbered(int64_t count, int64_t side, int64_t visible) {
  data::Dataset d;
  d.images = empty({count, side, side, 3}, {.dtype = DType::u8, .device = Device(), .group = {}});
  d.labels = zeros({count}, {.dtype = DType::i64, .device = Device(), .group = {}});
  d.visible = visible;
  Random random(1);
  for (uint8_t& v : d.images.host<uint8_t>()) v = uint8_t(random.integer(256));
  return d;
}

double difference(Tensor const& a, Tensor const& b) {
  REQUIRE(a.shape() == b.shape());
  Tensor x = a.to("cpu").cast(DType::f64).contiguous(), y = b.to("cpu").cast(DType::f64).contiguous();
  double most = 0;
  for (int64_t i = 0; i < x.numel(); ++i) {
    double d = std::abs(x.data<double>()[i] - y.data<double>()[i]);
    most = d <= most ? most : std::isnan(d) ? INFINITY : d;
  }
  return most;
}

std::vector<Device> devices() {
  use_cuda_emulated();
  return {"cpu", "reference", "cuda_emulated"};
}
}  // namespace

TEST_CASE("augment: a batch is what a loader of that seed gives, on every device") {
  data::Dataset d = numbered(10, 15, 11);
  data::LoaderOptions o{.batch = 4, .shuffle = false, .augment = true, .shift = 1.5, .zoom = 0.1, .seed = 77};
  data::Loader loader(d, o);
  for (uint64_t epoch = 0; epoch < 2; ++epoch) {
    int64_t first = 0;
    for (auto& [image, label] : loader) {
      for (Device device : devices()) {
        Tensor raw = d.images.slice(0, first, first + image.dim(0)).contiguous().to(device);
        Tensor y = vision::augment(raw, {.shift = 1.5, .zoom = 0.1, .height = 11, .width = 11}, {77, epoch}, first);
        CHECK(y.device() == device);
        // Bytes become 0 .. 1. Eleven roundings of weights that add to 1, on each side (see tests/cuda/augment_test.cpp).
        CHECK(difference(y, image) <= (device == Device("cpu") ? 0 : 22 * 0x1p-24));
      }
      first += image.dim(0);
    }
    CHECK(first == 10);
  }
}

TEST_CASE("augment: a loader for the device cuda_emulated sends the items as they are and changes them there") {
  use_cuda_emulated();
  data::Dataset bytes = numbered(9, 13, 10), floats = bytes;
  floats.images = bytes.images.cast(DType::f32);
  for (data::Dataset const* d : {&bytes, &floats})
    for (bool augment : {true, false}) {
      data::LoaderOptions o{.batch = 4, .augment = augment, .zoom = 0.1, .seed = 6};
      std::vector<Tensor> images, labels;
      for (auto& [image, label] : data::Loader(*d, o)) images.push_back(image), labels.push_back(label);
      set_default_device("cuda_emulated");
      size_t next = 0;
      data::Loader there(*d, o);
      for (auto& [image, label] : there) {
        CHECK(image.device() == Device("cuda_emulated"));
        CHECK(difference(label, labels[next]) == 0);
        // as above; values of up to 255 where they are no bytes
        CHECK(difference(image, images[next++]) <= 22 * 0x1p-24 * (d == &bytes ? 1 : 255));
      }
      set_default_device("cpu");
      CHECK(next == images.size());
    }
}

TEST_CASE("augment: draws of the generator follow one another, and repeat by its seed") {
  Tensor x = numbered(3, 9, 0).images.cast(DType::f32);
  manual_seed(5);
  Tensor first = vision::augment(x), second = vision::augment(x);
  CHECK(difference(first, second) > 1);
  manual_seed(5);
  CHECK(difference(vision::augment(x), first) == 0);
  vision::AugmentOptions nothing{.turn = false, .mirror = false, .shift = 0};
  CHECK(difference(vision::augment(x, nothing), x) == 0);
}

TEST_CASE("augment_band_batch: a batch is its images one by one, on every device; an offset counts as so many images") {
  BandBatch x{empty({5, 12, 12, 3}, {.device = Device()}), ones({5, 3}, {.device = Device()})};
  Random random(2);
  for (float& v : x.image.host<float>()) v = float(random.normal());
  x.valid.data<float>()[4] = 0;
  double const sigma = 0.5;
  for (AugmentBandsOptions o :
       {AugmentBandsOptions{.seed = 3}, AugmentBandsOptions{.any_angle = true, .shift = 2, .size = 9, .seed = 4},
        AugmentBandsOptions{.noise = {sigma, 0, 0.1}, .drop = 0.5, .seed = 5}})
    for (Device device : devices()) {
      BandBatch in{x.image.to(device), x.valid.to(device)};
      Tensor offset = from(std::vector<int64_t>{30}, {1}).to(device);
      BandBatch y = vision::augment_band_batch(in, 40, o), later = vision::augment_band_batch(in, 10, o, offset);
      CHECK(difference(later.image, y.image) == 0);
      for (int64_t n = 0; n < 5; ++n) {
        vision::BandImage one{x.image.select(0, n).contiguous(), x.valid.select(0, n).contiguous()};
        vision::BandImage expected = vision::augment_bands(one, 40 + n, o);
        CHECK(difference(y.valid.select(0, n), expected.valid) == 0);
        // Pixels are below 5, noise below 6.7 sigma: eleven roundings of a pixel and two of the noise on each side.
        double const bound = 22 * 0x1p-24 * 5 + 4 * 0x1p-24 * 6.7 * sigma;
        CHECK(difference(y.image.select(0, n), expected.image) <= (device == Device("cpu") ? 0 : bound));
      }
    }
}

TEST_CASE("augment: what it cannot do is refused, by sizes and values") {
  Tensor x = zeros({2, 8, 8, 3});
  CHECK_THROWS_WITH_AS(vision::augment(x, {.height = 9}),
                       "augment: 9x8 pixels of images (N=2,H=8,W=8,C=3); they must fit", ShapeError);
  CHECK_THROWS_AS(vision::augment(zeros({8, 8, 3})), ShapeError);
  CHECK_THROWS_AS(vision::augment(x.cast(DType::f64)), DTypeError);
  CHECK_THROWS_AS(vision::augment(x, {.shift = -1}), ValueError);
  CHECK_THROWS_AS(vision::augment(x, {.zoom = 1}), ValueError);
  BandBatch bands{x, ones({2, 3})};
  CHECK_THROWS_AS(vision::augment_band_batch(BandBatch{x, ones({2, 4})}, 0), ShapeError);
  CHECK_THROWS_AS(vision::augment_band_batch(bands, 0, {.size = 9}), ShapeError);
  CHECK_THROWS_AS(vision::augment_band_batch(bands, 0, {.noise = {1.0}}), ShapeError);
  CHECK_THROWS_AS(vision::augment_band_batch(bands, 0, {.drop = 2}), ValueError);
}
