// Strided copy, one element at a time: the specification.
#pragma once
#include <cstring>

#include "../copy.hpp"

namespace d16::kernels::reference {

inline int copy(Copy const& a) {
  int64_t inner = a.nest.inner();
  for (int64_t row = 0; row < a.nest.rows(); ++row)
    for (int64_t i = 0; i < inner; ++i) {
      int64_t to = a.nest.row_offset(0, row) + i * a.nest.inner_stride(0);
      int64_t from = a.nest.row_offset(1, row) + i * a.nest.inner_stride(1);
      std::memcpy(static_cast<char*>(a.y) + to * a.element_bytes,
                  static_cast<char const*>(a.x) + from * a.element_bytes, size_t(a.element_bytes));
    }
  return ok;
}

}  // namespace d16::kernels::reference
