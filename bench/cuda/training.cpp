// Training steps of the three networks on a GPU, op by op and as one CUDA graph, in float32 and in bfloat16: forward,
// backward and AdamW.
//   bench_training                     on the GPU
//   bench_training_emulated            on the emulator, with small images and batches: shows that all of it runs
// Names are section/case/numbers/program, as scripts/gpu_check.sh reads them.
#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <stamp.hpp>

#include <d16/cuda/captured_step.hpp>
#include <d16/cuda/use.hpp>
#include <d16/nn/band_network.hpp>
#include <d16/nn/classifiers.hpp>
#include <d16/nn/unet_vae.hpp>
#include <d16/ops/losses.hpp>
#include <d16/optim/adam.hpp>

using namespace d16;

namespace {

#if defined(D16_BENCH_EMULATED)
constexpr bool small = true;
constexpr char const* device_name = "cuda_emulated";
#else
constexpr bool small = false;
constexpr char const* device_name = "cuda";
#endif

using Inputs = std::vector<Tensor>;

/// A network, its loss and a batch of random numbers, all on the device.
struct Case {
  std::shared_ptr<nn::Module> net;
  std::function<Tensor(Inputs const&)> loss;
  Inputs batch;
};

Tensor random(Shape shape) { return uniform(shape).to(device_name); }
Tensor labels(int64_t batch, int64_t classes) {
  std::vector<int64_t> values;
  for (int64_t i = 0; i < batch; ++i) values.push_back(i % classes);
  return from(values, {batch}).to(device_name);
}

/// Pandya et al. 2023, arXiv:2311.01500, for 10 classes.
Case classifier(int order, int64_t batch) {
  nn::EquivariantClassifierOptions o = nn::galaxy_morphology_options(dihedral(order / 2), 10);
  if (small) o.input.size = 33, o.widths = {2, 3}, o.pool_after = {2}, o.hidden = {4};
  int64_t const side = o.input.size;
  auto net = std::make_shared<nn::EquivariantClassifier>(o);
  net->to(device_name);
  return {net,
          [net = net.get()](Inputs const& in) { return cross_entropy((*net)(in[0]), in[1]); },
          {random({batch, side, side, 3}), labels(batch, 10)}};
}
Case denoiser(int64_t batch) {
  nn::UNetVaeOptions o{.size = 256, .widths = {32, 64, 128, 256}, .latent = 16};
  if (small) o.size = 16, o.widths = {4, 6};
  auto net = std::make_shared<nn::UNetVae>(o);
  net->to(device_name);
  return {net,
          [net = net.get()](Inputs const& in) { return nn::vae_loss(net->encode_decode(in[0]), in[1], 0.01); },
          {random({batch, o.size, o.size, 3}), random({batch, o.size, o.size, 3})}};
}
Case seven_bands(int64_t batch) {
  nn::BandNetworkOptions o{.input = {.size = 64, .channels = 7, .classes = 3}, .mask = true};
  if (small) o.input.size = 16, o.spatial = {4, 6};
  int64_t const side = o.input.size;
  auto net = std::make_shared<nn::BandNetwork>(o);
  net->to(device_name);
  return {net,
          [net = net.get()](Inputs const& in) { return cross_entropy((*net)(in[0]), in[1]); },
          {random({batch, side, side, 7}), labels(batch, 3)}};
}

using Step = std::function<Tensor()>;
using kernels::Precision;

/// Microseconds of one step of many, the host's part included: it waits for the last loss.
double time_of(int count, Step const& step) {
  auto const start = std::chrono::steady_clock::now();
  Tensor loss;
  for (int i = 0; i < count; ++i) loss = step();
  if (!std::isfinite(loss.item())) throw std::runtime_error("the loss is not finite");
  std::chrono::duration<double, std::micro> const spent = std::chrono::steady_clock::now() - start;
  return spent.count() / count;
}

void measure(benchmark::State& state, Step const& step, int64_t batch) {
  for (int i = 0; i < 3; ++i) step();  // allocates, captures
  double const one = time_of(1, step);
  int const count = small ? 1 : int(std::clamp(3e5 / one, 5.0, 200.0));
  std::vector<double> times;
  for (auto _ : state) {
    times.push_back(time_of(count, step));
    state.SetIterationTime(1e-6 * times.back());
  }
  std::nth_element(times.begin(), times.begin() + std::ptrdiff_t(times.size() / 2), times.end());
  double const us = times[times.size() / 2];
  state.counters["us"] = us;
  state.counters["images/s"] = 1e6 * double(batch) / us;
}

void run(benchmark::State& state, std::function<Case(int64_t)> const& make, int64_t batch, Precision precision,
         bool graph) try {
  manual_seed(1);
  Case const c = make(batch);
  c.net->compute_in(precision);
  optim::AdamW optimiser(c.net->parameters(), {.lr = 1e-3, .weight_decay = 1e-4});
  auto step = [&](Inputs const& in) {
    Tensor loss = c.loss(in);
    loss.backward();
    optimiser.step();
    return loss;
  };
  cuda::CapturedStep captured(device_name, step);
  measure(
      state, [&] { return graph ? captured(c.batch) : step(c.batch); }, batch);
} catch (std::exception const& problem) {
  state.SkipWithError(problem.what());
}

void add(std::string const& name, std::function<Case(int64_t)> const& make) {
  for (int64_t batch : small ? std::vector<int64_t>{2} : std::vector<int64_t>{16, 64, 128})
    for (Precision precision : {Precision::float32, Precision::bfloat16})
      for (bool graph : {false, true}) {
        std::string const full = "training step/" + name + ", batch " + std::to_string(batch) + "/" +
                                 (precision == Precision::float32 ? "float32" : "bf16") + "/d16, " +
                                 (graph ? "graph" : "eager");
        auto* const bench = benchmark::RegisterBenchmark(
            full.c_str(), [=](benchmark::State& state) { run(state, make, batch, precision, graph); });
        bench->UseManualTime()->Unit(benchmark::kMicrosecond)->Iterations(small ? 1 : 5);
      }
}

}  // namespace

int main(int count, char** words) {
  try {
    use_device(Device(device_name));
  } catch (DeviceError const& error) {
    std::printf("skipped: %s\n", error.what());
    return 77;  // what scripts take for skipped
  }
  benchmark::AddCustomContext("d16", std::string(stamp::version) + " " + stamp::commit);
  for (int order : {16, 32})
    add("classifier of order " + std::to_string(order), [=](int64_t batch) { return classifier(order, batch); });
  add("U-Net VAE", denoiser);
  add("seven bands", seven_bands);
  benchmark::Initialize(&count, words);
  if (benchmark::ReportUnrecognizedArguments(count, words)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
