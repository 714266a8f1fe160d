// A captured step replays what it would compute, on the emulator bit for bit, and refuses what a replay would not see.
#include <doctest/doctest.h>

#include <d16/cuda/captured_step.hpp>
#include <d16/cuda/use.hpp>
#include <d16/nn/dense.hpp>
#include <d16/nn/norm.hpp>
#include <d16/nn/sequential.hpp>
#include <d16/nn/stages.hpp>
#include <d16/ops/losses.hpp>
#include <d16/optim/adam.hpp>
#include <d16/optim/loss_meter.hpp>
#include <d16/optim/sgd.hpp>

#include "ops/compare.hpp"

using namespace d16;
using namespace d16::testing;
using cuda::CapturedStep;

namespace {

constexpr char const* emulated = "cuda_emulated";

nn::Sequential make_net() {
  manual_seed(3);
  return nn::Sequential{nn::Conv2d(2, 4), nn::BatchNorm2d(4), relu,
                        nn::Dropout(0.4), global_avg_pool,    nn::Linear(4, 3)};
}
Tensor images(int64_t count, uint64_t seed) {
  Random random(seed);
  std::vector<float> values;
  for (int64_t i = 0; i < count * 5 * 5 * 2; ++i) values.push_back(float(random.uniform(-1, 1)));
  return from(values, {count, 5, 5, 2});
}
Tensor wanted(int64_t count, uint64_t seed) {
  Random random(~seed);
  std::vector<float> values;
  for (int64_t i = 0; i < count * 3; ++i) values.push_back(float(random.uniform(-1, 1)));
  return from(values, {count, 3});
}
/// Mean of squares from ops that have had kernels from the beginning.
Tensor distance(Tensor y, Tensor t) { return mean(square(y - t)); }

struct Ended {
  std::vector<float> losses;
  std::vector<std::vector<double>> tensors;
  uint64_t draws;
};

/// Eight steps with a learning rate that changes, batches of two sizes and draws in between.
Ended train(bool captured) {
  use_cuda_emulated();
  nn::Sequential net = make_net();
  net.to(emulated);
  optim::AdamW opt(net.parameters(), {.lr = 0.05});
  opt.clip(0.5);
  auto step = [&](std::vector<Tensor> const& in) {
    Tensor loss = distance(net(in[0]), in[1]);
    loss.backward();
    opt.step();
    return loss;
  };
  CapturedStep graph(emulated, step);
  Ended out;
  for (int i = 0; i < 8; ++i) {
    opt.set_lr(0.05 / (1 + i));
    int64_t const count = i % 4 == 3 ? 2 : 6;
    std::vector<Tensor> in{images(count, uint64_t(i)), wanted(count, uint64_t(i))};
    if (i == 5) uniform({3});  // somebody else draws
    if (!captured)
      for (Tensor& x : in) x = x.to(emulated);
    out.losses.push_back(float((captured ? graph(in) : step(in)).item()));
  }
  if (captured) CHECK(graph.graphs() == 2);
  CHECK(opt.steps() == 8);
  for (nn::Named const& named : net.named_tensors()) out.tensors.push_back(values(named.tensor));
  out.draws = default_generator().draws;
  return out;
}

}  // namespace

TEST_CASE("captured step: the bits of running it op by op, with dropout, running statistics and a changing lr") {
  Ended const expected = train(false), got = train(true);
  CHECK(got.losses == expected.losses);
  CHECK(got.tensors == expected.tensors);
  CHECK(got.draws == expected.draws);
  CHECK(expected.losses[0] != expected.losses[7]);
}

TEST_CASE("captured step: after the second call no memory is asked for, and nobody else gets that of the graph") {
  use_cuda_emulated();
  nn::Sequential net = make_net();
  net.to(emulated);
  optim::Sgd opt(net.parameters(), {.lr = 0.01});
  CapturedStep graph(emulated, [&](std::vector<Tensor> const& in) {
    Tensor loss = distance(net(in[0]), in[1]);
    loss.backward();
    opt.step();
    return loss;
  });
  Tensor const x = images(6, 1), t = wanted(6, 1);
  graph({x, t});
  Tensor const loss = graph({x, t});
  size_t const requests = host_arena().use().requests;
  // Were a block of the graph free for others, one of these would be written over by the next replay.
  std::vector<Tensor> others;
  for (int64_t n : {3, 5, 72, 600, 900}) others.push_back(full({n}, 7, {.device = emulated}));
  size_t const made = host_arena().use().requests - requests;
  for (int i = 0; i < 5; ++i) graph({x, t});
  CHECK(host_arena().use().requests - requests == made);
  for (Tensor const& other : others) CHECK(largest(other - 7) == 0);
  CHECK(loss.same_memory(graph({x, t})));
}

TEST_CASE("captured step: what the graph has used and freed stays its own when it asks for larger blocks") {
  use_cuda_emulated();
  Machine const& machine = machine_of(emulated);
  size_t const MB = size_t(1) << 20;
  void* const graph = machine.new_graph(0);
  machine.enter_graph(graph), machine.begin_capture(graph);
  void* const freed = machine.allocate(0, 4 * MB);
  machine.release(0, freed, 4 * MB);
  void* const larger = machine.allocate(0, 6 * MB);
  void* const again = machine.allocate(0, 4 * MB);
  CHECK(again == freed);
  machine.release(0, larger, 6 * MB), machine.release(0, again, 4 * MB);
  machine.end_capture(graph), machine.leave_graph(graph);
  machine.free_graph(graph);
}

TEST_CASE("captured step: what a replay would not see is an error that says what to do") {
  use_cuda_emulated();
  Tensor p = full({3}, 2, {.device = emulated}).set_requires_grad(), here = ones({3});
  optim::Sgd opt({p}, {.lr = 0.5});
  auto message = [&](std::function<void(Tensor)> const& inside) {
    CapturedStep step(emulated, [&](std::vector<Tensor> const& in) {
      Tensor y = p * in[0];
      inside(y);
      return sum(y);
    });
    step({here});
    std::string const text = message_of<DeviceError>([&] { step({here}); });
    CHECK(text.find("inside of a captured step on cuda_emulated; ") != text.npos);
    CHECK(p.data<float>()[0] == 2);  // nothing ran
    return text;
  };
  CHECK(message([](Tensor y) { sum(y).item(); }).starts_with("item() inside"));
  CHECK(message([](Tensor y) {
          Tensor const z = y.detach();
          z.host<float>();
        }).starts_with("host() inside"));
  CHECK(message([](Tensor y) { y.detach().to("cpu"); }).starts_with("a copy from one device to another"));
  CHECK(message([&](Tensor) { here.to(emulated); }).starts_with("a copy from one device to another"));
  CHECK(message([&](Tensor) { relu(here); }).starts_with("unary on cpu inside"));
  CHECK(message([](Tensor y) { normal(y.shape(), y.like()); }).starts_with("numbers that the host makes"));
  double lr = 0.5;
  CHECK(message([&](Tensor) { opt.set_lr(lr *= 0.5); }).starts_with("a number from the host"));
  optim::LossMeter meter(emulated);
  CHECK(message([&](Tensor) { meter.read(); }).starts_with("LossMeter::read()"));
}

TEST_CASE("captured step: a tensor from before must not be freed inside") {
  use_cuda_emulated();
  Tensor const x = ones({3});
  Tensor kept;
  CapturedStep step(emulated, [&](std::vector<Tensor> const& in) {
    kept = {};
    return sum(in[0]);
  });
  step({x});
  kept = ones({100}, {.device = emulated});
  std::string const text = message_of<DeviceError>([&] { step({x}); });
  CHECK(text.find("freed a tensor that was made before it") != text.npos);
  CHECK(step({x}).item() == 3);  // captured anew, without it
}

TEST_CASE("captured step: other shapes have graphs of their own, up to a number; other errors leave all usable") {
  use_cuda_emulated();
  int calls = 0;
  CapturedStep step(emulated,
                    [&](std::vector<Tensor> const& in) {
                      if (++calls == 2) throw std::runtime_error("as it happens");
                      return sum(in[0]);
                    },
                    {.most_shapes = 2});
  CHECK(step({ones({3})}).item() == 3);
  CHECK_THROWS_AS(step({ones({3})}), std::runtime_error);
  CHECK(step({full({3}, 2)}).item() == 6);
  CHECK(step({full({3}, 3)}).item() == 9);
  CHECK(calls == 3);
  CHECK(step({ones({5})}).item() == 5);
  CHECK(step.graphs() == 1);
  CHECK(message_of<ValueError>([&] { step({ones({7})}); }).starts_with("CapturedStep: inputs of 3 shapes, at most 2"));
  CHECK(step({full({5}, 2)}).item() == 10);
  CHECK(step.graphs() == 2);
  CHECK_THROWS_AS(CapturedStep(emulated, nullptr, {.most_shapes = 0}), ValueError);
}

TEST_CASE("captured step: saved tensors that a replay changes count as changed") {
  use_cuda_emulated();
  Tensor p = full({3}, 2, {.device = emulated}).set_requires_grad();
  optim::Sgd opt({p}, {.lr = 0.1});
  CapturedStep step(emulated, [&](std::vector<Tensor> const& in) {
    Tensor loss = sum(p * in[0]);
    loss.backward();
    opt.step();
    return loss;
  });
  for (int i = 0; i < 3; ++i) step({ones({3})});
  Tensor const graph = sum(square(p));
  step({ones({3})});
  CHECK_THROWS_AS(graph.backward(), GradError);
}

TEST_CASE("captured step: another seed is captured anew") {
  use_cuda_emulated();
  CapturedStep step(emulated, [](std::vector<Tensor> const& in) { return sum(dropout(in[0], 0.5) * in[1]); });
  std::vector<float> odd;
  for (int i = 0; i < 200; ++i) odd.push_back(float(i % 10));
  std::vector<Tensor> const in{ones({200}), from(odd, {200})};
  auto three = [&](uint64_t seed) {
    manual_seed(seed);
    return std::vector<double>{step(in).item(), step(in).item(), step(in).item()};
  };
  std::vector<double> const a = three(1), b = three(2), again = three(1);
  CHECK(a != b);
  CHECK(again == a);
  CHECK(a[1] != a[2]);
}

TEST_CASE("captured step: on the cpu each call runs the step") {
  int calls = 0;
  CapturedStep step("cpu", [&](std::vector<Tensor> const& in) {
    ++calls;
    return sum(in[0]);
  });
  for (int64_t n = 1; n < 8; ++n) CHECK(step({ones({n})}).item() == double(n));
  CHECK(calls == 7);
  CHECK(step.graphs() == 0);
}
