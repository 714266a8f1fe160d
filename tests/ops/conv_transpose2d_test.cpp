// The transposed convolution as an op: numbers by hand, adjointness to conv2d, errors.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include <d16/ops/conv2d.hpp>
#include <d16/ops/conv_transpose2d.hpp>

#include "compare.hpp"

using namespace d16;
using namespace d16::testing;

TEST_CASE("conv_transpose2d: by hand, stamps that do and do not overlap") {
  Tensor x = from(std::vector<float>{1, 10}, {1, 1, 2, 1}), w = from(std::vector<float>{1, 2, 3}, {1, 1, 1, 3});
  auto row = [](Tensor const& y) { return std::vector<float>(y.host<float>().begin(), y.host<float>().end()); };
  CHECK(row(conv_transpose2d(x, w)) == std::vector<float>{1, 12, 23, 30});
  CHECK(row(conv_transpose2d(x, w, {}, {.stride = {1, 3}})) == std::vector<float>{1, 2, 3, 10, 20, 30});
  CHECK(row(conv_transpose2d(x, w, {}, {.stride = {1, 2}, .padding = {0, 1}, .output_padding = {0, 1}})) ==
        std::vector<float>{2, 13, 20, 30});
}

TEST_CASE("conv_transpose2d: <conv2d(x), y> = <x, conv_transpose2d(y)>") {
  manual_seed(3);
  TensorOptions f64{.dtype = DType::f64};
  Tensor x = normal({2, 9, 7, 3}, f64), w = normal({5, 3, 3, 2}, f64);
  // sizes for which no output padding is needed: 9 = (4 - 1) 2 + 3, 7 + 2 = (3 - 1) 3 + 2 + 1 with one
  Tensor y = normal(conv2d(x, w, {}, {.stride = {2, 3}, .padding = {0, 1}}).shape(), f64);
  double forward = dot(conv2d(x, w, {}, {.stride = {2, 3}, .padding = {0, 1}}), y);
  double backward = dot(x, conv_transpose2d(y, w, {}, {.stride = {2, 3}, .padding = {0, 1}, .output_padding = {0, 1}}));
  // one product for each output, channel and tap, normal numbers cubed: all below 100
  double tolerance = double(y.numel()) * 18 * std::numeric_limits<double>::epsilon() * 100;
  CHECK(std::abs(forward - backward) <= tolerance);
  CHECK(std::abs(forward) > tolerance);
}

TEST_CASE(
    "conv_transpose2d: beside a skip it is what concat and relu make of it, also where the skip goes elsewhere too") {
  manual_seed(47);
  std::vector<Tensor> const in{normal({2, 3, 4, 5}), normal({5, 6, 2, 2}), normal({6}), normal({2, 6, 8, 3})};
  for (bool cut : {true, false}) {
    INFO("relu ", cut);
    auto joined = [=](bool in_place) {
      return [=](std::vector<Tensor> t) {
        Tensor skip = t[3] * 2.0, up = conv_transpose2d(t[0], t[1], t[2], {.stride = 2});
        Tensor y = in_place ? conv_transpose2d(t[0], t[1], t[2], {.stride = 2, .relu = cut, .beside = skip})
                            : concat({up, skip}, axis::C, {.relu = {cut}});
        return concat({y * y, skip}, axis::C);  // two gradients meet in the skip
      };
    };
    auto one = forward_and_back(joined(true), in, "cpu"), many = forward_and_back(joined(false), in, "cpu");
    REQUIRE(one.size() == 5);
    for (size_t i = 0; i < one.size(); ++i)
      CHECK_LE(difference(one[i], many[i]), 2 * epsilon(DType::f32) * largest(many[i]));
    Tensor leaf = in[3].clone().set_requires_grad();
    conv_transpose2d(in[0], in[1], {}, {.stride = 2, .relu = cut, .beside = leaf}).backward(ones({2, 6, 8, 9}));
    CHECK(leaf.grad().is_contiguous());
    CHECK(difference(leaf.grad(), ones({2, 6, 8, 3})) == 0);
  }
}

TEST_CASE("conv_transpose2d: errors say what is wrong") {
  Tensor x = zeros({2, 4, 5, 6}), w = zeros({6, 3, 2, 2});
  CHECK_THROWS_AS(conv_transpose2d(zeros({4, 5, 6}), w), ShapeError);
  CHECK_THROWS_WITH_AS(conv_transpose2d(x, zeros({3, 6, 2, 2})),
                       "conv_transpose2d: x is (N=2,H=4,W=5,C=6), w is (3,6,2,2); needs w (6,Co,kh,kw), not empty",
                       ShapeError);
  CHECK_THROWS_AS(conv_transpose2d(x, w, zeros({6})), ShapeError);
  CHECK_THROWS_AS(conv_transpose2d(x, w, {}, {.stride = 0}), ValueError);
  CHECK_THROWS_WITH_AS(
      conv_transpose2d(x, w, {}, {.stride = 2, .output_padding = 2}),
      "conv_transpose2d: along H, stride 2, padding 0, output padding 2; needs stride > 0, padding >= 0 and "
      "0 <= output padding < stride",
      ValueError);
  CHECK_THROWS_WITH_AS(conv_transpose2d(zeros({1, 1, 5, 6}), w, {}, {.padding = 1}),
                       "conv_transpose2d: H is 1 with kernel 2, stride 1; padding 1 crops all of its 2 pixels",
                       ShapeError);
  CHECK_THROWS_AS(conv_transpose2d(x, w, {}, {.stride = 1 << 30}), ShapeError);
  CHECK_THROWS_AS(conv_transpose2d(x, zeros({6, 3, 2, 2}, {.dtype = DType::f64})), DTypeError);
  CHECK_THROWS_AS(conv_transpose2d(x, zeros({6, 3, 2, 2}, {.device = "reference"})), DeviceError);
  Tensor small = zeros({2, 3, 4, 5}), up = zeros({5, 6, 2, 2});
  CHECK(message_of<ShapeError>([&] {
          conv_transpose2d(small, up, {}, {.stride = 2, .beside = zeros({2, 6, 7, 3})});
        }) ==
        "conv_transpose2d: the result is (N=2,H=6,W=8,C=6), beside it is (N=2,H=6,W=7,C=3); it needs the same N, "
        "H, W");
  CHECK_THROWS_AS(conv_transpose2d(small, up, {}, {.stride = 2, .beside = zeros({2, 6, 8, 3}, {.dtype = DType::f64})}),
                  DTypeError);
}
