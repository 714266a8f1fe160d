// Equivariant convolutions of cyclic and dihedral groups: from images, between features, back to images.
#pragma once
#include "../ops/group_conv2d.hpp"
#include "dense.hpp"

namespace d16::nn {

struct GroupConvOptions {
  int kernel = 3, stride = 1, padding = same;
  bool bias = true;
};

namespace detail {

/// What the three have in common.
struct SteerableConv : Module {
  Parameter weight, bias;
  Group acting;
  GroupConvOptions options;

  SteerableConv(Group g, Sides sides, int in, int out, GroupConvOptions o) : acting(g), options(o) {
    require<ValueError>(in > 0 && out > 0, "group convolution: ", in, " -> ", out, " fields; both must be positive");
    if (options.padding == same) options.padding = o.kernel / 2;
    weight = steerable_he_normal(g, sides, o.kernel, out, in);
    if (o.bias) bias = zeros({out});
  }
  Group layer_group() const override { return acting; }
  D16_MEMBERS(weight, bias)

 protected:
  GroupConv2dOptions call() const {
    return {.kernel = options.kernel, .stride = options.stride, .padding = options.padding};
  }
  io::Json describe_as(char const* type) const {
    return io::Json::object({{"type", type},
                             {"group", acting.text()},
                             {"in", weight.dim(1)},
                             {"out", weight.dim(0)},
                             {"kernel", options.kernel},
                             {"stride", options.stride},
                             {"padding", options.padding},
                             {"bias", bias.defined()}});
  }
};

}  // namespace detail

/// From an image to features of the group. Shapes x (N,H,W,in), y (N,H,W,out,G), weight (out,in,V), bias (out).
struct LiftConv2d : detail::SteerableConv {
  LiftConv2d(Group g, int in, int out, GroupConvOptions o = {}) : SteerableConv(g, Sides::lifting, in, out, o) {}
  Tensor operator()(Tensor x) { return lift_conv2d(acting, x, weight, bias, call()); }
  io::Json describe() const override { return describe_as("lift_conv2d"); }
};

/// Between features. Shapes x (N,H,W,in,G), y (N,H,W,out,G), weight (out,in,V,G), bias (out).
struct GroupConv2d : detail::SteerableConv {
  GroupConv2d(Group g, int in, int out, GroupConvOptions o = {}) : SteerableConv(g, Sides::regular, in, out, o) {}
  Tensor operator()(Tensor x) { return group_conv2d(acting, x, weight, bias, call()); }
  io::Json describe() const override { return describe_as("group_conv2d"); }
};

/// From features to an image that turns with the input. Shapes x (N,H,W,in,G), y (N,H,W,out), weight (out,in,V).
struct ProjectConv2d : detail::SteerableConv {
  ProjectConv2d(Group g, int in, int out, GroupConvOptions o = {}) : SteerableConv(g, Sides::projecting, in, out, o) {}
  Tensor operator()(Tensor x) { return project_conv2d(acting, x, weight, bias, call()); }
  io::Json describe() const override { return describe_as("project_conv2d"); }
};

}  // namespace d16::nn
