// Attention of convolutional networks: gates for channels or bands, and gates for pixels.
#pragma once
#include "../ops/concat.hpp"
#include "../ops/reduce.hpp"
#include "../ops/squeeze_excitation.hpp"
#include "../ops/unary.hpp"
#include "dense.hpp"
#include "norm.hpp"

namespace d16::nn {

/// Squeeze and excitation: x times a gate in (0, 1) for each channel of each sample, from the means of all channels
/// through two small layers. On an image it weighs bands, on features channels.
/// Shapes   x, y (N,H,W,channels); fc1.weight (hidden,channels), fc2.weight (channels,hidden); hidden is
///          channels / reduction, but at least 1.
/// Source   Hu et al. 2018, arXiv:1709.01507, who take a reduction of 16.
struct ChannelAttention : Module {
  Linear fc1, fc2;

  explicit ChannelAttention(int channels, int reduction = 4)
      : fc1(channels, hidden(channels, reduction)), fc2(hidden(channels, reduction), channels), reduction_(reduction) {}

  Tensor operator()(Tensor x) { return squeeze_excitation(x, fc1.weight, fc1.bias, fc2.weight, fc2.bias); }
  /// As a residual block ends: relu(x gates + residual), in the same pass over memory.
  Tensor operator()(Tensor x, Tensor residual) {
    return squeeze_excitation(x, fc1.weight, fc1.bias, fc2.weight, fc2.bias, {residual, true});
  }
  /// The same of norm(x), which is not written anywhere; sums (N,channels,2) of x, where they are known.
  Tensor normed(BatchNorm2d& norm, Tensor x, Tensor residual, Tensor sums = {}) {
    return squeeze_excitation(x, fc1.weight, fc1.bias, fc2.weight, fc2.bias, {residual, true, norm.in_front(sums)});
  }
  /// The gates alone, (N,channels): which bands count for this image.
  Tensor gates(Tensor x) { return sigmoid(fc2(relu(fc1(from_features(global_avg_pool(x)))))); }

  io::Json describe() const override {
    return io::Json::object(
        {{"type", "channel_attention"}, {"channels", fc1.weight.dim(1)}, {"reduction", reduction_}});
  }
  D16_MEMBERS(fc1, fc2)

 private:
  static int hidden(int channels, int reduction) {
    require<ValueError>(channels > 0 && reduction > 0, "ChannelAttention: ", channels, " channels, reduction ",
                        reduction, "; both must be positive");
    return std::max(1, channels / reduction);
  }
  int reduction_;
};

/// x times a gate in (0, 1) for each pixel: sigmoid of a convolution over two maps, the mean and the maximum of the
/// channels.
/// Shapes   x, y (N,H,W,C), any C; conv.weight (1,2,kernel,kernel).
/// Source   Woo et al. 2018, arXiv:1807.06521, equation 3, with a kernel of 7.
struct SpatialAttention : Module {
  Conv2d conv;

  explicit SpatialAttention(int kernel = 7) : conv(2, 1, {.kernel = kernel}) {
    require<ValueError>(kernel % 2 == 1, "SpatialAttention: kernel is ", kernel, "; it must be odd, to keep the size");
  }
  Tensor operator()(Tensor x) { return x * gates(x).cast(x.dtype()); }
  /// The gates alone, (N,H,W,1): where the network looks. Those of bfloat16 features are float32.
  Tensor gates(Tensor x) {
    x = from_features(x);
    return sigmoid(conv(concat({mean(x, axis::C), max(x, axis::C)}, axis::C)));
  }

  io::Json describe() const override {
    return io::Json::object({{"type", "spatial_attention"}, {"kernel", conv.options.kernel}});
  }
  D16_MEMBERS(conv)
};

}  // namespace d16::nn
