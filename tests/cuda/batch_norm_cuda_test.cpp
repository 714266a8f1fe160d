// Batch normalisation for GPUs, run by the emulator: inference and training, forward and backward, against the
// reference.
#include <doctest/doctest.h>

#include <d16/kernels/cuda/batch_norm.cuh>
#include <d16/kernels/reference/batch_norm.hpp>

#include "dense.hpp"

using namespace d16;
using namespace d16::testing;
using kernels::BatchNorm;
using kernels::Wide;

namespace {

struct Options {
  bool training = true, relu = false, affine = true, known = false;
  double from_zero = 0;  ///< all of x is that much larger
};

template <class T> struct Case {
  BatchNorm<T> a;
  std::vector<T> x, dy, y, dx;
  std::vector<Wide<T>> w, b, running_mean, running_var, dw, db;
  std::vector<double> mean, inv_std, moments;

  Case(int64_t rows, int C, int G, Options o) {
    a.rows = rows, a.C = C, a.G = G, a.training = o.training, a.relu = o.relu;
    auto const c = size_t(C);
    x = random_values<T>(rows * C * G, 1), dy = random_values<T>(rows * C * G, 2);
    w = random_values<Wide<T>>(C, 3), b = random_values<Wide<T>>(C, 4), running_mean = random_values<Wide<T>>(C, 5);
    for (T& v : x) v = T(v + Wide<T>(o.from_zero));
    for (Wide<T>& v : running_mean) v += Wide<T>(o.from_zero);
    running_var.assign(c, Wide<T>(0.3)), y.assign(x.size(), T(NAN)), dx = y, dw.assign(c, NAN), db = dw;
    mean.assign(c, NAN), inv_std = mean;
    for (size_t i = 0; i < 2 * c; ++i) moments.push_back(i < c ? o.from_zero + 0.01 * double(i) : 0.4);
    a.x = x.data(), a.dy = dy.data(), a.y = y.data(), a.dx = dx.data(), a.dw = dw.data(), a.db = db.data();
    if (o.affine) a.weight = w.data(), a.bias = b.data();
    a.running_mean = running_mean.data(), a.running_var = running_var.data();
    a.mean = mean.data(), a.inv_std = inv_std.data(), a.moments = o.known ? moments.data() : nullptr;
  }
};

template <class T> void check(int64_t rows, int C, int G, Options o) {
  Case<T> got(rows, C, G, o), expected(rows, C, G, o);
  INFO("rows ", rows, " C ", C, " G ", G, " training ", o.training, " relu ", o.relu, " from zero ", o.from_zero);
  Work work(kernels::batch_norm_work_bytes(got.a));
  got.a.work = work.data();
  CHECK(kernels::batch_norm(got.a) == kernels::ok);
  CHECK(kernels::batch_norm_dw(got.a) == kernels::ok);
  kernels::reference::batch_norm(expected.a), kernels::reference::batch_norm_dw(expected.a);
  // statistics are sums in double; those of T carry its last rounding, and dw that of the normalised x in each term
  double const count = double(rows) * G, in_double = count * 2.3e-16 * (1 + std::abs(o.from_zero));
  for (size_t c = 0; c < size_t(C); ++c) {
    CHECK(std::abs(got.mean[c] - expected.mean[c]) <= in_double);
    CHECK(std::abs(got.inv_std[c] - expected.inv_std[c]) <= in_double * std::pow(expected.inv_std[c], 3));
  }
  CHECK(error(got.running_mean, expected.running_mean, 2) <= 1);
  CHECK(error(got.running_var, expected.running_var, 2) <= 1);
  CHECK(error(got.y, expected.y, 6) <= 1);  // two differences, two products, a sum, 1 / std
  CHECK(error(got.dw, expected.dw, 6 * std::sqrt(count)) <= 1);
  CHECK(error(got.db, expected.db, 1 + terms_in_double<T>(count)) <= 1);
  got.db = expected.db, got.dw = expected.dw;
  got.a.dw = got.dw.data(), got.a.db = got.db.data();
  CHECK(kernels::batch_norm_dx(got.a) == kernels::ok);
  kernels::reference::batch_norm_dx(expected.a);
  CHECK(error(got.dx, expected.dx, 10) <= 1);
}

}  // namespace

TEST_CASE("cuda batch_norm: training and inference, with and without group, ReLU, weights and known moments") {
  for (bool training : {true, false})
    for (bool relu : {true, false}) {
      check<float>(37, 5, 16, {.training = training, .relu = relu});
      check<float>(600, 3, 8, {.training = training, .relu = relu, .affine = false});
      check<double>(1100, 33, 1, {.training = training, .relu = relu});
      check<double>(2, 1, 1, {.training = training, .relu = relu});
      check<float>(40, 3, 4, {.training = training, .relu = relu, .known = true});
    }
}

TEST_CASE("cuda batch_norm: x in bf16, everything that is small in float32") {
  for (bool training : {true, false})
    for (bool relu : {true, false}) {
      Options const o{.training = training, .relu = relu};
      Case<bf16> got(600, 5, 16, o);
      Case<float> expected(600, 5, 16, o);  // of what is in memory
      expected.x = to_float(got.x), expected.dy = to_float(got.dy);
      expected.a.x = expected.x.data(), expected.a.dy = expected.dy.data();
      Work work(kernels::batch_norm_work_bytes(got.a));
      got.a.work = work.data();
      CHECK(kernels::batch_norm(got.a) == kernels::ok);
      CHECK(kernels::batch_norm_dw(got.a) == kernels::ok);
      kernels::reference::batch_norm(expected.a), kernels::reference::batch_norm_dw(expected.a);
      double const count = 600 * 16;
      CHECK(std::abs(got.mean[4] - expected.mean[4]) <= count * 2.3e-16);
      CHECK(error(got.running_mean, expected.running_mean, 2) <= 1);
      CHECK(error(got.running_var, expected.running_var, 2) <= 1);
      CHECK(error_of_bf16(got.y, expected.y, 6) <= 1);
      CHECK(error(got.dw, expected.dw, 6 * std::sqrt(count)) <= 1);
      CHECK(error(got.db, expected.db, 1 + terms_in_double<float>(count)) <= 1);
      CHECK(kernels::batch_norm_dx(got.a) == kernels::ok);
      kernels::reference::batch_norm_dx(expected.a);
      CHECK(error_of_bf16(got.dx, expected.dx, 20) <= 1);  // with dw and db of its own: twice the roundings
    }
}

TEST_CASE("cuda batch_norm: from the sums of each image") {
  for (bool relu : {true, false}) {
    Case<float> got(45, 35, 1, {.relu = relu}), expected(45, 35, 1, {.relu = relu});
    std::vector<double> sums(3 * 35 * 2, 0);
    for (size_t i = 0; i < got.x.size(); ++i) {
      double const value = got.x[i];
      double* const of = &sums[(i / (15 * 35) * 35 + i % 35) * 2];
      of[0] += value, of[1] += value * value;
    }
    got.a.sums = sums.data(), got.a.images = 3;
    Work work(kernels::batch_norm_work_bytes(got.a));
    got.a.work = work.data();
    CHECK(kernels::batch_norm(got.a) == kernels::ok);
    kernels::reference::batch_norm(expected.a);
    CHECK(error(got.mean, expected.mean, 45) <= 1);
    CHECK(error(got.inv_std, expected.inv_std, 90) <= 1);
    CHECK(error(got.running_var, expected.running_var, 2) <= 1);
    CHECK(error(got.y, expected.y, 6) <= 1);
  }
}

TEST_CASE("cuda batch_norm: far from zero") {
  check<float>(512, 3, 8, {.from_zero = 1000});
  check<float>(100, 2, 16, {.relu = true, .from_zero = -300});
}

TEST_CASE("cuda batch_norm: statistics alone, in place, without elements") {
  Case<float> got(50, 3, 4, {}), expected(50, 3, 4, {});
  Work work(kernels::batch_norm_work_bytes(got.a));
  got.a.work = work.data(), got.a.y = nullptr, expected.a.y = nullptr;
  CHECK(kernels::batch_norm(got.a) == kernels::ok);
  kernels::reference::batch_norm(expected.a);
  CHECK(std::abs(got.mean[1] - expected.mean[1]) <= 200 * 2.3e-16);
  CHECK(std::isnan(got.y[0]));
  kernels::batch_norm_dw(got.a), kernels::batch_norm_dx(got.a);
  auto const apart = got.dx;
  got.a.dx = got.dy.data();
  CHECK(kernels::batch_norm_dx(got.a) == kernels::ok);
  CHECK(got.dy == apart);
  BatchNorm<float> const none{.rows = 0, .C = 0};
  CHECK(kernels::batch_norm_apply(none) == kernels::ok);
}

TEST_CASE("cuda batch_norm: every order of the threads") {
  in_every_order([] { check<float>(530, 5, 8, {.relu = true}); });
}
