// Contracts of the losses. Value and gradients come from one pass over the inputs.
#pragma once
#include <cstddef>

#include "view.hpp"

namespace d16::kernels {

/// bce               -(t log x + (1 - t) log(1 - x)), logarithms not below -100
/// bce_with_logits   the same of x = sigmoid(logit)
/// mse               (x - t)^2
/// l1                |x - t|
/// kl                -(1 + t - x^2 - e^t) / 2: x is the mean, t the log-variance of a normal distribution
enum class LossOp { bce, bce_with_logits, mse, l1, kl };

/// loss[0] = scale * sum of the terms; dx = scale * d term / dx and dt = scale * d term / dt unless null.
template <class T> struct PairLoss {
  LossOp op{};
  int64_t n = 0;
  double scale = 1;
  T const *x{}, *t{};
  T *loss{}, *dx{}, *dt{};
  void* work{};
};

/// Cross-entropy of (N, K) logits with labels. With weight w (all 1 if null) and smoothing s,
/// term[n] = -(1 - s) w[t] logp[t] - s / K sum over k of w[k] logp[k], t = target[n];
/// loss = sum of term / W with W = sum of w[target] if mean, 1 otherwise; dx = d loss / d x unless null.
/// The caller has checked that 0 <= target < K; CUDA kernels make loss and row of dx NaN where it is not.
template <class T> struct CrossEntropy {
  int64_t N = 0, K = 0;
  double smoothing = 0;
  bool mean = true;
  T const *x{}, *weight{};
  int64_t const* target{};
  T *loss{}, *dx{};
  void* work{};
};

/// Focal loss of (N, K) logits with labels: with p the softmax of the label's class t and weight w (all 1 if null),
/// term[n] = -w[t] (1 - p)^gamma log p; loss, W and dx as above.
template <class T> struct FocalLoss {
  int64_t N = 0, K = 0;
  double gamma = 2;
  bool mean = true;
  T const *x{}, *weight{};
  int64_t const* target{};
  T *loss{}, *dx{};
  void* work{};
};

}  // namespace d16::kernels
