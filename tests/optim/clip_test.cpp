// Gradient clipping: the common length, what is left alone, its place in step(), errors.
#include <d16/cuda/use.hpp>
#include <d16/nn/dense.hpp>
#include <d16/optim/adam.hpp>
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
  use_cuda_emulated();
  for (Device device : {Device("cpu"), Device("reference"), Device("cuda_emulated")})
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
  use_cuda_emulated();
  for (Device device : {Device("cpu"), Device("reference"), Device("cuda_emulated")}) {
    CAPTURE(device.text());
    Tensor p = zeros({4}, {.device = device}).set_requires_grad();
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
    CHECK(opt.steps() == 4);
  }
}

TEST_CASE("gradients without a length: an error at once on the cpu; on cuda the step does nothing and check() tells") {
  use_cuda_emulated();
  Tensor here = full({5}, 2).set_requires_grad();
  optim::Sgd on_cpu({here});
  on_cpu.clip(1);
  sum(here * NAN).backward();
  CHECK_THROWS_AS(on_cpu.step(), ValueError);
  CHECK(values(here)[4] == 2);
  CHECK(on_cpu.steps() == 0);

  Tensor there = full({5}, 2, {.device = "cuda_emulated"}).set_requires_grad();
  optim::AdamW on_cuda({there});
  on_cuda.clip(1);
  sum(there * INFINITY).backward();
  on_cuda.step();
  CHECK(values(there)[4] == 2);
  CHECK(values(on_cuda.state()[0].tensor)[4] == 0);
  CHECK(
      message_of<ValueError>([&] { on_cuda.check(); }).starts_with("optimiser: in 1 steps the gradient's length was"));
  on_cuda.check();  // told once
  sum(there).backward();
  on_cuda.step();
  CHECK(values(there)[4] < 2);
  on_cuda.check();
}

TEST_CASE("all parameters in one call: any number of them, of any size, where one ends inside of a block") {
  use_cuda_emulated();
  std::vector<Tensor> all[2];
  for (int k : {0, 1})
    for (int64_t n = 0; n < 95; ++n) {  // a table longer than the arguments of a kernel
      manual_seed(uint64_t(n));
      int64_t const size = n % 7 == 3 ? 4096 * (n % 3) + n : n + 1;
      all[k].push_back(normal({size}).to(k ? "cuda_emulated" : "cpu").detach().set_requires_grad());
    }
  optim::AdamW here(all[0], {.lr = 0.1}), there(all[1], {.lr = 0.1});
  for (optim::Optimiser* opt : {static_cast<optim::Optimiser*>(&here), static_cast<optim::Optimiser*>(&there)}) {
    opt->clip(3);
    for (int step = 0; step < 3; ++step) {
      for (size_t i = 0; i < 95; ++i)
        if (i % 11 != size_t(step)) sum(square(opt->parameters()[i])).backward();
      opt->step();
    }
  }
  // a step moves by lr at most about 1; each is a dozen roundings of numbers below 8
  for (size_t i = 0; i < 95; ++i)
    CHECK_LE(difference(all[1][i].to("cpu"), all[0][i]), 3 * 12 * 8 * epsilon(DType::f32));
}

TEST_CASE("parameters of several devices or types need several optimisers") {
  use_cuda_emulated();
  Tensor p = zeros({4}).set_requires_grad(), wide = zeros({4}, {.dtype = DType::f64}).set_requires_grad();
  Tensor there = zeros({4}, {.device = "cuda_emulated"}).set_requires_grad();
  CHECK_THROWS_AS(optim::Sgd({p, wide}), DTypeError);
  CHECK_THROWS_AS(optim::Sgd({p, there}), DeviceError);
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
