// The transposed convolution and its gradients against loops in double.
#include <doctest/doctest.h>

#include <d16/kernels/cpu/conv_transpose2d.hpp>
#include <d16/kernels/reference/conv_transpose2d.hpp>

#include "isas.hpp"

using namespace d16;
using namespace d16::testing;
using kernels::ConvTranspose2d;

namespace {

template <class T> struct Case {
  ConvTranspose2d<T> a;
  std::vector<T> x, w, bias, dy, y, dx, dw, db;

  explicit Case(ConvTranspose2d<T> sizes) : a(sizes) {
    x = random_values<T>(int64_t(a.N) * a.H * a.W * a.Ci, 1),
    dy = random_values<T>(int64_t(a.N) * a.P() * a.Q() * a.Co, 2);
    w = random_values<T>(int64_t(a.Ci) * a.Co * a.kh * a.kw, 3), bias = random_values<T>(a.Co, 4);
    y.resize(dy.size()), dx.resize(x.size()), dw.resize(w.size()), db.resize(bias.size());
    a.x = x.data(), a.w = w.data(), a.bias = bias.data(), a.dy = dy.data();
    a.y = y.data(), a.dx = dx.data(), a.dw = dw.data(), a.db = db.data();
  }
  void run_reference() {
    kernels::reference::conv_transpose2d(a), kernels::reference::conv_transpose2d_dx(a);
    kernels::reference::conv_transpose2d_dw(a), kernels::reference::conv_transpose2d_db(a);
  }
  void run_cpu() {
    namespace cpu = kernels::cpu;
    Work work(cpu::conv_transpose2d_work_bytes(a)), work_dx(cpu::conv_transpose2d_dx_work_bytes(a));
    Work work_dw(cpu::conv_transpose2d_dw_work_bytes(a)), work_db(cpu::conv_transpose2d_db_work_bytes(a));
    a.work = work.data(), cpu::conv_transpose2d(a);
    a.work = work_dx.data(), cpu::conv_transpose2d_dx(a);
    a.work = work_dw.data(), cpu::conv_transpose2d_dw(a);
    a.work = work_db.data(), cpu::conv_transpose2d_db(a);
  }
};

template <class T> void compare(ConvTranspose2d<T> sizes) {
  INFO(sizes.H, " x ", sizes.W, " ", sizes.Ci, " -> ", sizes.Co, " stride ", sizes.stride_h);
  Case<T> fast(sizes), right(sizes);
  right.run_reference();
  fast.run_cpu();
  double const taps = sizes.kh * sizes.kw;
  CHECK(error(fast.y, right.y, taps * sizes.Ci + 1) <= 1);
  CHECK(error(fast.dx, right.dx, taps * sizes.Co) <= 1);
  CHECK(error(fast.dw, right.dw, double(sizes.N) * sizes.H * sizes.W) <= 1);
  CHECK(error(fast.db, right.db, terms_in_double<T>(double(sizes.N) * sizes.P() * sizes.Q())) <= 1);
}

template <class T> void compare_all() {
  for (ConvTranspose2d<T> const& sizes : std::initializer_list<ConvTranspose2d<T>>{
           {},
           {.N = 2, .H = 5, .W = 6, .Ci = 3, .Co = 4, .kh = 2, .kw = 2, .stride_h = 2, .stride_w = 2},
           {.N = 1,
           .H = 4,
           .W = 7,
           .Ci = 17,
           .Co = 24,
           .kh = 3,
           .kw = 3,
           .stride_h = 2,
           .stride_w = 2,
           .pad_h = 1,
           .pad_w = 1,
           .output_pad_h = 1,
           .output_pad_w = 1},
           {.N = 3,
           .H = 3,
           .W = 2,
           .Ci = 5,
           .Co = 2,
           .kh = 1,
           .kw = 4,
           .stride_h = 3,
           .stride_w = 1,
           .pad_w = 2,
           .output_pad_h = 2},
           {.N = 1, .H = 20, .W = 19, .Ci = 33, .Co = 3, .kh = 5, .kw = 4, .pad_h = 4, .pad_w = 1}})
    compare(sizes);
}

}  // namespace

TEST_CASE("conv_transpose2d: forward and gradients") {
  compare_all<float>();
  compare_all<double>();
}
