// Where an element of a loop nest lies in each of its arrays, on the device.
#pragma once
#include "../nest.hpp"
#include "gpu.hpp"

namespace d16::kernels {
namespace D16_GPU {

/// The offset of element `flat`, in row-major order, in array k. Index is uint32_t wherever that holds all numbers: a
/// division by an axis is the cost of this, and the outermost axis, the only one of a contiguous array, has none.
template <class Index, int arrays>
__device__ __forceinline__ int64_t nest_offset(Nest<arrays> const& nest, int k, Index flat) {
  int64_t offset = 0;
  for (int i = nest.rank - 1; i > 0; --i) {
    Index const size = Index(nest.size[i]);
    offset += int64_t(flat % size) * nest.stride[k][i];
    flat /= size;
  }
  return offset + int64_t(flat) * nest.stride[k][0];
}

inline bool fits_32_bits(int64_t numel) { return numel < int64_t(1) << 31; }

}  // namespace D16_GPU
}  // namespace d16::kernels
