// Where the time of the factored group convolution goes: its stages on one tile that is in the cache, one thread.
#include <benchmark/benchmark.h>

#include <vector>

#include <d16/kernels/cpu/fourier_conv2d.hpp>

using namespace d16;
using namespace d16::kernels::cpu::detail;

namespace {

/// A 3 x 3 layer of dihedral(order / 2) and the memory of one tile of it.
class Tile {
 public:
  Tile(int order, int in, int out, int size)
      : group_(dihedral(order / 2)),
        basis_(steerable_basis(group_, 3)),
        args_(arguments(in, out, size)),
        layer_(args_, Sides::regular, in, out),
        forward_(layer_, forward_shape(args_)),
        x_(size_t(size) * size * in * order, 0.5f),
        y_(size_t(size) * size * out * order),
        packed_(size_t(layer_.packed_count()), 0.25f),
        ones_(size_t(out), 1.f),
        work_(forward_.work_bytes() + 64) {
    Carver carver(reinterpret_cast<void*>((reinterpret_cast<uintptr_t>(work_.data()) + 63) / 64 * 64));
    memory_ = forward_.carve(carver);
    forward_.locate(x_.data(), 0, 0, 0, memory_.source);
    forward_.locate_outputs(y_.data(), 0, 0, 0, memory_.target);
  }

  void transform() {
    for (int c = 0; c < layer_.chunks; ++c) forward_.transform(memory_, c, forward_.t.vectors);
  }
  void transform_and_project() {
    for (int c = 0; c < layer_.chunks; ++c) forward_.features(memory_, c, forward_.t.vectors);
  }
  void product() {
    for (int c = 0; c < layer_.chunks; ++c) forward_.products(memory_, packed_.data(), c, forward_.t.vectors);
  }
  void finish() {
    layer_.group_finish()({.tables = &layer_.tables,
                           .products = memory_.products,
                           .product_size = forward_.product_size,
                           .group_size = int64_t(layer_.padded) * forward_.width,
                           .fields = layer_.Co,
                           .vectors = forward_.t.vectors,
                           .matrix = nullptr,
                           .scale = ones_.data(),
                           .shift = ones_.data(),
                           .relu = true,
                           .stream = false,
                           .plain = layer_.split.parts > 0,
                           .pixel = memory_.target,
                           .valid = nullptr,
                           .sums = nullptr});
  }
  /// Of the products, on all lanes of the tile.
  double flops() const {
    return 2.0 * double(layer_.tables.products.size()) * layer_.V * layer_.Ci * layer_.Co * forward_.t.vectors *
           layer_.stages.lanes;
  }
  double outputs() const { return double(forward_.t.rows) * forward_.t.columns; }

 private:
  kernels::GroupConv2d<float> arguments(int in, int out, int size) const {
    kernels::GroupConv2d<float> a{.group = group_, .N = 1, .H = size, .W = size, .Ci = in, .Co = out, .V = basis_.V};
    a.basis = basis_.values.data();
    a.rings = int(basis_.rings.max_freqs.size()), a.max_freqs = basis_.rings.max_freqs.data();
    return a;
  }

  Group group_;
  SteerableBasis basis_;
  kernels::GroupConv2d<float> args_;
  FourierLayer<float> layer_;
  FourierForward<float> forward_;
  std::vector<float> x_, y_, packed_, ones_;
  std::vector<char> work_;
  FourierForward<float>::Memory memory_;
};

/// Arguments: order, fields in, fields out, side. Time is that of one tile; outputs are its pixels, with all their fields.
template <void (Tile::*phase)()> void stage(benchmark::State& state) {
  set_threads(1);
  Tile tile(int(state.range(0)), int(state.range(1)), int(state.range(2)), int(state.range(3)));
  tile.transform_and_project(), tile.product();
  for (auto _ : state) (tile.*phase)();
  state.counters["outputs"] = benchmark::Counter(tile.outputs(), benchmark::Counter::kIsIterationInvariantRate);
  if (phase == &Tile::product)
    state.counters["flops"] = benchmark::Counter(tile.flops(), benchmark::Counter::kIsIterationInvariantRate);
}

void shapes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"order", "in", "out", "side"})->Unit(benchmark::kMicrosecond);
  for (int64_t order : {16, 32})
    for (auto const& s :
         std::vector<std::vector<int64_t>>{{12, 24, 64}, {24, 48, 32}, {48, 48, 32}, {48, 96, 16}, {96, 96, 16}})
      b->Args({order, s[0], s[1], s[2]});
}

}  // namespace

BENCHMARK(stage<&Tile::transform>)->Name("transform")->Apply(shapes);
BENCHMARK(stage<&Tile::transform_and_project>)->Name("transform and project")->Apply(shapes);
BENCHMARK(stage<&Tile::product>)->Name("product")->Apply(shapes);
BENCHMARK(stage<&Tile::finish>)->Name("finish")->Apply(shapes);
