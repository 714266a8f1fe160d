// + - * / maximum minimum: every kind of broadcasting, fast against reference, known values and errors.
#include <d16/ops/arithmetic.hpp>

#include "compare.hpp"

using namespace d16;
using namespace d16::testing;

TEST_CASE("arithmetic: fast against reference for all kinds of broadcasting") {
  manual_seed(2);
  struct Shapes {
    Shape a, b;
  };
  for (Shapes const& s :
       {Shapes{{41, 1009}, {41, 1009}}, Shapes{{37003}, {1}}, Shapes{{5, 7, 1, 3}, {3}},
        Shapes{{17, 2, 1031}, {17, 1, 1031}}, Shapes{{3, 2053}, {3, 1}}, Shapes{{2, 11, 13, 7}, {2, 1, 1, 7}},
        Shapes{{2, 5, 1, 7, 16}, {2, 5, 1, 7, 1}}, Shapes{{1, 29, 1}, {31, 1, 37}}, Shapes{{1025, 3}, {1025, 1}},
        Shapes{{7, 1, 5}, {3, 1}}, Shapes{{1}, {1}}}) {
    Tensor a = normal(s.a), b = exp(normal(s.b) * 0.3);
    INFO(s.a.text(), " and ", s.b.text());
    // a gradient sums what was repeated, in double: at most all elements
    double few = 4, all = double(broadcast_shape("test", s.a, s.b).numel()) + few;
    check_devices([](auto t) { return t[0] + t[1]; }, {a, b}, few, all);
    check_devices([](auto t) { return t[1] - t[0]; }, {a, b}, few, all);
    check_devices([](auto t) { return t[0] * t[1]; }, {a, b}, few, all);
    check_devices([](auto t) { return t[0] / t[1]; }, {a, b}, few, all);
    check_devices([](auto t) { return maximum(t[0], t[1]); }, {a, b}, few, all);
    check_devices([](auto t) { return minimum(t[1], t[0]); }, {a, b}, few, all);
  }
}

TEST_CASE("arithmetic: values by hand") {
  Tensor a = from(std::vector<float>{1, 2, 3, 4, 5, 6}, {2, 3}), row = from(std::vector<float>{10, 20, 30}, {3});
  Tensor column = from(std::vector<float>{100, 200}, {2, 1});
  CHECK(values(a + row) == std::vector<double>{11, 22, 33, 14, 25, 36});
  CHECK(values(a - column) == std::vector<double>{-99, -98, -97, -196, -195, -194});
  CHECK(values(row * column) == std::vector<double>{1000, 2000, 3000, 2000, 4000, 6000});
  CHECK(values(12 / a) == std::vector<double>{12, 6, 4, 3, 12 / 5.f, 2});
  CHECK(values(1 - a) == std::vector<double>{0, -1, -2, -3, -4, -5});
  CHECK(values(maximum(a, 3.5)) == std::vector<double>{3.5, 3.5, 3.5, 4, 5, 6});
  CHECK(values(minimum(3.5, a)) == std::vector<double>{1, 2, 3, 3.5, 3.5, 3.5});
  CHECK((a + zeros({0, 1, 1})).shape() == Shape{0, 2, 3});
}

TEST_CASE("arithmetic: views are operands as they are") {
  manual_seed(3);
  Tensor a = normal({5, 7}), b = normal({7, 5});
  CHECK(same_bits(a + b.permute({1, 0}), a + b.permute({1, 0}).contiguous()));
  CHECK(same_bits(a.slice(1, 2, 5) * a.select(1, 3).reshape({5, 1}),
                  a.slice(1, 2, 5).clone() * a.select(1, 3).clone().reshape({5, 1})));
}

TEST_CASE("arithmetic: a tie halves the gradient, NaN wins") {
  Tensor a = full({2}, 3).set_requires_grad(), b = full({2}, 3).set_requires_grad();
  maximum(a, b).backward(ones({2}));
  CHECK(values(a.grad()) == std::vector<double>{0.5, 0.5});
  CHECK(values(b.grad()) == std::vector<double>{0.5, 0.5});
  Tensor nan = full({1}, NAN), one = ones({1});
  for (Tensor y : {maximum(nan, one), maximum(one, nan), minimum(nan, one), minimum(one, nan)})
    CHECK(std::isnan(y.item()));
}

TEST_CASE("arithmetic: an operand used twice gets both gradients") {
  Tensor x = full({3}, 4).set_requires_grad();
  (x * x + x / x).backward(ones({3}));
  CHECK(values(x.grad()) == std::vector<double>{8, 8, 8});
}

TEST_CASE("arithmetic: tags and errors") {
  Tensor x = zeros({1, 2, 2, 3, 16}, {.group = D16}), s = zeros({1, 1, 1, 3, 1});
  CHECK((x * s).group() == D16);
  CHECK((s * x).group() == D16);
  CHECK((1 - x).group() == D16);
  CHECK_THROWS_AS(x + x.with_group(cyclic(16)), GroupError);
  CHECK(message_of<ShapeError>([] {
          zeros({2, 3}) * zeros({4});
        }) == "mul: a is (2,3), b is (4); sizes must be equal or 1, from the last axis");
  CHECK_THROWS_AS(zeros({2}) + zeros({2}, {.dtype = DType::f64}), DTypeError);
  CHECK_THROWS_AS(zeros({2}) + zeros({2}, {.device = "reference"}), DeviceError);
}
