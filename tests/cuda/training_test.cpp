// The three networks of the two systems, small, trained for twenty steps by the CUDA kernels on the emulator: they end
// where the cpu ends, but for rounding, and one step of each can be captured.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include <d16/cuda/captured_step.hpp>
#include <d16/cuda/use.hpp>
#include <d16/optim/adam.hpp>

#include "three_networks.hpp"

using namespace d16;
using namespace d16::testing;

namespace {

constexpr int steps = 20;

struct Ended {
  std::vector<double> losses;
  std::vector<std::vector<double>> tensors;  ///< weights and running statistics
};

std::vector<double> values(Tensor const& x) {
  Tensor const wide = x.detach().to("cpu").cast(DType::f64).contiguous();
  auto const span = wide.host<double>();
  return {span.begin(), span.end()};
}

struct Options {
  Device device = "cpu";
  double beta1 = 0.9;
  int steps = ::steps;
  bool captured = false;
};

Ended train(MakeCase make, Options o) {
  manual_seed(16);
  Case c = make();
  c.net->to(o.device);
  // lr / eps is small: where a gradient passes through zero, its rounding moves the weight by no more than a fiftieth
  optim::AdamW opt(c.net->parameters(), {.lr = 1e-3, .betas = {o.beta1, 0.999}, .eps = 0.05, .weight_decay = 1e-4});
  opt.clip(1);
  auto step = [&](Inputs const& in) {
    Tensor loss = c.loss(in);
    loss.backward();
    opt.step();
    return loss;
  };
  cuda::CapturedStep graph(o.device, step);
  Ended out;
  for (int i = 0; i < o.steps; ++i) {
    Inputs in = c.batch(i);
    for (Tensor& x : in) x = x.to(o.device);
    out.losses.push_back((o.captured ? graph(in) : step(in)).item());
  }
  for (nn::Named const& named : c.net->named_tensors()) out.tensors.push_back(values(named.tensor));
  return out;
}

/// The largest difference of any number, as a part of the largest number of its tensor.
double distance(Ended const& a, Ended const& b) {
  double most = 0;
  for (size_t t = 0; t < a.tensors.size(); ++t) {
    double difference = 0, largest = 1e-30;
    for (size_t i = 0; i < a.tensors[t].size(); ++i) {
      difference = std::max(difference, std::abs(a.tensors[t][i] - b.tensors[t][i]));
      if (std::isnan(a.tensors[t][i])) difference = INFINITY;
      largest = std::max(largest, std::abs(b.tensors[t][i]));
    }
    most = std::max(most, difference / largest);
  }
  return most;
}

/// A gradient is a sum of up to `terms` rounded products, which the two devices add up in other orders: at worst they are
/// terms x epsilon of its largest value apart, as a rule the square root of that many. Weights that begin at zero are
/// nothing but sums of gradients, so this is their relative error after one step. Each further step adds its own and
/// stretches what was there by 1 + lr / eps x the curvature, a few per cent. So twenty steps stay far below the worst of
/// one, unless two values lie so close that the devices find another one the larger: that moves the part of a gradient
/// that hangs on this decision, and may happen once. A step that is wrong does not stay below.
void check_twenty_steps(MakeCase make) {
  use_cuda_emulated();
  Case const sizes = make();
  double const rounding = sizes.terms * double(std::numeric_limits<float>::epsilon()),
               bound = rounding + sizes.decision;
  Ended const on_cpu = train(make, {}), emulated = train(make, {.device = "cuda_emulated"});
  MESSAGE("apart by ", distance(emulated, on_cpu), " of ", bound);
  CHECK(distance(emulated, on_cpu) <= bound);
  for (size_t i = 0; i < size_t(steps); ++i)
    CHECK(std::abs(emulated.losses[i] - on_cpu.losses[i]) <= bound * std::max(1.0, std::abs(on_cpu.losses[i])));
  CHECK(distance(train(make, {.beta1 = 0.89}), on_cpu) >
        std::max(10 * rounding, 5 * bound));  // as far as a small mistake goes

  Ended const captured = train(make, {.device = "cuda_emulated", .steps = 4, .captured = true});
  CHECK(captured.losses == std::vector<double>(emulated.losses.begin(), emulated.losses.begin() + 4));
}

}  // namespace

TEST_CASE("training on cuda_emulated: the equivariant classifier") { check_twenty_steps(classifier); }
TEST_CASE("training on cuda_emulated: the U-Net VAE") { check_twenty_steps(denoiser); }
TEST_CASE("training on cuda_emulated: the seven-band network") { check_twenty_steps(seven_bands); }
