// The ops that memory bounds: bytes/s of what they have to move at least, and the share of a copy's, on all cores.
// bench/cuda/memory_ops.cpp times the same list on a GPU.
#include "memory_ops.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>

using namespace d16;
using bench::MemoryOp;

namespace {

constexpr int64_t batch = 32;  // 16 MiB for each tensor of images: beyond the caches of most cores

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Bytes/s of a copy of the same size, the best of a few: read once, written once.
double copy_rate() {
  static double const rate = [] {
    Tensor const x = uniform({batch, 64, 64, 32});
    double best = 1;
    for (int i = 0; i < 5; ++i) {
      auto const start = std::chrono::steady_clock::now();
      Tensor const y = x.clone();
      best = std::min(best, seconds_since(start));
    }
    return 2 * 4 * double(x.numel()) / best;
  }();
  return rate;
}

/// The forward pass, with what it keeps for the way back, or the backward pass alone.
void run(benchmark::State& state, MemoryOp const& op, bool backward) {
  std::vector<Tensor> const inputs = op.inputs("cpu");
  double total = 0;
  for (auto _ : state) {
    std::vector<Tensor> leaves;
    for (Tensor const& x : inputs) {
      leaves.push_back(x.detach());
      if (x.dtype() == DType::f32 && op.op() != "argmax") leaves.back().set_requires_grad();
    }
    auto start = std::chrono::steady_clock::now();
    Tensor const y = op.run(leaves);
    if (backward) {
      Tensor const dy = ones(y.shape(), y.like());
      start = std::chrono::steady_clock::now();
      y.backward(dy);
    }
    double const seconds = seconds_since(start);
    state.SetIterationTime(seconds);
    total += seconds;
  }
  double const bytes = 4 * double(inputs[0].numel()) * (backward ? op.backward : op.forward);
  double const rate = bytes * double(state.iterations()) / total;
  state.counters["GB/s"] = 1e-9 * rate;
  state.counters["%copy"] = 100 * rate / copy_rate();
}

/// The weights of a D16 convolution of 96 to 96 fields, once for each evaluation.
void pack_group_weights(benchmark::State& state) {
  Tensor const w = uniform({96, 96, 6, 16});
  for (auto _ : state)
    benchmark::DoNotOptimize(d16::pack_group_weights(dihedral(8), Sides::regular, w, {.padding = 1}));
  state.counters["GB/s"] =
      benchmark::Counter(1e-9 * 12 * double(w.numel()), benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(pack_group_weights)->Unit(benchmark::kMillisecond)->UseRealTime();

[[maybe_unused]] bool const registered = [] {
  for (MemoryOp const& op : bench::memory_ops(batch))
    for (bool backward : {false, true})
      if (!backward || op.backward > 0)
        benchmark::RegisterBenchmark((op.name + (backward ? ", backward" : "")).c_str(),
                                     [op, backward](benchmark::State& state) { run(state, op, backward); })
            ->UseManualTime()
            ->Unit(benchmark::kMillisecond);
  return true;
}();

}  // namespace
