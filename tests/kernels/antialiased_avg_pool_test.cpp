// Antialiased pooling: fast against reference at odd shapes, adjointness, and what the Gaussian keeps.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <d16/core/random.hpp>
#include <d16/kernels/cpu/antialiased_avg_pool.hpp>
#include <d16/kernels/reference/antialiased_avg_pool.hpp>

using namespace d16;
using kernels::AntialiasedAvgPool;

namespace {

template <class T> std::vector<T> random_values(int64_t n, uint64_t seed) {
  Random random(seed);
  std::vector<T> values(static_cast<size_t>(n));
  for (T& v : values) v = T(random.uniform(-1, 1));
  return values;
}
template <class T> double difference(std::vector<T> const& a, std::vector<T> const& b) {
  double most = 0;
  for (size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(double(a[i]) - double(b[i])));
  return most;
}
template <class T> double dot(std::vector<T> const& a, std::vector<T> const& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += double(a[i]) * double(b[i]);
  return sum;
}

/// Runs both kernels, fast and reference, and holds the results against each other and against the adjoint law.
template <class T> void compare(AntialiasedAvgPool<T> a) {
  INFO("H ", a.H, " W ", a.W, " C ", a.C, " kernel ", a.kernel, " stride ", a.stride, " padding ", a.padding);
  int64_t in = a.N * a.H * a.W * a.C, out = a.N * a.out(a.H) * a.out(a.W) * a.C;
  auto x = random_values<T>(in, 1), dy = random_values<T>(out, 2);
  std::vector<T> y(dy.size()), y2(dy.size()), dx(x.size()), dx2(x.size());
  std::vector<char> work(kernels::cpu::antialiased_avg_pool_work_bytes(a));
  a.x = x.data(), a.dy = dy.data(), a.work = work.data();
  a.y = y.data(), a.dx = dx.data();
  CHECK(kernels::cpu::antialiased_avg_pool(a) == kernels::ok);
  CHECK(kernels::cpu::antialiased_avg_pool_dx(a) == kernels::ok);
  a.y = y2.data(), a.dx = dx2.data();
  kernels::reference::antialiased_avg_pool(a), kernels::reference::antialiased_avg_pool_dx(a);
  // two passes, each a weighted mean of values below 1 with weights rounded to T: kernel products and sums
  double epsilon = std::numeric_limits<T>::epsilon(), rounding = 2 * (a.kernel + 1) * epsilon;
  CHECK_LE(difference(y, y2), rounding);
  CHECK_LE(difference(dx, dx2), rounding);
  CHECK_LE(std::abs(dot(y, dy) - dot(x, dx)), rounding * double(in + out));
}

}  // namespace

TEST_CASE_TEMPLATE("antialiased_avg_pool: fast against reference", T, float, double) {
  compare<T>({.N = 1, .H = 1, .W = 1, .C = 1});
  compare<T>({.N = 2, .H = 9, .W = 7, .C = 19});
  compare<T>({.N = 1, .H = 5, .W = 13, .C = 600});
  compare<T>({.N = 3, .H = 31, .W = 2, .C = 3, .sigma = 2, .kernel = 7, .stride = 1, .padding = 3});
  compare<T>({.N = 1, .H = 8, .W = 11, .C = 16, .sigma = 0.5, .kernel = 4, .stride = 3, .padding = 0});
  // windows of padding only
  compare<T>({.N = 1, .H = 6, .W = 6, .C = 2, .sigma = 1, .kernel = 2, .stride = 5, .padding = 4});
}

TEST_CASE("antialiased_avg_pool: a constant stays constant away from the border") {
  std::vector<float> x(9 * 9, 3.f), y(5 * 5);
  AntialiasedAvgPool<float> a{.H = 9, .W = 9};
  std::vector<char> work(kernels::cpu::antialiased_avg_pool_work_bytes(a));
  a.x = x.data(), a.y = y.data(), a.work = work.data();
  kernels::cpu::antialiased_avg_pool(a);
  CHECK(y[12] == doctest::Approx(3).epsilon(12 * 1.2e-7));
  CHECK(y[0] < 2.9f);  // beyond the border are zeros
}

TEST_CASE("antialiased_avg_pool: the taps are a Gaussian with sum 1") {
  AntialiasedAvgPool<float> a{.sigma = 0.66, .kernel = 5};
  double sum = 0;
  for (int i = 0; i < 5; ++i) sum += a.tap(i);
  CHECK(sum == doctest::Approx(1).epsilon(1e-15));
  CHECK(a.tap(1) / a.tap(2) == doctest::Approx(std::exp(-0.5 / (0.66 * 0.66))).epsilon(1e-15));
  CHECK(a.tap(0) / a.tap(2) == doctest::Approx(std::exp(-2.0 / (0.66 * 0.66))).epsilon(1e-14));
  CHECK(a.tap(0) == a.tap(4));
}
