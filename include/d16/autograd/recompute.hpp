// recompute: memory for time. What lies inside of a part of a network is computed again on the way back, not kept.
#pragma once
#include <utility>
#include <vector>

#include "tape.hpp"

namespace d16 {

/// While one of these lives, what runs on this thread ran before: ops leave alone what they update in training.
class Recomputing {
 public:
  Recomputing() : before_(on()) { on() = true; }
  ~Recomputing() { on() = before_; }
  Recomputing(Recomputing const&) = delete;
  Recomputing& operator=(Recomputing const&) = delete;
  static bool& on() {
    static thread_local bool flag = false;
    return flag;
  }

 private:
  bool before_;
};

namespace detail {

/// Recording is on while it lives, also inside of backward().
class WithGrad {
 public:
  WithGrad() : before_(std::exchange(NoGrad::off(), false)) {}
  ~WithGrad() { NoGrad::off() = before_; }
  WithGrad(WithGrad const&) = delete;
  WithGrad& operator=(WithGrad const&) = delete;

 private:
  bool before_;
};

/// Runs f as it ran when `first_draw` draws of the default generator had been taken.
template <class F> Tensor run_again(F const& f, Tensor const& x, uint64_t first_draw) {
  Recomputing again;
  WithGrad on;
  uint64_t const draws = default_generator().draws.exchange(first_draw);
  Tensor y = f(x);
  default_generator().draws = draws;
  return y;
}

/// The gradients that f() leaves at leaves, which keep those that they had. Undefined leaves have none.
template <class F> std::vector<Tensor> gradients_of(std::vector<Tensor> const& leaves, F const& f) {
  std::vector<Tensor> before(leaves.size()), gained(leaves.size());
  for (size_t i = 0; i < leaves.size(); ++i) {
    if (!leaves[i].defined()) continue;
    before[i] = leaves[i].grad();
    leaves[i].zero_grad();
  }
  f();
  for (size_t i = 0; i < leaves.size(); ++i) {
    if (!leaves[i].defined()) continue;
    gained[i] = leaves[i].grad();
    leaves[i].zero_grad();
    if (before[i].defined()) Tape::accumulate(leaves[i], before[i]);
  }
  return gained;
}

}  // namespace detail

/// y = f(x), of which only x is kept: f runs once more on the way back. `parameters` are all tensors that f uses and that
/// want gradients. Random numbers are drawn again as they were, running statistics of norms are updated once.
/// Cost     f once more.   Deterministic  as f: the same bits as without.   Gradient  to x and the parameters.
/// Source   Chen et al. 2016, arXiv:1604.06174.
template <class F> Tensor recompute(F f, Tensor x, std::vector<Tensor> parameters) {
  if (NoGrad::off()) return f(x);
  uint64_t const first_draw = default_generator().draws;
  Tensor y;
  {
    NoGrad off;
    y = f(x).detach();
  }
  std::vector<Tensor> inputs{x};
  inputs.insert(inputs.end(), parameters.begin(), parameters.end());
  auto back = [f = std::move(f), x = x.detach(), parameters, first_draw](Tensor dy, std::vector<bool> const& needed) {
    Tensor leaf = x.detach();
    Tape::want_gradient(leaf, needed[0]);
    std::vector<Tensor> leaves{leaf};
    leaves.insert(leaves.end(), parameters.begin(), parameters.end());
    return detail::gradients_of(leaves, [&] { detail::run_again(f, leaf, first_draw).backward(dy); });
  };
  return record("recompute", y, std::move(inputs), std::move(back));
}

}  // namespace d16
