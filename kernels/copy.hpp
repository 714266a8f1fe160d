// Contracts of strided copy, type conversion and fill.
#pragma once
#include <cstddef>

#include "nest.hpp"
#include "view.hpp"

namespace d16::kernels {

/// y[index] = x[index] over the nest; array 0 is y, array 1 is x, strides in elements of element_bytes (1, 2, 4, 8).
struct Copy {
  Nest<2> nest;
  int element_bytes = 4;
  void const* x{};
  void* y{};
};

}  // namespace d16::kernels
