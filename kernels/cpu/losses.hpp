// The losses: terms and gradients in SIMD, sums in double, pieces on different threads.
#pragma once
#include <algorithm>

#include "../losses.hpp"
#include "math.hpp"
#include "pointwise.hpp"
#include "sum.hpp"

namespace d16::kernels::cpu {

namespace detail {

/// value[i] of n elements and, unless null, the gradients dx[i] and dt[i] times scale. One loop for each: loops that
/// write a single array are the ones that the compiler vectorises.
template <class T> void loss_terms(LossOp op, T const* x, T const* t, int64_t n, T scale, T* value, T* dx, T* dt) {
#define D16_MAP(to, v)                                      \
  each<T>(                                                  \
      0, n, [=](int64_t i) __attribute__((always_inline)) { \
        [[maybe_unused]] T const s = x[i], u = t[i];        \
        to[i] = (v);                                        \
      })
#define D16_TERM(v, slope_x, slope_t)   \
  D16_MAP(value, v);                    \
  if (dx) D16_MAP(dx, scale*(slope_x)); \
  if (dt) D16_MAP(dt, scale*(slope_t)); \
  return
  switch (op) {
    case LossOp::bce:
      D16_TERM(-(u * math::log_above(s) + (1 - u) * math::log_above(1 - s)),
               (s - u) / math::larger(s * (1 - s), T(1e-12)), math::log_above(1 - s) - math::log_above(s));
    case LossOp::bce_with_logits: D16_TERM(math::softplus(s) - s * u, math::sigmoid(s) - u, -s);
    case LossOp::mse: D16_TERM((s - u) * (s - u), 2 * (s - u), 2 * (u - s));
    case LossOp::l1: D16_TERM(std::fabs(s - u), T(s > u) - T(s < u), T(s < u) - T(s > u));
    case LossOp::kl: D16_TERM(T(0.5) * (s * s + (math::exp(u) - 1 - u)), s, T(0.5) * (math::exp(u) - 1));
  }
#undef D16_TERM
#undef D16_MAP
}

constexpr int64_t loss_block = 1024;

}  // namespace detail

/// One double for each piece.
template <class T> size_t pair_loss_work_bytes(PairLoss<T> const& a) {
  return size_t(a.n / pointwise_grain + 1) * sizeof(double);
}

template <class T> int pair_loss(PairLoss<T> const& a) {
  double* partial = static_cast<double*>(a.work);
  parallel_chunks(a.n, pointwise_grain, [&](int64_t begin, int64_t end) {
    T value[detail::loss_block];
    double sum = 0;
    for (int64_t i = begin; i < end; i += detail::loss_block) {
      int64_t const n = std::min(detail::loss_block, end - i);
      detail::loss_terms(a.op, a.x + i, a.t + i, n, T(a.scale), value, a.dx ? a.dx + i : nullptr,
                         a.dt ? a.dt + i : nullptr);
      double total;
      detail::sum_piece(value, n, 1, 1, &total);
      sum += total;
    }
    partial[begin / pointwise_grain] = sum;
  });
  double sum = 0;
  for (int64_t i = 0; i * pointwise_grain < a.n; ++i) sum += partial[i];
  a.loss[0] = T(a.scale * sum);
  return ok;
}

/// One double for each sample.
template <class T> size_t cross_entropy_work_bytes(CrossEntropy<T> const& a) { return size_t(a.N) * sizeof(double); }

template <class T> int cross_entropy(CrossEntropy<T> const& a) {
  double* terms = static_cast<double*>(a.work);
  double const on = 1 - a.smoothing, off = a.smoothing / double(a.K);
  auto weight = [&](int64_t k) { return a.weight ? double(a.weight[k]) : 1.0; };
  double total = a.mean ? 0 : 1, all_weights = 0, loss = 0;
  for (int64_t n = 0; n < a.N; ++n) total += a.mean ? weight(a.target[n]) : 0;
  for (int64_t k = 0; k < a.K; ++k) all_weights += weight(k);
  parallel_chunks(a.N, grain_of(8 * a.K), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      T const* x = a.x + n * a.K;
      int64_t const target = a.target[n];
      double largest = x[0], exps = 0, weighted = 0;
      for (int64_t k = 1; k < a.K; ++k) largest = std::max(largest, double(x[k]));
      for (int64_t k = 0; k < a.K; ++k) exps += std::exp(double(x[k]) - largest);
      double const norm = largest + std::log(exps);
      if (off != 0)
        for (int64_t k = 0; k < a.K; ++k) weighted += weight(k) * (double(x[k]) - norm);
      terms[n] = -on * weight(target) * (double(x[target]) - norm) - off * weighted;
      if (!a.dx) continue;
      double const mass = on * weight(target) + off * all_weights;
      for (int64_t k = 0; k < a.K; ++k)
        a.dx[n * a.K + k] =
            T((mass * std::exp(double(x[k]) - norm) - off * weight(k) - (k == target ? on * weight(k) : 0)) / total);
    }
  });
  for (int64_t n = 0; n < a.N; ++n) loss += terms[n];
  a.loss[0] = T(loss / total);
  return ok;
}

/// One double for each sample.
template <class T> size_t focal_loss_work_bytes(FocalLoss<T> const& a) { return size_t(a.N) * sizeof(double); }

template <class T> int focal_loss(FocalLoss<T> const& a) {
  double* terms = static_cast<double*>(a.work);
  auto weight = [&](int64_t k) { return a.weight ? double(a.weight[k]) : 1.0; };
  double total = a.mean ? 0 : 1, loss = 0;
  for (int64_t n = 0; n < a.N; ++n) total += a.mean ? weight(a.target[n]) : 0;
  parallel_chunks(a.N, grain_of(8 * a.K), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      T const* x = a.x + n * a.K;
      int64_t const target = a.target[n];
      double largest = x[0], others = 0;
      for (int64_t k = 1; k < a.K; ++k) largest = std::max(largest, double(x[k]));
      for (int64_t k = 0; k < a.K; ++k) others += k == target ? 0 : std::exp(double(x[k]) - largest);
      double const exps = others + std::exp(double(x[target]) - largest), q = others / exps;
      // q is 1 - p; near p = 1 its logarithm must not be that of a rounded p
      double const log_p = q < 0.5 ? std::log1p(-q) : double(x[target]) - largest - std::log(exps);
      double const focus = std::pow(q, a.gamma), ratio = q > 0 ? log_p / q : -1;
      terms[n] = -weight(target) * focus * log_p;
      if (!a.dx) continue;
      double const slope = weight(target) / total * (a.gamma * (1 - q) * focus * ratio - focus);
      for (int64_t k = 0; k < a.K; ++k)
        a.dx[n * a.K + k] = T(slope * (k == target ? q : -std::exp(double(x[k]) - largest) / exps));
    }
  });
  for (int64_t n = 0; n < a.N; ++n) loss += terms[n];
  a.loss[0] = T(loss / total);
  return ok;
}

}  // namespace d16::kernels::cpu
