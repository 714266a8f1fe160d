// Layers without weights for images of any size: dropout of whole channels, and pooling to a given size.
#pragma once
#include "../ops/adaptive_avg_pool2d.hpp"
#include "../ops/spatial_dropout.hpp"
#include "module.hpp"

namespace d16::nn {

/// In training, sets each channel of each sample to zero with probability p and scales the others by 1 / (1 - p).
struct SpatialDropout : Module {
  double p;

  explicit SpatialDropout(double probability = 0.1) : p(probability) {}
  Tensor operator()(Tensor x) { return spatial_dropout(x, p, training()); }
  io::Json describe() const override { return io::Json::object({{"type", "spatial_dropout"}, {"p", p}}); }
  D16_MEMBERS()
};

/// Mean over windows that cut an image of any size into height x width.
struct AdaptiveAvgPool {
  int height = 1, width = 1;

  Tensor operator()(Tensor x) const { return adaptive_avg_pool2d(x, {height, width}); }
  io::Json describe() const {
    return io::Json::object({{"type", "adaptive_avg_pool"}, {"height", height}, {"width", width}});
  }
};

}  // namespace d16::nn
