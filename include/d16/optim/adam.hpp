// Adam and AdamW.
#pragma once
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

template <class T, class Options> void run_adam(ParameterList<T> const& all, Options const& o, bool decoupled,
                                                kernels::StepState const* state, Device device) {
  kernels::Adam<T> a{.beta1 = o.betas.first,
                     .beta2 = o.betas.second,
                     .eps = o.eps,
                     .weight_decay = o.weight_decay,
                     .decoupled = decoupled,
                     .state = state};
  run(adam_slot<T>, device, all.give(a));
}

template <class Options>
void adam_step(Tensor param, Tensor grad, Tensor m, Tensor v, Options const& o, int64_t step, bool decoupled) {
  bool fits = grad.shape() == param.shape() && m.shape() == param.shape() && v.shape() == param.shape();
  require<ShapeError>(fits && param.is_contiguous(), "adam_step: param is ", param.shape(), ", grad ", grad.shape(),
                      ", m ", m.shape(), ", v ", v.shape(), "; equal shapes and a contiguous param are needed");
  require<ValueError>(step >= 1, "adam_step: step is ", step, "; the first is 1");
  Tensor const state = state_tensor(state_of_step(step, o.lr, o.betas.first, o.betas.second), param.device());
  for_float(param.dtype(), [&]<class T>(T) {
    ParameterList<T> all;
    all.add(param, grad, m, v);
    run_adam(all, o, decoupled, at(state), param.device());
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
  detail::adam_step(param, grad, m, v, o, step, false);
}
/// The same with g = grad and the decay apart: param *= 1 - lr * weight_decay first.
/// Source   Loshchilov & Hutter 2019, arXiv:1711.05101.
inline void adamw_step(Tensor param, Tensor grad, Tensor m, Tensor v, AdamWOptions const& o, int64_t step) {
  detail::adam_step(param, grad, m, v, o, step, true);
}

namespace detail {
template <class Options, bool decoupled> class AdamBase : public Optimiser {
 public:
  explicit AdamBase(std::vector<Tensor> parameters, Options o = {})
      : Optimiser(std::move(parameters), o.lr), options_(o), m_(zeros_like_parameters()), v_(zeros_like_parameters()) {}
  std::vector<State> state() const override {
    std::vector<State> out;
    append(out, "m", m_);
    append(out, "v", v_);
    return out;
  }

 protected:
  void update(std::vector<size_t> const& used) override {
    for_float(parameters()[0].dtype(), [&]<class T>(T) {
      ParameterList<T> all;
      for (size_t i : used) all.add(parameters()[i], parameters()[i].grad(), m_[i], v_[i]);
      begin(all, options_.betas.first, options_.betas.second);
      run_adam(all, options_, decoupled, numbers(), device());
    });
  }

 private:
  Options options_;
  std::vector<Tensor> m_, v_;
};
}  // namespace detail

/// Adam: optim::Adam opt(net.parameters(), {.lr = 1e-3}).
class Adam : public detail::AdamBase<AdamOptions, false> {
 public:
  using AdamBase::AdamBase;
};
/// AdamW: Adam whose weight decay does not pass through the averages.
class AdamW : public detail::AdamBase<AdamWOptions, true> {
 public:
  using AdamBase::AdamBase;
};

}  // namespace d16::optim
