// Sums, means and maxima: fast against reference on long and short axes, accuracy, laws, known values and errors.
#include <d16/ops/arithmetic.hpp>
#include <d16/ops/concat.hpp>
#include <d16/ops/reduce.hpp>

#include "compare.hpp"

using namespace d16;
using namespace d16::testing;

TEST_CASE("reduce: fast against reference on axes long and short") {
  manual_seed(4);
  for (Shape const& s : {Shape{1, 1, 1}, Shape{3, 70001, 1}, Shape{1, 30011, 3}, Shape{2, 601, 131}, Shape{67, 5, 300},
                         Shape{5003, 16, 1}, Shape{7, 257, 1}, Shape{300, 1, 129}, Shape{1, 3, 50021},
                         Shape{1, 200003, 2}, Shape{2, 37, 1031}}) {
    INFO(s.text());
    Tensor x = uniform(s);  // no cancellation: the result is as large as the sum of magnitudes
    // float32 is summed in double and rounded at the end; float64 in another order than the reference: each term rounds
    double few = 4, all = few + double(s.numel());
    for (Axes axes : {Axes{1}, Axes{0, 2}, Axes{0, 1, 2}, Axes{2}}) {
      check_devices([=](auto t) { return sum(t[0], axes); }, {x}, few, all);
      check_devices([=](auto t) { return mean(t[0], axes, false); }, {x}, few, all);
      check_devices([=](auto t) { return max(t[0], axes); }, {x}, 1);
    }
  }
}

TEST_CASE("reduce: a long sum in float32 is right to its own rounding") {
  manual_seed(5);
  Tensor x = uniform({1 << 20}) + 1000.0;
  double exact = 0;
  for (double v : values(x)) exact += v;
  CHECK_LE(std::abs(sum(x).item() - exact), 0.5 * epsilon(DType::f32) * exact * 1.001);
  Tensor columns = x.reshape({-1, 2});
  CHECK_LE(std::abs(sum(sum(columns, 0)).item() - exact), 1.5 * epsilon(DType::f32) * exact);
}

TEST_CASE("reduce: scratch memory is small, whatever the shape") {
  kernels::Reduce<float> over_batch, over_all, rows;
  over_batch.reduced = 16, over_batch.inner = 3 << 20;
  over_all.reduced = 64 << 20;
  rows.outer = 1 << 20, rows.reduced = 16;
  for (auto const& a : {over_batch, over_all, rows}) CHECK_LE(kernels::cpu::reduce_work_bytes(a), size_t(1) << 20);
}

TEST_CASE("reduce: values by hand") {
  Tensor x = arange(24).reshape({2, 3, 4});
  CHECK(sum(x).shape() == Shape{1});
  CHECK(sum(x).item() == 276);
  CHECK(mean(x).item() == 11.5);
  CHECK(max(x).item() == 23);
  CHECK(sum(x, 1).shape() == Shape{2, 1, 4});
  CHECK(values(sum(x, 1, false)) == std::vector<double>{12, 15, 18, 21, 48, 51, 54, 57});
  CHECK(values(sum(x, {0, 2}, false)) == std::vector<double>{60, 92, 124});
  CHECK(values(mean(x, {-1, -2})) == std::vector<double>{5.5, 17.5});
  CHECK(values(mean(x, {0, 2}, false)) == std::vector<double>{7.5, 11.5, 15.5});
  CHECK(values(max(x, {0, 1}, false)) == std::vector<double>{20, 21, 22, 23});
  CHECK(values(argmax(from(std::vector<float>{1, 5, 5, 7, 7, 2}, {2, 3}), 1)) == std::vector<double>{1, 0});
  CHECK(values(argmax(from(std::vector<float>{1, 5, 5, 7, 7, 2}, {2, 3}), 0)) == std::vector<double>{1, 1, 0});
  CHECK(sum(x, {0, 1, 2}, false).shape() == Shape{1});
  CHECK(sum(zeros({3, 0}), 1).shape() == Shape{3, 1});
  CHECK(values(sum(zeros({2, 0}), 1, false)) == std::vector<double>{0, 0});
}

TEST_CASE("reduce: the gradient of a maximum goes to the first, in row-major order") {
  Tensor x = from(std::vector<float>{1, 3, 3, 3}, {2, 2}).set_requires_grad();
  max(x, {0, 1}).backward(ones({1, 1}));
  CHECK(values(x.grad()) == std::vector<double>{0, 1, 0, 0});
  Tensor apart = from(std::vector<float>{0, 2, 2, 0}, {2, 1, 2}).set_requires_grad();  // first in memory, not in axis 2
  max(apart, {0, 2}).backward(ones({1, 1, 1}));
  CHECK(values(apart.grad()) == std::vector<double>{0, 1, 0, 0});
}

TEST_CASE("reduce: a NaN is the maximum") {
  for (Device device : {Device("cpu"), Device("reference")}) {
    Tensor x = from(std::vector<float>{1, NAN, 3, 4, 5, NAN}, {3, 2}, {.device = device});
    CHECK(std::isnan(max(x).item()));
    CHECK(values(argmax(x, 0)) == std::vector<double>{2, 0});
    CHECK(values(argmax(from(std::vector<float>{1, 2, NAN, 0, 7, 3}, {3, 2}, {.device = device}), 0)) ==
          std::vector<double>{1, 2});
    CHECK(values(argmax(x.reshape({1, 6}), 1)) == std::vector<double>{1});
  }
}

TEST_CASE("reduce: the sum is linear, and what it adds up is what concat joins") {
  manual_seed(6);
  Tensor a = normal({5, 7, 3}, {.dtype = DType::f64}), b = normal({5, 7, 3}, {.dtype = DType::f64});
  double rounding = 4 * 35 * epsilon(DType::f64) * (largest(a) + largest(b));
  CHECK_LE(difference(sum(2 * a - 3 * b, {0, 1}), 2 * sum(a, {0, 1}) - 3 * sum(b, {0, 1})), 5 * rounding);
  CHECK_LE(difference(sum(concat({a, b}, 1), 1), sum(a, 1) + sum(b, 1)), rounding);
  check_adjoint([](Tensor x) { return sum(x, {0, 2}); }, a);
  check_adjoint([](Tensor x) { return mean(x, 1, false); }, a);
  check_adjoint([](Tensor x) { return sum_to(x, {7, 1}); }, a);
}

TEST_CASE("reduce: a tag lasts as long as its axis") {
  Tensor x = zeros({1, 2, 2, 3, 16}, {.group = D16});
  CHECK(sum(x, {axis::H, axis::W}).group() == D16);
  CHECK_FALSE(sum(x, axis::G, false).group());
  CHECK_FALSE(mean(x).group());
}

TEST_CASE("reduce: errors") {
  CHECK_THROWS_AS(sum(zeros({2, 3}), 2), ShapeError);
  CHECK(message_of<ShapeError>([] { max(zeros({2, 0}), 1); }) == "max: x is (2,0); the maximum over no elements");
  CHECK_THROWS_AS(max(zeros({2, 0})), ShapeError);
  CHECK_THROWS_AS(argmax(zeros({2, 0}), 1), ShapeError);
  CHECK(message_of<ShapeError>([] { sum_to(zeros({2, 3}), {2}); }) == "sum_to: (2,3) is no repetition of (2)");
  CHECK(message_of<ShapeError>([] {
          global_avg_pool(zeros({2, 3}));
        }) == "global_avg_pool: x is (2,3); it needs (N,H,W,C)");
}
