// Measuring equivariance: what is equivariant is found so, to rounding; what is not is found, named and explained.
#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <set>
#include <sstream>
#include <stamp.hpp>

#include <d16/nn/build.hpp>
#include <d16/nn/equivariance.hpp>

#include "io/bad_input.hpp"

using namespace d16;
using bad_input::error_of;

namespace {

constexpr double epsilon = 1.2e-7;

nn::Sequential two_layers(Group g) {
  return {nn::LiftConv2d(g, 2, 3, {.kernel = 5}),
          nn::InnerBatchNorm(3),
          relu,
          nn::BlurPool(),
          nn::GroupConv2d(g, 3, 4),
          nn::InnerBatchNorm(4),
          relu,
          group_max_pool,
          global_avg_pool,
          nn::Linear(4, 3)};
}

/// The rounding of all layers so far. Its errors have random signs, so that they grow through a layer as its values do,
/// and stay the same fraction of them.
double rounding_so_far(nn::EquivarianceReport const& r, size_t layer) {
  double sum = 0;
  for (size_t i = 0; i <= layer; ++i) sum += r.layers[i].rounding;
  return sum;
}

/// Cuts off a row and a column that its list of layers does not know.
struct Dishonest : nn::Module {
  nn::LiftConv2d lift{dihedral(4), 1, 2};
  Tensor operator()(Tensor x) { return lift(x).slice(1, 0, 8).slice(2, 0, 8); }
  template <class Visit> void visit_layers(Visit const& visit) { visit(lift); }
  D16_MEMBERS(lift)
};

}  // namespace

TEST_CASE("equivariance: every symmetry of the grid is kept to rounding at odd sizes, by every layer and the network") {
  manual_seed(1);
  for (Group g : {D16, dihedral(4), cyclic(4), dihedral(2), cyclic(8), dihedral(6), dihedral(16)}) {
    INFO(g.text());
    nn::Sequential net = two_layers(g);
    net.eval();
    nn::EquivarianceReport r = nn::check_equivariance(net, nn::smooth_image(13, 2));
    CHECK(r.keeps_grid());
    CHECK(r.by_construction);
    CHECK(r.group == g);
    CHECK(r.warnings().empty());
    CHECK(r.better_side == 0);
    REQUIRE(r.layers.size() == 10);
    for (size_t i = 0; i < 10; ++i) {
      INFO(r.layers[i].name);
      CHECK_LE(r.layers[i].alone, r.layers[i].rounding);
      CHECK_LE(r.layers[i].grid, rounding_so_far(r, i));
    }
    int exact = 0;
    for (nn::TurnEquivariance const& t : r.turns) {
      REQUIRE(t.errors.size() == 10);
      exact += t.exact;
      if (t.exact) CHECK_LE(t.network, rounding_so_far(r, 9));
    }
    CHECK_LE(r.network.grid, r.network.rounding);
    CHECK(exact == (g.n % 4 == 0 ? 4 : 2) * (g.mirrored() ? 2 : 1));
    CHECK(int(r.turns.size()) >= g.order() + int(360 / 7.5) - g.n);
    CHECK(r.network.between > 100 * r.network.grid);  // no network is equivariant between the pixels
  }
}

TEST_CASE("equivariance: two elements exchanged are found, and nothing else is blamed") {
  manual_seed(2);
  auto swap = [](Tensor x) {  // of r and r2
    return concat({x.slice(4, 0, 1), x.slice(4, 2, 3), x.slice(4, 1, 2), x.slice(4, 3, 8)}, axis::G)
        .with_group(dihedral(4));
  };
  nn::Sequential net{nn::LiftConv2d(dihedral(4), 1, 2), swap, nn::GroupConv2d(dihedral(4), 2, 2), group_max_pool};
  net.eval();
  nn::EquivarianceReport r = nn::check_equivariance(net, nn::smooth_image(9, 1));
  CHECK(!r.keeps_grid());
  CHECK(r.layers[1].alone > 0.05);
  CHECK(r.layers[1].reason.find("does not tell") != std::string::npos);
  for (size_t i : {0, 2, 3}) CHECK(!r.layers[i].broken());
  CHECK(r.layers[3].grid > 0.01);  // the damage goes on to the end
  CHECK(r.network.grid > 0.01);
  REQUIRE(r.warnings().size() == 1);
  CHECK(r.warnings()[0].find("1 (function)") == 0);
  CHECK(r.better_side == 0);
}

TEST_CASE("equivariance: a network that runs its layers in another way than it says is found") {
  manual_seed(10);
  Dishonest net;
  net.eval();
  nn::EquivarianceReport r = nn::check_equivariance(net, nn::smooth_image(9, 1));
  CHECK(!r.layers[0].broken());
  CHECK(!r.keeps_grid());
  REQUIRE(r.warnings().size() == 1);
  CHECK(r.warnings()[0].find("the network breaks the grid") == 0);
}

TEST_CASE("equivariance: features with the tag of another group are refused") {
  manual_seed(3);
  // C_8 and D_4 have eight elements each; what is right for one is wrong for the other
  auto relabel = [](Tensor x) { return x.with_group(dihedral(4)); };
  nn::Sequential net{nn::LiftConv2d(cyclic(8), 1, 2), relabel, group_max_pool};
  net.eval();
  CHECK_THROWS_AS(nn::check_equivariance(net, nn::smooth_image(9, 1)), GroupError);
}

TEST_CASE("equivariance: a blur pool with stride 2 at an even size is named, with the reason and a better size") {
  manual_seed(4);
  nn::EquivariantClassifier net({.input = {.size = 16, .channels = 1},
                                 .group = dihedral(4),
                                 .widths = {2, 3, 3},
                                 .kernels = {3},
                                 .pool_after = {1, 2}});
  net.eval();
  nn::EquivarianceReport r = nn::check_equivariance(net, nn::smooth_image(16, 1));
  std::vector<std::string> broken;
  for (auto const& layer : r.layers)
    if (layer.broken()) broken.push_back(layer.name);
  CHECK(broken == std::vector<std::string>{"blur_pool 1", "blur_pool 2"});
  CHECK(r.better_side == 17);
  std::vector<std::string> warnings = r.warnings();
  REQUIRE(warnings.size() == 3);
  CHECK(
      warnings[0] ==
      "blur_pool 1 (blur_pool 5x5, stride 2) breaks the grid: 16 + 2*2 - 5 = 15 is no multiple of the stride 2, so its "
      "windows leave out 1 row at the bottom and as many columns at the right, none at the top and left; sides of 15 "
      "or "
      "17 pixels keep it");
  CHECK(warnings[2] == "images of 17 x 17 pixels keep the grid in all these layers");
  CHECK(nn::check_equivariance(net, nn::smooth_image(17, 1)).keeps_grid());
}

TEST_CASE("equivariance: the network of Pandya et al. keeps the grid at 255 pixels up to its flatten") {
  manual_seed(5);
  nn::EquivariantClassifierOptions o = nn::galaxy_morphology_options(dihedral(4), 10);
  o.input.channels = 1;
  for (int& width : o.widths) width = 1;
  nn::EquivariantClassifier net(o);
  net.eval();
  nn::EquivarianceReport r = nn::check_equivariance(net, nn::smooth_image(255, 1), {.step = 360});
  REQUIRE(r.warnings().size() == 1);
  CHECK(r.warnings()[0].find("flatten 1 (flatten) breaks the grid: it keeps 5 x 5 pixels apart") == 0);
}

TEST_CASE("equivariance: a dense network is measured and not called equivariant") {
  manual_seed(6);
  nn::PlainCnn net({.input = {.size = 16, .channels = 1}, .widths = {3, 4}});
  net.eval();
  nn::EquivarianceReport r = nn::check_equivariance(net, nn::smooth_image(16, 1));
  CHECK(!r.by_construction);
  CHECK(r.group == D16);
  REQUIRE(r.layers.size() == 12);
  for (auto const& layer : r.layers) CHECK(layer.broken() == (layer.what == "conv2d 3x3"));
  CHECK(r.layers[1].reason.find("ordinary convolution") != std::string::npos);
  CHECK(r.network.grid > 1e-3);
  CHECK(r.network.elements > 1e-3);
  CHECK(!nn::check_equivariance(net, nn::smooth_image(17, 1)).keeps_grid());
}

TEST_CASE("equivariance: the layers are the network, with the names of its weights") {
  manual_seed(7);
  NoGrad off;
  Tensor x = uniform({2, 17, 17, 1});
  auto run = [&](auto& net) {
    if constexpr (requires { net.eval(); }) net.eval();
    Tensor y = x;
    std::vector<std::string> names;
    for (nn::Layer& layer : nn::layers_of(net)) {
      y = layer.call(y);
      names.push_back(layer.name);
    }
    Tensor expected = net(x);
    REQUIRE(y.shape() == expected.shape());
    // a convolution takes its norm and ReLU along: the largest sum, of 9 taps, 2 fields and 8 elements, rounded once more
    CHECK_LE(max(abs(y - expected)).item(), 9 * 2 * 8 * epsilon * max(abs(expected)).item());
    CHECK(std::set<std::string>(names.begin(), names.end()).size() == names.size());
    return names;
  };
  nn::EquivariantClassifier net({.input = {.size = 17, .channels = 1},
                                 .group = dihedral(4),
                                 .widths = {2, 3},
                                 .kernels = {3},
                                 .pool_after = {1},
                                 .disk_mask = true,
                                 .hidden = {5}});
  CHECK(run(net) == std::vector<std::string>{"rescale 1", "disk_mask 1", "lift", "norms.0", "relu 1", "blur_pool 1",
                                             "convs.0", "norms.1", "relu 2", "group_max_pool 1", "global_avg_pool 1",
                                             "head.0", "head.1", "head.2", "head.3"});
  nn::PlainCnn plain({.input = {.size = 17, .channels = 1}, .widths = {2}, .convs = 2});
  CHECK(run(plain).size() == 11);
  nn::Sequential nested{nn::Sequential{nn::Conv2d(1, 2), relu}, nn::MaxPool(), global_avg_pool};
  CHECK(run(nested) == std::vector<std::string>{"0.0", "0.1", "1", "2"});
  nn::Stage built = nn::build(net.describe());
  built.module()->eval();
  CHECK(run(built).size() == 15);
  nn::Conv2d one(1, 2);
  CHECK(run(one) == std::vector<std::string>{"network"});
  nn::Stage vae = nn::UNetVae({.size = 8, .channels = 1, .widths = {2, 3}, .latent = 2});
  vae.module()->eval();
  x = uniform({1, 8, 8, 1});
  CHECK(run(vae) == std::vector<std::string>{"network"});
}

TEST_CASE("equivariance: a finer circle of elements turns by more angles") {
  // the features of a lifting convolution whose filters have frequencies up to 2, under turns by odd multiples of 45
  // degrees: elements of D_8, for D_4 in between, where the four values on its circle cannot hold the frequency 2
  manual_seed(8);
  double error[2];
  for (int i : {0, 1}) {
    nn::LiftConv2d lift(dihedral(i ? 8 : 4), 1, 4, {.kernel = 5});
    lift.eval();
    nn::EquivarianceReport r = nn::check_equivariance(lift, nn::smooth_image(65, 1));
    error[i] = 0;
    for (auto const& t : r.turns)
      if (!t.turn.mirror && std::fmod(t.turn.degrees, 90) == 45) error[i] = std::max(error[i], t.errors[0]);
    CHECK(std::isnan(r.layers[0].elements) == (i == 0));
  }
  CHECK(error[1] < 0.05);  // what the pixels cost
  CHECK(error[0] > 3 * error[1]);
}

TEST_CASE("equivariance: pictures of pixels, and pictures that are drawn anew") {
  nn::TurnedImage drawn = nn::smooth_image(33, 2, 5), given = nn::turned(drawn({}));
  for (nn::TurnedImage const& image : {drawn, given}) {
    Tensor x = image({});
    CHECK(x.shape() == Shape{1, 33, 33, 2});
    for (int e = 0; e < 8; ++e) {
      // a sum of 12 exponentials below 1 whose arguments, at most 200 in size, are rounded by epsilon: in double
      double tolerance = &image == &given ? 0 : 2 * epsilon;
      Tensor a = image(turn_of(dihedral(4), e)), b = act(dihedral(4), e, x);
      CHECK_LE(max(abs(a - b)).item(), tolerance);
      if (e) CHECK(max(abs(a - x)).item() > 0.1);  // the picture has no symmetry of its own
    }
  }
  auto interpolation = [](int64_t side) {
    nn::TurnedImage image = nn::smooth_image(side, 2, 5);
    return max(abs(image({30}) - nn::turned(image({}))({30}))).item();
  };
  CHECK(interpolation(33) > 16 * interpolation(129));  // the third power of 4 in the limit
  CHECK(max(abs(drawn({}) - nn::smooth_image(33, 2, 6)({}))).item() > 0.1);
  CHECK(max(drawn({})).item() < 1);
}

TEST_CASE("equivariance: what it refuses") {
  nn::Sequential net = two_layers(dihedral(4));
  CHECK_THROWS_AS(nn::check_equivariance(net, nn::smooth_image(9, 2)), ValueError);  // in training
  net.eval();
  CHECK_THROWS_AS(nn::check_equivariance(net, ones({1, 8, 9, 2})), ShapeError);
  CHECK_THROWS_AS(nn::check_equivariance(net, ones({9, 9, 2})), ShapeError);
  nn::Sequential broken{[](Tensor x) { return x * std::nan(""); }};
  broken.eval();
  nn::EquivarianceReport r = nn::check_equivariance(broken, nn::smooth_image(9, 2));
  CHECK(!r.keeps_grid());
  CHECK(std::isinf(r.layers[0].grid));
  nn::Sequential zero{[](Tensor x) { return x * 0.0; }};
  zero.eval();
  CHECK(nn::check_equivariance(zero, nn::smooth_image(9, 2)).keeps_grid());
}

TEST_CASE("equivariance: each line of the table in docs/equivariance.md") {
  manual_seed(9);
  std::ifstream file(std::string(stamp::source_dir) + "/docs/equivariance.md");
  std::stringstream page;
  page << file.rdbuf();
  Group g = dihedral(4);
  struct Line {
    std::string layer;
    std::function<nn::Stage()> make;
    bool image = false;  ///< it takes an image, the others features
  };
  auto padded = [w = normal({3, 2, 6, 8}), g](PaddingMode mode) {
    return nn::Stage([=](Tensor x) { return group_conv2d(g, x, w, {}, {.padding = 1, .padding_mode = mode}); });
  };
  std::vector<Line> lines{
      {"`LiftConv2d` 5x5, padding 2", [&] { return nn::LiftConv2d(g, 2, 3, {.kernel = 5}); }, true},
      {"`GroupConv2d` 3x3, padding 1", [&] { return nn::GroupConv2d(g, 2, 3); }},
      {"`GroupConv2d` 3x3, padding 0", [&] { return nn::GroupConv2d(g, 2, 3, {.padding = 0}); }},
      {"`GroupConv2d` 1x1", [&] { return nn::GroupConv2d(g, 2, 3, {.kernel = 1}); }},
      {"`group_conv2d` 3x3, circular padding 1", [&] { return padded(PaddingMode::circular); }},
      {"`group_conv2d` 3x3, reflected padding 1", [&] { return padded(PaddingMode::reflect); }},
      {"`ProjectConv2d` 3x3, padding 1", [&] { return nn::ProjectConv2d(g, 2, 3); }},
      {"`GroupConv2d` 3x3, stride 2, padding 1", [&] { return nn::GroupConv2d(g, 2, 3, {.stride = 2}); }},
      {"`GroupConv2d` 3x3, stride 2, padding 2", [&] { return nn::GroupConv2d(g, 2, 3, {.stride = 2, .padding = 2}); }},
      {"`GroupConv2d` 5x5, stride 2, padding 2", [&] { return nn::GroupConv2d(g, 2, 3, {.kernel = 5, .stride = 2}); }},
      {"`GroupConv2d` 3x3, stride 3, padding 1", [&] { return nn::GroupConv2d(g, 2, 3, {.stride = 3}); }},
      {"`BlurPool` 5x5, stride 2, padding 2", [] { return nn::BlurPool(); }},
      {"`BlurPool` 4x4, stride 2, padding 1",
       [] {
         return nn::BlurPool{0.66, 4, 2, 1};
       }},
      {"`MaxPool` 2x2, stride 2", [] { return nn::MaxPool(); }},
      {"`MaxPool` 3x3, stride 2, padding 1",
       [] {
         return nn::MaxPool{3, 2, 1};
       }},
      {"`AvgPool` 2x2, stride 2", [] { return nn::AvgPool(); }},
      {"`InnerBatchNorm`", [] { return nn::InnerBatchNorm(2); }},
      {"`relu`, `Elu`, `sigmoid` and the like", [] { return nn::Elu(); }},
      {"`Upsample`, nearest",
       [] {
         return nn::Upsample{2, false};
       }},
      {"`Upsample`, bilinear",
       [] {
         return nn::Upsample{2, true};
       }},
      {"`DiskMask`", [] { return nn::DiskMask(); }, true},
      {"`group_max_pool`", [] { return group_max_pool; }},
      {"`group_mean_pool`", [] { return group_mean_pool; }},
      {"`global_avg_pool`", [] { return global_avg_pool; }, true},
      {"`Flatten` of more than one pixel", [] { return nn::Flatten(); }, true},
      {"`Conv2d` 3x3, padding 1", [] { return nn::Conv2d(2, 3); }, true},
      {"`Conv2d` 1x1", [] { return nn::Conv2d(2, 3, {.kernel = 1}); }, true},
      {"`ConvTranspose2d` 2x2, stride 2", [] { return nn::ConvTranspose2d(2, 3); }, true},
  };
  for (Line const& line : lines) {
    std::string kept, broken;
    for (int64_t side = 8; side <= 13; ++side) {
      nn::Sequential net;
      if (!line.image) net.add(nn::LiftConv2d(g, 2, 2));
      net.add(line.make());
      net.eval();
      bool keeps =
          nn::check_equivariance(net, uniform({1, side, side, 2}), {.step = 360, .dense_group = g}).keeps_grid();
      (keeps ? kept : broken) += text(keeps ? kept.empty() ? "" : " " : broken.empty() ? "" : " ", side);
    }
    for (std::string* list : {&kept, &broken})
      *list = list->empty() ? "none" : *list == "8 9 10 11 12 13" ? "all" : *list;
    std::string row = text("| ", line.layer, " | ", kept, " | ", broken, " |");
    CHECK_MESSAGE(page.str().find(row) != std::string::npos, "docs/equivariance.md has no line\n", row);
  }
}
