// The factored group convolution for GPUs, run by the emulator: in four kernels for any group, and fused, with float32,
// tf32 and bf16 products, against the reference in double.
#include <doctest/doctest.h>

#include "group.hpp"

using namespace d16;
using namespace d16::testing;
namespace fourier = kernels::fourier;
using fourier::Bf16Products;
using fourier::ExactProducts;
using fourier::Fused;
using fourier::Tf32Products;
using fourier::Unfused;

namespace {

constexpr Sides every_side[] = {Sides::regular, Sides::lifting, Sides::projecting};

/// Shapes whose sizes are no multiples of anything: pixels, fields in and out, and each kernel, stride and dilation
/// once.
template <class T> std::vector<GroupConv2d<T>> shapes(Group group) {
  return {{.group = group, .N = 1, .H = 9, .W = 11, .Ci = 9, .Co = 26, .kernel = 3, .padding = 1},
          {.group = group, .N = 2, .H = 1, .W = 5, .Ci = 3, .Co = 1, .kernel = 1, .padding = 0},
          {.group = group, .N = 1, .H = 6, .W = 9, .Ci = 1, .Co = 3, .kernel = 5, .stride = 2, .padding = 2},
          {.group = group,
           .N = 1,
           .H = 8,
           .W = 7,
           .Ci = 2,
           .Co = 1,
           .kernel = 3,
           .stride = 2,
           .padding = 0,
           .dilation = 2}};
}

template <class Products> void check_exact(Group group) {
  for (auto const& sizes : shapes<float>(group)) {
    GroupCase<float> const c(sizes);
    INFO(c.text());
    auto const got = c.engine<Fused<Products>>(), expected = c.reference();
    CHECK(error(got.y, expected.y, c.terms(c.a.Ci)) <= 1);
    CHECK(error(got.dx, expected.dx, c.terms(c.a.Co)) <= 1);
  }
}

/// Of each product `roundings` factors are rounded, each by at most `unit` of its size, independently of signs: errors
/// add up as the products do, in squares. Exact for the algebra, coarse for the numbers; the first shape only.
template <class Products> void check_rounded(Group group, double roundings, double unit) {
  GroupCase<float> const c(shapes<float>(group)[0]);
  INFO(c.text());
  auto const got = c.engine<Fused<Products>>(), expected = c.reference();
  double const tolerance = std::sqrt(roundings) * unit;
  CHECK(relative_rms(got.y, expected.y) <= tolerance);
  CHECK(relative_rms(got.dx, expected.dx) <= tolerance);
  CHECK(relative_rms(got.y, expected.y) > tolerance / 50);  // something has been rounded
}

}  // namespace

TEST_CASE("cuda fourier_conv2d: four kernels, any group, all sides, y, dx and dw in double") {
  for (int n : {1, 2, 3, 4, 6, 8, 16})
    for (bool mirrored : {false, true})
      for (Sides sides : every_side) {
        if (n == 16 && sides != Sides::regular) continue;
        GroupCase<double> const c(
            {.group = any_group(n, mirrored), .sides = sides, .N = 2, .H = 4, .W = 3, .Ci = 2, .Co = 3});
        INFO(c.text());
        auto const got = c.engine<Unfused<double>>(), expected = c.reference();
        CHECK(error(got.y, expected.y, c.terms(2)) <= 1);
        CHECK(error(got.dx, expected.dx, c.terms(3)) <= 1);
        CHECK(error(c.gradient(Unfused<double>(c.a, false)), expected.dw, c.terms(1, c.pixels())) <= 1);
      }
}

TEST_CASE("cuda fourier_conv2d: four kernels, strides, dilations and kernels") {
  for (Sides sides : every_side)
    for (auto sizes : shapes<float>(dihedral(3))) {
      sizes.sides = sides;
      GroupCase<float> const c(sizes);
      INFO(c.text());
      auto const got = c.launched(), expected = c.reference();
      CHECK(error(got.y, expected.y, c.terms(c.a.Ci)) <= 1);
      CHECK(error(got.dx, expected.dx, c.terms(c.a.Co)) <= 1);
      CHECK(error(got.dw, expected.dw, c.terms(1, c.pixels())) <= 1);
    }
}

TEST_CASE("cuda fourier_conv2d: four kernels, image by image") {
  GroupCase<float> const c({.group = dihedral(3), .N = 3, .H = 5, .W = 4, .Ci = 2, .Co = 3});
  auto const expected = c.reference();
  int64_t const before = std::exchange(fourier::most_scratch(), 1);
  auto const got = c.launched();
  fourier::most_scratch() = before;
  CHECK(error(got.y, expected.y, c.terms(2)) <= 1);
  CHECK(error(got.dx, expected.dx, c.terms(3)) <= 1);
  CHECK(error(got.dw, expected.dw, c.terms(1, c.pixels())) <= 1);
}

TEST_CASE("cuda fourier_conv2d: long sums of dw in several parts") {
  GroupCase<float> const c({.group = cyclic(3), .H = 37, .W = 31, .Ci = 1, .Co = 2});
  auto const expected = c.reference();
  CHECK(error(c.launched().dw, expected.dw, c.terms(1, c.pixels())) <= 1);
}

TEST_CASE("cuda fourier_conv2d: fused, exact products") {
  for (int n : {4, 8, 16})
    for (bool mirrored : {false, true}) check_exact<ExactProducts>(any_group(n, mirrored));
}

TEST_CASE("cuda fourier_conv2d: fused, large kernels in several passes") {
  for (int kernel : {7, 9}) {
    GroupCase<float> const c(
        {.group = dihedral(4), .H = 5, .W = 4, .Ci = 2, .Co = 3, .kernel = kernel, .padding = kernel / 2});
    GroupCase<float> const wide(
        {.group = dihedral(16), .H = 3, .W = 9, .Ci = 1, .Co = 2, .kernel = kernel, .padding = 3});
    for (auto const& each : {c, wide}) {
      INFO(each.text());
      auto const got = each.engine<Fused<ExactProducts>>(), expected = each.reference();
      CHECK(error(got.y, expected.y, each.terms(each.a.Ci)) <= 1);
      CHECK(error(got.dx, expected.dx, each.terms(each.a.Co)) <= 1);
    }
  }
}

TEST_CASE("cuda fourier_conv2d: fused, products of tensor cores") {
  for (int n : {4, 8, 16})
    for (bool mirrored : {false, true}) {
      check_rounded<Tf32Products>(any_group(n, mirrored), 2, 0x1p-11);  // features and weights
      check_rounded<Bf16Products>(any_group(n, mirrored), 3, 0x1p-8);   // coefficients besides
    }
}

TEST_CASE("cuda fourier_conv2d: bf16 for every kind of shape") {
  for (auto const& sizes : shapes<float>(D16)) {
    GroupCase<float> const c(sizes);
    INFO(c.text());
    auto const got = c.engine<Fused<Bf16Products>>(), expected = c.reference();
    CHECK(relative_rms(got.y, expected.y) <= std::sqrt(3) * 0x1p-8);
    CHECK(relative_rms(got.dx, expected.dx) <= std::sqrt(3) * 0x1p-8);
  }
}

TEST_CASE("cuda fourier_conv2d: features that are bf16 in memory") {
  for (Group group : {D16, dihedral(4), cyclic(4), cyclic(8), dihedral(16)})
    for (auto const& sizes : shapes<float>(group)) {
      if (sizes.kernel != 3 && group != D16) continue;
      GroupCase<bf16> const c = converted<bf16>(GroupCase<float>(sizes));
      INFO(c.text());
      auto const expected = converted<float>(c).reference();  // of what is in memory
      auto const got = c.engine<Fused<Bf16Products, bf16>>();
      double const tolerance = std::sqrt(4) * 0x1p-8;  // coefficients, features, weights; and the result
      CHECK(relative_rms(to_float(got.y), expected.y) <= tolerance);
      CHECK(relative_rms(to_float(got.dx), expected.dx) <= tolerance);
    }
}

TEST_CASE("cuda fourier_conv2d: bf16 in memory, in four kernels: only the result is rounded") {
  for (Sides sides : every_side)
    for (Group group : {dihedral(3), cyclic(1), D16}) {
      GroupCase<bf16> const c = converted<bf16>(
          GroupCase<float>({.group = group, .sides = sides, .N = 2, .H = 4, .W = 3, .Ci = 2, .Co = 3, .stride = 2}));
      INFO(c.text());
      auto const expected = converted<float>(c).reference();
      auto const got = c.engine<Unfused<float, bf16>>();
      CHECK(error_of_bf16(got.y, expected.y, c.terms(2)) <= 1);
      CHECK(error_of_bf16(got.dx, expected.dx, c.terms(3)) <= 1);
      CHECK(error(c.gradient(Unfused<float, bf16>(c.a, false)), expected.dw, c.terms(1, c.pixels())) <= 1);
    }
}

TEST_CASE("cuda fourier_conv2d: the adjoint is the adjoint") {
  auto check = [](auto const& c, auto const& r) {
    // both are the same sum of products; each y and dx carries its own rounding, and they add up over all of them
    double const size = double(std::max(r.y.size(), r.dx.size()));
    double const unit = std::numeric_limits<typename std::decay_t<decltype(r.y)>::value_type>::epsilon();
    double const bound = std::sqrt(size) * unit * c.terms(std::max(c.a.Ci, c.a.Co)) * 10;
    CHECK(std::abs(dot(r.y, c.dy) - dot(r.dx, c.x)) <= bound);
    CHECK(std::abs(dot(r.y, c.dy)) > 10 * bound);
  };
  for (Group group : {D16, cyclic(8), dihedral(4)}) {
    GroupCase<float> c({.group = group, .N = 2, .H = 7, .W = 5, .Ci = 3, .Co = 2, .stride = 2});
    c.b.assign(c.b.size(), 0);
    check(c, c.engine<Fused<ExactProducts>>());
    GroupCase<double> d({.group = group, .N = 2, .H = 7, .W = 5, .Ci = 3, .Co = 2, .stride = 2});
    d.b.assign(d.b.size(), 0);
    check(d, d.engine<Unfused<double>>());
  }
}

TEST_CASE("cuda fourier_conv2d: every order of the threads") {
  GroupCase<float> const c({.group = D16, .H = 3, .W = 9, .Ci = 9, .Co = 2});
  GroupCase<float> const k5({.group = dihedral(4), .H = 3, .W = 3, .Ci = 5, .Co = 2, .kernel = 5, .padding = 2});
  auto const exact = c.engine<Fused<ExactProducts>>(), rounded = c.engine<Fused<Bf16Products>>();
  auto const steps = c.engine<Unfused<float>>(), passes = k5.engine<Fused<ExactProducts>>();
  GroupCase<bf16> const half = converted<bf16>(c);
  auto const stored = to_float(half.engine<Fused<Bf16Products, bf16>>().y);
  in_every_order([&] {
    CHECK(c.engine<Fused<ExactProducts>>().y == exact.y);
    CHECK(c.engine<Fused<Bf16Products>>().y == rounded.y);
    CHECK(c.engine<Unfused<float>>().dx == steps.dx);
    CHECK(k5.engine<Fused<ExactProducts>>().y == passes.y);
    CHECK(to_float(half.engine<Fused<Bf16Products, bf16>>().y) == stored);
  });
}

TEST_CASE("cuda fourier_conv2d: what does not fit a block is for the four kernels") {
  GroupConv2d<float> const sizes{.group = D16, .H = 30, .W = 30, .kernel = 9, .padding = 0, .dilation = 3};
  GroupCase<float> c(sizes);
  CHECK_FALSE(Fused<ExactProducts>(c.a, false).fits());
  c.a.precision = Precision::bfloat16;
  Results<float> r;
  CHECK(kernels::group_conv2d(c.arguments(r)) == kernels::unsupported);
  CHECK(kernels::group_conv2d_work_bytes(c.a) == 0);
}
