// BandNetwork: every option, its files, invariance, missing bands, features, that it learns, errors.
#include <doctest/doctest.h>

#include <d16/nn/predictor.hpp>
#include <d16/ops/losses.hpp>
#include <d16/optim/adam.hpp>

#include "io/bad_input.hpp"
#include "ops/compare.hpp"

using namespace d16;
using testing::message_of;

namespace {

nn::BandNetworkOptions small() {
  return {.input = {.size = 16, .channels = 5, .classes = 3},
          .spectral = {6, 4},
          .spatial = {4, 5},
          .feature_width = 3,
          .hidden = {6}};
}
nn::BandNetworkOptions with_group(Group g, nn::Downsample down) {
  auto o = small();
  o.group = g, o.spatial = {2, 3}, o.down = down, o.position = nn::Position::radius;
  return o;
}

/// All options at other values than the defaults, a few at a time.
std::vector<nn::BandNetworkOptions> variants() {
  std::vector<nn::BandNetworkOptions> all(5, small());
  all[0].fusion = nn::Fusion::early, all[0].down = nn::Downsample::max_pool, all[0].position = nn::Position::full;
  all[1].mask = true, all[1].features = 11, all[1].spatial_attention = true, all[1].reduction = 2;
  all[2].spectral = {}, all[2].hidden = {}, all[2].dropout = 0, all[2].down = nn::Downsample::none;
  all[3] = with_group(D16, nn::Downsample::stride), all[3].mask = true, all[3].input.deviation = 3;
  all[4] = with_group(cyclic(8), nn::Downsample::max_pool), all[4].fusion = nn::Fusion::early, all[4].features = 2;
  all[4].spectral_dropout = 0.3, all[4].spatial_dropout = 0.2;
  return all;
}

nn::BandInputs inputs(nn::BandNetworkOptions const& o, int64_t count, int64_t side) {
  nn::BandInputs in{.image = normal({count, side, side, o.input.channels})};
  if (o.features) in.features = normal({count, o.features});
  if (o.mask) in.valid = ones({count, o.input.channels});
  return in;
}

/// Running statistics that are not those of a new network.
nn::BandNetwork& settled(nn::BandNetwork& net, nn::BandNetworkOptions const& o) {
  NoGrad off;
  for (int i = 0; i < 3; ++i) net(inputs(o, 4, o.input.size));
  net.eval();
  return net;
}

double gap(Tensor a, Tensor b) { return testing::difference(a, b); }
Tensor turned(Tensor x) {  // a quarter turn: rows and columns exchanged, then one of them reversed
  Tensor y = x.permute({0, 2, 1, 3}).contiguous();
  std::vector<Tensor> rows;
  for (int64_t i = y.dim(1) - 1; i >= 0; --i) rows.push_back(y.slice(axis::H, i, i + 1));
  return concat(rows, axis::H);
}

/// Light in a disk, bright in the bands of the class and dim in the others, with noise: spectra tell the classes apart.
void draw(Tensor images, Tensor labels, uint64_t seed) {
  Random random(seed);
  int64_t side = images.dim(1), bands = images.dim(3);
  float* pixel = images.data<float>();
  for (int64_t n = 0; n < images.dim(0); ++n) {
    int64_t label = labels.data<int64_t>()[n] = n % 3;
    double brightness = random.uniform(0.5, 2), radius = random.uniform(2, 4), middle = 0.5 * double(side - 1);
    for (int64_t i = 0; i < side; ++i)
      for (int64_t j = 0; j < side; ++j)
        for (int64_t b = 0; b < bands; ++b) {
          double r = std::hypot(double(i) - middle, double(j) - middle) / radius;
          double level = label == 2 ? 1.0 : (b < bands / 2) == (label == 0) ? 1.5 : 0.5;
          *pixel++ = float(brightness * level * std::exp(-r * r) + 0.1 * random.normal());
        }
  }
}

}  // namespace

TEST_CASE("every option: shapes, gradients for all weights, and the same network from its description") {
  manual_seed(71);
  for (nn::BandNetworkOptions const& o : variants()) {
    nn::BandNetwork net(o);
    io::Json description = net.describe();
    INFO(description.dump());
    Tensor y = net(inputs(o, 3, 16));
    CHECK(y.shape() == Shape{3, 3});
    cross_entropy(y, from(std::vector<int64_t>{0, 1, 2}, {3})).backward();
    for (nn::Named const& p : net.named_parameters()) CHECK_MESSAGE(p.tensor.grad().defined(), p.name);
    CHECK(nn::build(description).describe() == description);
    CHECK(net.group() == o.group);
  }
  CHECK(nn::BandNetwork().weight_count() < 100'000);
}

TEST_CASE("a file of weights gives the network again, to the bit") {
  bad_input::TemporaryFolder folder;
  NoGrad off;
  manual_seed(72);
  for (nn::BandNetworkOptions const& o : variants()) {
    nn::BandNetwork net(o);
    auto in = inputs(o, 2, 16);
    Tensor y = settled(net, o)(in);
    save(net, folder / "net.safetensors");
    LoadedNetwork loaded = load_network(folder / "net.safetensors");
    REQUIRE(loaded.net.as<nn::BandNetwork>());
    CHECK(testing::same_bits((*loaded.net.as<nn::BandNetwork>())(in), y));
  }
  nn::BandNetwork plain(small());
  settled(plain, small());
  save(plain, folder / "plain.safetensors");
  Predictor predict(folder / "plain.safetensors", {.batch = 2});
  Tensor x = normal({2, 16, 16, 5});
  CHECK(testing::same_bits(predict(x), softmax(plain(x), 1)));
}

TEST_CASE("with a group the answer does not change with quarter turns, on even and on odd grids; without one it does") {
  NoGrad off;
  manual_seed(73);
  auto changes = [&](nn::BandNetworkOptions o, int side) {
    o.input.size = side;
    nn::BandNetwork net(o);
    Tensor x = settled(net, o)(inputs(o, 1, side)), image = normal({2, side, side, 5});
    Tensor y = net(image);
    return gap(net(turned(image)), y) / std::max(1.0, testing::largest(y));
  };
  double tolerance = 3 * 9 * 16 * 1.2e-7;  // sums of 3 fields, 9 taps and 16 elements
  CHECK(changes(with_group(D16, nn::Downsample::max_pool), 16) < tolerance);
  CHECK(changes(with_group(D16, nn::Downsample::stride), 17) < tolerance);
  auto early = with_group(D16, nn::Downsample::max_pool);
  early.fusion = nn::Fusion::early;
  CHECK(changes(early, 16) < tolerance);
  auto plain = small();
  plain.down = nn::Downsample::max_pool;
  CHECK(changes(plain, 16) > 1e-3);
}

TEST_CASE("a missing band may hold anything, and a network with a mask knows that it is missing") {
  NoGrad off;
  manual_seed(74);
  auto o = small();
  o.mask = true;
  nn::BandNetwork net(o);
  settled(net, o);
  auto in = inputs(o, 1, 16);
  in.valid.host<float>()[3] = 0;
  Tensor y = net(in);
  auto with_band = [&](int64_t band, double value) {
    auto other = in;
    other.image = in.image.clone();
    for (int64_t i = band; i < other.image.numel(); i += 5) other.image.host<float>()[size_t(i)] = float(value);
    return net(other);
  };
  CHECK(testing::same_bits(with_band(3, 1e6), y));
  CHECK(gap(with_band(2, 1), y) > 1e-4);
  auto dark = in;  // observed, and nothing there
  dark.image = in.image.clone(), dark.valid = ones({1, 5});
  for (int64_t i = 3; i < dark.image.numel(); i += 5) dark.image.host<float>()[size_t(i)] = 0;
  CHECK(gap(net(dark), y) > 1e-4);
  CHECK(testing::same_bits(net(nn::BandInputs{.image = in.image}),
                           net(nn::BandInputs{.image = in.image, .valid = ones({1, 5})})));
}

TEST_CASE("features reach the answer, and the place of a pixel does when it is told") {
  NoGrad off;
  manual_seed(75);
  auto o = small();
  o.features = 4;
  nn::BandNetwork net(o);
  settled(net, o);
  auto in = inputs(o, 2, 16), other = in;
  other.features = in.features + 1.0;
  CHECK(gap(net(in), net(other)) > 1e-4);

  // a source far from the edges, moved: without position the average over the image cannot know
  auto depends_on_place = [](nn::Position position) {
    nn::BandNetworkOptions p{.input = {.size = 16, .channels = 1, .classes = 2},
                             .spectral = {16},
                             .spatial = {8},
                             .down = nn::Downsample::none,
                             .position = position};
    nn::BandNetwork tell(p);
    settled(tell, p);
    Tensor inside = zeros({1, 16, 16, 1}), outside = inside.clone();
    inside.host<float>()[7 * 16 + 7] = 5, outside.host<float>()[5 * 16 + 5] = 5;
    return gap(tell(inside), tell(outside));
  };
  CHECK(depends_on_place(nn::Position::radius) > 1e-3);
  CHECK(depends_on_place(nn::Position::full) > 1e-3);
  CHECK(depends_on_place(nn::Position::none) < 256 * 1.2e-7);  // a sum over 256 pixels in another order
}

TEST_CASE("new weights are He-normal") {
  manual_seed(76);
  nn::BandNetwork net({.spectral = {64}, .spatial = {64}});
  for (nn::Named const& p : net.named_parameters()) {
    if (p.tensor.rank() != 4 || p.tensor.numel() < 2000) continue;
    INFO(p.name);
    double fan_in = double(p.tensor.numel() / p.tensor.dim(0)), n = double(p.tensor.numel());
    double variance = mean(square(p.tensor.detach())).item() * fan_in / 2;
    CHECK_LE(std::abs(variance - 1), 5 * std::sqrt(2 / n));  // of the variance of n normal numbers
  }
}

TEST_CASE("it learns to tell spectra apart, with ordinary convolutions and with those of a group") {
  Tensor images = empty({48, 16, 16, 5}), labels = empty({48}, {.dtype = DType::i64});
  Tensor test = empty({60, 16, 16, 5}), truth = empty({60}, {.dtype = DType::i64});
  draw(images, labels, 1), draw(test, truth, 2);
  for (auto o : {small(), with_group(dihedral(4), nn::Downsample::max_pool)}) {
    manual_seed(77);
    nn::BandNetwork net(o);
    optim::Adam opt(net.parameters(), {.lr = 1e-2});
    for (int i = 0; i < 100; ++i) {
      cross_entropy(net(images), labels).backward();
      opt.step();
    }
    NoGrad off;
    net.eval();
    Tensor best = argmax(net(test), 1);
    double right = 0;
    for (size_t i = 0; i < 60; ++i) right += best.host<int64_t>()[i] == truth.host<int64_t>()[i];
    CHECK(right / 60 > 0.9);
  }
}

TEST_CASE("BandNetwork: errors") {
  auto o = small();
  nn::BandNetwork plain(o);
  Tensor image = zeros({2, 16, 16, 5});
  CHECK(message_of<ShapeError>([&] {
          plain(zeros({2, 16, 16, 4}));
        }) == "BandNetwork: image is (N=2,H=16,W=16,C=4); it needs (N,H,W,5)");
  CHECK(message_of<ValueError>([&] {
          plain(nn::BandInputs{.image = image, .features = zeros({2, 3})});
        }) == "BandNetwork: features were given to a network made without them");
  CHECK_THROWS_AS(plain(nn::BandInputs{.image = image, .valid = ones({2, 5})}), ValueError);
  o.features = 3, o.mask = true;
  nn::BandNetwork full(o);
  CHECK(message_of<ValueError>([&] { full(image); }) == "BandNetwork: no features; this network needs (N,3)");
  CHECK(message_of<ShapeError>([&] {
          full(nn::BandInputs{.image = image, .features = zeros({2, 4})});
        }) == "BandNetwork: features are (2,4) for an image of (N=2,H=16,W=16,C=5); it needs (2,3)");
  CHECK_THROWS_AS(full(nn::BandInputs{.image = image, .features = zeros({2, 3}), .valid = ones({2, 4})}), ShapeError);
  o.group = D16, o.position = nn::Position::full;
  CHECK_THROWS_AS(nn::BandNetwork{o}, ValueError);
  o = small(), o.fusion = nn::Fusion::early, o.spectral = {4, 4, 4};
  CHECK_THROWS_AS(nn::BandNetwork{o}, ValueError);
  o = small(), o.spatial = {};
  CHECK_THROWS_AS(nn::BandNetwork{o}, ValueError);
}
