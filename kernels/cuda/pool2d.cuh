// Pooling over windows on a GPU: a thread for each pack of channels of a result, forwards and backwards. Windows that
// overlap read a value several times, from L1.
#pragma once
#include "../pool2d.hpp"
#include "lines.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace windows {

/// The windows along one axis: the pixels begin(o) .. end(o) - 1 of window o, and the windows first(i) .. last(i) - 1
/// that pixel i lies in.
struct Axis {
  int size, count, kernel, stride, padding;
  __device__ int begin(int o) const { return max(o * stride - padding, 0); }
  __device__ int end(int o) const { return min(o * stride - padding + kernel, size); }
  __device__ int first(int i) const {
    int const beyond = i + padding - kernel;
    return beyond < 0 ? 0 : beyond / stride + 1;
  }
  __device__ int last(int i) const { return min((i + padding) / stride + 1, count); }
};

/// x (N, rows.size, columns.size, packs of channels); y with the counts instead of the sizes.
template <class A> struct Plane {
  A rows, columns;
  int64_t N;
  int packs;

  int64_t lines_of_y() const { return N * rows.count; }
  int64_t lines_of_x() const { return N * rows.size; }
  int64_t length_of_y() const { return int64_t(columns.count) * packs; }
  int64_t length_of_x() const { return int64_t(columns.size) * packs; }
  bool fits() const {
    return Lines::fit(lines_of_x(), length_of_x()) && Lines::fit(lines_of_y(), length_of_y()) &&
           Lines::fit(int64_t(rows.size) * columns.size, int64_t(rows.count) * columns.count);
  }
  /// The number of a pack in x, in y.
  __device__ int64_t in_x(int n, int h, int w, int pack) const {
    return ((int64_t(n) * rows.size + h) * columns.size + w) * packs + pack;
  }
  __device__ int64_t in_y(int n, int p, int q, int pack) const {
    return ((int64_t(n) * rows.count + p) * columns.count + q) * packs + pack;
  }
};

/// The gradient of any pooling: of(sum, n, p, q, pack, pixel) adds what window (p,q) gives to a pixel, by its number in
/// the image. A pixel asks each window that it lies in: nothing is stored in between, and nobody adds to the same dx.
template <class A, class T, int width, class Of>
__device__ __forceinline__ void gather(Plane<A> const& s, Of const& of, T* dx) {
  int const w = along_line() / s.packs, pack = along_line() % s.packs;
  if (w >= s.columns.size) return;
  int const left = s.columns.first(w), right = s.columns.last(w), lines = int(s.N) * s.rows.size;
  for (int line = this_line(); line < lines; line += all_lines()) {
    int const n = line / s.rows.size, h = line % s.rows.size, bottom = s.rows.last(h);
    Pack<Wide<T>, width> sum{};
    for (int p = s.rows.first(h); p < bottom; ++p)
      for (int q = left; q < right; ++q) of(sum, n, p, q, pack, h * s.columns.size + w);
    write_pack<width>(dx, s.in_x(n, h, w, pack), sum);
  }
}

/// y = the mean of a window: its sum times `whole`, or by the number of its pixels where that is 0.
template <class A, class T, int width> __global__ void __launch_bounds__(line_threads, 4)
    mean(Plane<A> const s, Wide<T> whole, T const* x, T* y) {
  int const q = along_line() / s.packs, pack = along_line() % s.packs;
  if (q >= s.columns.count) return;
  int const left = s.columns.begin(q), right = s.columns.end(q), lines = int(s.N) * s.rows.count;
  for (int line = this_line(); line < lines; line += all_lines()) {
    int const n = line / s.rows.count, p = line % s.rows.count, top = s.rows.begin(p), bottom = s.rows.end(p);
    Pack<Wide<T>, width> sum{};
    for (int h = top; h < bottom; ++h)
      for (int w = left; w < right; ++w) add(sum, read_pack<width>(x, s.in_x(n, h, w, pack)));
    scale(sum, whole > 0 ? whole : 1 / Wide<T>((bottom - top) * (right - left)));
    write_pack<width>(y, s.in_y(n, p, q, pack), sum);
  }
}

/// dx = the sum of the shares of dy of all windows that a pixel lies in.
template <class A, class T, int width> __global__ void __launch_bounds__(line_threads)
    mean_dx(Plane<A> const s, Wide<T> whole, T const* dy, T* dx) {
  auto of = [&](Pack<Wide<T>, width>& sum, int n, int p, int q, int pack, int) {
    int const pixels = (s.rows.end(p) - s.rows.begin(p)) * (s.columns.end(q) - s.columns.begin(q));
    add(sum, read_pack<width>(dy, s.in_y(n, p, q, pack)), whole > 0 ? whole : 1 / Wide<T>(pixels));
  };
  gather<A, T, width>(s, of, dx);
}

/// The largest of a window for each channel, and where it is: the first, and a NaN before all numbers.
template <class T, int width> struct Largest {
  Pack<Wide<T>, width> value;
  Pack<int, width> at;
  __device__ Largest(Plane<Axis> const& s, T const* x, int n, int p, int q, int pack) {
    int const top = s.rows.begin(p), bottom = s.rows.end(p), left = s.columns.begin(q), right = s.columns.end(q);
    value = read_pack<width>(x, s.in_x(n, top, left, pack));
#pragma unroll
    for (int e = 0; e < width; ++e) at.value[e] = top * s.columns.size + left;
    for (int h = top; h < bottom; ++h)
      for (int w = left; w < right; ++w) {
        auto const v = read_pack<width>(x, s.in_x(n, h, w, pack));
#pragma unroll
        for (int e = 0; e < width; ++e)
          if (v.value[e] > value.value[e] || v.value[e] != v.value[e])
            value.value[e] = v.value[e], at.value[e] = h * s.columns.size + w;
      }
  }
};

template <class T, int width> __global__ void __launch_bounds__(line_threads, 4)
    largest(Plane<Axis> const s, T const* x, T* y) {
  int const q = along_line() / s.packs, pack = along_line() % s.packs;
  if (q >= s.columns.count) return;
  int const lines = int(s.N) * s.rows.count;
  for (int line = this_line(); line < lines; line += all_lines()) {
    int const n = line / s.rows.count, p = line % s.rows.count;
    write_pack<width>(y, s.in_y(n, p, q, pack), Largest<T, width>(s, x, n, p, q, pack).value);
  }
}

template <class T, int width> __global__ void __launch_bounds__(line_threads, 3)
    largest_dx(Plane<Axis> const s, T const* x, T const* dy, T* dx) {
  auto of = [&](Pack<Wide<T>, width>& sum, int n, int p, int q, int pack, int pixel) {
    Largest<T, width> const found(s, x, n, p, q, pack);
    auto const gradient = read_pack<width>(dy, s.in_y(n, p, q, pack));
#pragma unroll
    for (int e = 0; e < width; ++e)
      if (found.at.value[e] == pixel) sum.value[e] += gradient.value[e];
  };
  gather<Axis, T, width>(s, of, dx);
}

/// over(plane, width) with as many channels in a pack as the arrays allow.
template <class A, class Over, class... Arrays>
int launch(A rows, A columns, int64_t N, int64_t C, Over const& over, Arrays const*... arrays) {
  if (N <= 0 || C <= 0) return ok;
  auto with = [&](auto width) {
    Plane<A> const s{rows, columns, N, int(C / width)};
    return Lines::fit(C, 0) && s.fits() ? over(s, width) : int(unsupported);
  };
  return with_packs(C, with, arrays...);
}

template <class T> Axis rows_of(Pool2d<T> const& a) {
  return {int(a.H), int(a.out_h()), a.kernel_h, a.stride_h, a.padding_h};
}
template <class T> Axis columns_of(Pool2d<T> const& a) {
  return {int(a.W), int(a.out_w()), a.kernel_w, a.stride_w, a.padding_w};
}
template <class T> Wide<T> whole_window(Pool2d<T> const& a) {
  return a.count_include_pad ? Wide<T>(1 / (double(a.kernel_h) * a.kernel_w)) : Wide<T>(0);
}

/// A kernel over y, or over x.
template <class A, class... P, class... Args> int over_y(void (*kernel)(P...), Plane<A> const& s, Args... args) {
  if (s.lines_of_y() == 0 || s.length_of_y() == 0) return ok;
  Lines const lines(s.lines_of_y(), s.length_of_y());
  return gpu::launch(kernel, lines.grid, lines.block, 0, gpu::current_stream(), s, args...);
}
template <class A, class... P, class... Args> int over_x(void (*kernel)(P...), Plane<A> const& s, Args... args) {
  if (s.lines_of_x() == 0 || s.length_of_x() == 0) return ok;
  Lines const lines(s.lines_of_x(), s.length_of_x());
  return gpu::launch(kernel, lines.grid, lines.block, 0, gpu::current_stream(), s, args...);
}

}  // namespace windows

/// Floor: x read once, y written once.
template <class T> int max_pool2d(Pool2d<T> const& a) {
  auto over = [&](auto const& s, auto width) { return windows::over_y(windows::largest<T, width()>, s, a.x, a.y); };
  return windows::launch(windows::rows_of(a), windows::columns_of(a), a.N, a.C, over, a.x, a.y);
}
template <class T> int avg_pool2d(Pool2d<T> const& a) {
  auto over = [&](auto const& s, auto width) {
    return windows::over_y(windows::mean<windows::Axis, T, width()>, s, windows::whole_window(a), a.x, a.y);
  };
  return windows::launch(windows::rows_of(a), windows::columns_of(a), a.N, a.C, over, a.x, a.y);
}

/// Floor: x and dy read once, dx written once.
template <class T> int max_pool2d_dx(Pool2d<T> const& a) {
  auto over = [&](auto const& s, auto width) {
    return windows::over_x(windows::largest_dx<T, width()>, s, a.x, a.dy, a.dx);
  };
  return windows::launch(windows::rows_of(a), windows::columns_of(a), a.N, a.C, over, a.x, a.dy, a.dx);
}
/// Floor: dy read once, dx written once.
template <class T> int avg_pool2d_dx(Pool2d<T> const& a) {
  auto over = [&](auto const& s, auto width) {
    return windows::over_x(windows::mean_dx<windows::Axis, T, width()>, s, windows::whole_window(a), a.dy, a.dx);
  };
  return windows::launch(windows::rows_of(a), windows::columns_of(a), a.N, a.C, over, a.dy, a.dx);
}

}  // namespace D16_GPU
}  // namespace d16::kernels
