// The launchers of the equivariant convolution for GPUs, run by the emulator: paths, what follows the sums, moments,
// norm, bias gradient, equivariance.
#include <doctest/doctest.h>

#include "group.hpp"

using namespace d16;
using namespace d16::testing;

namespace {

constexpr Sides every_side[] = {Sides::regular, Sides::lifting, Sides::projecting};

/// x moved by a rotation of 90 degrees, counter-clockwise as all elements turn, on a square image: pixels go round, and
/// element h goes to `element` h. Exact on the grid.
std::vector<float> turned(std::vector<float> const& x, int side, int fields, Group group, int element) {
  std::vector<float> out(x.size());
  int const G = group.order();
  for (int i = 0; i < side; ++i)
    for (int j = 0; j < side; ++j)
      for (int c = 0; c < fields; ++c)
        for (int h = 0; h < G; ++h) {
          int const to_i = side - 1 - j, to_j = i, to_h = group.product(element, h);
          out[size_t(((to_i * side + to_j) * fields + c) * G + to_h)] =
              x[size_t(((i * side + j) * fields + c) * G + h)];
        }
  return out;
}

}  // namespace

TEST_CASE("cuda group_conv2d: the expanded path, all sides") {
  for (Group group : {D16, cyclic(3), dihedral(2), cyclic(1)})
    for (Sides sides : every_side) {
      GroupCase<float> c({.group = group, .sides = sides, .N = 2, .H = 5, .W = 4, .Ci = 2, .Co = 3, .stride = 2});
      auto const expected = c.reference();
      c.a.path = Path::expanded;
      INFO(c.text());
      auto const got = c.launched();
      double const taps = 9.0 * c.a.Ci * group.order() + c.a.V;  // sums over dense taps instead
      CHECK(error(got.y, expected.y, taps) <= 1);
      CHECK(error(got.dx, expected.dx, 2 * taps) <= 1);
      CHECK(error(got.dw, expected.dw, 9.0 * group.order() * group.order() + c.pixels()) <= 1);
    }
}

TEST_CASE("cuda group_conv2d: automatic takes the factored path from order 4 on, in double too") {
  for (Group group : {cyclic(2), dihedral(4), dihedral(6)})
    for (Sides sides : every_side) {
      GroupCase<double> c({.group = group, .sides = sides, .H = 3, .W = 4, .Ci = 2, .Co = 2});
      auto const expected = c.reference();
      c.a.path = Path::automatic;
      CHECK(kernels::fourier::chosen(c.a) == (group.order() >= 4));
      auto const got = c.launched();
      double const terms = c.terms(2) + 9.0 * 2 * group.order();
      CHECK(error(got.y, expected.y, terms) <= 1);
      CHECK(error(got.dx, expected.dx, terms) <= 1);
      CHECK(error(got.dw, expected.dw, c.terms(1, c.pixels()) + 9.0 * group.order()) <= 1);
    }
}

TEST_CASE("cuda group_conv2d: scale, bias and ReLU follow the sums, on every path") {
  for (Sides sides : every_side)
    for (Path path : {Path::fourier, Path::expanded}) {
      GroupCase<float> c({.group = dihedral(4), .sides = sides, .H = 5, .W = 3, .Ci = 2, .Co = 3});
      std::vector<float> const scale{0.5f, -2, 3};
      c.a.scale = scale.data(), c.a.relu = true;
      auto const expected = c.reference();
      c.a.path = path;
      double const terms = 3 * (c.terms(2) + 9.0 * 2 * 8);  // a scale of three
      CHECK(error(c.launched().y, expected.y, terms) <= 1);
      CHECK(std::count(expected.y.begin(), expected.y.end(), 0.0f) > 5);
    }
}

TEST_CASE("cuda group_conv2d: moments of the result") {
  for (Sides sides : every_side)
    for (Path path : {Path::fourier, Path::expanded}) {
      GroupCase<float> c({.group = D16, .sides = sides, .N = 2, .H = 3, .W = 4, .Ci = 2, .Co = 3});
      Results<float> r;
      std::vector<double> moments(6, NAN), expected(6);
      GroupConv2d<float> with = c.arguments(r);
      with.path = path, with.moments = moments.data();
      Work work(kernels::group_conv2d_work_bytes(with));
      with.work = work.data();
      CHECK(kernels::group_conv2d(with) == kernels::ok);
      with.moments = expected.data();
      kernels::reference::detail::moments(with);  // of the same y
      CHECK(error(moments, expected, 2.0 * c.pixels() * 16) <= 1);
    }
}

TEST_CASE("cuda group_conv2d: x read through the norm before it") {
  for (int n : {8, 6}) {  // fused, and in four kernels
    GroupCase<float> c({.group = dihedral(n), .H = 4, .W = 3, .Ci = 3, .Co = 2});
    std::vector<float> const norm{0.1f, -0.2f, 0.3f, 2, 0.5f, -1, 0.3f, 0.1f, -0.1f};
    GroupCase<float> read = c;
    int const G = c.a.group.order();
    for (size_t i = 0; i < read.x.size(); ++i) {
      size_t const field = i / size_t(G) % 3;
      read.x[i] = std::max(0.0f, (c.x[i] - norm[field]) * norm[3 + field] + norm[6 + field]);
    }
    auto const expected = read.reference();
    c.a.norm = norm.data();
    auto const got = c.launched();
    CHECK(error(got.y, expected.y, c.terms(3)) <= 1);
    CHECK(error(got.dw, expected.dw, c.terms(1, c.pixels())) <= 1);
  }
}

TEST_CASE("cuda group_conv2d: the gradient of the bias") {
  for (Sides sides : every_side) {
    GroupCase<float> c({.group = dihedral(3), .sides = sides, .N = 3, .H = 30, .W = 19, .Ci = 1, .Co = 5});
    Results<float> r;
    std::vector<float> got(5, NAN), expected(5);
    GroupConv2d<float> with = c.arguments(r);
    Work work(kernels::group_conv2d_db_work_bytes(with));
    with.work = work.data(), with.db = got.data();
    CHECK(kernels::group_conv2d_db(with) == kernels::ok);
    with.db = expected.data();
    CHECK(kernels::reference::group_conv2d_db(with) == kernels::ok);
    CHECK(error(got, expected, terms_in_double<float>(1)) <= 1);
  }
}

TEST_CASE("cuda group_conv2d: bf16 by the launchers; what there is no kernel for is unsupported") {
  GroupCase<float> c({.group = D16, .H = 5, .W = 6, .Ci = 9, .Co = 3});
  auto const expected = c.reference();
  c.a.precision = Precision::bfloat16;
  auto const got = c.launched();
  double const tolerance = std::sqrt(3) * 0x1p-8;  // three roundings, as in fourier_conv2d_test.cpp
  CHECK(relative_rms(got.y, expected.y) <= tolerance);
  CHECK(relative_rms(got.y, expected.y) > tolerance / 50);
  CHECK(relative_rms(got.dx, expected.dx) <= tolerance);
  CHECK(error(got.dw, expected.dw, c.terms(1, c.pixels())) <= 1);  // in float32 whatever the precision
  Results<float> r;
  auto bare = c.arguments(r);
  bare.path = Path::expanded;
  CHECK(kernels::group_conv2d(bare) == kernels::unsupported);
  bare = c.arguments(r), bare.sides = Sides::lifting;
  CHECK(kernels::group_conv2d(bare) == kernels::unsupported);
  bare = c.arguments(r), bare.packed = r.y.data();
  CHECK(kernels::group_conv2d(bare) == kernels::unsupported);
}

TEST_CASE("cuda group_conv2d: a turned image has a turned result, and elements exchanged break it") {
  int const side = 7;
  for (Group group : {D16, cyclic(8), dihedral(4), cyclic(4)})
    for (Precision precision : {Precision::float32, Precision::bfloat16}) {
      GroupCase<float> c({.group = group, .H = side, .W = side, .Ci = 3, .Co = 2});
      c.a.precision = precision;
      int const quarter = group.n / 4;
      auto const straight = c.launched().y;
      GroupCase<float> moved = c;
      moved.x = turned(c.x, side, 3, group, quarter);
      auto const got = moved.launched().y;
      // bf16: both sides are rounded, three times each
      double const tolerance = precision == Precision::float32 ? c.terms(3) * 1.2e-7 : std::sqrt(6) * 0x1p-8;
      CHECK(relative_rms(got, turned(straight, side, 2, group, quarter)) <= tolerance);
      CHECK(relative_rms(got, turned(straight, side, 2, group, group.inverse(quarter))) > 0.1);
      CHECK(relative_rms(got, turned(straight, side, 2, group, 0)) > 0.1);
    }
}
