// The three networks of the two systems, small, trained for twenty steps by the CUDA kernels on the emulator: they end
// where the cpu ends, but for rounding, and one step of each can be captured.
#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <memory>

#include <d16/cuda/captured_step.hpp>
#include <d16/cuda/use.hpp>
#include <d16/nn/band_network.hpp>
#include <d16/nn/classifiers.hpp>
#include <d16/nn/unet_vae.hpp>
#include <d16/ops/losses.hpp>
#include <d16/optim/adam.hpp>

using namespace d16;

namespace {

constexpr int steps = 20;
using Inputs = std::vector<Tensor>;

/// One of the networks, its loss, and a batch for each step, made on the host.
struct Case {
  std::shared_ptr<nn::Module> net;
  std::function<Tensor(Inputs const&)> loss;
  std::function<Inputs(int step)> batch;
};
using MakeCase = Case (*)();

Tensor numbers(Random& random, Shape shape, double low, double high) {
  std::vector<float> values;
  for (int64_t i = 0; i < shape.numel(); ++i) values.push_back(float(random.uniform(low, high)));
  return from(values, shape);
}
Tensor labels(Random& random, int64_t count, int64_t classes) {
  std::vector<int64_t> values;
  for (int64_t i = 0; i < count; ++i) values.push_back(random.integer(classes));
  return from(values, {count});
}

/// That of Pandya et al. 2023 at order 16, with fewer layers and fields: disk mask, stride 2 and padding 2 in the lifting
/// convolution, blur pools, group maximum, all pixels, two hidden layers.
Case classifier() {
  auto net = std::make_shared<nn::EquivariantClassifier>(
      nn::EquivariantClassifierOptions{.input = {.size = 31, .channels = 3, .classes = 10},
                                       .group = dihedral(8),
                                       .widths = {2, 3, 4, 4},
                                       .kernels = {3},
                                       .pool_after = {2, 4},
                                       .first_stride = 2,
                                       .first_padding = 2,
                                       .disk_mask = true,
                                       .flatten = true,
                                       .hidden = {12, 8}});
  return {net, [net = net.get()](Inputs const& in) { return cross_entropy((*net)(in[0]), in[1]); },
          [](int step) {
            Random random(31, uint64_t(step));
            return Inputs{numbers(random, {4, 31, 31, 3}, 0, 1), labels(random, 4, 10)};
          }};
}

Case denoiser() {
  auto net = std::make_shared<nn::UNetVae>(nn::UNetVaeOptions{.size = 16, .widths = {6, 8, 12}, .latent = 3});
  return {net, [net = net.get()](Inputs const& in) { return nn::vae_loss(net->encode_decode(in[0]), in[1], 0.1); },
          [](int step) {
            Random random(32, uint64_t(step));
            Tensor clean = numbers(random, {4, 16, 16, 3}, 0, 1);
            return Inputs{clean + numbers(random, {4, 16, 16, 3}, -0.1, 0.1), clean};
          }};
}

Case seven_bands() {
  auto net =
      std::make_shared<nn::BandNetwork>(nn::BandNetworkOptions{.input = {.size = 16, .channels = 7, .classes = 3},
                                                               .spectral = {8, 8},
                                                               .spatial = {8, 12},
                                                               .spatial_attention = true,
                                                               .position = nn::Position::radius,
                                                               .mask = true,
                                                               .features = 5,
                                                               .feature_width = 6,
                                                               .hidden = {8}});
  return {net,
          [net = net.get()](Inputs const& in) {
            return cross_entropy((*net)({.image = in[0], .features = in[1], .valid = in[2]}), in[3]);
          },
          [](int step) {
            Random random(33, uint64_t(step));
            Tensor valid = numbers(random, {6, 7}, 0, 1);
            for (float& v : valid.host<float>()) v = v < 0.9f ? 1.0f : 0.0f;
            return Inputs{numbers(random, {6, 16, 16, 7}, -1, 1), numbers(random, {6, 5}, -1, 1), valid,
                          labels(random, 6, 3)};
          }};
}

/// The same weights in another type and place.
void move(nn::Module& net, DType dtype, Device device) {
  NoGrad off;
  nn::Walk walk;
  walk.tensor = [&](std::string const&, Tensor& t, bool trainable) {
    t = t.cast(dtype).to(device);
    t.set_requires_grad(trainable);
  };
  walk.visit("", net);
}
Inputs moved(Inputs in, DType dtype, Device device) {
  for (Tensor& x : in) x = (x.dtype() == DType::i64 ? x : x.cast(dtype)).to(device);
  return in;
}

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
  DType dtype = DType::f32;
  Device device = "cpu";
  double beta1 = 0.9;
  int steps = ::steps;
  bool captured = false;
};

Ended train(MakeCase make, Options o) {
  manual_seed(16);
  Case c = make();
  move(*c.net, o.dtype, o.device);
  optim::AdamW opt(c.net->parameters(), {.lr = 5e-3, .betas = {o.beta1, 0.999}, .eps = 1e-4, .weight_decay = 1e-4});
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
    Inputs const in = moved(c.batch(i), o.dtype, o.device);
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

/// A training step is a map of the weights. Each device rounds inside of it, by some terms x epsilon of what it adds up;
/// the steps after it stretch what was rounded, by the same factor on every device, since it is the factor of the map. So
/// the distance of a run in float32 from the run in float64 grows alike on cpu and emulator, and the cpu's, which is
/// measured, bounds the emulator's up to how unluckily it rounds: some kernels of the cpu add up in double where those of
/// a GPU use float32 and another order, at most 4 times the error for sums of some hundred terms. Both together are at
/// most 1 + 4 such distances apart. A step that is wrong in its second digit is a thousand times farther away.
void check_twenty_steps(MakeCase make) {
  use_cuda_emulated();
  Ended const exact = train(make, {.dtype = DType::f64}), on_cpu = train(make, {});
  Ended const emulated = train(make, {.device = "cuda_emulated"});
  double const of_cpu = distance(on_cpu, exact), bound = 5 * of_cpu;
  MESSAGE("from float64: cpu ", of_cpu, ", emulated ", distance(emulated, exact), "; apart ",
          distance(emulated, on_cpu));
  CHECK(of_cpu < 1e-3);
  CHECK(distance(emulated, on_cpu) <= bound);
  for (size_t i = 0; i < size_t(steps); ++i)
    CHECK(std::abs(emulated.losses[i] - on_cpu.losses[i]) <= bound * std::max(1.0, std::abs(on_cpu.losses[i])));
  CHECK(distance(train(make, {.beta1 = 0.89}), on_cpu) > 10 * bound);

  Ended const captured = train(make, {.device = "cuda_emulated", .steps = 4, .captured = true});
  CHECK(captured.losses == std::vector<double>(emulated.losses.begin(), emulated.losses.begin() + 4));
}

}  // namespace

TEST_CASE("training on cuda_emulated: the equivariant classifier") { check_twenty_steps(classifier); }
TEST_CASE("training on cuda_emulated: the U-Net VAE") { check_twenty_steps(denoiser); }
TEST_CASE("training on cuda_emulated: the seven-band network") { check_twenty_steps(seven_bands); }
