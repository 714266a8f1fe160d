// The action on images and features: against plain loops, its laws as a group, and interpolated turns.
#include <doctest/doctest.h>

#include <cmath>

#include <d16/ops/arithmetic.hpp>
#include <d16/ops/group_action.hpp>

#include "group_action.hpp"

using namespace d16;
using d16::testing::difference;
using d16::testing::grid_symmetries;
using d16::testing::largest;

namespace {

constexpr double epsilon = 2.3e-16, pi = 3.14159265358979323846;

Tensor features(Group g, int64_t side, int64_t fields = 2) {
  return normal({2, side, side, fields, g.order()}, {.dtype = DType::f64, .group = g});
}
/// The value of every element at the middle pixel of one field.
std::vector<double> middle(Tensor const& x) {
  std::vector<double> out;
  int64_t side = x.dim(1), G = x.dim(4), at = (side / 2 * side + side / 2) * G;
  for (int64_t g = 0; g < G; ++g) out.push_back(x.data<double>()[at + g]);
  return out;
}

}  // namespace

TEST_CASE("act: what plain loops give, for images and features, even and odd sizes") {
  manual_seed(1);
  for (Group g : {D16, dihedral(4), cyclic(4), cyclic(12), dihedral(1), dihedral(3), cyclic(5)})
    for (int64_t side : {1, 2, 5, 8})
      for (int s : grid_symmetries(g)) {
        INFO(g.text(), " ", s, " side ", side);
        Tensor image = normal({2, side, side, 3}), x = features(g, side);
        CHECK(difference(act(g, s, image), d16::testing::act(g, s, image, {})) == 0);
        CHECK(difference(act(g, s, x), d16::testing::act(g, s, x, {})) == 0);
        CHECK(act(g, s, x).group() == g);
        auto swapped = [&](int a, int b) { return g.order() > 1 ? (g.product(a, b) + 1) % g.order() : 0; };
        if (g.order() > 1) CHECK(difference(act(g, s, x), d16::testing::act(g, s, x, swapped)) > 0);
      }
}

TEST_CASE("act: one after the other is the product, and images that are no squares turn half round") {
  manual_seed(2);
  Tensor x = features(D16, 5);
  for (int a : grid_symmetries(D16))
    for (int b : grid_symmetries(D16))
      CHECK(difference(act(D16, a, act(D16, b, x)), act(D16, D16.product(a, b), x)) == 0);
  Tensor wide = normal({1, 2, 3, 1});
  CHECK(difference(act(cyclic(2), 1, act(cyclic(2), 1, wide)), wide) == 0);
  CHECK(act(cyclic(2), 1, wide).data<float>()[0] == wide.data<float>()[5]);
  CHECK(act(dihedral(1), 1, wide).data<float>()[0] == wide.data<float>()[2]);
}

TEST_CASE("act and turn: what they refuse") {
  Tensor x = features(dihedral(4), 3);
  CHECK_THROWS_AS(act(dihedral(4), 8, x), ValueError);
  CHECK_THROWS_AS(act(D16, 1, normal({1, 3, 3, 1})), ValueError);  // 45 degrees
  CHECK_THROWS_AS(act(Group{}, 0, normal({1, 3, 3, 1})), ValueError);
  CHECK_THROWS_AS(act(cyclic(8), 0, x), GroupError);  // 8 elements too
  CHECK_THROWS_AS(act(dihedral(4), 0, x.with_group({})), GroupError);
  CHECK_THROWS_AS(act(dihedral(4), 1, normal({1, 3, 4, 1})), ShapeError);
  CHECK_THROWS_AS(act(dihedral(4), 0, normal({3, 4})), ShapeError);
  CHECK_THROWS_AS(turn(normal({3, 4}), {}), ShapeError);
  CHECK_THROWS_AS(turn(x.with_group({}), {}), GroupError);
  CHECK_THROWS_AS(turn(features(cyclic(4), 3), {0, true}), GroupError);
}

TEST_CASE("turn: by what keeps the grid it is act, to rounding") {
  manual_seed(3);
  for (Group g : {D16, dihedral(4), cyclic(4), dihedral(2)})
    for (int s : grid_symmetries(g)) {
      INFO(g.text(), " ", s);
      Tensor x = features(g, 7), image = normal({1, 6, 6, 2}, {.dtype = DType::f64});
      // cos and sin of the angle are off by epsilon, the place of a pixel by 7 of it, a weight by 3 slopes of at most 2;
      // 16 pixels and G elements are summed
      double tolerance = (7 * 6 * 16 + 4.0 * g.order()) * epsilon;
      CHECK_LE(difference(turn(x, turn_of(g, s)), act(g, s, x)), tolerance * largest(x));
      CHECK_LE(difference(turn(image, turn_of(g, s)), act(g, s, image)), tolerance * largest(image));
    }
}

TEST_CASE("turn: between the pixels the error falls with the third power of their distance") {
  // a Gaussian beside the middle, below 1e-7 at the border, and where it is after the turn
  auto error = [](int64_t side, double degrees) {
    double sigma = double(side) / 16, at = double(side) / 8, angle = degrees * pi / 180;
    auto spot = [&](double cx, double cy) {
      Tensor x = empty({1, side, side, 1}, {.dtype = DType::f64});
      for (int64_t i = 0; i < side * side; ++i) {
        double dx = double(i % side) - double(side - 1) / 2 - cx, dy = double(side - 1) / 2 - double(i / side) - cy;
        x.data<double>()[i] = std::exp(-(dx * dx + dy * dy) / (2 * sigma * sigma));
      }
      return x;
    };
    return difference(turn(spot(at, 0), {degrees}), spot(at * std::cos(angle), at * std::sin(angle)));
  };
  for (double degrees : {30.0, 45.0, 160.0, -77.0}) {
    double coarse = error(31, degrees), fine = error(63, degrees);
    CHECK(coarse / fine > std::pow(2, 2.5));  // 2^3 in the limit
    CHECK(coarse > error(31, 90));
  }
}

TEST_CASE("turn: an element between the quarter turns exchanges the elements as the group says") {
  Tensor x = features(D16, 1, 1);
  for (int s = 0; s < 16; ++s) {
    std::vector<double> before = middle(x), after = middle(turn(x, turn_of(D16, s)));
    for (int g = 0; g < 16; ++g)  // 16 terms of the matrix, each a sum of 8 cosines
      CHECK(std::abs(after[size_t(D16.product(s, g))] - before[size_t(g)]) <= 16 * 8 * epsilon * largest(x));
  }
}

TEST_CASE("turn: waves along the group that its elements can tell apart turn by any angle") {
  for (Group g : {D16, cyclic(5), dihedral(4), cyclic(1)})
    for (int m = 0; 2 * m < g.n; ++m)
      for (double degrees : {10.0, 22.5, 133.0}) {
        Tensor x = zeros({1, 1, 1, 1, g.order()}, {.dtype = DType::f64, .group = g});
        auto wave = [&](int e, double angle) {
          return std::cos(m * (2 * pi * g.rotation(e) / g.n - angle)) * (g.flip(e) ? 2 : 1);
        };
        for (int e = 0; e < g.order(); ++e) x.data<double>()[e] = wave(e, 0);
        std::vector<double> after = middle(turn(x, {degrees}));
        for (int e = 0; e < g.order(); ++e)
          CHECK(std::abs(after[size_t(e)] - wave(e, degrees * pi / 180)) <= 2 * g.n * g.n * 2 * epsilon);
      }
}

TEST_CASE("act and turn: the gradient of act is the inverse element") {
  manual_seed(4);
  Tensor x = features(D16, 5), dy = features(D16, 5);
  x.set_requires_grad();
  act(D16, 6, x).backward(dy);
  CHECK(difference(x.grad(), act(D16, D16.inverse(6), dy)) == 0);
}
