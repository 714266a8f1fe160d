// Pooling over the group: ties, NaN, and the fast kernels against the reference at every order.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include <d16/core/random.hpp>
#include <d16/kernels/cpu/group_pool.hpp>
#include <d16/kernels/reference/group_pool.hpp>

using namespace d16;
using kernels::GroupPool;

namespace {

template <class T> bool same(std::vector<T> const& a, std::vector<T> const& b) {
  for (size_t i = 0; i < a.size(); ++i)
    if (!(a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i])))) return false;
  return a.size() == b.size();
}

}  // namespace

TEST_CASE_TEMPLATE("group_max_pool: the same bits as the reference, ties and NaN included", T, float, double) {
  for (int G : {1, 2, 4, 5, 8, 16, 31, 32, 64})
    for (int64_t rows : {1, 7, 9001}) {
      Random random(3);
      std::vector<T> x(size_t(rows * G)), dy(static_cast<size_t>(rows));
      for (T& v : x) v = T(random.integer(5) - 2);  // many ties
      for (T& v : dy) v = T(random.uniform(-1, 1));
      for (size_t i = 3; i < x.size(); i += 29) x[i] = std::numeric_limits<T>::quiet_NaN();
      for (size_t i = 5; i < x.size(); i += 31) x[i] = -std::numeric_limits<T>::infinity();
      std::vector<T> y(dy.size()), y2(dy.size()), dx(x.size()), dx2(x.size());
      GroupPool<T> fast{rows, G, x.data(), dy.data(), y.data(), dx.data()};
      GroupPool<T> slow{rows, G, x.data(), dy.data(), y2.data(), dx2.data()};
      kernels::cpu::group_max_pool(fast), kernels::cpu::group_max_pool_dx(fast);
      kernels::reference::group_max_pool(slow), kernels::reference::group_max_pool_dx(slow);
      CHECK(same(y, y2));
      CHECK(same(dx, dx2));
    }
}

TEST_CASE("group_max_pool: the gradient goes to the first maximum, a NaN is the maximum") {
  float nan = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> x{1, 3, 3, 2, 0, nan, 9, nan}, dy{5, 7}, y(2), dx(8);
  kernels::cpu::group_max_pool(GroupPool<float>{2, 4, x.data(), dy.data(), y.data(), dx.data()});
  kernels::cpu::group_max_pool_dx(GroupPool<float>{2, 4, x.data(), dy.data(), y.data(), dx.data()});
  CHECK(y[0] == 3);
  CHECK(std::isnan(y[1]));
  CHECK(dx == std::vector<float>{0, 5, 0, 0, 0, 7, 0, 0});
}

TEST_CASE_TEMPLATE("group_mean_pool: fast against reference", T, float, double) {
  for (int G : {1, 2, 4, 5, 8, 16, 31, 32, 64})
    for (int64_t rows : {1, 7, 9001}) {
      Random random(4);
      std::vector<T> x(size_t(rows * G)), dy(static_cast<size_t>(rows));
      for (T& v : x) v = T(random.uniform(-1, 1));
      for (T& v : dy) v = T(random.uniform(-1, 1));
      std::vector<T> y(dy.size()), y2(dy.size()), dx(x.size()), dx2(x.size());
      GroupPool<T> fast{rows, G, x.data(), dy.data(), y.data(), dx.data()};
      GroupPool<T> slow{rows, G, x.data(), dy.data(), y2.data(), dx2.data()};
      kernels::cpu::group_mean_pool(fast), kernels::cpu::group_mean_pool_dx(fast);
      kernels::reference::group_mean_pool(slow), kernels::reference::group_mean_pool_dx(slow);
      double worst = 0, worst_gradient = 0, epsilon = std::numeric_limits<T>::epsilon();
      for (size_t i = 0; i < y.size(); ++i) worst = std::max(worst, std::abs(double(y[i]) - double(y2[i])));
      for (size_t i = 0; i < dx.size(); ++i)
        worst_gradient = std::max(worst_gradient, std::abs(double(dx[i]) - double(dx2[i])));
      CHECK(worst <= (G + 1) * epsilon);  // G terms below 1, over G, and a division
      CHECK(worst_gradient <= epsilon / G);
    }
}
