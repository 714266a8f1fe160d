// One step of Adam or AdamW on a GPU: the four arrays of all parameters once.
#pragma once
#include "../adam.hpp"
#include "optimiser.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace optim {

template <class T> struct AdamRule {
  struct Options {
    double beta1, beta2, eps, weight_decay;
    bool decoupled;
  };
  T keep, coupled, beta1, rest1, beta2, rest2, eps, scale, rate, root;

  __device__ AdamRule(Options const& o, StepState const& s)
      : keep(T(o.decoupled ? 1 - s.lr * o.weight_decay : 1)),
        coupled(T(o.decoupled ? 0 : o.weight_decay)),
        beta1(T(o.beta1)),
        rest1(T(1 - o.beta1)),
        beta2(T(o.beta2)),
        rest2(T(1 - o.beta2)),
        eps(T(o.eps)),
        scale(T(s.scale)),
        rate(T(s.lr * s.mean_correction)),
        root(T(s.square_correction)) {}
  __device__ void operator()(Parameter<T> const& p, int i) const {
    T const value = p.value[i], g = scale * p.grad[i] + coupled * value;
    T const m = beta1 * p.first[i] + rest1 * g, v = beta2 * p.second[i] + rest2 * g * g;
    p.first[i] = m, p.second[i] = v;
    p.value[i] = keep * value - rate * m / (std::sqrt(v) * root + eps);
  }
};

}  // namespace optim

/// Floor: 28 bytes for each float32 value. The table comes first, in small launches.
template <class T> size_t adam_work_bytes(Adam<T> const& a) { return optim::table_bytes<T>(a.count); }
template <class T> int adam(Adam<T> const& a) {
  return optim::step<optim::AdamRule<T>, T>(a, {a.beta1, a.beta2, a.eps, a.weight_decay, a.decoupled});
}

}  // namespace D16_GPU
}  // namespace d16::kernels
