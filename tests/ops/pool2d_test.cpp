// Pooling over windows: fast against reference at many sizes, ties, NaN, padding, laws and errors.
#include <d16/ops/pool2d.hpp>

#include "compare.hpp"

using namespace d16;
using namespace d16::testing;

TEST_CASE("pool2d: fast against reference") {
  manual_seed(12);
  struct Case {
    Shape x;
    Pair kernel, stride, padding;
  };
  for (Case const& c :
       {Case{{1, 1, 1, 1}, 1, 1, 0}, Case{{2, 33, 31, 19}, 2, 0, 0}, Case{{1, 64, 40, 67}, 3, 2, 1},
        Case{{3, 17, 23, 3}, {5, 2}, {1, 3}, {2, 1}}, Case{{1, 9, 8, 300}, 3, 1, 1}, Case{{1, 40, 41, 16}, 1, 3, 0},
        Case{{2, 7, 6, 5, 16}, 2, 2, 1}, Case{{1, 5, 5, 2}, 5, 5, 0}, Case{{1, 200, 3, 33}, {4, 3}, {4, 1}, {0, 1}}}) {
    INFO(c.x.text(), " kernel ", c.kernel.text(), " stride ", c.stride.text(), " padding ", c.padding.text());
    Tensor x = normal(c.x);
    double window = c.kernel.h * c.kernel.w;  // terms of a mean, and windows that meet in one pixel
    check_devices([=](auto t) { return max_pool2d(t[0], {c.kernel, c.stride, c.padding}); }, {x}, window);
    // a mean may be much smaller than what is added up, but not the largest mean of so many
    for (bool count : {true, false})
      check_devices([=](auto t) { return avg_pool2d(t[0], {c.kernel, c.stride, c.padding, count}); }, {x}, 4 * window);
  }
}

TEST_CASE("pool2d: values by hand") {
  Tensor x = arange(12).reshape({1, 3, 4, 1});
  CHECK(values(max_pool2d(x)) == std::vector<double>{5, 7});
  CHECK(values(avg_pool2d(x)) == std::vector<double>{2.5, 4.5});
  CHECK(values(max_pool2d(x, {.kernel = 3, .stride = 2, .padding = 1})) == std::vector<double>{5, 7, 9, 11});
  CHECK(values(avg_pool2d(x + 1.0, {.kernel = 2, .stride = 3, .padding = 1})) ==
        std::vector<double>{0.25, 7. / 4, 9. / 4, (11. + 12) / 4});
  CHECK(values(avg_pool2d(x + 1.0, {.kernel = 2, .stride = 3, .padding = 1, .count_include_pad = false})) ==
        std::vector<double>{1, 3.5, 9, 11.5});
  CHECK(values(max_pool2d(x - 20.0, {.kernel = 2, .stride = 3, .padding = 1}))[0] == -20);  // padding never wins
}

TEST_CASE("pool2d: ties go to the first, NaN wins") {
  for (Device device : {Device("cpu"), Device("reference")}) {
    Tensor x = from(std::vector<float>{2, 5, 5, 5, 1, 1, 1, 1}, {1, 2, 4, 1}, {.device = device}).set_requires_grad();
    max_pool2d(x).backward(ones({1, 1, 2, 1}, {.device = device}));
    CHECK(values(x.grad()) == std::vector<double>{0, 1, 1, 0, 0, 0, 0, 0});
    Tensor low = full({1, 2, 2, 1}, -INFINITY, {.device = device}).set_requires_grad();
    max_pool2d(low).backward(ones({1, 1, 1, 1}, {.device = device}));
    CHECK(values(low.grad()) == std::vector<double>{1, 0, 0, 0});
    Tensor nan = from(std::vector<float>{1, NAN, 7, 2}, {1, 2, 2, 1}, {.device = device}).set_requires_grad();
    Tensor y = max_pool2d(nan);
    CHECK(std::isnan(y.item()));
    y.backward(ones({1, 1, 1, 1}, {.device = device}));
    CHECK(values(nan.grad()) == std::vector<double>{0, 1, 0, 0});
  }
}

TEST_CASE("pool2d: the mean has an adjoint and keeps constants, the maximum commutes with growing functions") {
  manual_seed(13);
  Tensor x = normal({2, 9, 11, 3});
  check_adjoint([](Tensor t) { return avg_pool2d(t, {.kernel = {3, 2}, .stride = 2, .padding = 1}); }, x);
  check_adjoint(
      [](Tensor t) { return avg_pool2d(t, {.kernel = 3, .stride = 1, .padding = 1, .count_include_pad = false}); }, x);
  Tensor mean = avg_pool2d(ones({1, 7, 7, 5}), {.kernel = 3, .padding = 1, .count_include_pad = false});
  CHECK_LE(difference(mean, ones(mean.shape())), 9 * epsilon(DType::f32));
  CHECK(same_bits(max_pool2d(exp(x)), exp(max_pool2d(x))));
}

TEST_CASE("pool2d: features are pooled like channels and keep their tag") {
  manual_seed(14);
  Tensor x = normal({1, 6, 6, 3, 16}, {.group = D16}), flat = x.with_group({}).reshape({1, 6, 6, 48});
  CHECK(max_pool2d(x).group() == D16);
  CHECK(same_bits(max_pool2d(x).reshape({1, 3, 3, 48}), max_pool2d(flat)));
}

TEST_CASE("pool2d: errors") {
  Tensor x = zeros({1, 4, 4, 1});
  CHECK(message_of<ShapeError>([] {
          max_pool2d(zeros({4, 4}));
        }) == "max_pool2d: x is (4,4); it needs (N,H,W,C) or (N,H,W,C,G)");
  CHECK(message_of<ShapeError>([&] { avg_pool2d(x, {.kernel = 5}); }) ==
        "avg_pool2d: x is (N=1,H=4,W=4,C=1); H is smaller than the kernel, 5");
  CHECK(message_of<ValueError>([&] { max_pool2d(x, {.kernel = 3, .padding = 2}); }) ==
        "max_pool2d: padding 2, kernel 3; padding is 0 to half the kernel");
  CHECK_THROWS_AS(max_pool2d(x, {.kernel = -1}), ValueError);
}
