// Histograms of oriented gradients for GPUs, run by the emulator, against atan2 pixel by pixel.
#include <doctest/doctest.h>

#include <d16/kernels/cuda/hog.cuh>
#include <d16/kernels/reference/hog.hpp>

#include "dense.hpp"

using namespace d16;
using namespace d16::testing;
using kernels::BlockNorm;
using kernels::Hog;

namespace {

/// Uniform in [0, 1), or whole numbers below `levels`: gradients of equal length, and on the bounds of bins.
template <class T> std::vector<T> pixels(Hog<T> const& a, int levels) {
  Random random(7);
  std::vector<T> x(size_t(a.N * a.H * a.W * a.C));
  for (T& v : x) v = levels ? T(random.integer(levels)) : T(random.uniform());
  return x;
}

template <class T> std::vector<T> features(Hog<T> a, std::vector<T> const& x, int (*kernel)(Hog<T> const&)) {
  std::vector<T> y(size_t(a.N * a.features()), T(NAN));
  a.x = x.data(), a.y = y.data();
  CHECK(kernel(a) == kernels::ok);
  return y;
}

/// The largest difference, of squares where the norm takes a root: near 0 that makes much of little.
template <class T> double difference(BlockNorm norm, std::vector<T> const& got, std::vector<T> const& expected) {
  double most = 0;
  for (size_t k = 0; k < got.size(); ++k) {
    double const a = double(got[k]), b = double(expected[k]);
    double const d = norm == BlockNorm::l1_sqrt ? std::abs(a * a - b * b) : std::abs(a - b);
    most = d <= most ? most : std::isnan(d) ? INFINITY : d;
  }
  return most;
}

template <class T> void check(Hog<T> a, int levels = 0) {
  auto const x = pixels(a, levels);
  for (BlockNorm norm : {BlockNorm::l1, BlockNorm::l1_sqrt, BlockNorm::l2, BlockNorm::l2_hys}) {
    a.norm = norm;
    INFO("N ", a.N, " H ", a.H, " W ", a.W, " C ", a.C, " bins ", a.bins, " cell ", a.cell_h, "x", a.cell_w, " block ",
         a.block_h, "x", a.block_w, " norm ", int(norm), " levels ", levels);
    // A bin is a sum over a cell in another order, a norm one over a block; the largest bin of a block is at least the
    // norm / sqrt(bins), and no value is above 1. In float32 the result, or its square, is rounded besides.
    double const terms = double(a.cell_h) * a.cell_w * std::sqrt(a.bins) + double(a.block_values());
    double const rounding = sizeof(T) == sizeof(float) ? 0x1p-23 : 0;
    CHECK(difference(norm, features(a, x, kernels::hog<T>), features(a, x, kernels::reference::hog<T>)) <=
          4 * terms * 0x1p-52 + rounding);
  }
}

template <class T> void check_all() {
  check<T>({.N = 2, .H = 32, .W = 40});
  check<T>({.H = 23, .W = 31, .bins = 12, .cell_h = 5, .cell_w = 7, .block_h = 2, .block_w = 1});
  check<T>({.N = 3, .H = 17, .W = 19, .C = 7, .bins = 1, .cell_h = 3, .cell_w = 1, .block_h = 1, .block_w = 1});
  check<T>({.H = 33, .W = 8, .C = 3, .bins = 8, .cell_h = 4, .cell_w = 4, .block_h = 2, .block_w = 2}, 3);
  check<T>({.H = 40, .W = 41, .C = 2, .bins = 28, .cell_h = 11, .cell_w = 10}, 4);
  check<T>({.H = 1, .W = 1, .cell_h = 1, .cell_w = 1, .block_h = 1, .block_w = 1});
  check<T>({.H = 2, .W = 3, .cell_h = 2, .cell_w = 2, .block_h = 1, .block_w = 1}, 5);
  check<T>({.H = 33, .W = 34, .bins = 49, .root = true});
}

}  // namespace

TEST_CASE("cuda hog: all norms, odd sizes, channels, ties") {
  check_all<float>();
  check_all<double>();
}

TEST_CASE(
    "cuda hog: more pictures than blocks of threads, pictures of several tiles, many bins, cells wider than a block") {
  check<float>({.N = 150, .H = 5, .W = 6, .cell_h = 2, .cell_w = 2, .block_h = 1, .block_w = 2});
  check<float>({.N = 2, .H = 120, .W = 150, .cell_h = 5, .cell_w = 5});
  check<float>({.H = 90, .W = 13, .bins = 128, .cell_h = 3, .cell_w = 3, .block_h = 2, .block_w = 2});
  check<double>({.H = 3, .W = 605, .C = 2, .cell_h = 1, .cell_w = 300, .block_h = 2, .block_w = 2});
}

TEST_CASE("cuda hog: gradients on the bounds of bins, and as near to 180 degrees as doubles go") {
  // The one cell of a 3x3 picture whose only gradient, in the middle, is (x, y).
  for (int bins : {1, 2, 4, 8, 9, 28, 100})
    for (double x : {-2.0, -1.0, 0.0, 1.0, 2.0})
      for (double y : {-2.0, -1.0, -1e-15, -1e-17, 0.0, 1e-17, 1e-15, 1.0, 2.0}) {
        INFO("bins ", bins, " gradient ", x, " ", y);
        Hog<double> const a{
            .H = 3, .W = 3, .bins = bins, .cell_h = 3, .cell_w = 3, .block_h = 1, .block_w = 1, .norm = BlockNorm::l1};
        std::vector<double> const picture{0, 0, 0, 0, 0, x, 0, y, 0};
        // One pixel alone: no sum to round, but the length and two divisions.
        CHECK(difference(a.norm, features(a, picture, kernels::hog<double>),
                         features(a, picture, kernels::reference::hog<double>)) <= 4 * 0x1p-52);
      }
}

TEST_CASE("cuda hog: what is not finite stays in the blocks that it touches") {
  Hog<float> const a{.H = 32, .W = 16, .block_h = 1, .block_w = 1};
  for (float fault : {NAN, INFINITY, -INFINITY}) {
    auto x = pixels(a, 0);
    x[4 * 16 + 4] = fault;
    auto const y = features(a, x, kernels::hog<float>);
    for (size_t k = 0; k < y.size(); ++k) REQUIRE(std::isnan(y[k]) == (k < 9));
  }
  Hog<float> roots = a;
  roots.root = true;
  auto x = pixels(a, 0);
  x[4 * 16 + 4] = -1;
  auto const y = features(roots, x, kernels::hog<float>);
  for (size_t k = 0; k < y.size(); ++k) REQUIRE(std::isnan(y[k]) == (k < 9));
}

TEST_CASE("cuda hog: every order of the threads; what does not fit is unsupported") {
  in_every_order([] { check<float>({.N = 2, .H = 19, .W = 23, .C = 2, .cell_h = 4, .cell_w = 3}); });
  CHECK(kernels::hog(Hog<float>{.H = 64, .W = 64, .bins = 129}) == kernels::unsupported);
  CHECK(kernels::hog(Hog<float>{.H = 50, .W = 50, .cell_h = 1, .cell_w = 1, .block_h = 40, .block_w = 40}) ==
        kernels::unsupported);
}
