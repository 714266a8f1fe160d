// Detection, deblending and masked neighbours on drawn sources; numbers of the Python interface of SEP 1.4.1.
#include <doctest/doctest.h>
#include <d16/vision/segment.hpp>

#include <cmath>
#include <vector>

using namespace d16;
using vision::Segmentation;

/// SEP 1.2.1 allocates two arrays of a catalogue twice, 8 bytes a source: the leak check of -fsanitize=address asks here
/// what to overlook.
extern "C" char const* __lsan_default_suppressions() { return "leak:libsep\n"; }

namespace {
struct Blob {
  double x, y, sigma, peak;
};

/// Four sources, two of which touch and one of which is cut off by the edge.
Tensor drawn(std::vector<Blob> const& blobs = {
                 {12.3, 9.7, 1.5, 50}, {30, 20, 2, 40}, {35.5, 21, 1.6, 30}, {44, 38.5, 1.8, 20}}) {
  Tensor image = zeros({40, 50});
  for (int64_t i = 0; i < 40; ++i)
    for (int64_t j = 0; j < 50; ++j)
      for (Blob const& b : blobs)
        image.data<float>()[i * 50 + j] +=
            float(b.peak *
                  std::exp(-(std::pow(double(j) - b.x, 2) + std::pow(double(i) - b.y, 2)) / (2 * b.sigma * b.sigma)));
  return image;
}
}  // namespace

TEST_CASE("segment: sources as the Python interface finds them") {
  struct Expected {
    double x, y, flux, peak, a, b;
    int64_t pixels, x_begin, x_end, y_begin, y_end;
    bool blended, truncated;
  };
  std::vector<Expected> expected{{12.311324598558276, 9.688675166497562, 693.5081787109375, 48.03947067260742,
                                  1.5500668287277222, 1.546894907951355, 56, 9, 17, 6, 14, false, false},
                                 {30.238352142399556, 20.005607521860746, 1023.1098022460938, 40.06705093383789,
                                  2.01279878616333, 1.9841045141220093, 86, 25, 37, 15, 26, true, false},
                                 {35.01519299762472, 20.993295705898785, 435.12261962890625, 30.121313095092773,
                                  1.5701385736465454, 1.5226588249206543, 40, 34, 40, 18, 26, true, false},
                                 {44.000000102222295, 37.58276653687968, 278.8958435058594, 19.24308967590332,
                                  1.7642663717269897, 1.1564042568206787, 39, 40, 49, 35, 40, false, true}};
  Segmentation s = vision::segment(drawn(), 1.0);
  REQUIRE(s.sources.size() == expected.size());
  for (size_t k = 0; k < expected.size(); ++k) {
    vision::DetectedSource const& got = s.sources[k];
    Expected const& e = expected[k];
    double close = double(e.pixels) * 0x1p-23;  // sums over its pixels in float
    CHECK(got.label == int64_t(k) + 1);
    CHECK(std::abs(got.x - e.x) <= close * e.x);
    CHECK(std::abs(got.y - e.y) <= close * e.y);
    CHECK(std::abs(got.flux - e.flux) <= close * e.flux);
    CHECK(std::abs(got.peak - e.peak) <= 4 * 0x1p-23 * e.peak);
    CHECK(std::abs(got.a - e.a) <= 64 * close);
    CHECK(std::abs(got.b - e.b) <= 64 * close);
    CHECK(got.pixels == e.pixels);
    CHECK(got.x_begin == e.x_begin);
    CHECK(got.x_end == e.x_end);
    CHECK(got.y_begin == e.y_begin);
    CHECK(got.y_end == e.y_end);
    CHECK(got.blended == e.blended);
    CHECK(got.truncated == e.truncated);
    int64_t pixels = 0;
    for (int64_t label : s.labels.host<int64_t>()) pixels += label == got.label;
    CHECK(pixels == e.pixels);
  }
  Segmentation whole = vision::segment(drawn(), 1.0, {}, {.deblend_contrast = 1});
  REQUIRE(whole.sources.size() == 3);
  CHECK(whole.sources[1].pixels == 126);
}

TEST_CASE("segment: noise maps, masks, NaN and thresholds") {
  Tensor image = drawn(), rms = full({40, 50}, 1.0, {.dtype = DType::f32});
  CHECK(vision::segment(image, rms).sources.size() == 4);
  for (int64_t i = 0; i < 40; ++i)
    for (int64_t j = 0; j < 20; ++j) rms.data<float>()[i * 50 + j] = 1000;  // nothing is seen there
  CHECK(vision::segment(image, rms).sources.size() == 3);
  CHECK(vision::segment(image, 15.0).sources.size() == 2);
  CHECK(vision::segment(image, 1.0, {}, {.min_area = 50}).sources.size() == 2);
  CHECK(vision::segment(image, 1e6).sources.empty());
  Tensor mask = zeros({40, 50}, {.dtype = DType::boolean});
  for (int64_t k = 0; k < 1000; ++k) mask.data<bool>()[k] = true;  // rows 0 to 19
  for (vision::DetectedSource const& source : vision::segment(image, 1.0, mask).sources) CHECK(source.y_begin >= 20);
  image.data<float>()[10 * 50 + 12] = NAN;
  Segmentation holed = vision::segment(image, 1.0);
  CHECK(holed.sources.size() == 4);
  CHECK(holed.label_at(10, 12) == 0);
  CHECK(std::isfinite(holed.sources[0].flux));
  CHECK(holed.source_mask().data<bool>()[20 * 50 + 30]);
  CHECK(!holed.source_mask().data<bool>()[0]);
}

TEST_CASE("segment: wrong input and what SEP refuses") {
  Tensor image = drawn();
  CHECK_THROWS_AS(vision::segment(zeros({4, 4, 2}), 1.0), ShapeError);
  CHECK_THROWS_AS(vision::segment(image, zeros({40, 49})), ShapeError);
  CHECK_THROWS_AS(vision::segment(image, 1.0, zeros({2, 2})), ShapeError);
  CHECK_THROWS_AS(vision::segment(image, 0.0), ValueError);
  CHECK_THROWS_AS(vision::segment(image, 1.0, {}, {.threshold = 0}), ValueError);
  CHECK_THROWS_AS(vision::segment(image, 1.0, {}, {.filter = ones({2, 3})}), ShapeError);
  // A status of SEP becomes an error with its words: 2 is a full pixel buffer, 1 no memory.
  vision::detail::check_sep(0);
  CHECK_THROWS_WITH_AS(vision::detail::check_sep(2),
                       "segment: internal pixel buffer full (SEP status 2); raise the threshold, min_area or "
                       "deblend_contrast",
                       ValueError);
  CHECK_THROWS_AS(vision::detail::check_sep(1), OutOfMemory);
}

TEST_CASE("central_source and mask_neighbours: the object stays, its neighbours go") {
  Tensor image = drawn({{24.2, 19.1, 2, 40}, {30.5, 21, 1.6, 30}, {5, 5, 2, 20}});
  Segmentation s = vision::segment(image, 1.0);
  REQUIRE(s.sources.size() == 3);
  int64_t keep = vision::central_source(s);
  REQUIRE(keep > 0);
  CHECK(std::abs(s.sources[size_t(keep - 1)].x - 24.2) < 0.5);
  CHECK(vision::source_at(s, 45, 35) == 0);
  CHECK(vision::source_at(s, 9.7, 5) == s.label_at(5, 5));  // not on it, but near its centre
  CHECK(s.label_at(-1, 3) == 0);

  Tensor bands = empty({40, 50, 2});
  for (int64_t i = 0; i < 2000; ++i)
    bands.data<float>()[2 * i] = image.data<float>()[i], bands.data<float>()[2 * i + 1] = 7;
  vision::MaskedImage zero = vision::mask_neighbours(bands, s, keep, {.grow = 2});
  vision::MaskedImage noisy = vision::mask_neighbours(bands, s, keep, {.noise = {0.5, 2}, .seed = 4});
  vision::MaskedImage again = vision::mask_neighbours(bands, s, keep, {.noise = {0.5, 2}, .seed = 4});
  vision::MaskedImage other = vision::mask_neighbours(bands, s, keep, {.noise = {0.5, 2}, .seed = 5});
  int64_t masked = 0, grown = 0, same = 0;
  double squares[2] = {};
  for (int64_t i = 0; i < 2000; ++i) {
    bool neighbour = s.labels.data<int64_t>()[i] != 0 && s.labels.data<int64_t>()[i] != keep;
    REQUIRE(noisy.mask.data<bool>()[i] == neighbour);
    if (neighbour) REQUIRE(zero.mask.data<bool>()[i]);
    if (s.labels.data<int64_t>()[i] == keep) REQUIRE(!zero.mask.data<bool>()[i]);
    masked += neighbour, grown += zero.mask.data<bool>()[i];
    for (int64_t c = 0; c < 2; ++c) {
      float before = bands.data<float>()[2 * i + c], after = noisy.image.data<float>()[2 * i + c];
      REQUIRE(zero.image.data<float>()[2 * i + c] == (zero.mask.data<bool>()[i] ? 0 : before));
      REQUIRE(after == again.image.data<float>()[2 * i + c]);
      if (!neighbour) REQUIRE(after == before);
      else squares[c] += after * after, same += after == other.image.data<float>()[2 * i + c];
    }
  }
  CHECK(masked > 80);
  CHECK(grown > masked + 40);
  CHECK(same == 0);
  for (int c = 0; c < 2; ++c)  // five times the error of a variance
    CHECK(std::abs(squares[c] / double(masked) / (c ? 4 : 0.25) - 1) <= 5 * std::sqrt(2.0 / double(masked)));
  CHECK_THROWS_AS(vision::mask_neighbours(zeros({4, 4}), s, keep), ShapeError);
  CHECK_THROWS_AS(vision::mask_neighbours(bands, s, 4), ValueError);
  CHECK_THROWS_AS(vision::mask_neighbours(bands, s, keep, {.noise = {1}}), ShapeError);
}

TEST_CASE("detection_image: bands weighted by their noise, unit noise out") {
  Tensor x = from(std::vector<float>{2, 30, 1, NAN, NAN, NAN}, {1, 3, 2});
  Tensor y = vision::detection_image(x, {1, 10});
  double weights = 1 + 0.01;
  CHECK(std::abs(y.data<float>()[0] - (2 + 0.3) / std::sqrt(weights)) <= 4 * 0x1p-23);
  CHECK(y.data<float>()[1] == 1);
  CHECK(std::isnan(y.data<float>()[2]));
  CHECK_THROWS_AS(vision::detection_image(x, {1}), ShapeError);
  CHECK_THROWS_AS(vision::detection_image(x, {1, 0}), ValueError);
}
