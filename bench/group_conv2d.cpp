// Group convolution on the layers of an equivariant classifier, on both paths: forward, gradients, lifting, and the
// expansion of the filter. GFLOP/s are those that the dense convolution would need.
#include <benchmark/benchmark.h>

#include <vector>

#include "layer.hpp"

using namespace d16;
using bench::Pass;

namespace {

constexpr int expanded = int(kernels::Path::expanded), fourier = int(kernels::Path::fourier);

/// Arguments: batch, size of the square image, fields in and out, order of the group, path, threads (0: all cores).
void run_pass(benchmark::State& state, Pass pass) {
  auto argument = [&](int i) { return int(state.range(size_t(i))); };
  bench::Layer::Sizes const s{argument(2), argument(3), argument(1), argument(4), argument(0)};
  set_threads(argument(6));
  try {
    bench::Layer layer(s, kernels::Path(argument(5)));
    for (auto _ : state) state.SetIterationTime(layer.run(pass));
    state.counters["error"] = layer.error(pass);
  } catch (Error const& no_such_path) {
    state.SkipWithError(no_such_path.what());
  }
  double const passes = pass == Pass::training ? 3 : 1, channels = double(s.in) * s.out * s.order * s.order;
  state.counters["GFLOP/s"] = benchmark::Counter(2e-9 * passes * s.batch * s.size * s.size * channels * 9,
                                                 benchmark::Counter::kIsIterationInvariantRate);
}

void group_conv2d(benchmark::State& state) { run_pass(state, Pass::forward); }
void group_conv2d_dx(benchmark::State& state) { run_pass(state, Pass::data_gradient); }
void group_conv2d_dw(benchmark::State& state) { run_pass(state, Pass::weight_gradient); }
void group_conv2d_training(benchmark::State& state) { run_pass(state, Pass::training); }

/// The classifier's first layer. Arguments: batch, order, path, threads.
void lift_conv2d(benchmark::State& state) {
  Group const group = dihedral(int(state.range(1)) / 2);
  set_threads(int(state.range(3)));
  Tensor x = uniform({state.range(0), 255, 255, 3}), w = uniform({12, 3, shared_basis(group, 3)->V});
  NoGrad off;
  try {
    for (auto _ : state)
      d16::lift_conv2d(group, x, w, {}, {.stride = 2, .padding = 2, .path = kernels::Path(state.range(2))});
  } catch (Error const& no_such_path) {
    state.SkipWithError(no_such_path.what());
  }
}

/// Only the dense filter from its weights, which the expanded path pays at every call. Arguments: fields in, out, kernel.
void expand_filter(benchmark::State& state) {
  int const Ci = int(state.range(0)), Co = int(state.range(1)), kernel = int(state.range(2));
  auto basis = shared_basis(D16, kernel);
  kernels::GroupConv2d<float> a{.group = D16, .Ci = Ci, .Co = Co, .V = basis->V, .kernel = kernel};
  a.basis = basis->values.data();
  std::vector<float> w(size_t(Co) * size_t(Ci) * size_t(basis->V) * 16, 1.0f);
  kernels::cpu::detail::FilterTables<float> tables(a);
  std::vector<char> work(tables.bytes());
  std::vector<float> filter(size_t(tables.filter_count()));
  tables.fill(a, work.data());
  for (auto _ : state) kernels::cpu::detail::expand_filter(tables, w.data(), filter.data());
  state.SetBytesProcessed(int64_t(state.iterations()) * int64_t(filter.size() * sizeof(float)));
}

void layers(benchmark::internal::Benchmark* b) {
  b->ArgNames({"N", "size", "Ci", "Co", "order", "path", "threads"})->Unit(benchmark::kMillisecond)->UseManualTime();
  for (int order : {16, 32})
    for (int N : {1, 8})
      for (int path : {fourier, expanded})
        for (int threads : {1, 0}) {
          b->Args({N, 64, 12, 24, order, path, threads});
          b->Args({N, 32, 24, 48, order, path, threads});
          b->Args({N, 32, 48, 48, order, path, threads});
          b->Args({N, 16, 48, 96, order, path, threads});
          b->Args({N, 16, 96, 96, order, path, threads});
        }
}
void liftings(benchmark::internal::Benchmark* b) {
  b->ArgNames({"N", "order", "path", "threads"})->Unit(benchmark::kMillisecond)->UseRealTime();
  b->ArgsProduct({{1, 8}, {16, 32}, {fourier, expanded}, {1, 0}});
}
void filters(benchmark::internal::Benchmark* b) {
  b->ArgNames({"Ci", "Co", "k"})->Unit(benchmark::kMillisecond)->UseRealTime();
  b->Args({12, 24, 3})->Args({96, 96, 3})->Args({24, 24, 5})->Args({96, 96, 1});
}

}  // namespace

BENCHMARK(group_conv2d)->Apply(layers);
BENCHMARK(group_conv2d_dx)->Apply(layers);
BENCHMARK(group_conv2d_dw)->Apply(layers);
BENCHMARK(group_conv2d_training)->Apply(layers);
BENCHMARK(lift_conv2d)->Apply(liftings);
BENCHMARK(expand_filter)->Apply(filters);
