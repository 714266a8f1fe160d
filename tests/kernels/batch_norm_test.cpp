// Batch normalisation: the fast kernel against the reference on shapes with many blocks, and its laws.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <d16/core/random.hpp>
#include <d16/kernels/cpu/batch_norm.hpp>
#include <d16/kernels/reference/batch_norm.hpp>

using namespace d16;
using kernels::BatchNorm;

namespace {

/// Everything that one call of the three kernels reads and writes.
template <class T> struct Norm {
  std::vector<T> x, dy, weight, bias, running_mean, running_var, y, dx, dw, db;
  std::vector<double> mean, inv_std;
  std::vector<char> work;
  BatchNorm<T> a;

  Norm(int64_t rows, int C, int G, bool training, double offset) {
    Random random(7);
    size_t n = size_t(rows) * C * G;
    for (std::vector<T>* v : {&x, &dy, &y, &dx}) v->resize(n);
    for (std::vector<T>* v : {&weight, &bias, &running_mean, &running_var, &dw, &db}) v->resize(size_t(C));
    mean.resize(size_t(C)), inv_std.resize(size_t(C));
    for (size_t i = 0; i < n; ++i) x[i] = T(random.normal() + offset), dy[i] = T(random.uniform(-1, 1));
    for (int c = 0; c < C; ++c) {
      weight[c] = T(random.uniform(0.5, 2)), bias[c] = T(random.uniform(-1, 1));
      running_mean[c] = T(random.uniform(-1, 1) + offset), running_var[c] = T(random.uniform(0.5, 2));
    }
    a = {.rows = rows, .C = C, .G = G, .training = training};
    a.x = x.data(), a.weight = weight.data(), a.bias = bias.data(), a.dy = dy.data();
    a.running_mean = running_mean.data(), a.running_var = running_var.data();
    a.mean = mean.data(), a.inv_std = inv_std.data();
    a.y = y.data(), a.dx = dx.data(), a.dw = dw.data(), a.db = db.data();
  }
  void run_cpu() {
    work.resize(kernels::cpu::batch_norm_work_bytes(a));
    a.work = work.data();
    CHECK(kernels::cpu::batch_norm(a) == kernels::ok);
    CHECK(kernels::cpu::batch_norm_dw(a) == kernels::ok);
    CHECK(kernels::cpu::batch_norm_dx(a) == kernels::ok);
  }
  void run_reference() {
    kernels::reference::batch_norm(a);
    kernels::reference::batch_norm_dw(a);
    kernels::reference::batch_norm_dx(a);
  }
};

template <class T> double largest(std::vector<T> const& v) {
  double most = 0;
  for (T value : v) most = std::max(most, std::abs(double(value)));
  return most;
}
template <class T> double difference(std::vector<T> const& a, std::vector<T> const& b) {
  double most = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    double d = std::abs(double(a[i]) - double(b[i]));
    most = d >= most ? d : std::isnan(d) ? INFINITY : most;
  }
  return most;
}

/// A lane adds at most 128 numbers before it goes into a double; the reference adds all in double.
template <class T> void compare(int64_t rows, int C, int G, bool training, double offset) {
  INFO("rows ", rows, " C ", C, " G ", G, " training ", training, " offset ", offset);
  Norm<T> fast(rows, C, G, training, offset), slow(rows, C, G, training, offset);
  fast.run_cpu();
  slow.run_reference();
  double epsilon = std::numeric_limits<T>::epsilon(), count = double(rows) * G;
  double relative = 128 * epsilon + count * std::numeric_limits<double>::epsilon();
  // in double the mean is a sum of count numbers near offset; in the running mean it is rounded to T
  double mean_error = relative + std::abs(offset) * count * std::numeric_limits<double>::epsilon();
  double slope = largest(slow.weight) * largest(slow.inv_std);
  CHECK_LE(difference(fast.mean, slow.mean), mean_error);
  CHECK_LE(difference(fast.running_mean, slow.running_mean), mean_error + (1 + std::abs(offset)) * 2 * epsilon);
  CHECK_LE(difference(fast.inv_std, slow.inv_std), relative * largest(slow.inv_std));
  CHECK_LE(difference(fast.running_var, slow.running_var), relative * largest(slow.running_var));
  CHECK_LE(difference(fast.y, slow.y), relative * largest(slow.y) + mean_error * slope);
  // dy <= 1, its mean, and xhat <= 5 times the mean of dy xhat may cancel
  CHECK_LE(difference(fast.dx, slow.dx), (7 * relative + mean_error) * slope);
  // sums over count products with |dy| <= 1 and |xhat| <= 5
  CHECK_LE(difference(fast.dw, slow.dw), (relative * 5 + mean_error * largest(slow.inv_std)) * count);
  CHECK_LE(difference(fast.db, slow.db), relative * count);
}

}  // namespace

TEST_CASE_TEMPLATE("batch_norm: fast against reference", T, float, double) {
  for (bool training : {true, false}) {
    compare<T>(2, 1, 1, training, 0);
    compare<T>(1, 3, 16, training, 0);
    compare<T>(7, 5, 1, training, 0);
    compare<T>(513, 1, 1, training, 0);       // one line and a bit
    compare<T>(61, 37, 16, training, 0);      // rows wider than a line
    compare<T>(20011, 3, 5, training, 0);     // many blocks, the last line shorter
    compare<T>(20011, 1, 3, training, 1000);  // a mean far from zero
    compare<T>(20011, 2, 1, training, 3e6);   // so far that float cannot hold the mean to a tenth of the spread
  }
}

TEST_CASE("batch_norm: more blocks than tasks") { compare<float>(150001, 3, 5, true, -30); }

TEST_CASE("batch_norm: without weight, bias and running statistics") {
  Norm<float> plain(11, 3, 4, true, 2), unit(11, 3, 4, true, 2);
  plain.a.weight = plain.a.bias = nullptr;
  plain.a.running_mean = plain.a.running_var = nullptr;
  std::fill(unit.weight.begin(), unit.weight.end(), 1.f);
  std::fill(unit.bias.begin(), unit.bias.end(), 0.f);
  plain.run_cpu();
  unit.run_cpu();
  CHECK(plain.y == unit.y);
  CHECK(plain.dx == unit.dx);
  for (auto run : {kernels::reference::batch_norm<float>, kernels::reference::batch_norm_dx<float>}) run(plain.a);
  CHECK_LE(difference(plain.y, unit.y), 128 * 1.2e-7 * largest(unit.y));
}

TEST_CASE("batch_norm: training makes mean and variance of every channel those of weight and bias") {
  Norm<double> n(101, 3, 8, true, 5);
  n.a.eps = 0;
  n.run_cpu();
  for (int c = 0; c < 3; ++c) {
    double sum = 0, squares = 0, gradient = 0, along = 0, count = 101 * 8;
    for (int r = 0; r < 101; ++r)
      for (int g = 0; g < 8; ++g) {
        size_t i = (size_t(r) * 3 + c) * 8 + g;
        sum += n.y[i] - n.bias[c];
        squares += (n.y[i] - n.bias[c]) * (n.y[i] - n.bias[c]);
        gradient += n.dx[i];
        along += n.dx[i] * n.x[i];
      }
    double rounding = count * 2.3e-16 * 10;
    CHECK(std::abs(sum) <= count * rounding);
    CHECK(std::abs(squares / count - n.weight[c] * n.weight[c]) <= 4 * rounding);
    CHECK(std::abs(gradient) <= count * rounding);   // y does not feel a shift of x
    CHECK(std::abs(along) <= count * rounding * 5);  // nor its scale
  }
}

TEST_CASE("batch_norm: the running variance is the unbiased one") {
  Norm<double> n(2, 1, 1, true, 0);
  n.x = {1, 4};
  n.running_mean = {0}, n.running_var = {0};
  n.a.momentum = 0.25;
  n.run_cpu();
  CHECK(n.running_mean[0] == doctest::Approx(0.25 * 2.5).epsilon(1e-15));
  CHECK(n.running_var[0] == doctest::Approx(0.25 * 4.5).epsilon(1e-15));
}
