// t-SNE with all pairs on a GPU. The repulsion has a thread for each row, to which the columns come through shared memory,
// a tile at a time; where rows alone do not fill a GPU, several blocks share the columns. The attraction has a warp for
// each row of P.
#pragma once
#include <cmath>

#include "../tsne.hpp"
#include "channel_sums.cuh"
#include "reduce.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace tsne {

constexpr int threads = reduce_threads;  // of a block: as many rows, and columns of a tile

template <class T> using Place = Pack<T, 2>;

/// How the pairs are shared out: numbers of the shape, so that sums have one order.
struct Plan {
  int64_t tiles, parts, blocks_of_rows;

  explicit Plan(int64_t N) : tiles((N + threads - 1) / threads) {
    constexpr int64_t blocks_that_fill_a_gpu = 1024;
    constexpr int64_t tiles_of_part = 2;  // at least
    parts = max(min(blocks_that_fill_a_gpu / tiles, tiles / tiles_of_part), int64_t(1));
    constexpr int64_t rows_of_block = 32;  // at least, four for each warp
    blocks_of_rows = min((N + rows_of_block - 1) / rows_of_block, blocks_that_fill_a_gpu);
  }
  /// Scratch memory: a force for each row and part, then a share of Z for each block, then one of the logarithms.
  size_t forces(int64_t N) const { return size_t(parts * N) * sizeof(Place<double>); }
  size_t bytes(int64_t N) const { return forces(N) + size_t(tiles * parts + blocks_of_rows) * sizeof(double); }
};

/// 1 / (1 + square) without the slow paths of a division; squares above 2^126 give 0.
__device__ __forceinline__ float nearness(float square) { return __fdividef(1.0f, 1 + square); }
__device__ __forceinline__ double nearness(double square) { return 1 / (1 + square); }

/// What the columns of a tile do to a row: added up in T, the tiles then in double.
template <class T> struct Repulsion {
  T z = 0, x = 0, y = 0;

  __device__ __forceinline__ void add(Place<T> const& row, Place<T> const& column) {
    T const dx = row.value[0] - column.value[0], dy = row.value[1] - column.value[1];
    T const w = nearness(dx * dx + dy * dy), square = w * w;
    z += w, x += square * dx, y += square * dy;
  }
};

/// forces[part, row] = sum of w^2 d over the part's columns, of_block[part, block] = sum of w over them and the block's
/// rows. Grid: (tiles, parts).
template <class T> __global__ void __launch_bounds__(threads)
    repel(int N, T const* __restrict__ y, Place<double>* __restrict__ forces, double* __restrict__ of_block) {
  gpu::Smem smem;
  auto* const column = smem.take<Place<T>>(threads);
  double* const of_warp = smem.take<double>(reduce_warps);
  int const tiles = int(gridDim.x), part = int(blockIdx.y), parts = int(gridDim.y), thread = int(threadIdx.x);
  int const row = int(blockIdx.x) * threads + thread, last = int(int64_t(tiles) * (part + 1) / parts);
  Place<T> const here = read_pack<2>(y, row < N ? row : N - 1);
  Place<double> force{};
  double z = 0;
  for (int tile = int(int64_t(tiles) * part / parts); tile < last; ++tile) {
    int const first = tile * threads, count = min(N - first, threads);
    __syncthreads();  // the tile before has been read
    if (thread < count) column[thread] = read_pack<2>(y, first + thread);
    __syncthreads();  // the tile is there
    // no row repels itself
    int const own = tile == int(blockIdx.x) ? min(thread, count) : count;
    Repulsion<T> of_tile;
    for (int j = 0; j < own; ++j) of_tile.add(here, column[j]);
    for (int j = own + 1; j < count; ++j) of_tile.add(here, column[j]);
    z += double(of_tile.z), force.value[0] += double(of_tile.x), force.value[1] += double(of_tile.y);
  }
  if (row < N) forces[int64_t(part) * N + row] = force;
  z = block_sum(row < N ? z : 0.0, of_warp);
  if (thread == 0) of_block[part * tiles + int(blockIdx.x)] = z;
}

/// The gradient, from Z and the forces of all parts; of_block[block] = its share of the logarithms, unless null.
template <class T> __global__ void __launch_bounds__(threads)
    attract(TsneGradient<T> const a, int parts, Place<double> const* __restrict__ forces, double* of_block) {
  gpu::Smem smem;
  double* const of_warp = smem.take<double>(reduce_warps);
  int const lane = int(threadIdx.x) % 32;
  double const share = 1 / a.sums[0];
  double logs = 0;
  for (int64_t row = gpu::this_thread() / 32; row < a.N; row += gpu::all_threads() / 32) {
    Place<T> const here = read_pack<2>(a.y, row);
    double x = 0, y = 0;
    for (int64_t k = a.start[row] + lane; k < a.start[row + 1]; k += 32) {
      Place<T> const there = read_pack<2>(a.y, a.to[k]);
      T const dx = here.value[0] - there.value[0], dy = here.value[1] - there.value[1], square = dx * dx + dy * dy;
      T const pull = a.p[k] * nearness(square);
      x += double(pull * dx), y += double(pull * dy);
      if (of_block) logs += double(a.p[k]) * double(std::log1p(square));
    }
    x *= a.exaggeration, y *= a.exaggeration;
    for (int part = lane; part < parts; part += 32) {
      Place<double> const force = forces[int64_t(part) * a.N + row];
      x -= share * force.value[0], y -= share * force.value[1];
    }
    x = channels::warp_sum(x), y = channels::warp_sum(y);
    if (lane == 0) write_pack<2>(a.gradient, row, Place<T>{T(x), T(y)});
  }
  if (!of_block) return;
  logs = block_sum(logs, of_warp);
  if (threadIdx.x == 0) of_block[blockIdx.x] = logs;
}

/// Every row a step further; of_block[k, block] = the sum of the block's rows' coordinate k.
template <class T> __global__ void __launch_bounds__(threads) move(TsneStep<T> const a, double* of_block) {
  gpu::Smem smem;
  double* const of_warp = smem.take<double>(2 * reduce_warps);
  double sum[2] = {0, 0};
  for (int64_t i = gpu::this_thread(); i < a.N; i += gpu::all_threads()) {
    Place<T> const slope = read_pack<2>(a.gradient, i);
    Place<T> y = read_pack<2>(a.y, i), update = read_pack<2>(a.update, i), gain = read_pack<2>(a.gain, i);
#pragma unroll
    for (int k = 0; k < 2; ++k) {
      T const g = slope.value[k], last = update.value[k];
      bool const up = (last > 0) == (g > 0) && (last < 0) == (g < 0);
      gain.value[k] = up ? T(0.8) * gain.value[k] + T(0.01) : gain.value[k] + T(0.2);
      update.value[k] = T(a.momentum) * last - T(a.rate) * gain.value[k] * g;
    }
    T const length = std::sqrt(update.value[0] * update.value[0] + update.value[1] * update.value[1]);
    T const shrink = length > T(a.longest) ? T(a.longest) / length : T(1);
#pragma unroll
    for (int k = 0; k < 2; ++k) {
      update.value[k] *= shrink;
      y.value[k] += update.value[k];
      sum[k] += double(y.value[k]);
    }
    write_pack<2>(a.y, i, y), write_pack<2>(a.update, i, update), write_pack<2>(a.gain, i, gain);
  }
  double const x_sum = block_sum(sum[0], of_warp), y_sum = block_sum(sum[1], of_warp + reduce_warps);
  if (threadIdx.x == 0) of_block[blockIdx.x] = x_sum, of_block[gridDim.x + blockIdx.x] = y_sum;
}
template <class T> __global__ void __launch_bounds__(threads) centre(int64_t N, double const* mean, T* y) {
  T const x_mean = T(mean[0]), y_mean = T(mean[1]);
  for (int64_t i = gpu::this_thread(); i < N; i += gpu::all_threads()) {
    Place<T> place = read_pack<2>(y, i);
    place.value[0] -= x_mean, place.value[1] -= y_mean;
    write_pack<2>(y, i, place);
  }
}

/// to[k] = scale * the sum of row k of (rows, length).
inline int sum_rows_of(double const* from, int64_t rows, int64_t length, double scale, double* to) {
  return gpu::launch(sum_kernel<double, double>, dim3(unsigned(rows)), dim3(reduce_threads),
                     gpu::Smem::bytes<double>(reduce_warps), gpu::current_stream(), length, int64_t(1), scale, from,
                     to);
}
inline dim3 step_grid(int64_t N) { return gpu::blocks_for(N, threads, 1024); }

}  // namespace tsne

template <class T> size_t tsne_gradient_work_bytes(TsneGradient<T> const& a) { return tsne::Plan(a.N).bytes(a.N); }
template <class T> size_t tsne_step_work_bytes(TsneStep<T> const& a) {
  return (2 * tsne::step_grid(a.N).x + 2) * sizeof(double);
}

/// Floor: ten operations and a reciprocal for each pair; the columns come from shared memory, one for 32 rows at once.
template <class T> int tsne_gradient(TsneGradient<T> const& a) {
  if (a.N == 0) return ok;
  tsne::Plan const plan(a.N);
  if (plan.tiles * plan.parts > max_grid) return unsupported;
  auto* const forces = static_cast<tsne::Place<double>*>(a.work);
  auto* const of_block = reinterpret_cast<double*>(static_cast<char*>(a.work) + plan.forces(a.N));
  double* const logs = a.logs ? of_block + plan.tiles * plan.parts : nullptr;
  dim3 const block(tsne::threads);
  size_t const warps = gpu::Smem::bytes<double>(reduce_warps);
  gpu::launch(tsne::repel<T>, dim3(unsigned(plan.tiles), unsigned(plan.parts)), block,
              gpu::Smem::bytes<tsne::Place<T>>(tsne::threads) + warps, gpu::current_stream(), int(a.N), a.y, forces,
              of_block);
  tsne::sum_rows_of(of_block, 1, plan.tiles * plan.parts, 1, a.sums);
  gpu::launch(tsne::attract<T>, dim3(unsigned(plan.blocks_of_rows)), block, warps, gpu::current_stream(), a,
              int(plan.parts), forces, logs);
  return a.logs ? tsne::sum_rows_of(logs, 1, plan.blocks_of_rows, 1, a.sums + 1) : ok;
}

/// Floor: y, update and gain read and written, the gradient read; y then a second time, for its mean is known late.
template <class T> int tsne_step(TsneStep<T> const& a) {
  if (a.N == 0) return ok;
  dim3 const grid = tsne::step_grid(a.N), block(tsne::threads);
  double *const of_block = static_cast<double*>(a.work), *const mean = of_block + 2 * grid.x;
  gpu::launch(tsne::move<T>, grid, block, gpu::Smem::bytes<double>(2 * reduce_warps), gpu::current_stream(), a,
              of_block);
  tsne::sum_rows_of(of_block, 2, grid.x, 1 / double(a.N), mean);
  return gpu::launch(tsne::centre<T>, grid, block, 0, gpu::current_stream(), a.N, mean, a.y);
}

}  // namespace D16_GPU
}  // namespace d16::kernels
