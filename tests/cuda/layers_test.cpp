// The CUDA kernels of layers that move or draw values, run by the emulator, against the reference: packs and single
// elements, large windows, more lines than one thread each, labels of pixels that nobody reads.
#include <doctest/doctest.h>

#include <algorithm>
#include <functional>

#include <d16/kernels/cuda/adaptive_avg_pool2d.cuh>
#include <d16/kernels/cuda/dropout.cuh>
#include <d16/kernels/cuda/group_action.cuh>
#include <d16/kernels/cuda/pad2d.cuh>
#include <d16/kernels/cuda/pool2d.cuh>
#include <d16/kernels/cuda/reparameterise.cuh>
#include <d16/kernels/cuda/upsample.cuh>
#include <d16/kernels/reference/adaptive_avg_pool2d.hpp>
#include <d16/kernels/reference/dropout.hpp>
#include <d16/kernels/reference/group_action.hpp>
#include <d16/kernels/reference/pad2d.hpp>
#include <d16/kernels/reference/pool2d.hpp>
#include <d16/kernels/reference/reparameterise.hpp>
#include <d16/kernels/reference/upsample.hpp>

#include "dense.hpp"

using namespace d16;
using namespace d16::testing;
namespace reference = kernels::reference;

namespace {

/// Arrays of an op with x and y, each also shifted by an element: then nothing is aligned to 16 bytes.
template <class T> struct Arrays {
  std::vector<T> x, dy, y, dx;
  int64_t shift;

  Arrays(int64_t in, int64_t out, int64_t by)
      : x(random_values<T>(in + by, 1)), dy(random_values<T>(out + by, 2)), shift(by) {
    y.assign(dy.size(), T(NAN)), dx.assign(x.size(), T(NAN));
    for (int64_t i = 0; i < by; ++i) y[size_t(i)] = dx[size_t(i)] = 0;
  }
  template <class Args> void give(Args& a) {
    a.x = x.data() + shift, a.dy = dy.data() + shift, a.y = y.data() + shift, a.dx = dx.data() + shift;
  }
};

template <class Args> using Kernel = int (*)(Args const&);
template <class Args> struct Kernels { Kernel<Args> forward, backward; };

/// Both passes of both machines; `terms` of the longest sums forwards and backwards.
template <class T, class Args> void check(Args a, int64_t in, int64_t out, Kernels<Args> gpu, Kernels<Args> right,
                                          double terms, double terms_back, T nan_at = T(0)) {
  for (int64_t shift : {0, 1}) {
    Arrays<T> got(in, out, shift), expected(in, out, shift);
    if (nan_at != 0) got.x[size_t(in / 2)] = expected.x[size_t(in / 2)] = nan_at;
    got.give(a);
    CHECK(gpu.forward(a) == kernels::ok);
    CHECK(gpu.backward(a) == kernels::ok);
    expected.give(a);
    right.forward(a), right.backward(a);
    CHECK(error(got.y, expected.y, terms) <= 1);
    CHECK(error(got.dx, expected.dx, terms_back) <= 1);
  }
}

/// The sum of a window and its factor are a rounding for each of its values, and two.
template <class T> void check_pool(kernels::Pool2d<T> a, bool maximum) {
  INFO("H ", a.H, " W ", a.W, " C ", a.C, " kernel ", a.kernel_h, " ", a.kernel_w, " stride ", a.stride_h);
  int64_t const in = a.N * a.H * a.W * a.C, out = a.N * a.out_h() * a.out_w() * a.C;
  double const window = a.kernel_h * a.kernel_w;
  if (maximum)
    check<T, kernels::Pool2d<T>>(a, in, out, {kernels::max_pool2d<T>, kernels::max_pool2d_dx<T>},
                                 {reference::max_pool2d<T>, reference::max_pool2d_dx<T>}, 0, window);
  else
    check<T, kernels::Pool2d<T>>(a, in, out, {kernels::avg_pool2d<T>, kernels::avg_pool2d_dx<T>},
                                 {reference::avg_pool2d<T>, reference::avg_pool2d_dx<T>}, window + 2, window + 2);
}
template <class T> void check_pools() {
  for (bool maximum : {true, false})
    for (int64_t C : {1, 5, 8, 12, 300}) {
      kernels::Pool2d<T> a;
      a.N = 2, a.H = 7, a.W = 6, a.C = C;
      check_pool(a, maximum);
      a.kernel_h = 3, a.kernel_w = 2, a.padding_h = 1, a.stride_h = 2, a.stride_w = 1, a.count_include_pad = false;
      check_pool(a, maximum);
      a.kernel_h = a.kernel_w = 2, a.stride_h = a.stride_w = 3, a.padding_h = a.padding_w = 0;
      check_pool(a, maximum);
    }
}

template <class T> void check_adaptive(int64_t H, int64_t W, int64_t C, int64_t P, int64_t Q) {
  INFO("H ", H, " W ", W, " C ", C, " P ", P, " Q ", Q);
  kernels::AdaptivePool2d<T> a;
  a.N = 3, a.H = H, a.W = W, a.C = C, a.P = P, a.Q = Q;
  double const window = double((H / P + 2) * (W / Q + 2)), windows = double((P / H + 2) * (Q / W + 2));
  check<T, kernels::AdaptivePool2d<T>>(
      a, a.N * H * W * C, a.N * P * Q * C, {kernels::adaptive_avg_pool2d<T>, kernels::adaptive_avg_pool2d_dx<T>},
      {reference::adaptive_avg_pool2d<T>, reference::adaptive_avg_pool2d_dx<T>}, window + 2, windows + 2);
}

template <class T> void check_upsample(int64_t H, int64_t W, int64_t C, int scale, bool bilinear, bool corners) {
  INFO("H ", H, " W ", W, " C ", C, " scale ", scale, " bilinear ", bilinear, " corners ", corners);
  kernels::Upsample<T> a;
  a.N = 2, a.H = H, a.W = W, a.C = C, a.scale = scale, a.bilinear = bilinear, a.align_corners = corners;
  double const outputs = 4.0 * scale * scale;  // that read an input; their weights have three roundings each
  check<T, kernels::Upsample<T>>(a, 2 * H * W * C, 2 * H * W * C * scale * scale,
                                 {kernels::upsample<T>, kernels::upsample_dx<T>},
                                 {reference::upsample<T>, reference::upsample_dx<T>}, 4 + 6, outputs + 6);
}

template <class T> void check_pad(kernels::PaddingMode mode, int64_t C) {
  INFO(kernels::name_of(mode), " C ", C);
  kernels::Pad2d<T> a;
  a.N = 2, a.H = 4, a.W = 5, a.C = C, a.top = 3, a.bottom = 2, a.left = 1, a.right = 4, a.mode = mode;
  check<T, kernels::Pad2d<T>>(a, 2 * 20 * C, 2 * a.out_h() * a.out_w() * C, {kernels::pad2d<T>, kernels::pad2d_dx<T>},
                              {reference::pad2d<T>, reference::pad2d_dx<T>}, 0, 9);
}

/// Tables of an action by hand: each pixel reads some others, one of them by a weight of zero.
template <class T> void check_action(int64_t P, int64_t C, int G, int taps, bool exchange) {
  INFO("P ", P, " C ", C, " G ", G, " taps ", taps);
  kernels::GroupAction<T> a;
  a.N = 3, a.P = P, a.C = C, a.G = G, a.taps = taps;
  std::vector<int64_t> source, element, readers, first{0};
  std::vector<double> weight;
  for (int64_t tap = 0; tap < P * taps; ++tap) source.push_back(tap * tap % P), weight.push_back(double(tap % 4) / 4);
  for (int64_t s = 0; s < P; ++s) {
    for (int64_t tap = 0; tap < P * taps; ++tap)
      if (source[size_t(tap)] == s) readers.push_back(tap);
    first.push_back(int64_t(readers.size()));
  }
  for (int64_t g = 0; g < G; ++g) element.push_back((g * (G - 1) + 1) % G);  // G - 1 and G have no common factor
  a.source = source.data(), a.weight = weight.data(), a.readers = readers.data(), a.first_reader = first.data();
  a.element = exchange ? element.data() : nullptr;
  check<T, kernels::GroupAction<T>>(
      a, 3 * P * C * G, 3 * P * C * G, {kernels::group_action<T>, kernels::group_action_dx<T>},
      {reference::group_action<T>, reference::group_action_dx<T>}, taps + 2, double(P * taps) + 2);
}

template <class T> void check_dropout(int64_t n, int64_t shift) {
  INFO("n ", n, " shift ", shift);
  kernels::Dropout<T> a;
  a.n = n, a.p = 0.3, a.seed = uint64_t(1) << 40 | 5, a.stream = uint64_t(7) << 33;
  std::vector<T> const x = random_values<T>(n + shift, 1);
  std::vector<T> got(x.size(), T(0)), expected(x.size(), T(0));
  a.x = x.data() + shift;
  a.y = got.data() + shift, kernels::dropout(a);
  a.y = expected.data() + shift, reference::dropout(a);
  CHECK(error(got, expected, 2) <= 1);  // a product by a rounded quotient instead of the quotient
  for (size_t i = 0; i < got.size(); ++i) CHECK((got[i] == 0) == (expected[i] == 0));
}

template <class T> void check_reparameterise(int64_t n, int64_t shift) {
  INFO("n ", n, " shift ", shift);
  kernels::Reparameterise<T> a;
  a.n = n, a.seed = 3, a.stream = 9;
  uint64_t const offset = 2;
  a.offset = &offset;
  std::vector<T> const mu = random_values<T>(n + shift, 1), logvar = random_values<T>(n + shift, 2);
  std::vector<T> y(mu.size(), T(0)), y_right = y, d = y, d_right = y;
  a.mu = mu.data() + shift, a.logvar = logvar.data() + shift, a.dy = a.mu;
  a.y = y.data() + shift, a.dlogvar = d.data() + shift;
  kernels::reparameterise(a), kernels::reparameterise_dx(a);
  a.y = y_right.data() + shift, a.dlogvar = d_right.data() + shift;
  reference::reparameterise(a), reference::reparameterise_dx(a);
  CHECK(error(y, y_right, 5) <= 1);  // an exponential, a product, a sum
  CHECK(error(d, d_right, 5) <= 1);
}

}  // namespace

TEST_CASE("cuda pool2d: packs and single channels, windows that overlap, leave gaps, stand out") {
  check_pools<float>();
  check_pools<double>();
}

TEST_CASE("cuda pool2d: ties go to the first, a NaN wins over all") {
  kernels::Pool2d<float> a;
  a.N = 1, a.H = 4, a.W = 4, a.C = 4, a.kernel_h = a.kernel_w = 3, a.stride_h = a.stride_w = 1;
  std::vector<float> x(64, 1), dy(16, 1), y(16), dx(64), y_right(16), dx_right(64);
  x[20] = NAN, x[37] = NAN, x[50] = 2;
  a.x = x.data(), a.dy = dy.data();
  a.y = y.data(), a.dx = dx.data(), kernels::max_pool2d(a), kernels::max_pool2d_dx(a);
  a.y = y_right.data(), a.dx = dx_right.data(), reference::max_pool2d(a), reference::max_pool2d_dx(a);
  CHECK(dx == dx_right);
  for (size_t i = 0; i < y.size(); ++i) CHECK((y[i] == y_right[i] || (std::isnan(y[i]) && std::isnan(y_right[i]))));
}

TEST_CASE("cuda adaptive_avg_pool2d: small windows, and large ones that a block adds up") {
  for (int64_t C : {1, 7, 8, 200}) {
    check_adaptive<float>(7, 11, C, 3, 4);
    check_adaptive<float>(2, 3, C, 5, 3);
    check_adaptive<float>(17, 19, C, 2, 2);
    check_adaptive<double>(23, 8, C, 1, 1);
  }
  check_adaptive<float>(1, 1, 1, 1, 1);
}

TEST_CASE("cuda upsample: nearest and bilinear, every border") {
  for (bool bilinear : {false, true})
    for (bool corners : {false, true}) {
      if (corners && !bilinear) continue;
      for (int scale : {1, 2, 3, 5}) {
        check_upsample<float>(4, 5, 8, scale, bilinear, corners);
        check_upsample<double>(3, 7, 3, scale, bilinear, corners);
        check_upsample<float>(1, 2, 5, scale, bilinear, corners);
      }
    }
}

TEST_CASE("cuda pad2d: all modes") {
  for (auto mode : {kernels::PaddingMode::zeros, kernels::PaddingMode::circular, kernels::PaddingMode::reflect})
    for (int64_t C : {1, 3, 8}) {
      check_pad<float>(mode, C);
      check_pad<double>(mode, C);
    }
}

TEST_CASE("cuda group_action: one tap and many, with and without an exchange of elements") {
  for (bool exchange : {false, true}) {
    check_action<float>(20, 3, 8, 1, exchange);
    check_action<float>(30, 2, 5, 16, exchange);
    check_action<double>(7, 70, 4, 3, exchange);
  }
}

TEST_CASE("cuda dropout, reparameterise: the same draws as the reference, whole packs and rests") {
  for (int64_t n : {1, 4, 7, 1024, 4099})
    for (int64_t shift : {0, 1}) {
      check_dropout<float>(n, shift);
      check_dropout<double>(n, shift);
      check_reparameterise<float>(n, shift);
      check_reparameterise<double>(n, shift);
    }
}

TEST_CASE("cuda layers: every order of the threads") {
  in_every_order([] {
    check_adaptive<float>(17, 16, 40, 1, 1);
    check_upsample<float>(3, 4, 4, 2, true, false);
  });
}
