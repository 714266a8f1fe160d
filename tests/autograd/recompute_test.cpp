// recompute: the gradients of keeping everything, bit for bit, for less memory; random numbers and statistics once.
#include <d16/autograd/recompute.hpp>
#include <d16/cuda/use.hpp>
#include <d16/nn/unet_vae.hpp>

#include "ops/compare.hpp"

using namespace d16;
using namespace d16::testing;

namespace {

struct Ended {
  std::vector<std::vector<double>> tensors;
  uint64_t draws;
  size_t kept;
};

/// Loss, gradients and running statistics after one pass, and how much memory it had on top of the network.
Ended pass(bool recompute) {
  manual_seed(5);
  nn::UNetVae net({.size = 32, .widths = {8, 16, 24}, .latent = 4, .recompute = recompute});
  Tensor x = uniform({4, 32, 32, 3});
  size_t const before = host_arena().use().used;
  Ended out;
  {
    Tensor loss = nn::vae_loss(net.encode_decode(x), x, 0.1);
    out.kept = host_arena().use().used - before;
    loss.backward();
    out.tensors.push_back(values(loss));
  }
  for (Tensor const& p : net.parameters()) out.tensors.push_back(values(p.grad()));
  for (nn::Named const& b : net.named_buffers()) out.tensors.push_back(values(b.tensor));
  out.draws = default_generator().draws;
  return out;
}

}  // namespace

TEST_CASE("recompute: a network's loss, gradients and running statistics, with less kept for the way back") {
  Ended const kept = pass(false), again = pass(true);
  CHECK(again.tensors == kept.tensors);
  CHECK(again.draws == kept.draws);
  CHECK(again.kept < kept.kept * 2 / 3);  // inputs of blocks only: of a block's seven tensors two
}

TEST_CASE("recompute: features in bfloat16 have the gradients of keeping everything too") {
  use_cuda_emulated();
  auto gradients = [](bool recompute) {
    manual_seed(5);
    nn::UNetVae net({.size = 8, .widths = {4, 8}, .latent = 2, .recompute = recompute});
    net.to("cuda_emulated");
    net.compute_in(kernels::Precision::bfloat16);
    Tensor const x = uniform({2, 8, 8, 3}, {.device = "cuda_emulated"});
    nn::vae_loss(net.encode_decode(x), x, 0.1).backward();
    std::vector<std::vector<double>> out;
    for (Tensor const& p : net.parameters()) out.push_back(values(p.grad()));
    return out;
  };
  CHECK(gradients(true) == gradients(false));
}

TEST_CASE("recompute: random numbers are drawn as the first time, gradients add up, inputs without gradient") {
  use_cuda_emulated();
  for (bool needed : {false, true}) {
    manual_seed(8);
    Tensor x = uniform({40}), w = uniform({40}).set_requires_grad();
    x.set_requires_grad(needed);
    auto f = [&](Tensor t) { return square(w * t) * uniform({40}); };
    auto gradients = [&](auto const& run) {
      manual_seed(9);
      x.zero_grad(), w.zero_grad();
      sum(w).backward();  // a gradient that was there before
      sum(run(x) * uniform({40})).backward();
      return std::pair(values(w.grad()), needed ? values(x.grad()) : std::vector<double>());
    };
    auto const expected = gradients(f);
    CHECK(gradients([&](Tensor t) { return recompute(f, t, {w}); }) == expected);
    auto const wrong = gradients([&](Tensor t) { return recompute([&](Tensor u) { return f(u) * 2.0; }, t, {w}); });
    CHECK(wrong != expected);
  }
}

TEST_CASE("recompute: under NoGrad it is the function") {
  NoGrad off;
  Tensor const x = ones({2});
  CHECK(recompute([](Tensor t) { return t; }, x, {}).same_memory(x));
}
