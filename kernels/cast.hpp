// Contract of the conversion between element types.
#pragma once
#include <d16/core/dtype.hpp>

#include "view.hpp"

namespace d16::kernels {

/// y[i] = x[i] as another type. To an integer: towards zero, saturating, NaN to 0. To bool: x != 0.
struct Cast {
  int64_t n = 0;
  DType from{}, to{};
  void const* x{};
  void* y{};
};

}  // namespace d16::kernels
