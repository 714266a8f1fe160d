// Expansion of weights into filters: equivariance, adjointness, and least squares back.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include <d16/core/random.hpp>
#include <d16/group/steerable_filter.hpp>

using namespace d16;

namespace {

std::vector<double> random_values(int64_t n, uint64_t seed) {
  Random random(seed);
  std::vector<double> values(static_cast<size_t>(n));
  for (double& v : values) v = random.uniform(-1, 1);
  return values;
}
double dot(std::vector<double> const& a, std::vector<double> const& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}
double norm(std::vector<double> const& a) { return std::sqrt(dot(a, a)); }
double largest_difference(std::vector<double> const& a, std::vector<double> const& b) {
  double most = 0;
  for (size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(a[i] - b[i]));
  return most;
}

constexpr Sides every_side[] = {Sides::regular, Sides::lifting, Sides::projecting};

/// The largest |kappa[s g, s h](s x) - kappa[g,h](x)| over the symmetries s of the pixel grid, for one field pair.
/// `move` says where s takes an element; on a plain side there is nothing to move.
template <class Move> double worst_equivariance(Group group, Sides sides, int K, Move const& move) {
  SteerableFilter filter(shared_basis(group, K), sides, 1, 1);
  std::vector<double> f = filter.expand(random_values(filter.weight_count(), 3));
  FilterRule rule{group, sides};
  int Gin = rule.in_order(), Gout = rule.out_order(), middle = K / 2;
  auto tap = [&](int g, int h, int i, int j) { return f[size_t(((g * Gin + h) * K + i) * K + j)]; };
  double worst = 0;
  for (int s = 0; s < group.order(); ++s) {
    if (4 * group.rotation(s) % group.n != 0) continue;
    Group::Matrix m = group.matrix(s);
    for (int g = 0; g < Gout; ++g)
      for (int h = 0; h < Gin; ++h)
        for (int i = 0; i < K; ++i)
          for (int j = 0; j < K; ++j) {
            double x = j - middle, y = middle - i;
            int sj = middle + int(m.m[0] * x + m.m[1] * y), si = middle - int(m.m[2] * x + m.m[3] * y);
            int sg = Gout > 1 ? move(s, g) : 0, sh = Gin > 1 ? move(s, h) : 0;
            worst = std::max(worst, std::abs(tap(sg, sh, si, sj) - tap(g, h, i, j)));
          }
  }
  return worst;
}

}  // namespace

TEST_CASE("steerable filter: a symmetry of the pixel grid moves the filter as it moves the elements") {
  for (Group g : {D16, dihedral(4), cyclic(4), dihedral(2), dihedral(1), cyclic(12)})
    for (Sides sides : every_side)
      for (int k : {1, 3, 5}) {
        // a tap is a sum of V <= 11 products below 1, each right to 100 epsilon (steerable_basis_test.cpp)
        double rounding = 11 * 100 * 2.3e-16;
        CHECK_MESSAGE(worst_equivariance(g, sides, k, [=](int s, int e) { return g.product(s, e); }) <= rounding,
                      g.text(), " sides ", int(sides), " k ", k);
      }
}

TEST_CASE("steerable filter: with the elements swapped the same law fails") {
  for (Sides sides : every_side) {
    CHECK(worst_equivariance(D16, sides, 3, [](int s, int e) { return D16.product(e, s); }) > 0.1);
    CHECK(worst_equivariance(D16, sides, 3, [](int s, int e) { return D16.product(D16.inverse(s), e); }) > 0.1);
  }
}

TEST_CASE("steerable filter: collapse is the adjoint of expand") {
  for (Group g : {D16, cyclic(5), dihedral(1)})
    for (Sides sides : every_side) {
      SteerableFilter filter(shared_basis(g, 5), sides, 2, 3);
      auto w = random_values(filter.weight_count(), 1), f = random_values(filter.filter_count(), 2);
      double left = dot(filter.expand(w), f), right = dot(w, filter.collapse(f));
      double terms = double(filter.filter_count()) * 11;
      CHECK(std::abs(left - right) <= terms * 2.3e-16 * 11);
      CHECK(std::abs(left) > 1e-3);
    }
}

TEST_CASE("steerable filter: least squares gives back the weights of a steerable filter") {
  for (Group g : {D16, cyclic(5), dihedral(16)})
    for (Sides sides : every_side)
      for (int k : {1, 3, 7}) {
        SteerableFilter filter(shared_basis(g, k), sides, 1, 2);
        auto w = random_values(filter.weight_count(), 4);
        SteerableFilter::Fit fit = filter.fit(filter.expand(w));
        // the basis has condition number below 7, A^T A below 49; its sums have up to 32 * 49 terms
        double relative = 49 * 32 * 49 * 2.3e-16;
        CHECK(largest_difference(fit.weights, w) <= relative);
        CHECK(fit.residual <= relative * fit.norm);
        CHECK(fit.norm > 0.1);
      }
}

TEST_CASE("steerable filter: of any other filter the nearest is found and the rest reported") {
  for (Sides sides : every_side) {
    SteerableFilter filter(shared_basis(D16, 3), sides, 2, 1);
    auto f = random_values(filter.filter_count(), 5);
    SteerableFilter::Fit fit = filter.fit(f);
    auto nearest = filter.expand(fit.weights), rest = f;
    for (size_t i = 0; i < f.size(); ++i) rest[i] -= nearest[i];
    CHECK(fit.residual > 0.5 * fit.norm);  // 16 times more taps than weights
    CHECK(std::abs(fit.residual - norm(rest)) <= 1e-12 * fit.norm);
    // the rest is orthogonal to all steerable filters
    CHECK(norm(filter.collapse(rest)) <= 49 * double(f.size()) * 2.3e-16 * fit.norm);
    SteerableFilter::Fit again = filter.fit(nearest);
    CHECK(largest_difference(again.weights, fit.weights) <= 1e-11);
  }
}

TEST_CASE("steerable filter: a basis with functions that the pixels cannot tell apart still projects") {
  // the same ring twice, and a frequency that vanishes at every pixel of its ring: sin 4t at multiples of 45 degrees
  Rings twice{{0, 1, 1}, {0.005, 0.4, 0.4}, {0, 2, 4}};
  for (Sides sides : every_side) {
    SteerableFilter filter(std::make_shared<SteerableBasis const>(steerable_basis(dihedral(4), 3, twice)), sides, 1, 1);
    auto w = random_values(filter.weight_count(), 6), f = filter.expand(w);
    SteerableFilter::Fit fit = filter.fit(f);
    CHECK(fit.residual <= 1e-12 * fit.norm);
    CHECK(norm(fit.weights) < norm(w));  // the shortest of all weights that give this filter
    for (double value : fit.weights) CHECK(std::isfinite(value));
  }
}

TEST_CASE("steerable filter: wrong numbers of values are named") {
  SteerableFilter filter(shared_basis(D16, 3), Sides::regular, 2, 3);
  CHECK(filter.weight_count() == 2 * 3 * 6 * 16);
  CHECK(filter.filter_count() == 2 * 16 * 3 * 16 * 9);
  CHECK_THROWS_AS(filter.expand(std::vector<double>(5)), ShapeError);
  CHECK_THROWS_AS(filter.collapse(std::vector<double>(5)), ShapeError);
}
