// Blocks and attention: what each may and may not mix, sizes, gates, equivariance, descriptions.
#include <d16/cuda/use.hpp>
#include <d16/nn/attention.hpp>
#include <d16/nn/build.hpp>
#include <d16/ops/group_action.hpp>

#include "ops/compare.hpp"

using namespace d16;

namespace {

double gap(Tensor a, Tensor b) { return testing::difference(a.contiguous(), b.contiguous()); }

/// Every block norm with running statistics of its own, so that it is not the identity.
template <class M> M& unsettled(M& module) {
  NoGrad off;
  for (nn::Named& t : module.named_tensors()) {
    bool vector = t.tensor.rank() == 1;
    if (vector)
      for (float& v : t.tensor.template host<float>()) v = float(0.5 + std::abs(std::sin(10 * v + t.name.size())));
  }
  module.eval();
  return module;
}

/// The image with its pixels in another order: rows and columns exchanged.
Tensor exchanged(Tensor x) { return x.permute({0, 2, 1, 3}).contiguous(); }

}  // namespace

TEST_CASE("a spectral block sees one pixel at a time, a spatial block its neighbours") {
  NoGrad off;
  manual_seed(51);
  nn::SpectralResidualBlock spectral(3, 5);
  nn::SpatialResidualBlock spatial(3, 5);
  unsettled(spectral), unsettled(spatial);
  Tensor x = normal({1, 6, 6, 3}), y = x.clone();
  y.host<float>()[(2 * 6 + 3) * 3] += 1;  // one band of the pixel (2,3)
  auto changed = [&](auto& block) {
    Tensor d = max(abs(block(y) - block(x)), axis::C);
    int count = 0;
    for (double v : testing::values(d)) count += v > 1e-6;
    return count;
  };
  CHECK(changed(spectral) == 1);
  CHECK(changed(spatial) == 25);  // two 3x3 convolutions
}

TEST_CASE("the shortcut is the input itself where it fits, else a projection") {
  NoGrad off;
  manual_seed(52);
  nn::SpatialResidualBlock same(4, 4), wider(4, 6), strided(4, 4, {.down = nn::Downsample::stride});
  CHECK(!same.shortcut);
  CHECK(wider.shortcut->weight.shape() == Shape{6, 4, 1, 1});
  CHECK(strided.shortcut->options.stride == 2);
  for (float& v : same.norm2.weight.host<float>()) v = 0;  // nothing but the shortcut is left
  same.eval();
  Tensor x = normal({2, 5, 7, 4});
  CHECK(testing::same_bits(same(x), relu(x)));
}

TEST_CASE("blocks halve the image by a stride, rounded up, or by a maximum, rounded down") {
  NoGrad off;
  Tensor x = normal({2, 9, 7, 3});
  CHECK(nn::SpatialResidualBlock(3, 4)(x).shape() == Shape{2, 9, 7, 4});
  CHECK(nn::SpatialResidualBlock(3, 4, {.down = nn::Downsample::stride})(x).shape() == Shape{2, 5, 4, 4});
  CHECK(nn::SpatialResidualBlock(3, 4, {.down = nn::Downsample::max_pool})(x).shape() == Shape{2, 4, 3, 4});
  CHECK(nn::SpectralResidualBlock(3, 4)(x).shape() == Shape{2, 9, 7, 4});
}

TEST_CASE("blocks drop in training only; the spatial one whole channels") {
  NoGrad off;
  manual_seed(53);
  nn::SpectralResidualBlock spectral(3, 4, {.dropout = 0.5});
  nn::SpatialResidualBlock spatial(3, 4, {.dropout = 0.5});
  nn::SpatialResidualBlock never(3, 4, {.dropout = 0});
  Tensor x = normal({2, 5, 5, 3});
  CHECK(gap(spectral(x), spectral(x)) > 0);
  CHECK(gap(spatial(x), spatial(x)) > 0);
  CHECK(gap(never(x), never(x)) == 0);
  spectral.eval(), spatial.eval();
  CHECK(gap(spectral(x), spectral(x)) == 0);
  CHECK(gap(spatial(x), spatial(x)) == 0);
}

TEST_CASE("channel attention multiplies by its gates, wherever the pixels are") {
  NoGrad off;
  manual_seed(54);
  nn::ChannelAttention attention(7, 2);
  CHECK(attention.fc1.weight.shape() == Shape{3, 7});
  CHECK(nn::ChannelAttention(7, 16).fc1.weight.shape() == Shape{1, 7});
  Tensor x = normal({3, 5, 6, 7}) + 1.0, gates = attention.gates(x);
  CHECK(gates.shape() == Shape{3, 7});
  CHECK_LE(gap(attention(x), x * gates.reshape({3, 1, 1, 7})), 8 * 1.2e-7 * testing::largest(x));
  CHECK_LE(gap(attention.gates(exchanged(x)), gates), 8 * 1.2e-7);
  CHECK(gap(gates, attention.gates(x * 2.0)) > 1e-3);
}

TEST_CASE("spatial attention multiplies by its gates, whichever channel is which") {
  NoGrad off;
  manual_seed(55);
  nn::SpatialAttention attention(3);
  Tensor x = normal({2, 5, 6, 4}), gates = attention.gates(x);
  CHECK(gates.shape() == Shape{2, 5, 6, 1});
  CHECK(gap(attention(x), x * gates) == 0);
  Tensor turned = concat({x.slice(axis::C, 1, 4), x.slice(axis::C, 0, 1)}, axis::C);
  CHECK_LE(gap(attention.gates(turned), gates), 32 * 1.2e-7);  // the mean is added up in another order
  CHECK(gap(attention.gates(exchanged(x)), exchanged(gates)) > 1e-3);
  CHECK_THROWS_AS(nn::SpatialAttention(4), ValueError);
}

TEST_CASE("a dense block keeps its input and adds what each layer makes of all before") {
  NoGrad off;
  manual_seed(56);
  nn::DenseBlock block(3, {.layers = 4, .growth = 2, .bottleneck = 3});
  unsettled(block);
  Tensor x = normal({2, 5, 4, 3}), y = block(x);
  CHECK(block.channels() == 11);
  CHECK(y.shape() == Shape{2, 5, 4, 11});
  CHECK(gap(y.slice(axis::C, 0, 3), x) == 0);
  // (c + 2) norm values of what comes in, 1x1 to 6 channels, their norm, 3x3 to 2 channels
  int64_t weights = 0;
  for (int64_t c : {3, 5, 7, 9}) weights += 2 * c + 6 * c + 2 * 6 + 9 * 6 * 2;
  CHECK(block.weight_count() == weights);
  CHECK_THROWS_AS(nn::DenseBlock(3, {.layers = 0}), ValueError);
}

TEST_CASE("a group block commutes with the group; with another rule for the elements it does not") {
  NoGrad off;
  manual_seed(57);
  using From = nn::GroupBlock::From;
  for (Group g : {D16, cyclic(4)}) {
    nn::GroupBlock lift(g, From::image, 2, 3), conv(g, From::features, 3, 2);
    unsettled(lift), unsettled(conv);
    Tensor x = normal({1, 7, 7, 2}), features = lift(x), y = conv(features);
    CHECK(y.group() == g);
    CHECK(lift.group() == g);
    // sums of 3 fields, 9 taps, 16 elements and the ring basis
    double tolerance = 3 * 9 * 16 * 1.2e-7 * std::max(1.0, testing::largest(y));
    for (int s = 0; s < g.order(); ++s) {
      if (4 * g.rotation(s) % g.n) continue;  // not a symmetry of the pixel grid
      Tensor moved = lift(act(g, s, x));
      CHECK_LE(gap(moved, act(g, s, features)), tolerance);
      CHECK_LE(gap(conv(moved), act(g, s, y)), tolerance);
      if (s) CHECK(gap(moved, features) > 1e-2);
      CHECK(gap(moved, act(g, g.product(s, g.n / 4), features)) > 1e-2);  // another element
    }
  }
}

TEST_CASE("group norm gives in training what it gives in evaluation, for any batch") {
  NoGrad off;
  manual_seed(58);
  nn::GroupNorm norm(2, 6);
  Tensor x = normal({3, 4, 5, 6}), y = norm(x);
  norm.eval();
  CHECK(gap(norm(x), y) == 0);
  CHECK(gap(norm(x.slice(axis::N, 2, 3)), y.slice(axis::N, 2, 3)) == 0);
  CHECK_THROWS_AS(nn::GroupNorm(4, 6), ValueError);
}

TEST_CASE("a residual block with squeeze and excitation is what its parts are, on a cpu and on the emulator") {
  use_cuda_emulated();
  for (bool training : {true, false})
    for (bool fused : {true, false}) {
      manual_seed(58);
      nn::SpatialResidualBlock block(6, 8, {.dropout = 0, .down = nn::Downsample::stride, .reduction = 4});
      for (nn::BatchNorm2d* norm : {&block.norm1, &block.norm2, &*block.shortcut_norm}) {
        norm->weight = uniform({8}) + 0.5, norm->bias = uniform({8});
        norm->running_mean = normal({8}), norm->running_var = uniform({8}) + 0.5;
      }
      block.train(training);
      Tensor const image = normal({2, 16, 8, 6}), dy = normal({2, 8, 4, 8});
      auto by_parts = [&](Tensor x) {
        Tensor y = block.norm2(block.conv2(relu(block.norm1(block.conv1(x)))));
        return relu((*block.attention)(y) + (*block.shortcut_norm)((*block.shortcut)(x)));
      };
      auto results = [&](Device device, bool whole) {
        block.to(device);
        block.zero_grad();
        Tensor x = image.to(device).detach().set_requires_grad();
        Tensor y = whole ? block(x) : by_parts(x);
        y.backward(dy.to(device));
        std::vector<Tensor> all{y.detach().to("cpu"), x.grad().to("cpu")};
        for (Tensor const& p : block.parameters()) all.push_back(p.grad().to("cpu"));
        return all;
      };
      auto const expected = results("cpu", false), got = results(fused ? "cpu" : "cuda_emulated", true);
      REQUIRE(got.size() == expected.size());
      // sums of 72 products, of 64 pixels, and back through both: some hundred roundings, of random sign
      for (size_t i = 0; i < got.size(); ++i) {
        INFO("training ", training, ", on a cpu ", fused, ", result ", i);
        CHECK_LE(gap(got[i], expected[i]), 64 * 1.2e-7 * testing::largest(expected[i]) + 1e-6);
      }
    }
}

TEST_CASE("descriptions build every new layer again") {
  NoGrad off;
  io::Json description =
      nn::Sequential{nn::SpectralResidualBlock(7, 8, {.dropout = 0.25}),
                     nn::ChannelAttention(8, 3),
                     nn::SpatialAttention(5),
                     nn::SpatialResidualBlock(8, 9, {.dropout = 0.5, .down = nn::Downsample::max_pool}),
                     nn::SpatialResidualBlock(9, 9, {.down = nn::Downsample::stride, .reduction = 3}),
                     nn::DenseBlock(9, {.layers = 2, .growth = 3, .bottleneck = 2, .dropout = 0.1}),
                     nn::GroupNorm(3, 15, 1e-3),
                     nn::SpatialDropout(0.3),
                     nn::AdaptiveAvgPool{3, 2},
                     nn::GroupBlock(D16, nn::GroupBlock::From::image, 15, 2, {.kernel = 5}),
                     nn::GroupBlock(D16, nn::GroupBlock::From::features, 2, 2, {.dropout = 0.2})}
          .describe();
  INFO(description.dump());
  CHECK(nn::build(description).describe() == description);
  io::Json wrong = nn::SpatialResidualBlock(2, 2).describe();
  wrong["down"] = "sideways";
  CHECK(testing::message_of<ValueError>([&] { nn::build(wrong); }) ==
        "network: down is \"sideways\"; it is one of none, stride, max_pool");
}
