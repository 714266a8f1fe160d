// Small tables from host to device as arguments of a kernel: in the order of the stream, from memory that need not
// outlive the call, and recorded as they are when a graph is captured.
#pragma once
#include <algorithm>
#include <cstring>

#include "gpu.hpp"

namespace d16::kernels {
namespace D16_GPU {

/// What fits into the four kilobytes of a kernel's arguments.
struct ArgumentWords {
  static constexpr int count = 960;
  uint32_t word[count];
};
/// Grid: one block.
template <class Word> __global__ void write_words(ArgumentWords const words, Word* to, int count) {
  for (int i = int(threadIdx.x); i < count; i += int(blockDim.x)) to[i] = words.word[i];
}

/// Copies `bytes`, a multiple of four, to device memory: a small launch for every 3840 bytes.
inline void send_as_arguments(void const* from, size_t bytes, void* to) {
  for (size_t begin = 0; begin < bytes; begin += sizeof(ArgumentWords)) {
    size_t const size = std::min(sizeof(ArgumentWords), bytes - begin);
    ArgumentWords words{};
    std::memcpy(words.word, static_cast<char const*>(from) + begin, size);
    gpu::launch(write_words<uint32_t>, dim3(1), dim3(256), 0, gpu::current_stream(), words,
                reinterpret_cast<uint32_t*>(static_cast<char*>(to) + begin), int(size / sizeof(uint32_t)));
  }
}

}  // namespace D16_GPU
}  // namespace d16::kernels
