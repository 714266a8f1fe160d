// Strided copy on a GPU: a thread for each element, of whatever type has its size, or for 16 bytes of a line.
#pragma once
#include "../copy.hpp"
#include "nest.cuh"

namespace d16::kernels {
namespace D16_GPU {

constexpr int copy_threads = 256;

template <class Element, class Index> __global__ void __launch_bounds__(copy_threads)
    copy_kernel(Nest<2> nest, int64_t numel, Element const* x, Element* y) {
  for (int64_t i = gpu::this_thread(); i < numel; i += gpu::all_threads())
    y[nest_offset(nest, 0, Index(i))] = x[nest_offset(nest, 1, Index(i))];
}

template <class Element> int copy_elements(Copy const& a) {
  int64_t const numel = a.nest.numel();
  if (numel == 0) return ok;
  auto const kernel = fits_32_bits(numel) ? copy_kernel<Element, uint32_t> : copy_kernel<Element, uint64_t>;
  return gpu::launch(kernel, gpu::blocks_for(numel, copy_threads), dim3(copy_threads), 0, gpu::current_stream(), a.nest,
                     numel, static_cast<Element const*>(a.x), static_cast<Element*>(a.y));
}

/// The copy in words of 16 bytes, where all lines of both arrays are made of such; with 0 bytes where not.
inline Copy in_words(Copy const& a) {
  Copy wide = a;
  wide.element_bytes = 0;
  int const last = a.nest.rank - 1, elements = 16 / a.element_bytes;
  bool const aligned = (reinterpret_cast<uintptr_t>(a.x) | reinterpret_cast<uintptr_t>(a.y)) % 16 == 0;
  if (last < 0 || !aligned || a.nest.size[last] % elements != 0) return wide;
  for (int k = 0; k < 2; ++k) {
    if (a.nest.stride[k][last] != 1) return wide;
    for (int i = 0; i < last; ++i) {
      if (a.nest.stride[k][i] % elements != 0) return wide;
      wide.nest.stride[k][i] /= elements;
    }
  }
  wide.nest.size[last] /= elements, wide.element_bytes = 16;
  return wide;
}

/// Floor: every element read once and written once.
inline int copy(Copy const& a) {
  if (Copy const wide = in_words(a); wide.element_bytes == 16) return copy_elements<uint4>(wide);
  switch (a.element_bytes) {
    case 1: return copy_elements<uint8_t>(a);
    case 2: return copy_elements<uint16_t>(a);
    case 4: return copy_elements<uint32_t>(a);
    case 8: return copy_elements<uint64_t>(a);
    default: return unsupported;
  }
}

}  // namespace D16_GPU
}  // namespace d16::kernels
