// Networks of the literature: their published numbers of weights, sizes, descriptions, and that they learn.
#include <doctest/doctest.h>

#include <d16/nn/build.hpp>
#include <d16/ops/losses.hpp>
#include <d16/optim/adam.hpp>

#include "nn/toy_galaxies.hpp"

using namespace d16;

TEST_CASE("ResNet-18, ResNet-34, DenseNet-121 and the convolutions of VGG-16 have the published number of weights") {
  CHECK(nn::resnet18().weight_count() == 11'689'512);
  CHECK(nn::resnet({.blocks = {3, 4, 6, 3}}).weight_count() == 21'797'672);
  CHECK(nn::densenet_like().weight_count() == 7'978'856);
  int64_t last = 512 * 10 + 10;
  nn::VggOptions convolutions{.input = {.classes = 10}, .batch_norm = false, .pooled = 1, .hidden = {}};
  CHECK(nn::vgg_like(convolutions).weight_count() == 14'714'688 + last);
  convolutions.batch_norm = true;  // 4,224 channels: two numbers in place of a bias
  CHECK(nn::vgg_like(convolutions).weight_count() == 14'714'688 + 4'224 + last);
}

TEST_CASE("networks of the literature take any size, channels and classes") {
  NoGrad off;
  manual_seed(61);
  nn::ClassifierInput input{.size = 37, .channels = 7, .classes = 5, .mean = 0.2, .deviation = 3};
  Tensor x = normal({2, 37, 41, 7});
  for (bool small : {false, true}) {
    CHECK(
        nn::resnet({.input = input, .width = 4, .blocks = {1, 2}, .small_images = small, .dropout = 0.1})(x).shape() ==
        Shape{2, 5});
    CHECK(nn::densenet_like({.input = input, .width = 4, .growth = 3, .layers = {2, 1, 2}, .small_images = small})(x)
              .shape() == Shape{2, 5});
  }
  CHECK(nn::vgg_like({.input = input, .width = 3, .convs = {1, 1, 2}, .pooled = 2, .hidden = {6}})(x).shape() ==
        Shape{2, 5});
  CHECK_THROWS_AS(nn::resnet({.blocks = {}}), ValueError);
  CHECK_THROWS_AS(nn::vgg_like({.convs = {}}), ValueError);
  CHECK_THROWS_AS(nn::densenet_like({.compression = 0}), ValueError);
}

TEST_CASE("networks of the literature are built again from their descriptions") {
  NoGrad off;
  for (io::Json const& description :
       {nn::resnet({.width = 3, .blocks = {1, 1}, .dropout = 0.1}).describe(),
        nn::vgg_like({.width = 2, .convs = {1, 2}, .pooled = 2, .hidden = {5}}).describe(),
        nn::densenet_like({.width = 3, .growth = 2, .layers = {1, 2}, .dropout = 0.2}).describe()}) {
    INFO(description.dump());
    REQUIRE(!description.is_null());
    CHECK(nn::build(description).describe() == description);
    CHECK(description.at("input").array().size() == 3);
  }
}

TEST_CASE("networks of the literature learn to tell toy spirals from toy ellipticals") {
  nn::ClassifierInput input{.size = 16, .channels = 1, .classes = 2};
  toy::Batch train = toy::galaxies(48, 16, 1), test = toy::galaxies(64, 16, 2);
  auto accuracy = [&](nn::Sequential net) {
    optim::AdamW opt(net.parameters(), {.lr = 1e-2});
    for (int i = 0; i < 70; ++i) {
      cross_entropy(net(train.images), train.labels).backward();
      opt.step();
    }
    NoGrad off;
    net.eval();
    Tensor scores = net(test.images);
    double right = 0;
    for (size_t i = 0; i < 64; ++i)
      right += (scores.host<float>()[2 * i + 1] > scores.host<float>()[2 * i]) == (test.labels.host<int64_t>()[i] == 1);
    return right / 64;
  };
  manual_seed(62);
  CHECK(accuracy(nn::resnet({.input = input, .width = 4, .blocks = {1, 1}, .small_images = true})) > 0.9);
  CHECK(accuracy(nn::vgg_like(
            {.input = input, .width = 6, .convs = {1, 1}, .pooled = 2, .hidden = {8}, .dropout = 0})) > 0.9);
  CHECK(accuracy(nn::densenet_like({.input = input, .width = 6, .growth = 4, .layers = {2, 2}, .small_images = true})) >
        0.9);
}
