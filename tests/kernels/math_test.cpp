// exp, log and their relatives in float: error bounds in units in the last place over all magnitudes; special values.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include <d16/kernels/cpu/unary.hpp>
#include <d16/kernels/reference/unary.hpp>

using namespace d16::kernels;

namespace {

/// The distance of the floats around a value: one unit in the last place.
double ulp(double value) {
  int exponent;
  std::frexp(value, &exponent);
  return std::ldexp(1.0, std::max(exponent - 24, -149));
}

/// Every 4099th float of all 2^32 (a prime: it visits all exponents and many mantissas), and a fine grid where most of
/// the functions bend.
std::vector<float> samples(float low, float high) {
  std::vector<float> all;
  for (uint64_t bits = 0; bits < (uint64_t(1) << 32); bits += 4099) {
    uint32_t word = uint32_t(bits);
    float x;
    std::memcpy(&x, &word, sizeof x);
    if (x >= low && x <= high) all.push_back(x);
  }
  for (int i = -110000; i < 110000; ++i)
    if (float x = float(i) * 1e-3f; x >= low && x <= high) all.push_back(x);
  return all;
}

double worst_error(UnaryOp op, float low = -INFINITY, float high = INFINITY) {
  std::vector<float> x = samples(low, high), y(x.size());
  Unary<float> a;
  a.op = op, a.n = int64_t(x.size()), a.x = x.data(), a.y = y.data();
  CHECK(cpu::unary(a) == ok);
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    double exact = reference::detail::unary_value(op, x[i], 1, 0, 0);
    if (std::isnan(exact)) CHECK_MESSAGE(std::isnan(y[i]), x[i]);
    else if (std::isinf(float(exact))) CHECK_MESSAGE(y[i] == float(exact), x[i]);
    else worst = std::max(worst, std::abs(y[i] - exact) / ulp(exact));
  }
  return worst;
}

float value(UnaryOp op, float x) {
  float y = 0;
  Unary<float> a;
  a.op = op, a.n = 1, a.x = &x, a.y = &y;
  cpu::unary(a);
  return y;
}

}  // namespace

TEST_CASE("math: float functions are right to the last bits, everywhere") {
  // half a unit is the rounding of the result; e^r and log(1 + f) add about as much, a division and a sum one each
  CHECK_LE(worst_error(UnaryOp::exp), 1.5);
  CHECK_LE(worst_error(UnaryOp::log), 1.5);
  CHECK_LE(worst_error(UnaryOp::elu), 1.5);  // expm1 below 0
  CHECK_LE(worst_error(UnaryOp::sigmoid), 3);
  CHECK_LE(worst_error(UnaryOp::tanh), 3);
  CHECK_LE(worst_error(UnaryOp::softplus), 3);
  CHECK_LE(worst_error(UnaryOp::asinh), 3);
  CHECK_LE(worst_error(UnaryOp::silu, -87, 1e38f), 4);  // below, sigmoid is subnormal: it has fewer bits
}

TEST_CASE("math: saturation, subnormal numbers, infinities and NaN") {
  float inf = INFINITY, nan = NAN;
  CHECK(value(UnaryOp::exp, 0) == 1);
  CHECK(value(UnaryOp::exp, 88.7228f) < inf);
  CHECK(value(UnaryOp::exp, 88.73f) == inf);
  CHECK(value(UnaryOp::exp, inf) == inf);
  CHECK(value(UnaryOp::exp, -inf) == 0);
  CHECK(value(UnaryOp::exp, -103.5f) == std::exp(-103.5f));  // the smallest subnormal number
  CHECK(value(UnaryOp::exp, -105) == 0);
  CHECK(value(UnaryOp::log, 0) == -inf);
  CHECK(value(UnaryOp::log, 1) == 0);
  CHECK(value(UnaryOp::log, inf) == inf);
  CHECK(std::isnan(value(UnaryOp::log, -1e-40f)));
  CHECK(value(UnaryOp::log, 1e-45f) == doctest::Approx(std::log(double(1e-45f))));
  CHECK(value(UnaryOp::sigmoid, 1000) == 1);
  CHECK(value(UnaryOp::sigmoid, -1000) == 0);
  CHECK(value(UnaryOp::tanh, 1e30f) == 1);
  CHECK(value(UnaryOp::tanh, -inf) == -1);
  CHECK(std::signbit(value(UnaryOp::tanh, -0.f)));
  CHECK(value(UnaryOp::softplus, 1000) == 1000);
  CHECK(value(UnaryOp::softplus, -1000) == 0);
  CHECK(value(UnaryOp::asinh, 3e38f) == doctest::Approx(std::asinh(3e38)));
  CHECK(value(UnaryOp::asinh, -inf) == -inf);
  for (UnaryOp op :
       {UnaryOp::relu, UnaryOp::elu, UnaryOp::sigmoid, UnaryOp::silu, UnaryOp::tanh, UnaryOp::softplus, UnaryOp::exp,
        UnaryOp::log, UnaryOp::sqrt, UnaryOp::square, UnaryOp::abs, UnaryOp::neg, UnaryOp::asinh, UnaryOp::clamp})
    CHECK_MESSAGE(std::isnan(value(op, nan)), int(op));
}

TEST_CASE("math: slopes where the square of x overflows") {
  for (float x : {0.f, 1e-20f, 0.3f, -7.f, 9e7f, 2e8f, -1e30f}) {
    double exact = 1 / std::sqrt(1 + double(x) * x);
    CHECK_LE(std::abs(cpu::math::asinh_slope(x) - exact), 4 * ulp(exact));  // a square, a root, a sum and a quotient
  }
}
