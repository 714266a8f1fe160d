// Group normalisation on a GPU: two sums for each channel of a sample, statistics of the groups from these, one pass
// that applies them.
#pragma once
#include <cmath>

#include "../group_norm.hpp"
#include "channel_sums.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace groups {

using channels::Chunks;
using channels::Sums;

template <class T> Chunks chunks_of(GroupNorm<T> const& a) { return {a.N, a.pixels, a.C}; }

/// x of the channel's first value, and the square: small numbers, however far from zero x is.
template <class T> struct Deviation {
  T const* x;
  int pixels, C;
  __device__ Sums operator()(int n, int p, int c) const {
    int64_t const first = int64_t(n) * pixels * C + c;
    double const d = double(x[first + int64_t(p) * C]) - double(x[first]);
    return {d, d * d};
  }
};

/// mean and inv_std of the groups, a warp for each. All channels have as many values: the mean is that of their means,
/// and the squares about it are those about their own means and those of the means.
template <class T> __global__ void __launch_bounds__(line_threads)
    statistics(GroupNorm<T> const a, int chunks, int in_group, Sums const* partial) {
  int const k = int(gpu::this_thread() / 32), lane = int(threadIdx.x) % 32;
  if (k >= int(a.N) * a.groups) return;
  int const n = k / a.groups, begin = k % a.groups * in_group;
  double const count = double(a.pixels);
  T const* const pivot = a.x + int64_t(n) * a.pixels * a.C;
  double mean = 0, squares = 0;
  for (int c = begin + lane; c < begin + in_group; c += 32)
    mean += double(pivot[c]) + channels::sum_of_chunks(partial, chunks, a.C, n, c).first / count;
  mean = channels::warp_sum(mean) / in_group;
  for (int c = begin + lane; c < begin + in_group; c += 32) {
    Sums const sum = channels::sum_of_chunks(partial, chunks, a.C, n, c);
    double const shift = sum.first / count, apart = double(pivot[c]) + shift - mean;
    squares += sum.second - shift * sum.first + count * apart * apart;
  }
  squares = channels::warp_sum(squares);
  if (lane > 0) return;
  a.mean[k] = mean;
  double const variance = squares > 0 || squares != squares ? squares / (count * in_group) : 0;  // a NaN stays
  a.inv_std[k] = 1 / std::sqrt(variance + a.eps);
}

/// x minus the mean first, and the rounding error of the mean in the shift: right also where the mean is far above the
/// spread.
template <class T> struct Apply {
  GroupNorm<T> a;
  int in_group;

  template <int width> struct Of {
    T const* x;
    T* y;
    Pack<T, width> centre, scale, shift;

    __device__ Of(Apply const& map, int n, int c) : x(map.a.x), y(map.a.y) {
      GroupNorm<T> const& a = map.a;
#pragma unroll
      for (int e = 0; e < width; ++e) {
        int const group = n * a.groups + (c + e) / map.in_group;
        double const slope = (a.weight ? double(a.weight[c + e]) : 1.0) * a.inv_std[group];
        centre.value[e] = T(a.mean[group]), scale.value[e] = T(slope);
        shift.value[e] = T((a.bias ? double(a.bias[c + e]) : 0.0) - slope * (a.mean[group] - double(centre.value[e])));
      }
    }
    __device__ void operator()(int64_t i) const {
      auto v = read_pack<width>(x, i);
#pragma unroll
      for (int e = 0; e < width; ++e) v.value[e] = (v.value[e] - centre.value[e]) * scale.value[e] + shift.value[e];
      write_pack<width>(y, i, v);
    }
  };
};

/// dy, and dy times x of the mean.
template <class T> struct Gradient {
  GroupNorm<T> a;
  int in_group;
  __device__ Sums operator()(int n, int p, int c) const {
    int64_t const i = (int64_t(n) * a.pixels + p) * a.C + c;
    double const dy = double(a.dy[i]);
    return {dy, dy * (double(a.x[i]) - a.mean[n * a.groups + c / in_group])};
  }
};
/// The sums of each sample, a thread for each channel of it.
template <class T> __global__ void __launch_bounds__(line_threads)
    write_sums(GroupNorm<T> const a, int chunks, int in_group, Sums const* partial) {
  int const i = int(gpu::this_thread());
  if (i >= int(a.N) * a.C) return;
  int const n = i / a.C, c = i % a.C;
  Sums const sum = channels::sum_of_chunks(partial, chunks, a.C, n, c);
  a.sums[int64_t(2 * n) * a.C + c] = sum.first;
  a.sums[int64_t(2 * n + 1) * a.C + c] = sum.second * a.inv_std[n * a.groups + c / in_group];
}
/// dw and db: a warp for each channel adds up its samples.
template <class T> __global__ void __launch_bounds__(line_threads) write_gradient(GroupNorm<T> const a) {
  int const c = int(gpu::this_thread() / 32), lane = int(threadIdx.x) % 32;
  if (c >= a.C) return;
  double dw = 0, db = 0;
  for (int n = lane; n < int(a.N); n += 32) {
    db += a.sums[int64_t(2 * n) * a.C + c];
    dw += a.sums[int64_t(2 * n + 1) * a.C + c];
  }
  dw = channels::warp_sum(dw), db = channels::warp_sum(db);
  if (lane == 0) a.dw[c] = T(dw), a.db[c] = T(db);
}

/// The means over a group of weight dy and of weight dy times the normalised x, a warp for each group.
template <class T> __global__ void __launch_bounds__(line_threads)
    write_means(GroupNorm<T> const a, int in_group, Sums* means) {
  int const k = int(gpu::this_thread() / 32), lane = int(threadIdx.x) % 32;
  if (k >= int(a.N) * a.groups) return;
  int const n = k / a.groups, begin = k % a.groups * in_group;
  Sums sum{0, 0};
  for (int c = begin + lane; c < begin + in_group; c += 32) {
    double const weight = a.weight ? double(a.weight[c]) : 1.0;
    sum.first += weight * a.sums[int64_t(2 * n) * a.C + c];
    sum.second += weight * a.sums[int64_t(2 * n + 1) * a.C + c];
  }
  double const count = double(a.pixels) * in_group, first = channels::warp_sum(sum.first) / count;
  double const second = channels::warp_sum(sum.second) / count;
  if (lane == 0) means[k] = {first, second};
}
/// dx = slope dy - along (x - mean) - shift, with the rounding error of the mean in the shift.
template <class T> struct Backward {
  GroupNorm<T> a;
  int in_group;
  Sums const* means;

  template <int width> struct Of {
    T const *x, *dy;
    T* dx;
    Pack<T, width> centre, slope, along, shift;

    __device__ Of(Backward const& map, int n, int c) : x(map.a.x), dy(map.a.dy), dx(map.a.dx) {
      GroupNorm<T> const& a = map.a;
#pragma unroll
      for (int e = 0; e < width; ++e) {
        int const group = n * a.groups + (c + e) / map.in_group;
        double const inv_std = a.inv_std[group], of_x = inv_std * inv_std * map.means[group].second;
        centre.value[e] = T(a.mean[group]), along.value[e] = T(of_x);
        slope.value[e] = T((a.weight ? double(a.weight[c + e]) : 1.0) * inv_std);
        shift.value[e] = T(inv_std * map.means[group].first - of_x * (a.mean[group] - double(centre.value[e])));
      }
    }
    __device__ void operator()(int64_t i) const {
      auto const v = read_pack<width>(x, i);
      auto g = read_pack<width>(dy, i);
#pragma unroll
      for (int e = 0; e < width; ++e)
        g.value[e] = g.value[e] * slope.value[e] - (v.value[e] - centre.value[e]) * along.value[e] - shift.value[e];
      write_pack<width>(dx, i, g);
    }
  };
};

template <class T> bool is_empty(GroupNorm<T> const& a) { return a.N <= 0 || a.pixels <= 0 || a.C <= 0; }
template <class T> int in_group(GroupNorm<T> const& a) { return a.C / a.groups; }
inline dim3 warp_for_each(int64_t count) { return gpu::blocks_for(count * 32, line_threads, 1 << 30); }

}  // namespace groups

/// Of group_norm and group_norm_dw: two sums for each channel of each chunk.
template <class T> size_t group_norm_work_bytes(GroupNorm<T> const& a) { return groups::chunks_of(a).bytes(); }
template <class T> size_t group_norm_dw_work_bytes(GroupNorm<T> const& a) { return groups::chunks_of(a).bytes(); }
/// Two means for each group.
template <class T> size_t group_norm_dx_work_bytes(GroupNorm<T> const& a) {
  return size_t(a.N * a.groups) * sizeof(channels::Sums);
}

/// Floor: x read twice, y written once; where all of a batch fits into L2, x is read once.
template <class T> int group_norm(GroupNorm<T> const& a) {
  channels::Chunks const s = groups::chunks_of(a);
  if (groups::is_empty(a)) return ok;
  if (!s.fit()) return unsupported;
  auto* const partial = static_cast<channels::Sums*>(a.work);
  int const in_group = groups::in_group(a);
  channels::sum_pixels(groups::Deviation<T>{a.x, int(a.pixels), a.C}, s, partial);
  gpu::launch(groups::statistics<T>, groups::warp_for_each(a.N * a.groups), dim3(line_threads), 0,
              gpu::current_stream(), a, int(s.of_sample()), in_group, partial);
  return channels::map_channels(groups::Apply<T>{a, in_group}, s, a.x, a.y);
}
/// Floor: x and dy read once.
template <class T> int group_norm_dw(GroupNorm<T> const& a) {
  channels::Chunks const s = groups::chunks_of(a);
  if (a.C <= 0) return ok;
  if (!s.fit()) return unsupported;
  auto* const partial = static_cast<channels::Sums*>(a.work);
  int const in_group = groups::in_group(a);
  if (!groups::is_empty(a)) {
    channels::sum_pixels(groups::Gradient<T>{a, in_group}, s, partial);
    gpu::launch(groups::write_sums<T>, gpu::blocks_for(a.N * a.C, line_threads, 1 << 30), dim3(line_threads), 0,
                gpu::current_stream(), a, int(s.of_sample()), in_group, partial);
  }
  return gpu::launch(groups::write_gradient<T>, groups::warp_for_each(a.C), dim3(line_threads), 0,
                     gpu::current_stream(), a);
}
/// Floor: x and dy read once, dx written once.
template <class T> int group_norm_dx(GroupNorm<T> const& a) {
  channels::Chunks const s = groups::chunks_of(a);
  if (groups::is_empty(a)) return ok;
  if (!s.fit()) return unsupported;
  auto* const means = static_cast<channels::Sums*>(a.work);
  int const in_group = groups::in_group(a);
  gpu::launch(groups::write_means<T>, groups::warp_for_each(a.N * a.groups), dim3(line_threads), 0,
              gpu::current_stream(), a, in_group, means);
  return channels::map_channels(groups::Backward<T>{a, in_group, means}, s, a.x, a.dy, a.dx);
}

}  // namespace D16_GPU
}  // namespace d16::kernels
