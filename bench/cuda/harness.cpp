// How a GPU bench measures.
#include "harness.hpp"

#include <stdexcept>
#include <vector>

namespace d16::bench {

namespace {

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + std::ptrdiff_t(values.size() / 2), values.end());
  return values[values.size() / 2];
}

/// Launches for a pair of events: ten at least, and more of what is over in microseconds.
int launches_for(double milliseconds_of_one) {
  if (machine_is_small()) return 2;
  return int(std::clamp(1 / std::max(milliseconds_of_one, 1e-3), 10.0, 100.0));
}

/// Microseconds of one launch: the median of some pairs of events.
double median_us(int launches, std::function<double()> const& milliseconds_of_all) {
  std::vector<double> times;
  for (int i = 0; i < 5; ++i) times.push_back(1e3 * milliseconds_of_all() / launches);
  return median(times);
}

/// No bench times a kernel that computes something else. The bounds are far above rounding, and below any other fault:
/// tests have the tight ones.
double require_right(double error, Number number) {
  double const bound = number == Number::bf16 ? 5e-2 : number == Number::tf32 ? 5e-3 : 1e-4;
  if (!(error <= bound)) throw std::runtime_error("wrong result: its error is " + std::to_string(error));
  return error;
}

double best_rate(std::function<double()> const& rate) {
  rate();  // wakes the clocks up
  double best = 0;
  for (int i = 0; i < (machine_is_small() ? 1 : 10); ++i) best = std::max(best, rate());
  return best;
}
double rate_of(double (*probe)(float*, int)) {
  Array<float> sink(16, 1);
  int const steps = machine_is_small() ? 2 : 20000;
  return best_rate([&] {
    double flops = 0;
    double const ms = milliseconds(1, [&](int) { flops = probe(sink.at(0), steps); });
    return flops / ms * 1e3;
  });
}
double rate_in_double(float* sink, int steps) { return probe_dfma(reinterpret_cast<double*>(sink), steps); }

}  // namespace

int copies_for(double bytes) { return int(std::min(16.0, std::ceil(3 * double(cache_bytes()) / bytes))) + 1; }

void add_bench(std::string const& name, std::function<void(benchmark::State&)> run) {
  auto* const bench = benchmark::RegisterBenchmark(name.c_str(), [run](benchmark::State& state) {
    try {
      run(state);
    } catch (std::exception const& problem) {
      state.SkipWithError(problem.what());
    }
  });
  bench->UseManualTime()->Unit(benchmark::kMicrosecond);
  if (machine_is_small()) bench->Iterations(1);
  else bench->MinTime(0.01);
}

void measure(benchmark::State& state, Cost const& cost, int copies, std::function<void(int)> const& run,
             std::function<double()> const& error) {
  milliseconds(1, run);
  state.counters["error"] = require_right(error(), cost.number);
  auto warm = [&](int) { run(0); };
  int const launches = launches_for(milliseconds(1, warm));
  std::vector<double> times;
  for (auto _ : state) {
    double const ms = milliseconds(launches, warm);
    times.push_back(1e3 * ms / launches);
    state.SetIterationTime(1e-3 * ms / launches);
  }
  double const us = median(times), seconds = 1e-6 * us;
  state.counters["us"] = us;
  state.counters["cold_us"] =
      median_us(launches, [&] { return milliseconds(launches, [&](int i) { run(i % copies); }); });
  state.counters["graph_us"] = median_us(launches, [&] { return graph_milliseconds(launches, warm); });
  state.counters["launches"] = launches;
  state.counters["GB/s"] = 1e-9 * cost.bytes / seconds;
  state.counters["GFLOP/s"] = 1e-9 * cost.flops / seconds;
  state.counters["dense_GFLOP/s"] = 1e-9 * cost.dense_flops / seconds;
  state.counters["%bandwidth"] = 100 * cost.bytes / seconds / copy_rate();
  state.counters["%arithmetic"] = 100 * cost.flops / seconds / arithmetic_rate(cost.number);
}

double copy_rate() {
  static double const rate = [] {
    int64_t const floats = machine_is_small() ? 1 << 16 : int64_t(1) << 28;
    Array<float> from(floats, 1), to(floats, 1);
    from.fill(1);
    size_t const bytes = size_t(floats) * sizeof(float);
    return best_rate(
        [&] { return 2e3 * double(bytes) / milliseconds(1, [&](int) { probe_copy(to.at(0), from.at(0), bytes); }); });
  }();
  return rate;
}

double arithmetic_rate(Number number) {
  static double rates[4] = {};
  double& rate = rates[int(number)];
  double (*const probes[4])(float*, int) = {rate_in_double, probe_fma, probe_tf32, probe_bf16};
  if (rate == 0) rate = rate_of(probes[int(number)]);
  return rate;
}

void require_ok(int status) {
  if (status != kernels::ok) throw std::runtime_error("the kernel does not take these arguments");
}

void add_ceilings() {
  add_bench("ceilings/copy/float32/card", [](benchmark::State& state) {
    for (auto _ : state) state.SetIterationTime(1e-3);
    state.counters["GB/s"] = 1e-9 * copy_rate();
  });
  for (Number number : {Number::float64, Number::float32, Number::tf32, Number::bf16})
    add_bench(
        std::string("ceilings/") + (number >= Number::tf32 ? "mma.sync/" : "multiply-add/") + name(number) + "/card",
        [=](benchmark::State& state) {
          for (auto _ : state) state.SetIterationTime(1e-3);
          state.counters["GFLOP/s"] = 1e-9 * arithmetic_rate(number);
        });
}

}  // namespace d16::bench
