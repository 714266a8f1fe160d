// Gradient clipping: the common length, what is left alone, its place in step(), errors.
#include <d16/nn/dense.hpp>
#include <d16/optim/sgd.hpp>

#include "ops/compare.hpp"

using namespace d16;
using namespace d16::testing;

namespace {

/// Parameters whose gradients are `gradients`.
std::vector<Tensor> with_gradients(std::vector<Tensor> gradients) {
  std::vector<Tensor> out;
  for (Tensor const& g : gradients) {
    Tensor p = zeros_like(g).set_requires_grad();
    sum(p * g).backward();
    out.push_back(p);
  }
  return out;
}

}  // namespace

TEST_CASE("clip_grad_norm: all gradients are one vector, scaled to the longest length, direction kept") {
  for (Device device : {Device("cpu"), Device("reference")})
    for (DType dtype : {DType::f32, DType::f64}) {
      TensorOptions o{.dtype = dtype, .device = device};
      auto p = with_gradients({full({2, 3}, 3, o), full({5}, -4, o)});  // 6 * 9 + 5 * 16 = 134
      p.push_back(zeros({4}, o).set_requires_grad());                   // without a gradient
      double length = std::sqrt(134.0);
      CHECK(optim::clip_grad_norm(p, 2) == doctest::Approx(length).epsilon(1e-14));
      // the factor is rounded, and each product
      CHECK_LE(difference(p[0].grad(), full({2, 3}, 3 * 2 / length)), 3 * epsilon(dtype) + epsilon(DType::f32));
      CHECK_LE(difference(p[1].grad(), full({5}, -4 * 2 / length)), 3 * epsilon(dtype) + epsilon(DType::f32));
      CHECK(!p[2].grad().defined());
      CHECK(optim::clip_grad_norm(p, 3) == doctest::Approx(2).epsilon(4 * epsilon(dtype)));
    }
}

TEST_CASE("clip_grad_norm: short gradients keep their bits, huge ones do not overflow") {
  auto p = with_gradients({full({3}, 0.1)});
  Tensor before = p[0].grad().clone();
  CHECK(optim::clip_grad_norm(p, 1) < 0.2);
  CHECK(same_bits(p[0].grad(), before));
  auto huge = with_gradients({full({4}, 1e30)});
  CHECK(optim::clip_grad_norm(huge, 1) == doctest::Approx(2e30).epsilon(1e-6));
  CHECK(values(huge[0].grad())[3] == doctest::Approx(0.5).epsilon(1e-6));
}

TEST_CASE("clip_grad_norm: gradients that share memory are scaled once") {
  Tensor p = zeros({8}).set_requires_grad(), q = zeros({8}).set_requires_grad();
  sum(p + q).backward();
  CHECK(optim::clip_grad_norm({p, q}, 1) == 4);
  CHECK(values(p.grad())[0] == 0.25);
  CHECK(values(q.grad())[7] == 0.25);
}

TEST_CASE("an optimiser with clip() takes steps of at most that length") {
  Tensor p = zeros({4}).set_requires_grad();
  optim::Sgd opt({p}, {.lr = 1, .momentum = 0});
  auto step = [&](double slope) {
    sum(p * slope).backward();
    opt.step();
    return values(p)[0];
  };
  CHECK(step(3) == -3);
  opt.clip(1);
  CHECK(step(3) == doctest::Approx(-3.5).epsilon(1e-6));  // length 6, each of four becomes 1 / 2
  CHECK(step(0.25) == doctest::Approx(-3.75).epsilon(1e-6));
  opt.clip(0);
  CHECK(step(3) == doctest::Approx(-6.75).epsilon(1e-6));
}

TEST_CASE("clip_grad_norm: errors") {
  auto p = with_gradients({full({3}, 1)});
  CHECK(message_of<ValueError>([&] { optim::clip_grad_norm(p, 0); }) ==
        "clip_grad_norm: the longest is 0; it must be positive");
  auto broken = with_gradients({full({3}, NAN)});
  CHECK_THROWS_AS(optim::clip_grad_norm(broken, 1), ValueError);
  Tensor q = zeros({4}).set_requires_grad();
  CHECK_THROWS_AS(optim::Sgd({q}).clip(-1), ValueError);
}
