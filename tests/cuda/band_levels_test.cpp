// The levels of bands for GPUs, run by the emulator, against sorted pixels.
#include <doctest/doctest.h>

#include <d16/kernels/cuda/band_levels.cuh>
#include <d16/kernels/reference/band_levels.hpp>

#include "dense.hpp"

using namespace d16;
using namespace d16::testing;
using kernels::BandLevels;
using kernels::Levels;

namespace {

/// A sky with noise, stars, and what is not finite; some pixels equal.
template <class T> std::vector<T> field(int64_t n) {
  Random random(5);
  std::vector<T> x(static_cast<size_t>(n));
  for (T& v : x) {
    v = T(3 + random.normal());
    if (random.integer(20) == 0) v = T(50 * random.uniform());
    if (random.integer(10) == 0) v = T(-0.5 * double(random.integer(4)));
    if (random.integer(30) == 0) v = random.integer(2) ? T(NAN) : T(INFINITY);
  }
  return x;
}

template <class T> void check(BandLevels<T> a, std::vector<T> const& x) {
  std::vector<Levels> got(size_t(a.N * a.C), Levels{-1, -1, -1, -1, -1, -1}), expected = got;
  a.x = x.data();
  a.levels = got.data();
  CHECK(kernels::band_levels(a) == kernels::ok);
  a.levels = expected.data();
  kernels::reference::band_levels(a);
  for (size_t i = 0; i < got.size(); ++i) {
    INFO("N ", a.N, " pixels ", a.pixels, " C ", a.C, " band ", i);
    Levels const &l = got[i], &e = expected[i];
    REQUIRE(l.count == e.count);
    if (e.count == 0) {
      for (double level : {l.lowest, l.highest, l.bright, l.median, l.std}) REQUIRE(std::isnan(level));
      continue;
    }
    REQUIRE(l.lowest == e.lowest);
    REQUIRE(l.highest == e.highest);
    // Pixels are taken as they are; between two of them, and in the middle of two, a sum of products is rounded.
    REQUIRE(std::abs(l.bright - e.bright) <= 4 * 0x1p-52 * std::max(std::abs(e.lowest), std::abs(e.highest)));
    REQUIRE(std::abs(l.median - e.median) <= 4 * 0x1p-52 * std::max(std::abs(e.lowest), std::abs(e.highest)));
    // A mean and a sum of squares in another order, below 50: its root has half of the relative error.
    REQUIRE(std::abs(l.std - e.std) <= 2 * double(a.pixels) * 0x1p-52 * 50);
  }
}

template <class T> void check_all() {
  for (int64_t pixels : {1, 2, 3, 7, 100, 1031})
    for (int C : {1, 3}) {
      BandLevels<T> const a{.N = 2, .pixels = pixels, .C = C};
      check(a, field<T>(2 * pixels * C));
    }
  for (double quantile : {0.0, 0.25, 1.0})
    check(BandLevels<T>{.pixels = 401, .quantile = quantile, .clip = 1.5, .rounds = 3}, field<T>(401));
  check(BandLevels<T>{.pixels = 200, .clip = 0.1}, field<T>(200));  // clips until hardly anything is left
  check(BandLevels<T>{.pixels = 50}, std::vector<T>(50, T(7)));
  check(BandLevels<T>{.pixels = 5}, std::vector<T>(5, T(NAN)));
  check(BandLevels<T>{.pixels = 4}, std::vector<T>{T(-0.0), T(0), std::numeric_limits<T>::denorm_min(), T(-1)});
}

}  // namespace

TEST_CASE("cuda band_levels: order statistics, sigma clipping, what is not finite") {
  check_all<float>();
  check_all<double>();
}

TEST_CASE("cuda band_levels: more bands than blocks of threads, every order of the threads") {
  check(BandLevels<float>{.N = 35, .pixels = 20, .C = 2}, field<float>(1400));
  in_every_order([] { check(BandLevels<float>{.pixels = 700, .C = 2}, field<float>(1400)); });
}
