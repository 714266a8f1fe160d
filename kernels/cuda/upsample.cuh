// Enlarging an image on a GPU: a thread for each pack of channels of a result, forwards and backwards.
#pragma once
#include "../upsample.hpp"
#include "pool2d.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace enlarging {

/// One axis. Bilinear: output o lies at place(o) / denominator of the inputs, exactly as upsample_tap, in whole numbers.
/// An input i counts by 1 - |place - i|, where that is positive. Nearest is the same with steps instead of slopes.
struct Axis {
  int size, count, scale;  ///< count = scale size
  bool bilinear, align_corners;

  __device__ int denominator() const { return !bilinear ? scale : align_corners ? max(count - 1, 1) : 2 * scale; }
  /// Within the first and the last input.
  __device__ int place(int o) const {
    if (!bilinear) return o / scale * scale;
    int const at = align_corners ? o * (size - 1) : 2 * o + 1 - scale;
    return min(max(at, 0), (size - 1) * denominator());
  }
  /// The first output whose place is that of input i or beyond.
  __device__ int first(int i) const {
    if (!bilinear) return i * scale;
    if (!align_corners) return i * scale + scale / 2;
    return size > 1 ? (i * (count - 1) + size - 2) / (size - 1) : 0;
  }
  /// The outputs begin(i) .. end(i) - 1 read input i.
  __device__ int begin(int i) const { return i == 0 ? 0 : first(bilinear ? i - 1 : i); }
  __device__ int end(int i) const { return i + 1 == size ? count : first(i + 1); }
  /// How much output o reads of input i.
  template <class T> __device__ T weight(int o, int i, T step) const {
    int const distance = place(o) - i * denominator();
    return max(T(0), 1 - T(distance < 0 ? -distance : distance) * step);
  }
  template <class T> __device__ T step() const { return 1 / T(denominator()); }
  /// The input at or before output o.
  __device__ int low(int o) const { return place(o) / denominator(); }
};
using Plane = windows::Plane<Axis>;

template <class T, int width> __global__ void __launch_bounds__(line_threads) enlarge(Plane const s, T const* x, T* y) {
  int const q = along_line() / s.packs, pack = along_line() % s.packs;
  if (q >= s.columns.count) return;
  using W = Wide<T>;
  W const row_step = s.rows.template step<W>(), column_step = s.columns.template step<W>();
  int const left = s.columns.low(q), right = min(left + int(s.columns.bilinear), s.columns.size - 1);
  W const of_right = 1 - s.columns.weight(q, left, column_step);
  int const lines = int(s.N) * s.rows.count;
  for (int line = this_line(); line < lines; line += all_lines()) {
    int const n = line / s.rows.count, p = line % s.rows.count;
    int const top = s.rows.low(p), bottom = min(top + int(s.rows.bilinear), s.rows.size - 1);
    W const of_bottom = 1 - s.rows.weight(p, top, row_step);
    auto const row = [&](int h) {
      auto v = read_pack<width>(x, s.in_x(n, h, left, pack));
      if (!s.columns.bilinear) return v;
      scale(v, 1 - of_right);
      add(v, read_pack<width>(x, s.in_x(n, h, right, pack)), of_right);
      return v;
    };
    Pack<W, width> v = row(top);
    if (s.rows.bilinear) {
      scale(v, 1 - of_bottom);
      add(v, row(bottom), of_bottom);
    }
    write_pack<width>(y, s.in_y(n, p, q, pack), v);
  }
}

template <class T, int width> __global__ void __launch_bounds__(line_threads, 3)
    enlarge_dx(Plane const s, T const* dy, T* dx) {
  int const w = along_line() / s.packs, pack = along_line() % s.packs;
  if (w >= s.columns.size) return;
  using W = Wide<T>;
  W const row_step = s.rows.template step<W>(), column_step = s.columns.template step<W>();
  int const left = s.columns.begin(w), right = s.columns.end(w), lines = int(s.N) * s.rows.size;
  for (int line = this_line(); line < lines; line += all_lines()) {
    int const n = line / s.rows.size, h = line % s.rows.size, bottom = s.rows.end(h);
    Pack<W, width> sum{};
    for (int p = s.rows.begin(h); p < bottom; ++p) {
      W const of_row = s.rows.weight(p, h, row_step);
      for (int q = left; q < right; ++q)
        add(sum, read_pack<width>(dy, s.in_y(n, p, q, pack)), of_row * s.columns.weight(q, w, column_step));
    }
    write_pack<width>(dx, s.in_x(n, h, w, pack), sum);
  }
}

/// The places are int.
template <class T> bool takes(Upsample<T> const& a) {
  int64_t const side = a.H > a.W ? a.H : a.W;
  return Lines::fit(2 * side * side * a.scale, 0);
}
template <class T> Axis axis_of(Upsample<T> const& a, int64_t size) {
  return {int(size), int(size * a.scale), a.scale, a.bilinear, a.align_corners};
}
template <class T, class Over, class... Arrays> int launch(Upsample<T> const& a, Over const& over, Arrays... arrays) {
  if (!takes(a)) return unsupported;
  return windows::launch(axis_of(a, a.H), axis_of(a, a.W), a.N, a.C, over, arrays...);
}

}  // namespace enlarging

/// Floor: x read once, y written once. For sides up to 23,000 / sqrt(scale).
template <class T> int upsample(Upsample<T> const& a) {
  auto over = [&](auto const& s, auto width) { return windows::over_y(enlarging::enlarge<T, width()>, s, a.x, a.y); };
  return enlarging::launch(a, over, a.x, a.y);
}
/// Floor: dy read once, dx written once.
template <class T> int upsample_dx(Upsample<T> const& a) {
  auto over = [&](auto const& s, auto width) {
    return windows::over_x(enlarging::enlarge_dx<T, width()>, s, a.dy, a.dx);
  };
  return enlarging::launch(a, over, a.dy, a.dx);
}

}  // namespace D16_GPU
}  // namespace d16::kernels
