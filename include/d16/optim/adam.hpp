// Adam and AdamW.
#pragma once
#include "../core/dispatch.hpp"
#include "../kernels/cpu/adam.hpp"
#include "../kernels/reference/adam.hpp"
#include "optimiser.hpp"

namespace d16::optim {

struct Betas {
  double first = 0.9, second = 0.999;
};

struct AdamOptions {
  double lr = 1e-3;
  Betas betas = {};
  double eps = 1e-8;
  double weight_decay = 0;
};
struct AdamWOptions {
  double lr = 1e-3;
  Betas betas = {};
  double eps = 1e-8;
  double weight_decay = 0.01;
};

template <class T>
constinit Slot<kernels::Adam<T>> adam_slot{"adam", {kernels::cpu::adam<T>}, {kernels::reference::adam<T>}, {}, {}};

namespace detail {
inline void adam(Tensor param, Tensor grad, Tensor m, Tensor v, AdamOptions const& o, int64_t step, bool decoupled) {
  bool fits = grad.shape() == param.shape() && m.shape() == param.shape() && v.shape() == param.shape();
  require<ShapeError>(fits && param.is_contiguous(), "adam_step: param is ", param.shape(), ", grad ", grad.shape(),
                      ", m ", m.shape(), ", v ", v.shape(), "; equal shapes and a contiguous param are needed");
  require<ValueError>(step >= 1, "adam_step: step is ", step, "; the first is 1");
  for_float(param.dtype(), [&]<class T>(T) {
    kernels::Adam<T> a{.n = param.numel(),
                       .lr = o.lr,
                       .beta1 = o.betas.first,
                       .beta2 = o.betas.second,
                       .eps = o.eps,
                       .weight_decay = o.weight_decay,
                       .decoupled = decoupled,
                       .step = step,
                       .grad = grad.data<T>(),
                       .param = param.data<T>(),
                       .m = m.data<T>(),
                       .v = v.data<T>()};
    run(adam_slot<T>, param.device(), a);
  });
  for (Tensor const& changed : {param, m, v}) changed.mark_changed();
}
}  // namespace detail

/// One step of Adam in place: m = b1 m + (1-b1) g, v = b2 v + (1-b2) g^2, param -= lr m^ / (sqrt(v^) + eps) with
/// m^ = m / (1 - b1^step), v^ = v / (1 - b2^step) and g = grad + weight_decay * param.
/// Shapes   all equal.     Cost  28 bytes per float32 value.     Deterministic  yes.     Aliasing  none allowed.
/// Errors   ShapeError for unequal shapes, ValueError for step < 1.
/// Source   Kingma & Ba 2015, arXiv:1412.6980.
inline void adam_step(Tensor param, Tensor grad, Tensor m, Tensor v, AdamOptions const& o, int64_t step) {
  detail::adam(param, grad.contiguous(), m, v, o, step, false);
}
/// The same with g = grad and the decay apart: param *= 1 - lr * weight_decay first.
/// Source   Loshchilov & Hutter 2019, arXiv:1711.05101.
inline void adamw_step(Tensor param, Tensor grad, Tensor m, Tensor v, AdamWOptions const& o, int64_t step) {
  detail::adam(param, grad.contiguous(), m, v, {o.lr, o.betas, o.eps, o.weight_decay}, step, true);
}

namespace detail {
template <class Options, void (*step_function)(Tensor, Tensor, Tensor, Tensor, Options const&, int64_t)> class AdamBase
    : public Optimiser {
 public:
  explicit AdamBase(std::vector<Tensor> parameters, Options o = {})
      : Optimiser(std::move(parameters)), options_(o), m_(zeros_like_parameters()), v_(zeros_like_parameters()) {}
  double lr() const override { return options_.lr; }
  void set_lr(double lr) override { options_.lr = lr; }
  std::vector<State> state() const override {
    std::vector<State> out;
    append(out, "m", m_);
    append(out, "v", v_);
    return out;
  }

 protected:
  void update(size_t i, Tensor& p, Tensor gradient) override {
    step_function(p, gradient, m_[i], v_[i], options_, steps());
  }

 private:
  Options options_;
  std::vector<Tensor> m_, v_;
};
}  // namespace detail

/// Adam: optim::Adam opt(net.parameters(), {.lr = 1e-3}).
class Adam : public detail::AdamBase<AdamOptions, adam_step> {
 public:
  using AdamBase::AdamBase;
};
/// AdamW: Adam whose weight decay does not pass through the averages.
class AdamW : public detail::AdamBase<AdamWOptions, adamw_step> {
 public:
  using AdamBase::AdamBase;
};

}  // namespace d16::optim
