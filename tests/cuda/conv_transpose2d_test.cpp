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
  using W = kernels::Wide<T>;
  ConvTranspose2d<T> a;
  std::vector<T> x, dy, y, dx;
  std::vector<W> w, bias, dw, db;

  explicit Case(ConvTranspose2d<T> sizes) : a(sizes) {
    x = random_values<T>(int64_t(a.N) * a.H * a.W * a.Ci, 1), bias = random_values<W>(a.Co, 4);
    dy = random_values<T>(int64_t(a.N) * a.P() * a.Q() * a.Co, 2);
    w = random_values<W>(int64_t(a.Ci) * a.Co * a.kh * a.kw, 3);
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

/// The reference on factors that were rounded before, whose products are exact in float32.
Case<float> on_rounded(ConvTranspose2d<float> const& s, Precision features, Precision weights) {
  Case<float> right(s);
  right.x = rounded(right.x, features), right.dy = rounded(right.dy, features), right.w = rounded(right.w, weights);
  right.a.x = right.x.data(), right.a.w = right.w.data(), right.a.dy = right.dy.data();
  right.run_reference();
  return right;
}
/// One channel on both sides is computed without tensor cores, which alone round.
bool is_exact(ConvTranspose2d<float> const& s) { return s.Ci == 1 && s.Co == 1; }

}  // namespace

TEST_CASE("cuda conv_transpose2d: rounded products, and bf16 images with float32 weights") {
  auto const in_bf16 = all_sizes<bf16>();
  for (size_t i = 0; i < in_bf16.size(); ++i) {
    auto s = all_sizes<float>()[i];
    double const taps = s.kh * s.kw, pixels = double(s.N) * s.H * s.W;
    for (Precision precision : {Precision::tf32, Precision::bfloat16}) {
      INFO("sizes ", i, " ", name_of(precision));
      Precision const kept = is_exact(s) ? Precision::float32 : precision;
      Case<float> const right = on_rounded(s, kept, kept);
      Case<float> gpu(s);
      gpu.a.precision = precision;
      gpu.run();
      CHECK(error(gpu.y, right.y, taps * s.Ci + 1) <= 1);
      CHECK(error(gpu.dx, right.dx, taps * s.Co) <= 1);
      CHECK(error(gpu.dw, right.dw, pixels) <= 1);
    }
    INFO("sizes ", i, " in bf16");
    Case<float> const right =
        on_rounded(s, Precision::bfloat16, is_exact(s) ? Precision::float32 : Precision::bfloat16);
    Case<bf16> gpu(in_bf16[i]);
    gpu.run();
    CHECK(error_of_bf16(gpu.y, right.y, taps * s.Ci + 1) <= 1);
    CHECK(error_of_bf16(gpu.dx, right.dx, taps * s.Co) <= 1);
    CHECK(error(gpu.dw, right.dw, pixels) <= 1);
    CHECK(error(gpu.db, right.db, 1) <= 1);
  }
}

TEST_CASE("cuda conv_transpose2d: forward and gradients") {
  for (auto const& s : all_sizes<float>()) compare(s);
  for (auto const& s : all_sizes<double>()) compare(s);
}

TEST_CASE("cuda conv_transpose2d: the positive part, in the first channels of a wider image") {
  for (auto s : all_sizes<float>())
    for (int others : {0, 3, 8}) {
      INFO(s.H, " x ", s.W, " ", s.Ci, " -> ", s.Co, " and ", others);
      s.relu = true, s.y_pitch = others ? s.Co + others : 0;
      Case<float> gpu(s), right(s);
      for (Case<float>* c : {&gpu, &right})
        c->y.assign(size_t(s.N) * size_t(s.P() * s.Q()) * size_t(s.Co + others), 99), c->a.y = c->y.data();
      gpu.run(kernels::conv_transpose2d_work_bytes<float>, kernels::conv_transpose2d<float>);
      kernels::reference::conv_transpose2d(right.a);
      CHECK(error(gpu.y, right.y, double(s.kh * s.kw * s.Ci + 1)) <= 1);
      for (size_t i = 0; i < gpu.y.size(); ++i)
        if (others && int(i % size_t(s.Co + others)) >= s.Co) CHECK(gpu.y[i] == 99);
      CHECK(*std::min_element(gpu.y.begin(), gpu.y.end()) >= 0);
    }
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
