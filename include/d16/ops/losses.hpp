// Losses: one number of shape (1) from predictions and targets.
#pragma once
#include "../kernels/cpu/losses.hpp"
#include "../kernels/reference/losses.hpp"
#include "arithmetic.hpp"

namespace d16 {

enum class Reduction { mean, sum };

struct CrossEntropyOptions {
  Tensor weight = {};  ///< (K): of each class
  double label_smoothing = 0;
  Reduction reduction = Reduction::mean;
};

struct FocalLossOptions {
  double gamma = 2;    ///< how much less a sample counts that is already right; 0: cross-entropy
  Tensor weight = {};  ///< (K): of each class, the paper's alpha
  Reduction reduction = Reduction::mean;
};

template <class T>
constinit Slot<kernels::PairLoss<T>> pair_loss_slot{"pair_loss",
                                                    {kernels::cpu::pair_loss<T>, kernels::cpu::pair_loss_work_bytes<T>},
                                                    {kernels::reference::pair_loss<T>},
                                                    {},
                                                    {}};
template <class T> constinit Slot<kernels::CrossEntropy<T>> cross_entropy_slot{
    "cross_entropy",
    {kernels::cpu::cross_entropy<T>, kernels::cpu::cross_entropy_work_bytes<T>},
    {kernels::reference::cross_entropy<T>},
    {},
    {}};
template <class T> constinit Slot<kernels::FocalLoss<T>> focal_loss_slot{
    "focal_loss",
    {kernels::cpu::focal_loss<T>, kernels::cpu::focal_loss_work_bytes<T>},
    {kernels::reference::focal_loss<T>},
    {},
    {}};

namespace detail {

inline bool wants_gradient(Tensor const& x) { return x.requires_grad() && !NoGrad::off(); }

/// Value and gradients in one pass; the way back only multiplies by dy.
inline Tensor pair_loss(char const* name, kernels::LossOp op, Tensor x, Tensor t, Reduction reduction) {
  require<ShapeError>(x.shape() == t.shape(), name, ": ", x.shape(), " and ", t.shape(),
                      "; both inputs need one shape");
  require<DTypeError>(x.dtype() == t.dtype(), name, ": ", name_of(x.dtype()), " and ", name_of(t.dtype()),
                      "; cast one of them");
  require<DeviceError>(x.device() == t.device(), name, ": inputs on ", x.device(), " and ", t.device(), "; use to()");
  x = x.contiguous(), t = t.contiguous();
  Tensor loss = empty({1}, {x.dtype(), x.device()});
  Tensor dx = wants_gradient(x) ? empty_like(x) : Tensor(), dt = wants_gradient(t) ? empty_like(t) : Tensor();
  for_float(x.dtype(), [&]<class T>(T) {
    kernels::PairLoss<T> a;
    a.op = op, a.n = x.numel(), a.scale = reduction == Reduction::mean ? 1 / double(x.numel()) : 1;
    a.x = x.data<T>(), a.t = t.data<T>(), a.loss = loss.data<T>(), a.dx = dx.data<T>(), a.dt = dt.data<T>();
    run(pair_loss_slot<T>, x.device(), a);
  });
  return record(name, loss, wrt(x, [=](Tensor dy) { return dx * dy; }), wrt(t, [=](Tensor dy) { return dt * dy; }));
}

/// Logits (N,K), labels (N) in [0, K), and a weight for each class unless undefined.
inline void check_labels(char const* op, Tensor const& logits, Tensor const& target, Tensor const& weight) {
  require<ShapeError>(logits.rank() == 2 && target.rank() == 1 && target.dim(0) == logits.dim(0), op, ": logits are ",
                      logits.shape(), ", target is ", target.shape(), "; it needs (N,K) and (N)");
  require<DTypeError>(target.dtype() == DType::i64, op, ": target is ", name_of(target.dtype()), "; labels are int64");
  require<DeviceError>(target.device() == logits.device(), op, ": logits on ", logits.device(), ", target on ",
                       target.device(), "; use to()");
  int64_t const N = logits.dim(0), K = logits.dim(1);
  require<ValueError>(N > 0 && K > 0, op, ": logits are ", logits.shape(), "; it needs a sample and a class");
  if (weight.defined()) {
    require<ShapeError>(weight.shape() == Shape{K}, op, ": weight is ", weight.shape(), " for ", K, " classes");
    require<DTypeError>(weight.dtype() == logits.dtype(), op, ": weight is ", name_of(weight.dtype()), ", logits are ",
                        name_of(logits.dtype()));
    require<DeviceError>(weight.device() == logits.device(), op, ": weight on ", weight.device(), ", logits on ",
                         logits.device(), "; use to()");
  }
  if (machine_of(target.device()).new_graph) return;  // the host does not wait: of a label that is no class comes NaN
  Tensor labels = target.contiguous();
  for (int64_t n = 0; n < N; ++n) {
    int64_t label = labels.data<int64_t>()[n];
    require<ValueError>(label >= 0 && label < K, op, ": target[", n, "] is ", label, "; labels are 0 to ", K - 1);
  }
}

/// Kernels give value and gradient of a loss of logits in one pass; `set` adds what is this loss's own.
template <template <class> class Args, class Slots, class Set>
Tensor label_loss(char const* op, Tensor logits, Tensor target, Tensor weight, Slots slot, Set set) {
  check_labels(op, logits, target, weight);
  Tensor x = logits.contiguous();
  if (weight.defined()) weight = weight.contiguous();
  target = target.contiguous();
  Tensor loss = empty({1}, {x.dtype(), x.device()}), dx = wants_gradient(x) ? empty_like(x) : Tensor();
  for_float(x.dtype(), [&]<class T>(T type) {
    Args<T> a;
    a.N = x.dim(0), a.K = x.dim(1);
    a.x = x.data<T>(), a.weight = weight.data<T>(), a.target = target.data<int64_t>();
    a.loss = loss.data<T>(), a.dx = dx.data<T>();
    set(a);
    run(slot(type), x.device(), a);
  });
  return record(op, loss, wrt(x, [=](Tensor dy) { return dx * dy; }));
}

}  // namespace detail

// Of all losses below:
// Shapes   the result is (1).   Cost  one pass, gradients included.   Deterministic  yes, for any number of threads.
// Gradient to both inputs, but for labels.
// Errors   ShapeError, DTypeError, DeviceError when the inputs do not match.

/// Binary cross-entropy of probabilities: mean or sum of -(t log x + (1 - t) log(1 - x)). Logarithms are not below -100
/// and the gradient's denominator x (1 - x) not below 1e-12, as in PyTorch; x outside [0, 1] gives NaN.
/// Shapes   x, target equal, any.
inline Tensor bce(Tensor x, Tensor target, Reduction reduction = Reduction::mean) {
  return detail::pair_loss("bce", kernels::LossOp::bce, x, target, reduction);
}
/// Binary cross-entropy of sigmoid(x): mean or sum of log(1 + e^x) - t x. Right for any x.
/// Shapes   x, target equal, any.
inline Tensor bce_with_logits(Tensor x, Tensor target, Reduction reduction = Reduction::mean) {
  return detail::pair_loss("bce_with_logits", kernels::LossOp::bce_with_logits, x, target, reduction);
}
/// Mean or sum of (x - target)^2.
/// Shapes   x, target equal, any.
inline Tensor mse(Tensor x, Tensor target, Reduction reduction = Reduction::mean) {
  return detail::pair_loss("mse", kernels::LossOp::mse, x, target, reduction);
}
/// Mean or sum of |x - target|. Gradient 0 where they are equal.
/// Shapes   x, target equal, any.
inline Tensor l1(Tensor x, Tensor target, Reduction reduction = Reduction::mean) {
  return detail::pair_loss("l1", kernels::LossOp::l1, x, target, reduction);
}
/// Divergence of the normal distribution (mu, e^logvar) from the standard one: mean or sum over all elements of
/// -(1 + logvar - mu^2 - e^logvar) / 2.
/// Shapes   mu, logvar equal, any.
/// Source   Kingma & Welling 2014, arXiv:1312.6114, appendix B.
inline Tensor kl_standard_normal(Tensor mu, Tensor logvar, Reduction reduction = Reduction::mean) {
  return detail::pair_loss("kl_standard_normal", kernels::LossOp::kl, mu, logvar, reduction);
}

/// Cross-entropy of logits with labels. With weights w, smoothing s and K classes the term of sample n is
/// -(1 - s) w[t] logp[t] - s / K sum over k of w[k] logp[k], t = target[n]; the mean divides by the sum of w[target].
/// Shapes   logits (N,K), target (N) int64, weight (K).
/// Gradient to the logits.
/// Errors   ShapeError, DTypeError, DeviceError when the inputs do not match; ValueError for smoothing outside [0, 1], for
///          a mean over no samples, or for a label outside [0, K): on cuda the loss is NaN then.
/// Source   Szegedy et al. 2016, arXiv:1512.00567 (smoothing); weights as in PyTorch.
inline Tensor cross_entropy(Tensor logits, Tensor target, CrossEntropyOptions o = {}) {
  require<ValueError>(o.label_smoothing >= 0 && o.label_smoothing <= 1, "cross_entropy: label_smoothing is ",
                      o.label_smoothing, "; it is 0 to 1");
  return detail::label_loss<kernels::CrossEntropy>(
      "cross_entropy", logits, target, o.weight, []<class T>(T) -> auto& { return cross_entropy_slot<T>; },
      [&](auto& a) { a.smoothing = o.label_smoothing, a.mean = o.reduction == Reduction::mean; });
}

/// Focal loss of logits with labels: the term of sample n is -w[t] (1 - p)^gamma log p, where p is the softmax of its
/// class t = target[n]; the mean divides by the sum of w[target]. gamma = 0 is cross_entropy with the same weights; a
/// larger gamma turns training to what is still wrong, as rare classes are.
/// Shapes   logits (N,K), target (N) int64, weight (K).
/// Gradient to the logits.
/// Errors   ShapeError, DTypeError, DeviceError when the inputs do not match; ValueError for gamma < 0, for a mean over no
///          samples, or for a label outside [0, K): on cuda the loss is NaN then.
/// Source   Lin et al. 2017, arXiv:1708.02002, equation 5, for many classes by softmax; they divide by the number of
///          positive samples, where this divides by the weights as cross_entropy does.
inline Tensor focal_loss(Tensor logits, Tensor target, FocalLossOptions o = {}) {
  require<ValueError>(o.gamma >= 0, "focal_loss: gamma is ", o.gamma, "; it needs gamma >= 0");
  return detail::label_loss<kernels::FocalLoss>(
      "focal_loss", logits, target, o.weight, []<class T>(T) -> auto& { return focal_loss_slot<T>; },
      [&](auto& a) { a.gamma = o.gamma, a.mean = o.reduction == Reduction::mean; });
}

}  // namespace d16
