// Cases of the op list: group norm, adaptive pooling, squeeze and excitation, dropout of channels.
#pragma once
#include <d16/ops/adaptive_avg_pool2d.hpp>
#include <d16/ops/group_norm.hpp>
#include <d16/ops/spatial_dropout.hpp>
#include <d16/ops/squeeze_excitation.hpp>

#include "../op_case.hpp"

namespace d16::testing {

inline std::vector<OpCase> layer_cases() {
  auto norm = [](int groups, double eps = 1e-5) {
    return [=](Inputs t) { return group_norm(t[0], t[1], t[2], {.groups = groups, .eps = eps}); };
  };
  auto gate = [](Inputs t) { return squeeze_excitation(t[0], t[1], t[2], t[3], t[4]); };
  auto ending = [](auto options) {
    return [=](Inputs t) { return squeeze_excitation(t[0], t[1], t[2], t[3], t[4], options(t[5])); };
  };
  auto dropped = [](double p) {
    return [=](Inputs t) {
      manual_seed(5);
      return spatial_dropout(t[0], p);
    };
  };
  double exact = 2;
  return {
      {"group_norm", {{2, 5, 7, 6}, {6}, {6}}, norm(3)},
      {"group_norm one group", {{3, 4, 5, 7}, {7}, {7}}, norm(1)},
      {"group_norm of each channel", {{1, 3, 67, 5}, {5}, {5}}, norm(5)},
      // two values for each group: without a large eps they become 1 and -1, whose gradient is 0
      {"group_norm one pixel", {{2, 1, 1, 4}, {4}, {4}}, norm(2, 0.1)},
      {"group_norm without weights, far from zero",
       {between(9, 11, {2, 3, 5, 4})},
       // the mean of about 10 is rounded before it is taken off, against a spread of about 1
       [](Inputs t) { return group_norm(t[0], {}, {}, {.groups = 2, .eps = 0.01}); },
       20 * 30},

      {"adaptive_avg_pool2d", {{2, 8, 6, 3}}, [](Inputs t) { return adaptive_avg_pool2d(t[0], 2); }, 12},
      {"adaptive_avg_pool2d overlapping",
       {{1, 7, 11, 19}},
       [](Inputs t) {
         return adaptive_avg_pool2d(t[0], {3, 4});
       },
       16},
      {"adaptive_avg_pool2d wider than a block of channels",
       {{1, 5, 3, 131}},
       [](Inputs t) { return adaptive_avg_pool2d(t[0], 2); },
       12},
      {"adaptive_avg_pool2d repeats pixels",
       {{1, 2, 3, 2}},
       [](Inputs t) {
         return adaptive_avg_pool2d(t[0], {5, 3});
       },
       12},
      {"adaptive_avg_pool2d features",
       {features({1, 5, 4, 2, 16}, D16)},
       [](Inputs t) { return adaptive_avg_pool2d(t[0], 3); },
       12},
      {"adaptive_avg_pool2d one pixel", {{1, 1, 1, 1}}, [](Inputs t) { return adaptive_avg_pool2d(t[0], 1); }, exact},

      {"squeeze_excitation", {{2, 5, 7, 8}, {2, 8}, {2}, {8, 2}, {8}}, gate},
      {"squeeze_excitation seven bands", {{3, 4, 3, 7}, {3, 7}, {3}, {7, 3}, {7}}, gate},
      {"squeeze_excitation wide", {{1, 3, 2, 301}, {5, 301}, {5}, {301, 5}, {301}}, gate},
      {"squeeze_excitation one number", {{1, 1, 1, 1}, {1, 1}, between(2, 3, {1}), {1, 1}, {1}}, gate},
      {"squeeze_excitation with a residual",
       {{2, 5, 7, 8}, {2, 8}, {2}, {8, 2}, {8}, {2, 5, 7, 8}},
       ending([](Tensor residual) { return SqueezeExcitationOptions{residual}; })},
      {"squeeze_excitation with a residual and ReLU",
       {{3, 4, 3, 7}, {3, 7}, {3}, {7, 3}, {7}, {3, 4, 3, 7}},
       ending([](Tensor residual) {
         return SqueezeExcitationOptions{residual, true};
       })},
      {"squeeze_excitation with ReLU",
       {{1, 3, 2, 19}, {5, 19}, {5}, {19, 5}, {19}},
       [](Inputs t) {
         return squeeze_excitation(t[0], t[1], t[2], t[3], t[4], {{}, true});
       }},
      {"squeeze_excitation behind a norm in training",
       {{3, 4, 3, 7}, {3, 7}, {3}, {7, 3}, {7}, {3, 4, 3, 7}, {7}, {7}},
       [](Inputs t) {
         NormInFront const norm{t[6], t[7], {}, {}, {.training = true}};
         return squeeze_excitation(t[0], t[1], t[2], t[3], t[4], {t[5], true, norm});
       }},
      {"squeeze_excitation behind a norm",
       {{2, 5, 7, 6}, {2, 6}, {2}, {6, 2}, {6}, {6}, {6}, constant({6}), constant(between(0.5, 2, {6}))},
       [](Inputs t) {
         return squeeze_excitation(t[0], t[1], t[2], t[3], t[4], {.norm = NormInFront{t[5], t[6], t[7], t[8], {}}});
       }},
      {"squeeze_excitation without bias",
       {{2, 3, 3, 5}, {4, 5}, {5, 4}},
       [](Inputs t) { return squeeze_excitation(t[0], t[1], {}, t[2], {}); }},

      {"spatial_dropout", {{3, 5, 7, 11}}, dropped(0.4), exact},
      {"spatial_dropout features", {features({2, 3, 2, 5, 16}, D16)}, dropped(0.5), exact},
      {"spatial_dropout eval", {{2, 3, 3, 5}}, [](Inputs t) { return spatial_dropout(t[0], 0.3, false); }, exact},
  };
}

}  // namespace d16::testing
