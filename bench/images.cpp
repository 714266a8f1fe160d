// The asinh stretch and augmentation of a batch on the host, all threads: nanoseconds a value, and the error against the
// reference kernels. bench/cuda/vision.cpp is the same on a GPU.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>

#include <d16/core/random.hpp>
#include <d16/vision/augment.hpp>
#include <d16/vision/stretch.hpp>

using namespace d16;

namespace {

Tensor batch(int64_t count, int64_t size, int64_t channels) {
  Tensor x = empty({count, size, size, channels}, vision::host_tensor());
  Random random(1);
  for (float& value : x.host<float>()) value = float(random.uniform());
  return x;
}

void report(benchmark::State& state, Tensor const& y, Tensor const& exact) {
  double error = 0;
  for (int64_t i = 0; i < y.numel(); ++i)
    error = std::max(error, std::abs(double(y.data<float>()[i]) - double(exact.data<float>()[i])));
  state.counters["error"] = error;
  state.counters["ns/value"] = benchmark::Counter(
      1e-9 * double(y.numel()), benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

/// Arguments: images, side, channels.
void asinh_stretch(benchmark::State& state) {
  Tensor const x = batch(state.range(0), state.range(1), state.range(2));
  Tensor y;
  for (auto _ : state) y = vision::asinh_stretch(x, 0.1);
  report(state, y, vision::asinh_stretch(x.to("reference"), 0.1).to("cpu"));
}
void augment(benchmark::State& state) {
  Tensor const x = batch(state.range(0), state.range(1), state.range(2));
  Generator::Draw const draw{5, 1};
  Tensor y;
  for (auto _ : state) y = vision::augment(x, {.zoom = 0.1}, draw);
  report(state, y, vision::augment(x.to("reference"), {.zoom = 0.1}, draw).to("cpu"));
}

void batches(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"images", "size", "channels"})->Unit(benchmark::kMillisecond)->UseRealTime();
  bench->Args({64, 64, 3})->Args({64, 64, 7});
}

}  // namespace

BENCHMARK(asinh_stretch)->Apply(batches);
BENCHMARK(augment)->Apply(batches);
