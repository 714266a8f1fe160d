// Squeeze and excitation on a GPU. Sums for each channel, unless what made x has added them up, the two small layers by a
// block for each sample, one pass that applies the gates and the norm in front of them. Where a sample is small, one block
// does all of that in one launch, and reads x from memory once.
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

/// What the norm in front makes of channel c; x itself without one.
template <class T> __device__ ChannelLine line_of(SqueezeExcitation<T> const& a, int c) {
  if (!a.norm_mean) return {};
  double const weight = a.norm_weight ? double(a.norm_weight[c]) : 1.0;
  return {a.norm_mean[c], weight * a.norm_inv_std[c], a.norm_bias ? double(a.norm_bias[c]) : 0.0};
}

template <class T> struct Values {
  T const* x;
  int pixels, C;
  __device__ Sums operator()(int n, int p, int c) const {
    return {double(gpu::to_float(x[(int64_t(n) * pixels + p) * C + c])), 0};
  }
};
/// Of x, from the mean of the norm on, and the gradient in front of the ReLU, which is kept where there is one; and of
/// that gradient.
template <class T> struct Products {
  T const *x, *dy, *y;
  T* upstream;
  double const* mean;
  int pixels, C;
  __device__ Sums operator()(int n, int p, int c) const {
    int64_t const i = (int64_t(n) * pixels + p) * C + c;
    Wide<T> gradient = gpu::to_float(dy[i]);
    if (upstream) {
      gradient = gpu::to_float(y[i]) <= 0 ? Wide<T>(0) : gradient;
      upstream[i] = gpu::from_float<T>(gradient);
    }
    return {double(gradient) * (double(gpu::to_float(x[i])) - (mean ? mean[c] : 0.0)), double(gradient)};
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
  for (int c = int(threadIdx.x); c < a.C; c += int(blockDim.x)) {
    int64_t const i = int64_t(n) * a.C + c;
    ChannelLine const norm = line_of(a, c);
    double const sum = a.sums ? a.sums[2 * i] : channels::sum_of_chunks(partial, chunks, a.C, n, c).first;
    a.mean[i] = (sum / double(a.pixels) - norm.mean) * norm.slope + norm.bias;
  }
  __syncthreads();
  excite(a, n);
}

/// y = ending((x - mean) factor + shift): x - mean first, and what rounding the mean leaves into the shift, so that it is
/// right also far from zero.
template <class T> struct Apply {
  SqueezeExcitation<T> a;

  template <int width> struct Of {
    using W = Wide<T>;
    T const *x, *residual;
    T* y;
    bool relu;
    Pack<W, width> mean, factor, shift;
    __device__ Of(Apply const& map, int n, int c) : x(map.a.x), residual(map.a.residual), y(map.a.y), relu(map.a.relu) {
#pragma unroll
      for (int e = 0; e < width; ++e) {
        ChannelLine const norm = line_of(map.a, c + e);
        double const gate = map.a.gate[int64_t(n) * map.a.C + c + e];
        mean.value[e] = W(norm.mean), factor.value[e] = W(norm.slope * gate);
        shift.value[e] = W((norm.bias - norm.slope * (norm.mean - double(mean.value[e]))) * gate);
      }
    }
    __device__ void operator()(int64_t i) const {
      auto v = read_pack<width>(x, i);
#pragma unroll
      for (int e = 0; e < width; ++e) v.value[e] = (v.value[e] - mean.value[e]) * factor.value[e] + shift.value[e];
      if (residual) add(v, read_pack<width>(residual, i));
#pragma unroll
      for (int e = 0; e < width; ++e) v.value[e] = relu && v.value[e] < 0 ? W(0) : v.value[e];
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
      sum += double(gpu::to_float(a.x[(int64_t(first) + p) * a.C + c]));
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
    typename Apply<T>::template Of<width> const of(Apply<T>{a}, n, i % packs * width);
    of(int64_t(first) * packs + i);
  }
}
/// Small enough for a block, and nothing is known of x.
template <class T> bool one_launch(SqueezeExcitation<T> const& a) {
  return !a.sums && a.pixels * a.C <= 32768 && a.N * a.pixels < int64_t(1) << 30;
}

/// The gradients inside: of the norm, before its division by the deviation, (N,C), where there is one; before the sigmoid
/// (N,C), of the mean for each pixel (N,C), before the ReLU (N,R).
struct Inside {
  Sums* norm;
  double *d2, *dmean, *d1;
};
template <class T> size_t inside_bytes(SqueezeExcitation<T> const& a) {
  size_t const of_norm = a.norm_mean ? size_t(a.N) * size_t(a.C) * sizeof(Sums) : 0;
  return of_norm + size_t(a.N) * (2 * size_t(a.C) + size_t(a.R)) * sizeof(double);
}
template <class T> Inside inside_at(SqueezeExcitation<T> const& a, void* at) {
  auto* const norm = static_cast<Sums*>(at);
  auto* const d2 = reinterpret_cast<double*>(a.norm_mean ? norm + a.N * a.C : norm);
  return {a.norm_mean ? norm : nullptr, d2, d2 + a.N * a.C, d2 + 2 * a.N * a.C};
}
/// Grid: the samples.
template <class T> __global__ void __launch_bounds__(line_threads)
    excite_back(SqueezeExcitation<T> const a, int chunks, Sums const* partial, Inside const inside) {
  int const n = int(blockIdx.x), warps = int(blockDim.x) / 32, warp = int(threadIdx.x) / 32,
            lane = int(threadIdx.x) % 32;
  double *const d2 = inside.d2 + int64_t(n) * a.C, *const d1 = inside.d1 + int64_t(n) * a.R;
  for (int c = int(threadIdx.x); c < a.C; c += int(blockDim.x)) {
    int64_t const i = int64_t(n) * a.C + c;
    double const gate = a.gate[i];
    Sums const sum = channels::sum_of_chunks(partial, chunks, a.C, n, c);
    ChannelLine const norm = line_of(a, c);
    d2[c] = (sum.first * norm.slope + sum.second * norm.bias) * gate * (1 - gate);
    if (inside.norm) inside.norm[i] = {sum.first * gate, sum.second * gate};
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
    int64_t const i = int64_t(n) * a.C + c;
    inside.dmean[i] = sum / double(a.pixels);
    // of z, whose gradient has the mean's part at each pixel
    if (inside.norm) inside.norm[i].add({inside.dmean[i] * (a.sums[2 * i] - double(a.pixels) * a.norm_mean[c]), sum});
  }
}

/// All weights' gradients, sums over the samples: a thread for each weight of both layers, then for each bias, then for
/// each channel of the norm.
template <class T> __host__ __device__ int weight_threads(SqueezeExcitation<T> const& a) {
  return a.R * a.C + a.R + (a.norm_mean ? 2 : 1) * a.C;
}
template <class T> __global__ void __launch_bounds__(line_threads)
    weight_gradients(SqueezeExcitation<T> const a, Inside const inside) {
  int const weights = a.R * a.C;
  for (int i = int(gpu::this_thread()); i < weight_threads(a); i += int(gpu::all_threads())) {
    double first = 0, second = 0;
    if (i < weights) {
      int const r = i / a.C, c = i % a.C;
      for (int n = 0; n < int(a.N); ++n) {
        first += inside.d1[n * a.R + r] * a.mean[n * a.C + c];
        second += inside.d2[n * a.C + c] * a.hidden[n * a.R + r];
      }
      a.dw1[i] = Wide<T>(first), a.dw2[c * a.R + r] = Wide<T>(second);
    } else if (i < weights + a.R) {
      for (int n = 0; n < int(a.N); ++n) first += inside.d1[n * a.R + i - weights];
      a.db1[i - weights] = Wide<T>(first);
    } else if (i < weights + a.R + a.C) {
      for (int n = 0; n < int(a.N); ++n) second += inside.d2[n * a.C + i - weights - a.R];
      a.db2[i - weights - a.R] = Wide<T>(second);
    } else {
      int const c = i - weights - a.R - a.C;
      Sums sum{0, 0};
      for (int n = 0; n < int(a.N); ++n) sum.add(inside.norm[n * a.C + c]);
      a.dnorm_weight[c] = Wide<T>(sum.first * a.norm_inv_std[c]), a.dnorm_bias[c] = Wide<T>(sum.second);
    }
  }
}

/// dx = dy factor + shift, and where the norm has the statistics of x without (x - mean) tilt: through them dx loses its
/// mean, and along x - mean as much as that has to do with it.
template <class T> struct Backward {
  SqueezeExcitation<T> a;
  T const* dy;
  double const* dmean;

  template <int width> struct Of {
    using W = Wide<T>;
    T const *x, *dy;
    T* dx;
    Pack<W, width> factor, shift, mean, tilt;
    __device__ Of(Backward const& map, int n, int c)
        : x(map.a.norm_training ? map.a.x : nullptr), dy(map.dy), dx(map.a.dx) {
      SqueezeExcitation<T> const& a = map.a;
#pragma unroll
      for (int e = 0; e < width; ++e) {
        int64_t const i = int64_t(n) * a.C + c + e;
        ChannelLine const norm = line_of(a, c + e);
        factor.value[e] = W(norm.slope * a.gate[i]), mean.value[e] = W(norm.mean);
        double constant = map.dmean[i], along_x = 0;
        if (x) {
          double const share = 1 / (double(a.N) * double(a.pixels));
          constant -= share * double(a.dnorm_bias[c + e]);
          along_x = share * a.norm_inv_std[c + e] * double(a.dnorm_weight[c + e]);
        }
        tilt.value[e] = W(norm.slope * along_x);
        shift.value[e] = W(norm.slope * (constant + along_x * (norm.mean - double(mean.value[e]))));
      }
    }
    __device__ void operator()(int64_t i) const {
      auto g = read_pack<width>(dy, i);
#pragma unroll
      for (int e = 0; e < width; ++e) g.value[e] = g.value[e] * factor.value[e] + shift.value[e];
      if (x) {
        auto const v = read_pack<width>(x, i);
#pragma unroll
        for (int e = 0; e < width; ++e) g.value[e] -= (v.value[e] - mean.value[e]) * tilt.value[e];
      }
      write_pack<width>(dx, i, g);
    }
  };
};

template <class T> bool takes(SqueezeExcitation<T> const& a) {
  return chunks_of(a).fit() && Lines::fit((int64_t(a.R) + 2) * (a.C + 2), a.N * a.R);
}

}  // namespace gates

/// A sum for each channel of each chunk.
template <class T> size_t squeeze_excitation_work_bytes(SqueezeExcitation<T> const& a) {
  return a.sums || gates::one_launch(a) ? 0 : gates::chunks_of(a).bytes();
}
/// Two sums for each channel of each chunk, and the gradients inside.
template <class T> size_t squeeze_excitation_dx_work_bytes(SqueezeExcitation<T> const& a) {
  return gates::chunks_of(a).bytes() + gates::inside_bytes(a);
}

/// Floor: x read once where samples are small or its sums are known, else twice; the residual read and y written once.
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
  if (!a.sums) channels::sum_pixels(gates::Values<T>{a.x, int(a.pixels), a.C}, s, partial);
  gpu::launch(gates::excite_samples<T>, dim3(unsigned(a.N)), dim3(line_threads), 0, gpu::current_stream(), a,
              int(s.of_sample()), partial);
  return channels::map_channels(gates::Apply<T>{a}, s, a.x, a.residual, a.y);
}
/// Floor: x once, dy twice, dx written once. With a ReLU y is read and the gradient in front of it written, which is then
/// read in place of dy. With the statistics of x in front x is read twice.
template <class T> int squeeze_excitation_dx(SqueezeExcitation<T> const& a) {
  if (gates::is_empty(a)) return ok;
  if (!gates::takes(a)) return unsupported;
  channels::Chunks const s = gates::chunks_of(a);
  auto* const partial = static_cast<channels::Sums*>(a.work);
  gates::Inside const inside = gates::inside_at(a, static_cast<char*>(a.work) + s.bytes());
  gates::Products<T> const products{a.x, a.dy, a.y, a.upstream(), a.norm_mean, int(a.pixels), a.C};
  channels::sum_pixels(products, s, partial);
  gpu::launch(gates::excite_back<T>, dim3(unsigned(a.N)), dim3(line_threads), 0, gpu::current_stream(), a,
              int(s.of_sample()), partial, inside);
  gpu::launch(gates::weight_gradients<T>, gpu::blocks_for(gates::weight_threads(a), line_threads), dim3(line_threads),
              0, gpu::current_stream(), a, inside);
  T const* const dy = a.relu ? a.upstream() : a.dy;
  return channels::map_channels(gates::Backward<T>{a, dy, inside.dmean}, s, dy, a.dx, a.norm_training ? a.x : nullptr);
}

}  // namespace D16_GPU
}  // namespace d16::kernels
