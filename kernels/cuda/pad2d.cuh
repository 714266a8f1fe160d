// Continuing an image beyond its edges on a GPU: a thread for each pack of channels of a result. Backwards a pixel looks
// for its copies.
#pragma once
#include "../pad2d.hpp"
#include "pool2d.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace margins {

/// One axis: `before` lines, those of the image, and the rest of `count` after them.
struct Axis {
  int size, count, before;
  PaddingMode mode;

  /// As pad2d_source: the line of the image that line o of the result copies, -1 for none.
  __device__ int source(int o) const {
    int const i = o - before;
    if (i >= 0 && i < size) return i;
    if (mode == PaddingMode::circular) return i < 0 ? i + size : i - size;
    if (mode == PaddingMode::reflect) return i < 0 ? -i : 2 * (size - 1) - i;
    return -1;
  }
  /// Copy 0, 1 or 2 of line i of the image: its place in the result, -1 where there is none.
  __device__ int copy(int i, int number) const {
    if (number == 0) return i + before;
    if (mode == PaddingMode::zeros) return -1;
    int const at =
        mode == PaddingMode::circular ? (number == 1 ? i - size : i + size) : (number == 1 ? -i : 2 * (size - 1) - i);
    bool const outside = number == 1 ? at < 0 : at >= size;  // the edge itself is not mirrored
    return outside && at + before >= 0 && at + before < count ? at + before : -1;
  }
};
using Plane = windows::Plane<Axis>;

template <class T, int width> __global__ void __launch_bounds__(line_threads) pad(Plane const s, T const* x, T* y) {
  int const q = along_line() / s.packs, pack = along_line() % s.packs;
  if (q >= s.columns.count) return;
  int const w = s.columns.source(q), lines = int(s.N) * s.rows.count;
  for (int line = this_line(); line < lines; line += all_lines()) {
    int const n = line / s.rows.count, p = line % s.rows.count, h = s.rows.source(p);
    Pack<Wide<T>, width> v{};
    if (h >= 0 && w >= 0) v = read_pack<width>(x, s.in_x(n, h, w, pack));
    write_pack<width>(y, s.in_y(n, p, q, pack), v);
  }
}

template <class T, int width> __global__ void __launch_bounds__(line_threads)
    pad_dx(Plane const s, T const* dy, T* dx) {
  int const w = along_line() / s.packs, pack = along_line() % s.packs;
  if (w >= s.columns.size) return;
  int const lines = int(s.N) * s.rows.size;
  for (int line = this_line(); line < lines; line += all_lines()) {
    int const n = line / s.rows.size, h = line % s.rows.size;
    Pack<Wide<T>, width> sum{};
    for (int copies = 0; copies < 9; ++copies) {
      int const p = s.rows.copy(h, copies / 3), q = s.columns.copy(w, copies % 3);
      if (p >= 0 && q >= 0) add(sum, read_pack<width>(dy, s.in_y(n, p, q, pack)));
    }
    write_pack<width>(dx, s.in_x(n, h, w, pack), sum);
  }
}

template <class T, class Over, class... Arrays> int launch(Pad2d<T> const& a, Over const& over, Arrays... arrays) {
  Axis const rows{int(a.H), int(a.out_h()), int(a.top), a.mode};
  Axis const columns{int(a.W), int(a.out_w()), int(a.left), a.mode};
  return windows::launch(rows, columns, a.N, a.C, over, arrays...);
}

}  // namespace margins

/// Floor: x read once, y written once.
template <class T> int pad2d(Pad2d<T> const& a) {
  auto over = [&](auto const& s, auto width) { return windows::over_y(margins::pad<T, width()>, s, a.x, a.y); };
  return margins::launch(a, over, a.x, a.y);
}
/// Floor: dy read once, dx written once.
template <class T> int pad2d_dx(Pad2d<T> const& a) {
  auto over = [&](auto const& s, auto width) { return windows::over_x(margins::pad_dx<T, width()>, s, a.dy, a.dx); };
  return margins::launch(a, over, a.dy, a.dx);
}

}  // namespace D16_GPU
}  // namespace d16::kernels
