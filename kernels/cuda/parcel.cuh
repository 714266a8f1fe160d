// Small tables from host to device as arguments of a kernel: in the order of the stream, from memory that need not
// outlive the call, and recorded as they are when a graph is captured.
#pragma once
#include <algorithm>
#include <cstring>

#include "gpu.hpp"

namespace d16::kernels {
namespace D16_GPU {

/// What fits into the four kilobytes of a kernel's arguments.
struct Parcel {
  static constexpr int words = 960;
  uint32_t word[words];
};
/// Grid: one block.
template <class Word> __global__ void unpack(Parcel const parcel, Word* to, int count) {
  for (int i = int(threadIdx.x); i < count; i += int(blockDim.x)) to[i] = parcel.word[i];
}

/// Copies `bytes`, a multiple of four, to device memory: a small launch for each parcel.
inline void send(void const* from, size_t bytes, void* to) {
  for (size_t begin = 0; begin < bytes; begin += sizeof(Parcel)) {
    size_t const count = std::min(sizeof(Parcel), bytes - begin);
    Parcel parcel{};
    std::memcpy(parcel.word, static_cast<char const*>(from) + begin, count);
    gpu::launch(unpack<uint32_t>, dim3(1), dim3(256), 0, gpu::current_stream(), parcel,
                reinterpret_cast<uint32_t*>(static_cast<char*>(to) + begin), int(count / sizeof(uint32_t)));
  }
}

}  // namespace D16_GPU
}  // namespace d16::kernels
