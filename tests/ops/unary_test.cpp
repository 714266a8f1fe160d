// Functions of one variable: fast against reference beyond one piece, kinks, tags, and errors.
#include <d16/ops/unary.hpp>

#include "compare.hpp"

using namespace d16;
using namespace d16::testing;

TEST_CASE("unary: fast against reference over several pieces") {
  manual_seed(1);
  Tensor x = normal({5, 8209});  // more than one piece, and no multiple of a vector
  double few = 8;                // 2 units for exp, log and their relatives, and at most six more roundings in a slope
  check_devices([](auto t) { return relu(t[0]); }, {x}, few);
  check_devices([](auto t) { return elu(t[0], 0.5); }, {x}, few);
  check_devices([](auto t) { return sigmoid(t[0]); }, {x}, few);
  check_devices([](auto t) { return silu(t[0]); }, {x}, few);
  check_devices([](auto t) { return tanh(t[0]); }, {x}, few);
  check_devices([](auto t) { return softplus(t[0]); }, {x}, few);
  check_devices([](auto t) { return exp(t[0]); }, {x}, few);
  check_devices([](auto t) { return log(t[0]); }, {exp(x)}, few);
  check_devices([](auto t) { return sqrt(t[0]); }, {exp(x)}, few);
  check_devices([](auto t) { return square(t[0]); }, {x}, few);
  check_devices([](auto t) { return abs(t[0]); }, {x}, few);
  check_devices([](auto t) { return asinh(t[0]); }, {x}, few);
  check_devices([](auto t) { return clamp(t[0], -0.5, 0.5); }, {x}, few);
  check_devices([](auto t) { return -t[0]; }, {x}, few);
}

TEST_CASE("unary: slopes at kinks are those that the documentation names") {
  auto slope_at = [](auto f, double at) {
    Tensor x = full({1}, at).set_requires_grad();
    f(x).backward();
    return x.grad().item();
  };
  CHECK(slope_at([](Tensor x) { return relu(x); }, 0) == 0);
  CHECK(slope_at([](Tensor x) { return abs(x); }, 0) == 0);
  CHECK(slope_at([](Tensor x) { return elu(x, 0.5); }, 0) == 0.5);
  CHECK(slope_at([](Tensor x) { return clamp(x, -1, 2); }, -1) == 1);
  CHECK(slope_at([](Tensor x) { return clamp(x, -1, 2); }, 2) == 1);
  CHECK(slope_at([](Tensor x) { return clamp(x, -1, 2); }, 2.5) == 0);
}

TEST_CASE("unary: results are new, keep the tag, and share nothing") {
  Tensor x = normal({1, 2, 2, 3, 16}, {.group = D16}), y = relu(x);
  CHECK(y.group() == D16);
  CHECK_FALSE(y.same_memory(x));
  CHECK(relu(zeros({0, 3})).numel() == 0);
}

TEST_CASE("unary: errors") {
  CHECK(message_of<ValueError>([] { elu(zeros({1}), -1); }) == "elu: alpha is -1; it needs alpha >= 0");
  CHECK(message_of<ValueError>([] { clamp(zeros({1}), 2, 1); }) == "clamp: low 2 and high 1; it needs low <= high");
  CHECK_THROWS_AS(relu(arange(3, {.dtype = DType::i64})), DTypeError);
}
