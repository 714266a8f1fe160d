// Multiply-adds of networks against what can be counted by hand, and the search for equal cost.
#include <doctest/doctest.h>
#include <d16/nn/cost.hpp>

using namespace d16;
using nn::multiply_adds;

TEST_CASE("multiply_adds: a plain CNN, by hand") {
  nn::PlainCnn net({.input = {.size = 16, .channels = 3, .classes = 5}, .widths = {4, 6}, .convs = 2});
  int64_t first = 16 * 16 * 9 * (3 * 4 + 4 * 4), second = 8 * 8 * 9 * (4 * 6 + 6 * 6);
  CHECK(multiply_adds(net.describe(), 16, 16) == first + second + 6 * 5);
}

TEST_CASE("multiply_adds: of a network that sees one pixel, each weight once") {
  // without norms (two numbers a channel) and biases, every weight of a 1x1 convolution or Linear is multiplied once
  nn::Sequential net;
  net.add(nn::Conv2d(3, 8, {.kernel = 1, .bias = false}));
  net.add(relu);
  net.add(global_avg_pool);
  net.add(nn::Linear(8, 2, {.bias = false}));
  CHECK(multiply_adds(net.describe(), 1, 1) == net.weight_count());
  CHECK(multiply_adds(net.describe(), 5, 7) == 35 * 24 + 16);
}

TEST_CASE("multiply_adds: ResNet-18, VGG-16 and DenseNet-121 of 224 x 224 pixels as published") {
  // 1.8, 15.5 and 2.9 thousand million: He et al. 2015, table 1; Simonyan & Zisserman (torchvision); Huang et al. 2017
  CHECK(double(multiply_adds(nn::resnet18().describe(), 224, 224)) == doctest::Approx(1.814e9).epsilon(0.005));
  CHECK(double(multiply_adds(nn::vgg_like().describe(), 224, 224)) == doctest::Approx(15.47e9).epsilon(0.005));
  CHECK(double(multiply_adds(nn::densenet_like().describe(), 224, 224)) == doctest::Approx(2.83e9).epsilon(0.01));
}

TEST_CASE("multiply_adds: group convolutions by irreps") {
  nn::EquivariantClassifier net(
      {.input = {.size = 8, .channels = 1, .classes = 2}, .group = dihedral(8), .widths = {2, 3}, .pool_after = {1}});
  // lift 5x5; pooled to 4x4; 6 functions of a 3x3 filter, 28 products instead of 256; Linear
  int64_t lift = 64 * 25 * 16 * 2, group = 16 * (9 * 6 * 16 * 2 + 6 * 28 * 2 * 3);
  CHECK(multiply_adds(net.describe(), 8, 8) == lift + group + 3 * 2);
  CHECK_THROWS_WITH_AS(multiply_adds(io::Json::object({{"type", "upsample"}}), 8, 8), doctest::Contains("upsample"),
                       ValueError);
}

TEST_CASE("scale_of_equal_cost: the nearest as a ratio") {
  auto square = [](int k) { return k * k; };
  CHECK(nn::scale_of_equal_cost(square, 100) == 10);
  CHECK(nn::scale_of_equal_cost(square, 109) == 10);  // 109 / 100 < 121 / 109
  CHECK(nn::scale_of_equal_cost(square, 111) == 11);
  CHECK(nn::scale_of_equal_cost(square, 1) == 1);
  CHECK(nn::scale_of_equal_cost(square, 0.6) == 1);
  CHECK_THROWS_AS(nn::scale_of_equal_cost(square, 0.4), ValueError);
}
