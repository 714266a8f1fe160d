// Pooling by blocks, group norm, gates of channels, losses and t-SNE, for tests/cuda/mutations.sh and races.sh.
#include <d16/kernels/cuda/adaptive_avg_pool2d.cuh>
#include <d16/kernels/cuda/dropout.cuh>
#include <d16/kernels/cuda/group_norm.cuh>
#include <d16/kernels/cuda/image_sums.cuh>
#include <d16/kernels/cuda/losses.cuh>
#include <d16/kernels/cuda/pad2d.cuh>
#include <d16/kernels/cuda/squeeze_excitation.cuh>
#include <d16/kernels/cuda/tsne.cuh>
#include <d16/kernels/cuda/upsample.cuh>
#include <d16/kernels/reference/adaptive_avg_pool2d.hpp>
#include <d16/kernels/reference/dropout.hpp>
#include <d16/kernels/reference/group_norm.hpp>
#include <d16/kernels/reference/image_sums.hpp>
#include <d16/kernels/reference/losses.hpp>
#include <d16/kernels/reference/pad2d.hpp>
#include <d16/kernels/reference/pool2d.hpp>
#include <d16/kernels/reference/reduce.hpp>
#include <d16/kernels/reference/squeeze_excitation.hpp>
#include <d16/kernels/reference/tsne.hpp>
#include <d16/kernels/reference/upsample.hpp>

#include "suite.hpp"

using namespace d16;
using namespace d16::mutants;
namespace reference = kernels::reference;

namespace {

/// Both passes of an op on an image, and of its reference; sums of a few dozen values of up to 4.
template <class A> void both(char const* name, A a, int64_t in, int64_t out, int (*forward)(A const&),
                             int (*backward)(A const&), int (*right)(A const&), int (*right_back)(A const&)) {
  auto const x = whole_numbers(in, 1), dy = whole_numbers(out, 2);
  auto y = unwritten(dy.size()), expected = y, dx = unwritten(x.size()), dx_expected = dx;
  a.x = x.data(), a.dy = dy.data();
  a.y = y.data(), a.dx = dx.data(), forward(a), backward(a);
  a.y = expected.data(), a.dx = dx_expected.data(), right(a), right_back(a);
  compare(name, y, expected, 1e-4), compare(name, dx, dx_expected, 1e-4);
}

void pool() {
  kernels::Pool2d<float> a;
  a.N = 1, a.H = 5, a.W = 6, a.C = 4, a.kernel_h = a.kernel_w = 3, a.padding_h = a.padding_w = 1;
  int64_t const in = 120, out = a.out_h() * a.out_w() * 4;
  both("max_pool2d", a, in, out, kernels::max_pool2d<float>, kernels::max_pool2d_dx<float>,
       reference::max_pool2d<float>, reference::max_pool2d_dx<float>);
  a.count_include_pad = false;
  both("avg_pool2d", a, in, out, kernels::avg_pool2d<float>, kernels::avg_pool2d_dx<float>,
       reference::avg_pool2d<float>, reference::avg_pool2d_dx<float>);
}

void large_window() {
  kernels::AdaptivePool2d<float> a;
  a.N = 1, a.H = 9, a.W = 10, a.C = 5, a.P = a.Q = 1;
  both("adaptive_avg_pool2d", a, 450, 5, kernels::adaptive_avg_pool2d<float>, kernels::adaptive_avg_pool2d_dx<float>,
       reference::adaptive_avg_pool2d<float>, reference::adaptive_avg_pool2d_dx<float>);
}

void borders() {
  kernels::Upsample<float> u;
  u.N = 1, u.H = 3, u.W = 4, u.C = 3, u.scale = 3, u.bilinear = true;
  both("upsample", u, 36, 324, kernels::upsample<float>, kernels::upsample_dx<float>, reference::upsample<float>,
       reference::upsample_dx<float>);
  kernels::Pad2d<float> p;
  p.N = 1, p.H = 3, p.W = 4, p.C = 3, p.top = 2, p.bottom = 1, p.left = 3, p.right = 2;
  for (auto mode : {kernels::PaddingMode::circular, kernels::PaddingMode::reflect}) {
    p.mode = mode;
    both("pad2d", p, 36, p.out_h() * p.out_w() * 3, kernels::pad2d<float>, kernels::pad2d_dx<float>,
         reference::pad2d<float>, reference::pad2d_dx<float>);
  }
}

void drop() {
  kernels::Dropout<float> a;
  a.n = 1022, a.seed = 3, a.stream = 5;
  auto const x = whole_numbers(a.n, 1);
  auto y = unwritten(x.size()), expected = y;
  a.x = x.data();
  a.y = y.data(), kernels::dropout(a);
  a.y = expected.data(), reference::dropout(a);
  compare("dropout", y, expected, 1e-5);
}

/// Two chunks of pixels, channels of which ten lie side by side.
void group_norm() {
  kernels::GroupNorm<float> a;
  a.N = 1, a.pixels = 270, a.C = 3, a.groups = 3;
  auto const x = whole_numbers(810, 1), dy = whole_numbers(810, 2), w = whole_numbers(3, 4);
  auto y = unwritten(810), dx = y, dw = unwritten(3), db = dw;
  std::vector<double> mean(3, NAN), inv_std = mean, sums(6, NAN);
  auto y_right = y, dx_right = y, dw_right = dw, db_right = dw;
  a.x = x.data(), a.dy = dy.data(), a.weight = w.data();
  a.mean = mean.data(), a.inv_std = inv_std.data(), a.sums = sums.data();
  a.y = y_right.data(), a.dx = dx_right.data(), a.dw = dw_right.data(), a.db = db_right.data();
  reference::group_norm(a), reference::group_norm_dw(a), reference::group_norm_dx(a);
  for (auto* statistic : {&mean, &inv_std, &sums}) statistic->assign(statistic->size(), NAN);
  a.y = y.data(), a.dx = dx.data(), a.dw = dw.data(), a.db = db.data();
  with_work(kernels::group_norm<float>, kernels::group_norm_work_bytes<float>, a);
  with_work(kernels::group_norm_dw<float>, kernels::group_norm_dw_work_bytes<float>, a);
  with_work(kernels::group_norm_dx<float>, kernels::group_norm_dx_work_bytes<float>, a);
  compare("group_norm", y, y_right, 1e-4), compare("group_norm_dx", dx, dx_right, 1e-4);
  compare("group_norm_dw", dw, dw_right, 1e-2), compare("group_norm_db", db, db_right, 1e-2);  // sums of some hundred
}

/// Weights and biases so small that no gate is 0 or 1; a residual and a ReLU; with a norm in front or without.
void gate(int64_t pixels, int C, bool norm = false) {
  kernels::SqueezeExcitation<float> a;
  a.N = 2, a.pixels = pixels, a.C = C, a.R = 3;
  auto small = [](int64_t n, int seed) {
    auto values = whole_numbers(n, seed);
    for (float& v : values) v *= 0.0625f;
    return values;
  };
  auto const x = whole_numbers(2 * pixels * C, 1), dy = whole_numbers(2 * pixels * C, 2), w1 = small(3 * C, 3),
             w2 = small(3 * C, 4), b1 = small(3, 5), b2 = small(C, 6), residual = small(2 * pixels * C, 7);
  auto y = unwritten(x.size()), dx = y, dresidual = y, dw1 = unwritten(w1.size()), dw2 = dw1, db1 = unwritten(3),
       db2 = unwritten(b2.size());
  auto y_right = y, dx_right = y, dresidual_right = y, dw1_right = dw1, dw2_right = dw1, db1_right = db1,
       db2_right = db2;
  std::vector<double> mean(size_t(2 * C), NAN), gates = mean, hidden(6, NAN);
  a.x = x.data(), a.dy = dy.data(), a.w1 = w1.data(), a.b1 = b1.data(), a.w2 = w2.data(), a.b2 = b2.data();
  a.mean = mean.data(), a.gate = gates.data(), a.hidden = hidden.data();
  a.residual = residual.data(), a.relu = true;
  auto const norm_weight = small(C, 8), norm_bias = small(C, 9);
  auto dnorm = unwritten(size_t(2 * C)), dnorm_right = dnorm;
  std::vector<double> sums(size_t(4 * C), NAN), norm_mean(size_t(C), 0.3), inv_std(size_t(C), 0.4);
  kernels::ImageSums<float> s{.N = 2, .pixels = pixels, .C = C, .x = x.data(), .sums = sums.data()};
  if (norm) {
    auto right = sums;
    with_work(kernels::image_sums<float>, kernels::image_sums_work_bytes<float>, s);
    s.sums = right.data(), reference::image_sums(s);
    compare("image_sums", sums, right);
    a.norm_training = true, a.norm_weight = norm_weight.data(), a.norm_bias = norm_bias.data(), a.sums = sums.data();
    a.norm_mean = norm_mean.data(), a.norm_inv_std = inv_std.data();
    a.dnorm_weight = dnorm_right.data(), a.dnorm_bias = a.dnorm_weight + C;
  }
  a.y = y_right.data(), a.dx = dx_right.data(), a.dresidual = dresidual_right.data();
  a.dw1 = dw1_right.data(), a.db1 = db1_right.data(), a.dw2 = dw2_right.data(), a.db2 = db2_right.data();
  reference::squeeze_excitation(a), reference::squeeze_excitation_dx(a);
  for (auto* inside : {&mean, &gates, &hidden}) inside->assign(inside->size(), NAN);
  a.y = y.data(), a.dx = dx.data(), a.dresidual = dresidual.data();
  a.dw1 = dw1.data(), a.db1 = db1.data(), a.dw2 = dw2.data(), a.db2 = db2.data();
  if (norm) a.dnorm_weight = dnorm.data(), a.dnorm_bias = a.dnorm_weight + C;
  with_work(kernels::squeeze_excitation<float>, kernels::squeeze_excitation_work_bytes<float>, a);
  with_work(kernels::squeeze_excitation_dx<float>, kernels::squeeze_excitation_dx_work_bytes<float>, a);
  // parts of sums of some thousand: seven digits of them
  compare("gate", y, y_right, 1e-4), compare("gate_dx", dx, dx_right, 1e-4);
  compare("gate_dresidual", dresidual, dresidual_right);
  compare("gate_dw1", dw1, dw1_right, 1e-2), compare("gate_dw2", dw2, dw2_right, 1e-2);
  compare("gate_db1", db1, db1_right, 1e-2), compare("gate_db2", db2, db2_right, 1e-2);
  compare("gate_dnorm", dnorm, dnorm_right, 1e-3);
}
void gate_of_block() { gate(30, 37); }
void gate_of_chunks() { gate(1030, 33); }
void gate_behind_norm() { gate(270, 5, true), gate(30, 36, true); }

void pairs() {
  kernels::PairLoss<float> a;
  a.op = kernels::LossOp::mse, a.n = 8195;
  auto const x = whole_numbers(a.n, 1), t = whole_numbers(a.n, 2);
  auto dx = unwritten(x.size()), dt = dx, dx_right = dx, dt_right = dx, loss = unwritten(1), right = loss;
  a.x = x.data(), a.t = t.data();
  a.loss = loss.data(), a.dx = dx.data(), a.dt = dt.data();
  with_work(kernels::pair_loss<float>, kernels::pair_loss_work_bytes<float>, a);
  a.loss = right.data(), a.dx = dx_right.data(), a.dt = dt_right.data(), reference::pair_loss(a);
  compare("pair_loss", loss, right), compare("pair_loss_dx", dx, dx_right), compare("pair_loss_dt", dt, dt_right);
}

void labels() {
  kernels::CrossEntropy<float> a;
  a.N = 300, a.K = 5, a.smoothing = 0.25;
  auto const x = whole_numbers(a.N * a.K, 1);
  std::vector<float> const weight{1, 2, 0.5, 4, 1};
  std::vector<int64_t> target;
  for (int64_t n = 0; n < a.N; ++n) target.push_back(n * 7 % a.K);
  auto dx = unwritten(x.size()), dx_right = dx, loss = unwritten(1), right = loss;
  a.x = x.data(), a.weight = weight.data(), a.target = target.data();
  a.loss = loss.data(), a.dx = dx.data();
  with_work(kernels::cross_entropy<float>, kernels::cross_entropy_work_bytes<float>, a);
  a.loss = right.data(), a.dx = dx_right.data(), reference::cross_entropy(a);
  compare("cross_entropy", loss, right, 1e-5), compare("cross_entropy_dx", dx, dx_right, 1e-7);
}

/// In two parts, whose results a second launch compares.
void maxima() {
  kernels::Reduce<float> a;
  a.outer = 1, a.reduced = 9000;
  auto const x = whole_numbers(a.reduced, 2);
  auto y = unwritten(1), expected = y;
  std::vector<int64_t> at(1, -1), at_expected = at;
  a.x = x.data();
  a.y = y.data(), a.at = at.data();
  with_work(kernels::max<float>, kernels::max_work_bytes<float>, a);
  a.y = expected.data(), a.at = at_expected.data(), reference::max(a);
  compare("max", y, expected), compare("its place", at, at_expected);
}

/// Four tiles, whose columns two blocks share, and a row of P longer than a warp; then a step.
void map() {
  kernels::TsneGradient<float> g;
  g.N = 780, g.exaggeration = 2, g.logs = true;
  std::vector<int64_t> start{0}, to;
  for (int64_t i = 0; i < g.N; ++i) {
    for (int64_t k = 1; k <= (i == 7 ? 40 : 3); ++k) to.push_back((i + k * k) % g.N);
    start.push_back(int64_t(to.size()));
  }
  std::vector<float> const p(to.size(), float(1 / double(to.size())));
  auto y = whole_numbers(2 * g.N, 1), y_right = y, update = whole_numbers(2 * g.N, 3), update_right = update;
  auto gradient = unwritten(y.size()), right = gradient;
  auto sums = unwritten<double>(2), sums_right = sums;
  g.start = start.data(), g.to = to.data(), g.p = p.data(), g.y = y.data();
  g.gradient = gradient.data(), g.sums = sums.data();
  with_work(kernels::tsne_gradient<float>, kernels::tsne_gradient_work_bytes<float>, g);
  g.gradient = right.data(), g.sums = sums_right.data(), reference::tsne_gradient(g);
  compare("tsne_gradient", gradient, right, 1e-6);      // some dozen roundings of numbers below 0.02
  compare("tsne_gradient: sums", sums, sums_right, 1);  // of 120,000 and 3, by tiles in float32
  std::vector<float> gain(y.size(), 1), gain_right = gain;
  kernels::TsneStep<float> s;
  s.N = g.N, s.rate = 100, s.longest = 4, s.gradient = right.data();
  s.y = y.data(), s.update = update.data(), s.gain = gain.data();
  with_work(kernels::tsne_step<float>, kernels::tsne_step_work_bytes<float>, s);
  s.y = y_right.data(), s.update = update_right.data(), s.gain = gain_right.data(), reference::tsne_step(s);
  compare("tsne_step: y", y, y_right, 1e-5), compare("tsne_step: update", update, update_right, 1e-5);
  compare("tsne_step: gain", gain, gain_right, 1e-6);
}

}  // namespace

int main(int count, char** words) {
  return run(count, words,
             {{"pool", pool},
              {"large_window", large_window},
              {"borders", borders},
              {"dropout", drop},
              {"group_norm", group_norm},
              {"gate_of_block", gate_of_block},
              {"gate_of_chunks", gate_of_chunks},
              {"gate_behind_norm", gate_behind_norm},
              {"pairs", pairs},
              {"labels", labels},
              {"maxima", maxima},
              {"map", map}});
}
