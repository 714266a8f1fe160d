// Every step of the dense ladder computes the same convolution, in every order of the threads.
#include <doctest/doctest.h>

#include <d16/kernels/ladder/dense.hpp>
#include <d16/kernels/reference/conv2d.hpp>

#include "dense.hpp"

using namespace d16;
using namespace d16::testing;
using kernels::Conv2d;
using kernels::ladder::DenseStep;

namespace {

struct Case {
  Conv2d<float> a;
  std::vector<float> x, w, bias;

  explicit Case(Conv2d<float> const& sizes) : a(sizes) {
    x = random_values<float>(int64_t(a.N) * a.H * a.W * a.Ci, 1), bias = random_values<float>(a.Co, 3);
    w = random_values<float>(int64_t(a.Co) * a.Ci * a.kh * a.kw, 2);
  }
  std::vector<float> got(DenseStep const& step) const {
    std::vector<float> y(size_t(a.N) * a.P() * a.Q() * a.Co);
    Conv2d<float> c = a;
    c.x = x.data(), c.w = w.data(), c.bias = bias.data(), c.y = y.data();
    Work work(step.work_bytes(c));
    c.work = work.data();
    CHECK(step.run(c) == kernels::ok);
    return y;
  }
  /// With factors rounded as the step rounds them, whose products are exact in float32.
  std::vector<float> expected(DenseStep const& step) const {
    auto const x_ = rounded(x, step.precision), w_ = rounded(w, step.precision);
    std::vector<float> y(size_t(a.N) * a.P() * a.Q() * a.Co);
    Conv2d<float> c = a;
    c.x = x_.data(), c.w = w_.data(), c.bias = bias.data(), c.y = y.data();
    kernels::reference::conv2d(c);
    return y;
  }
};

Conv2d<float> const same{.N = 2, .H = 9, .W = 7, .Ci = 11, .Co = 70, .kh = 3, .kw = 3, .pad_h = 1, .pad_w = 1};

std::vector<Conv2d<float>> all_sizes() {
  Conv2d<float> strided{.N = 1, .H = 13, .W = 8, .Ci = 8, .Co = 5, .kh = 2, .kw = 5, .stride_h = 3, .stride_w = 2};
  strided.pad_h = 4, strided.pad_w = 5, strided.dilation_h = 2, strided.dilation_w = 3;
  return {{.Ci = 2}, same, strided};  // from one channel to one is exact at any precision
}

}  // namespace

TEST_CASE("dense ladder: every step") {
  for (DenseStep const& step : kernels::ladder::dense_steps)
    for (auto const& sizes : all_sizes()) {
      INFO(step.name, ": ", sizes.H, " x ", sizes.W, " ", sizes.Ci, " -> ", sizes.Co);
      Case const c(sizes);
      CHECK(error(c.got(step), c.expected(step), sizes.kh * sizes.kw * sizes.Ci + 1) <= 1);
    }
}

TEST_CASE("dense ladder: the same bits in every order of the threads") {
  Case const c(same);
  for (DenseStep const& step : kernels::ladder::dense_steps) {
    INFO(step.name);
    auto const first = c.got(step);
    in_every_order([&] { CHECK(c.got(step) == first); });
  }
}

TEST_CASE("dense ladder: groups are left to the kernel that ships") {
  Conv2d<float> grouped{.Ci = 2, .Co = 2, .groups = 2};
  for (DenseStep const& step : kernels::ladder::dense_steps) CHECK(step.run(grouped) == kernels::unsupported);
}
