// WeightMean: a running mean of a network's weights, which is often better than the weights of the last step.
#pragma once
#include "../nn/module.hpp"
#include "../ops/arithmetic.hpp"

namespace d16::optim {

/// mean = d mean + (1 - d) weights after each step, d = min(decay, (1 + step) / (10 + step)), so that the first steps are
/// soon forgotten. Running statistics, as of batch norms, are weights here too.
/// Source   Polyak & Juditsky 1992, SIAM J. Control Optim. 30, 838; exponential as in Kingma & Ba 2015, arXiv:1412.6980,
///          section 7.2.
class WeightMean {
 public:
  WeightMean(nn::Module& net, double decay) : live_(net.named_tensors()), decay_(decay) {
    require<ValueError>(decay > 0 && decay < 1, "WeightMean: decay is ", decay, "; above 0 and below 1 is needed");
    for (nn::Named const& one : live_) mean_.push_back({one.name, one.tensor.detach().clone()});
  }

  /// Takes the weights in, after step number `step` (from 1).
  void follow(int64_t step) {
    NoGrad off;
    double const d = std::min(decay_, double(1 + step) / double(10 + step));
    for (size_t i = 0; i < live_.size(); ++i)
      mean_[i].tensor.assign(mean_[i].tensor * d + live_[i].tensor.detach() * (1 - d));
  }
  /// Puts the mean into the network, and the network's weights where the mean was: twice changes nothing.
  void swap() {
    NoGrad off;
    for (size_t i = 0; i < live_.size(); ++i) {
      Tensor const kept = live_[i].tensor.detach().clone();
      live_[i].tensor.assign(mean_[i].tensor);
      mean_[i].tensor.assign(kept);
    }
  }
  std::vector<nn::Named> const& tensors() const { return mean_; }

 private:
  std::vector<nn::Named> live_, mean_;
  double decay_;
};

}  // namespace d16::optim
