// The GPU benches' own kernels: random operands, and loops that find a card's ceilings.
#include <d16/kernels/cuda/mma.hpp>

#include "numbers.hpp"
#include "probes.hpp"

namespace d16::kernels {
namespace D16_GPU {
namespace probes {

template <class T> __global__ void random_numbers(T* to, int64_t count, uint64_t seed) {
  for (int64_t i = gpu::this_thread(); i < count; i += gpu::all_threads())
    to[i] = gpu::from_float<T>(bench::random_number(seed, i));
}

template <class V> __global__ void copy_all(V const* from, V* to, int64_t count) {
  for (int64_t i = gpu::this_thread(); i < count; i += gpu::all_threads()) to[i] = from[i];
}

constexpr int threads = 256;
/// Chains that do not wait for each other: more than a multiprocessor's latency times throughput, with eight warps.
constexpr int chains = 16;

/// Values go from 1 towards the fixed point 1 of x/2 + 1/2 and never reach the sink, which the compiler cannot know.
template <class T> __global__ void __launch_bounds__(threads) fma_peak(T* sink, int steps, T factor, T term) {
  T sum[chains];
#pragma unroll
  for (int c = 0; c < chains; ++c) sum[c] = T(c) * factor;
#pragma unroll 1
  for (int k = 0; k < steps; ++k)
#pragma unroll
    for (int c = 0; c < chains; ++c) sum[c] = sum[c] * factor + term;
#pragma unroll
  for (int c = 1; c < chains; ++c) sum[0] += sum[c];
  if (sum[0] == T(-1)) sink[0] = sum[0];
}

constexpr int rows = 2, columns = 4;  // products of a warp that do not wait for each other

/// Differs from lane to lane, in the fractions only: zeros and equal numbers need less power, and would be faster.
__device__ __forceinline__ uint32_t noise(int i) {
  return (threadIdx.x + 77u * unsigned(i)) * 2654435761u & 0x007f007fu;
}

template <class E> __global__ void __launch_bounds__(threads) mma_peak(float* sink, int steps, uint32_t word) {
  uint32_t a[rows][4], b[columns][2];
  float sum[rows][columns][4] = {};
#pragma unroll
  for (int i = 0; i < rows; ++i)
#pragma unroll
    for (int part = 0; part < 4; ++part) a[i][part] = word ^ noise(i * 4 + part);
#pragma unroll
  for (int j = 0; j < columns; ++j) b[j][0] = word ^ noise(j), b[j][1] = b[j][0] ^ 0x80008000u;
#pragma unroll 1
  for (int k = 0; k < steps; ++k)
    if constexpr (sizeof(E) == 2) gpu::mma_bf16_tile(sum, a, b);
    else gpu::mma_tf32_tile(sum, a, b);
  float total = 0;
#pragma unroll
  for (int i = 0; i < rows; ++i)
#pragma unroll
    for (int j = 0; j < columns; ++j)
#pragma unroll
      for (int e = 0; e < 4; ++e) total += sum[i][j][e];
  if (total == -1.0f) sink[0] = total;
}

/// Four blocks for each multiprocessor.
inline dim3 full_grid() { return dim3(unsigned(4 * gpu::multiprocessors())); }

template <class T> void fill(T* to, int64_t count, uint64_t seed) {
  gpu::launch(random_numbers<T>, gpu::blocks_for(count, threads), dim3(threads), 0, gpu::current_stream(), to, count,
              seed);
}
inline void copy(void* to, void const* from, size_t bytes) {
  int64_t const count = int64_t(bytes / sizeof(uint4));
  gpu::launch(copy_all<uint4>, gpu::blocks_for(count, threads), dim3(threads), 0, gpu::current_stream(),
              static_cast<uint4 const*>(from), static_cast<uint4*>(to), count);
}
template <class T> double fma_rate(T* sink, int steps) {
  dim3 const grid = full_grid();
  gpu::launch(fma_peak<T>, grid, dim3(threads), 0, gpu::current_stream(), sink, steps, T(0.5), T(0.5));
  return 2.0 * grid.x * threads * chains * steps;
}
template <class E> double mma_rate(float* sink, int steps) {
  dim3 const grid = full_grid();
  constexpr uint32_t ones = 0x3f803f80u;
  gpu::launch(mma_peak<E>, grid, dim3(threads), 0, gpu::current_stream(), sink, steps, ones);
  return 2.0 * grid.x * (threads / 32) * rows * columns * 16 * 8 * (sizeof(E) == 2 ? 16 : 8) * steps;
}

}  // namespace probes
}  // namespace D16_GPU
}  // namespace d16::kernels

namespace d16::bench {

namespace gpu = kernels::D16_GPU::gpu;
namespace probes = kernels::D16_GPU::probes;

void fill_with_random(float* to, int64_t count, uint64_t seed) { probes::fill(to, count, seed); }
void fill_with_random(bf16* to, int64_t count, uint64_t seed) { probes::fill(to, count, seed); }

void probe_copy(void* to, void const* from, size_t bytes) { probes::copy(to, from, bytes); }

double probe_fma(float* sink, int steps) { return probes::fma_rate(sink, steps); }
double probe_dfma(double* sink, int steps) { return probes::fma_rate(sink, steps); }
double probe_tf32(float* sink, int steps) { return probes::mma_rate<float>(sink, steps); }
double probe_bf16(float* sink, int steps) { return probes::mma_rate<bf16>(sink, steps); }

void set_stream(void* stream) { gpu::current_stream() = static_cast<gpu::Stream>(stream); }
char const* launch_error() { return gpu::last_error(); }

}  // namespace d16::bench
