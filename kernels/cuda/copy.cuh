// Strided copy on a GPU: a thread for each element, of whatever type has its size, or for 16 bytes of a line. What is
// turned round, so that neighbours in one array are far apart in the other, passes through shared memory.
#pragma once
#include "../copy.hpp"
#include "nest.cuh"
#include "turn_square.cuh"

namespace d16::kernels {
namespace D16_GPU {

constexpr int copy_threads = 256;

template <class Element, class Index> __global__ void __launch_bounds__(copy_threads)
    copy_kernel(Nest<2> nest, int64_t numel, Element const* x, Element* y) {
  for (int64_t i = gpu::this_thread(); i < numel; i += gpu::all_threads())
    y[nest_offset(nest, 0, Index(i))] = x[nest_offset(nest, 1, Index(i))];
}

/// Matrices: `rows` lie side by side in y, `columns` in x; steps from one column of y, and one row of x, to the next.
struct Turned {
  Nest<2> matrices;
  int64_t rows, columns, y_step, x_step;

  int64_t across() const { return (columns + square - 1) / square; }
  int64_t squares() const { return (rows + square - 1) / square * across() * matrices.numel(); }
};
template <class Element> __global__ void __launch_bounds__(square* square_rows)
    turn_kernel(Turned const a, int64_t across, int64_t down, int64_t squares, Element const* x, Element* y) {
  gpu::Smem smem;
  auto* const values = smem.take<Element>(square_values);
  for (int64_t i = blockIdx.x; i < squares; i += gridDim.x) {
    int64_t const column = i % across * square, row = i / across % down * square, matrix = i / across / down;
    Element const* const from = x + nest_offset(a.matrices, 1, uint64_t(matrix)) + row * a.x_step + column;
    Element* const to = y + nest_offset(a.matrices, 0, uint64_t(matrix)) + column * a.y_step + row;
    turn_square(
        values, a.rows - row, a.columns - column, [&](int r, int c) { return from[r * a.x_step + c]; },
        [&](int c, int r, Element value) { to[c * a.y_step + r] = value; });
    __syncthreads();  // the square is free
  }
}

/// The matrices of a copy that turns them, if these are wide enough both ways; else none.
inline Turned as_turned(Copy const& a) {
  constexpr int64_t least = 16;
  Turned t{a.nest, 0, 0, 0, 0};
  int const last = a.nest.rank - 1;
  if (last < 1 || a.nest.stride[0][last] != 1 || a.nest.stride[1][last] < 2 || a.nest.size[last] < least) return t;
  for (int i = 0; i < last; ++i) {
    if (a.nest.stride[1][i] != 1 || a.nest.size[i] < least) continue;
    t.rows = a.nest.size[last], t.columns = a.nest.size[i];
    t.y_step = a.nest.stride[0][i], t.x_step = a.nest.stride[1][last];
    t.matrices.size[i] = t.matrices.size[last] = 1;
    break;
  }
  return t;
}

template <class Element> int copy_elements(Copy const& a) {
  int64_t const numel = a.nest.numel();
  if (numel == 0) return ok;
  if (Turned const t = as_turned(a); t.rows > 0)
    return gpu::launch(turn_kernel<Element>, gpu::blocks_for(t.squares(), 1), dim3(square, square_rows),
                       gpu::Smem::bytes<Element>(square_values), gpu::current_stream(), t, t.across(),
                       (t.rows + square - 1) / square, t.squares(), static_cast<Element const*>(a.x),
                       static_cast<Element*>(a.y));
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
