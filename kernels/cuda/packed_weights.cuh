// Weights of a convolution in the order in which products read them.
#pragma once
#include "product.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace dense {

/// Weights as the product wants them, (blocks, columns, taps, padded channels). A column is an output channel of a
/// convolution, or an input channel of its gradient; `channels` are the others.
template <class T> struct PackedWeights {
  Wide<T> const* w;
  int merged, columns, channels, padded;  // columns and channels of one group
  int taps_h, taps_w;
  int64_t of_column, of_channel, of_group, first, step_h, step_w;

  __host__ __device__ int taps() const { return taps_h * taps_w; }
  /// Of column `column` of all blocks and channel c of its block: a tap, or zero between groups.
  __device__ Wide<T> operator()(int column, int c, int tap) const {
    int const group = column / columns;
    if (c >= merged * channels || c / channels != group % merged) return Wide<T>(0);
    return w[group * of_group + column % columns * of_column + c % channels * of_channel + first +
             tap / taps_w * step_h + tap % taps_w * step_w];
  }
};

/// A brick of weights passes through shared memory, so that both sides are whole lines: read as they lie, by columns
/// and then channels or the other way round, and written by taps. An odd pitch keeps channels in different banks.
/// Grid: (columns, channels, taps), in bricks.
constexpr int columns_of_brick = 8, channels_of_brick = 32, taps_of_brick = 25, brick_threads = 256;
template <class E, class T> __global__ void __launch_bounds__(brick_threads)
    pack_weights(PackedWeights<T> const w, int all_columns, E* out) {
  gpu::Smem smem;
  auto* const brick = smem.take<Wide<T>>(columns_of_brick * channels_of_brick * taps_of_brick);
  int const column0 = int(blockIdx.x) * columns_of_brick, channel0 = int(blockIdx.y) * channels_of_brick,
            tap0 = int(blockIdx.z) * taps_of_brick, thread = int(threadIdx.x);
  int const columns = min(columns_of_brick, all_columns - column0), taps = min(taps_of_brick, w.taps() - tap0);
  int const channels = min(channels_of_brick, w.padded - channel0), pitch = taps | 1;
  bool const by_columns = w.of_column > w.of_channel;
  int const inner = by_columns ? channels : columns;
  for (int i = thread; i < columns * channels * taps; i += brick_threads) {
    int const tap = i % taps, a = i / taps % inner, b = i / taps / inner;
    int const column = by_columns ? b : a, channel = by_columns ? a : b;
    brick[(column * channels_of_brick + channel) * pitch + tap] = w(column0 + column, channel0 + channel, tap0 + tap);
  }
  __syncthreads();  // the brick is complete
  for (int i = thread; i < columns * channels * taps; i += brick_threads) {
    int const channel = i % channels, tap = i / channels % taps, column = i / channels / taps;
    int64_t const line = int64_t(column0 + column) * w.taps() + tap0 + tap;
    out[line * w.padded + channel0 + channel] =
        gpu::from_float<E>(brick[(column * channels_of_brick + channel) * pitch + tap]);
  }
}
template <class E, class T> int launch_pack(PackedWeights<T> const& w, int columns, E* out) {
  if (columns <= 0 || w.padded <= 0 || w.taps() <= 0) return ok;
  dim3 const grid(unsigned(ceil_div(columns, columns_of_brick)), unsigned(ceil_div(w.padded, channels_of_brick)),
                  unsigned(ceil_div(w.taps(), taps_of_brick)));
  if (grid.y > 65535 || grid.z > 65535) return unsupported;
  return gpu::launch(pack_weights<E, T>, grid, dim3(brick_threads),
                     gpu::Smem::bytes<Wide<T>>(columns_of_brick * channels_of_brick * taps_of_brick),
                     gpu::current_stream(), w, columns, out);
}

}  // namespace dense
}  // namespace D16_GPU
}  // namespace d16::kernels
