// Copies of one element on a GPU, of whatever type has its size.
#pragma once
#include <cstring>

#include "gpu.hpp"

namespace d16::kernels {
namespace D16_GPU {

constexpr int fill_threads = 256;

template <class Word> __global__ void __launch_bounds__(fill_threads) fill_kernel(int64_t count, Word word, Word* to) {
  for (int64_t i = gpu::this_thread(); i < count; i += gpu::all_threads()) to[i] = word;
}

template <class Word> int fill_words(void* to, int64_t count, void const* element) {
  Word word;
  std::memcpy(&word, element, sizeof word);
  if (count == 0) return ok;
  return gpu::launch(fill_kernel<Word>, gpu::blocks_for(count, fill_threads), dim3(fill_threads), 0,
                     gpu::current_stream(), count, word, static_cast<Word*>(to));
}

inline int fill(void* to, int64_t count, void const* element, int element_bytes) {
  switch (element_bytes) {
    case 1: return fill_words<uint8_t>(to, count, element);
    case 2: return fill_words<uint16_t>(to, count, element);
    case 4: return fill_words<uint32_t>(to, count, element);
    case 8: return fill_words<uint64_t>(to, count, element);
    default: return unsupported;
  }
}

}  // namespace D16_GPU
}  // namespace d16::kernels
