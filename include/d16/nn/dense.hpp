// Layers of ordinary networks: linear, convolution, transposed convolution. Weights have PyTorch's names and layouts.
#pragma once
#include "../ops/conv2d.hpp"
#include "../ops/conv_transpose2d.hpp"
#include "../ops/linear.hpp"
#include "init.hpp"
#include "module.hpp"

namespace d16::nn {

/// Padding that keeps the size of the image when the stride is 1: half the kernel.
constexpr int same = -1;

struct LinearOptions {
  bool bias = true;
  kernels::Precision precision = kernels::Precision::float32;  ///< of what is multiplied, as of d16::LinearOptions
};

/// y = x w^T + b on the last axis. Shapes x (N,in), w (out,in), b (out). He-normal weights, zero bias.
struct Linear : Module {
  Parameter weight, bias;
  LinearOptions options;

  Linear(int in, int out, LinearOptions o = {}) : options(o) {
    require<ValueError>(in > 0 && out > 0, "Linear: ", in, " -> ", out, "; both must be positive");
    weight = he_normal({out, in}, in);
    if (o.bias) bias = zeros({out});
  }
  Tensor operator()(Tensor x) { return linear(x, weight, bias, {.precision = options.precision}); }
  io::Json describe() const override {
    return io::Json::object(
        {{"type", "linear"}, {"in", weight.dim(1)}, {"out", weight.dim(0)}, {"bias", bias.defined()}});
  }
  D16_MEMBERS(weight, bias)

 protected:
  void round_factors(kernels::Precision p) override { options.precision = p; }
};

struct ConvOptions {
  int kernel = 3, stride = 1, padding = same, dilation = 1, groups = 1;
  bool bias = true;
  kernels::Precision precision = kernels::Precision::float32;  ///< of what is multiplied, as of Conv2dOptions
};

/// Convolution of images. Shapes x (N,H,W,in), w (out,in/groups,k,k), b (out). He-normal weights, zero bias.
struct Conv2d : Module {
  Parameter weight, bias;
  ConvOptions options;

  Conv2d(int in, int out, ConvOptions o = {}) : options(o) {
    require<ValueError>(in > 0 && out > 0 && o.groups > 0 && in % o.groups == 0 && out % o.groups == 0, "Conv2d: ", in,
                        " -> ", out, " channels in ", o.groups, " groups; both must be multiples of it");
    require<ValueError>(o.kernel > 0 && o.stride > 0 && o.dilation > 0, "Conv2d: kernel ", o.kernel, ", stride ",
                        o.stride, ", dilation ", o.dilation, "; all must be positive");
    if (options.padding == same) options.padding = o.dilation * (o.kernel / 2);
    weight = he_normal({out, in / o.groups, o.kernel, o.kernel}, int64_t(in / o.groups) * o.kernel * o.kernel);
    if (o.bias) bias = zeros({out});
  }
  /// sums (N,out,2), where it is given, gets those of the result, as of Conv2dOptions.
  Tensor operator()(Tensor x, Tensor sums = {}) {
    return conv2d(x, weight, bias,
                  {.stride = options.stride,
                   .padding = options.padding,
                   .dilation = options.dilation,
                   .groups = options.groups,
                   .precision = options.precision,
                   .sums = sums});
  }
  io::Json describe() const override {
    return io::Json::object({{"type", "conv2d"},
                             {"in", weight.dim(1) * options.groups},
                             {"out", weight.dim(0)},
                             {"kernel", options.kernel},
                             {"stride", options.stride},
                             {"padding", options.padding},
                             {"dilation", options.dilation},
                             {"groups", options.groups},
                             {"bias", bias.defined()}});
  }
  D16_MEMBERS(weight, bias)

 protected:
  void round_factors(kernels::Precision p) override { options.precision = p; }
};

struct ConvTransposeOptions {
  int kernel = 2, stride = 2, padding = 0, output_padding = 0;
  bool bias = true;
  kernels::Precision precision = kernels::Precision::float32;  ///< of what is multiplied, as of Conv2dOptions
};

/// Transposed convolution; as made, it doubles the size. Shapes x (N,H,W,in), w (in,out,k,k), b (out).
/// A pixel of the result has about k^2 / stride^2 terms per input channel: that is the fan-in of He's formula.
struct ConvTranspose2d : Module {
  Parameter weight, bias;
  ConvTransposeOptions options;

  ConvTranspose2d(int in, int out, ConvTransposeOptions o = {}) : options(o) {
    require<ValueError>(in > 0 && out > 0 && o.kernel > 0 && o.stride > 0, "ConvTranspose2d: ", in, " -> ", out,
                        " channels, kernel ", o.kernel, ", stride ", o.stride, "; all must be positive");
    int64_t fan_in = std::max<int64_t>(1, int64_t(in) * o.kernel * o.kernel / (o.stride * o.stride));
    weight = he_normal({in, out, o.kernel, o.kernel}, fan_in);
    if (o.bias) bias = zeros({out});
  }
  Tensor operator()(Tensor x) { return conv_transpose2d(x, weight, bias, settings()); }
  /// relu of the result, with the channels of `beside` behind its own where that is given.
  Tensor rectified(Tensor x, Tensor beside = {}) {
    ConvTranspose2dOptions o = settings();
    o.relu = true, o.beside = std::move(beside);
    return conv_transpose2d(x, weight, bias, o);
  }
  io::Json describe() const override {
    return io::Json::object({{"type", "conv_transpose2d"},
                             {"in", weight.dim(0)},
                             {"out", weight.dim(1)},
                             {"kernel", options.kernel},
                             {"stride", options.stride},
                             {"padding", options.padding},
                             {"output_padding", options.output_padding},
                             {"bias", bias.defined()}});
  }
  D16_MEMBERS(weight, bias)

 protected:
  void round_factors(kernels::Precision p) override { options.precision = p; }

 private:
  ConvTranspose2dOptions settings() const {
    return {.stride = options.stride,
            .padding = options.padding,
            .output_padding = options.output_padding,
            .precision = options.precision};
  }
};

}  // namespace d16::nn
