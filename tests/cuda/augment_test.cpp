// Random changes of batches for GPUs, run by the emulator, against the reference.
#include <doctest/doctest.h>

#include <d16/kernels/cuda/augment.cuh>
#include <d16/kernels/reference/augment.hpp>

#include "dense.hpp"

using namespace d16;
using namespace d16::testing;
using kernels::Augment;
using kernels::AugmentRule;

namespace {

/// A batch, the mask of its bands, and where a stream begins, all in memory that a kernel reaches.
template <class In> struct Batch {
  std::vector<In> x;
  std::vector<float> valid;
  std::vector<uint64_t> offset{1234567};

  explicit Batch(Augment const& a) : x(size_t(a.N * a.H * a.W * a.C)) {
    Random random(3);
    for (In& v : x) {
      if constexpr (std::is_same_v<In, uint8_t>) v = uint8_t(random.integer(256));
      else v = In(float(random.uniform(-1, 1)));
    }
    for (int64_t i = 0; i < a.N * a.C; ++i) valid.push_back(random.integer(4) > 0);
  }
};

struct Result {
  std::vector<float> y, valid;
};
template <class In> Result run(Augment a, Batch<In> const& batch, int (*kernel)(Augment const&), bool masked) {
  Result r{std::vector<float>(size_t(a.N * a.P * a.Q * a.C), NAN), std::vector<float>(size_t(a.N * a.C), NAN)};
  a.x = batch.x.data(), a.y = r.y.data();
  if (masked) a.valid = batch.valid.data(), a.valid_out = r.valid.data();
  if (a.stream == 99) a.offset = batch.offset.data();
  CHECK(kernel(a) == kernels::ok);
  return r;
}

template <class In> void check(Augment const& a) {
  bool const masked = a.rule == AugmentRule::bands;
  Batch<In> const batch(a);
  Result const got = run(a, batch, kernels::augment, masked);
  Result const expected = run(a, batch, kernels::reference::augment, masked);
  INFO("N ", a.N, " H ", a.H, " W ", a.W, " C ", a.C, " P ", a.P, " Q ", a.Q, " bands ", masked, " shift ", a.shift);
  double pixel = 0, sigma = 0, difference = 0;
  for (In v : batch.x) pixel = std::max(pixel, std::abs(double(float(v)) * double(a.unit)));
  for (int64_t c = 0; a.noise && c < a.C; ++c) sigma = std::max(sigma, a.noise[c]);
  for (size_t i = 0; i < got.y.size(); ++i) {
    double const d = std::abs(double(got.y[i]) - double(expected.y[i]));
    difference = d <= difference ? difference : std::isnan(d) ? INFINITY : d;
  }
  // Eleven roundings of 2^-24, of weights that add to 1: two fractions, two differences from 1, their product, the unit,
  // the product with the pixel, three sums, and the reference as it becomes a float. Positions are off by 1e-13 pixels.
  // Whole pixels move as they are. The largest normal of 32 bits is 6.7; it is rounded as it becomes a float, and the sum.
  double const rounding = a.whole_pixels() ? 0 : 11 * 0x1p-24 * pixel + 1e-12;
  double const noisy = a.noise ? 0x1p-24 * (pixel + 2 * 6.7 * sigma) : 0;
  CHECK(difference <= rounding + noisy);
  if (!masked) return;
  for (size_t i = 0; i < got.valid.size(); ++i) REQUIRE(got.valid[i] == expected.valid[i]);
}

Augment items(int64_t N, int64_t H, int64_t W, int64_t C, int64_t P, int64_t Q) {
  Augment a{.N = N, .H = H, .W = W, .C = C, .P = P, .Q = Q};
  a.seed = 0x123456789abcdef0, a.stream = 5, a.first = 17, a.shift = 2.5, a.zoom = 0.2;
  return a;
}
Augment bands(int64_t N, int64_t H, int64_t W, int64_t C, int64_t P, int64_t Q) {
  Augment a = items(N, H, W, C, P, Q);
  a.rule = AugmentRule::bands, a.stream = 0, a.shift = a.zoom = 0;
  a.any_angle = false, a.quarter_turns = true;
  return a;
}

std::vector<double> const sigmas{0.1, 0, 2, 0.5, 0.25, 1, 3};

}  // namespace

TEST_CASE("cuda augment: turned, mirrored, moved and zoomed as data::Loader does; float32, bf16 and bytes") {
  check<float>(items(3, 33, 29, 3, 33, 29));  // three tiles a picture
  check<float>(items(5, 1, 7, 1, 1, 5));      // all of it reflected
  check<float>(items(2, 16, 16, 4, 9, 12));
  check<float>(items(150, 5, 4, 3, 5, 4));  // more pictures than blocks of threads
  Augment a = items(3, 17, 19, 3, 15, 16);
  a.pixels = DType::u8, a.unit = 1.0f / 255;
  check<uint8_t>(a);
  a.pixels = DType::bf16, a.unit = 1;
  check<bf16>(a);
  a = items(4, 12, 13, 2, 12, 13);
  a.mirror = false, a.any_angle = false, a.shift = 0, a.zoom = 0;
  check<float>(a);  // nothing happens
  a.stream = 99;    // with an offset in memory
  a.shift = 40;     // further than the picture is wide
  check<float>(a);
}

TEST_CASE("cuda augment: quarter turns move whole pixels, also of rectangles and where an odd border falls away") {
  check<float>(bands(8, 11, 11, 7, 11, 11));
  check<float>(bands(8, 12, 12, 1, 7, 7));
  check<float>(bands(6, 9, 14, 2, 9, 14));
  Augment a = bands(6, 8, 8, 3, 8, 8);
  a.mirror = false;
  check<float>(a);
  a.mirror = true, a.quarter_turns = false;
  check<float>(a);
}

TEST_CASE("cuda augment: shifts, any angle, noise and missing bands, with the random numbers of the host") {
  Augment a = bands(6, 14, 14, 7, 12, 12);
  a.shift = 1.5;
  check<float>(a);
  a.any_angle = true;
  check<float>(a);
  a.noise = sigmas.data();
  check<float>(a);
  for (double drop : {0.3, 1.0})
    for (int keep : {0, 1, 3}) {
      a.drop = drop, a.keep = keep;
      check<float>(a);
    }
  a = bands(3, 23, 23, 5, 21, 21);  // noise over several tiles, whose ends nothing divides
  a.noise = sigmas.data();
  check<float>(a);
  a.stream = 99;
  check<float>(a);
}

TEST_CASE("cuda augment: every order of the threads; what no kernel takes is unsupported") {
  Augment a = bands(3, 19, 19, 7, 19, 19);
  a.noise = sigmas.data(), a.drop = 0.5, a.shift = 1;
  in_every_order([&] { check<float>(a); });
  a.rule = AugmentRule::items;
  CHECK(kernels::augment(a) == kernels::unsupported);
  a = bands(1, 4, 4, 65, 4, 4);
  std::vector<double> const many(65, 1.0);
  a.noise = many.data();
  CHECK(kernels::augment(a) == kernels::unsupported);
  a = items(1, 4, 4, 1, 4, 4);
  a.pixels = DType::f64;
  CHECK(kernels::augment(a) == kernels::unsupported);
}
