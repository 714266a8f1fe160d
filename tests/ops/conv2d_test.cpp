// The convolution as an op: numbers by hand, shifts, linearity of groups, errors.
#include <doctest/doctest.h>

#include <d16/ops/conv2d.hpp>

using namespace d16;

namespace {

bool same(Tensor const& a, Tensor const& b) {
  if (a.shape() != b.shape()) return false;
  for (size_t i = 0; i < size_t(a.numel()); ++i)
    if (a.host<float>()[i] != b.host<float>()[i]) return false;
  return true;
}

}  // namespace

TEST_CASE("conv2d: by hand") {
  Tensor x = arange(9).reshape({1, 3, 3, 1});  // 0 1 2 / 3 4 5 / 6 7 8
  Tensor w = from(std::vector<float>{1, 2, 3, 4}, {1, 1, 2, 2}), b = from(std::vector<float>{100}, {1});
  Tensor y = conv2d(x, w, b);
  CHECK(y.shape() == Shape{1, 2, 2, 1});
  float const expected[] = {0 + 2 + 9 + 16, 1 + 4 + 12 + 20, 3 + 8 + 18 + 28, 4 + 10 + 21 + 32};
  for (size_t i = 0; i < 4; ++i) CHECK(y.host<float>()[i] == expected[i] + 100);
}

TEST_CASE("conv2d: a kernel of one tap shifts the image") {
  manual_seed(2);
  Tensor x = normal({2, 7, 9, 1}), w = zeros({1, 1, 3, 3});
  w.host<float>()[0 * 3 + 2] = 1;  // tap (0,2): the pixel above, to the right
  Tensor y = conv2d(x, w, {}, {.padding = 1});
  CHECK(same(y.slice(axis::H, 1, 7).slice(axis::W, 0, 8).contiguous(),
             x.slice(axis::H, 0, 6).slice(axis::W, 1, 9).contiguous()));
  CHECK(same(y.slice(axis::H, 0, 1).contiguous(), zeros({2, 1, 9, 1})));
}

TEST_CASE("conv2d: P and Q with stride, padding and dilation of their own") {
  Tensor y = conv2d(zeros({1, 20, 30, 4}), zeros({6, 2, 3, 5}), {},
                    {.stride = {2, 3}, .padding = {1, 0}, .dilation = {3, 2}, .groups = 2});
  CHECK(y.shape() == Shape{1, (20 + 2 - 6 - 1) / 2 + 1, (30 - 8 - 1) / 3 + 1, 6});
}

TEST_CASE("conv2d: the result has no group tag, the gradient has that of x") {
  Tensor x = ones({1, 3, 3, 4}, {.group = cyclic(4)}).set_requires_grad();
  Tensor y = conv2d(x, ones({2, 4, 3, 3}));
  CHECK(!y.group());
  y.backward(ones(y.shape()));
  CHECK(x.grad().group() == cyclic(4));
}

TEST_CASE("conv2d: errors say what is wrong") {
  Tensor x = zeros({2, 8, 9, 6}), w = zeros({4, 6, 3, 3});
  CHECK_THROWS_WITH_AS(conv2d(zeros({8, 9, 6}), w), "conv2d: x is (8,9,6); needs (N,H,W,Ci), not empty", ShapeError);
  CHECK_THROWS_AS(conv2d(zeros({0, 8, 9, 6}), w), ShapeError);
  CHECK_THROWS_AS(conv2d(x, zeros({4, 6, 3})), ShapeError);
  CHECK_THROWS_WITH_AS(conv2d(x, zeros({4, 5, 3, 3})),
                       "conv2d: x is (N=2,H=8,W=9,C=6), w is (4,5,3,3); with 1 groups the second size of w is 6",
                       ShapeError);
  CHECK_THROWS_WITH_AS(conv2d(x, w, {}, {.groups = 4}),
                       "conv2d: x is (N=2,H=8,W=9,C=6), w is (4,6,3,3); 4 groups must divide Ci=6 and Co=4",
                       ShapeError);
  CHECK_THROWS_AS(conv2d(x, w, {}, {.groups = 0}), ValueError);
  CHECK_THROWS_AS(conv2d(x, w, zeros({5})), ShapeError);
  CHECK_THROWS_WITH_AS(conv2d(x, zeros({4, 6, 9, 3})),
                       "conv2d: H is 8 with padding 0; a kernel of 9 with dilation 1 needs at least 9 pixels",
                       ShapeError);
  CHECK_THROWS_AS(conv2d(x, w, {}, {.dilation = {1, 5}}), ShapeError);
  CHECK_THROWS_AS(conv2d(x, w, {}, {.stride = 0}), ValueError);
  CHECK_THROWS_AS(conv2d(x, w, {}, {.padding = {0, -1}}), ValueError);
  CHECK_THROWS_AS(conv2d(x, w, {}, {.dilation = 0}), ValueError);
  CHECK_THROWS_AS(conv2d(x, w, {}, {.padding = 1 << 30}), ShapeError);  // 2^31 pixels: beyond int
  CHECK_THROWS_AS(conv2d(x, w, {}, {.dilation = 1 << 30}), ShapeError);
  CHECK_THROWS_AS(conv2d(x, zeros({4, 6, 3, 3}, {.dtype = DType::f64})), DTypeError);
  CHECK_THROWS_AS(conv2d(x, zeros({4, 6, 3, 3}, {.device = "reference"})), DeviceError);
  CHECK_THROWS_AS(conv2d(x.cast(DType::i64), w.cast(DType::i64)), DTypeError);
}
