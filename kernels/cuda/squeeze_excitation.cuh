// Squeeze and excitation on a GPU. Sums for each channel, the two small layers by a block for each sample, one pass that
// applies the gates. Where a sample is small, one block does all of that in one launch, and reads x from memory once.
#pragma once
#include <cmath>

#include "../squeeze_excitation.hpp"
#include "channel_sums.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace gates {

using channels::Chunks;
using channels::Sums;

template <class T> Chunks chunks_of(SqueezeExcitation<T> const& a) { return {a.N, a.pixels, a.C}; }
template <class T> bool is_empty(SqueezeExcitation<T> const& a) { return a.N <= 0 || a.pixels <= 0 || a.C <= 0; }

template <class T> struct Values {
  T const* x;
  int pixels, C;
  __device__ Sums operator()(int n, int p, int c) const { return {double(x[(int64_t(n) * pixels + p) * C + c]), 0}; }
};
/// Of x and the gradient in front of the ReLU, which is kept where there is one.
template <class T> struct Products {
  T const *x, *dy, *y;
  T* upstream;
  int pixels, C;
  __device__ Sums operator()(int n, int p, int c) const {
    int64_t const i = (int64_t(n) * pixels + p) * C + c;
    T gradient = dy[i];
    if (upstream) upstream[i] = gradient = y[i] <= 0 ? T(0) : gradient;
    return {double(gradient) * double(x[i]), 0};
  }
};

/// From the means of sample n, which its block has written, to its gates. What one thread writes to memory, the others
/// of the block read behind a barrier.
template <class T> __device__ void excite(SqueezeExcitation<T> const& a, int n) {
  int const warps = int(blockDim.x) / 32, warp = int(threadIdx.x) / 32, lane = int(threadIdx.x) % 32;
  double const* const mean = a.mean + int64_t(n) * a.C;
  double* const hidden = a.hidden + int64_t(n) * a.R;
  for (int r = warp; r < a.R; r += warps) {
    double sum = 0;
    for (int c = lane; c < a.C; c += 32) sum += double(a.w1[int64_t(r) * a.C + c]) * mean[c];
    sum = channels::warp_sum(sum) + (a.b1 ? double(a.b1[r]) : 0.0);
    if (lane == 0) hidden[r] = sum > 0 || sum != sum ? sum : 0;
  }
  __syncthreads();
  for (int c = int(threadIdx.x); c < a.C; c += int(blockDim.x)) {
    double sum = a.b2 ? double(a.b2[c]) : 0.0;
    for (int r = 0; r < a.R; ++r) sum += double(a.w2[int64_t(c) * a.R + r]) * hidden[r];
    a.gate[int64_t(n) * a.C + c] = 1 / (1 + std::exp(-sum));
  }
}

/// Grid: the samples.
template <class T> __global__ void __launch_bounds__(line_threads)
    excite_samples(SqueezeExcitation<T> const a, int chunks, Sums const* partial) {
  int const n = int(blockIdx.x);
  for (int c = int(threadIdx.x); c < a.C; c += int(blockDim.x))
    a.mean[int64_t(n) * a.C + c] = channels::sum_of_chunks(partial, chunks, a.C, n, c).first / double(a.pixels);
  __syncthreads();
  excite(a, n);
}

/// The numbers of channels c .. c + width - 1 of sample n, of (N,C).
template <class T, int width>
__device__ __forceinline__ Pack<T, width> of_channels(double const* numbers, int n, int C, int c) {
  auto const read = read_pack<width>(numbers, (int64_t(n) * C + c) / width);
  Pack<T, width> pack;
#pragma unroll
  for (int e = 0; e < width; ++e) pack.value[e] = T(read.value[e]);
  return pack;
}

template <class T> struct Apply {
  T const *x, *residual;
  double const* gate;
  T* y;
  int C;
  bool relu;
  __host__ __device__ explicit Apply(SqueezeExcitation<T> const& a)
      : x(a.x), residual(a.residual), gate(a.gate), y(a.y), C(a.C), relu(a.relu) {}

  template <int width> struct Of {
    T const *x, *residual;
    T* y;
    bool relu;
    Pack<T, width> gate;
    __device__ Of(Apply const& map, int n, int c)
        : x(map.x),
          residual(map.residual),
          y(map.y),
          relu(map.relu),
          gate(of_channels<T, width>(map.gate, n, map.C, c)) {}
    __device__ void operator()(int64_t i) const {
      auto v = read_pack<width>(x, i);
#pragma unroll
      for (int e = 0; e < width; ++e) v.value[e] *= gate.value[e];
      if (residual) add(v, read_pack<width>(residual, i));
#pragma unroll
      for (int e = 0; e < width; ++e) v.value[e] = relu && v.value[e] < 0 ? T(0) : v.value[e];
      write_pack<width>(y, i, v);
    }
  };
};

/// A whole sample by one block: the second reading of x is from L1 or L2. Grid: the samples.
constexpr int threads_of_sample = 512;
template <class T, int width> __global__ void __launch_bounds__(threads_of_sample)
    whole_sample(SqueezeExcitation<T> const a) {
  gpu::Smem smem;
  double* const of_thread = smem.take<double>(threads_of_sample);
  int const n = int(blockIdx.x), thread = int(threadIdx.x), pixels = int(a.pixels), first = n * pixels;
  // channels side by side, as many pixels at a time as that leaves room for; more channels than threads: in turns
  int const across = min(a.C, threads_of_sample), down = threads_of_sample / across, row = thread / across;
  for (int begin = 0; begin < a.C; begin += across) {
    int const c = begin + thread % across;
    double sum = 0;
    for (int p = row; p < pixels && row < down && c < a.C; p += down)
      sum += double(a.x[(int64_t(first) + p) * a.C + c]);
    of_thread[thread] = sum;
    __syncthreads();
    if (row == 0 && c < a.C) {
      for (int i = 1; i < down; ++i) sum += of_thread[i * across + thread];
      a.mean[int64_t(n) * a.C + c] = sum / double(pixels);
    }
    __syncthreads();
  }
  excite(a, n);
  __syncthreads();
  int const packs = a.C / width;
  for (int i = thread; i < pixels * packs; i += threads_of_sample) {
    typename Apply<T>::template Of<width> const of(Apply<T>(a), n, i % packs * width);
    of(int64_t(first) * packs + i);
  }
}
/// Small enough for a block.
template <class T> bool one_launch(SqueezeExcitation<T> const& a) {
  return a.pixels * a.C <= 32768 && a.N * a.pixels < int64_t(1) << 30;
}

/// The gradients inside: before the sigmoid (N,C), of the mean for each pixel (N,C), before the ReLU (N,R).
struct Inside {
  double *d2, *dmean, *d1;
};
/// Grid: the samples.
template <class T> __global__ void __launch_bounds__(line_threads)
    excite_back(SqueezeExcitation<T> const a, int chunks, Sums const* partial, Inside const inside) {
  int const n = int(blockIdx.x), warps = int(blockDim.x) / 32, warp = int(threadIdx.x) / 32,
            lane = int(threadIdx.x) % 32;
  double *const d2 = inside.d2 + int64_t(n) * a.C, *const d1 = inside.d1 + int64_t(n) * a.R;
  for (int c = int(threadIdx.x); c < a.C; c += int(blockDim.x)) {
    double const gate = a.gate[int64_t(n) * a.C + c];
    d2[c] = channels::sum_of_chunks(partial, chunks, a.C, n, c).first * gate * (1 - gate);
  }
  __syncthreads();
  for (int r = warp; r < a.R; r += warps) {
    double sum = 0;
    for (int c = lane; c < a.C; c += 32) sum += d2[c] * double(a.w2[int64_t(c) * a.R + r]);
    sum = channels::warp_sum(sum);
    if (lane == 0) d1[r] = a.hidden[int64_t(n) * a.R + r] > 0 ? sum : 0;
  }
  __syncthreads();
  for (int c = int(threadIdx.x); c < a.C; c += int(blockDim.x)) {
    double sum = 0;
    for (int r = 0; r < a.R; ++r) sum += d1[r] * double(a.w1[int64_t(r) * a.C + c]);
    inside.dmean[int64_t(n) * a.C + c] = sum / double(a.pixels);
  }
}

/// All weights' gradients, sums over the samples: a thread for each weight of both layers, then for each bias.
template <class T> __global__ void __launch_bounds__(line_threads)
    weight_gradients(SqueezeExcitation<T> const a, Inside const inside) {
  int const weights = a.R * a.C;
  for (int i = int(gpu::this_thread()); i < weights + a.R + a.C; i += int(gpu::all_threads())) {
    double first = 0, second = 0;
    if (i < weights) {
      int const r = i / a.C, c = i % a.C;
      for (int n = 0; n < int(a.N); ++n) {
        first += inside.d1[n * a.R + r] * a.mean[n * a.C + c];
        second += inside.d2[n * a.C + c] * a.hidden[n * a.R + r];
      }
      a.dw1[i] = T(first), a.dw2[c * a.R + r] = T(second);
    } else if (i < weights + a.R) {
      for (int n = 0; n < int(a.N); ++n) first += inside.d1[n * a.R + i - weights];
      a.db1[i - weights] = T(first);
    } else {
      for (int n = 0; n < int(a.N); ++n) second += inside.d2[n * a.C + i - weights - a.R];
      a.db2[i - weights - a.R] = T(second);
    }
  }
}

template <class T> struct Backward {
  T const* dy;
  double const *gate, *dmean;
  T* dx;
  int C;

  template <int width> struct Of {
    T const* dy;
    T* dx;
    Pack<T, width> gate, shift;
    __device__ Of(Backward const& map, int n, int c)
        : dy(map.dy),
          dx(map.dx),
          gate(of_channels<T, width>(map.gate, n, map.C, c)),
          shift(of_channels<T, width>(map.dmean, n, map.C, c)) {}
    __device__ void operator()(int64_t i) const {
      auto g = read_pack<width>(dy, i);
#pragma unroll
      for (int e = 0; e < width; ++e) g.value[e] = g.value[e] * gate.value[e] + shift.value[e];
      write_pack<width>(dx, i, g);
    }
  };
};

template <class T> bool takes(SqueezeExcitation<T> const& a) {
  return chunks_of(a).fit() && Lines::fit(int64_t(a.R) * (a.C + 2), a.N * a.R);
}

}  // namespace gates

/// A sum for each channel of each chunk.
template <class T> size_t squeeze_excitation_work_bytes(SqueezeExcitation<T> const& a) {
  return gates::one_launch(a) ? 0 : gates::chunks_of(a).bytes();
}
/// The same sums, and the gradients inside.
template <class T> size_t squeeze_excitation_dx_work_bytes(SqueezeExcitation<T> const& a) {
  return gates::chunks_of(a).bytes() + size_t(a.N) * (2 * size_t(a.C) + size_t(a.R)) * sizeof(double);
}

/// Floor: x read once where samples are small, else twice; the residual read and y written once.
template <class T> int squeeze_excitation(SqueezeExcitation<T> const& a) {
  if (gates::is_empty(a)) return ok;
  if (!gates::takes(a)) return unsupported;
  auto at_once = [&](auto width) {
    return gpu::launch(gates::whole_sample<T, width()>, dim3(unsigned(a.N)), dim3(gates::threads_of_sample),
                       gpu::Smem::bytes<double>(gates::threads_of_sample), gpu::current_stream(), a);
  };
  if (gates::one_launch(a)) return with_packs(a.C, at_once, a.x, a.residual, a.y);
  channels::Chunks const s = gates::chunks_of(a);
  auto* const partial = static_cast<channels::Sums*>(a.work);
  channels::sum_pixels(gates::Values<T>{a.x, int(a.pixels), a.C}, s, partial);
  gpu::launch(gates::excite_samples<T>, dim3(unsigned(a.N)), dim3(line_threads), 0, gpu::current_stream(), a,
              int(s.of_sample()), partial);
  return channels::map_channels(gates::Apply<T>(a), s, a.x, a.residual, a.y);
}
/// Floor: x once, dy twice, dx written once. With a ReLU y is read and the gradient in front of it written, which is then
/// read in place of dy.
template <class T> int squeeze_excitation_dx(SqueezeExcitation<T> const& a) {
  if (gates::is_empty(a)) return ok;
  if (!gates::takes(a)) return unsupported;
  channels::Chunks const s = gates::chunks_of(a);
  auto* const partial = static_cast<channels::Sums*>(a.work);
  double* const d2 = static_cast<double*>(a.work) + s.bytes() / sizeof(double);
  gates::Inside const inside{d2, d2 + a.N * a.C, d2 + 2 * a.N * a.C};
  channels::sum_pixels(gates::Products<T>{a.x, a.dy, a.y, a.upstream(), int(a.pixels), a.C}, s, partial);
  gpu::launch(gates::excite_back<T>, dim3(unsigned(a.N)), dim3(line_threads), 0, gpu::current_stream(), a,
              int(s.of_sample()), partial, inside);
  gpu::launch(gates::weight_gradients<T>, gpu::blocks_for(int64_t(a.R) * a.C + a.R + a.C, line_threads),
              dim3(line_threads), 0, gpu::current_stream(), a, inside);
  T const* const dy = a.relu ? a.upstream() : a.dy;
  return channels::map_channels(gates::Backward<T>{dy, a.gate, inside.dmean, a.dx, a.C}, s, dy, a.dx);
}

}  // namespace D16_GPU
}  // namespace d16::kernels
