// Conformance runners of the dense ops: convolutions, norms, activations, pooling.
#pragma once
#include <d16/ops/batch_norm.hpp>
#include <d16/ops/conv2d.hpp>
#include <d16/ops/conv_transpose2d.hpp>
#include <d16/ops/linear.hpp>
#include <d16/ops/pool2d.hpp>
#include <d16/ops/softmax.hpp>
#include <d16/ops/unary.hpp>
#include <d16/ops/upsample.hpp>

#include "case.hpp"
#include "layout.hpp"

namespace d16::conform {

inline Outcome run_conv2d(Run& r) {
  Conv2dOptions o{.stride = pair(r.attrs(), "stride", 1),
                  .padding = pair(r.attrs(), "padding", 0),
                  .dilation = pair(r.attrs(), "dilation", 1),
                  .groups = int(number(r.attrs(), "groups", 1))};
  return {{{"y", to_file(conv2d(to_engine(r.in("x")), r.in("weight"), r.optional("bias"), o))}}};
}

inline Outcome run_conv_transpose2d(Run& r) {
  ConvTranspose2dOptions o{.stride = pair(r.attrs(), "stride", 1),
                           .padding = pair(r.attrs(), "padding", 0),
                           .output_padding = pair(r.attrs(), "output_padding", 0)};
  return {{{"y", to_file(conv_transpose2d(to_engine(r.in("x")), r.in("weight"), r.optional("bias"), o))}}};
}

inline Outcome run_linear(Run& r) { return {{{"y", linear(r.in("x"), r.in("weight"), r.optional("bias"))}}}; }

inline Outcome run_batch_norm2d(Run& r) {
  Tensor mean = r.in("running_mean"), var = r.in("running_var");
  BatchNormOptions o{.training = r.attrs().boolean("training"),
                     .eps = number(r.attrs(), "eps", 1e-5),
                     .momentum = number(r.attrs(), "momentum", 0.1)};
  Tensor y = batch_norm2d(to_engine(r.in("x")), r.in("weight"), r.in("bias"), mean, var, o);
  return {{{"y", to_file(y)}, {"running_mean", mean}, {"running_var", var}}};
}

/// y = f(x), element by element, in any shape.
inline Op pointwise(Tensor (*f)(Tensor)) {
  return {[f](Run& r) { return Outcome{{{"y", f(r.in("x"))}}}; }};
}
inline Outcome run_elu(Run& r) { return {{{"y", elu(r.in("x"), number(r.attrs(), "alpha", 1))}}}; }

inline Outcome run_softmax(Run& r) { return {{{"y", softmax(r.in("x"), int(r.attrs().integer("dim")))}}}; }
inline Outcome run_log_softmax(Run& r) { return {{{"y", log_softmax(r.in("x"), int(r.attrs().integer("dim")))}}}; }

// As in PyTorch, pooling strides by its kernel unless it is told otherwise: a stride of 0.
inline Outcome run_max_pool2d(Run& r) {
  MaxPool2dOptions o{.kernel = pair(r.attrs(), "kernel", 1),
                     .stride = pair(r.attrs(), "stride", 0),
                     .padding = pair(r.attrs(), "padding", 0)};
  return {{{"y", to_file(max_pool2d(to_engine(r.in("x")), o))}}};
}
inline Outcome run_avg_pool2d(Run& r) {
  AvgPool2dOptions o{.kernel = pair(r.attrs(), "kernel", 1),
                     .stride = pair(r.attrs(), "stride", 0),
                     .padding = pair(r.attrs(), "padding", 0),
                     .count_include_pad = boolean(r.attrs(), "count_include_pad", true)};
  return {{{"y", to_file(avg_pool2d(to_engine(r.in("x")), o))}}};
}

inline Outcome run_upsample(Run& r) {
  std::string const& mode = r.attrs().string("mode");
  require<ValueError>(mode == "nearest" || mode == "bilinear", "attribute mode is ", mode);
  UpsampleOptions o{.scale = int(r.attrs().integer("scale")), .mode = Upsample::nearest};
  if (mode == "bilinear")
    o = {.scale = o.scale, .mode = Upsample::bilinear, .align_corners = boolean(r.attrs(), "align_corners", false)};
  return {{{"y", to_file(upsample(to_engine(r.in("x")), o))}}};
}

inline OpTable dense_ops() {
  return {{"conv2d", {run_conv2d}},
          {"conv_transpose2d", {run_conv_transpose2d}},
          {"linear", {run_linear}},
          {"batch_norm2d", {run_batch_norm2d}},
          {"relu", pointwise([](Tensor x) { return relu(x); })},
          {"elu", {run_elu}},
          {"silu", pointwise([](Tensor x) { return silu(x); })},
          {"sigmoid", pointwise([](Tensor x) { return sigmoid(x); })},
          {"softplus", pointwise([](Tensor x) { return softplus(x); })},
          {"softmax", {run_softmax}},
          {"log_softmax", {run_log_softmax}},
          {"max_pool2d", {run_max_pool2d}},
          {"avg_pool2d", {run_avg_pool2d}},
          {"upsample", {run_upsample}}};
}

}  // namespace d16::conform
