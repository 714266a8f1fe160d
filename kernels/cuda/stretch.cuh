// The asinh stretch on a GPU: one thread for each of some pixels, neighbours side by side in memory.
#pragma once
#include <cmath>

#include "../stretch.hpp"
#include "gpu.hpp"

namespace d16::kernels {
namespace D16_GPU {
namespace stretching {

constexpr int threads = 256, pixels_each = 8, most_bands = 64;

/// The scales as an argument of the kernel; blocks copy them to shared memory, where every thread may look at another.
struct Bands {
  int C;
  StretchBand band[most_bands];

  Bands(int count, StretchBand const* from) : C(count), band{} {
    for (int c = 0; c < count; ++c) band[c] = from[c];
  }
};

/// What an asinh gets is computed in double: a sky far above its noise would leave few bits of a float32 difference. The
/// asinh itself, of numbers of order 1, is in T: HBM binds. The way back, which multiplies rounding by the brightness in
/// sigma, is in double.
template <class T> __device__ T forward(StretchBand const& b, T x) {
  return (std::asinh(T((double(x) - b.sky) / b.s)) + T(b.zero)) / T(b.range);
}
template <class T> __device__ T value(StretchOp op, StretchBand const& b, T x) {
  T y = x;
  switch (op) {
    case StretchOp::asinh: return forward(b, x);
    case StretchOp::invert: return T(b.sky + b.s * std::sinh(double(x) * b.range - b.zero));
    case StretchOp::apply: y = x - x == 0 ? forward(b, x) : T(b.zero / b.range); break;  // not finite: NaN here
    case StretchOp::black_sky: {
      double const level = b.zero / b.range;
      y = T((double(x) - level) / (1 - level));
      break;
    }
  }
  return y < 0 ? T(0) : y > 1 ? T(1) : y;
}
template <class T> __device__ T slope(StretchBand const& b, T x) {
  return 1 / (T(b.range) * std::hypot(T(b.s), T(double(x) - b.sky)));
}

/// to[i] = of(band of i, i) for i < n. One remainder for each thread instead of each pixel.
template <class T, class Of> __device__ void each_pixel(Bands const& bands, int64_t n, T* to, Of const& of) {
  gpu::Smem smem;
  StretchBand* const band = smem.take<StretchBand>(size_t(bands.C));
  for (int c = int(threadIdx.x); c < bands.C; c += int(blockDim.x)) band[c] = bands.band[c];
  __syncthreads();
  int64_t const step = gpu::all_threads();
  int const skip = int(step % bands.C);
  int at = int(gpu::this_thread() % bands.C);
  for (int64_t i = gpu::this_thread(); i < n; i += step) {
    to[i] = of(band[at], i);
    at += at + skip < bands.C ? skip : skip - bands.C;
  }
}

template <class T> __global__ void __launch_bounds__(threads)
    stretch_kernel(Bands const bands, StretchOp op, int64_t n, T const* x, T* y) {
  each_pixel(bands, n, y, [=](StretchBand const& b, int64_t i) { return value(op, b, x[i]); });
}
template <class T> __global__ void __launch_bounds__(threads)
    stretch_dx_kernel(Bands const bands, int64_t n, T const* x, T const* dy, T* dx) {
  each_pixel(bands, n, dx, [=](StretchBand const& b, int64_t i) { return dy[i] * slope(b, x[i]); });
}

inline dim3 grid(int64_t n) { return gpu::blocks_for(n, threads * pixels_each); }
inline size_t shared_bytes(int C) { return gpu::Smem::bytes<StretchBand>(size_t(C)); }

}  // namespace stretching

/// Floor: x read once, y written once. For up to 64 bands.
template <class T> int stretch(Stretch<T> const& a) {
  if (a.C < 1 || a.C > stretching::most_bands) return unsupported;
  if (a.n <= 0) return ok;
  return gpu::launch(stretching::stretch_kernel<T>, stretching::grid(a.n), dim3(stretching::threads),
                     stretching::shared_bytes(a.C), gpu::current_stream(), stretching::Bands(a.C, a.bands), a.op, a.n,
                     a.x, a.y);
}
/// Floor: x and dy read once, dx written once. For up to 64 bands.
template <class T> int stretch_dx(Stretch<T> const& a) {
  if (a.op != StretchOp::asinh || a.C < 1 || a.C > stretching::most_bands) return unsupported;
  if (a.n <= 0) return ok;
  return gpu::launch(stretching::stretch_dx_kernel<T>, stretching::grid(a.n), dim3(stretching::threads),
                     stretching::shared_bytes(a.C), gpu::current_stream(), stretching::Bands(a.C, a.bands), a.n, a.x,
                     a.dy, a.dx);
}

}  // namespace D16_GPU
}  // namespace d16::kernels
