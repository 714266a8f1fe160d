// Cases of the op list: reductions and concat.
#pragma once
#include <d16/ops/concat.hpp>
#include <d16/ops/reduce.hpp>

#include "../op_case.hpp"

namespace d16::testing {

inline std::vector<OpCase> reduce_cases() {
  double exact = 1;
  return {
      {"sum", {{3, 7, 11}}, [](Inputs t) { return sum(t[0]); }},
      {"sum rows", {{3, 7, 11}}, [](Inputs t) { return sum(t[0], -1, false); }, 11},
      {"sum columns",
       {{37, 1, 3}},
       [](Inputs t) {
         return sum(t[0], {0, 1});
       },
       37},
      {"sum apart",
       {features({2, 3, 5, 7, 16}, D16)},
       [](Inputs t) {
         return sum(t[0], {axis::N, axis::H, axis::W, axis::G});
       },
       480},
      {"sum over nothing", {{3, 5}}, [](Inputs t) { return sum(t[0], Axes{}); }, exact},
      {"mean", {{3, 7, 11}}, [](Inputs t) { return mean(t[0]); }},
      {"mean image",
       {{2, 5, 7, 3}},
       [](Inputs t) {
         return mean(t[0], {axis::H, axis::W});
       },
       35},
      {"max", {separated({3, 7, 11})}, [](Inputs t) { return max(t[0]); }, exact},
      {"max apart",
       {separated({3, 5, 7, 2})},
       [](Inputs t) {
         return max(t[0], {0, 2}, false);
       },
       exact},
      {"max rows", {separated({5, 19})}, [](Inputs t) { return max(t[0], 1); }, exact},
      {"argmax", {constant(separated({5, 7, 3}))}, [](Inputs t) { return argmax(t[0], 1); }, exact, false},
      {"sum_to",
       {{3, 5, 7}},
       [](Inputs t) {
         return sum_to(t[0], {5, 1});
       },
       21},
      {"global_avg_pool", {{2, 5, 7, 3}}, [](Inputs t) { return global_avg_pool(t[0]); }, 35},
      {"concat",
       {{3, 2, 5}, {3, 4, 5}, {3, 1, 5}},
       [](Inputs t) {
         return concat({t[0], t[1], t[2]}, 1);
       },
       exact},
      {"concat with ReLU",
       {{2, 3, 5, 4}, {2, 3, 5, 7}, {2, 3, 5, 8}},
       [](Inputs t) {
         return concat({t[0], t[1], t[2]}, axis::C, {.relu = {true, false, true}});
       },
       exact},
      {"concat with ReLU along rows",
       {{3, 2, 5}, {3, 4, 5}},
       [](Inputs t) {
         return concat({t[0], t[1]}, 1, {.relu = {false, true}});
       },
       exact},
      {"concat twice the same",
       {{3, 2}},
       [](Inputs t) {
         return concat({t[0], t[0]}, -1);
       },
       2},
  };
}

}  // namespace d16::testing
