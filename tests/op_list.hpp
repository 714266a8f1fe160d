// All ops: the cases of every family, joined. A new family adds its include and its name here; op_list_test.cpp fails
// while a public function of include/d16/ops has no case.
#pragma once
#include "op_case.hpp"
#include "op_list/convolution.hpp"
#include "op_list/group.hpp"
#include "op_list/layers.hpp"
#include "op_list/losses.hpp"
#include "op_list/pointwise.hpp"
#include "op_list/pooling.hpp"
#include "op_list/reduce.hpp"
#include "op_list/views.hpp"
#include "op_list/vision.hpp"

namespace d16::testing {

inline std::vector<OpCase> const& op_list() {
  static std::vector<OpCase> const all = [] {
    std::vector<OpCase> joined;
    for (auto family : {convolution_cases, group_cases, layer_cases, loss_cases, pointwise_cases, pooling_cases,
                        reduce_cases, view_cases, vision_cases})
      for (OpCase const& op : family()) joined.push_back(op);
    return joined;
  }();
  return all;
}

}  // namespace d16::testing
