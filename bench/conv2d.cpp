// The convolution and its gradients: GFLOP/s, the share of the machine's peak, and the error against float64.
#include <benchmark/benchmark.h>

#include <cmath>
#include <vector>

#include <d16/core/random.hpp>
#include <d16/kernels/cpu/conv2d.hpp>

#include "peak.hpp"

using namespace d16;
using kernels::Conv2d;

namespace {

struct Layer {
  int N, size, Ci, Co, kernel, stride, groups;
};

template <class T> struct Case {
  Conv2d<T> a;
  std::vector<T> x, w, y, dy, dx, dw;
  std::vector<char> work;

  explicit Case(Layer l)
      : a{.N = l.N,
          .H = l.size,
          .W = l.size,
          .Ci = l.Ci,
          .Co = l.Co,
          .kh = l.kernel,
          .kw = l.kernel,
          .stride_h = l.stride,
          .stride_w = l.stride,
          .pad_h = l.kernel / 2,
          .pad_w = l.kernel / 2,
          .groups = l.groups} {
    x.resize(size_t(l.N) * l.size * l.size * l.Ci), dx.resize(x.size());
    y.resize(size_t(l.N) * a.P() * a.Q() * l.Co), dy.resize(y.size());
    w.resize(size_t(l.Co) * (l.Ci / l.groups) * l.kernel * l.kernel), dw.resize(w.size());
    Random random(1);
    for (std::vector<T>* v : {&x, &dy, &w})
      for (T& value : *v) value = T(float(random.uniform(-1, 1)));
    a.x = x.data(), a.w = w.data(), a.y = y.data(), a.dy = dy.data(), a.dx = dx.data(), a.dw = dw.data();
  }
};

template <class T> struct Pass {
  int (*run)(Conv2d<T> const&);
  size_t (*work_bytes)(Conv2d<T> const&);
  std::vector<T> Case<T>::*result;

  void prepare(Case<T>& c) const {
    c.work.resize(work_bytes(c.a));
    c.a.work = c.work.data();
  }
};
template <class T> Pass<T> pass(int which) {
  namespace cpu = kernels::cpu;
  if (which == 0) return {cpu::conv2d<T>, cpu::conv2d_work_bytes<T>, &Case<T>::y};
  if (which == 1) return {cpu::conv2d_dx<T>, cpu::conv2d_dx_work_bytes<T>, &Case<T>::dx};
  return {cpu::conv2d_dw<T>, cpu::conv2d_dw_work_bytes<T>, &Case<T>::dw};
}

/// The largest error relative to the largest element.
double relative_error(Layer l, Case<float> const& narrow, int which) {
  Case<double> wide(l);
  pass<double>(which).prepare(wide);
  pass<double>(which).run(wide.a);
  auto const& got = narrow.*pass<float>(which).result;
  auto const& expected = wide.*pass<double>(which).result;
  double error = 0, largest = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    error = std::max(error, std::abs(double(got[i]) - expected[i]));
    largest = std::max(largest, std::abs(expected[i]));
  }
  return error / largest;
}

/// Arguments: batch, size of the square image, channels in and out, kernel, stride, groups, threads (0: all cores).
void run_pass(benchmark::State& state, int which) {
  auto argument = [&](int i) { return int(state.range(size_t(i))); };
  Layer const l{argument(0), argument(1), argument(2), argument(3), argument(4), argument(5), argument(6)};
  Case<float> c(l);
  pass<float>(which).prepare(c);
  set_threads(argument(7));
  for (auto _ : state) pass<float>(which).run(c.a);
  double const flops = 2e-9 * double(c.y.size()) * (l.Ci / l.groups) * l.kernel * l.kernel;
  state.counters["GFLOP/s"] = benchmark::Counter(flops, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["%peak"] =
      benchmark::Counter(100 * flops / bench::peak(), benchmark::Counter::kIsIterationInvariantRate);
  state.counters["error"] = relative_error(l, c, which);
}

void conv2d(benchmark::State& state) { run_pass(state, 0); }
void conv2d_dx(benchmark::State& state) { run_pass(state, 1); }
void conv2d_dw(benchmark::State& state) { run_pass(state, 2); }

void layers(benchmark::internal::Benchmark* b) {
  b->ArgNames({"N", "size", "Ci", "Co", "k", "stride", "groups", "threads"})
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
  for (int threads : {1, 0}) {
    b->Args({16, 32, 64, 128, 3, 1, 1, threads});
    b->Args({16, 64, 24, 64, 5, 1, 1, threads});
    b->Args({16, 16, 128, 192, 3, 1, 1, threads});
    b->Args({16, 64, 3, 24, 5, 1, 1, threads});  // a first layer
    b->Args({16, 64, 16, 3, 3, 1, 1, threads});  // a last layer that paints an image
    b->Args({16, 32, 64, 64, 1, 1, 1, threads});
    b->Args({16, 32, 64, 64, 3, 2, 1, threads});
    b->Args({16, 32, 64, 64, 3, 1, 64, threads});  // depthwise
    b->Args({1, 8, 64, 64, 3, 1, 1, threads});     // one small image
  }
}

}  // namespace

BENCHMARK(conv2d)->Apply(layers);
BENCHMARK(conv2d_dx)->Apply(layers);
BENCHMARK(conv2d_dw)->Apply(layers);
