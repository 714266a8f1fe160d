// The whole equivariant classifier on images of 255 x 255 pixels: evaluation per image, and a training step.
#include <benchmark/benchmark.h>

#include "network.hpp"

using namespace d16;

namespace {

/// Arguments: order of the group, batch, threads (0: all cores).
void classifier(benchmark::State& state) {
  set_threads(int(state.range(2)));
  bench::Network network(int(state.range(0)), 255, int(state.range(1)));
  network.evaluate();
  for (auto _ : state) network.evaluate();
  state.counters["per_image"] = benchmark::Counter(
      double(state.range(1)), benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
  state.counters["error"] = network.error();
}

/// peak_MB is that of the process: for one step alone choose it by BENCHMARK_FILTER.
void training_step(benchmark::State& state) {
  set_threads(int(state.range(2)));
  bench::Network network(int(state.range(0)), 255, int(state.range(1)));
  network.train();
  for (auto _ : state) network.train();
  state.counters["peak_MB"] = bench::peak_memory();
}

void arguments(benchmark::internal::Benchmark* b, int64_t order, std::vector<int64_t> const& batches) {
  b->ArgNames({"order", "N", "threads"})->Unit(benchmark::kMillisecond)->UseRealTime();
  b->ArgsProduct({{order}, batches, {1, 0}});
}

}  // namespace

// Steps before evaluations, small before large: the peak of memory is then that of the step.
BENCHMARK(training_step)->Apply([](auto* b) { arguments(b, 16, {8}); });
BENCHMARK(training_step)->Apply([](auto* b) { arguments(b, 32, {8}); });
BENCHMARK(classifier)->Apply([](auto* b) { arguments(b, 16, {1, 8}); });
BENCHMARK(classifier)->Apply([](auto* b) { arguments(b, 32, {1, 8}); });
