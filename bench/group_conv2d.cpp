// Group convolution on the layers of an equivariant classifier: forward, both gradients, and the filter's expansion.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include <d16/core/random.hpp>
#include <d16/kernels/cpu/group_conv2d.hpp>

using namespace d16;
using kernels::GroupConv2d;

namespace {

struct Layer {
  int N, size, Ci, Co, kernel;
};

/// A layer of order 16 with random numbers behind all its pointers.
template <class T> struct Case {
  std::shared_ptr<SteerableBasis const> basis;
  GroupConv2d<T> a;
  std::vector<T> x, y, w, dy, dx, dw;
  std::vector<char> work;

  explicit Case(Layer l) : basis(shared_basis(D16, l.kernel)) {
    a = {.group = D16, .N = l.N, .H = l.size, .W = l.size, .Ci = l.Ci, .Co = l.Co, .V = basis->V, .kernel = l.kernel};
    a.padding = l.kernel / 2;
    a.basis = basis->values.data();
    size_t pixels = size_t(l.N) * l.size * l.size * 16;
    x.resize(pixels * l.Ci), dx.resize(x.size()), y.resize(pixels * l.Co), dy.resize(y.size());
    w.resize(size_t(l.Co) * l.Ci * a.V * 16), dw.resize(w.size());
    Random random(1);
    for (std::vector<T>* v : {&x, &dy, &w})
      for (T& value : *v) value = T(float(random.uniform(-1, 1)));
    a.x = x.data(), a.w = w.data(), a.y = y.data(), a.dy = dy.data(), a.dx = dx.data(), a.dw = dw.data();
  }
  void reserve(size_t bytes) {
    work.resize(bytes);
    a.work = work.data();
  }
};

template <class T> struct Pass {
  int (*run)(GroupConv2d<T> const&);
  size_t (*work_bytes)(GroupConv2d<T> const&);
  std::vector<T> Case<T>::*result;
};
template <class T> Pass<T> pass(int which) {
  namespace cpu = kernels::cpu;
  if (which == 0) return {cpu::group_conv2d<T>, cpu::group_conv2d_work_bytes<T>, &Case<T>::y};
  if (which == 1) return {cpu::group_conv2d_dx<T>, cpu::group_conv2d_dx_work_bytes<T>, &Case<T>::dx};
  return {cpu::group_conv2d_dw<T>, cpu::group_conv2d_dw_work_bytes<T>, &Case<T>::dw};
}

/// The float32 error on one image against the same in float64, relative to the largest value.
double relative_error(Layer l, int which) {
  l.N = 1;
  Case<float> narrow(l);
  Case<double> wide(l);
  narrow.reserve(pass<float>(which).work_bytes(narrow.a));
  wide.reserve(pass<double>(which).work_bytes(wide.a));
  pass<float>(which).run(narrow.a);
  pass<double>(which).run(wide.a);
  double error = 0, largest = 0;
  auto const& got = narrow.*pass<float>(which).result;
  auto const& expected = wide.*pass<double>(which).result;
  for (size_t i = 0; i < got.size(); ++i) {
    error = std::max(error, std::abs(double(got[i]) - expected[i]));
    largest = std::max(largest, std::abs(expected[i]));
  }
  return error / largest;
}

void run_pass(benchmark::State& state, int which) {
  Layer l{int(state.range(0)), int(state.range(1)), int(state.range(2)), int(state.range(3)), int(state.range(4))};
  Case<float> c(l);
  c.reserve(pass<float>(which).work_bytes(c.a));
  for (auto _ : state) pass<float>(which).run(c.a);
  double products = double(l.N) * l.size * l.size * l.Co * l.Ci * 256 * l.kernel * l.kernel;
  state.counters["GFLOP/s"] = benchmark::Counter(2e-9 * products, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["error"] = relative_error(l, which);
}

void group_conv2d(benchmark::State& state) { run_pass(state, 0); }
void group_conv2d_dx(benchmark::State& state) { run_pass(state, 1); }
void group_conv2d_dw(benchmark::State& state) { run_pass(state, 2); }

/// Only the dense filter from its weights, which every training step pays once per layer.
void expand_filter(benchmark::State& state) {
  Case<float> c({1, 1, int(state.range(2)), int(state.range(3)), int(state.range(4))});
  kernels::cpu::detail::FilterTables<float> tables(c.a);
  c.reserve(tables.bytes());
  std::vector<float> filter(size_t(tables.filter_count()));
  tables.fill(c.a, c.a.work);
  for (auto _ : state) kernels::cpu::detail::expand_filter(tables, c.a.w, filter.data());
  state.SetBytesProcessed(int64_t(state.iterations()) * int64_t(filter.size() * sizeof(float)));
}

void layers(benchmark::internal::Benchmark* b) {
  b->ArgNames({"N", "size", "Ci", "Co", "k"})->Unit(benchmark::kMillisecond)->UseRealTime();
  for (int N : {1, 8}) {
    b->Args({N, 64, 12, 24, 3});
    b->Args({N, 32, 24, 48, 3});
    b->Args({N, 32, 48, 48, 3});
    b->Args({N, 16, 48, 96, 3});
    b->Args({N, 16, 96, 96, 3});
  }
}
void filters(benchmark::internal::Benchmark* b) {
  b->ArgNames({"N", "size", "Ci", "Co", "k"})->Unit(benchmark::kMillisecond)->UseRealTime();
  b->Args({1, 1, 12, 24, 3})->Args({1, 1, 96, 96, 3})->Args({1, 1, 24, 24, 5})->Args({1, 1, 96, 96, 1});
}

}  // namespace

BENCHMARK(group_conv2d)->Apply(layers);
BENCHMARK(group_conv2d_dx)->Apply(layers);
BENCHMARK(group_conv2d_dw)->Apply(layers);
BENCHMARK(expand_filter)->Apply(filters);
