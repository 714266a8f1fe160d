// The positive part into a range of a wider array on a GPU, in packs of 16 bytes where both arrays are made of such.
#pragma once
#include <numeric>

#include "../join.hpp"
#include "lines.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace joining {

template <class T, int width> __global__ void __launch_bounds__(line_threads) relu_join_kernel(ReluJoin<T> const a) {
  int const pack = along_line();
  if (pack >= a.length / width) return;
  for (int r = this_line(); r < a.rows; r += all_lines()) {
    auto v = read_pack<width>(a.x + r * a.length, pack);
#pragma unroll
    for (int e = 0; e < width; ++e) v.value[e] = v.value[e] < 0 ? Wide<T>(0) : v.value[e];
    write_pack<width>(a.y + r * a.pitch, pack, v);
  }
}
template <class T, int width> __global__ void __launch_bounds__(line_threads) relu_join_dx_kernel(ReluJoin<T> const a) {
  int const pack = along_line();
  if (pack >= a.length / width) return;
  for (int r = this_line(); r < a.rows; r += all_lines()) {
    auto const y = read_pack<width>(static_cast<T const*>(a.y) + r * a.pitch, pack);
    auto g = read_pack<width>(a.dy + r * a.pitch, pack);
#pragma unroll
    for (int e = 0; e < width; ++e) g.value[e] = y.value[e] <= 0 ? Wide<T>(0) : g.value[e];
    write_pack<width>(a.dx + r * a.length, pack, g);
  }
}

/// over(width) chooses the kernel.
template <class T, class Over, class... Arrays>
int launch(ReluJoin<T> const& a, Over const& over, Arrays const*... arrays) {
  if (a.rows <= 0 || a.length <= 0) return ok;
  if (!Lines::fit(a.rows, a.length)) return unsupported;
  auto with = [&](auto width) {
    Lines const lines(a.rows, a.length / width());
    return gpu::launch(over(width), lines.grid, lines.block, 0, gpu::current_stream(), a);
  };
  return with_packs(std::gcd(a.length, a.pitch), with, arrays...);
}

}  // namespace joining

/// Floor: x read once, y written once.
template <class T> int relu_join(ReluJoin<T> const& a) {
  auto over = [](auto width) { return joining::relu_join_kernel<T, width()>; };
  return joining::launch(a, over, a.x, a.y);
}
/// Floor: y and dy read once, dx written once.
template <class T> int relu_join_dx(ReluJoin<T> const& a) {
  auto over = [](auto width) { return joining::relu_join_dx_kernel<T, width()>; };
  return joining::launch(a, over, a.y, a.dy, a.dx);
}

}  // namespace D16_GPU
}  // namespace d16::kernels
