// The fully connected layer for GPUs and its gradients, run by the emulator, against loops in double.
#include <doctest/doctest.h>

#include <array>

#include <d16/kernels/cuda/linear.cuh>
#include <d16/kernels/reference/linear.hpp>

#include "dense.hpp"

using namespace d16;
using namespace d16::testing;
using kernels::Linear;

namespace {

template <class T> struct Case {
  using W = kernels::Wide<T>;
  Linear<T> a;
  std::vector<T> x, dy, y, dx;
  std::vector<W> w, bias, dw, db;

  Case(int rows, int I, int O) : a{.rows = rows, .I = I, .O = O} {
    x = random_values<T>(int64_t(rows) * I, 1), w = random_values<W>(int64_t(O) * I, 2);
    dy = random_values<T>(int64_t(rows) * O, 3), bias = random_values<W>(O, 4);
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

/// Against the reference with rounded factors, whose products are exact in float32.
void compare_rounded(int rows, int I, int O, Precision precision) {
  INFO(rows, " x ", I, " -> ", O, " ", name_of(precision));
  Case<float> gpu(rows, I, O), right(rows, I, O);
  gpu.a.precision = precision;
  right.x = rounded(right.x, precision), right.w = rounded(right.w, precision), right.dy = rounded(right.dy, precision);
  right.a.x = right.x.data(), right.a.w = right.w.data(), right.a.dy = right.dy.data();
  gpu.run(), right.run_reference();
  CHECK(error(gpu.y, right.y, I + 1) <= 1);
  CHECK(error(gpu.dx, right.dx, O) <= 1);
  CHECK(error(gpu.dw, right.dw, rows) <= 1);
}
/// bf16 features, float32 weights and their gradients.
void compare_bf16(int rows, int I, int O) {
  INFO(rows, " x ", I, " -> ", O, " in bf16");
  Case<bf16> gpu(rows, I, O);
  gpu.run();
  Case<float> right(rows, I, O);
  right.x = to_float(gpu.x), right.dy = to_float(gpu.dy), right.w = rounded(gpu.w, Precision::bfloat16);
  right.a.x = right.x.data(), right.a.w = right.w.data(), right.a.dy = right.dy.data();
  right.run_reference();
  CHECK(error_of_bf16(gpu.y, right.y, I + 1) <= 1);
  CHECK(error_of_bf16(gpu.dx, right.dx, O) <= 1);
  CHECK(error(gpu.dw, right.dw, rows) <= 1);
  CHECK(error(gpu.db, right.db, 1) <= 1);
}

constexpr std::array<int, 3> all_sizes[] = {{1, 1, 1}, {3, 5, 7}, {64, 128, 10}, {131, 67, 37}, {1100, 12, 40}};

}  // namespace

TEST_CASE("cuda linear: rounded products, and bf16 features") {
  for (auto [rows, I, O] : all_sizes) {
    compare_rounded(rows, I, O, Precision::tf32), compare_rounded(rows, I, O, Precision::bfloat16);
    compare_bf16(rows, I, O);
  }
}

TEST_CASE("cuda linear: forward and gradients") {
  for (auto [rows, I, O] : all_sizes) {
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
