// The transposed convolution for GPUs and its gradients, run by the emulator, against loops in double.
#include <doctest/doctest.h>

#include <d16/kernels/cuda/conv_transpose2d.cuh>
#include <d16/kernels/reference/conv_transpose2d.hpp>

#include "dense.hpp"

using namespace d16;
using namespace d16::testing;
using kernels::ConvTranspose2d;

namespace {

template <class T> struct Case {
  ConvTranspose2d<T> a;
  std::vector<T> x, w, bias, dy, y, dx, dw, db;

  explicit Case(ConvTranspose2d<T> sizes) : a(sizes) {
    x = random_values<T>(int64_t(a.N) * a.H * a.W * a.Ci, 1), bias = random_values<T>(a.Co, 4);
    dy = random_values<T>(int64_t(a.N) * a.P() * a.Q() * a.Co, 2);
    w = random_values<T>(int64_t(a.Ci) * a.Co * a.kh * a.kw, 3);
    y.resize(dy.size()), dx.resize(x.size()), dw.resize(w.size()), db.resize(bias.size());
    a.x = x.data(), a.w = w.data(), a.bias = bias.data(), a.dy = dy.data();
    a.y = y.data(), a.dx = dx.data(), a.dw = dw.data(), a.db = db.data();
  }
  void run(size_t (*bytes)(ConvTranspose2d<T> const&), int (*kernel)(ConvTranspose2d<T> const&)) {
    Work work(bytes(a));
    a.work = work.data();
    CHECK(kernel(a) == kernels::ok);
  }
  void run() {
    run(kernels::conv_transpose2d_work_bytes<T>, kernels::conv_transpose2d<T>);
    run(kernels::conv_transpose2d_dx_work_bytes<T>, kernels::conv_transpose2d_dx<T>);
    run(kernels::conv_transpose2d_dw_work_bytes<T>, kernels::conv_transpose2d_dw<T>);
    run(kernels::conv_transpose2d_db_work_bytes<T>, kernels::conv_transpose2d_db<T>);
  }
  void run_reference() {
    namespace reference = kernels::reference;
    reference::conv_transpose2d(a), reference::conv_transpose2d_dx(a);
    reference::conv_transpose2d_dw(a), reference::conv_transpose2d_db(a);
  }
};

template <class T> void compare(ConvTranspose2d<T> const& s) {
  INFO(s.H, " x ", s.W, " ", s.Ci, " -> ", s.Co, " kernel ", s.kh, " x ", s.kw, " stride ", s.stride_h, " ",
       s.stride_w);
  Case<T> gpu(s), right(s);
  gpu.run(), right.run_reference();
  double const taps = s.kh * s.kw, pixels = double(s.N) * s.H * s.W;
  CHECK(error(gpu.y, right.y, taps * s.Ci + 1) <= 1);
  CHECK(error(gpu.dx, right.dx, taps * s.Co) <= 1);
  CHECK(error(gpu.dw, right.dw, pixels) <= 1);
  CHECK(error(gpu.db, right.db, terms_in_double<T>(double(s.N) * s.P() * s.Q())) <= 1);
}

template <class T> std::vector<ConvTranspose2d<T>> all_sizes() {
  return {
      {},
      {.N = 2, .H = 3, .W = 5, .Ci = 3, .Co = 7, .kh = 3, .kw = 3, .pad_h = 1, .pad_w = 1},
      {.N = 1, .H = 4, .W = 4, .Ci = 16, .Co = 8, .kh = 2, .kw = 2, .stride_h = 2, .stride_w = 2},
      {.N = 2,
       .H = 5,
       .W = 3,
       .Ci = 5,
       .Co = 4,
       .kh = 4,
       .kw = 3,
       .stride_h = 3,
       .stride_w = 2,
       .pad_h = 1,
       .pad_w = 1,
       .output_pad_h = 2,
       .output_pad_w = 1},
      {.N = 1, .H = 3, .W = 4, .Ci = 2, .Co = 3, .kh = 1, .kw = 2, .stride_h = 3, .stride_w = 4},  // gaps hold the bias
  };
}

}  // namespace

TEST_CASE("cuda conv_transpose2d: forward and gradients") {
  for (auto const& s : all_sizes<float>()) compare(s);
  for (auto const& s : all_sizes<double>()) compare(s);
}

TEST_CASE("cuda conv_transpose2d: the same bits in every order of the threads") {
  auto const sizes = all_sizes<float>()[3];
  Case<float> first(sizes);
  first.run();
  in_every_order([&] {
    Case<float> again(sizes);
    again.run();
    CHECK(again.y == first.y);
    CHECK(again.dx == first.dx);
    CHECK(again.dw == first.dw);
    CHECK(again.db == first.db);
  });
}
