// Equivariant convolutions of cyclic and dihedral groups: from images, between features, back to images.
#pragma once
#include "../ops/group_conv2d.hpp"
#include "dense.hpp"

namespace d16::nn {

struct GroupConvOptions {
  int kernel = 3, stride = 1, padding = same, dilation = 1;
  bool bias = true;
  PaddingMode padding_mode = PaddingMode::zeros;
  Rings rings = {};                               ///< of the steerable basis; none means default_rings(kernel)
  kernels::Path path = kernels::Path::automatic;  ///< how it is computed; the result is the same up to rounding
  kernels::Precision precision = kernels::Precision::float32;  ///< of what is multiplied, between group features
};

/// In inference on a CUDA device: whether features come, and go, as their Fourier coefficients, as GroupConv2dOptions
/// describes.
struct Coefficients {
  bool x = false, y = false;
};

namespace detail {

/// What the three have in common.
struct SteerableConv : Module {
  Parameter weight, bias;
  Group acting;
  GroupConvOptions options;

  SteerableConv(Group g, Sides sides, int in, int out, GroupConvOptions o) : acting(g), options(o), sides_(sides) {
    require<ValueError>(in > 0 && out > 0, "group convolution: ", in, " -> ", out, " fields; both must be positive");
    if (options.padding == same) options.padding = o.dilation * (o.kernel / 2);
    if (options.rings == default_rings(o.kernel)) options.rings = {};
    weight = steerable_he_normal(g, sides, o.kernel, out, in, options.rings);
    if (o.bias) bias = zeros({out});
  }
  Group layer_group() const override { return acting; }
  D16_MEMBERS(weight, bias)

 protected:
  /// Between group features only: lifting and projecting have no such products.
  void round_factors(kernels::Precision p) override {
    options.precision = sides_ == Sides::regular ? p : kernels::Precision::float32;
  }
  /// In inference the weights are packed once and kept until they change, or are to meet other features or another
  /// rounding.
  GroupConv2dOptions call(Tensor const& x) {
    GroupConv2dOptions o{.kernel = options.kernel,
                         .stride = options.stride,
                         .padding = options.padding,
                         .dilation = options.dilation,
                         .padding_mode = options.padding_mode,
                         .rings = options.rings,
                         .path = options.path,
                         .precision = options.precision};
    if (training() || !NoGrad::off()) {
      packed_ = {};
      return o;
    }
    bool const same = packed_of_.defined() && packed_of_.same_memory(weight) && packed_version_ == weight.version();
    if (!same || packed_for_ != x.dtype() || packed_at_ != o.precision) {
      packed_ = pack_group_weights(acting, sides_, weight, o, x.dtype());
      packed_of_ = weight.detach();
      packed_for_ = x.dtype(), packed_at_ = o.precision;
      packed_version_ = weight.version();
    }
    o.packed = packed_;
    return o;
  }
  GroupConv2dOptions call(Tensor const& x, Tensor moments) {
    GroupConv2dOptions o = call(x);
    o.moments = moments;
    return o;
  }
  GroupConv2dOptions call(Tensor const& x, Tensor scale, bool relu, Coefficients kept) {
    GroupConv2dOptions o = call(x);
    o.scale = scale, o.relu = relu, o.x_coefficients = kept.x, o.y_coefficients = kept.y;
    return o;
  }
  io::Json describe_as(char const* type) const {
    io::Json about = io::Json::object({{"type", type},
                                       {"group", acting.text()},
                                       {"in", weight.dim(1)},
                                       {"out", weight.dim(0)},
                                       {"kernel", options.kernel},
                                       {"stride", options.stride},
                                       {"padding", options.padding},
                                       {"bias", bias.defined()}});
    if (options.dilation != 1) about["dilation"] = options.dilation;
    if (options.padding_mode != PaddingMode::zeros) about["padding_mode"] = kernels::name_of(options.padding_mode);
    if (!options.rings.empty()) about["rings"] = describe(options.rings);
    return about;
  }
  /// [[ring, sigma, highest frequency], ...]
  static io::Json describe(Rings const& rings) {
    std::vector<io::Json> list;
    for (size_t i = 0; i < rings.rings.size(); ++i)
      list.push_back(io::Json::array({rings.rings[i], rings.sigmas[i], rings.max_freqs[i]}));
    return list;
  }

 private:
  Sides sides_;
  Tensor packed_, packed_of_;
  uint64_t packed_version_ = 0;
  DType packed_for_ = DType::f32;
  kernels::Precision packed_at_ = kernels::Precision::float32;
};

}  // namespace detail

/// From an image to features of the group. Shapes x (N,H,W,in), y (N,H,W,out,G), weight (out,in,V), bias (out).
struct LiftConv2d : detail::SteerableConv {
  LiftConv2d(Group g, int in, int out, GroupConvOptions o = {}) : SteerableConv(g, Sides::lifting, in, out, o) {}
  Tensor operator()(Tensor x) { return lift_conv2d(acting, x, weight, bias, call(x)); }
  /// Inference: scale * convolution + shift, and its negative values cut, in one pass over the result.
  Tensor scaled(Tensor x, Tensor scale, Tensor shift, bool relu, Coefficients kept = {}) {
    return lift_conv2d(acting, x, weight, shift, call(x, scale, relu, kept));
  }
  /// The convolution, and mean and variance of its result for each field, written to moments (2,out).
  Tensor measured(Tensor x, Tensor moments) { return lift_conv2d(acting, x, weight, bias, call(x, moments)); }
  io::Json describe() const override { return describe_as("lift_conv2d"); }
};

/// Between features. Shapes x (N,H,W,in,G), y (N,H,W,out,G), weight (out,in,V,G), bias (out).
struct GroupConv2d : detail::SteerableConv {
  GroupConv2d(Group g, int in, int out, GroupConvOptions o = {}) : SteerableConv(g, Sides::regular, in, out, o) {}
  Tensor operator()(Tensor x) { return group_conv2d(acting, x, weight, bias, call(x)); }
  /// Inference: scale * convolution + shift, and its negative values cut, in one pass over the result.
  Tensor scaled(Tensor x, Tensor scale, Tensor shift, bool relu, Coefficients kept = {}) {
    return group_conv2d(acting, x, weight, shift, call(x, scale, relu, kept));
  }
  /// The convolution, and mean and variance of its result for each field, written to moments (2,out).
  Tensor measured(Tensor x, Tensor moments) { return group_conv2d(acting, x, weight, bias, call(x, moments)); }
  io::Json describe() const override { return describe_as("group_conv2d"); }
};

/// From features to an image that turns with the input. Shapes x (N,H,W,in,G), y (N,H,W,out), weight (out,in,V).
struct ProjectConv2d : detail::SteerableConv {
  ProjectConv2d(Group g, int in, int out, GroupConvOptions o = {}) : SteerableConv(g, Sides::projecting, in, out, o) {}
  Tensor operator()(Tensor x) { return project_conv2d(acting, x, weight, bias, call(x)); }
  /// Inference: scale * convolution + shift, and its negative values cut, in one pass over the result.
  Tensor scaled(Tensor x, Tensor scale, Tensor shift, bool relu, Coefficients kept = {}) {
    return project_conv2d(acting, x, weight, shift, call(x, scale, relu, kept));
  }
  /// The convolution, and mean and variance of its result for each field, written to moments (2,out).
  Tensor measured(Tensor x, Tensor moments) { return project_conv2d(acting, x, weight, bias, call(x, moments)); }
  io::Json describe() const override { return describe_as("project_conv2d"); }
};

}  // namespace d16::nn
