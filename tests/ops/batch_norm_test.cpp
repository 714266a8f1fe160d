// Batch normalisation as an op: running statistics in place, features as images, the group's action, errors.
#include <doctest/doctest.h>

#include <cmath>

#include <d16/ops/arithmetic.hpp>
#include <d16/ops/inner_batch_norm.hpp>
#include <d16/ops/reduce.hpp>

#include "group_action.hpp"

using namespace d16;
using namespace d16::testing;

TEST_CASE("batch_norm2d: running statistics move in training and stand still otherwise") {
  manual_seed(1);
  Tensor x = normal({2, 3, 5, 4}) * 2.0 + 3.0, mean = zeros({4}), var = ones({4});
  batch_norm2d(x, {}, {}, mean, var, {.training = true, .momentum = 0.5});
  Tensor mean_before = mean.clone(), var_before = var.clone();
  CHECK(mean.host<float>()[0] > 0.5f);
  CHECK(var.host<float>()[0] > 1);
  batch_norm2d(x, {}, {}, mean, var);
  CHECK(difference(mean, mean_before) == 0);
  CHECK(difference(var, var_before) == 0);
}

TEST_CASE("batch_norm2d: running statistics that are views of a larger tensor") {
  manual_seed(2);
  Tensor x = normal({2, 3, 5, 4}), mean = zeros({4}), var = ones({4}), table = zeros({4, 2});
  batch_norm2d(x, {}, {}, mean, var, {.training = true});
  batch_norm2d(x, {}, {}, table.select(1, 1), ones({4}), {.training = true});
  CHECK(difference(table.select(1, 1).contiguous(), mean) == 0);
  CHECK(largest(table.select(1, 0).contiguous()) == 0);
}

TEST_CASE("batch_norm2d: backward through running statistics changed meanwhile is refused only where it matters") {
  manual_seed(3);
  Tensor x = normal({2, 3, 3, 2}).set_requires_grad(), mean = zeros({2}), var = ones({2});
  Tensor y = batch_norm2d(x, {}, {}, mean, var, {.training = true});
  batch_norm2d(x, {}, {}, mean, var, {.training = true});  // a second batch before backward: y kept its own statistics
  sum(y * y).backward();
  CHECK(x.grad().shape() == x.shape());
}

TEST_CASE("batch_norm2d: a seed in the caller's memory stays as it is") {
  manual_seed(3);
  std::vector<float> const before{1, 2, 3, 4, 5, 6, 7, 8};
  std::vector<float> seed = before;
  Tensor x = normal({1, 2, 2, 2}).set_requires_grad();
  batch_norm2d(x, {}, {}, {}, {}, {.training = true}).backward(wrap(seed.data(), x.shape()));
  CHECK(seed == before);
}

TEST_CASE("batch_norm2d: a result that is read late is of the weights as they were") {
  manual_seed(3);
  for (bool late : {false, true}) {
    Tensor x = normal({1, 2, 2, 2}).set_requires_grad(), w = full({2}, 2), b = full({2}, 1);
    BatchNormOptions o{.training = true, .relu = true, .recompute = true};
    Tensor y = batch_norm2d(x, w, b, {}, {}, o), read = late ? Tensor() : y.clone();
    w.assign(full({2}, 50)), b.assign(full({2}, -50));
    if (late) read = y.clone();
    NoGrad off;
    CHECK(difference(read, batch_norm2d(x.detach(), full({2}, 2), full({2}, 1), {}, {},
                                        {.training = true, .relu = true})) == 0);
  }
}

TEST_CASE("inner_batch_norm: is batch_norm2d of the elements as pixels") {
  manual_seed(4);
  Tensor x = normal({2, 3, 5, 4, 8}, {.dtype = DType::f64, .group = dihedral(4)}),
         w = uniform({4}, {.dtype = DType::f64});
  Tensor b = normal({4}, {.dtype = DType::f64});
  Tensor y = inner_batch_norm(x, w, b, {}, {}, {.training = true});
  Tensor pixels = x.permute({0, 1, 2, 4, 3}).reshape({2, 3, 5 * 8, 4}).with_group({});
  Tensor expected =
      batch_norm2d(pixels, w, b, {}, {}, {.training = true}).reshape({2, 3, 5, 8, 4}).permute({0, 1, 2, 4, 3});
  CHECK_LE(difference(y, expected.contiguous()), 240 * 2.3e-16 * largest(y));
  CHECK(y.group() == dihedral(4));
}

TEST_CASE("inner_batch_norm: commutes with the group, which batch_norm2d of the same channels does not") {
  manual_seed(5);
  Group g = dihedral(4);
  Tensor x = normal({2, 5, 5, 3, 8}, {.dtype = DType::f64, .group = g});
  x = (x * normal({1, 1, 1, 3, 8}, {.dtype = DType::f64})).with_group(g).contiguous();  // each element its own spread
  auto inner = [](Tensor t) { return inner_batch_norm(t, {}, {}, {}, {}, {.training = true}); };
  auto each = [&](Tensor t) {
    Tensor y = batch_norm2d(t.reshape({2, 5, 5, 24}).with_group({}), {}, {}, {}, {}, {.training = true});
    return (y * arange(24, {.dtype = DType::f64}).reshape({1, 1, 1, 24}))
        .reshape({2, 5, 5, 3, 8})
        .with_group(g)
        .contiguous();
  };
  for (int s : grid_symmetries(g)) {
    CHECK_LE(difference(inner(act(g, s, x)), act(g, s, inner(x))), 400 * 2.3e-16 * 10);
    if (s) CHECK(difference(each(act(g, s, x)), act(g, s, each(x))) > 0.1);
  }
}

TEST_CASE("batch_norm: errors") {
  Tensor x = zeros({2, 3, 3, 4}), c = ones({4});
  CHECK_THROWS_AS(batch_norm2d(x, c, c, {}, {}), ValueError);
  CHECK_THROWS_AS(batch_norm2d(zeros({2, 3}), {}, {}, c, c), ShapeError);
  CHECK_THROWS_AS(batch_norm2d(x, ones({3}), c, c, c), ShapeError);
  CHECK_THROWS_AS(batch_norm2d(x, c.cast(DType::f64), c, c, c), DTypeError);
  CHECK_THROWS_AS(inner_batch_norm(x, c, c, c, c), ShapeError);
  CHECK_THROWS_WITH_AS(batch_norm2d(zeros({1, 1, 1, 4}), c, c, c, c, {.training = true}),
                       "batch_norm2d: x is (N=1,H=1,W=1,C=4), 1 values for each channel; training needs two or more",
                       ShapeError);
}
