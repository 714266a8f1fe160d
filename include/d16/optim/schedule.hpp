// Learning-rate schedules: the factor of the first rate, as a pure function of the time in epochs.
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

namespace d16::optim {

/// Times `factor` at the beginning of each of the given epochs.
struct StepSchedule {
  std::vector<double> at = {};
  double factor = 0.1;

  double operator()(double epoch) const {
    auto passed = std::count_if(at.begin(), at.end(), [=](double e) { return epoch >= e; });
    return std::pow(factor, double(passed));
  }
};

/// Linear rise over `warmup` epochs, then half a cosine down to `floor` at `epochs`.
/// Source   Loshchilov & Hutter 2017, arXiv:1608.03983, without restarts.
struct CosineSchedule {
  double epochs = 1, warmup = 0, floor = 0;

  double operator()(double epoch) const {
    if (epoch < warmup) return (epoch + 0.01) / (warmup + 0.01);  // the first step already moves
    double through = std::clamp((epoch - warmup) / std::max(epochs - warmup, 1e-9), 0.0, 1.0);
    return floor + (1 - floor) * 0.5 * (1 + std::cos(3.14159265358979323846 * through));
  }
};

}  // namespace d16::optim
