// Pooling over the group for GPUs, run by the emulator, against the reference.
#include <doctest/doctest.h>

#include <d16/kernels/cuda/group_pool.cuh>
#include <d16/kernels/reference/group_pool.hpp>

#include "dense.hpp"

using namespace d16;
using namespace d16::testing;
using kernels::GroupPool;

namespace {

template <class T> struct Case {
  GroupPool<T> a;
  std::vector<T> x, dy, y, dx;
  Case(int64_t rows, int G) {
    a.rows = rows, a.G = G;
    x = random_values<T>(rows * G, 1), dy = random_values<T>(rows, 2);
    for (size_t i = 0; i < x.size(); i += 5) x[i] = T(0.25);  // ties
    if (rows > 1) x[size_t(G) + size_t(G) / 2] = NAN;
    y.assign(size_t(rows), T(NAN)), dx.assign(x.size(), T(NAN));
    a.x = x.data(), a.dy = dy.data(), a.y = y.data(), a.dx = dx.data();
  }
};

/// Equal, NaN for NaN.
template <class T> bool same(std::vector<T> const& a, std::vector<T> const& b) {
  for (size_t i = 0; i < a.size(); ++i)
    if (!(a[i] == b[i] || (a[i] != a[i] && b[i] != b[i]))) return false;
  return a.size() == b.size();
}

template <class T> void check(int64_t rows, int G) {
  Case<T> got(rows, G), expected(rows, G);
  INFO("rows ", rows, " G ", G);
  CHECK(kernels::group_max_pool(got.a) == kernels::ok);
  CHECK(kernels::group_max_pool_dx(got.a) == kernels::ok);
  kernels::reference::group_max_pool(expected.a), kernels::reference::group_max_pool_dx(expected.a);
  CHECK(same(got.y, expected.y));
  CHECK(same(got.dx, expected.dx));
  CHECK(kernels::group_mean_pool(got.a) == kernels::ok);
  CHECK(kernels::group_mean_pool_dx(got.a) == kernels::ok);
  kernels::reference::group_mean_pool(expected.a), kernels::reference::group_mean_pool_dx(expected.a);
  CHECK(same(got.y, expected.y));  // the same sums in double, in the same order
  CHECK(same(got.dx, expected.dx));
}

}  // namespace

TEST_CASE("cuda group_pool: orders and numbers of rows") {
  for (int G : {1, 3, 8, 16, 32, 37})
    for (int64_t rows : {1, 31, 257, 1030}) {
      check<float>(rows, G);
      check<double>(rows, G);
    }
}

TEST_CASE("cuda group_pool: bf16, the bits of the reference") {
  for (int G : {1, 3, 16, 37})
    for (int64_t rows : {1, 31, 1030}) check<bf16>(rows, G);
}

TEST_CASE("cuda group_pool: every order of the threads") {
  in_every_order([] { check<float>(300, 16); });
}
