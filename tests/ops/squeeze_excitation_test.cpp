// Squeeze and excitation: fast against reference over several pieces, the same as its parts, its laws, errors.
#include <d16/ops/conv2d.hpp>
#include <d16/ops/linear.hpp>
#include <d16/ops/reduce.hpp>
#include <d16/ops/squeeze_excitation.hpp>
#include <d16/ops/unary.hpp>

#include "compare.hpp"

using namespace d16;
using namespace d16::testing;

namespace {

std::vector<Tensor> inputs(Shape const& x, int64_t R, DType dtype = DType::f32) {
  TensorOptions o{.dtype = dtype};
  int64_t C = x[3];
  return {normal(x, o) + 0.3, normal({R, C}, o), normal({R}, o), normal({C, R}, o), normal({C}, o)};
}
Tensor fused(std::vector<Tensor> t) { return squeeze_excitation(t[0], t[1], t[2], t[3], t[4]); }
/// The same by five ops.
Tensor composed(std::vector<Tensor> t) {
  Tensor gate = sigmoid(linear(relu(linear(global_avg_pool(t[0]), t[1], t[2])), t[3], t[4]));
  return t[0] * gate.reshape({t[0].dim(0), 1, 1, t[0].dim(3)});
}

}  // namespace

TEST_CASE("squeeze_excitation: fast against reference, images of one and of several pieces") {
  manual_seed(38);
  struct Case {
    Shape x;
    int64_t R;
  };
  for (Case const& c : {Case{{1, 1, 1, 1}, 1}, Case{{2, 9, 7, 7}, 3}, Case{{1, 130, 131, 12}, 4},
                        Case{{3, 33, 31, 64}, 16}, Case{{5, 3, 5, 515}, 2}}) {
    INFO(c.x.text(), ", ", c.R, " hidden");
    // float: all between is in double and rounded once; y and dx have a few more roundings. double: the sums over
    // pixels, samples and channels
    double terms = double(c.x.numel());
    check_devices([](auto t) { return fused(t); }, inputs(c.x, c.R), 4, 2 * terms);
  }
}

TEST_CASE("squeeze_excitation: a residual and a ReLU are what they are as ops of their own, with all gradients") {
  manual_seed(41);
  for (Shape const& shape : {Shape{2, 5, 4, 7}, Shape{2, 33, 31, 16}})  // one piece and several
    for (bool residual : {false, true})
      for (bool cut : {false, true}) {
        INFO(shape.text(), residual ? ", residual" : "", cut ? ", ReLU" : "");
        auto in = inputs(shape, 3, DType::f64);
        if (residual) in.push_back(normal(shape, {.dtype = DType::f64}));
        auto one = forward_and_back(
            [=](std::vector<Tensor> t) {
              return squeeze_excitation(t[0], t[1], t[2], t[3], t[4], {residual ? t[5] : Tensor(), cut});
            },
            in, "cpu");
        auto many = forward_and_back(
            [=](std::vector<Tensor> t) {
              Tensor y = residual ? composed(t) + t[5] : composed(t);
              return cut ? relu(y) : y;
            },
            in, "cpu");
        double const terms = 2 * double(shape.numel());
        for (size_t i = 0; i < one.size(); ++i)
          CHECK_LE(difference(one[i], many[i]), terms * epsilon(DType::f64) * largest(many[i]));
      }
}

TEST_CASE("squeeze_excitation: a norm in front is what it is as an op of its own, with all gradients") {
  manual_seed(43);
  for (Shape const& shape : {Shape{2, 5, 4, 7}, Shape{3, 33, 31, 16}})  // one piece and several
    for (bool training : {true, false})
      for (bool far : {false, true}) {
        INFO(shape.text(), training ? ", training" : ", evaluation", far ? ", far from zero" : "");
        TensorOptions const f64{.dtype = DType::f64};
        auto in = inputs(shape, 3, DType::f64);
        if (far) in[0] = in[0] + 100.0;
        for (Tensor const& more : {normal(shape, f64), normal({shape[3]}, f64), normal({shape[3]}, f64)})
          in.push_back(more);
        struct Moved {
          Tensor mean, var;
        };
        auto moved = [&] { return Moved{full({shape[3]}, 0.3, f64), full({shape[3]}, 1.7, f64)}; };
        Moved of_one = moved(), of_many = moved();
        BatchNormOptions const o{.training = training};
        auto one = forward_and_back(
            [=](std::vector<Tensor> t) {
              NormInFront const norm{t[6], t[7], of_one.mean, of_one.var, o};
              return squeeze_excitation(t[0], t[1], t[2], t[3], t[4], {t[5], true, norm});
            },
            in, "cpu");
        auto many = forward_and_back(
            [=](std::vector<Tensor> t) {
              t[0] = batch_norm2d(t[0], t[6], t[7], of_many.mean, of_many.var, o);
              return relu(composed(t) + t[5]);
            },
            in, "cpu");
        REQUIRE(one.size() == 9);
        // sums of squares of values 100 times as large as their spread lose 1e4 of their digits
        double const terms = 2 * double(shape.numel()) * (far ? 1e4 : 1);
        for (size_t i = 0; i < one.size(); ++i) {
          INFO("result ", i);
          CHECK_LE(difference(one[i], many[i]), terms * epsilon(DType::f64) * largest(many[i]));
        }
        CHECK_LE(difference(of_one.mean, of_many.mean), terms * epsilon(DType::f64) * largest(of_many.mean));
        CHECK_LE(difference(of_one.var, of_many.var), terms * epsilon(DType::f64) * largest(of_many.var));
        CHECK((difference(of_one.mean, moved().mean) > 0) == training);
      }
}

TEST_CASE("squeeze_excitation: a norm in front, fast against reference") {
  manual_seed(44);
  for (bool training : {true, false}) {
    auto in = inputs({3, 33, 31, 12}, 4);
    for (Tensor const& more : {normal({12}), normal({12})}) in.push_back(more);
    // in float32 dx is what is left of differences: of the gradient, its mean and its part along x
    check_devices(
        [=](auto t) {
          TensorOptions const like{.dtype = t[0].dtype(), .device = t[0].device()};
          NormInFront const norm{t[5], t[6], full({12}, 0.2, like), full({12}, 1.5, like), {.training = training}};
          return squeeze_excitation(t[0], t[1], t[2], t[3], t[4], {.norm = norm});
        },
        in, 16, 2 * double(in[0].numel()));
  }
}

TEST_CASE("conv2d: the sums of its result over each image, and what norm and gates make of them") {
  manual_seed(45);
  for (Device device : {"cpu", "reference"})
    for (DType dtype : {DType::f32, DType::f64}) {
      TensorOptions const like{.dtype = dtype, .device = device};
      Tensor x = normal({3, 9, 7, 5}, like), w = normal({6, 5, 3, 3}, like), b = normal({6}, like);
      Tensor sums = empty({3, 6, 2}, {.dtype = DType::f64, .device = device});
      Tensor y = conv2d(x, w, b, {.padding = 1, .sums = sums}), wide = y.cast(DType::f64);
      CHECK(same_bits(y, conv2d(x, w, b, {.padding = 1})));
      Tensor first = sum(wide, {1, 2}).reshape({3, 6}), second = sum(square(wide), {1, 2}).reshape({3, 6});
      // 63 terms in another order
      CHECK_LE(difference(sums.select(2, 0), first), 64 * epsilon(DType::f64) * largest(second));
      CHECK_LE(difference(sums.select(2, 1), second), 64 * epsilon(DType::f64) * largest(second));
      BatchNormOptions known{.training = true, .relu = true, .sums = sums};
      BatchNormOptions const unknown{.training = true, .relu = true};
      Tensor with = batch_norm2d(y, {}, {}, {}, {}, known), without = batch_norm2d(y, {}, {}, {}, {}, unknown);
      CHECK_LE(difference(with, without), 8 * epsilon(dtype) * largest(without));
    }
  Tensor x = zeros({2, 4, 4, 3}), w = zeros({5, 3, 1, 1}), wrong = zeros({2, 3, 2}, {.dtype = DType::f64});
  CHECK(message_of<ShapeError>([&] { conv2d(x, w, {}, {.sums = wrong}); }) == "conv2d: sums is (2,3,2); needs (2,5,2)");
  CHECK_THROWS_AS(batch_norm2d(conv2d(x, w), {}, {}, {}, {}, {.training = true, .sums = wrong}), ShapeError);
}

TEST_CASE("squeeze_excitation: a NaN of the residual passes the ReLU, and its pixel has a gradient") {
  manual_seed(42);
  auto in = inputs({1, 2, 2, 3}, 2);
  Tensor residual = zeros({1, 2, 2, 3});
  residual.host<float>()[4] = NAN;
  residual.set_requires_grad();
  Tensor y = squeeze_excitation(in[0], in[1], in[2], in[3], in[4], {residual, true});
  CHECK(std::isnan(values(y)[4]));
  y.backward(ones(y.shape()));
  CHECK(values(residual.grad())[4] == 1);
}

TEST_CASE("squeeze_excitation: is what its parts are, with all gradients") {
  manual_seed(39);
  auto in = inputs({2, 5, 4, 7}, 3, DType::f64);
  auto one = forward_and_back([](auto t) { return fused(t); }, in, "cpu");
  auto many = forward_and_back([](auto t) { return composed(t); }, in, "cpu");
  REQUIRE(one.size() == 6);
  for (size_t i = 0; i < 6; ++i) CHECK_LE(difference(one[i], many[i]), 280 * epsilon(DType::f64) * largest(many[i]));
}

TEST_CASE(
    "squeeze_excitation: gates are in (0, 1), do not depend on where pixels are, and large weights saturate them") {
  manual_seed(40);
  auto in = inputs({2, 6, 5, 9}, 4, DType::f64);
  Tensor x = in[0], gates = fused(in) / x, first = gates.slice(axis::H, 0, 1).slice(axis::W, 0, 1);
  CHECK_LE(difference(gates, first.expand(gates.shape()).contiguous()), 8 * epsilon(DType::f64));
  for (double g : values(gates)) CHECK((g > 0 && g < 1));
  in[0] = x.permute({0, 2, 1, 3}).contiguous();
  CHECK_LE(difference(fused(in).permute({0, 2, 1, 3}), fused({x, in[1], in[2], in[3], in[4]})),
           60 * epsilon(DType::f64) * largest(x));
  in[0] = x, in[4] = full({9}, 1000, {.dtype = DType::f64});
  CHECK(same_bits(fused(in), x));
  in[4] = full({9}, -1000, {.dtype = DType::f64});
  CHECK(largest(fused(in)) == 0);
}

TEST_CASE("squeeze_excitation: errors") {
  Tensor x = zeros({2, 3, 3, 6}), w1 = zeros({2, 6}), w2 = zeros({6, 2});
  CHECK(message_of<ShapeError>([&] {
          squeeze_excitation(x, w1, {}, zeros({2, 6}), {});
        }) == "squeeze_excitation: x is (N=2,H=3,W=3,C=6), w1 is (2,6), w2 is (2,6); they need (R,6) and (6,R)");
  CHECK_THROWS_AS(squeeze_excitation(zeros({2, 6}), w1, {}, w2, {}), ShapeError);
  CHECK_THROWS_AS(squeeze_excitation(x, w1, zeros({3}), w2, {}), ShapeError);
  CHECK_THROWS_AS(squeeze_excitation(x, w1, {}, w2, zeros({2})), ShapeError);
  CHECK_THROWS_AS(squeeze_excitation(x, w1.cast(DType::f64), {}, w2, {}), DTypeError);
  CHECK(message_of<ShapeError>([&] {
          squeeze_excitation(x, w1, {}, w2, {}, {zeros({2, 3, 1, 6})});
        }) == "squeeze_excitation: x is (N=2,H=3,W=3,C=6), the residual (N=2,H=3,W=1,C=6); they need the same shape");
  CHECK_THROWS_AS(squeeze_excitation(x, w1, {}, w2, {}, {x.cast(DType::f64)}), DTypeError);
  NormInFront norm{ones({5}), {}, {}, {}, {.training = true}};
  CHECK_THROWS_AS(squeeze_excitation(x, w1, {}, w2, {}, {.norm = norm}), ShapeError);
  norm.weight = ones({6}), norm.options.relu = true;
  CHECK_THROWS_AS(squeeze_excitation(x, w1, {}, w2, {}, {.norm = norm}), ValueError);
}
