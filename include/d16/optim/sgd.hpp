// Gradient descent with momentum.
#pragma once
#include "../kernels/cpu/sgd.hpp"
#include "../kernels/reference/sgd.hpp"
#include "optimiser.hpp"

namespace d16::optim {

struct SgdOptions {
  double lr = 1e-2;
  double momentum = 0.9;
  bool nesterov = false;
  double weight_decay = 0;
};

template <class T>
constinit Slot<kernels::Sgd<T>> sgd_slot{"sgd", {kernels::cpu::sgd<T>}, {kernels::reference::sgd<T>}, {}, {}};

namespace detail {
template <class T>
void run_sgd(ParameterList<T> const& all, SgdOptions const& o, kernels::StepState const* state, Device device) {
  kernels::Sgd<T> a{.friction = o.momentum, .weight_decay = o.weight_decay, .nesterov = o.nesterov, .state = state};
  run(sgd_slot<T>, device, all.give(a));
}
}  // namespace detail

/// One step in place: g = grad + weight_decay * param, b = momentum * b + g (g at step 1), param -= lr * b, or
/// lr * (g + momentum * b) with nesterov.
/// Shapes   all equal.     Cost  20 bytes per float32 value.     Deterministic  yes.     Aliasing  none allowed.
/// Errors   ShapeError for unequal shapes, ValueError for step < 1.
/// Source   Sutskever et al. 2013, ICML, in the form that PyTorch computes.
inline void sgd_step(Tensor param, Tensor grad, Tensor momentum, SgdOptions const& o, int64_t step) {
  require<ShapeError>(grad.shape() == param.shape() && momentum.shape() == param.shape() && param.is_contiguous(),
                      "sgd_step: param is ", param.shape(), ", grad ", grad.shape(), ", momentum ", momentum.shape(),
                      "; equal shapes and a contiguous param are needed");
  require<ValueError>(step >= 1, "sgd_step: step is ", step, "; the first is 1");
  Tensor const state = detail::state_tensor(detail::state_of_step(step, o.lr, 0, 0), param.device());
  for_float(param.dtype(), [&]<class T>(T) {
    detail::ParameterList<T> all;
    all.add(param, grad, momentum);
    detail::run_sgd(all, o, detail::at(state), param.device());
  });
  for (Tensor const& changed : {param, momentum}) changed.mark_changed();
}

/// Gradient descent: optim::Sgd opt(net.parameters(), {.lr = 0.1, .momentum = 0.9}).
class Sgd : public Optimiser {
 public:
  explicit Sgd(std::vector<Tensor> parameters, SgdOptions o = {})
      : Optimiser(std::move(parameters), o.lr), options_(o), momentum_(zeros_like_parameters()) {}
  std::vector<State> state() const override {
    std::vector<State> out;
    append(out, "momentum", momentum_);
    return out;
  }

 protected:
  void update(std::vector<size_t> const& used) override {
    for_float(parameters()[0].dtype(), [&]<class T>(T) {
      detail::ParameterList<T> all;
      for (size_t i : used) all.add(parameters()[i], parameters()[i].grad(), momentum_[i]);
      begin(all);
      detail::run_sgd(all, options_, numbers(), device());
    });
  }

 private:
  SgdOptions options_;
  std::vector<Tensor> momentum_;
};

}  // namespace d16::optim
