// Contract of a meter: losses added up where they are, so that the host need not wait for each.
#pragma once
#include "view.hpp"

namespace d16::kernels {

/// All double: the host sees it as a tensor.
struct MeterState {
  double sum = 0, count = 0;              ///< of the values that were finite
  double bad = 0;                         ///< how many were not
  double first_bad = 0, first_value = 0;  ///< the first of those: its number among all, from 1, and what it was
};

/// meter   adds value[0] to the state.
template <class T> struct Meter {
  T const* value{};
  MeterState* state{};
};

}  // namespace d16::kernels
