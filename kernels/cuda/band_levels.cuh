// The levels of the bands of images on a GPU: order statistics, mean and deviation, a block of threads for each band.
//
// Nothing is sorted. The k-th smallest number is found by its bits, eight at a time from the top: the pixels that have
// the bits found so far are counted by their next eight, and the bucket in which the k-th of them is gives these. Counts
// are whole numbers, so atomic additions in shared memory do not depend on who comes first; sums run in one order.
#pragma once
#include <cmath>
#include <cstring>
#include <type_traits>

#include "../band_levels.hpp"
#include "gpu.hpp"

namespace d16::kernels {
namespace D16_GPU {
namespace levels {

constexpr int threads = 512, warps = threads / 32, buckets = 256;

template <class T> using Word = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;

/// The bits of a number as a word that is in the order of the numbers, and back.
template <class T> __device__ __forceinline__ Word<T> word_of(T value) {
  Word<T> bits;
  memcpy(&bits, &value, sizeof bits);
  constexpr Word<T> sign = Word<T>(1) << (8 * sizeof(T) - 1);
  return bits & sign ? ~bits : bits | sign;
}
template <class T> __device__ __forceinline__ T number_of(Word<T> word) {
  constexpr Word<T> sign = Word<T>(1) << (8 * sizeof(T) - 1);
  Word<T> const bits = word & sign ? word & ~sign : ~word;
  T value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/// The finite pixels of a band from `low` to `high`: what sigma clipping has left.
template <class T> struct Band {
  T const* x;
  int64_t pixels, step;
  double low, high;

  template <class F> __device__ void each(F const& f) const {
    for (int64_t p = threadIdx.x; p < pixels; p += threads) {
      T const v = x[p * step];
      if (v - v == 0 && double(v) >= low && double(v) <= high) f(v);
    }
  }
};

struct Shared {
  double* of_warp;
  int* count;  ///< of the buckets, then the bucket in question and how many are below it
};

/// The same result in all threads, combined in one order.
template <class Combine> __device__ double of_block(double value, Shared const& s, Combine const& combine) {
  for (int distance = 16; distance > 0; distance /= 2) value = combine(value, __shfl_xor_sync(~0u, value, distance));
  if (threadIdx.x % 32 == 0) s.of_warp[threadIdx.x / 32] = value;
  __syncthreads();
  double all = s.of_warp[0];
  for (int warp = 1; warp < warps; ++warp) all = combine(all, s.of_warp[warp]);
  __syncthreads();  // of_warp may be used again
  return all;
}
__device__ inline double sum(double value, Shared const& s) {
  return of_block(value, s, [](double a, double b) { return a + b; });
}
__device__ inline double least(double value, Shared const& s) {
  return of_block(value, s, [](double a, double b) { return b < a ? b : a; });
}

/// By the first warp: the bucket that the k-th is in, and how many are in those below. A lane adds up eight neighbours,
/// each of eight lanes that share a bank beginning with another one.
__device__ inline void find_bucket(int k, Shared const& s) {
  constexpr int each = buckets / 32;
  int const lane = int(threadIdx.x);
  int mine = 0;
  for (int i = 0; i < each; ++i) mine += s.count[lane * each + (i + lane / 4) % each];
  int up_to = mine;
  for (int distance = 1; distance < 32; distance *= 2) {
    int const before = __shfl_up_sync(~0u, up_to, unsigned(distance));
    if (lane >= distance) up_to += before;
  }
  int below = up_to - mine;
  if (k < below || k >= up_to) return;
  int bucket = lane * each;
  while (k >= below + s.count[bucket]) below += s.count[bucket++];
  s.count[buckets] = bucket, s.count[buckets + 1] = below;
}

/// The k-th smallest pixel, k from 0.
template <class T> __device__ T select(Band<T> const& band, int k, Shared const& s) {
  Word<T> found = 0, mask = 0;
  for (int shift = 8 * int(sizeof(T)) - 8; shift >= 0; shift -= 8) {
    for (int i = int(threadIdx.x); i < buckets; i += threads) s.count[i] = 0;
    __syncthreads();  // all counts are 0
    band.each([&](T v) {
      Word<T> const word = word_of(v);
      if ((word & mask) == found) atomicAdd(s.count + int(word >> shift & 255), 1);
    });
    __syncthreads();  // all are counted
    if (threadIdx.x < 32) find_bucket(k, s);
    __syncthreads();  // the bucket is known
    found |= Word<T>(s.count[buckets]) << shift, mask |= Word<T>(255) << shift;
    k -= s.count[buckets + 1];
  }
  return number_of<T>(found);
}

/// Quantile q of the `count` pixels, between order statistics linearly.
template <class T> __device__ double quantile(Band<T> const& band, double count, double q, Shared const& s) {
  double const position = q * (count - 1), part = position - std::floor(position);
  T const value = select(band, int(position), s);
  if (!(part > 0)) return double(value);
  double not_above = 0, next = INFINITY;
  band.each([&](T v) {
    if (v <= value) not_above += 1;
    else if (double(v) < next) next = double(v);
  });
  next = least(next, s);
  if (sum(not_above, s) > std::floor(position) + 1) next = double(value);
  return double(value) + part * (next - double(value));
}

template <class T> __device__ double deviation(Band<T> const& band, double count, Shared const& s) {
  double total = 0, squares = 0;
  band.each([&](T v) { total += double(v); });
  double const mean = sum(total, s) / count;
  band.each([&](T v) { squares += (double(v) - mean) * (double(v) - mean); });
  return std::sqrt(sum(squares, s) / count);
}

template <class T> __device__ double count_of(Band<T> const& band, Shared const& s) {
  double count = 0;
  band.each([&](T) { count += 1; });
  return sum(count, s);
}

template <class T> __device__ Levels measure(BandLevels<T> const& a, Band<T> band, Shared const& s) {
  double count = count_of(band, s);
  Levels l{count, NAN, NAN, NAN, NAN, NAN};
  if (!(count > 0)) return l;
  double low = INFINITY, minus_high = INFINITY;
  band.each([&](T v) {
    if (double(v) < low) low = double(v);
    if (-double(v) < minus_high) minus_high = -double(v);
  });
  l.lowest = least(low, s), l.highest = -least(minus_high, s);
  l.bright = quantile(band, count, a.quantile, s);
  l.median = quantile(band, count, 0.5, s), l.std = deviation(band, count, s);
  for (int round = 0; round < a.rounds; ++round) {
    double const from = l.median - a.clip * l.std, to = l.median + a.clip * l.std;
    band.low = from > band.low ? from : band.low, band.high = to < band.high ? to : band.high;
    double const left = count_of(band, s);
    if (left == count || left == 0) break;
    count = left;
    l.median = quantile(band, count, 0.5, s), l.std = deviation(band, count, s);
  }
  return l;
}

template <class T> __global__ void __launch_bounds__(threads, 1) levels_kernel(BandLevels<T> const a) {
  gpu::Smem smem;
  Shared const s{smem.take<double>(warps), smem.take<int>(buckets + 2)};
  for (int64_t i = blockIdx.x; i < a.N * a.C; i += gridDim.x) {
    Band<T> const band{a.x + i / a.C * a.pixels * a.C + i % a.C, a.pixels, a.C, -INFINITY, INFINITY};
    Levels const l = measure(a, band, s);
    if (threadIdx.x == 0) a.levels[i] = l;
  }
}

}  // namespace levels

/// Floor: x read once. It is read some fifty times, from L1 or L2 for pictures of cutouts; a frame of 16 million pixels
/// keeps its blocks busy for a good part of a second. For up to 2^31 pixels.
template <class T> int band_levels(BandLevels<T> const& a) {
  if (a.pixels >= int64_t(1) << 31) return unsupported;
  if (a.N * a.C <= 0) return ok;
  size_t const bytes = gpu::Smem::bytes<double>(levels::warps) + gpu::Smem::bytes<int>(levels::buckets + 2);
  return gpu::launch(levels::levels_kernel<T>, gpu::blocks_for(a.N * a.C, 1, 16 * gpu::multiprocessors()),
                     dim3(levels::threads), bytes, gpu::current_stream(), a);
}

}  // namespace D16_GPU
}  // namespace d16::kernels
