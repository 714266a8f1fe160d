// The losses in double precision: the specification.
#pragma once
#include <algorithm>
#include <cmath>

#include "../losses.hpp"

namespace d16::kernels::reference {

namespace detail {
struct LossTerm {
  double value, dx, dt;
};
inline LossTerm loss_term(LossOp op, double x, double t) {
  switch (op) {
    case LossOp::bce: {
      double log_x = std::max(std::log(x), -100.0), log_rest = std::max(std::log(1 - x), -100.0);
      return {-(t * log_x + (1 - t) * log_rest), (x - t) / std::max(x * (1 - x), 1e-12), log_rest - log_x};
    }
    case LossOp::bce_with_logits:
      return {std::max(x, 0.0) - x * t + std::log1p(std::exp(-std::abs(x))), 1 / (1 + std::exp(-x)) - t, -x};
    case LossOp::mse: return {(x - t) * (x - t), 2 * (x - t), 2 * (t - x)};
    case LossOp::l1: {
      double sign = (x > t) - (x < t);
      return {std::abs(x - t), sign, -sign};
    }
    case LossOp::kl: break;
  }
  return {-0.5 * (1 + t - x * x - std::exp(t)), x, 0.5 * std::expm1(t)};
}
}  // namespace detail

template <class T> int pair_loss(PairLoss<T> const& a) {
  double sum = 0;
  for (int64_t i = 0; i < a.n; ++i) {
    auto term = detail::loss_term(a.op, a.x[i], a.t[i]);
    sum += term.value;
    if (a.dx) a.dx[i] = T(a.scale * term.dx);
    if (a.dt) a.dt[i] = T(a.scale * term.dt);
  }
  a.loss[0] = T(a.scale * sum);
  return ok;
}

template <class T> int cross_entropy(CrossEntropy<T> const& a) {
  auto x = View(a.x, a.N, a.K);
  auto dx = View(a.dx, a.N, a.K);
  auto w = [&](int64_t k) { return a.weight ? double(a.weight[k]) : 1.0; };
  double const on = 1 - a.smoothing, off = a.smoothing / double(a.K);
  double total = 0, sum = 0;
  for (int64_t n = 0; n < a.N; ++n) total += a.mean ? w(a.target[n]) : 0;
  double const scale = a.mean ? 1 / total : 1;
  for (int64_t n = 0; n < a.N; ++n) {
    double largest = -INFINITY, exps = 0, mass = 0;
    for (int64_t k = 0; k < a.K; ++k) largest = std::max(largest, double(x(n, k)));
    for (int64_t k = 0; k < a.K; ++k) exps += std::exp(x(n, k) - largest);
    for (int64_t k = 0; k < a.K; ++k) {  // the term is -(sum over k of share[k] logp[k])
      double share = off * w(k) + (k == a.target[n] ? on * w(k) : 0);
      mass += share;
      if (share != 0) sum -= share * (x(n, k) - largest - std::log(exps));
    }
    for (int64_t k = 0; a.dx && k < a.K; ++k) {
      double share = off * w(k) + (k == a.target[n] ? on * w(k) : 0);
      dx(n, k) = T(scale * (mass * std::exp(x(n, k) - largest) / exps - share));
    }
  }
  a.loss[0] = T(scale * sum);
  return ok;
}

/// With q = 1 - p, added up from the other classes so that no digits cancel, d term / d x[k] is
/// w slope (1[k = t] - p[k]), slope = gamma p q^gamma (log p / q) - q^gamma. Where q is 0, log p / q has the limit -1.
template <class T> int focal_loss(FocalLoss<T> const& a) {
  auto x = View(a.x, a.N, a.K);
  auto dx = View(a.dx, a.N, a.K);
  auto w = [&](int64_t k) { return a.weight ? double(a.weight[k]) : 1.0; };
  double total = 0, sum = 0;
  for (int64_t n = 0; n < a.N; ++n) total += a.mean ? w(a.target[n]) : 0;
  double const scale = a.mean ? 1 / total : 1;
  for (int64_t n = 0; n < a.N; ++n) {
    int64_t const t = a.target[n];
    double largest = -INFINITY, exps = 0, q = 0;
    for (int64_t k = 0; k < a.K; ++k) largest = std::max(largest, double(x(n, k)));
    for (int64_t k = 0; k < a.K; ++k) exps += std::exp(x(n, k) - largest);
    for (int64_t k = 0; k < a.K; ++k) q += k == t ? 0 : std::exp(x(n, k) - largest) / exps;
    double const log_p = q < 0.5 ? std::log1p(-q) : x(n, t) - largest - std::log(exps);
    double const focus = std::pow(q, a.gamma), slope = a.gamma * (1 - q) * focus * (q > 0 ? log_p / q : -1) - focus;
    sum -= w(t) * focus * log_p;
    for (int64_t k = 0; a.dx && k < a.K; ++k)  // at k = t, 1 - p is q
      dx(n, k) = T(scale * w(t) * slope * (k == t ? q : -std::exp(x(n, k) - largest) / exps));
  }
  a.loss[0] = T(scale * sum);
  return ok;
}

}  // namespace d16::kernels::reference
