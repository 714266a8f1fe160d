// HOG, the asinh stretch and augmentation of batches; HOG also with the copies of pixels and features, from and to
// page-locked memory, as scikit-image's time of one core (bench/peers/peer_hog.py) is to be compared with.
#include <string>
#include <vector>

#include <d16/kernels/augment.hpp>
#include <d16/kernels/hog.hpp>
#include <d16/kernels/reference/augment.hpp>
#include <d16/kernels/reference/hog.hpp>
#include <d16/kernels/reference/stretch.hpp>
#include <d16/kernels/stretch.hpp>

#include "harness.hpp"

namespace d16::kernels {
namespace D16_GPU {

template <class T> int hog(Hog<T> const& a);
template <class T> int stretch(Stretch<T> const& a);
int launch_augment(Augment const& a);

}  // namespace D16_GPU
}  // namespace d16::kernels

namespace d16::bench {

namespace {

std::vector<float> numbers(uint64_t seed, int64_t first, int64_t count) {
  std::vector<float> values(size_t(count), 0);
  for (int64_t i = 0; i < count; ++i) values[size_t(i)] = random_number(seed, first + i);
  return values;
}

/// The largest difference from what is expected of the elements from `first` on, as a part of the largest of these.
double error_of_part(Array<float> const& got, int64_t first, std::vector<float> const& expected) {
  double error = 0, largest = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    double const right = double(expected[i]), difference = std::abs(got.value(first + int64_t(i)) - right);
    error = difference <= error ? error : difference;
    largest = std::max(largest, std::abs(right));
  }
  return error / largest;
}

/// The last picture, in float32 and with scikit-image's usual options.
double hog_error(kernels::Hog<float> a, Array<float> const& y) {
  std::vector<float> const x = numbers(1, (a.N - 1) * a.H * a.W * a.C, a.H * a.W * a.C);
  std::vector<float> expected(size_t(a.features()));
  int64_t const first = (a.N - 1) * a.features();
  a.N = 1, a.x = x.data(), a.y = expected.data();
  kernels::reference::hog(a);
  return error_of_part(y, first, expected);
}

enum class Copies { none, both_ways };

void hog(benchmark::State& state, kernels::Hog<float> a, Copies with) {
  int64_t const pixels = a.N * a.H * a.W * a.C, features = a.N * a.features();
  double const bytes = 4.0 * double(pixels + features);
  int const copies = copies_for(bytes);
  Array<float> x(pixels, copies), y(features, copies);
  x.fill(1), y.poison();
  PageLocked const from(size_t(pixels) * sizeof(float)), to(size_t(features) * sizeof(float));
  std::vector<float> const host = numbers(1, 0, pixels);
  std::memcpy(from.data, host.data(), host.size() * sizeof(float));
  auto run = [&](int copy) {
    kernels::Hog<float> call = a;
    call.x = x.at(copy), call.y = y.at(copy);
    if (with == Copies::both_ways) copy_in_order(x.at(copy), from.data, size_t(pixels) * sizeof(float));
    require_ok(gpu_kernels::hog(call));
    if (with == Copies::both_ways) copy_in_order(to.data, y.at(copy), size_t(features) * sizeof(float));
  };
  double const flops = 90 * double(pixels);  // in double
  measure(state, {flops, flops, bytes, Number::float64}, copies, run, [&] { return hog_error(a, y); });
  state.counters["us/picture"] = state.counters["us"] / double(a.N);
}

void stretch(benchmark::State& state, int64_t n, int C) {
  std::vector<kernels::StretchBand> const bands(size_t(C), {.sky = 0.1, .s = 0.2, .zero = 0.9, .range = 4});
  int const copies = copies_for(8.0 * double(n));
  Array<float> x(n, copies), y(n, copies);
  x.fill(1), y.poison();
  kernels::Stretch<float> a{.op = kernels::StretchOp::apply, .n = n, .C = C, .bands = bands.data()};
  auto run = [&](int copy) {
    a.x = x.at(copy), a.y = y.at(copy);
    require_ok(gpu_kernels::stretch(a));
  };
  double const flops = 30 * double(n);
  measure(state, {flops, flops, 8.0 * double(n), Number::float32}, copies, run, [&] {
    return sampled_error(y, 256, [&](int64_t i) {
      return kernels::stretched(kernels::StretchOp::apply, bands[0], double(random_number(1, i)));
    });
  });
}

void augment(benchmark::State& state, kernels::Augment a) {
  int64_t const in = a.H * a.W * a.C, out = a.P * a.Q * a.C;
  double const bytes = 4.0 * double(a.N * (in + out));
  int const copies = copies_for(bytes);
  Array<float> x(a.N * in, copies), y(a.N * out, copies);
  x.fill(1), y.poison();
  auto run = [&](int copy) {
    a.x = x.at(copy), a.y = y.at(copy);
    require_ok(gpu_kernels::launch_augment(a));
  };
  auto error = [&] {  // of the last picture
    std::vector<float> const pixels = numbers(1, (a.N - 1) * in, in);
    std::vector<float> expected(static_cast<size_t>(out));
    kernels::Augment one = a;
    one.N = 1, one.first = a.first + uint64_t(a.N - 1), one.x = pixels.data(), one.y = expected.data();
    kernels::reference::augment(one);
    return error_of_part(y, (a.N - 1) * out, expected);
  };
  double const flops = (a.noise ? 60.0 : 10.0) * double(a.N * out);
  measure(state, {flops, flops, bytes, a.noise ? Number::float64 : Number::float32}, copies, run, error);
}

std::string sizes(int64_t N, int64_t side, int64_t C) {
  return std::to_string(N) + " x " + std::to_string(side) + " x " + std::to_string(side) + " x " + std::to_string(C);
}

}  // namespace

void add_vision() {
  for (int64_t N : {1, 64, 1024})
    for (Copies with : {Copies::none, Copies::both_ways}) {
      kernels::Hog<float> const a{.N = machine_is_small() ? std::min<int64_t>(N, 3) : N, .H = 64, .W = 64};
      std::string const name = with == Copies::none ? "HOG of " : "HOG with copies of ";
      add_bench("vision/" + name + sizes(a.N, a.H, a.C) + "/float32/d16",
                [=](benchmark::State& state) { hog(state, a, with); });
    }
  int64_t const pixels = machine_is_small() ? 3000 : 3 << 24;
  add_bench("vision/stretch of " + std::to_string(pixels) + " pixels, 3 bands/float32/d16",
            [=](benchmark::State& state) { stretch(state, pixels, 3); });
  static std::vector<double> const noise(7, 0.1);
  for (int C : {3, 7}) {
    kernels::Augment a{.N = machine_is_small() ? 2 : 256, .H = 64, .W = 64, .C = C, .P = 64, .Q = 64};
    a.seed = 5, a.shift = 2;
    if (C == 7) a.rule = kernels::AugmentRule::bands, a.noise = noise.data();
    add_bench("vision/augment" + std::string(C == 7 ? " with noise" : "") + " " + sizes(a.N, a.H, C) + "/float32/d16",
              [=](benchmark::State& state) { augment(state, a); });
  }
}

}  // namespace d16::bench
