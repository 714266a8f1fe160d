// The one header that a kernel includes: CUDA under nvcc, the emulator under a host compiler, by the same names.
#pragma once
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include <d16/core/dtype.hpp>

#include "../view.hpp"
#if defined(__CUDACC__)
#include <cuda_bf16.h>
#include <cuda_runtime.h>
#define D16_GPU cuda
#else
#include "emulator_graph.hpp"
#include "emulator_words.hpp"
#define D16_GPU emulated
#endif

// All of kernels/cuda is in namespace `cuda` or `emulated`: one program can hold both machines. kernels::conv2d means
// the one that this file sees. The namespaces are not inline, since an unqualified conv2d(c) of kernels/cpu would then
// find these too, by its argument.
namespace d16::kernels {
namespace D16_GPU {
#if defined(__CUDACC__)
using ::max;  // the launchers have a max of their own
using ::min;
#endif
}  // namespace D16_GPU
using namespace D16_GPU;

namespace D16_GPU {
namespace gpu {

// ---- host side: launches ----

struct StreamTag;
/// A queue of launches and copies; null is the default one. The emulator has no queues: a launch has ended when it
/// returns.
using Stream = StreamTag*;

/// The stream that launchers use: of this thread, set by the runtime before it calls them.
inline Stream& current_stream() {
  static thread_local Stream stream = nullptr;
  return stream;
}

/// What went wrong in a launch of this thread that nobody has asked for yet; null when nothing. The runtime asks after
/// each launcher and throws. The emulator throws in the launch itself.
inline char const*& pending_error() {
  static thread_local char const* text = nullptr;
  return text;
}
inline char const* last_error() { return std::exchange(pending_error(), nullptr); }

#if defined(__CUDACC__)
inline void note(cudaError_t error) {
  if (error != cudaSuccess && !pending_error()) pending_error() = cudaGetErrorString(error);
}

/// kernel<<<grid, block, shared_bytes, stream>>>(args...), with as much shared memory as that takes. Returns ok: what
/// goes wrong is told by last_error().
template <class... P, class... A>
int launch(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared_bytes, Stream stream, A&&... args) {
  constexpr size_t without_asking = 48 << 10;
  if (shared_bytes > without_asking)
    note(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, int(shared_bytes)));
  kernel<<<grid, block, shared_bytes, reinterpret_cast<cudaStream_t>(stream)>>>(static_cast<P>(args)...);
  note(cudaGetLastError());
  return ok;
}
/// Zero bytes, in order with the launches of the stream.
inline void clear(void* at, size_t bytes, Stream stream) {
  note(cudaMemsetAsync(at, 0, bytes, reinterpret_cast<cudaStream_t>(stream)));
}
/// Bytes of the device to another place on it, in order with the launches of the stream.
inline void copy_bytes(void* to, void const* from, size_t bytes, Stream stream) {
  note(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, reinterpret_cast<cudaStream_t>(stream)));
}
/// Device memory that holds these bytes of the host to the end of the process, in place when the call returns. Null,
/// and the error noted, where there is no memory, or while a graph is captured, in which nothing can be waited for.
inline void* keep(void const* from, size_t bytes, Stream stream) {
  auto const on = reinterpret_cast<cudaStream_t>(stream);
  cudaStreamCaptureStatus capturing = cudaStreamCaptureStatusNone;
  note(cudaStreamIsCapturing(on, &capturing));
  if (capturing != cudaStreamCaptureStatusNone) {
    if (!pending_error()) pending_error() = "its tables are made by its first call, which a graph cannot capture";
    return nullptr;
  }
  void* at = nullptr;
  note(cudaMalloc(&at, bytes));
  static_cast<void>(cudaGetLastError());  // a failed cudaMalloc is noted already
  if (!at) return nullptr;
  note(cudaMemcpyAsync(at, from, bytes, cudaMemcpyHostToDevice, on));
  note(cudaStreamSynchronize(on));
  return at;
}
inline int current_device() {
  int device = 0;
  note(cudaGetDevice(&device));
  return device;
}
/// How many multiprocessors the current device has.
inline int multiprocessors() {
  int const device = current_device();
  int count = 1;
  note(cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device));
  return count;
}
/// The shared memory that a block can have on every device of this machine: scratch memory, which is counted before a
/// device is selected, must not depend on which one that will be.
inline size_t most_shared_bytes() {
  static size_t const most = [] {
    int devices = 0, least = 0;
    note(cudaGetDeviceCount(&devices));
    for (int i = 0; i < devices; ++i) {
      int of_device = 0;
      note(cudaDeviceGetAttribute(&of_device, cudaDevAttrMaxSharedMemoryPerBlockOptin, i));
      least = i == 0 ? of_device : min(least, of_device);
    }
    return size_t(least);
  }();
  return most;
}
#else
template <class... P, class... A>
int launch(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared_bytes, Stream, A&&... args) {
  emulator::launch_or_record(kernel, grid, block, shared_bytes, std::forward<A>(args)...);
  return ok;
}
inline void clear(void* at, size_t bytes, Stream) {
  emulator::do_or_record([=] { std::memset(at, 0, bytes); });
}
inline void copy_bytes(void* to, void const* from, size_t bytes, Stream) {
  emulator::do_or_record([=] { std::memcpy(to, from, bytes); });
}
inline void* keep(void const* from, size_t bytes, Stream) { return std::memcpy(::operator new(bytes), from, bytes); }
inline int current_device() { return 0; }
inline int multiprocessors() { return 4; }
inline size_t most_shared_bytes() { return emulator::settings().most_shared_bytes; }
#endif

/// Blocks of `threads` for n elements, one each; at most `most`, for kernels that go on with a stride of all_threads().
inline dim3 blocks_for(int64_t n, int threads, int64_t most = 65535) {
  int64_t const wanted = (n + threads - 1) / threads;
  return dim3(unsigned(wanted < most ? wanted : most));
}

// ---- device side ----

/// This thread among all threads of a one-dimensional grid, and how many those are.
__device__ __forceinline__ int64_t this_thread() { return int64_t(blockIdx.x) * blockDim.x + threadIdx.x; }
__device__ __forceinline__ int64_t all_threads() { return int64_t(gridDim.x) * blockDim.x; }

/// Meets at barrier `id` (1 .. 15) with others, `threads` of them in all: a multiple of 32.
#if defined(__CUDACC__)
__device__ __forceinline__ void named_barrier(int id, int threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}
#else
inline void named_barrier(int id, int threads, Place place = Place::here()) {
  emulator::block_barrier(unsigned(id), unsigned(threads), emulator::Wait::named_barrier, place);
}
#endif

__device__ __forceinline__ unsigned char* shared_memory() {
#if defined(__CUDACC__)
  extern __shared__ __align__(1024) unsigned char d16_shared_memory[];
  return d16_shared_memory;
#else
  return emulator::worker->shared;
#endif
}

/// Cuts the block's dynamic shared memory into arrays, in the same order in every thread:
///   Smem smem; float* a = smem.take<float>(n); float* b = smem.take<float>(m);
/// A launch asks for the sum of Smem::bytes<T>(n). On the emulator a red zone follows each array, so offsets are not to
/// be computed by hand.
struct Smem {
  static constexpr size_t alignment = 16;
  size_t used = 0, red_zones = 0;

  template <class T> static constexpr size_t bytes(size_t n) {
    return (n * sizeof(T) + alignment - 1) / alignment * alignment;
  }
  template <class T> __device__ __forceinline__ T* take(size_t n, size_t align = alignment) {
    used = (used + align - 1) / align * align;
    T* const array = reinterpret_cast<T*>(shared_memory() + used);
    used += n * sizeof(T);
#if !defined(__CUDACC__)
    if (used - red_zones > emulator::worker->shared_bytes)
      emulator::fail("Smem::take: the launch gave less dynamic shared memory than the kernel takes");
    if constexpr (emulator::asan) {
      emulator::unpoison(array, n * sizeof(T));
      constexpr size_t red_zone = 32;
      size_t const end = (used + alignment - 1) / alignment * alignment + red_zone;
      red_zones += end - used;
      used = end;
    }
#endif
    return array;
  }
};

/// bfloat16 is d16::bf16 on both machines; arithmetic is done in float.
__device__ __forceinline__ float to_float(float x) { return x; }
__device__ __forceinline__ double to_float(double x) { return x; }
#if defined(__CUDACC__)
__device__ __forceinline__ float to_float(bf16 x) { return __uint_as_float(uint32_t(x.bits) << 16); }
__device__ __forceinline__ bf16 to_bf16(float x) {
  bf16 y;
  y.bits = __bfloat16_as_ushort(__float2bfloat16_rn(x));
  return y;
}
/// Two values in one word, the first in the lower half.
__device__ __forceinline__ uint32_t pack_bf16(float low, float high) {
  __nv_bfloat162 const pair = __floats2bfloat162_rn(low, high);
  return uint32_t(__bfloat16_as_ushort(pair.x)) | uint32_t(__bfloat16_as_ushort(pair.y)) << 16;
}
#else
inline float to_float(bf16 x) { return float(x); }
inline bf16 to_bf16(float x) { return bf16(x); }
inline uint32_t pack_bf16(float low, float high) { return uint32_t(bf16(low).bits) | uint32_t(bf16(high).bits) << 16; }
#endif
/// A float, or for T = bf16 the nearest bfloat16.
template <class T, class S> __device__ __forceinline__ T from_float(S x) {
  if constexpr (std::is_same_v<T, bf16>) return to_bf16(float(x));
  else return T(x);
}

}  // namespace gpu
}  // namespace D16_GPU
}  // namespace d16::kernels
