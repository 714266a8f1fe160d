// All values of all parameters in one launch: a table of where they lie, cut into pieces, a block for each. And the
// beginning of a step, which counts it and measures the gradients.
#pragma once
#include <cfloat>
#include <cmath>
#include <vector>

#include "../optimiser.hpp"
#include "arguments.cuh"
#include "reduce.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace optim {

constexpr int step_threads = reduce_threads, piece_size = 16 * step_threads;

/// A parameter and the number of its first block.
template <class T> struct Row {
  Parameter<T> parameter;
  int64_t first_block;
};
inline int64_t pieces_of(int64_t n) { return (n + piece_size - 1) / piece_size; }
template <class Args> int64_t blocks_of(Args const& a) {
  int64_t blocks = 0;
  for (int i = 0; i < a.count; ++i) blocks += pieces_of(a.parameters[i].n);
  return blocks;
}
template <class T> size_t table_bytes(int count) { return size_t(count) * sizeof(Row<T>); }

/// Writes the table at `to`: a small launch for every eighty parameters, and no memory of the host is read later.
template <class T> Row<T> const* send_table(Parameter<T> const* parameters, int count, void* to) {
  std::vector<Row<T>> rows;
  int64_t block = 0;
  for (int i = 0; i < count; ++i) {
    rows.push_back({parameters[i], block});
    block += pieces_of(parameters[i].n);
  }
  send_as_arguments(rows.data(), rows.size() * sizeof(Row<T>), to);
  return static_cast<Row<T> const*>(to);
}

/// The part of a parameter that this block works on.
template <class T> __device__ Parameter<T> piece_of_block(Row<T> const* table, int count) {
  int64_t const block = blockIdx.x;
  int low = 0, high = count;  // the last row that begins at this block or before it
  while (high - low > 1) {
    int const middle = (low + high) / 2;
    if (table[middle].first_block <= block) low = middle;
    else high = middle;
  }
  Parameter<T> p = table[low].parameter;
  int64_t const at = (block - table[low].first_block) * piece_size;
  p.grad += at, p.value += at, p.n = p.n - at < piece_size ? p.n - at : piece_size;
  if (p.first) p.first += at;
  if (p.second) p.second += at;
  return p;
}

/// Rule rule(state); rule(p, i) changes value i. Grid: blocks_of.
template <class T, class Rule> __global__ void __launch_bounds__(step_threads)
    step_kernel(Row<T> const* table, int count, StepState const* state, typename Rule::Options const options) {
  double const scale = state->scale;
  if (!(scale <= DBL_MAX)) return;
  Rule const rule(options, *state);
  Parameter<T> const p = piece_of_block(table, count);
  for (int i = int(threadIdx.x); i < int(p.n); i += step_threads) rule(p, i);
}

template <class Rule, class T, class Args> int step(Args const& a, typename Rule::Options const& options) {
  int64_t const blocks = blocks_of(a);
  if (blocks == 0) return ok;
  if (blocks > max_grid) return unsupported;
  Row<T> const* const table = send_table(a.parameters, a.count, a.work);
  return gpu::launch(step_kernel<T, Rule>, dim3(unsigned(blocks)), dim3(step_threads), 0, gpu::current_stream(), table,
                     a.count, a.state, options);
}

/// partial[block] = the sum of the squares of a piece.
template <class T> __global__ void __launch_bounds__(step_threads)
    squares_kernel(Row<T> const* table, int count, double* partial) {
  gpu::Smem smem;
  double* const of_warp = smem.take<double>(reduce_warps);
  Parameter<T> const p = piece_of_block(table, count);
  double sum = 0;
  for (int i = int(threadIdx.x); i < int(p.n); i += step_threads) sum += double(p.grad[i]) * double(p.grad[i]);
  sum = block_sum(sum, of_warp);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

struct Beginning {
  double beta1, beta2, longest;
};
/// Counts the step and judges the squares of the gradients. Grid: one block.
template <class State> __global__ void __launch_bounds__(step_threads)
    begin_step_kernel(Beginning const b, double const* partial, int64_t parts, State* state) {
  gpu::Smem smem;
  double* const of_warp = smem.take<double>(reduce_warps);
  double squares = 0;
  for (int64_t i = threadIdx.x; i < parts; i += step_threads) squares += partial[i];
  squares = block_sum(squares, of_warp);
  if (threadIdx.x > 0) return;
  double const step = state->step + 1;
  state->step = step;
  state->mean_correction = 1 / (1 - std::pow(b.beta1, step));
  state->square_correction = 1 / std::sqrt(1 - std::pow(b.beta2, step));
  double scale = 1;
  if (b.longest > 0) {
    double const length = std::sqrt(squares);
    if (!(length <= DBL_MAX)) state->idle += 1, scale = length - length;  // NaN
    else if (length > b.longest) scale = b.longest / length;
    state->length = length;
  }
  state->scale = scale;
}

}  // namespace optim

/// One launch of one block; with a longest length also the table and one pass over the gradients.
template <class T> size_t begin_step_work_bytes(BeginStep<T> const& a) {
  return a.longest > 0 ? optim::table_bytes<T>(a.count) + size_t(optim::blocks_of(a)) * sizeof(double) : 0;
}
template <class T> int begin_step(BeginStep<T> const& a) {
  int64_t const blocks = a.longest > 0 ? optim::blocks_of(a) : 0;
  if (blocks > max_grid) return unsupported;
  size_t const shared = gpu::Smem::bytes<double>(reduce_warps);
  double* partial = nullptr;
  if (blocks > 0) {
    optim::Row<T> const* const table = optim::send_table(a.parameters, a.count, a.work);
    partial = reinterpret_cast<double*>(static_cast<char*>(a.work) + optim::table_bytes<T>(a.count));
    gpu::launch(optim::squares_kernel<T>, dim3(unsigned(blocks)), dim3(optim::step_threads), shared,
                gpu::current_stream(), table, a.count, partial);
  }
  return gpu::launch(optim::begin_step_kernel<StepState>, dim3(1), dim3(optim::step_threads), shared,
                     gpu::current_stream(), optim::Beginning{a.beta1, a.beta2, a.longest}, partial, blocks, a.state);
}

}  // namespace D16_GPU
}  // namespace d16::kernels
