// Random numbers on a GPU in the order of the host: what class Random of core/random.hpp makes of the words of a stream.
#pragma once
#include "philox.cuh"

namespace d16::kernels {
namespace D16_GPU {

/// Random::uniform(): in [0, 1), 53 bits of two words.
__device__ __forceinline__ double uniform_of(uint32_t first, uint32_t second) {
  return double((uint64_t(first) << 21) ^ (second >> 11)) * 0x1p-53;
}

/// The words of a stream one after another, for one thread.
struct Sequence {
  uint64_t seed, stream, counter = 0;
  Pack<uint32_t, 4> words{};

  __device__ Sequence(uint64_t s, uint64_t t) : seed(s), stream(t) {}
  __device__ uint32_t next() {
    if (counter % 4 == 0) words = philox_words(seed, counter / 4, stream);
    uint32_t const word = words.value[0];
    words = {{words.value[1], words.value[2], words.value[3], 0}};
    ++counter;
    return word;
  }
  __device__ double uniform() {
    uint32_t const first = next();
    return uniform_of(first, next());
  }
  /// Uniform in 0 .. n-1, without bias, as Random::integer().
  __device__ int integer(uint32_t n) {
    uint64_t product;
    do product = uint64_t(next()) * n;
    while (uint32_t(product) < n && uint32_t(product) < (0x100000000ull - n) % n);
    return int(product >> 32);
  }
};

}  // namespace D16_GPU
}  // namespace d16::kernels
