// The steerable basis against its definition: values, order, orientation, and how an element turns it.
#include <doctest/doctest.h>

#include <cmath>

#include <d16/group/steerable_basis.hpp>

using namespace d16;

TEST_CASE("steerable_basis: number of functions for the default rings") {
  int const kernels[] = {1, 3, 5, 7, 9}, functions[] = {1, 6, 11, 18, 31};
  for (int i = 0; i < 5; ++i) CHECK(steerable_basis(D16, kernels[i]).V == functions[i]);
  Rings nine = default_rings(9);
  CHECK(nine.max_freqs == std::vector<int>{0, 2, 3, 6, 2});
  CHECK(nine.sigmas == std::vector<double>{0.005, 0.6, 0.6, 0.6, 0.4});
}

TEST_CASE("steerable_basis: values of k = 3, with x to the right and y up") {
  SteerableBasis b = steerable_basis(cyclic(1), 3);
  double corner = std::exp(-0.5 * std::pow((std::sqrt(2.0) - 1) / 0.4, 2)), centre = std::exp(-0.5 / 0.16);
  auto near = [](double got, double expected) { return std::abs(got - expected) <= 4e-16; };
  CHECK(b(0, 0, 1, 1) == 1);           // the inner ring is the middle pixel
  CHECK(near(b(0, 1, 1, 1), centre));  // m = 0 of the outer ring has a tail there
  CHECK(near(b(0, 1, 1, 2), 1));       // right of the middle: on the ring
  CHECK(near(b(0, 2, 1, 2), 1));       // cos t
  CHECK(near(b(0, 2, 0, 1), 0));       // above
  CHECK(near(b(0, 3, 0, 1), 1));       // sin t: y is up, so it is positive in row 0
  CHECK(near(b(0, 3, 2, 1), -1));
  CHECK(near(b(0, 4, 0, 1), -1));                        // cos 2t
  CHECK(near(b(0, 5, 0, 2), corner));                    // sin 2t in the upper right corner
  for (int v : {2, 3, 4, 5}) CHECK(b(0, v, 1, 1) == 0);  // no angle at the origin
}

TEST_CASE("steerable_basis: an element turns the harmonics by its angle and mirrors them") {
  for (Group g : {D16, dihedral(3), cyclic(5), dihedral(1), cyclic(32)})
    for (int k : {3, 7}) {
      Rings rings = default_rings(k);
      SteerableBasis b = steerable_basis(g, k);
      double worst = 0;
      for (int h = 0; h < g.order(); ++h) {
        double turn = 2 * M_PI * g.rotation(h) / g.n;
        int v = 0;
        for (int freqs : rings.max_freqs) {
          auto at = [&](int element, int f, int p) { return b(element, f, p / k, p % k); };
          for (int p = 0; p < k * k; ++p) worst = std::max(worst, std::abs(at(h, v, p) - at(0, v, p)));
          for (int m = 1; m <= freqs; ++m)
            for (int p = 0; p < k * k; ++p) {
              // h^-1 x has the angle t - turn, or pi - (t - turn) when mirrored
              double c = at(0, v + 2 * m - 1, p), s = at(0, v + 2 * m, p), cm = std::cos(m * turn),
                     sm = std::sin(m * turn);
              double cosine = c * cm + s * sm, sine = s * cm - c * sm, sign = m % 2 ? -1 : 1;
              if (g.flip(h)) cosine *= sign, sine *= -sign;
              worst = std::max(worst, std::abs(at(h, v + 2 * m - 1, p) - cosine));
              worst = std::max(worst, std::abs(at(h, v + 2 * m, p) - sine));
            }
          v += 2 * freqs + 1;
        }
      }
      // radii up to 5 carry 5 epsilon; the Gaussian's slope at sigma .4 is below 1 / .4, the innermost ring's is felt
      // only where it is below e^-100; angles m (2 pi) carry 6 m epsilon; a sum of two such products
      CHECK_MESSAGE(worst <= 2 * (5 / 0.4 + 6 * 6) * 2.3e-16, g.text(), " k ", k);
    }
}

TEST_CASE("steerable_basis: own rings") {
  SteerableBasis b = steerable_basis(cyclic(4), 5, {{1.5}, {0.7}, {1}});
  CHECK(b.V == 3);
  CHECK(b.values.size() == 4u * 3 * 25);
  CHECK(std::abs(b(0, 0, 2, 4) - std::exp(-0.5 * 0.25 / 0.49)) <= 4e-16);
}

TEST_CASE("steerable_basis: what it does not take") {
  CHECK_THROWS_AS(steerable_basis(D16, 4), ValueError);
  CHECK_THROWS_AS(steerable_basis(D16, 2, {{1}, {0.4}, {1}}), ValueError);
  CHECK_THROWS_AS(steerable_basis(D16, 0), ValueError);
  CHECK_THROWS_AS(steerable_basis(Group{}, 3), GroupError);
  CHECK_THROWS_AS(steerable_basis(cyclic(0), 3), GroupError);
  CHECK_THROWS_AS(steerable_basis(D16, 3, {{0, 1}, {0.4}, {0, 2}}), ValueError);
  CHECK_THROWS_AS(steerable_basis(D16, 3, {{1}, {0}, {2}}), ValueError);
  CHECK_THROWS_AS(steerable_basis(D16, 3, {{1}, {0.4}, {-1}}), ValueError);
  CHECK_THROWS_WITH(steerable_basis(D16, 4),
                    "steerable_basis: kernel is 4; needs an odd one, whose middle pixel the group can turn about");
}

TEST_CASE("shared_basis: one table for each kind of layer") {
  auto first = shared_basis(D16, 3);
  CHECK(first == shared_basis(D16, 3, default_rings(3)));
  CHECK(first != shared_basis(D16, 5));
  CHECK(first != shared_basis(cyclic(16), 3));
  CHECK(first != shared_basis(D16, 3, {{0, 1}, {0.005, 0.5}, {0, 2}}));
  CHECK(first->values == steerable_basis(D16, 3).values);
}
