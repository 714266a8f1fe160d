// Batch normalisation on a GPU, for images and for group features, whose statistics are shared by the group.
#pragma once
#include <cmath>

#include "../batch_norm.hpp"
#include "gpu.hpp"

namespace d16::kernels {
namespace D16_GPU {
namespace norm {

/// Two sums for each channel. In double, in two steps of fixed order: blocks of 32 columns (channel and element) by 8
/// rows add up a chunk of rows; then a warp for each channel adds its columns and chunks.
constexpr int columns_of_block = 32, rows_of_block = 8, rows_of_chunk = 512;
struct alignas(16) TwoSums {
  double first, second;
};
inline int chunks_of(int64_t rows) { return int((rows + rows_of_chunk - 1) / rows_of_chunk); }
inline size_t sums_bytes(int64_t rows, int64_t columns) {
  return size_t(chunks_of(rows)) * size_t(columns) * sizeof(TwoSums);
}

/// Grid: (chunks, blocks of columns). value(row, column) gives what is added.
template <class Value> __global__ void add_rows(Value value, int64_t rows, int64_t columns, TwoSums* partial) {
  gpu::Smem smem;
  TwoSums* const of_row = smem.take<TwoSums>(columns_of_block * rows_of_block);
  int const x = int(threadIdx.x), y = int(threadIdx.y);
  int64_t const column = int64_t(blockIdx.y) * columns_of_block + x, begin = int64_t(blockIdx.x) * rows_of_chunk;
  int64_t const end = min(rows, begin + rows_of_chunk);
  TwoSums sum{0, 0};
  if (column < columns)
    for (int64_t r = begin + y; r < end; r += rows_of_block) {
      TwoSums const v = value(r, column);
      sum.first += v.first, sum.second += v.second;
    }
  of_row[y * columns_of_block + x] = sum;
  __syncthreads();
  if (y > 0 || column >= columns) return;
  for (int i = 1; i < rows_of_block; ++i) {
    sum.first += of_row[i * columns_of_block + x].first, sum.second += of_row[i * columns_of_block + x].second;
  }
  partial[blockIdx.x * columns + column] = sum;
}
/// The sums of channel c, in every lane of its warp.
__device__ inline TwoSums sums_of_channel(TwoSums const* partial, int c, int G, int64_t columns, int chunks) {
  TwoSums sum{0, 0};
  for (int i = int(threadIdx.x) % 32; i < chunks * G; i += 32) {
    TwoSums const v = partial[int64_t(i / G) * columns + int64_t(c) * G + i % G];
    sum.first += v.first, sum.second += v.second;
  }
  for (int distance = 16; distance; distance /= 2) {
    sum.first += __shfl_xor_sync(~0u, sum.first, distance);
    sum.second += __shfl_xor_sync(~0u, sum.second, distance);
  }
  return sum;
}

/// x of its channel's first value, and the square: the variance is then a small difference of small numbers, however
/// far from zero x is.
template <class T> struct Deviation {
  T const* x;
  int64_t columns;
  int G;
  __device__ TwoSums operator()(int64_t row, int64_t column) const {
    double const d = double(gpu::to_float(x[row * columns + column])) - double(gpu::to_float(x[column / G * G]));
    return {d, d * d};
  }
};
template <class T> __device__ double pivot_of(T const* x, int c, int G) {
  return double(gpu::to_float(x[int64_t(c) * G]));
}
/// Mean and variance from the sums of deviations from a pivot.
__device__ inline TwoSums mean_and_variance(TwoSums sum, double pivot, double count) {
  double const mean = sum.first / count, variance = sum.second / count - mean * mean;
  return {pivot + mean, variance > 0 || variance != variance ? variance : 0};
}

/// moments (2,C). One warp for each channel.
template <class T> __global__ void write_moments(TwoSums const* partial, int chunks, T const* x, int64_t rows, int C,
                                                 int G, double* moments) {
  int const c = int(gpu::this_thread() / 32);
  if (c >= C) return;
  TwoSums const sum = sums_of_channel(partial, c, G, int64_t(C) * G, chunks);
  TwoSums const m = mean_and_variance(sum, pivot_of(x, c, G), double(rows) * G);
  if (threadIdx.x % 32 == 0) moments[c] = m.first, moments[C + c] = m.second;
}

template <class Value> void launch_sums(Value const& value, int64_t rows, int64_t columns, TwoSums* partial) {
  dim3 const grid{unsigned(chunks_of(rows)), unsigned((columns + columns_of_block - 1) / columns_of_block)};
  gpu::launch(add_rows<Value>, grid, dim3(columns_of_block, rows_of_block),
              gpu::Smem::bytes<TwoSums>(columns_of_block * rows_of_block), gpu::current_stream(), value, rows, columns,
              partial);
}
inline dim3 warp_for_each(int C) { return gpu::blocks_for(int64_t(C) * 32, 256); }

/// Mean and variance of every channel of x (rows,C,G). work: sums_bytes(rows, C G) bytes.
template <class T> int moments(T const* x, int64_t rows, int C, int G, double* out, void* work) {
  auto* const partial = static_cast<TwoSums*>(work);
  launch_sums(Deviation<T>{x, int64_t(C) * G, G}, rows, int64_t(C) * G, partial);
  return gpu::launch(write_moments<T>, warp_for_each(C), dim3(256), 0, gpu::current_stream(), partial, chunks_of(rows),
                     x, rows, C, G, out);
}

/// mean and inv_std, and the running statistics. From partial sums when training, unless the moments are known: of
/// deviations, or of x itself, known for each image.
template <class T> __global__ void statistics(BatchNorm<T> a, TwoSums const* partial, int chunks) {
  int const c = int(gpu::this_thread() / 32);
  if (c >= a.C) return;
  double const count = double(a.rows) * a.G;
  TwoSums m{0, 0};
  if (partial)
    m = mean_and_variance(sums_of_channel(partial, c, a.G, int64_t(a.C) * a.G, chunks),
                          a.sums ? 0 : pivot_of(a.x, c, a.G), count);
  if (threadIdx.x % 32 != 0) return;
  if (a.training) {
    if (!partial) m = {a.moments[c], a.moments[a.C + c]};
    double const unbiased = m.second * count / (count - 1);
    if (a.running_mean) a.running_mean[c] += Wide<T>(a.momentum * (m.first - double(a.running_mean[c])));
    if (a.running_var) a.running_var[c] += Wide<T>(a.momentum * (unbiased - double(a.running_var[c])));
  } else {
    m = {double(a.running_mean[c]), double(a.running_var[c])};
  }
  a.mean[c] = m.first, a.inv_std[c] = 1 / std::sqrt(m.second + a.eps);
}

/// What every element of a channel needs. The mean has two parts, so that x - mean is exact where x is far from zero.
template <class T> struct Channel {
  using V = Wide<T>;
  V mean, rest, inv_std, weight, bias;
  __device__ Channel(BatchNorm<T> const& a, int c) : mean(V(a.mean[c])) {
    rest = V(a.mean[c] - double(mean)), inv_std = V(a.inv_std[c]);
    weight = a.weight ? a.weight[c] : V(1), bias = a.bias ? a.bias[c] : V(0);
  }
  __device__ V normalised(T x) const { return (gpu::to_float(x) - mean - rest) * inv_std; }
  __device__ V result(T x) const { return weight * normalised(x) + bias; }
  /// dy, or 0 where the ReLU has cut the result off.
  __device__ V upstream(BatchNorm<T> const& a, T x, T dy) const {
    return a.relu && !(result(x) > 0) ? V(0) : gpu::to_float(dy);
  }
};

template <class T> __global__ void apply(BatchNorm<T> a) {
  int64_t const count = a.rows * a.C * a.G;
  for (int64_t i = gpu::this_thread(); i < count; i += gpu::all_threads()) {
    Wide<T> const y = Channel<T>(a, int(i / a.G % a.C)).result(a.x[i]);
    a.y[i] = gpu::from_float<T>(a.relu && y < 0 ? Wide<T>(0) : y);
  }
}

/// dy times the normalised x, and dy.
template <class T> struct Gradient {
  BatchNorm<T> a;
  __device__ TwoSums operator()(int64_t row, int64_t column) const {
    Channel<T> const c(a, int(column / a.G));
    int64_t const i = row * a.C * a.G + column;
    double const dy = double(c.upstream(a, a.x[i], a.dy[i]));
    return {dy * double(c.normalised(a.x[i])), dy};
  }
};
template <class T> __global__ void write_gradient(BatchNorm<T> a, TwoSums const* partial, int chunks) {
  int const c = int(gpu::this_thread() / 32);
  if (c >= a.C) return;
  TwoSums const sum = sums_of_channel(partial, c, a.G, int64_t(a.C) * a.G, chunks);
  if (threadIdx.x % 32 == 0) a.dw[c] = Wide<T>(sum.first), a.db[c] = Wide<T>(sum.second);
}

template <class T> __global__ void backward(BatchNorm<T> a) {
  int64_t const elements = a.rows * a.C * a.G;
  Wide<T> const share = Wide<T>(1 / (double(a.rows) * a.G));
  for (int64_t i = gpu::this_thread(); i < elements; i += gpu::all_threads()) {
    int const c = int(i / a.G % a.C);
    Channel<T> const channel(a, c);
    Wide<T> through = channel.upstream(a, a.x[i], a.dy[i]);
    if (a.training) through -= share * (a.db[c] + channel.normalised(a.x[i]) * a.dw[c]);
    a.dx[i] = gpu::from_float<T>(channel.weight * channel.inv_std * through);
  }
}

template <class T> dim3 blocks(BatchNorm<T> const& a) { return gpu::blocks_for(a.rows * a.C * a.G, 256); }
/// The second dimension of a grid has its limit.
template <class T> bool takes(BatchNorm<T> const& a) { return int64_t(a.C) * a.G <= 65535 * int64_t(columns_of_block); }

}  // namespace norm

/// Floor: x read once (twice when training), y written once.
template <class T> int batch_norm_apply(BatchNorm<T> const& a) {
  if (a.rows <= 0 || a.C <= 0) return ok;
  return gpu::launch(norm::apply<T>, norm::blocks(a), dim3(256), 0, gpu::current_stream(), a);
}
template <class T> int batch_norm(BatchNorm<T> const& a) {
  if (!norm::takes(a)) return unsupported;
  if (a.C <= 0) return ok;
  bool const unknown = a.training && !a.moments && !a.sums;
  auto* const partial = unknown ? static_cast<norm::TwoSums*>(a.work) : nullptr;
  int64_t const columns = int64_t(a.C) * a.G;
  if (unknown) norm::launch_sums(norm::Deviation<T>{a.x, columns, a.G}, a.rows, columns, partial);
  auto const* const sums = a.training && a.sums ? reinterpret_cast<norm::TwoSums const*>(a.sums) : partial;
  int const status = gpu::launch(norm::statistics<T>, norm::warp_for_each(a.C), dim3(256), 0, gpu::current_stream(), a,
                                 sums, a.sums ? int(a.images) : norm::chunks_of(a.rows));
  return a.y ? batch_norm_apply(a) : status;
}
/// Floor: x and dy read once.
template <class T> int batch_norm_dw(BatchNorm<T> const& a) {
  if (!norm::takes(a)) return unsupported;
  if (a.C <= 0) return ok;
  auto* const partial = static_cast<norm::TwoSums*>(a.work);
  norm::launch_sums(norm::Gradient<T>{a}, a.rows, int64_t(a.C) * a.G, partial);
  return gpu::launch(norm::write_gradient<T>, norm::warp_for_each(a.C), dim3(256), 0, gpu::current_stream(), a, partial,
                     norm::chunks_of(a.rows));
}
/// Floor: x and dy read once, dx written once.
template <class T> int batch_norm_dx(BatchNorm<T> const& a) {
  if (a.rows <= 0 || a.C <= 0) return ok;
  return gpu::launch(norm::backward<T>, norm::blocks(a), dim3(256), 0, gpu::current_stream(), a);
}
template <class T> size_t batch_norm_work_bytes(BatchNorm<T> const& a) {
  return norm::sums_bytes(a.rows, int64_t(a.C) * a.G);
}

}  // namespace D16_GPU
}  // namespace d16::kernels
