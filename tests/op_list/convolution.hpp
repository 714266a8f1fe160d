// Cases of the op list: convolutions and the fully connected layer.
#pragma once
#include <algorithm>

#include <d16/ops/conv2d.hpp>
#include <d16/ops/conv_transpose2d.hpp>
#include <d16/ops/linear.hpp>

#include "../op_case.hpp"

namespace d16::testing {

inline std::vector<OpCase> convolution_cases() {
  // the sum behind a value of y or dx runs over taps and channels (and a bias), behind dw over all pixels
  auto terms = [](double taps, double channels, double pixels) { return std::max(taps * channels + 1, pixels); };
  return {
      {"linear", {{5, 7}, {3, 7}, {3}}, [](Inputs t) { return linear(t[0], t[1], t[2]); }, 8},
      {"linear no bias, more axes", {{2, 3, 5}, {17, 5}}, [](Inputs t) { return linear(t[0], t[1]); }, 17},
      {"linear one number", {{1, 1}, {1, 1}, {1}}, [](Inputs t) { return linear(t[0], t[1], t[2]); }, 2},
      {"conv2d",
       {{2, 5, 7, 3}, {5, 3, 3, 3}, {5}},
       [](Inputs t) { return conv2d(t[0], t[1], t[2], {.padding = 1}); },
       terms(9, 5, 70)},
      {"conv2d uneven stride, padding, kernel, dilation",
       {{1, 9, 11, 2}, {3, 2, 2, 5}, {3}},
       [](Inputs t) {
         return conv2d(t[0], t[1], t[2], {.stride = {3, 2}, .padding = {1, 4}, .dilation = {2, 3}});
       },
       terms(10, 3, 99)},
      {"conv2d stride longer than the kernel",
       {{1, 7, 8, 1}, {2, 1, 2, 1}},
       [](Inputs t) { return conv2d(t[0], t[1], {}, {.stride = 3}); },
       terms(2, 2, 56)},
      {"conv2d groups",
       {{2, 4, 3, 6}, {9, 2, 3, 3}, {9}},
       [](Inputs t) { return conv2d(t[0], t[1], t[2], {.padding = 1, .groups = 3}); },
       terms(9, 3, 24)},
      {"conv2d depthwise",
       {{1, 5, 5, 17}, {17, 1, 3, 3}},
       [](Inputs t) { return conv2d(t[0], t[1], {}, {.stride = 2, .padding = 1, .groups = 17}); },
       terms(9, 1, 25)},
      {"conv2d one pixel", {{1, 1, 1, 1}, {1, 1, 1, 1}}, [](Inputs t) { return conv2d(t[0], t[1]); }, 2},
      {"conv2d padding wider than the image",
       {{2, 1, 2, 1}, {1, 1, 5, 3}},
       [](Inputs t) {
         return conv2d(t[0], t[1], {}, {.padding = {3, 2}});
       },
       terms(15, 1, 40)},
      {"conv_transpose2d",
       {{2, 3, 5, 3}, {3, 4, 2, 2}, {4}},
       [](Inputs t) { return conv_transpose2d(t[0], t[1], t[2], {.stride = 2}); },
       terms(4, 4, 120)},
      {"conv_transpose2d uneven",
       {{1, 4, 3, 2}, {2, 5, 3, 4}, {5}},
       [](Inputs t) {
         return conv_transpose2d(t[0], t[1], t[2], {.stride = {2, 3}, .padding = {1, 2}, .output_padding = {1, 2}});
       },
       terms(12, 5, 80)},
      {"conv_transpose2d beside a skip, ReLU",
       {{2, 3, 5, 3}, {3, 4, 2, 2}, {4}, {2, 6, 10, 5}},
       [](Inputs t) { return conv_transpose2d(t[0], t[1], t[2], {.stride = 2, .relu = true, .beside = t[3]}); },
       terms(4, 4, 120)},
      {"conv_transpose2d gaps",
       {{1, 2, 3, 1}, {1, 1, 1, 2}},
       [](Inputs t) {
         return conv_transpose2d(t[0], t[1], {}, {.stride = {2, 4}});
       },
       terms(2, 1, 30)},
  };
}

}  // namespace d16::testing
