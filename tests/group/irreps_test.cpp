// The laws of irreducible representations: products, orthogonality, completeness, and that small mistakes break them.
#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include <d16/group/irreps.hpp>

using namespace d16;

namespace {

constexpr double epsilon = 2.3e-16;
// sines of angles up to 2 pi, which carry an error of epsilon 2 pi, in two products and a sum: 2 (2 pi + 2) epsilon
constexpr double rounding = 17 * epsilon;

std::vector<Group> all_groups() {
  std::vector<Group> groups;
  for (int n = 1; n <= 32; ++n) {
    groups.push_back(cyclic(n));
    groups.push_back(dihedral(n));
  }
  return groups;
}

double distance(IrrepMatrix const& a, IrrepMatrix const& b) {
  double most = 0;
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 2; ++j) most = std::max(most, std::abs(a.m[i][j] - b.m[i][j]));
  return most;
}

/// The largest |rho(product(a,b)) - rho(a) rho(b)| for matrices given by `rho`.
template <class Rho, class Product> double worst_product(Group g, Rho const& rho, Product const& product) {
  double worst = 0;
  for (int a = 0; a < g.order(); ++a)
    for (int b = 0; b < g.order(); ++b) worst = std::max(worst, distance(rho(product(a, b)), rho(a) * rho(b)));
  return worst;
}

/// What Schur's lemma says about the mean over the group of r_ij s_kl: zero for different irreps; within one of real
/// type 1/d where i = k and j = l; within one of complex type, R = cos 1 + sin J, the same for 1 and J: each in 1/2.
double expected_mean(Irrep const& r, Irrep const& s, int i, int j, int k, int l) {
  if (r.first != s.first) return 0;
  if (!r.complex_type()) return i == k && j == l ? 1.0 / r.d : 0;
  double const one[2][2] = {{1, 0}, {0, 1}}, J[2][2] = {{0, -1}, {1, 0}};
  return (one[i][j] * one[k][l] + J[i][j] * J[k][l]) / 2;
}

/// The largest difference from that, with the matrices of s read at `element(a)`.
template <class Element> double worst_schur(Group g, Irrep const& r, Irrep const& s, Element const& element) {
  double mean[2][2][2][2] = {}, worst = 0;
  for (int a = 0; a < g.order(); ++a) {
    IrrepMatrix ra = r.matrix(a), sa = s.matrix(element(a));
    for (int i = 0; i < r.d; ++i)
      for (int j = 0; j < r.d; ++j)
        for (int k = 0; k < s.d; ++k)
          for (int l = 0; l < s.d; ++l) mean[i][j][k][l] += ra.m[i][j] * sa.m[k][l] / g.order();
  }
  for (int i = 0; i < r.d; ++i)
    for (int j = 0; j < r.d; ++j)
      for (int k = 0; k < s.d; ++k)
        for (int l = 0; l < s.d; ++l)
          worst = std::max(worst, std::abs(mean[i][j][k][l] - expected_mean(r, s, i, j, k, l)));
  return worst;
}

double character(Irrep const& rho, int a) { return rho.matrix(a).m[0][0] + rho.matrix(a).m[1][1]; }

}  // namespace

TEST_CASE("irreps: the matrix of a product is the product of the matrices") {
  for (Group g : all_groups())
    for (Irrep const& rho : irreps(g))
      CHECK_MESSAGE(
          worst_product(
              g, [&](int a) { return rho.matrix(a); }, [&](int a, int b) { return g.product(a, b); }) <= rounding,
          g.text(), " k ", rho.k, " sign ", rho.sign);
}

TEST_CASE("irreps: with factors or elements swapped, or a wrong sign, they are no representation") {
  for (int n = 3; n <= 32; ++n)
    for (Group g : {cyclic(n), dihedral(n)})
      for (Irrep const& rho : irreps(g)) {
        auto matrix = [&](int a) { return rho.matrix(a); };
        auto product = [&](int a, int b) { return g.product(a, b); };
        if (rho.d == 1) continue;
        CHECK(worst_product(
                  g, [&](int a) { return rho.matrix(a == 0   ? 1
                                                    : a == 1 ? 0
                                                             : a); }, product) > 0.1);
        CHECK(worst_product(
                  g,
                  [&](int a) {  // the sine of one entry
                    auto m = rho.matrix(a);
                    m.m[0][1] = -m.m[0][1];
                    return m;
                  },
                  product) > 0.1);
        if (!g.mirrored()) continue;
        CHECK(worst_product(g, matrix, [&](int a, int b) { return g.product(b, a); }) > 0.1);
        CHECK(worst_product(
                  g, [&](int a) { return rho.matrix(g.rotation(a)); }, product) > 0.1);  // without its mirror
      }
  // the alternating signs of k = n/2, which odd n does not have
  CHECK(worst_product(
            cyclic(5),
            [](int a) {
              return IrrepMatrix{{{a % 2 ? -1. : 1., 0}, {0, 0}}};
            },
            [](int a, int b) { return cyclic(5).product(a, b); }) > 0.1);
}

TEST_CASE("irreps: matrices are orthogonal, and without rounding for the symmetries of the pixel grid") {
  for (Group g : all_groups())
    for (Irrep const& rho : irreps(g))
      for (int a = 0; a < g.order(); ++a) {
        CHECK(distance(rho.matrix(a).transposed(), rho.matrix(g.inverse(a))) <= rounding);
        CHECK(distance(rho.matrix(a) * rho.matrix(a).transposed(), rho.matrix(0)) <= rounding);
        if (4 * rho.k * g.rotation(a) % g.n == 0)
          for (auto const& row : rho.matrix(a).m)
            for (double value : row) CHECK(value == std::round(value));
      }
}

TEST_CASE("irreps: entries are orthogonal over the group (Schur), so no two are equivalent and none falls apart") {
  for (Group g : all_groups()) {
    auto all = irreps(g);
    for (Irrep const& r : all)
      for (Irrep const& s : all)
        // means of |G| products of two entries, each right to (2 pi + 1) epsilon
        CHECK(worst_schur(g, r, s, [](int a) { return a; }) <= (rounding + g.order() * epsilon));
  }
}

TEST_CASE("irreps: orthogonality fails where one element is read for another") {
  for (int n = 3; n <= 32; ++n)
    for (Group g : {cyclic(n), dihedral(n)})
      for (Irrep const& rho : irreps(g)) {
        if (rho.d == 1) continue;
        // two of |G| elements are wrong: the mean moves by the difference of their matrices over |G|
        double moved = worst_schur(g, rho, rho, [](int a) { return a == 0 ? 1 : a == 1 ? 0 : a; });
        CHECK(moved > 0.1 * distance(rho.matrix(0), rho.matrix(1)) / g.order());
      }
}

TEST_CASE("irreps: complete: their coefficients are as many as elements") {
  for (Group g : all_groups()) {
    int coefficients = 0, squares = 0;
    for (Irrep const& rho : irreps(g)) {
      CHECK(rho.first == coefficients);  // without gaps
      coefficients += rho.coefficients();
      squares += rho.d * rho.d / (rho.complex_type() ? 2 : 1);  // 2: matrices that commute with all rho are a + b J
    }
    CHECK(coefficients == g.order());
    CHECK(squares == g.order());
  }
}

TEST_CASE("irreps: their order, which is that of coefficients in memory") {
  auto order = [](Group g) {
    std::string out;
    for (Irrep const& rho : irreps(g))
      out += text(rho.k, rho.d == 2 ? "" : rho.sign > 0 ? "+" : "-", "@", rho.first, " ");
    return out;
  };
  CHECK(order(D16) == "0+@0 0-@1 4+@2 4-@3 1@4 2@8 3@12 ");
  CHECK(order(dihedral(5)) == "0+@0 0-@1 1@2 2@6 ");
  CHECK(order(dihedral(1)) == "0+@0 0-@1 ");
  CHECK(order(dihedral(2)) == "0+@0 0-@1 1+@2 1-@3 ");
  CHECK(order(cyclic(8)) == "0+@0 4+@1 1@2 2@4 3@6 ");
  CHECK(order(cyclic(5)) == "0+@0 1@1 2@3 ");
  CHECK(order(cyclic(1)) == "0+@0 ");
  CHECK(order(cyclic(2)) == "0+@0 1+@1 ");
}

TEST_CASE("irreps: blocks in a row of coefficients") {
  std::vector<double> c{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, copy(16);
  for (Group g : {D16, cyclic(16)}) {
    for (Irrep const& rho : irreps(g)) rho.set_block(copy.data(), rho.block(c.data()));
    CHECK(copy == c);
  }
  CHECK(distance(irreps(D16)[4].block(c.data()), {{{5, 6}, {7, 8}}}) == 0);
  CHECK(distance(irreps(cyclic(16))[2].block(c.data()), {{{3, -4}, {4, 3}}}) == 0);  // a complex number
  CHECK(distance(irreps(D16)[1].block(c.data()), {{{2, 0}, {0, 0}}}) == 0);
}

TEST_CASE("irreps: k = 1 is how the group acts on the plane, seen from axes turned by 90 degrees") {
  IrrepMatrix J{{{0, -1}, {1, 0}}};
  for (int n = 3; n <= 32; ++n)
    for (Group g : {cyclic(n), dihedral(n)})
      for (Irrep const& rho : irreps(g)) {
        if (rho.k != 1 || rho.d == 1) continue;
        for (int a = 0; a < g.order(); ++a) {
          Group::Matrix m = g.matrix(a);
          IrrepMatrix plane{{{m.m[0], m.m[1]}, {m.m[2], m.m[3]}}};
          CHECK(distance(J * rho.matrix(a) * J.transposed(), plane) <= rounding);
        }
      }
}

TEST_CASE("regular representation: permutations that hold each irrep d times, of complex type once") {
  for (Group g : all_groups()) {
    int G = g.order();
    bool homomorphism = true;
    for (int a = 0; a < G && G <= 16; ++a)
      for (int b = 0; b < G; ++b) {
        auto A = regular_representation(g, a), B = regular_representation(g, b),
             AB = regular_representation(g, g.product(a, b));
        for (int i = 0; i < G; ++i)
          for (int j = 0; j < G; ++j) {
            double sum = 0;
            for (int k = 0; k < G; ++k) sum += A[size_t(i * G + k)] * B[size_t(k * G + j)];
            homomorphism = homomorphism && sum == AB[size_t(i * G + j)];
          }
      }
    CHECK(homomorphism);
    for (Irrep const& rho : irreps(g)) {
      double with_regular = 0, with_itself = 0;
      for (int a = 0; a < G; ++a) {
        auto A = regular_representation(g, a);
        double trace = 0;
        for (int i = 0; i < G; ++i) trace += A[size_t(i * G + i)];
        with_regular += trace * character(rho, a) / G;
        with_itself += character(rho, a) * character(rho, a) / G;
      }
      int times = rho.complex_type() ? 1 : rho.d;
      CHECK(std::abs(with_itself - (rho.complex_type() ? 2 : 1)) <= 4 * (rounding + G * epsilon));
      CHECK(std::abs(with_regular / with_itself - times) <= 4 * (rounding + G * epsilon));
    }
  }
}

TEST_CASE("irreps: what they do not take") {
  CHECK_THROWS_AS(irreps(Group{}), GroupError);
  CHECK_THROWS_AS(irreps(cyclic(0)), GroupError);
}
