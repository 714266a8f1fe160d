// Normalisation layers: batch norm of images and of feature vectors, and the one whose statistics the group shares.
#pragma once
#include "../ops/batch_norm.hpp"
#include "../ops/inner_batch_norm.hpp"
#include "../ops/squeeze_excitation.hpp"
#include "init.hpp"
#include "module.hpp"

namespace d16::nn {

struct NormOptions {
  double eps = 1e-5;
  double momentum = 0.1;  ///< weight of the newest batch in the running statistics
};

namespace detail {

/// What all batch norms hold.
struct Norm : Module {
  Parameter weight, bias;
  Buffer running_mean, running_var;
  NormOptions options;

  Norm(int channels, NormOptions o)
      : weight(ones(WeightLimit::of_each(4, channels))),
        bias(zeros({channels})),
        running_mean(zeros({channels})),
        running_var(ones({channels})),
        options(o) {}
  D16_MEMBERS(weight, bias, running_mean, running_var)

 protected:
  io::Json describe_as(char const* type) const {
    return io::Json::object(
        {{"type", type}, {"channels", weight.dim(0)}, {"eps", options.eps}, {"momentum", options.momentum}});
  }
};

}  // namespace detail

/// Each channel to mean 0 and variance 1 over N, H and W of the batch, then weight * x + bias. In evaluation the running
/// statistics take the place of the batch's.
struct BatchNorm2d : detail::Norm {
  explicit BatchNorm2d(int channels, NormOptions o = {}) : Norm(channels, o) {}
  /// sums (N,C,2) of x, where they are known, as of BatchNormOptions.
  Tensor operator()(Tensor x, Tensor sums = {}) { return apply(x, false, sums); }
  /// relu(norm(x)) in one pass.
  Tensor rectified(Tensor x, Tensor sums = {}) { return apply(x, true, sums); }
  /// For the squeeze and excitation behind it, which then does its work.
  NormInFront in_front(Tensor sums = {}) { return {weight, bias, running_mean, running_var, settings(false, sums)}; }
  io::Json describe() const override { return describe_as("batch_norm2d"); }

 private:
  BatchNormOptions settings(bool rectify, Tensor sums) const {
    return {.training = training(),
            .eps = options.eps,
            .momentum = options.momentum,
            .relu = rectify,
            .sums = std::move(sums)};
  }
  Tensor apply(Tensor x, bool rectify, Tensor sums) {
    return batch_norm2d(x, weight, bias, running_mean, running_var, settings(rectify, std::move(sums)));
  }
};

/// The same for feature vectors (N,C).
struct BatchNorm1d : detail::Norm {
  explicit BatchNorm1d(int channels, NormOptions o = {}) : Norm(channels, o) {}
  Tensor operator()(Tensor x) {
    Tensor y = batch_norm2d(x.reshape({x.dim(0), 1, 1, x.dim(1)}), weight, bias, running_mean, running_var,
                            {.training = training(), .eps = options.eps, .momentum = options.momentum});
    return y.reshape({x.dim(0), x.dim(1)});
  }
  io::Json describe() const override { return describe_as("batch_norm1d"); }
};

/// Batch norm of group features (N,H,W,C,G): statistics and weights are shared by all elements of the group, so that it
/// stays equivariant.
struct InnerBatchNorm : detail::Norm {
  explicit InnerBatchNorm(int channels, NormOptions o = {}) : Norm(channels, o) {}
  Tensor operator()(Tensor x) { return apply(x, false, {}); }
  /// relu(norm(x)) in one pass; moments (2,C), mean and variance of x, where they are known. The result is not kept for
  /// the way back but computed again: x is kept in any case, and a pass over memory costs less than twice the memory.
  Tensor rectified(Tensor x, Tensor moments = {}) { return apply(x, true, moments); }
  io::Json describe() const override { return describe_as("inner_batch_norm"); }

 private:
  Tensor apply(Tensor x, bool rectify, Tensor moments) {
    return inner_batch_norm(x, weight, bias, running_mean, running_var,
                            {.training = training(),
                             .eps = options.eps,
                             .momentum = options.momentum,
                             .relu = rectify,
                             .recompute = rectify,
                             .moments = moments});
  }
};

}  // namespace d16::nn
