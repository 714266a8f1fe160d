// Cases of the op list: views and copies.
#pragma once
#include <d16/ops/views.hpp>

#include "../op_case.hpp"

namespace d16::testing {

inline std::vector<OpCase> view_cases() {
  double exact = 1;  // nothing is added: a gradient is one upstream value, or for expand a sum
  return {
      {"slice", {{3, 7, 2}}, [](Inputs t) { return t[0].slice(1, 2, 5); }, exact},
      {"slice of nothing", {{3, 7, 2}}, [](Inputs t) { return t[0].slice(-1, 0, 2); }, exact},
      {"select", {{3, 5, 2, 4}}, [](Inputs t) { return t[0].select(1, 3); }, exact},
      {"permute",
       {{2, 3, 5, 7}},
       [](Inputs t) {
         return t[0].permute({2, 0, 3, 1});
       },
       exact},
      {"expand",
       {{3, 1, 5}},
       [](Inputs t) {
         return t[0].expand({2, 3, 4, 5});
       },
       8},
      {"reshape",
       {{2, 3, 4}},
       [](Inputs t) {
         return t[0].reshape({6, -1});
       },
       exact},
      {"reshape of a strided view",
       {{2, 3, 4}},
       [](Inputs t) {
         return t[0].permute({2, 1, 0}).reshape({-1});
       },
       exact},
      {"contiguous",
       {{3, 5}},
       [](Inputs t) {
         return t[0].permute({1, 0}).contiguous();
       },
       exact},
      {"clone", {{3, 5}}, [](Inputs t) { return t[0].clone(); }, exact},
      {"cast", {{17}}, [](Inputs t) { return t[0].cast(DType::f64); }, exact},
      {"to", {{17}}, [](Inputs t) { return t[0].to("cpu").to(t[0].device()); }, exact},
  };
}

}  // namespace d16::testing
