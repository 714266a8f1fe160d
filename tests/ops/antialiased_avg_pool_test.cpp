// Antialiased pooling: commutes with the symmetries of the pixel grid at odd sizes; tag; errors.
#include <doctest/doctest.h>

#include <algorithm>

#include <d16/ops/antialiased_avg_pool.hpp>

#include "group_action.hpp"

using namespace d16;
using namespace d16::testing;

TEST_CASE("antialiased_avg_pool: commutes with the symmetries of the pixel grid at odd sizes only") {
  manual_seed(1);
  Tensor odd = normal({1, 9, 9, 2, 16}, {.dtype = DType::f64, .group = D16});
  Tensor even = normal({1, 8, 8, 2, 16}, {.dtype = DType::f64, .group = D16});
  double worst_odd = 0, worst_even = 0;
  for (int s : grid_symmetries(D16)) {
    worst_odd =
        std::max(worst_odd, difference(antialiased_avg_pool(act(D16, s, odd)), act(D16, s, antialiased_avg_pool(odd))));
    worst_even = std::max(worst_even,
                          difference(antialiased_avg_pool(act(D16, s, even)), act(D16, s, antialiased_avg_pool(even))));
  }
  CHECK_LE(worst_odd, 12 * 2.3e-16 * largest(odd));
  CHECK(worst_even > 0.01);
}

TEST_CASE("antialiased_avg_pool: keeps the group and treats elements as channels") {
  manual_seed(2);
  Tensor x = normal({2, 7, 5, 3, 8}, {.group = dihedral(4)});
  Tensor y = antialiased_avg_pool(x), flat = antialiased_avg_pool(x.reshape({2, 7, 5, 24}));
  CHECK(y.group() == dihedral(4));
  CHECK(y.shape() == Shape{2, 4, 3, 3, 8});
  CHECK(difference(y.reshape({2, 4, 3, 24}), flat) == 0);
}

TEST_CASE("antialiased_avg_pool: errors") {
  Tensor x = zeros({1, 4, 4, 2});
  CHECK_THROWS_AS(antialiased_avg_pool(zeros({4, 4})), ShapeError);
  CHECK_THROWS_AS(antialiased_avg_pool(x, {.sigma = 0}), ValueError);
  CHECK_THROWS_AS(antialiased_avg_pool(x, {.stride = 0}), ValueError);
  CHECK_THROWS_AS(antialiased_avg_pool(x, {.kernel = 9}), ShapeError);
}
