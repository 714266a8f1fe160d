// One step of gradient descent with momentum on a GPU: the three arrays of all parameters once.
#pragma once
#include "../sgd.hpp"
#include "optimiser.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace optim {

template <class T> struct SgdRule {
  struct Options {
    double friction, weight_decay;
    bool nesterov;
  };
  T lr, scale, decay, before, of_g, of_b;

  __device__ SgdRule(Options const& o, StepState const& s)
      : lr(T(s.lr)),
        scale(T(s.scale)),
        decay(T(o.weight_decay)),
        before(T(s.step == 1 ? 0 : o.friction)),  // b = before b + g
        of_g(T(o.nesterov ? 1 : 0)),
        of_b(T(o.nesterov ? o.friction : 1)) {}
  __device__ void operator()(Parameter<T> const& p, int i) const {
    T const value = p.value[i], g = scale * p.grad[i] + decay * value;
    T const b = before * p.first[i] + g;
    p.first[i] = b;
    p.value[i] = value - lr * (of_g * g + of_b * b);
  }
};

}  // namespace optim

/// Floor: 20 bytes for each float32 value. The table comes first, in small launches.
template <class T> size_t sgd_work_bytes(Sgd<T> const& a) { return optim::table_bytes<T>(a.count); }
template <class T> int sgd(Sgd<T> const& a) {
  return optim::step<optim::SgdRule<T>, T>(a, {a.friction, a.weight_decay, a.nesterov});
}

}  // namespace D16_GPU
}  // namespace d16::kernels
