// Cases of the op list: pooling over windows, padding, and upsampling.
#pragma once
#include <d16/ops/pad2d.hpp>
#include <d16/ops/pool2d.hpp>
#include <d16/ops/upsample.hpp>

#include "../op_case.hpp"

namespace d16::testing {

inline std::vector<OpCase> pooling_cases() {
  double exact = 1;
  UpsampleOptions smooth{.scale = 3, .mode = Upsample::bilinear},
      corners{.scale = 2, .mode = Upsample::bilinear, .align_corners = true};
  return {
      {"max_pool2d", {separated({2, 8, 6, 3})}, [](Inputs t) { return max_pool2d(t[0]); }, exact},
      {"max_pool2d overlapping",
       {separated({1, 7, 11, 19})},
       [](Inputs t) {
         return max_pool2d(t[0], {.kernel = {3, 5}, .stride = {2, 3}, .padding = {1, 2}});
       },
       6},
      {"max_pool2d features",
       {features(separated({1, 5, 4, 2, 16}), D16)},
       [](Inputs t) { return max_pool2d(t[0], {.kernel = 3, .stride = 1}); },
       9},
      {"max_pool2d gaps",
       {separated({1, 9, 7, 1})},
       [](Inputs t) { return max_pool2d(t[0], {.kernel = 1, .stride = 3}); },
       exact},
      {"avg_pool2d", {{2, 8, 6, 3}}, [](Inputs t) { return avg_pool2d(t[0]); }, 4},
      {"avg_pool2d overlapping",
       {{1, 7, 11, 19}},
       [](Inputs t) {
         return avg_pool2d(t[0], {.kernel = {3, 5}, .stride = {2, 3}, .padding = {1, 2}});
       },
       15},
      {"avg_pool2d without padding",
       {{2, 5, 7, 1}},
       [](Inputs t) { return avg_pool2d(t[0], {.kernel = 3, .stride = 2, .padding = 1, .count_include_pad = false}); },
       9},
      {"pad2d", {{2, 3, 5, 7}}, [](Inputs t) { return pad2d(t[0], {.top = 1, .left = 2, .right = 3}); }, exact},
      {"pad2d circular",
       {{1, 5, 4, 19}},
       [](Inputs t) {
         return pad2d(t[0], {5, 2, 3, 4}, PaddingMode::circular);
       },
       9},
      {"pad2d circular features",
       {features({1, 3, 2, 1, 16}, D16)},
       [](Inputs t) { return pad2d(t[0], 2, PaddingMode::circular); },
       9},
      {"pad2d reflect",
       {{2, 7, 5, 3}},
       [](Inputs t) {
         return pad2d(t[0], {6, 1, 4, 3}, PaddingMode::reflect);
       },
       9},
      {"pad2d reflect one row",
       {{1, 1, 6, 2}},
       [](Inputs t) { return pad2d(t[0], {.left = 5, .right = 2}, PaddingMode::reflect); },
       3},
      {"upsample", {{2, 3, 5, 7}}, [](Inputs t) { return upsample(t[0]); }, 4},
      {"upsample features",
       {features({1, 2, 3, 1, 16}, D16)},
       [](Inputs t) { return upsample(t[0], {.scale = 3}); },
       9},
      {"upsample bilinear", {{2, 4, 5, 3}}, [=](Inputs t) { return upsample(t[0], smooth); }, 36},
      {"upsample bilinear corners", {{1, 5, 3, 19}}, [=](Inputs t) { return upsample(t[0], corners); }, 36},
      {"upsample bilinear one pixel", {{1, 1, 1, 2}}, [=](Inputs t) { return upsample(t[0], corners); }, 4},
      {"upsample bilinear one row", {{1, 1, 7, 2}}, [=](Inputs t) { return upsample(t[0], smooth); }, 36},
  };
}

}  // namespace d16::testing
