// Moving images and group features on a GPU: a thread for each value of a pixel, which gathers forwards and backwards.
#pragma once
#include "../group_action.hpp"
#include "lines.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace moving {

/// Lines are the pixels of all samples, their items the C G values of a pixel.
template <class T> __global__ void __launch_bounds__(line_threads, 4) gather(GroupAction<T> const a, int values) {
  int const i = along_line(), pixels = int(a.P);
  if (i >= values) return;
  int const from = a.element ? i / a.G * a.G + int(a.element[i % a.G]) : i;
  for (int line = this_line(); line < int(a.N) * pixels; line += all_lines()) {
    int const p = line % pixels;
    int64_t const image = int64_t(line - p) * values;
    T sum = 0;
    for (int t = 0; t < a.taps; ++t) {
      int64_t const tap = int64_t(p) * a.taps + t;
      T const weight = T(a.weight[tap]);
      if (weight != 0) sum += weight * a.x[image + a.source[tap] * values + from];
    }
    a.y[int64_t(line) * values + i] = sum;
  }
}

/// The adjoint, from the taps that read a pixel: nobody adds to the same dx.
template <class T> __global__ void __launch_bounds__(line_threads, 4) gather_dx(GroupAction<T> const a, int values) {
  int const i = along_line(), pixels = int(a.P);
  if (i >= values) return;
  int const to = a.element ? i / a.G * a.G + int(a.element[i % a.G]) : i;
  for (int line = this_line(); line < int(a.N) * pixels; line += all_lines()) {
    int const p = line % pixels;
    int64_t const image = int64_t(line - p) * values;
    T sum = 0;
    for (int64_t k = a.first_reader[p]; k < a.first_reader[p + 1]; ++k) {
      int64_t const tap = a.readers[k];
      T const weight = T(a.weight[tap]);
      if (weight != 0) sum += weight * a.dy[image + tap / a.taps * values + i];
    }
    a.dx[int64_t(line) * values + to] = sum;
  }
}

template <class T> int launch(void (*kernel)(GroupAction<T>, int), GroupAction<T> const& a) {
  int64_t const lines = a.N * a.P, values = a.C * a.G;
  if (lines <= 0 || values <= 0) return ok;
  if (!Lines::fit(lines, values)) return unsupported;
  Lines const over(lines, values);
  return gpu::launch(kernel, over.grid, over.block, 0, gpu::current_stream(), a, int(values));
}

}  // namespace moving

/// Floor: x read once, y written once; the tables are as large as an image, and all samples read them.
template <class T> int group_action(GroupAction<T> const& a) { return moving::launch(moving::gather<T>, a); }
/// Floor: dy read once, dx written once.
template <class T> int group_action_dx(GroupAction<T> const& a) { return moving::launch(moving::gather_dx<T>, a); }

}  // namespace D16_GPU
}  // namespace d16::kernels
