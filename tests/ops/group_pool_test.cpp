// Pooling over the group: invariance, the tag, errors.
#include <doctest/doctest.h>

#include <d16/ops/group_pool.hpp>

#include "group_action.hpp"

using namespace d16;
using namespace d16::testing;

TEST_CASE("group pooling: turning the features turns the pooled image") {
  manual_seed(1);
  Tensor x = normal({2, 5, 5, 3, 16}, {.dtype = DType::f64, .group = D16});
  for (int s : grid_symmetries(D16)) {
    CHECK(difference(group_max_pool(act(D16, s, x)), act(D16, s, group_max_pool(x))) == 0);
    CHECK_LE(difference(group_mean_pool(act(D16, s, x)), act(D16, s, group_mean_pool(x))), 16 * 2.3e-16 * largest(x));
  }
  CHECK(difference(group_max_pool(x), group_mean_pool(x)) > 0.5);
}

TEST_CASE("group pooling: the result is a plain image, the gradient carries the group") {
  Tensor x = ones({1, 2, 3, 4, 16}, {.group = D16}).set_requires_grad();
  Tensor y = group_max_pool(x);
  CHECK(y.shape() == Shape{1, 2, 3, 4});
  CHECK(!y.group());
  y.backward(ones({1, 2, 3, 4}));
  Tensor gradient = x.grad();
  CHECK(gradient.group() == D16);
  CHECK(gradient.host<float>()[0] == 1);  // of sixteen equal ones the first
  CHECK(gradient.host<float>()[1] == 0);
}

TEST_CASE("group pooling: errors") {
  CHECK_THROWS_WITH_AS(group_max_pool(zeros({1, 2, 3, 4})),
                       "group_max_pool: x is (N=1,H=2,W=3,C=4); needs group features (N,H,W,C,G)", ShapeError);
  CHECK_THROWS_AS(group_mean_pool(zeros({1, 2, 3, 4})), ShapeError);
}
