// The fully connected layer as an op: numbers by hand, any number of axes, errors.
#include <doctest/doctest.h>

#include <d16/ops/linear.hpp>

using namespace d16;

TEST_CASE("linear: by hand") {
  Tensor x = from(std::vector<float>{1, 2, 3, 4, 5, 6}, {2, 3}),
         w = from(std::vector<float>{1, 0, -1, 2, 1, 0}, {2, 3});
  Tensor b = from(std::vector<float>{10, 20}, {2});
  Tensor y = linear(x, w, b);
  CHECK(y.shape() == Shape{2, 2});
  float const expected[] = {1 - 3 + 10, 2 + 2 + 20, 4 - 6 + 10, 8 + 5 + 20};
  for (size_t i = 0; i < 4; ++i) CHECK(y.host<float>()[i] == expected[i]);
}

TEST_CASE("linear: works on the last axis of any shape and drops the group tag") {
  manual_seed(1);
  Tensor x = normal({2, 3, 4, 5, 8}, {.group = dihedral(4)}), w = normal({7, 8});
  Tensor y = linear(x, w), flat = linear(x.reshape({120, 8}), w);
  CHECK(y.shape() == Shape{2, 3, 4, 5, 7});
  CHECK(!y.group());
  for (size_t i = 0; i < size_t(y.numel()); ++i) CHECK(y.host<float>()[i] == flat.host<float>()[i]);
  CHECK(linear(normal({8}), w).shape() == Shape{7});
}

TEST_CASE("linear: errors say what is wrong") {
  Tensor x = zeros({2, 3}), w = zeros({5, 4});
  CHECK_THROWS_WITH_AS(linear(x, w), "linear: x is (2,3), w is (5,4); needs x (...,I) and w (O,I), none empty",
                       ShapeError);
  CHECK_THROWS_AS(linear(x, zeros({3})), ShapeError);
  CHECK_THROWS_AS(linear(x, zeros({0, 3})), ShapeError);
  CHECK_THROWS_AS(linear(zeros({0, 3}), zeros({5, 3})), ShapeError);
  CHECK_THROWS_WITH_AS(linear(x, zeros({5, 3}), zeros({4})),
                       "linear: bias is (4); needs (5), one value for each output channel", ShapeError);
  CHECK_THROWS_WITH_AS(linear(x, zeros({5, 3}, {.dtype = DType::f64})),
                       "linear: x is float32, w is float64; cast one of them", DTypeError);
  CHECK_THROWS_AS(linear(x, zeros({5, 3}, {.device = "reference"})), DeviceError);
}
