// The networks: shapes, invariance, descriptions that build them again, and that they learn.
#include <doctest/doctest.h>

#include <d16/nn/build.hpp>
#include <d16/ops/losses.hpp>
#include <d16/optim/adam.hpp>

#include "io/bad_input.hpp"
#include "nn/toy_galaxies.hpp"

using namespace d16;
using bad_input::error_of;

namespace {

nn::EquivariantClassifierOptions small_equivariant(Group g) {
  return {.input = {.size = 16, .channels = 1}, .group = g, .widths = {3, 4}, .kernels = {3}, .pool_after = {1}};
}

/// The image turned by 90 degrees counter-clockwise, or mirrored left to right.
Tensor quarter_turn(Tensor const& x) {
  Tensor y = empty(x.shape(), x.like());
  int64_t S = x.dim(axis::H), C = x.dim(axis::C);
  auto in = x.host<float>(), out = y.host<float>();
  for (int64_t n = 0; n < x.dim(0); ++n)
    for (int64_t i = 0; i < S; ++i)
      for (int64_t j = 0; j < S; ++j)
        for (int64_t c = 0; c < C; ++c)
          out[((n * S + i) * S + j) * C + c] = in[((n * S + j) * S + (S - 1 - i)) * C + c];
  return y;
}
Tensor mirrored(Tensor const& x) {
  Tensor y = empty(x.shape(), x.like());
  int64_t S = x.dim(axis::H), C = x.dim(axis::C);
  auto in = x.host<float>(), out = y.host<float>();
  for (int64_t row = 0; row < x.dim(0) * S; ++row)
    for (int64_t j = 0; j < S; ++j)
      for (int64_t c = 0; c < C; ++c) out[(row * S + j) * C + c] = in[(row * S + (S - 1 - j)) * C + c];
  return y;
}
double largest(Tensor const& x) { return max(abs(x)).item(); }

template <class Net> double accuracy_after(Net& net, int steps, toy::Batch const& train, toy::Batch const& test) {
  optim::AdamW opt(net.parameters(), {.lr = 1e-2});
  for (int i = 0; i < steps; ++i) {
    cross_entropy(net(train.images), train.labels).backward();
    opt.step();
  }
  NoGrad off;
  net.eval();
  Tensor scores = net(test.images);
  auto s = scores.template host<float>();
  auto labels = test.labels.template host<int64_t>();
  double right = 0;
  for (size_t i = 0; i < labels.size(); ++i) right += (s[2 * i + 1] > s[2 * i]) == (labels[i] == 1);
  return right / double(labels.size());
}

}  // namespace

TEST_CASE("the equivariant classifier does not see quarter turns and mirrors, its plain rival does") {
  NoGrad off;
  manual_seed(2);
  for (Group g : {dihedral(4), dihedral(8), cyclic(4)}) {
    CAPTURE(g.text());
    auto options = small_equivariant(g);
    options.input.size = 17;  // BlurPool keeps the symmetry of an odd grid: 17 -> 9
    nn::EquivariantClassifier net(options);
    net.eval();
    Tensor x = uniform({2, 17, 17, 1}), y = net(x);
    // 2 layers, sums of at most 4 fields * 16 elements * 9 pixels terms; the mean over 81 pixels
    double tolerance = 4 * 16 * 9 * 1.2e-7 * std::max(1.0, largest(y));
    CHECK(largest(net(quarter_turn(x)) - y) < tolerance);
    bool same_mirrored = largest(net(mirrored(x)) - y) < tolerance;
    CHECK(same_mirrored == g.mirrored());  // rotations alone tell left from right
  }
  nn::PlainCnn plain({.input = {.size = 17, .channels = 1}, .widths = {4}});
  plain.eval();
  Tensor x = uniform({2, 17, 17, 1});
  CHECK(largest(plain(quarter_turn(x)) - plain(x)) > 1e-3);
}

TEST_CASE("networks have the shapes that they promise") {
  NoGrad off;
  Tensor x = uniform({2, 16, 16, 1});
  auto o = small_equivariant(dihedral(2));
  CHECK(nn::EquivariantClassifier(o)(x).shape() == Shape{2, 2});
  o.flatten = true, o.hidden = {5, 3}, o.disk_mask = true, o.dropout = 0.1, o.first_stride = 2, o.first_padding = 2;
  CHECK(nn::EquivariantClassifier(o)(x).shape() == Shape{2, 2});
  CHECK(nn::PlainCnn({.input = {.size = 16, .channels = 1, .classes = 3}, .widths = {4, 5}, .convs = 2})(x).shape() ==
        Shape{2, 3});
  for (bool skips : {true, false}) {
    nn::UNetVae vae({.size = 16, .channels = 1, .widths = {4, 6, 8}, .latent = 3, .skips = skips});
    auto out = vae.encode_decode(x);
    CHECK(out.logits.shape() == x.shape());
    CHECK(out.mu.shape() == Shape{2, 4, 4, 3});
    CHECK(out.logvar.shape() == Shape{2, 4, 4, 3});
    CHECK_THROWS_AS(vae(uniform({1, 18, 16, 1})), ShapeError);
  }
}

TEST_CASE("the network of Pandya et al. has 12.5 million weights at order 32 and 6.4 million at order 16") {
  auto millions = [](Group g) {
    nn::EquivariantClassifier net(nn::galaxy_morphology_options(g, 10));
    return double(net.weight_count()) / 1e6;
  };
  CHECK(std::abs(millions(dihedral(8)) - 6.4) < 0.05);
  CHECK(std::abs(millions(dihedral(16)) - 12.5) < 0.05);
}

TEST_CASE("the VAE draws its code in training and takes the mean in evaluation") {
  NoGrad off;
  manual_seed(3);
  nn::UNetVae vae({.size = 8, .channels = 1, .widths = {3, 4}, .latent = 2});
  Tensor x = uniform({2, 8, 8, 1});
  CHECK(largest(vae(x) - vae(x)) > 0);
  vae.eval();
  Tensor y = vae(x);
  CHECK(largest(vae(x) - y) == 0);
  CHECK((largest(y) < 1 && largest(1.0 - y) < 1));
}

TEST_CASE("the loss of the VAE is the mean cross-entropy plus beta times KL per pixel value") {
  Tensor target = uniform({2, 4, 4, 1});
  nn::UNetVae::Output out{zeros({2, 4, 4, 1}), full({2, 2, 2, 3}, 0.5), zeros({2, 2, 2, 3})};
  // logits 0: ln 2 per pixel whatever the target; KL = mu^2 / 2 = 0.125 for each of 24 codes; 32 pixel values
  double expected = std::log(2.0) + 0.7 * 24 * 0.125 / 32;
  CHECK(std::abs(nn::vae_loss(out, target, 0.7).item() - expected) < 32 * 1.2e-7);
}

TEST_CASE("a description builds the same network again") {
  NoGrad off;
  std::vector<io::Json> descriptions;
  auto o = small_equivariant(cyclic(6));
  o.flatten = true, o.hidden = {5}, o.disk_mask = true, o.first_stride = 2, o.first_padding = 2, o.dropout = 0.25;
  o.input.mean = 0.1, o.input.deviation = 0.3, o.input.classes = 4;
  descriptions.push_back(nn::EquivariantClassifier(o).describe());
  descriptions.push_back(
      nn::PlainCnn({.input = {.size = 16, .channels = 1, .classes = 5}, .widths = {3, 2}, .convs = 2, .dropout = 0})
          .describe());
  descriptions.push_back(
      nn::UNetVae({.size = 16, .channels = 1, .widths = {3, 4}, .latent = 5, .skips = false}).describe());
  descriptions.push_back(nn::Sequential{
      nn::Rescale{0.5, 0.2}, nn::DiskMask{2, 3}, nn::LiftConv2d(D16, 1, 2, {.kernel = 5, .bias = false}),
      nn::InnerBatchNorm(2, {.eps = 1e-4, .momentum = 0.2}), relu, nn::BlurPool{0.7, 3, 2, 1},
      nn::GroupConv2d(D16, 2, 3, {.stride = 2}), nn::ProjectConv2d(D16, 3, 2), nn::MaxPool{3, 1, 1},
      nn::Upsample{2, true}, nn::Conv2d(2, 4, {.kernel = 3, .dilation = 2, .groups = 2}), nn::BatchNorm2d(4),
      nn::ConvTranspose2d(4, 2), nn::Flatten(), nn::Linear(2 * 32 * 32 / 4, 3, {.bias = false}), nn::BatchNorm1d(3),
      nn::Elu{0.5}, nn::Dropout(0.1), sigmoid}
                             .describe());
  descriptions.push_back(nn::Sequential{nn::AvgPool{3, 1, 1, false}, nn::Flatten()}.describe());
  descriptions.push_back(nn::Sequential{
      nn::LiftConv2d(dihedral(4), 1, 2, {.kernel = 5, .dilation = 2, .rings = {{0, 1.5}, {0.3, 0.5}, {0, 3}}}),
      nn::GroupConv2d(dihedral(4), 2, 2, {.padding_mode = PaddingMode::circular})}
                             .describe());
  for (io::Json const& description : descriptions) {
    INFO(description.dump());
    REQUIRE(!description.is_null());
    nn::Stage net = nn::build(description);
    CHECK(net.describe() == description);
  }
  CHECK(nn::Sequential{relu, [](Tensor x) { return x; }}.describe().is_null());
  CHECK(error_of<ValueError>([] {
          nn::build(io::Json::object({{"type", "transformer"}}));
        }).find("unet_vae") != std::string::npos);
  CHECK_THROWS_AS(nn::build(io::Json::object({{"type", "linear"}, {"in", -3}, {"out", 2}})), ValueError);
  CHECK_THROWS_AS(nn::build(io::Json::object({{"type", "linear"}, {"out", 2}})), ValueError);
  CHECK_THROWS_AS(
      nn::build(io::Json::object({{"type", "lift_conv2d"}, {"group", "dihedral(0)"}, {"in", 1}, {"out", 1}})),
      ValueError);
  CHECK(error_of<ValueError>([] {
          nn::build(io::Json::object({{"type", "max_pool"}, {"kernal", 3}}));
        }).find("kernal") != std::string::npos);
  auto lift_with = [](char const* key, io::Json value) {
    auto about = nn::LiftConv2d(dihedral(4), 1, 1).describe();
    about[key] = std::move(value);
    nn::build(about);
  };
  CHECK_THROWS_AS(lift_with("padding_mode", "mirrored"), ValueError);
  CHECK_THROWS_AS(lift_with("rings", io::Json::array({io::Json::array({1, 0, 2})})), ValueError);
  CHECK_THROWS_AS(lift_with("rings", io::Json::array({io::Json::array({1, 0.5})})), ValueError);
}

TEST_CASE("both classifiers learn to tell toy spirals from toy ellipticals") {
  manual_seed(4);
  toy::Batch train = toy::galaxies(48, 16, 1),
             test = toy::galaxies(64, 16, 2);  // 80 steps: the running statistics need some 50
  auto options = small_equivariant(dihedral(4));
  nn::EquivariantClassifier equivariant(options);
  CHECK(accuracy_after(equivariant, 80, train, test) > 0.95);
  nn::PlainCnn plain({.input = {.size = 16, .channels = 1}, .widths = {6, 8}, .dropout = 0});
  CHECK(accuracy_after(plain, 80, train, test) > 0.95);
}

TEST_CASE("the VAE learns: its loss falls and the output is nearer to the clean image than the input") {
  manual_seed(7);
  toy::Batch clean = toy::galaxies(16, 16, 3);
  Tensor noisy = clamp(clean.images + normal(clean.images.shape()) * 0.2, 0, 1);
  nn::UNetVae vae({.size = 16, .channels = 1, .widths = {6, 8}, .latent = 4});
  optim::AdamW opt(vae.parameters(), {.lr = 1e-2});
  double first = 0, last = 0;
  for (int i = 0; i < 60; ++i) {
    Tensor loss = nn::vae_loss(vae.encode_decode(noisy), clean.images, 0.01);
    if (i == 0) first = loss.item();
    last = loss.item();
    loss.backward();
    opt.step();
  }
  CHECK(last < 0.7 * first);
  NoGrad off;
  vae.eval();
  CHECK(mean(square(vae(noisy) - clean.images)).item() < 0.5 * mean(square(noisy - clean.images)).item());
}
