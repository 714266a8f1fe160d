// The fully connected layer and its gradients against loops in double.
#include <doctest/doctest.h>

#include <array>

#include <d16/kernels/cpu/linear.hpp>
#include <d16/kernels/reference/linear.hpp>

#include "isas.hpp"

using namespace d16;
using namespace d16::testing;
using kernels::Linear;

namespace {

template <class T> void compare(int rows, int I, int O) {
  INFO(rows, " rows ", I, " -> ", O);
  auto x = random_values<T>(int64_t(rows) * I, 1), w = random_values<T>(int64_t(O) * I, 2),
       bias = random_values<T>(O, 3);
  auto dy = random_values<T>(int64_t(rows) * O, 4);
  struct Results {
    std::vector<T> y, dx, dw, db;
  };
  auto results = [&](auto const& run) {
    Results r;
    r.y.resize(dy.size()), r.dx.resize(x.size()), r.dw.resize(w.size()), r.db.resize(bias.size());
    Linear<T> a{.rows = rows,
                .I = I,
                .O = O,
                .x = x.data(),
                .dy = dy.data(),
                .w = w.data(),
                .bias = bias.data(),
                .y = r.y.data(),
                .dx = r.dx.data(),
                .dw = r.dw.data(),
                .db = r.db.data()};
    run(a);
    return r;
  };
  auto right = results([](Linear<T> a) {
    kernels::reference::linear(a), kernels::reference::linear_dx(a);
    kernels::reference::linear_dw(a), kernels::reference::linear_db(a);
  });
  auto fast = results([](Linear<T> a) {
    namespace cpu = kernels::cpu;
    Work work(cpu::linear_work_bytes(a)), work_dx(cpu::linear_dx_work_bytes(a));
    Work work_dw(cpu::linear_dw_work_bytes(a)), work_db(cpu::linear_db_work_bytes(a));
    a.work = work.data(), cpu::linear(a);
    a.work = work_dx.data(), cpu::linear_dx(a);
    a.work = work_dw.data(), cpu::linear_dw(a);
    a.work = work_db.data(), cpu::linear_db(a);
  });
  CHECK(error(fast.y, right.y, I + 1) <= 1);
  CHECK(error(fast.dx, right.dx, O) <= 1);
  CHECK(error(fast.dw, right.dw, rows) <= 1);
  CHECK(error(fast.db, right.db, terms_in_double<T>(rows)) <= 1);
}

}  // namespace

TEST_CASE("linear: forward and gradients") {
  for (auto [rows, I, O] :
       std::initializer_list<std::array<int, 3>>{{1, 1, 1}, {1, 300, 7}, {37, 19, 10}, {4001, 23, 5}, {64, 65, 66}}) {
    compare<float>(rows, I, O);
    compare<double>(rows, I, O);
  }
}
