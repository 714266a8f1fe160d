// Group norm as a layer: each sample is normalised by itself, so that small batches and evaluation make no difference.
#pragma once
#include "../ops/group_norm.hpp"
#include "init.hpp"
#include "module.hpp"

namespace d16::nn {

/// Each group of neighbouring channels of each sample to mean 0 and variance 1, then weight * x + bias. No running
/// statistics: training and evaluation give the same.
struct GroupNorm : Module {
  Parameter weight, bias;
  GroupNormOptions options;

  GroupNorm(int groups, int channels, double eps = 1e-5)
      : weight(ones(WeightLimit::of_each(2, channels))),
        bias(zeros({channels})),
        options{.groups = groups, .eps = eps} {
    require<ValueError>(groups > 0 && channels % groups == 0, "GroupNorm: ", channels, " channels in ", groups,
                        " groups; the groups must divide the channels");
  }
  Tensor operator()(Tensor x) { return group_norm(x, weight, bias, options); }
  io::Json describe() const override {
    return io::Json::object(
        {{"type", "group_norm"}, {"groups", options.groups}, {"channels", weight.dim(0)}, {"eps", options.eps}});
  }
  D16_MEMBERS(weight, bias)
};

}  // namespace d16::nn
