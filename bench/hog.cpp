// HOG of square images on one thread: milliseconds, nanoseconds a pixel, and the error against atan2 in double.
// bench/peers/peer_hog.py times scikit-image on the same sizes and options and prints both.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>

#include <d16/core/random.hpp>
#include <d16/vision/hog.hpp>

using namespace d16;

namespace {

Tensor picture(int64_t size, int64_t channels) {
  Tensor x = empty({size, size, channels}, vision::host_tensor());
  Random random(1);
  for (float& value : x.host<float>()) value = float(random.uniform());
  return channels == 1 ? x.reshape({size, size}) : x;
}

/// Arguments: side of the image, channels. scikit-image's default options: 9 bins, cells of 8x8, blocks of 3x3, L2-Hys.
void hog(benchmark::State& state) {
  Tensor const x = picture(state.range(0), state.range(1));
  set_threads(1);
  Tensor y;
  for (auto _ : state) y = vision::hog(x);
  Tensor const exact = vision::hog_reference(x.cast(DType::f64));
  double error = 0;
  for (int64_t i = 0; i < y.numel(); ++i)
    error = std::max(error, std::abs(double(y.data<float>()[i]) - exact.data<double>()[i]));
  state.counters["error"] = error;
  state.counters["ns/pixel"] =
      benchmark::Counter(1e-9 * double(state.range(0) * state.range(0)),
                         benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

}  // namespace

BENCHMARK(hog)
    ->ArgNames({"size", "channels"})
    ->Unit(benchmark::kMillisecond)
    ->Args({64, 1})
    ->Args({128, 1})
    ->Args({256, 1})
    ->Args({64, 7});
