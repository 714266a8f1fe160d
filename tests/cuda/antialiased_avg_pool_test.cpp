// Antialiased pooling for GPUs, run by the emulator, against the reference.
#include <doctest/doctest.h>

#include <d16/kernels/cuda/antialiased_avg_pool.cuh>
#include <d16/kernels/reference/antialiased_avg_pool.hpp>

#include "dense.hpp"

using namespace d16;
using namespace d16::testing;
using kernels::AntialiasedAvgPool;

namespace {

template <class T> void check(AntialiasedAvgPool<T> a) {
  auto const x = random_values<T>(a.N * a.H * a.W * a.C, 1);
  auto const dy = random_values<T>(a.N * a.out(a.H) * a.out(a.W) * a.C, 2);
  std::vector<T> y(dy.size(), T(NAN)), dx(x.size(), T(NAN)), expected_y = y, expected_dx = dx;
  a.x = x.data(), a.dy = dy.data(), a.y = y.data(), a.dx = dx.data();
  INFO("H ", a.H, " W ", a.W, " kernel ", a.kernel, " stride ", a.stride, " padding ", a.padding);
  CHECK(kernels::antialiased_avg_pool(a) == kernels::ok);
  CHECK(kernels::antialiased_avg_pool_dx(a) == kernels::ok);
  a.y = expected_y.data(), a.dx = expected_dx.data();
  kernels::reference::antialiased_avg_pool(a), kernels::reference::antialiased_avg_pool_dx(a);
  double const terms = 2.0 * a.kernel + 2;  // a row, then the rows; two taps are rounded
  CHECK(error(y, expected_y, terms) <= 1);
  CHECK(error(dx, expected_dx, terms) <= 1);
  // the adjoint: <A x, dy> = <x, A^T dy>, up to the rounding of each value of y and dx
  double left = 0, right = 0;
  for (size_t i = 0; i < y.size(); ++i) left += double(y[i]) * double(dy[i]);
  for (size_t i = 0; i < x.size(); ++i) right += double(x[i]) * double(dx[i]);
  CHECK(std::abs(left - right) <= double(x.size() + y.size()) * terms * std::numeric_limits<T>::epsilon());
}

/// The same with features in bf16: sums of what is in memory, in float, rounded once.
void check_bf16(AntialiasedAvgPool<float> a) {
  auto const x = random_values<bf16>(a.N * a.H * a.W * a.C, 1);
  auto const dy = random_values<bf16>(a.N * a.out(a.H) * a.out(a.W) * a.C, 2);
  auto const wide_x = to_float(x), wide_dy = to_float(dy);
  std::vector<bf16> y(dy.size(), bf16(NAN)), dx(x.size(), bf16(NAN));
  std::vector<float> expected_y(y.size()), expected_dx(x.size());
  AntialiasedAvgPool<bf16> b{.N = a.N, .H = a.H, .W = a.W, .C = a.C, .sigma = a.sigma, .kernel = a.kernel};
  b.stride = a.stride, b.padding = a.padding;
  b.x = x.data(), b.dy = dy.data(), b.y = y.data(), b.dx = dx.data();
  CHECK(kernels::antialiased_avg_pool(b) == kernels::ok);
  CHECK(kernels::antialiased_avg_pool_dx(b) == kernels::ok);
  a.x = wide_x.data(), a.dy = wide_dy.data(), a.y = expected_y.data(), a.dx = expected_dx.data();
  kernels::reference::antialiased_avg_pool(a), kernels::reference::antialiased_avg_pool_dx(a);
  CHECK(error_of_bf16(y, expected_y, 2.0 * a.kernel + 2) <= 1);
  CHECK(error_of_bf16(dx, expected_dx, 2.0 * a.kernel + 2) <= 1);
}

template <class T> void check_all() {
  check<T>({.N = 2, .H = 7, .W = 5, .C = 3});
  check<T>({.N = 1, .H = 1, .W = 1, .C = 1});
  check<T>({.N = 1, .H = 9, .W = 11, .C = 16, .sigma = 1.2, .kernel = 3, .stride = 3, .padding = 0});
  check<T>({.N = 1, .H = 6, .W = 6, .C = 33, .kernel = 1, .stride = 2, .padding = 0});
  check<T>({.N = 1, .H = 4, .W = 5, .C = 2, .kernel = 7, .stride = 1, .padding = 3});
}

}  // namespace

TEST_CASE("cuda antialiased_avg_pool: shapes, strides, kernels, and the adjoint") {
  check_all<float>();
  check_all<double>();
  check_bf16({.N = 2, .H = 7, .W = 5, .C = 3});
  check_bf16({.N = 1, .H = 9, .W = 11, .C = 16, .sigma = 1.2, .kernel = 3, .stride = 3, .padding = 0});
}

TEST_CASE("cuda antialiased_avg_pool: every order of the threads; longer filters are unsupported") {
  in_every_order([] { check<float>({.N = 2, .H = 7, .W = 5, .C = 3}); });
  AntialiasedAvgPool<float> const long_filter{.H = 80, .W = 80, .kernel = 65, .padding = 0};
  CHECK(kernels::antialiased_avg_pool(long_filter) == kernels::unsupported);
  CHECK(kernels::antialiased_avg_pool_dx(long_filter) == kernels::unsupported);
}
