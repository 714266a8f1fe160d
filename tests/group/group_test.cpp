// Group axioms, and that an element's index, product and inverse say what its matrix does.
#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include <d16/group/group.hpp>

using namespace d16;

namespace {

std::vector<Group> all_groups() {
  std::vector<Group> groups;
  for (int n = 1; n <= 32; ++n) {
    groups.push_back(cyclic(n));
    groups.push_back(dihedral(n));
  }
  return groups;
}

Group::Matrix times(Group::Matrix const& a, Group::Matrix const& b) {
  return {{a.m[0] * b.m[0] + a.m[1] * b.m[2], a.m[0] * b.m[1] + a.m[1] * b.m[3], a.m[2] * b.m[0] + a.m[3] * b.m[2],
           a.m[2] * b.m[1] + a.m[3] * b.m[3]}};
}
double distance(Group::Matrix const& a, Group::Matrix const& b) {
  double most = 0;
  for (int i = 0; i < 4; ++i) most = std::max(most, std::abs(a.m[i] - b.m[i]));
  return most;
}

/// The largest difference between matrix(product(a,b)) and matrix(a) matrix(b).
template <class Product> double worst_product(Group g, Product const& product) {
  double worst = 0;
  for (int a = 0; a < g.order(); ++a)
    for (int b = 0; b < g.order(); ++b)
      worst = std::max(worst, distance(g.matrix(product(a, b)), times(g.matrix(a), g.matrix(b))));
  return worst;
}

// sines of angles up to 2 pi, which carry an error of epsilon 2 pi, in two products and a sum: 2 (2 pi + 2) epsilon
constexpr double rounding = 17 * 2.3e-16;

}  // namespace

TEST_CASE("group: the product of elements is the product of their matrices") {
  for (Group g : all_groups()) {
    CHECK_MESSAGE(worst_product(g, [&](int a, int b) { return g.product(a, b); }) <= rounding, g.text());
  }
}

TEST_CASE("group: a product in the wrong order or without the mirrored turn is not that of the matrices") {
  for (int n = 3; n <= 32; ++n) {
    Group g = dihedral(n);
    CHECK(worst_product(g, [&](int a, int b) { return g.product(b, a); }) > 0.1);
    CHECK(worst_product(
              g, [&](int a, int b) { return g.element(g.rotation(a) + g.rotation(b), g.flip(a) ^ g.flip(b)); }) > 0.1);
  }
}

TEST_CASE("group: identity, inverse, closure, associativity") {
  for (Group g : all_groups()) {
    bool good = true;
    for (int a = 0; a < g.order(); ++a) {
      good = good && g.product(0, a) == a && g.product(a, 0) == a;
      good = good && g.product(a, g.inverse(a)) == 0 && g.product(g.inverse(a), a) == 0;
      for (int b = 0; b < g.order(); ++b) {
        int ab = g.product(a, b);
        good = good && ab >= 0 && ab < g.order();
        for (int c = 0; c < g.order(); ++c) good = good && g.product(ab, c) == g.product(a, g.product(b, c));
      }
    }
    CHECK_MESSAGE(good, g.text());
  }
}

TEST_CASE("group: matrices are distinct, orthogonal, and exact for the symmetries of the pixel grid") {
  for (Group g : all_groups())
    for (int a = 0; a < g.order(); ++a) {
      Group::Matrix m = g.matrix(a), transposed{{m.m[0], m.m[2], m.m[1], m.m[3]}};
      CHECK(distance(times(m, transposed), {{1, 0, 0, 1}}) <= rounding);
      CHECK(distance(transposed, g.matrix(g.inverse(a))) <= rounding);
      for (int b = 0; b < a; ++b) CHECK(distance(m, g.matrix(b)) > 1.0 / g.n);
      if (4 * g.rotation(a) % g.n == 0)
        for (double value : m.m) CHECK(value == std::round(value));
    }
}

TEST_CASE("group: orientation of the first elements") {
  Group::Matrix quarter = cyclic(4).matrix(1), mirror = dihedral(4).matrix(4);
  CHECK(distance(quarter, {{0, -1, 1, 0}}) == 0);  // x right goes to y up: counter-clockwise
  CHECK(distance(mirror, {{-1, 0, 0, 1}}) == 0);   // x goes to -x
  static_assert(D16.order() == 16 && D16.mirrored() && !cyclic(16).mirrored());
  static_assert(D16.product(D16.inverse(3), 12) == 9);
  CHECK(D16.text() == "dihedral(8)");
  CHECK(Group{}.text() == "none");
  CHECK(Group{}.order() == 1);
}
