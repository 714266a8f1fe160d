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
  /// In inference the weights are packed once and kept until they change.
  GroupConv2dOptions call() {
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
    if (!packed_of_.defined() || !packed_of_.same_memory(weight) || packed_version_ != weight.version()) {
      packed_ = pack_group_weights(acting, sides_, weight, o);
      packed_of_ = weight.detach();
      packed_version_ = weight.version();
    }
    o.packed = packed_;
    return o;
  }
  GroupConv2dOptions call(Tensor moments) {
    GroupConv2dOptions o = call();
    o.moments = moments;
    return o;
  }
  GroupConv2dOptions call(Tensor scale, bool relu) {
    GroupConv2dOptions o = call();
    o.scale = scale, o.relu = relu;
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
};

}  // namespace detail

/// From an image to features of the group. Shapes x (N,H,W,in), y (N,H,W,out,G), weight (out,in,V), bias (out).
struct LiftConv2d : detail::SteerableConv {
  LiftConv2d(Group g, int in, int out, GroupConvOptions o = {}) : SteerableConv(g, Sides::lifting, in, out, o) {}
  Tensor operator()(Tensor x) { return lift_conv2d(acting, x, weight, bias, call()); }
  /// Inference: scale * convolution + shift, and its negative values cut, in one pass over the result.
  Tensor scaled(Tensor x, Tensor scale, Tensor shift, bool relu) {
    return lift_conv2d(acting, x, weight, shift, call(scale, relu));
  }
  /// The convolution, and mean and variance of its result for each field, written to moments (2,out).
  Tensor measured(Tensor x, Tensor moments) { return lift_conv2d(acting, x, weight, bias, call(moments)); }
  io::Json describe() const override { return describe_as("lift_conv2d"); }
};

/// Between features. Shapes x (N,H,W,in,G), y (N,H,W,out,G), weight (out,in,V,G), bias (out).
struct GroupConv2d : detail::SteerableConv {
  GroupConv2d(Group g, int in, int out, GroupConvOptions o = {}) : SteerableConv(g, Sides::regular, in, out, o) {}
  Tensor operator()(Tensor x) { return group_conv2d(acting, x, weight, bias, call()); }
  /// Inference: scale * convolution + shift, and its negative values cut, in one pass over the result.
  Tensor scaled(Tensor x, Tensor scale, Tensor shift, bool relu) {
    return group_conv2d(acting, x, weight, shift, call(scale, relu));
  }
  /// The convolution, and mean and variance of its result for each field, written to moments (2,out).
  Tensor measured(Tensor x, Tensor moments) { return group_conv2d(acting, x, weight, bias, call(moments)); }
  io::Json describe() const override { return describe_as("group_conv2d"); }
};

/// From features to an image that turns with the input. Shapes x (N,H,W,in,G), y (N,H,W,out), weight (out,in,V).
struct ProjectConv2d : detail::SteerableConv {
  ProjectConv2d(Group g, int in, int out, GroupConvOptions o = {}) : SteerableConv(g, Sides::projecting, in, out, o) {}
  Tensor operator()(Tensor x) { return project_conv2d(acting, x, weight, bias, call()); }
  /// Inference: scale * convolution + shift, and its negative values cut, in one pass over the result.
  Tensor scaled(Tensor x, Tensor scale, Tensor shift, bool relu) {
    return project_conv2d(acting, x, weight, shift, call(scale, relu));
  }
  /// The convolution, and mean and variance of its result for each field, written to moments (2,out).
  Tensor measured(Tensor x, Tensor moments) { return project_conv2d(acting, x, weight, bias, call(moments)); }
  io::Json describe() const override { return describe_as("project_conv2d"); }
};

}  // namespace d16::nn
