// The group Fourier transform: inverse, Parseval, convolution theorem, butterflies against matrices; what breaks them.
#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include <d16/core/random.hpp>
#include <d16/group/fourier.hpp>
#include <d16/group/steerable_basis.hpp>

using namespace d16;

namespace {

using Values = std::vector<double>;

constexpr double epsilon = 2.3e-16;

std::vector<Group> all_groups() {
  std::vector<Group> groups;
  for (int n = 1; n <= 32; ++n) {
    groups.push_back(cyclic(n));
    groups.push_back(dihedral(n));
  }
  return groups;
}

Values random_values(Group g, uint64_t seed) {
  Random random(seed);
  Values values(size_t(g.order()));
  for (double& v : values) v = random.uniform(-1, 1);
  return values;
}
double distance(Values const& a, Values const& b) {
  double most = 0;
  for (size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(a[i] - b[i]));
  return most;
}
Values times(Values const& matrix, Values const& x) {
  Values out(x.size(), 0.0);
  for (size_t i = 0; i < x.size(); ++i)
    for (size_t j = 0; j < x.size(); ++j) out[i] += matrix[i * x.size() + j] * x[j];
  return out;
}
Values product(Group g, Values const& F, Values const& W) {
  Values out(F.size(), 0.0);
  add_product(g, F, W, out);
  return out;
}
/// What a layer computes: sum over h of w[g^-1 h] f[h].
Values correlation(Group group, Values const& f, Values const& w) {
  Values out(f.size(), 0.0);
  for (int g = 0; g < group.order(); ++g)
    for (int h = 0; h < group.order(); ++h)
      out[size_t(g)] += w[size_t(group.product(group.inverse(g), h))] * f[size_t(h)];
  return out;
}
Values exchanged(Values f, size_t i, size_t j) {
  std::swap(f[i], f[j]);
  return f;
}

/// Coefficients are sums of |G| values below 1 times sines that are right to (2 pi + 1) epsilon: |G| (8 + |G|) epsilon.
double rounding(Group g) { return g.order() * (8 + g.order()) * epsilon; }
/// Of products of two coefficients, each up to |G|, two of which may meet.
double product_rounding(Group g) { return 2 * 2 * g.order() * rounding(g); }

}  // namespace

TEST_CASE("fourier: butterflies are the matrix, and back") {
  for (Group g : all_groups()) {
    Values f = random_values(g, 1), F = fourier_transform(g, f);
    CHECK_MESSAGE(distance(F, times(fourier_matrix(g), f)) <= rounding(g), g.text());
    // the inverse divides by |G| what adds up to d |G| times the largest coefficient
    CHECK_MESSAGE(distance(inverse_fourier_transform(g, f), times(inverse_fourier_matrix(g), f)) <= 2 * rounding(g),
                  g.text());
    CHECK_MESSAGE(distance(inverse_fourier_transform(g, F), f) <= 2 * rounding(g), g.text());
  }
}

TEST_CASE("fourier: A_k and B_k by their sums, M(A) + M(B) D as the block") {
  for (Group g : all_groups()) {
    Values f = random_values(g, 2), F = fourier_transform(g, f);
    for (Irrep const& rho : irreps(g)) {
      double a[2] = {}, b[2] = {};
      for (int r = 0; r < g.n; ++r) {
        double angle = 2 * M_PI * rho.k * r / g.n, parts[2] = {std::cos(angle), std::sin(angle)};
        for (int i = 0; i < 2; ++i) {
          a[i] += f[size_t(r)] * parts[i];
          if (g.mirrored()) b[i] += f[size_t(g.n + r)] * parts[i];
        }
      }
      double const* c = &F[size_t(rho.first)];
      // angles up to 2 pi k, k < n/2
      double tolerance = rounding(g) + g.order() * M_PI * g.n * epsilon;
      auto is = [&](int at, double value) { CHECK(std::abs(c[at] - value) <= tolerance); };
      if (rho.d == 1) is(0, a[0] + rho.sign * b[0]);
      else if (rho.complex_type()) is(0, a[0]), is(1, a[1]);
      else is(0, a[0] + b[0]), is(1, -a[1] + b[1]), is(2, a[1] + b[1]), is(3, a[0] - b[0]);
    }
  }
}

TEST_CASE("fourier: a mirror alone, in numbers") {
  Values f(16, 0.0);
  f[8 + 2] = 1;  // turned by 90 degrees
  CHECK(fourier_transform(D16, f) == Values{1, -1, 1, -1, 0, 1, 1, 0, -1, 0, 0, 1, 0, -1, -1, 0});
  Values g(4, 0.0);
  g[1] = 1;
  CHECK(fourier_transform(cyclic(4), g) == Values{1, -1, 0, 1});
}

TEST_CASE("fourier: exchanged values or the other sense of turning are another transform") {
  for (int n = 3; n <= 32; ++n)
    for (Group g : {cyclic(n), dihedral(n)}) {
      Values f = random_values(g, 1), F = times(fourier_matrix(g), f);
      CHECK(distance(fourier_transform(g, exchanged(f, 1, 2)), F) > 1e-3);
      Values back = f;  // r -> -r
      for (int r = 0; r < n; ++r) back[size_t(r)] = f[size_t((n - r) % n)];
      CHECK(distance(fourier_transform(g, back), F) > 1e-3);
    }
}

TEST_CASE("fourier: the matrices are inverse, rows orthogonal with square length |G|/d") {
  for (Group g : all_groups()) {
    size_t G = size_t(g.order());
    Values phi = fourier_matrix(g), inverse = inverse_fourier_matrix(g);
    for (Irrep const& rho : irreps(g))
      for (int c = rho.first; c < rho.first + rho.coefficients(); ++c)
        for (size_t other = 0; other < G; ++other) {
          double rows = 0, with_inverse = 0;
          for (size_t h = 0; h < G; ++h) {
            rows += phi[size_t(c) * G + h] * phi[other * G + h];
            with_inverse += phi[size_t(c) * G + h] * inverse[h * G + other];
          }
          CHECK(std::abs(rows - (int(other) == c ? double(G) / rho.d : 0)) <= 2 * rounding(g));
          CHECK(std::abs(with_inverse - (int(other) == c ? 1 : 0)) <= 4 * rounding(g) / double(G));
        }
  }
}

TEST_CASE("fourier: Parseval: squares are kept, each coefficient weighted by d/|G|") {
  for (Group g : all_groups()) {
    Values f = random_values(g, 3), F = fourier_transform(g, f);
    double squares = 0, coefficients = 0, unweighted = 0;
    for (double v : f) squares += v * v;
    for (Irrep const& rho : irreps(g))
      for (int c = rho.first; c < rho.first + rho.coefficients(); ++c) {
        coefficients += rho.d * F[size_t(c)] * F[size_t(c)] / g.order();
        unweighted += F[size_t(c)] * F[size_t(c)] / g.order();
      }
    // |G| squares of coefficients up to |G|, over |G|, each wrong by twice its rounding
    CHECK_MESSAGE(std::abs(coefficients - squares) <= 2 * 2 * g.order() * rounding(g), g.text());
    if (g.n >= 3) CHECK(std::abs(unweighted - squares) > 1e-3);
  }
}

TEST_CASE("fourier: a convolution over the group is a product for each irrep") {
  for (Group g : all_groups()) {
    Values f = random_values(g, 4), w = random_values(g, 5);
    Values F = fourier_transform(g, f), W = fourier_transform(g, w);
    double bound = product_rounding(g);
    CHECK_MESSAGE(distance(fourier_transform(g, group_convolution(g, f, w)), product(g, F, W)) <= bound, g.text());
    Values y = correlation(g, f, w);
    CHECK_MESSAGE(distance(fourier_transform(g, y), product(g, F, transposed(g, W))) <= bound, g.text());
    CHECK_MESSAGE(distance(inverse_fourier_transform(g, product(g, F, transposed(g, W))), y) <= bound, g.text());
    if (g.n < 3) continue;
    // one value at the wrong element, the other sense of u, and the factors in the wrong order
    CHECK(distance(fourier_transform(g, group_convolution(g, exchanged(f, 1, 2), w)), product(g, F, W)) > 1e-2);
    CHECK(distance(fourier_transform(g, y), product(g, F, W)) > 1e-2);
    if (g.mirrored()) CHECK(distance(fourier_transform(g, group_convolution(g, f, w)), product(g, W, F)) > 1e-2);
  }
}

TEST_CASE("fourier: the coefficients of h -> f[h^-1] are transposed") {
  for (Group g : all_groups()) {
    Values f = random_values(g, 6), turned = f;
    for (int h = 0; h < g.order(); ++h) turned[size_t(h)] = f[size_t(g.inverse(h))];
    Values F = fourier_transform(g, f);
    CHECK(distance(fourier_transform(g, turned), transposed(g, F)) <= 2 * rounding(g));
    if (g.n >= 3) CHECK(distance(fourier_transform(g, turned), F) > 1e-3);
  }
}

TEST_CASE("fourier: it splits the regular representation: moving f by a multiplies F by rho(a)") {
  for (Group g : all_groups()) {
    Values f = random_values(g, 7), F = fourier_transform(g, f);
    for (int a = 0; a < g.order(); ++a) {
      Values turned(f.size()), other(f.size());
      for (Irrep const& rho : irreps(g)) {
        rho.set_block(turned.data(), rho.matrix(a) * rho.block(F.data()));
        rho.set_block(other.data(), rho.block(F.data()) * rho.matrix(a));
      }
      Values moved = fourier_transform(g, times(regular_representation(g, a), f));
      CHECK(distance(moved, turned) <= 3 * rounding(g));
      if (g.mirrored() && g.n >= 3 && a == 1) CHECK(distance(moved, other) > 1e-3);
    }
  }
}

TEST_CASE("fourier: features of angular frequency m in the elements' frames only move the transform from k to k - m") {
  // with T = sum over pixels of (cos + i sin)(m angle) f, c and s its parts in each element's frame:
  // A_k(c) + i A_k(s) = sum over r of e^(2 pi i (k-m) r / n) T_r;  reflections (-1)^m and conj(T), k + m
  using detail::Complex;
  for (Group g : {D16, cyclic(5), dihedral(3), dihedral(16), cyclic(4)}) {
    SteerableBasis basis = steerable_basis(g, 5);
    int const pixels = 25, first_v = 1 + 1;  // after the centre and the first ring's m = 0
    Random random(8);
    std::vector<Values> f(size_t(g.order()), Values(pixels));
    for (Values& image : f)
      for (double& value : image) value = random.uniform(-1, 1);
    auto projected = [&](int frame, int v, int h) {
      double sum = 0;
      for (int p = 0; p < pixels; ++p) sum += basis(frame, v, p / 5, p % 5) * f[size_t(h)][size_t(p)];
      return sum;
    };
    for (int m : {1, 2}) {
      int v = first_v + 2 * (m - 1);
      for (int half = 0; half < (g.mirrored() ? 2 : 1); ++half)
        for (int k = 0; k < g.n; ++k) {
          Complex own_frames = 0, shifted = 0, other_way = 0;
          for (int r = 0; r < g.n; ++r) {
            int h = half * g.n + r;
            Complex T{projected(0, v, h), projected(0, v + 1, h)};
            own_frames += detail::unit_root(k * r, g.n) * Complex{projected(h, v, h), projected(h, v + 1, h)};
            double sign = half && m % 2 ? -1 : 1;
            shifted += sign * detail::unit_root((k + (half ? m : g.n - m)) * r, g.n) * (half ? std::conj(T) : T);
            other_way += sign * detail::unit_root((k + (half ? g.n - m : m)) * r, g.n) * (half ? std::conj(T) : T);
          }
          // n sums of 25 products with a basis that is right to 100 epsilon (steerable_basis_test.cpp)
          CHECK(std::abs(own_frames - shifted) <= g.n * 25 * (100 + 25) * epsilon);
          if (2 * m % g.n) CHECK(std::abs(own_frames - other_way) > 1e-3);
        }
    }
  }
}

TEST_CASE("fourier: what it does not take") {
  CHECK_THROWS_AS(fourier_transform(D16, Values(8)), ShapeError);
  CHECK_THROWS_AS(inverse_fourier_transform(D16, Values(17)), ShapeError);
  CHECK_THROWS_AS(group_convolution(cyclic(4), Values(4), Values(5)), ShapeError);
}
