// softmax and log_softmax: fast against reference, their laws, saturating inputs.
#include <d16/ops/arithmetic.hpp>
#include <d16/ops/softmax.hpp>

#include "compare.hpp"

using namespace d16;
using namespace d16::testing;

TEST_CASE("softmax: fast against reference along every axis") {
  manual_seed(10);
  for (Shape const& s :
       {Shape{131, 10, 1}, Shape{3, 1031, 1}, Shape{2, 7, 65}, Shape{5, 3, 130}, Shape{1, 1, 67}, Shape{4001, 9, 1}}) {
    INFO(s.text());
    Tensor x = 3 * normal(s);
    for (int axis : {0, 1, 2}) {
      double terms =
          double(s[axis]) + 12;  // a sum over the classes; exp, log, and the roundings of differences of |x| < 20
      check_devices([=](auto t) { return softmax(t[0], axis); }, {x}, terms);
      check_devices([=](auto t) { return log_softmax(t[0], axis); }, {x}, terms);
    }
  }
}

TEST_CASE("softmax: sums to one, ignores a shift, and is the exponential of log_softmax") {
  manual_seed(11);
  Tensor x = 5 * normal({17, 13}, {.dtype = DType::f64});
  double rounding = 16 * epsilon(DType::f64);
  CHECK_LE(difference(sum(softmax(x, 1), 1, false), ones({17}, x.like())), rounding);
  CHECK_LE(difference(softmax(x + 3.0, 0), softmax(x, 0)), 8 * rounding);  // the shift rounds x: magnitudes below 32
  CHECK_LE(difference(exp(log_softmax(x, 1)), softmax(x, 1)), 8 * rounding);
}

TEST_CASE("softmax: inputs that saturate") {
  for (Device device : {Device("cpu"), Device("reference")}) {
    Tensor x = from(std::vector<float>{1e30f, 0, -1e30f, 0, 0, -INFINITY}, {2, 3}, {.device = device});
    CHECK(values(softmax(x, 1)) == std::vector<double>{1, 0, 0, 0.5, 0.5, 0});
    Tensor y = log_softmax(from(std::vector<float>{1000, 0}, {1, 2}, {.device = device}), 1);
    CHECK(values(y) == std::vector<double>{0, -1000});
    CHECK(std::isnan(values(softmax(from(std::vector<float>{NAN, 1}, {2}, {.device = device}), 0))[1]));
  }
}

TEST_CASE("softmax: of no classes and of no rows") {
  CHECK(softmax(zeros({2, 0}), 1).numel() == 0);
  CHECK(log_softmax(zeros({0, 3, 5}), 1).numel() == 0);
}

TEST_CASE("softmax: errors") {
  CHECK_THROWS_AS(softmax(zeros({2, 3}), 2), ShapeError);
  CHECK_THROWS_AS(log_softmax(zeros({2}, {.dtype = DType::u8}), 0), DTypeError);
}
