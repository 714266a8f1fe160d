// The fully connected layer for GPUs and its gradients, run by the emulator, against loops in double.
#include <doctest/doctest.h>

#include <d16/kernels/cuda/linear.cuh>
#include <d16/kernels/reference/linear.hpp>

#include "dense.hpp"

using namespace d16;
using namespace d16::testing;
using kernels::Linear;

namespace {

template <class T> struct Case {
  Linear<T> a;
  std::vector<T> x, w, bias, dy, y, dx, dw, db;

  Case(int rows, int I, int O) : a{.rows = rows, .I = I, .O = O} {
    x = random_values<T>(int64_t(rows) * I, 1), w = random_values<T>(int64_t(O) * I, 2);
    dy = random_values<T>(int64_t(rows) * O, 3), bias = random_values<T>(O, 4);
    y.resize(dy.size()), dx.resize(x.size()), dw.resize(w.size()), db.resize(bias.size());
    a.x = x.data(), a.w = w.data(), a.bias = bias.data(), a.dy = dy.data();
    a.y = y.data(), a.dx = dx.data(), a.dw = dw.data(), a.db = db.data();
  }
  void run(size_t (*bytes)(Linear<T> const&), int (*kernel)(Linear<T> const&)) {
    Work work(bytes(a));
    a.work = work.data();
    CHECK(kernel(a) == kernels::ok);
  }
  void run() {
    run(kernels::linear_work_bytes<T>, kernels::linear<T>);
    run(kernels::linear_dx_work_bytes<T>, kernels::linear_dx<T>);
    run(kernels::linear_dw_work_bytes<T>, kernels::linear_dw<T>);
    run(kernels::linear_db_work_bytes<T>, kernels::linear_db<T>);
  }
  void run_reference() {
    namespace reference = kernels::reference;
    reference::linear(a), reference::linear_dx(a), reference::linear_dw(a), reference::linear_db(a);
  }
};

template <class T> void compare(int rows, int I, int O) {
  INFO(rows, " x ", I, " -> ", O);
  Case<T> gpu(rows, I, O), right(rows, I, O);
  gpu.run(), right.run_reference();
  CHECK(error(gpu.y, right.y, I + 1) <= 1);
  CHECK(error(gpu.dx, right.dx, O) <= 1);
  CHECK(error(gpu.dw, right.dw, rows) <= 1);
  CHECK(error(gpu.db, right.db, terms_in_double<T>(rows)) <= 1);
}

}  // namespace

TEST_CASE("cuda linear: forward and gradients") {
  for (auto [rows, I, O] : {std::array{1, 1, 1}, {3, 5, 7}, {64, 128, 10}, {131, 67, 37}, {1100, 12, 40}}) {
    compare<float>(rows, I, O);
    compare<double>(rows, I, O);
  }
}

TEST_CASE("cuda linear: the same bits in every order of the threads") {
  Case<float> first(1100, 12, 40);  // several chunks of rows, dw in parts
  first.run();
  in_every_order([&] {
    Case<float> again(1100, 12, 40);
    again.run();
    CHECK(again.y == first.y);
    CHECK(again.dx == first.dx);
    CHECK(again.dw == first.dw);
    CHECK(again.db == first.db);
  });
}
