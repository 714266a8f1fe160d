// The ops whose traffic is counted, at shapes that are small and yet have whole tiles, blocks and lines.
#pragma once
#include <vector>

#include <d16/d16.hpp>
#include <d16/learn/tsne_device.hpp>
#include <d16/vision/augment_bands.hpp>
#include <d16/vision/hog.hpp>

#include "../../op_case.hpp"

namespace d16::traffic {

using testing::between;
using testing::constant;
using testing::features;
using testing::Input;
using testing::Inputs;
using testing::labels;

/// `shape` says in words what the op works on; forward and, where an input has a gradient, backward are counted.
struct TrafficCase {
  std::string op, shape;
  std::vector<Input> inputs;
  std::function<Tensor(Inputs)> run;
  DType dtype = DType::f32;  ///< of the first input, features; the others are float32
};

/// A pass of the convolution 3x3, 64→64 by its contract, with products of that precision: writes to the third input.
template <class SlotOf> auto dense_products(SlotOf const& slot, kernels::Precision precision) {
  return [&slot, precision](Inputs t) {
    kernels::Conv2d<float> a{.N = 2, .H = 16, .W = 16, .Ci = 64, .Co = 64, .kh = 3, .kw = 3};
    a.pad_h = a.pad_w = 1, a.precision = precision;
    a.x = a.dx = t[0].data<float>(), a.w = a.dw = t[1].data<float>(), a.y = t[2].data<float>(), a.dy = a.y;
    run(slot, t[0].device(), a);
    return t[2];
  };
}

inline std::vector<TrafficCase> dense_traffic() {
  std::vector<TrafficCase> all;
  for (auto precision : {kernels::Precision::tf32, kernels::Precision::bfloat16}) {
    std::vector<Input> const inputs{constant({2, 16, 16, 64}), constant({64, 64, 3, 3}), constant({2, 16, 16, 64})};
    std::string const shape = std::string("3x3, 64→64, 2 x 16², products in ") + name_of(precision);
    all.push_back({"conv2d", shape, inputs, dense_products(conv2d_slot<float>, precision)});
    all.push_back({"conv2d", shape + ", dx", inputs, dense_products(conv2d_dx_slot<float>, precision)});
    all.push_back({"conv2d", shape + ", dw", inputs, dense_products(conv2d_dw_slot<float>, precision)});
  }
  auto conv = [](Conv2dOptions o) { return [=](Inputs t) { return conv2d(t[0], t[1], t[2], o); }; };
  std::vector<TrafficCase> const exact = {
      {"linear", "256 x 512 → 192", {{256, 512}, {192, 512}, {192}}, [](Inputs t) { return linear(t[0], t[1], t[2]); }},
      {"conv2d", "3x3, 64→64, 2 x 16²", {{2, 16, 16, 64}, {64, 64, 3, 3}, {64}}, conv({.padding = 1})},
      {"conv2d",
       "3x3, 32→64, stride 2, 2 x 32²",
       {{2, 32, 32, 32}, {64, 32, 3, 3}, {64}},
       conv({.stride = 2, .padding = 1})},
      {"conv2d", "5x5, 3→32, 1 x 32²", {constant({1, 32, 32, 3}), {32, 3, 5, 5}, {32}}, conv({.padding = 2})},
      {"conv2d", "1x1, 64→128, 2 x 16²", {{2, 16, 16, 64}, {128, 64, 1, 1}, {128}}, conv({})},
      {"conv2d",
       "3x3, depthwise 64, 1 x 16²",
       {{1, 16, 16, 64}, {64, 1, 3, 3}, {64}},
       conv({.padding = 1, .groups = 64})},
      {"conv2d",
       "3x3, 64→64, 2 x 16², bfloat16 features",
       {{2, 16, 16, 64}, {64, 64, 3, 3}, {64}},
       conv({.padding = 1}),
       DType::bf16},
      {"conv_transpose2d",
       "2x2, 64→32, stride 2, 2 x 16²",
       {{2, 16, 16, 64}, {64, 32, 2, 2}, {32}},
       [](Inputs t) { return conv_transpose2d(t[0], t[1], t[2], {.stride = 2}); }},
      {"conv_transpose2d",
       "2x2, 64→32, stride 2, 2 x 16², ReLU, beside 32 channels",
       {{2, 16, 16, 64}, {64, 32, 2, 2}, {32}, {2, 32, 32, 32}},
       [](Inputs t) { return conv_transpose2d(t[0], t[1], t[2], {.stride = 2, .relu = true, .beside = t[3]}); }},
  };
  all.insert(all.begin(), exact.begin(), exact.end());
  return all;
}

inline std::vector<TrafficCase> group_traffic() {
  Group const D8 = dihedral(8), D16x2 = dihedral(16);
  auto norm = [](auto op, bool training, bool relu) {
    return [=](Inputs t) {
      return op(t[0], t[1], t[2], t[3], t[4], BatchNormOptions{.training = training, .relu = relu});
    };
  };
  auto statistics = [](Input x, int64_t c) {
    return std::vector<Input>{x, {c}, {c}, constant({c}), constant(between(0.5, 2, {c}))};
  };
  return {
      {"lift_conv2d",
       "order 16, 3x3, 3→24, 1 x 16²",
       {constant({1, 16, 16, 3}), {24, 3, 6}, {24}},
       [=](Inputs t) { return lift_conv2d(D8, t[0], t[1], t[2], {.padding = 1}); }},
      {"group_conv2d",
       "order 16, 3x3, 16→24, 1 x 16²",
       {features({1, 16, 16, 16, 16}, D8), {24, 16, 6, 16}, {24}},
       [=](Inputs t) { return group_conv2d(D8, t[0], t[1], t[2], {.padding = 1}); }},
      {"group_conv2d",
       "order 16, 3x3, 16→24, 1 x 16², products in bfloat16",
       {features({1, 16, 16, 16, 16}, D8), {24, 16, 6, 16}, {24}},
       [=](Inputs t) {
         return group_conv2d(D8, t[0], t[1], t[2], {.padding = 1, .precision = kernels::Precision::bfloat16});
       }},
      {"group_conv2d",
       "order 16, 3x3, 16→24, 1 x 16², bfloat16 features",
       {features({1, 16, 16, 16, 16}, D8), {24, 16, 6, 16}, {24}},
       [=](Inputs t) { return group_conv2d(D8, t[0], t[1], t[2], {.padding = 1}); },
       DType::bf16},
      {"group_conv2d",
       "order 32, 3x3, 8→24, 1 x 16²",
       {features({1, 16, 16, 8, 32}, D16x2), {24, 8, 6, 32}, {24}},
       [=](Inputs t) { return group_conv2d(D16x2, t[0], t[1], t[2], {.padding = 1}); }},
      {"group_conv2d",
       "order 16, 3x3, 8→8, 1 x 8², expanded",
       {features({1, 8, 8, 8, 16}, D8), {8, 8, 6, 16}, {8}},
       [=](Inputs t) { return group_conv2d(D8, t[0], t[1], t[2], {.padding = 1, .path = kernels::Path::expanded}); }},
      {"pack_group_weights",
       "order 16, 3x3, 16→24",
       {constant({24, 16, 6, 16})},
       [=](Inputs t) { return pack_group_weights(D8, Sides::regular, t[0], {.padding = 1}); }},
      {"project_conv2d",
       "order 16, 3x3, 16→3, 1 x 16²",
       {features({1, 16, 16, 16, 16}, D8), {3, 16, 6}, {3}},
       [=](Inputs t) { return project_conv2d(D8, t[0], t[1], t[2], {.padding = 1}); }},
      {"batch_norm2d", "64 channels, 2 x 32², training", statistics({2, 32, 32, 64}, 64),
       norm(batch_norm2d, true, false)},
      {"batch_norm2d", "64 channels, 2 x 32²", statistics({2, 32, 32, 64}, 64), norm(batch_norm2d, false, false)},
      {"inner_batch_norm", "order 16, 12 fields, 2 x 16², training, ReLU",
       statistics(features({2, 16, 16, 12, 16}, D8), 12), norm(inner_batch_norm, true, true)},
      {"inner_batch_norm",
       "order 16, 8 fields, 1 x 8², computed again for the convolution behind it",
       {features({1, 8, 8, 8, 16}, D8), {8}, {8}, {8, 8, 6, 16}},
       [=](Inputs t) {
         Tensor y = inner_batch_norm(t[0], t[1], t[2], {}, {}, {.training = true, .relu = true, .recompute = true});
         return group_conv2d(D8, y, t[3], {}, {.padding = 1});
       }},
      {"group_max_pool",
       "order 16, 24 fields, 2 x 16²",
       {features({2, 16, 16, 24, 16}, D8)},
       [](Inputs t) { return group_max_pool(t[0]); }},
      {"group_mean_pool",
       "order 16, 24 fields, 2 x 16²",
       {features({2, 16, 16, 24, 16}, D8)},
       [](Inputs t) { return group_mean_pool(t[0]); }},
      {"antialiased_avg_pool",
       "order 16, 12 fields, 1 x 16²",
       {features({1, 16, 16, 12, 16}, D8)},
       [](Inputs t) { return antialiased_avg_pool(t[0]); }},
      {"act",
       "order 16, 12 fields, 1 x 16²",
       {features({1, 16, 16, 12, 16}, D8)},
       [=](Inputs t) { return act(D8, 6, t[0]); }},
      {"turn",
       "order 16, 12 fields, 1 x 16²",
       {features({1, 16, 16, 12, 16}, D8)},
       [](Inputs t) {
         return turn(t[0], {33, true});
       }},
  };
}

inline std::vector<TrafficCase> pointwise_traffic() {
  Input const x{2, 32, 32, 64};
  std::string const whole = "64 channels, 2 x 32²";
  return {
      {"relu", whole, {x}, [](Inputs t) { return relu(t[0]); }},
      {"silu", whole, {x}, [](Inputs t) { return silu(t[0]); }},
      {"operator+", whole, {x, x}, [](Inputs t) { return t[0] + t[1]; }},
      {"operator+", whole + ", a bias", {x, {64}}, [](Inputs t) { return t[0] + t[1]; }},
      {"operator*", whole + ", a factor of each channel", {x, {2, 1, 1, 64}}, [](Inputs t) { return t[0] * t[1]; }},
      {"operator*", whole + ", a number", {x}, [](Inputs t) { return 1.5 * t[0]; }},
      {"sum", whole, {x}, [](Inputs t) { return sum(t[0]); }},
      {"sum", "rows, 512 x 1024", {{512, 1024}}, [](Inputs t) { return sum(t[0], -1); }},
      {"sum", "short rows, 1024 x 10", {{1024, 10}}, [](Inputs t) { return sum(t[0], -1); }},
      {"sum", "columns, 1024 x 512", {{1024, 512}}, [](Inputs t) { return sum(t[0], 0); }},
      {"mean",
       whole + ", of each image",
       {x},
       [](Inputs t) {
         return mean(t[0], {axis::H, axis::W});
       }},
      {"max", "rows, 512 x 64", {{512, 64}}, [](Inputs t) { return max(t[0], 1); }},
      {"argmax", "rows, 512 x 10", {constant({512, 10})}, [](Inputs t) { return argmax(t[0], 1); }},
      {"global_avg_pool", whole, {x}, [](Inputs t) { return global_avg_pool(t[0]); }},
      {"softmax", "1024 x 10", {{1024, 10}}, [](Inputs t) { return softmax(t[0], 1); }},
      {"log_softmax", "1024 x 10", {{1024, 10}}, [](Inputs t) { return log_softmax(t[0], 1); }},
      {"permute",
       "NHWC to NCHW, " + whole,
       {x},
       [](Inputs t) {
         return t[0].permute({0, 3, 1, 2}).contiguous();
       }},
      {"cast", whole + ", to bfloat16", {constant(x)}, [](Inputs t) { return t[0].cast(DType::bf16); }},
      {"concat",
       "two of 64 channels, 2 x 32²",
       {x, x},
       [](Inputs t) {
         return concat({t[0], t[1]}, -1);
       }},
      {"concat",
       "two of 64 channels, 2 x 32², ReLU of the first",
       {x, x},
       [](Inputs t) {
         return concat({t[0], t[1]}, -1, {.relu = {true}});
       }},
      {"dropout", whole, {x}, [](Inputs t) { return dropout(t[0], 0.3); }},
      {"spatial_dropout", whole, {x}, [](Inputs t) { return spatial_dropout(t[0], 0.3); }},
      {"reparameterise", "64 x 512", {{64, 512}, {64, 512}}, [](Inputs t) { return reparameterise(t[0], t[1]); }},
  };
}

inline std::vector<TrafficCase> layer_traffic() {
  Input const x{2, 32, 32, 64}, small{2, 16, 16, 64};
  std::string const whole = "64 channels, 2 x 32²", half = "64 channels, 2 x 16²";
  UpsampleOptions const smooth{.scale = 2, .mode = Upsample::bilinear};
  return {
      {"max_pool2d", "2x2, " + whole, {x}, [](Inputs t) { return max_pool2d(t[0]); }},
      {"max_pool2d",
       "3x3, stride 2, " + whole,
       {x},
       [](Inputs t) { return max_pool2d(t[0], {.kernel = 3, .stride = 2, .padding = 1}); }},
      {"avg_pool2d", "2x2, " + whole, {x}, [](Inputs t) { return avg_pool2d(t[0]); }},
      {"adaptive_avg_pool2d", "to 4 x 4, " + whole, {x}, [](Inputs t) { return adaptive_avg_pool2d(t[0], 4); }},
      {"antialiased_avg_pool", "5x5, stride 2, " + whole, {x}, [](Inputs t) { return antialiased_avg_pool(t[0]); }},
      {"upsample", "nearest, " + half, {small}, [](Inputs t) { return upsample(t[0]); }},
      {"upsample", "bilinear, " + half, {small}, [=](Inputs t) { return upsample(t[0], smooth); }},
      {"pad2d", "circular, " + half, {small}, [](Inputs t) { return pad2d(t[0], 2, PaddingMode::circular); }},
      {"group_norm",
       "8 groups, " + whole,
       {x, {64}, {64}},
       [](Inputs t) { return group_norm(t[0], t[1], t[2], {.groups = 8}); }},
      {"squeeze_excitation",
       "64→4→64, 2 x 32²",
       {x, {4, 64}, {4}, {64, 4}, {64}},
       [](Inputs t) { return squeeze_excitation(t[0], t[1], t[2], t[3], t[4]); }},
      {"squeeze_excitation",
       "64→4→64, 2 x 32², residual, ReLU",
       {x, {4, 64}, {4}, {64, 4}, {64}, x},
       [](Inputs t) {
         return squeeze_excitation(t[0], t[1], t[2], t[3], t[4], {t[5], true});
       }},
      {"squeeze_excitation",
       "behind conv2d 1x1, 64→64, and its norm in training, 64→4→64, 2 x 32², residual, ReLU",
       {x, {4, 64}, {4}, {64, 4}, {64}, x, {64}, {64}, {64, 64, 1, 1}},
       [](Inputs t) {
         Tensor sums = empty({2, 64, 2}, {.dtype = DType::f64, .device = t[0].device()});
         NormInFront const norm{t[6], t[7], {}, {}, {.training = true, .sums = sums}};
         return squeeze_excitation(conv2d(t[0], t[8], {}, {.sums = sums}), t[1], t[2], t[3], t[4], {t[5], true, norm});
       }},
      {"image_sums", "64 channels, 2 x 32²", {constant(x)}, [](Inputs t) { return detail::image_sums(t[0]); }},
  };
}

inline std::vector<TrafficCase> loss_traffic() {
  Input const probability = between(0.1, 0.9, {64, 1024}), target = constant(between(0, 1, {64, 1024})), any{64, 1024};
  std::string const whole = "64 x 1024", scores = "1024 x 10";
  return {
      {"bce", whole, {probability, target}, [](Inputs t) { return bce(t[0], t[1]); }},
      {"bce_with_logits", whole, {any, target}, [](Inputs t) { return bce_with_logits(t[0], t[1]); }},
      {"mse", whole, {any, target}, [](Inputs t) { return mse(t[0], t[1]); }},
      {"l1", whole, {any, target}, [](Inputs t) { return l1(t[0], t[1]); }},
      {"kl_standard_normal",
       "64 x 512",
       {{64, 512}, {64, 512}},
       [](Inputs t) { return kl_standard_normal(t[0], t[1]); }},
      {"cross_entropy", scores, {{1024, 10}, labels(10, {1024})}, [](Inputs t) { return cross_entropy(t[0], t[1]); }},
      {"focal_loss", scores, {{1024, 10}, labels(10, {1024})}, [](Inputs t) { return focal_loss(t[0], t[1]); }},
  };
}

/// A step of all parameters together: the first half of the inputs, whose gradients are the second.
template <class Optimiser> Tensor step_together(Inputs t, double longest) {
  size_t const count = t.size() / 2;
  std::vector<Tensor> parameters;
  for (size_t i = 0; i < count; ++i) {
    parameters.push_back(t[i].set_requires_grad());
    Tape::accumulate(t[i], t[count + i]);
  }
  Optimiser optimiser(parameters);
  optimiser.clip(longest);
  optimiser.step();
  return t[0];
}

inline std::vector<TrafficCase> training_traffic() {
  Input const weights = constant({64, 64, 3, 3}), bias = constant({64}), matrix = constant({10, 64});
  std::vector<Input> const network{weights, bias, matrix, weights, bias, matrix};
  Input const square = constant(between(0, 1, {64, 64, 3, 3}));
  std::string const three = "64 x 64 x 3 x 3, 64 and 10 x 64 values", one = "64 x 64 x 3 x 3 values";
  return {
      {"Adam::step", three + ", clipped", network, [](Inputs t) { return step_together<optim::Adam>(t, 1); }},
      {"Sgd::step", three, network, [](Inputs t) { return step_together<optim::Sgd>(t, 0); }},
      {"adamw_step",
       one,
       {weights, weights, weights, square},
       [](Inputs t) {
         optim::adamw_step(t[0], t[1], t[2], t[3], {}, 2);
         return t[0];
       }},
      {"LossMeter::add",
       "one number",
       {constant({1})},
       [](Inputs t) {
         optim::LossMeter(t[0].device()).add(t[0]);
         return t[0];
       }},
  };
}

inline std::vector<TrafficCase> vision_traffic() {
  Input const pictures{4, 64, 64, 3};
  vision::AugmentBandsOptions const noisy{.shift = 2, .size = 56, .noise = {0.1, 0.1, 0.1, 0.2, 0.2}, .drop = 0.2};
  return {
      {"hog", "4 x 64²", {constant({4, 64, 64, 1})}, [](Inputs t) { return vision::hog(t[0]); }},
      {"asinh_stretch", "3 bands, 4 x 64²", {pictures}, [](Inputs t) { return vision::asinh_stretch(t[0], 0.1); }},
      {"fit_stretch",
       "3 bands, 64²",
       {constant({64, 64, 3})},
       [](Inputs t) { return vision::fit_stretch(t[0]).apply(t[0]); }},
      {"augment",
       "3 bands, 4 x 64², by any angle",
       {constant(pictures)},
       [](Inputs t) { return vision::augment(t[0], {.shift = 2, .zoom = 0.1}, {.seed = 1, .stream = 2}); }},
      {"augment_band_batch",
       "5 bands, 4 x 64² to 56², moved, noise",
       {constant({4, 64, 64, 5}), constant(between(1, 2, {4, 5}))},
       [=](Inputs t) {
         return vision::augment_band_batch({t[0], t[1]}, 7, noisy).image;
       }},
  };
}

/// A map whose rows have 48 neighbours each, of whom the nearest lie side by side.
inline learn::detail::Affinities neighbours_in_a_ring(int64_t rows) {
  learn::detail::Affinities a{.order = std::vector<int32_t>(size_t(rows)), .start = {0}, .to = {}, .p = {}};
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t k = 0; k < 48; ++k) a.to.push_back(int32_t((i + k * k) % rows));
    a.start.push_back(int64_t(a.to.size()));
  }
  a.p.assign(a.to.size(), float(1 / double(a.to.size())));
  return a;
}
inline std::vector<TrafficCase> learn_traffic() {
  return {{"tsne", "512 rows, 48 neighbours, a step", {constant({512, 2})}, [](Inputs t) {
             Tensor const y = t[0].to(Device());
             learn::detail::DeviceMap map(neighbours_in_a_ring(512), t[0].device(),
                                          {y.data<float>(), y.data<float>() + 1024});
             map.differentiate(1, 0, true), map.step(100, 0.8);
             return t[0];
           }}};
}

inline std::vector<TrafficCase> all_traffic() {
  std::vector<TrafficCase> all;
  for (auto const& family : {dense_traffic(), group_traffic(), pointwise_traffic(), layer_traffic(), loss_traffic(),
                             training_traffic(), vision_traffic(), learn_traffic()})
    all.insert(all.end(), family.begin(), family.end());
  return all;
}

}  // namespace d16::traffic
