// All ops: the cases of every family, joined. A new family adds its include and its name here; op_list_test.cpp fails
// while a public function of include/d16/ops has no case.
#pragma once
#include "op_case.hpp"
#include "op_list/group.hpp"

namespace d16::testing {

inline std::vector<OpCase> const& op_list() {
  static std::vector<OpCase> const all = [] {
    std::vector<OpCase> joined;
    for (auto family : {group_cases})
      for (OpCase const& op : family()) joined.push_back(op);
    return joined;
  }();
  return all;
}

}  // namespace d16::testing
