// The three networks in bfloat16 by the CUDA kernels on the emulator: their losses follow those of float32 as far as the
// rounding of features allows; weights, gradients and their sums are float32; a step can be captured.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include <d16/cuda/captured_step.hpp>
#include <d16/cuda/use.hpp>
#include <d16/optim/adam.hpp>

#include "three_networks.hpp"

using namespace d16;
using namespace d16::testing;
using kernels::Precision;

namespace {

constexpr double unit = 0x1p-9;  // of a number of eight bits: half of its last
constexpr int steps = 6;

struct Options {
  Device device = "cuda_emulated";
  Precision precision = Precision::bfloat16;
  double lr = 2e-3;
  bool captured = false;
  int steps = ::steps;
};

/// Losses of steps on one batch: they fall.
std::vector<double> losses_of(MakeCase make, Options o) {
  use_cuda_emulated();
  manual_seed(16);
  Case c = make();
  c.net->to(o.device);
  c.net->compute_in(o.precision);
  optim::AdamW opt(c.net->parameters(), {.lr = o.lr, .eps = 0.01});
  auto step = [&](Inputs const& in) {
    Tensor loss = c.loss(in);
    CHECK(loss.dtype() == DType::f32);
    loss.backward();
    for (Tensor const& p : opt.parameters()) CHECK(p.grad().dtype() == DType::f32);
    opt.step();
    return loss;
  };
  cuda::CapturedStep graph(o.device, step);
  Inputs in = c.batch(0);
  for (Tensor& x : in) x = x.to(o.device);
  std::vector<double> losses;
  for (int i = 0; i < o.steps; ++i) losses.push_back((o.captured ? graph(in) : step(in)).item());
  return losses;
}

/// `roundings`: of features and weights on the longest way through the network. Each is off by at most `unit` of the
/// number, with a sign of its own, and norms keep what comes out of a layer at its size; so what goes into the loss is off
/// by the root of their number. Three of these are taken for the worst. Gradients went back the same way, so that a step
/// goes wrong by twice as many roundings, and what the loss has fallen by with it. `places`: pixels of the
/// smallest grid. Its roundings reach all pixels above them; a loss that is a mean over pixels is off by that of so many.
void check_losses(MakeCase make, double roundings, double places = 1, double lr = 2e-3) {
  std::vector<double> const exact = losses_of(make, {.device = "cpu", .precision = Precision::float32, .lr = lr}),
                            got = losses_of(make, {.lr = lr});
  double const once = 3 * std::sqrt(roundings / places) * unit, back = std::sqrt(2) * once;
  double most = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    double const bound = once * std::max(1.0, std::abs(exact[i])) + back * std::abs(exact[0] - exact[i]);
    CHECK(std::abs(got[i] - exact[i]) <= bound);
    most = std::max(most, std::abs(got[i] - exact[i]) / bound);
  }
  MESSAGE("apart by ", most, " of the bound; the loss falls from ", exact.front(), " to ", exact.back());
  CHECK(exact[0] - exact.back() > 2 * once);     // a step that did nothing would be seen
  CHECK(std::abs(got[0] - exact[0]) > 0x1p-16);  // more than float32 in another order: features were rounded
  std::vector<double> const captured = losses_of(make, {.lr = lr, .captured = true, .steps = 4});
  CHECK(captured == std::vector<double>(got.begin(), got.begin() + 4));
}

nn::PlainCnn small_cnn() {
  manual_seed(3);
  return nn::PlainCnn({.input = {.size = 8, .channels = 2, .classes = 3}, .widths = {4, 8}, .dropout = 0});
}
Tensor small_batch() {
  Random random(5);
  return numbers(random, {3, 8, 8, 2}, -1, 1).to("cuda_emulated");
}
std::vector<float> values(Tensor const& x) {
  Tensor const here = x.detach().to("cpu").contiguous();
  return {here.host<float>().begin(), here.host<float>().end()};
}

}  // namespace

// Of each layer the weights, the convolution, the norm with its ReLU, and what follows: pooling, sums, gates.
TEST_CASE("bfloat16 training on cuda_emulated: the equivariant classifier") { check_losses(classifier, 4 * 4); }
TEST_CASE("bfloat16 training on cuda_emulated: the U-Net VAE") {
  check_losses(denoiser, 5 * 2 * 4 + 4 * 3, 4 * 4 * 4, 0.03);
}
TEST_CASE("bfloat16 training on cuda_emulated: the seven-band network") { check_losses(seven_bands, 4 * 3 * 4); }

TEST_CASE("bfloat16 training: gradients of many batches add up in float32") {
  use_cuda_emulated();
  nn::PlainCnn net = small_cnn();
  net.to("cuda_emulated");
  net.compute_in(Precision::bfloat16);
  Tensor const x = small_batch();
  auto back = [&] { mean(square(net(x))).backward(); };
  back();
  std::vector<std::vector<float>> one;
  for (Tensor const& p : net.parameters()) one.push_back(values(p.grad()));
  constexpr int times = 300;
  for (int i = 1; i < times; ++i) back();
  for (size_t k = 0; k < one.size(); ++k) {
    std::vector<float> const sum = values(net.parameters()[k].grad());
    for (size_t i = 0; i < sum.size(); ++i) {
      INFO("parameter ", k, ", number ", i);
      // each addition is off by half a unit of the sum, at most that of the last; of bfloat16 they would stand still
      double const bound = times * 0x1p-24 * times * std::abs(double(one[k][i]));
      CHECK(std::abs(double(sum[i]) - times * double(one[k][i])) <= bound);
    }
  }
}

TEST_CASE("bfloat16 training: steps smaller than bfloat16 can tell move the weights") {
  use_cuda_emulated();
  nn::PlainCnn net = small_cnn();
  net.to("cuda_emulated");
  net.compute_in(Precision::bfloat16);
  Tensor weight = net.named_parameters()[0].tensor;
  std::vector<float> const before = values(weight);
  optim::Adam opt(net.parameters(), {.lr = 1e-5});
  for (int i = 0; i < 3; ++i) {
    mean(square(net(small_batch()))).backward();
    opt.step();
  }
  std::vector<float> const after = values(weight);
  int moved = 0;
  for (size_t i = 0; i < after.size(); ++i) {
    CHECK(std::abs(after[i] - before[i]) <= 3.1e-5f);  // Adam moves each weight by the learning rate at most
    moved += std::abs(after[i] - before[i]) > 1e-5f && float(bf16(after[i])) != after[i];
  }
  CHECK(moved > int(after.size()) / 2);
}

TEST_CASE("bfloat16 networks: evaluation, and back to float32") {
  use_cuda_emulated();
  for (MakeCase make : {classifier, denoiser, seven_bands}) {
    manual_seed(7);
    Case c = make();
    c.net->to("cuda_emulated");
    Inputs in = c.batch(1);
    for (Tensor& x : in) x = x.to("cuda_emulated");
    c.net->eval();
    NoGrad off;
    double const exact = c.loss(in).item();
    c.net->compute_in(Precision::bfloat16);
    double const rounded = c.loss(in).item();
    CHECK(rounded != exact);
    CHECK(std::abs(rounded - exact) <= 3 * std::sqrt(52.0) * unit * std::max(1.0, std::abs(exact)));
    c.net->compute_in(Precision::float32);
    CHECK(c.loss(in).item() == exact);
  }
}

TEST_CASE("tf32 networks: layers round what they multiply") {
  use_cuda_emulated();
  for (MakeCase make : {classifier, denoiser, seven_bands}) {
    manual_seed(7);
    Case c = make();
    c.net->to("cuda_emulated");
    c.net->eval();
    Inputs in = c.batch(1);
    for (Tensor& x : in) x = x.to("cuda_emulated");
    NoGrad off;
    double const exact = c.loss(in).item();
    c.net->compute_in(Precision::tf32);
    double const rounded = c.loss(in).item();
    CHECK(rounded != exact);
    CHECK(std::abs(rounded - exact) <= 3 * std::sqrt(52.0) * 0x1p-11 * std::max(1.0, std::abs(exact)));
  }
}

TEST_CASE("bfloat16 networks: a cpu says what to do") {
  nn::PlainCnn net = small_cnn();
  net.compute_in(Precision::bfloat16);
  Tensor const x = uniform({1, 8, 8, 2});
  CHECK_THROWS_WITH_AS(net(x), doctest::Contains("bfloat16 is for CUDA devices: cast to float32"), NoKernelError);
}
