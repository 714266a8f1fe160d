// Cases of the op list: convolutions, normalisation and pooling of group features.
#pragma once
#include <d16/ops/antialiased_avg_pool.hpp>
#include <d16/ops/arithmetic.hpp>
#include <d16/ops/batch_norm.hpp>
#include <d16/ops/group_action.hpp>
#include <d16/ops/group_conv2d.hpp>
#include <d16/ops/group_pool.hpp>
#include <d16/ops/inner_batch_norm.hpp>

#include "../op_case.hpp"

namespace d16::testing {

inline std::vector<OpCase> group_cases() {
  using In = std::vector<Input>;
  auto norm = [](auto op, BatchNormOptions o) { return [=](Inputs t) { return op(t[0], t[1], t[2], t[3], t[4], o); }; };
  auto statistics = [](int64_t c) { return In{constant({c}), constant(between(0.5, 2, {c}))}; };
  auto norm_inputs = [&](Input x, int64_t c) {
    In inputs{x, {c}, {c}};
    for (Input const& s : statistics(c)) inputs.push_back(s);
    return inputs;
  };
  // the sum behind a value of y runs over Ci, taps and elements and behind each tap over V, and behind a weight's
  // gradient over all pixels and G taps and elements
  auto terms = [](double pixels, double Ci, double Co, double V, double G, double taps) {
    return V + std::max({Ci * taps * G, Co * taps * G, pixels * taps * G});
  };
  return {
      {"lift_conv2d",
       {{2, 5, 7, 3}, {2, 3, 6}, {2}},
       [](Inputs t) { return lift_conv2d(dihedral(3), t[0], t[1], t[2], {.padding = 1}); },
       terms(70, 3, 2, 6, 6, 9)},
      {"lift_conv2d one pixel, k 1",
       {{1, 1, 1, 1}, {1, 1, 1}},
       [](Inputs t) { return lift_conv2d(cyclic(4), t[0], t[1], {}, {.kernel = 1}); },
       terms(1, 1, 1, 1, 4, 1)},
      {"group_conv2d",
       {features({1, 5, 4, 2, 16}, D16), {3, 2, 6, 16}, {3}},
       [](Inputs t) { return group_conv2d(D16, t[0], t[1], t[2], {.padding = 1}); },
       terms(20, 2, 3, 6, 16, 9)},
      {"group_conv2d stride 2, k 5, dilation 2",
       {features({2, 9, 11, 1, 5}, cyclic(5)), {2, 1, 11, 5}},
       [](Inputs t) {
         return group_conv2d(cyclic(5), t[0], t[1], {}, {.kernel = 5, .stride = 2, .padding = 3, .dilation = 2});
       },
       terms(24, 1, 2, 11, 5, 25)},
      {"group_conv2d own rings",
       {features({1, 3, 3, 1, 2}, dihedral(1)), {1, 1, 4, 2}, {1}},
       [](Inputs t) {
         return group_conv2d(dihedral(1), t[0], t[1], t[2], {.rings = {{0, 1.2}, {0.3, 0.5}, {0, 1}}});
       },
       terms(1, 1, 1, 4, 2, 9)},
      {"pack_group_weights then the convolution, and a bias that has a gradient",
       {constant(features({1, 5, 4, 2, 16}, D16)), constant({3, 2, 6, 16}), {1, 1, 1, 3, 1}},
       [](Inputs t) {
         GroupConv2dOptions o{.padding = 1};
         o.packed = pack_group_weights(D16, Sides::regular, t[1], o);
         return group_conv2d(D16, t[0], t[1], {}, o) + t[2];
       },
       terms(20, 2, 3, 6, 16, 9)},
      {"group_conv2d of a norm that is computed again",
       {features({2, 4, 5, 2, 8}, dihedral(4)), between(0.5, 2, {2}), {2}, {3, 2, 6, 8}},
       [](Inputs t) {
         Tensor y = inner_batch_norm(t[0], t[1], t[2], {}, {}, {.training = true, .relu = true, .recompute = true});
         return group_conv2d(dihedral(4), y, t[3], {}, {.padding = 1});
       },
       terms(40, 2, 3, 6, 8, 9)},
      {"project_conv2d",
       {features({2, 4, 5, 3, 8}, dihedral(4)), {2, 3, 6}, {2}},
       [](Inputs t) { return project_conv2d(dihedral(4), t[0], t[1], t[2], {.padding = 1}); },
       terms(40, 3, 2, 6, 8, 9)},
      {"batch_norm2d", norm_inputs({3, 4, 5, 7}, 7), norm(batch_norm2d, {.training = true})},
      {"batch_norm2d two values", norm_inputs({2, 1, 1, 3}, 3), norm(batch_norm2d, {.training = true, .eps = 0.1})},
      {"batch_norm2d eval", norm_inputs({2, 3, 5, 19}, 19), norm(batch_norm2d, {})},
      {"inner_batch_norm", norm_inputs(features({2, 3, 5, 3, 16}, D16), 3), norm(inner_batch_norm, {.training = true})},
      {"inner_batch_norm relu", norm_inputs(features({2, 3, 5, 3, 8}, dihedral(4)), 3),
       norm(inner_batch_norm, {.training = true, .relu = true})},
      {"inner_batch_norm one pixel", norm_inputs(features({1, 1, 1, 5, 3}, cyclic(3)), 5),
       norm(inner_batch_norm, {.training = true})},
      {"inner_batch_norm eval", norm_inputs(features({2, 3, 3, 2, 5}, cyclic(5)), 2), norm(inner_batch_norm, {})},
      {"group_max_pool", {features(separated({2, 3, 5, 7, 16}), D16)}, [](Inputs t) { return group_max_pool(t[0]); }},
      {"group_max_pool order 5",
       {features(separated({1, 3, 1, 2, 5}), cyclic(5))},
       [](Inputs t) { return group_max_pool(t[0]); }},
      {"group_mean_pool", {features({2, 3, 5, 3, 8}, dihedral(4))}, [](Inputs t) { return group_mean_pool(t[0]); }},
      {"group_mean_pool order 6",
       {features({1, 2, 2, 1, 6}, dihedral(3))},
       [](Inputs t) { return group_mean_pool(t[0]); }},
      // two passes, each of up to five products whose weights are rounded too: 6 + 6
      {"antialiased_avg_pool", {{2, 9, 7, 19}}, [](Inputs t) { return antialiased_avg_pool(t[0]); }, 12},
      {"antialiased_avg_pool features",
       {features({1, 6, 5, 2, 16}, D16)},
       [](Inputs t) { return antialiased_avg_pool(t[0], {.sigma = 0.9, .kernel = 4, .stride = 3, .padding = 1}); },
       12},
      {"antialiased_avg_pool one pixel", {{1, 1, 1, 1}}, [](Inputs t) { return antialiased_avg_pool(t[0]); }, 12},
      {"act", {features({2, 5, 5, 3, 16}, D16)}, [](Inputs t) { return act(D16, 6, t[0]); }, 1},
      {"act mirrors an image", {{1, 3, 7, 2}}, [](Inputs t) { return act(dihedral(1), 1, t[0]); }, 1},
      // sixteen pixels, or as many that read one, with rounded weights; then the sum over the elements
      {"turn",
       {features({1, 5, 4, 3, 8}, dihedral(4))},
       [](Inputs t) {
         return turn(t[0], {33, true});
       },
       2 * 16 + 8},
      {"turn an image", {{2, 6, 7, 1}}, [](Inputs t) { return turn(t[0], {-100}); }, 2 * 16},
  };
}

}  // namespace d16::testing
