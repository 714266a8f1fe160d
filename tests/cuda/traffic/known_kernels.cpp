// Kernels that access memory well, badly, and in all the ways that the counter has to tell apart. Instrumented.
#include "known_kernels.hpp"

#include <d16/kernels/cuda/mma.hpp>

namespace d16::kernels {
namespace emulated {
namespace known {

/// y[i] = x[i]: lanes side by side, or `stride` apart, or all beginning `shift` late.
__global__ void copy_floats(float const* x, float* y, int stride, int shift) {
  int const i = int(gpu::this_thread());
  y[i] = x[i * stride + shift];
}
__global__ void copy_four(float4 const* x, float4* y) { y[gpu::this_thread()] = x[gpu::this_thread()]; }
__global__ void spread(float const* x, float* y) { y[gpu::this_thread()] = x[7]; }
__global__ void some_lanes(float const* x, float* y) {
  if (threadIdx.x % 32 < 5) y[gpu::this_thread()] = x[gpu::this_thread()];
}
/// A struct written at once, whose parts a compiler may write one by one.
struct alignas(8) Two {
  float first, second;
};
__global__ void pairs(float const* x, float* y) {
  int const i = int(gpu::this_thread());
  reinterpret_cast<Two*>(y)[i] = {x[i], 1.0f};
}
/// 16 bytes whose type is aligned to 4 only: four instructions.
struct Four {
  float value[4];
};
__global__ void hardly_aligned(Four const* x, Four* y) { y[gpu::this_thread()] = x[gpu::this_thread()]; }
/// Two numbers that only happen to be neighbours in some lanes' eyes: two instructions.
__global__ void odd_neighbours(float const* x, float* y) {
  int const i = int(gpu::this_thread());
  float const value = x[i];
  y[3 * i] = value, y[3 * i + 1] = value;
}
/// A loop whose trips the lanes have alike, and a barrier in it.
__global__ void in_steps(float const* x, float* y, int steps) {
  float sum = 0;
  for (int s = 0; s < steps; ++s) {
    sum += x[s * 256 + int(threadIdx.x)];
    __syncthreads();
  }
  y[threadIdx.x] = sum;
}

/// Odd lanes leave out the first step: the barrier keeps their second visit apart from the others' first.
__global__ void uneven_steps(float const* x, float* y) {
  float sum = 0;
  for (int s = 0; s < 2; ++s) {
    if (s > 0 || threadIdx.x % 2 == 0) sum += x[s * 256 + int(threadIdx.x)];
    __syncthreads();
  }
  y[threadIdx.x] = sum;
}

/// Row `lane` of a tile with such a pitch, written along rows by whole warps, read along columns.
__global__ void columns_of_tile(float* y, int pitch) {
  gpu::Smem smem;
  float* const tile = smem.take<float>(size_t(32 * pitch));
  int const lane = int(threadIdx.x);
  for (int row = 0; row < 32; ++row) tile[row * pitch + lane] = float(row);
  __syncwarp();
  for (int column = 0; column < 32; ++column) y[column * 32 + lane] = tile[lane * pitch + column];
}
/// Each lane reads 16 bytes, `pitch` words apart.
__global__ void wide_reads(float* y, int pitch) {
  gpu::Smem smem;
  float* const tile = smem.take<float>(size_t(32 * pitch));
  float4 const v = *reinterpret_cast<float4 const*>(tile + int(threadIdx.x) * pitch);
  y[threadIdx.x] = v.x + v.w;
}
__global__ void half_wide_reads(float* y, int pitch) {
  gpu::Smem smem;
  float* const tile = smem.take<float>(size_t(32 * pitch));
  float2 const v = *reinterpret_cast<float2 const*>(tile + int(threadIdx.x) * pitch);
  y[threadIdx.x] = v.x + v.y;
}
/// ldmatrix of rows that are `pitch` bfloat16 apart, filled by cp.async.
__global__ void matrices(float const* x, float* y, int pitch) {
  gpu::Smem smem;
  bf16* const tile = smem.take<bf16>(size_t(32 * pitch));
  bf16* const row = tile + int(threadIdx.x) * pitch;
  gpu::cp_async16(row, x + 4 * int(threadIdx.x));
  gpu::cp_async_commit();
  gpu::cp_async_wait<0>();
  __syncwarp();
  uint32_t r[4];
  gpu::ldmatrix_x4(r, row);
  y[threadIdx.x] = __uint_as_float(r[0] ^ r[1] ^ r[2] ^ r[3]);
}
__global__ void histogram(int* y, int bins) { atomicAdd(y + int(threadIdx.x) % bins, 1); }
__global__ void shared_histogram(float* y, int bins) {
  gpu::Smem smem;
  int* const count = smem.take<int>(size_t(bins));
  if (int(threadIdx.x) < bins) count[threadIdx.x] = 0;
  __syncwarp();
  atomicAdd(count + int(threadIdx.x) % bins, 1);
  __syncwarp();
  if (int(threadIdx.x) < bins) y[threadIdx.x] = float(count[threadIdx.x]);
}

template <class... P, class... A> void run(void (*kernel)(P...), int blocks, int threads, size_t shared, A... args) {
  gpu::launch(kernel, dim3(unsigned(blocks)), dim3(unsigned(threads)), shared, gpu::current_stream(), args...);
}

}  // namespace known
}  // namespace emulated
}  // namespace d16::kernels

namespace d16::traffic {

namespace known = kernels::emulated::known;

std::vector<Known> known_kernels() {
  using known::run;
  auto copied = [](int stride, int shift) {
    return [=](float* x, float* y) { run(known::copy_floats, 2, 256, 0, x, y, stride, shift); };
  };
  auto tile_bytes = [](int pitch) { return size_t(32 * pitch) * sizeof(float); };
  auto in_column = [=](int pitch) {
    return [=](float*, float* y) { run(known::columns_of_tile, 1, 32, tile_bytes(pitch), y, pitch); };
  };
  auto wide = [=](auto* kernel, int pitch) {
    return [=](float*, float* y) { run(kernel, 1, 32, tile_bytes(pitch), y, pitch); };
  };
  auto by_ldmatrix = [](int pitch) {
    return [=](float* x, float* y) { run(known::matrices, 1, 32, size_t(32 * pitch) * sizeof(bf16), x, y, pitch); };
  };
  // Numbers of requests, sectors (or wavefronts) and the least of them, by hand. 512 threads are 16 warps.
  return {
      {"side by side", copied(1, 0), {16, 16 * 4, 16 * 4}, {16, 64, 64}, {}, {}, 2 * 2048},
      {"a line between neighbours: a sector for each lane",
       copied(32, 0),
       {16, 16 * 32, 16 * 4},
       {16, 64, 64},
       {},
       {},
       2 * 2048},
      {"not on the boundary of a sector", copied(1, 3), {16, 16 * 5, 16 * 4}, {16, 64, 64}, {}, {}, 2 * 2048},
      {"16 bytes a lane",
       [](float* x, float* y) {
         run(known::copy_four, 1, 256, 0, reinterpret_cast<kernels::emulated::float4*>(x),
             reinterpret_cast<kernels::emulated::float4*>(y));
       },
       {8, 8 * 16, 8 * 16},
       {8, 8 * 16, 8 * 16},
       {},
       {},
       2 * 4096},
      {"one number for all lanes",
       [](float* x, float* y) { run(known::spread, 1, 256, 0, x, y); },
       {8, 8, 8},
       {8, 32, 32},
       {},
       {},
       4 + 1024},
      {"five lanes of each warp",
       [](float* x, float* y) { run(known::some_lanes, 1, 256, 0, x, y); },
       {8, 8, 8},
       {8, 8, 8},
       {},
       {},
       2 * 8 * 20},
      {"a struct of two, written at once",
       [](float* x, float* y) { run(known::pairs, 1, 256, 0, x, y); },
       {8, 32, 32},
       {8, 64, 64},
       {},
       {},
       1024 + 2048},
      {"16 bytes a lane that are aligned to 4: four requests, each of a part of every sector",
       [](float* x, float* y) {
         run(known::hardly_aligned, 1, 256, 0, reinterpret_cast<known::Four*>(x), reinterpret_cast<known::Four*>(y));
       },
       {32, 32 * 16, 32 * 4},
       {32, 32 * 16, 32 * 4},
       {},
       {},
       2 * 4096},
      {"two of three numbers: each write spreads over twelve sectors",
       [](float* x, float* y) { run(known::odd_neighbours, 1, 256, 0, x, y); },
       {8, 32, 32},
       {16, 16 * 12, 16 * 4},
       {},
       {},
       1024 + 2048},
      {"steps with barriers",
       [](float* x, float* y) { run(known::in_steps, 1, 256, 0, x, y, 5); },
       {40, 160, 160},
       {8, 32, 32},
       {},
       {},
       5 * 1024 + 1024},
      {"odd lanes leave out the step before a barrier",
       [](float* x, float* y) { run(known::uneven_steps, 1, 256, 0, x, y); },
       {16, 8 * 4 + 8 * 4, 8 * 2 + 8 * 4},
       {8, 32, 32},
       {},
       {},
       512 + 1024 + 1024},
      {"columns of a tile of 32: all lanes in one bank",
       in_column(32),
       {},
       {32, 128, 128},
       {},
       {64, 32 + 32 * 32, 64},
       4096},
      {"columns of a tile with an odd pitch", in_column(33), {}, {32, 128, 128}, {}, {64, 64, 64}, 4096},
      {"16 bytes a lane, side by side", wide(known::wide_reads, 4), {}, {1, 4, 4}, {}, {1, 4, 4}, 128},
      {"16 bytes a lane, 32 apart: two lanes of a quarter in one bank",
       wide(known::wide_reads, 8),
       {},
       {1, 4, 4},
       {},
       {1, 8, 4},
       128},
      {"8 bytes a lane, side by side", wide(known::half_wide_reads, 2), {}, {1, 4, 4}, {}, {1, 2, 2}, 128},
      {"8 bytes a lane, 32 apart: four lanes of a half in one bank",
       wide(known::half_wide_reads, 8),
       {},
       {1, 4, 4},
       {},
       {1, 8, 2},
       128},
      // shared: the copies of 16 bytes, four quarters, and the rows of four matrices
      {"cp.async and ldmatrix of rows without gaps", by_ldmatrix(8), {1, 16, 16}, {1, 4, 4}, {}, {2, 8, 8}, 512 + 128},
      {"ldmatrix of rows 32 bytes apart", by_ldmatrix(16), {1, 16, 16}, {1, 4, 4}, {}, {2, 16, 8}, 512 + 128},
      {"ldmatrix of rows 48 bytes apart", by_ldmatrix(24), {1, 16, 16}, {1, 4, 4}, {}, {2, 8, 8}, 512 + 128},
      // what was in y before is read, and what is in it after is written
      {"atomic additions to eight numbers",
       [](float*, float* y) { run(known::histogram, 1, 256, 0, reinterpret_cast<int*>(y), 8); },
       {},
       {},
       {8, 8, 8},
       {},
       2 * 32},
      {"atomic additions in shared memory: four lanes wait for each other at each of eight numbers",
       [](float*, float* y) { run(known::shared_histogram, 1, 32, 32, y, 8); },
       {},
       {1, 1, 1},
       {},
       {3, 1 + 4 + 1, 3},
       32},
      {"through memory: what is written and read again is not in the floor",
       [](float* x, float* y) {
         run(known::copy_floats, 1, 256, 0, x, y, 1, 0);
         run(known::copy_floats, 1, 256, 0, y, y + 1024, 1, 0);
       },
       {16, 64, 64},
       {16, 64, 64},
       {},
       {},
       2 * 1024},
  };
}

}  // namespace d16::traffic
