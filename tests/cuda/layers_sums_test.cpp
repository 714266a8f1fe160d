// The CUDA kernels of layers that sum over samples or pixels, run by the emulator, against the reference: one chunk and
// many, few channels side by side, one launch and several, labels that are no class.
#include <doctest/doctest.h>

#include <d16/kernels/cuda/group_norm.cuh>
#include <d16/kernels/cuda/image_sums.cuh>
#include <d16/kernels/cuda/losses.cuh>
#include <d16/kernels/cuda/squeeze_excitation.cuh>
#include <d16/kernels/reference/group_norm.hpp>
#include <d16/kernels/reference/image_sums.hpp>
#include <d16/kernels/reference/losses.hpp>
#include <d16/kernels/reference/squeeze_excitation.hpp>

#include "dense.hpp"

using namespace d16;
using namespace d16::testing;
namespace reference = kernels::reference;
using kernels::LossOp;

namespace {

// ---- group norm ----

template <class T> struct Norm {
  kernels::GroupNorm<T> a;
  std::vector<T> x, dy, w, b, y, dx, dw, db;
  std::vector<double> mean, inv_std, sums;

  Norm(int64_t N, int64_t pixels, int C, int groups, double from_zero) {
    a.N = N, a.pixels = pixels, a.C = C, a.groups = groups;
    x = random_values<T>(N * pixels * C, 1), dy = random_values<T>(N * pixels * C, 2);
    for (T& value : x) value += T(from_zero);
    w = random_values<T>(C, 3), b = random_values<T>(C, 4);
    y.assign(x.size(), T(NAN)), dx = y, dw.assign(size_t(C), T(NAN)), db = dw;
    mean.assign(size_t(N * groups), NAN), inv_std = mean, sums.assign(size_t(2 * N * C), NAN);
    a.x = x.data(), a.dy = dy.data(), a.y = y.data(), a.dx = dx.data(), a.dw = dw.data(), a.db = db.data();
    a.mean = mean.data(), a.inv_std = inv_std.data(), a.sums = sums.data();
    if (from_zero == 0) a.weight = w.data(), a.bias = b.data();
  }
};
template <class T> void check_norm(int64_t N, int64_t pixels, int C, int groups, double from_zero = 0) {
  INFO("N ", N, " pixels ", pixels, " C ", C, " groups ", groups, " from zero ", from_zero);
  Norm<T> got(N, pixels, C, groups, from_zero), expected(N, pixels, C, groups, from_zero);
  auto run = [&](auto kernel, size_t bytes) {
    Work work(bytes);
    got.a.work = work.data();
    CHECK(kernel(got.a) == kernels::ok);
  };
  run(kernels::group_norm<T>, kernels::group_norm_work_bytes(got.a));
  run(kernels::group_norm_dw<T>, kernels::group_norm_dw_work_bytes(got.a));
  run(kernels::group_norm_dx<T>, kernels::group_norm_dx_work_bytes(got.a));
  reference::group_norm(expected.a), reference::group_norm_dw(expected.a), reference::group_norm_dx(expected.a);
  double const count = double(pixels) * C / groups;
  CHECK(error(got.mean, expected.mean, count) <= 1);
  CHECK(error(got.inv_std, expected.inv_std, count * (1 + std::abs(from_zero))) <= 1);
  CHECK(error(got.sums, expected.sums, count * (1 + std::abs(from_zero))) <= 1);
  // a difference, a product, a sum, each parameter rounded once; in double also the sums, and the digits that a mean far
  // from zero leaves
  double const sums = terms_in_double<T>(count * (1 + std::abs(from_zero)));
  CHECK(error(got.y, expected.y, 6 + sums) <= 1);
  CHECK(error(got.dx, expected.dx, 10 + sums) <= 1);
  CHECK(error(got.dw, expected.dw, 1 + terms_in_double<T>(double(N * pixels) * (1 + std::abs(from_zero)))) <= 1);
  CHECK(error(got.db, expected.db, 1 + terms_in_double<T>(double(N * pixels))) <= 1);
}

// ---- squeeze and excitation ----

struct Ending {
  bool residual = false, relu = false, norm = false, training = false;
};
template <class T> struct Gate {
  using W = kernels::Wide<T>;
  kernels::SqueezeExcitation<T> a;
  std::vector<T> x, residual, dy, y, dx, dresidual;
  std::vector<W> w1, b1, w2, b2, dw1, db1, dw2, db2, norm_weight, norm_bias, dnorm_weight, dnorm_bias;
  std::vector<double> mean, hidden, gate, sums, norm_mean, norm_inv_std;

  Gate(int64_t N, int64_t pixels, int C, int R, bool bias, Ending ending) {
    a.N = N, a.pixels = pixels, a.C = C, a.R = R;
    x = random_values<T>(N * pixels * C, 1), dy = random_values<T>(N * pixels * C, 2);
    w1 = random_values<W>(int64_t(R) * C, 3), w2 = random_values<W>(int64_t(R) * C, 4);
    b1 = random_values<W>(R, 5), b2 = random_values<W>(C, 6);
    for (W& value : b1) value = W(0.2) + std::abs(value);  // some hidden values beyond the ReLU
    residual = random_values<T>(N * pixels * C, 7);
    y.assign(x.size(), T(NAN)), dx = dresidual = y, dw1.assign(w1.size(), W(NAN)), dw2 = dw1;
    db1.assign(size_t(R), W(NAN)), db2.assign(size_t(C), W(NAN));
    mean.assign(size_t(N * C), NAN), gate = mean, hidden.assign(size_t(N * R), NAN);
    norm_weight = random_values<W>(C, 8), norm_bias = random_values<W>(C, 9);
    dnorm_weight = dnorm_bias = db2, norm_mean.assign(size_t(C), 0.1), norm_inv_std.assign(size_t(C), 1.7);
    if (bias) a.b1 = b1.data(), a.b2 = b2.data();
    if (ending.residual) a.residual = residual.data(), a.dresidual = dresidual.data();
    a.relu = ending.relu, a.norm_training = ending.training;
    a.dy = dy.data(), a.w1 = w1.data(), a.w2 = w2.data(), a.y = y.data(), a.dx = dx.data();
    a.dw1 = dw1.data(), a.db1 = db1.data(), a.dw2 = dw2.data(), a.db2 = db2.data();
    a.mean = mean.data(), a.hidden = hidden.data(), a.gate = gate.data();
    if (ending.norm) {
      a.norm_mean = norm_mean.data(), a.norm_inv_std = norm_inv_std.data();
      a.dnorm_weight = dnorm_weight.data(), a.dnorm_bias = dnorm_bias.data();
      if (bias) a.norm_weight = norm_weight.data(), a.norm_bias = norm_bias.data();
    }
    of_x(ending.norm);
  }
  /// To be called where x has changed.
  void of_x(bool known) {
    a.x = x.data(), sums.assign(mean.size() * 2, NAN);
    if (known) a.sums = sums.data();
    reference::image_sums(kernels::ImageSums<T>{.N = a.N, .pixels = a.pixels, .C = a.C, .x = a.x, .sums = sums.data()});
  }
  template <class Kernel> void run(Kernel kernel, size_t bytes) {
    Work work(bytes);
    a.work = work.data();
    CHECK(kernel(a) == kernels::ok);
  }
  void run() {
    run(kernels::squeeze_excitation<T>, kernels::squeeze_excitation_work_bytes(a));
    run(kernels::squeeze_excitation_dx<T>, kernels::squeeze_excitation_dx_work_bytes(a));
  }
};
template <class T> void check_gate(int64_t N, int64_t pixels, int C, int R, bool bias = true, Ending ending = {}) {
  INFO("N ", N, " pixels ", pixels, " C ", C, " R ", R, " residual ", ending.residual, " ReLU ", ending.relu, " norm ",
       ending.norm, " training ", ending.training);
  Gate<T> got(N, pixels, C, R, bias, ending), expected(N, pixels, C, R, bias, ending);
  got.run();
  reference::squeeze_excitation(expected.a), reference::squeeze_excitation_dx(expected.a);
  double const inside = double(pixels + C + R + N);  // the longest chain of additions, in double
  CHECK(error(got.mean, expected.mean, inside) <= 1);
  CHECK(error(got.hidden, expected.hidden, inside) <= 1);
  CHECK(error(got.gate, expected.gate, inside) <= 1);
  // with a norm three more roundings on the way there and six back, and its own gradients' in dx
  double const terms = (ending.norm ? 12 : 3) + terms_in_double<T>(inside);
  CHECK(error(got.y, expected.y, terms) <= 1);
  CHECK(error(got.dx, expected.dx, terms) <= 1);
  if (ending.residual && ending.relu) CHECK(error(got.dresidual, expected.dresidual, terms) <= 1);
  CHECK(error(got.dw1, expected.dw1, terms) <= 1);
  CHECK(error(got.dw2, expected.dw2, terms) <= 1);
  CHECK(error(got.db1, expected.db1, terms) <= 1);
  CHECK(error(got.db2, expected.db2, terms) <= 1);
  if (!ending.norm) return;
  CHECK(error(got.dnorm_weight, expected.dnorm_weight, terms + terms_in_double<T>(inside * double(N))) <= 1);
  CHECK(error(got.dnorm_bias, expected.dnorm_bias, terms + terms_in_double<T>(inside * double(N))) <= 1);
}
/// Features in bfloat16 against the reference of float32 on the same numbers; y, and with it what the ReLU has cut off, is
/// the kernel's.
void check_gate_of_bf16(int64_t N, int64_t pixels, int C, int R, Ending ending) {
  INFO("bf16, N ", N, " pixels ", pixels, " C ", C, " R ", R, " norm ", ending.norm);
  Gate<bf16> got(N, pixels, C, R, true, ending);
  Gate<float> expected(N, pixels, C, R, true, ending);
  auto same = [](std::vector<bf16> const& from, std::vector<float>& to) {
    std::copy(from.begin(), from.end(), to.begin());
  };
  same(got.x, expected.x), same(got.dy, expected.dy), same(got.residual, expected.residual);
  expected.of_x(ending.norm);
  got.run();
  reference::squeeze_excitation(expected.a);
  CHECK(error_of_bf16(got.y, expected.y, 12) <= 1);
  same(got.y, expected.y), reference::squeeze_excitation_dx(expected.a);
  CHECK(error_of_bf16(got.dx, expected.dx, 16) <= 1);
  if (ending.residual) CHECK(to_float(got.dresidual) == expected.dresidual);
  CHECK(error(got.dw1, expected.dw1, 4) <= 1);
  CHECK(error(got.dw2, expected.dw2, 4) <= 1);
  CHECK(error(got.db2, expected.db2, 4) <= 1);
  if (ending.norm) CHECK(error(got.dnorm_weight, expected.dnorm_weight, 4) <= 1);
}
template <class T> void check_image_sums(int64_t N, int64_t pixels, int C) {
  INFO("N ", N, " pixels ", pixels, " C ", C);
  auto const x = random_values<T>(N * pixels * C, 1);
  std::vector<double> got(size_t(2 * N * C), NAN), expected = got;
  kernels::ImageSums<T> a{.N = N, .pixels = pixels, .C = C, .x = x.data(), .sums = got.data()};
  Work work(kernels::image_sums_work_bytes(a));
  a.work = work.data();
  CHECK(kernels::image_sums(a) == kernels::ok);
  a.sums = expected.data(), reference::image_sums(a);
  CHECK(error(got, expected, double(pixels)) <= 1);
}

// ---- losses ----

template <class T> void check_pair(LossOp op, int64_t n, int64_t shift, bool gradients) {
  INFO("op ", int(op), " n ", n, " shift ", shift);
  kernels::PairLoss<T> a;
  a.op = op, a.n = n, a.scale = 1 / double(n);
  std::vector<T> x = random_values<T>(n + shift, 1), t = random_values<T>(n + shift, 2);
  if (op == LossOp::bce)
    for (std::vector<T>* v : {&x, &t})
      for (T& value : *v) value = T(0.5) + T(0.4) * value;
  std::vector<T> dx(x.size(), T(0)), dt = dx, dx_right = dx, dt_right = dx, loss(1, T(NAN)), right = loss;
  Work work(kernels::pair_loss_work_bytes(a));
  a.x = x.data() + shift, a.t = t.data() + shift, a.work = work.data();
  a.loss = loss.data();
  if (gradients) a.dx = dx.data() + shift, a.dt = dt.data() + shift;
  CHECK(kernels::pair_loss(a) == kernels::ok);
  a.loss = right.data();
  if (gradients) a.dx = dx_right.data() + shift, a.dt = dt_right.data() + shift;
  reference::pair_loss(a);
  // a term has up to eight roundings, all of its size or that of the logarithms that it is made of; sums are in double
  CHECK(error(loss, right, 16 + terms_in_double<T>(double(n))) <= 1);
  CHECK(error(dx, dx_right, 8) <= 1);
  CHECK(error(dt, dt_right, 8) <= 1);
}

template <class T, class Args> struct Labels {
  Args a;
  std::vector<T> x, weight, dx, loss;
  std::vector<int64_t> target;

  Labels(int64_t N, int64_t K, bool weighted, bool mean) {
    x = random_values<T>(N * K, 1), weight = random_values<T>(K, 2);
    for (T& value : x) value *= 4;
    for (T& value : weight) value = T(1.5) + value;
    for (int64_t n = 0; n < N; ++n) target.push_back(n * 7 % K);
    dx.assign(x.size(), T(NAN)), loss.assign(1, T(NAN));
    a.N = N, a.K = K, a.mean = mean, a.x = x.data(), a.target = target.data(), a.loss = loss.data(), a.dx = dx.data();
    if (weighted) a.weight = weight.data();
  }
};
template <class T, class Args, class Kernel, class Right>
void check_labels(Labels<T, Args> got, Labels<T, Args> expected, size_t bytes, Kernel kernel, Right right) {
  Args& a = got.a;
  INFO("N ", a.N, " K ", a.K, " weights ", a.weight != nullptr, " mean ", a.mean);
  Work work(bytes);
  a.work = work.data(), a.dx = got.dx.data(), a.loss = got.loss.data();
  CHECK(kernel(a) == kernels::ok);
  expected.a.dx = expected.dx.data(), expected.a.loss = expected.loss.data();
  right(expected.a);
  double const terms = terms_in_double<T>(double(a.N * (a.K + 8)));
  CHECK(error(got.loss, expected.loss, terms) <= 1);
  CHECK(error(got.dx, expected.dx, terms) <= 1);
}
template <class T> void check_cross_entropy(int64_t N, int64_t K, bool weighted, bool mean, double smoothing) {
  using Args = kernels::CrossEntropy<T>;
  Labels<T, Args> got(N, K, weighted, mean), expected(N, K, weighted, mean);
  got.a.smoothing = expected.a.smoothing = smoothing;
  check_labels(got, expected, kernels::cross_entropy_work_bytes(got.a), kernels::cross_entropy<T>,
               reference::cross_entropy<T>);
}
template <class T> void check_focal(int64_t N, int64_t K, bool weighted, bool mean, double gamma) {
  using Args = kernels::FocalLoss<T>;
  Labels<T, Args> got(N, K, weighted, mean), expected(N, K, weighted, mean);
  got.a.gamma = expected.a.gamma = gamma;
  check_labels(got, expected, kernels::focal_loss_work_bytes(got.a), kernels::focal_loss<T>, reference::focal_loss<T>);
}

}  // namespace

TEST_CASE("cuda group_norm: one chunk and many, few channels and more than a block takes, far from zero") {
  check_norm<float>(2, 35, 6, 3);
  check_norm<float>(3, 600, 3, 1);
  check_norm<float>(1, 260, 70, 35);
  check_norm<float>(2, 300, 64, 8);
  check_norm<double>(2, 515, 10, 5);
  check_norm<double>(1, 2, 4, 1);
  check_norm<float>(5, 77, 33, 33, 100);
}

TEST_CASE("cuda group_norm: no samples") {
  Norm<float> none(0, 4, 3, 1, 0);
  Work work(kernels::group_norm_dw_work_bytes(none.a));
  none.a.work = work.data();
  CHECK(kernels::group_norm(none.a) == kernels::ok);
  CHECK(kernels::group_norm_dw(none.a) == kernels::ok);
  CHECK(none.dw == std::vector<float>(3, 0));
}

TEST_CASE("cuda squeeze_excitation: in one launch and in three") {
  check_gate<float>(2, 35, 8, 2);
  check_gate<float>(3, 12, 7, 3, false);
  check_gate<double>(2, 70, 600, 5);  // more channels than threads of a block
  check_gate<float>(2, 9, 1100, 40);
  check_gate<float>(1, 1, 1, 1);
  check_gate<float>(2, 1100, 31, 4);  // too large for one block
  check_gate<double>(1, 2100, 16, 3);
  for (Ending ending : {Ending{true, false}, Ending{false, true}, Ending{true, true}}) {
    check_gate<float>(2, 35, 8, 2, true, ending);
    check_gate<float>(2, 1100, 31, 4, true, ending);
    check_gate<double>(1, 2100, 16, 3, false, ending);
  }
}

TEST_CASE("cuda squeeze_excitation: behind a norm, in training and with running statistics") {
  for (bool training : {true, false})
    for (bool ends : {true, false}) {
      check_gate<float>(2, 35, 8, 2, true, {ends, ends, true, training});
      check_gate<float>(2, 1100, 31, 4, !ends, {ends, ends, true, training});
      check_gate<double>(3, 515, 12, 3, true, {ends, ends, true, training});
    }
}

TEST_CASE("cuda squeeze_excitation: features in bf16") {
  for (Ending ending : {Ending{}, Ending{true, true}, Ending{true, true, true, true}, Ending{false, false, true}}) {
    check_gate_of_bf16(2, 35, 16, 2, ending);  // packs
    check_gate_of_bf16(1, 1100, 33, 4, ending);
  }
}

TEST_CASE("cuda image_sums: one chunk and many, few channels and more than a block takes") {
  check_image_sums<float>(3, 35, 5);
  check_image_sums<double>(2, 600, 70);
  check_image_sums<bf16>(1, 257, 33);
}

TEST_CASE("cuda losses of pairs: one block and many, packs and rests") {
  for (LossOp op : {LossOp::bce, LossOp::bce_with_logits, LossOp::mse, LossOp::l1, LossOp::kl})
    for (int64_t shift : {0, 1}) {
      check_pair<float>(op, 37, shift, true);
      check_pair<double>(op, 8195, shift, true);
      check_pair<float>(op, 30001, shift, false);
    }
}

TEST_CASE("cuda losses of labels: few classes and many, weights, blocks") {
  for (bool weighted : {false, true})
    for (bool mean : {false, true}) {
      for (double smoothing : {0.0, 0.2}) {
        check_cross_entropy<float>(13, 5, weighted, mean, smoothing);
        check_cross_entropy<double>(700, 2, weighted, mean, smoothing);
        check_cross_entropy<float>(300, 67, weighted, mean, smoothing);
        check_cross_entropy<float>(3, 1, weighted, mean, smoothing);
      }
      check_focal<float>(13, 5, weighted, mean, 2);
      check_focal<double>(1500, 3, weighted, mean, 0.5);
      check_focal<float>(40, 33, weighted, mean, 0);
    }
}

TEST_CASE("cuda losses of labels: a label that is no class is NaN, in its own row") {
  for (int64_t label : {int64_t(-1), int64_t(5), int64_t(1) << 40}) {
    Labels<float, kernels::CrossEntropy<float>> l(4, 5, true, true);
    l.target[2] = label;
    Work work(kernels::cross_entropy_work_bytes(l.a));
    l.a.work = work.data();
    CHECK(kernels::cross_entropy(l.a) == kernels::ok);
    CHECK(std::isnan(l.loss[0]));
    for (size_t i = 0; i < l.dx.size(); ++i) CHECK(std::isnan(l.dx[i]) == (i / 5 == 2));
  }
}

TEST_CASE("cuda layers with sums: every order of the threads") {
  in_every_order([] {
    check_norm<float>(2, 300, 5, 5);
    check_gate<float>(2, 20, 40, 5);
    check_gate<float>(1, 1030, 33, 2, true, {true, true, true, true});
    check_cross_entropy<float>(200, 3, true, true, 0.1);
    check_pair<float>(LossOp::mse, 9000, 0, true);
  });
}
