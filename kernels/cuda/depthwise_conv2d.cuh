// The convolution of each channel by itself and its gradients on a GPU. Bytes bind it, so neighbouring threads have
// neighbouring channels, 16 bytes of them for each tap; what taps share comes from L1. Products are T's own: exact.
#pragma once
#include "../conv2d.hpp"
#include "packed_weights.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace dense {

template <class T> bool is_depthwise(Conv2d<T> const& a) { return a.groups == a.Ci && a.groups == a.Co; }

/// One axis: the input of `size` that an output meets with a tap; none when negative. Of the gradient the pixels of dx are
/// the outputs.
template <bool forward> struct Meeting {
  int size, stride, pad, dilation;

  __device__ int operator()(int out, int tap) const {
    int at = forward ? out * stride + tap * dilation - pad : out + pad - tap * dilation;
    if (!forward && at >= 0) at = at % stride ? -1 : at / stride;
    return at < size ? at : -1;
  }
};
struct DepthwiseSizes {
  int N, P, Q, C, kh, kw;  // P, Q: of the outputs
};

constexpr int depthwise_threads = 256;
constexpr int depthwise_strip = 4;     // outputs of a thread, side by side: a weight is read once for all
constexpr int depthwise_taps = 9;      // of dw, in registers at a time
constexpr int depthwise_chunk = 1024;  // pixels of a partial sum of dw

/// out (N,P,Q,C) = the sums over taps of x and weights (taps,C). A thread for each strip and `count` channels.
template <class T, bool forward, int count> __global__ void __launch_bounds__(depthwise_threads)
    depthwise(DepthwiseSizes s, Meeting<forward> down, Meeting<forward> across, T const* x, Wide<T> const* w,
              Finish<T> out) {
  constexpr int strip = depthwise_strip;
  int const packs = s.C / count, strips = ceil_div(s.Q, strip);
  int64_t const all = int64_t(s.N) * s.P * strips * packs;
  for (int64_t i = gpu::this_thread(); i < all; i += gpu::all_threads()) {
    int const pack = int(i % packs), q = int(i / packs % strips) * strip, line = int(i / packs / strips);
    int const p = line % s.P, n = line / s.P;
    Wide<T> sum[strip][count] = {};
    for (int tap_h = 0; tap_h < s.kh; ++tap_h) {
      int const h = down(p, tap_h);
      if (h < 0) continue;
      T const* const from = x + (int64_t(n) * down.size + h) * across.size * s.C;
      for (int tap_w = 0; tap_w < s.kw; ++tap_w) {
        auto const weight = read_pack<count>(w, int64_t(tap_h * s.kw + tap_w) * packs + pack);
#pragma unroll
        for (int e = 0; e < strip; ++e) {
          int const v = across(q + e, tap_w);
          if (v < 0) continue;
          auto const value = read_pack<count>(from, int64_t(v) * packs + pack);
#pragma unroll
          for (int c = 0; c < count; ++c) sum[e][c] += value.value[c] * weight.value[c];
        }
      }
    }
    auto const columns = out.template columns<count>(pack * count);
#pragma unroll
    for (int e = 0; e < strip; ++e) {
      if (q + e >= s.Q) continue;
      if constexpr (count == 1) out.put(out.line(line * s.Q + q + e), columns, sum[e][0]);
      else out.put_chunk(out.line(line * s.Q + q + e), columns, sum[e]);
    }
  }
}

/// partial (chunks,taps,C) = the sums over a chunk of pixels of x dy. Grid: (chunks, channels, taps), blocks of channels x
/// pixels.
template <class T, int count> __global__ void __launch_bounds__(depthwise_threads)
    depthwise_dw(DepthwiseSizes s, Meeting<true> down, Meeting<true> across, T const* x, T const* dy,
                 Wide<T>* partial) {
  using W = Wide<T>;
  gpu::Smem smem;
  W* const of_thread = smem.take<W>(depthwise_threads * count);
  int const packs = s.C / count, pack = int(blockIdx.y * blockDim.x + threadIdx.x), taps = s.kh * s.kw;
  int const first = int(blockIdx.z) * depthwise_taps, begin = int(blockIdx.x) * depthwise_chunk;
  int const end = pack < packs ? min(s.N * s.P * s.Q, begin + depthwise_chunk) : begin;
  W sum[depthwise_taps][count] = {};
  for (int m = begin + int(threadIdx.y); m < end; m += int(blockDim.y)) {
    int const q = m % s.Q, p = m / s.Q % s.P, n = m / s.Q / s.P;
    auto const gradient = read_pack<count>(dy, int64_t(m) * packs + pack);
#pragma unroll
    for (int t = 0; t < depthwise_taps; ++t) {
      int const tap = first + t, h = down(p, tap / s.kw), v = across(q, tap % s.kw);
      if (tap >= taps || h < 0 || v < 0) continue;
      auto const value = read_pack<count>(x, ((int64_t(n) * down.size + h) * across.size + v) * packs + pack);
#pragma unroll
      for (int c = 0; c < count; ++c) sum[t][c] += value.value[c] * gradient.value[c];
    }
  }
  int const thread = int(threadIdx.y * blockDim.x + threadIdx.x);
#pragma unroll
  for (int t = 0; t < depthwise_taps; ++t) {
#pragma unroll
    for (int c = 0; c < count; ++c) of_thread[c * depthwise_threads + thread] = sum[t][c];
    __syncthreads();  // the sums of all threads are there
    if (threadIdx.y == 0 && pack < packs && first + t < taps) {
      Pack<W, count> total{};
#pragma unroll 1  // else registers leave room for one block only
      for (int y = 0; y < int(blockDim.y); ++y)
#pragma unroll
        for (int c = 0; c < count; ++c)
          total.value[c] += of_thread[c * depthwise_threads + y * int(blockDim.x) + int(threadIdx.x)];
      write_pack<count>(partial, (int64_t(blockIdx.x) * taps + first + t) * packs + pack, total);
    }
    __syncthreads();  // they have been read
  }
}
/// dw[c,tap] = its partial sums, in order.
template <class W> struct SumOfChunks {
  W const* partial;
  int chunks, C, taps;
  __device__ W operator()(int c, int tap) const {
    W sum = 0;
    for (int chunk = 0; chunk < chunks; ++chunk) sum += partial[(int64_t(chunk) * taps + tap) * C + c];
    return sum;
  }
};

/// The forward convolution, or the gradient of the input.
template <class T, bool forward> struct DepthwisePlan {
  using W = Wide<T>;
  Conv2d<T> a;
  Scratch scratch{a.work};
  W* w = scratch.take<W>(int64_t(a.Ci) * a.kh * a.kw);
  DepthwiseSizes s{a.N, forward ? a.P() : a.H, forward ? a.Q() : a.W, a.Ci, a.kh, a.kw};

  template <int count> int run(T const* x, Finish<T> const& to) const {
    int const taps = a.kh * a.kw, strips = ceil_div(s.Q, depthwise_strip);
    int const status = launch_pack(PackedWeights<T>{a.w, 1, 1, s.C, s.C, a.kh, a.kw, 0, taps, 0, 0, a.kw, 1}, 1, w);
    if (status != ok) return status;
    Meeting<forward> const down{forward ? a.H : a.P(), a.stride_h, a.pad_h, a.dilation_h};
    Meeting<forward> const across{forward ? a.W : a.Q(), a.stride_w, a.pad_w, a.dilation_w};
    return gpu::launch(depthwise<T, forward, count>,
                       gpu::blocks_for(int64_t(s.N) * s.P * strips * (s.C / count), depthwise_threads),
                       dim3(depthwise_threads), 0, gpu::current_stream(), s, down, across, x, w, to);
  }
  int run(T const* x, Finish<T> const& to) const {
    bool const whole = in_whole_packs(s.C, x, to.data, to.residual);
    return whole ? run<whole_pack<T>>(x, to) : run<1>(x, to);
  }
  int run(Fused<T> const& fused) const { return run(a.x, fused.finish(a.y, s.N * s.P * s.Q, s.C, s.C, a.bias)); }
  int run(StampEnding<T> const& ending) const {
    auto to = Finish<T>::matrix(a.dx, s.N * s.P * s.Q, s.C, ending.pitch);
    to.bias = ending.bias, to.relu = ending.relu;
    return run(a.dy, to);
  }
};
template <class T> using DepthwiseForward = DepthwisePlan<T, true>;
template <class T> using DepthwiseDataGradient = DepthwisePlan<T, false>;

template <class T> struct DepthwiseWeightGradient {
  using W = Wide<T>;
  Conv2d<T> a;
  Scratch scratch{a.work};
  DepthwiseSizes s{a.N, a.P(), a.Q(), a.Ci, a.kh, a.kw};
  int taps = a.kh * a.kw, chunks = ceil_div(int64_t(s.N) * s.P * s.Q, depthwise_chunk);
  W* partial = scratch.take<W>(int64_t(chunks) * taps * s.C);

  template <int count> int run() const {
    int const packs = s.C / count;
    int across = 32;
    while (across / 2 >= packs) across /= 2;
    int const columns = ceil_div(packs, across), passes = ceil_div(taps, depthwise_taps);
    if (columns > 65535 || passes > 65535) return unsupported;
    gpu::launch(depthwise_dw<T, count>, dim3(unsigned(chunks), unsigned(columns), unsigned(passes)),
                dim3(unsigned(across), unsigned(depthwise_threads / across)),
                gpu::Smem::bytes<W>(depthwise_threads * count), gpu::current_stream(), s,
                Meeting<true>{a.H, a.stride_h, a.pad_h, a.dilation_h},
                Meeting<true>{a.W, a.stride_w, a.pad_w, a.dilation_w}, a.x, a.dy, partial);
    return launch_fill_turned(SumOfChunks<W>{partial, chunks, s.C, taps}, s.C, taps, a.dw);
  }
  int run() const { return in_whole_packs(s.C, a.x, a.dy) ? run<whole_pack<T>>() : run<1>(); }
};

}  // namespace dense
}  // namespace D16_GPU
}  // namespace d16::kernels
