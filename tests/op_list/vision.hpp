// Cases of the op list: what is done to images before a network sees them.
#pragma once
#include <d16/vision/hog.hpp>
#include <d16/vision/stretch.hpp>

#include "../op_case.hpp"

namespace d16::testing {

inline std::vector<OpCase> vision_cases() {
  // The argument, three of asinh, the quotient; of the gradient as many.
  double few = 8;
  // A bin adds the pixels of a cell, the norm those of a block; cpu and reference in different order.
  double sums = 4 * (5 * 4 * 3 + 2 * 2 * 7);
  return {
      {"asinh_stretch", {{3, 7, 11}}, [](Inputs t) { return vision::asinh_stretch(t[0], 0.3); }, few},
      {"asinh_stretch of one", {{1}}, [](Inputs t) { return vision::asinh_stretch(t[0], 3); }, few},
      {"hog",
       {constant({2, 17, 19, 3})},
       [](Inputs t) {
         return vision::hog(t[0], {.orientations = 7, .pixels_per_cell = {5, 4}, .cells_per_block = 2});
       },
       sums,
       false},
  };
}

}  // namespace d16::testing
