// The gradient of the weights of the group convolution in one kernel, run by the emulator, against the reference.
#include <doctest/doctest.h>

#include "group.hpp"

using namespace d16;
using namespace d16::testing;
namespace fourier = kernels::fourier;
using fourier::Bf16Products;
using fourier::ExactProducts;
using fourier::FusedGradient;

namespace {

template <class Products, class T> std::vector<float> gradient(GroupCase<T> const& c) {
  FusedGradient<Products, T> const engine(c.a);
  CHECK(engine.fits());
  return c.gradient(engine);
}

/// Sizes that are no multiples of anything: fields of several blocks and chunks, images, strides, dilations, kernels.
std::vector<GroupConv2d<float>> shapes(Group group) {
  GroupConv2d<float> const wide{.group = group, .N = 2, .H = 5, .W = 9, .Ci = 9, .Co = 26};
  GroupConv2d<float> const k1{.group = group, .N = 2, .H = 1, .W = 5, .Ci = 3, .Co = 1, .kernel = 1, .padding = 0};
  GroupConv2d<float> k5{.group = group, .H = 6, .W = 9, .Ci = 1, .Co = 3, .kernel = 5, .stride = 2, .padding = 2};
  GroupConv2d<float> apart{.group = group, .H = 8, .W = 7, .Ci = 2, .Co = 1, .stride = 2, .padding = 0, .dilation = 2};
  if (group.order() == 32) {  // what is under a tile with a stride of two does not fit a block
    k5.stride = 1;
    return {wide, k1, k5};
  }
  return {wide, k1, k5, apart};
}

}  // namespace

TEST_CASE("cuda fourier_gradient: exact products, every group and kind of shape") {
  for (int n : {4, 8, 16})
    for (bool mirrored : {false, true})
      for (auto const& sizes : shapes(any_group(n, mirrored))) {
        GroupCase<float> const c(sizes);
        INFO(c.text());
        auto const expected = c.reference();
        CHECK(error(gradient<ExactProducts>(c), expected.dw, c.terms(1, c.pixels())) <= 1);
      }
}

TEST_CASE("cuda fourier_gradient: bf16 products, of float32 and of bf16 features") {
  // features twice, as coefficients and after the basis, and the gradient once; independent of each other
  double const tolerance = std::sqrt(3) * 0x1p-8;
  for (int n : {4, 8, 16})
    for (bool mirrored : {false, true})
      for (auto const& sizes : shapes(any_group(n, mirrored))) {
        GroupCase<float> const c(sizes);
        GroupCase<bf16> const stored = converted<bf16>(c);
        INFO(c.text());
        auto const expected = c.reference().dw, of_stored = converted<float>(stored).reference().dw;
        auto const got = gradient<Bf16Products>(c);
        CHECK(relative_rms(got, expected) <= tolerance);
        CHECK(relative_rms(got, expected) > tolerance / 50);  // something has been rounded
        CHECK(relative_rms(gradient<Bf16Products>(stored), of_stored) <= tolerance);
      }
}

TEST_CASE("cuda fourier_gradient: large kernels in several passes") {
  for (int kernel : {7, 9}) {
    GroupCase<float> const c(
        {.group = dihedral(4), .H = 5, .W = 4, .Ci = 2, .Co = 3, .kernel = kernel, .padding = kernel / 2});
    INFO(c.text());
    CHECK(error(gradient<ExactProducts>(c), c.reference().dw, c.terms(1, c.pixels())) <= 1);
    CHECK(relative_rms(gradient<Bf16Products>(c), c.reference().dw) <= std::sqrt(3) * 0x1p-8);
  }
}

TEST_CASE("cuda fourier_gradient: long sums in several parts, and x read through the norm before it") {
  GroupCase<float> c({.group = cyclic(4), .N = 2, .H = 33, .W = 30, .Ci = 2, .Co = 2});
  CHECK(error(gradient<ExactProducts>(c), c.reference().dw, c.terms(1, c.pixels())) <= 1);
  std::vector<float> const norm{0.1f, -0.2f, 2, 0.5f, 0.3f, 0.1f};
  GroupCase<float> read = c;
  for (size_t i = 0; i < read.x.size(); ++i) {
    size_t const field = i / 4 % 2;
    read.x[i] = std::max(0.0f, (c.x[i] - norm[field]) * norm[2 + field] + norm[4 + field]);
  }
  c.a.norm = norm.data();
  CHECK(error(gradient<ExactProducts>(c), read.reference().dw, c.terms(1, c.pixels())) <= 1);
}

TEST_CASE("cuda fourier_gradient: pixels that no output sees do not count, be they NaN") {
  GroupCase<float> c({.group = D16, .H = 8, .W = 8, .Ci = 1, .Co = 2, .stride = 2, .padding = 0});
  auto const expected = c.reference().dw;
  for (size_t i = 0; i < c.x.size(); ++i)
    if (i / 16 % 8 == 7 || i / 16 / 8 == 7) c.x[i] = NAN;  // three outputs of three pixels each, two apart: seven
  CHECK(error(gradient<ExactProducts>(c), expected, c.terms(1, c.pixels())) <= 1);
}

TEST_CASE("cuda fourier_gradient: it is the gradient of a linear map") {
  // <dw, w> = <y, dy>, as y is linear in w; each y and dw carries its rounding, and they add up over all of them
  GroupCase<float> c({.group = D16, .N = 2, .H = 7, .W = 5, .Ci = 3, .Co = 2, .stride = 2});
  c.b.assign(c.b.size(), 0);
  auto const r = c.engine<fourier::Fused<ExactProducts>>();
  auto const dw = gradient<ExactProducts>(c);
  double const bound = std::sqrt(double(std::max(dw.size(), r.y.size()))) * 1.2e-7 * c.terms(3, c.pixels()) * 10;
  CHECK(std::abs(dot(r.y, c.dy) - dot(dw, c.w)) <= bound);
  CHECK(std::abs(dot(r.y, c.dy)) > 10 * bound);
}

TEST_CASE("cuda fourier_gradient: every order of the threads") {
  for (Group group : {D16, cyclic(4)}) {
    GroupCase<float> const c({.group = group, .H = 6, .W = 9, .Ci = 5, .Co = 2});
    auto const exact = gradient<ExactProducts>(c), rounded = gradient<Bf16Products>(c);
    in_every_order([&] {
      CHECK(gradient<ExactProducts>(c) == exact);
      CHECK(gradient<Bf16Products>(c) == rounded);
    });
  }
}

TEST_CASE("cuda fourier_gradient: what does not fit a block is for the other kernels") {
  GroupCase<float> const c({.group = D16, .H = 60, .W = 60, .kernel = 9, .padding = 0, .dilation = 7});
  CHECK_FALSE(FusedGradient<ExactProducts, float>(c.a).fits());
  CHECK_FALSE(FusedGradient<ExactProducts, float>(GroupCase<float>({.group = dihedral(3)}).a).fits());
  GroupCase<float> const apart(
      {.group = dihedral(16), .H = 8, .W = 7, .Ci = 2, .Co = 1, .stride = 2, .padding = 0, .dilation = 2});
  CHECK_FALSE(FusedGradient<ExactProducts, float>(apart.a).fits());
  CHECK(error(apart.launched().dw, apart.reference().dw, apart.terms(1, apart.pixels())) <= 1);
}
