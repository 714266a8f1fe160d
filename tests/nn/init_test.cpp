// The first values of weights keep the size of signals: measured on random inputs.
#include <doctest/doctest.h>

#include <d16/nn/build.hpp>

using namespace d16;

namespace {

double second_moment(Tensor const& x) { return mean(square(x)).item(); }

/// Mean over several layers of E[y^2] / E[x^2], and its standard error from their scatter.
struct Measured {
  double mean, error;
};
template <class MakeLayer> Measured ratio(MakeLayer const& make_layer, Shape shape, Group group = {}) {
  NoGrad off;
  manual_seed(5);
  double sum = 0, squares = 0;
  int const layers = 24;
  for (int i = 0; i < layers; ++i) {
    auto layer = make_layer();
    double r = second_moment(layer(normal(shape, {.group = group})));
    sum += r / layers;
    squares += r * r / layers;
  }
  return {sum, std::sqrt((squares - sum * sum) / (layers - 1))};
}

/// Within four standard errors of the expected value, which are small enough to tell.
void check(Measured m, double expected) {
  CAPTURE(m.mean);
  CAPTURE(m.error);
  CHECK(std::abs(m.mean - expected) < 4 * m.error);
  CHECK(m.error < 0.1 * expected);
}

}  // namespace

TEST_CASE("He's formula gives twice the second moment, which the ReLU halves") {
  check(ratio([] { return nn::Linear(64, 96); }, {64, 64}), nn::relu_gain);
  check(ratio([] { return nn::Conv2d(8, 24, {.kernel = 3, .padding = 0}); }, {2, 12, 12, 8}), nn::relu_gain);
  check(ratio([] { return nn::Conv2d(8, 24, {.kernel = 1, .padding = 0, .groups = 2}); }, {2, 12, 12, 8}),
        nn::relu_gain);
  check(ratio([] { return nn::ConvTranspose2d(8, 24); }, {2, 8, 8, 8}), nn::relu_gain);
}

TEST_CASE("the formula for steerable bases does the same for any group, kernel and pair of sides") {
  nn::GroupConvOptions inside{.kernel = 3, .padding = 0};  // padding would bring zeros in
  for (Group g : {cyclic(3), dihedral(4)}) {
    CAPTURE(g.text());
    check(ratio([&] { return nn::LiftConv2d(g, 5, 8, inside); }, {2, 9, 9, 5}), nn::relu_gain);
    check(ratio([&] { return nn::GroupConv2d(g, 4, 8, inside); }, {2, 9, 9, 4, g.order()}, g), nn::relu_gain);
    check(ratio([&] { return nn::ProjectConv2d(g, 4, 8, inside); }, {2, 9, 9, 4, g.order()}, g), nn::relu_gain);
  }
  nn::GroupConvOptions wide{.kernel = 5, .padding = 0};
  check(ratio([&] { return nn::GroupConv2d(dihedral(2), 4, 8, wide); }, {2, 9, 9, 4, 4}, dihedral(2)), nn::relu_gain);
}

TEST_CASE("every basis function gets the same share of the variance") {
  manual_seed(6);
  int const kernel = 5;
  Tensor w = nn::steerable_he_normal(dihedral(4), Sides::lifting, kernel, 64, 64);
  auto basis = shared_basis(dihedral(4), kernel);
  for (int v = 0; v < basis->V; ++v) {
    double norm = 0;
    for (int i = 0; i < kernel; ++i)
      for (int j = 0; j < kernel; ++j) norm += (*basis)(0, v, i, j) * (*basis)(0, v, i, j);
    double share = second_moment(w.select(2, v)) * norm * 64 * basis->V;
    // 4096 draws: relative error of a variance sqrt(2 / 4096) = 0.022
    CHECK(std::abs(share / nn::relu_gain - 1) < 5 * 0.022);
  }
}

TEST_CASE("rings that do not fit are refused as the basis refuses them, before weights are counted") {
  auto draw = [](Rings const& rings) { return nn::steerable_he_normal(dihedral(4), Sides::regular, 3, 2, 2, rings); };
  CHECK(draw({{0}, {0.5}, {1}}).shape() == Shape{2, 2, 3, 8});
  CHECK_THROWS_AS(draw({{0}, {0.5}, {-1}}), ValueError);
  CHECK_THROWS_AS(draw({{0}, {0.5, 0.5}, {1}}), ValueError);
}
