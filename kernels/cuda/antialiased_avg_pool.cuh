// Antialiased pooling on a GPU.
#pragma once
#include "../antialiased_avg_pool.hpp"
#include "../precision.hpp"
#include "gpu.hpp"

namespace d16::kernels {
namespace D16_GPU {
namespace blur {

constexpr int most_taps = 63;

/// Sizes, and the filter of one direction. Along the channels threads are neighbours, so every read is coalesced;
/// the taps of a window overlap with those of its neighbours, which L1 and L2 hold.
template <class T> struct Blur {
  int64_t H, W, C, P, Q;
  int kernel, stride, padding;
  Wide<T> tap[most_taps];

  explicit Blur(AntialiasedAvgPool<T> const& a)
      : H(a.H), W(a.W), C(a.C), P(a.out(a.H)), Q(a.out(a.W)), kernel(a.kernel), stride(a.stride), padding(a.padding) {
    for (int i = 0; i < kernel; ++i) tap[i] = Wide<T>(a.tap(i));
  }
};

/// One thread for each value of y.
template <class T> __global__ void blur_forward(Blur<T> const b, int64_t count, T const* x, T* y) {
  for (int64_t i = gpu::this_thread(); i < count; i += gpu::all_threads()) {
    int64_t const c = i % b.C, pixel = i / b.C, q = pixel % b.Q, p = pixel / b.Q % b.P, n = pixel / b.Q / b.P;
    Wide<T> sum = 0;
    for (int u = 0; u < b.kernel; ++u) {
      int64_t const r = p * b.stride + u - b.padding;
      if (r < 0 || r >= b.H) continue;
      Wide<T> row = 0;
      for (int v = 0; v < b.kernel; ++v) {
        int64_t const s = q * b.stride + v - b.padding;
        if (s >= 0 && s < b.W) row += b.tap[v] * gpu::to_float(x[((n * b.H + r) * b.W + s) * b.C + c]);
      }
      sum += b.tap[u] * row;
    }
    y[i] = gpu::from_float<T>(sum);
  }
}

/// One thread for each value of dx, which collects from the windows that it was in.
template <class T> __global__ void blur_backward(Blur<T> const b, int64_t count, T const* dy, T* dx) {
  for (int64_t i = gpu::this_thread(); i < count; i += gpu::all_threads()) {
    int64_t const c = i % b.C, pixel = i / b.C, s = pixel % b.W, r = pixel / b.W % b.H, n = pixel / b.W / b.H;
    Wide<T> sum = 0;
    for (int u = int((r + b.padding) % b.stride); u < b.kernel; u += b.stride) {
      int64_t const p = (r + b.padding - u) / b.stride;
      if (r + b.padding < u || p >= b.P) continue;
      Wide<T> row = 0;
      for (int v = int((s + b.padding) % b.stride); v < b.kernel; v += b.stride) {
        int64_t const q = (s + b.padding - v) / b.stride;
        if (s + b.padding >= v && q < b.Q) row += b.tap[v] * gpu::to_float(dy[((n * b.P + p) * b.Q + q) * b.C + c]);
      }
      sum += b.tap[u] * row;
    }
    dx[i] = gpu::from_float<T>(sum);
  }
}

}  // namespace blur

/// Floor: x read once, y written once. For filters of up to 63 taps.
template <class T> int antialiased_avg_pool(AntialiasedAvgPool<T> const& a) {
  if (a.kernel > blur::most_taps) return unsupported;
  blur::Blur<T> const b(a);
  int64_t const count = a.N * b.P * b.Q * b.C;
  if (count <= 0) return ok;
  return gpu::launch(blur::blur_forward<T>, gpu::blocks_for(count, 256), dim3(256), 0, gpu::current_stream(), b, count,
                     a.x, a.y);
}
template <class T> int antialiased_avg_pool_dx(AntialiasedAvgPool<T> const& a) {
  if (a.kernel > blur::most_taps) return unsupported;
  blur::Blur<T> const b(a);
  int64_t const count = a.N * a.H * a.W * a.C;
  if (count <= 0) return ok;
  return gpu::launch(blur::blur_backward<T>, gpu::blocks_for(count, 256), dim3(256), 0, gpu::current_stream(), b, count,
                     a.dy, a.dx);
}
template <class T> size_t antialiased_avg_pool_work_bytes(AntialiasedAvgPool<T> const&) { return 0; }

}  // namespace D16_GPU
}  // namespace d16::kernels
