// Counter-based random numbers on a GPU, the words of core/random.hpp: every thread computes those that it needs.
#pragma once
#include <cmath>

#include "pack.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace gpu {

/// d16::philox(key, counter, stream): ten rounds of two products each, in registers.
__device__ __forceinline__ uint4 philox(uint64_t key, uint64_t counter, uint64_t stream) {
  uint32_t k0 = uint32_t(key), k1 = uint32_t(key >> 32);
  uint4 c = make_uint4(uint32_t(counter), uint32_t(counter >> 32), uint32_t(stream), uint32_t(stream >> 32));
  for (int round = 0; round < 10; ++round) {
    uint64_t const a = uint64_t(0xD2511F53u) * c.x, b = uint64_t(0xCD9E8D57u) * c.z;
    c = make_uint4(uint32_t(b >> 32) ^ c.y ^ k0, uint32_t(b), uint32_t(a >> 32) ^ c.w ^ k1, uint32_t(a));
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return c;
}

/// Random::uniform(): in [0, 1), 53 bits of two words.
__device__ __forceinline__ double uniform(uint32_t first, uint32_t second) {
  return double((uint64_t(first) << 21) ^ (second >> 11)) * 0x1p-53;
}

/// d16::normal_pair(): two standard normals of two words.
__device__ __forceinline__ double2 normal_pair(uint32_t first, uint32_t second) {
  double const radius = std::sqrt(-2 * std::log((double(first) + 1) * 0x1p-32));
  double sine, cosine;
  sincospi(double(second) * 0x1p-31, &sine, &cosine);
  return make_double2(radius * cosine, radius * sine);
}

/// Random: the words of a stream one after another, for one thread that draws in the order of the host.
struct Sequence {
  uint64_t seed, stream, counter = 0;
  uint4 words{};

  __device__ Sequence(uint64_t s, uint64_t t) : seed(s), stream(t) {}
  __device__ uint32_t next() {
    if (counter % 4 == 0) words = philox(seed, counter / 4, stream);
    uint32_t const word = words.x;
    words = make_uint4(words.y, words.z, words.w, 0);
    ++counter;
    return word;
  }
  __device__ double uniform() {
    uint32_t const first = next();
    return gpu::uniform(first, next());
  }
  /// Uniform in 0 .. n-1, without bias, as Random::integer().
  __device__ int integer(uint32_t n) {
    uint64_t product;
    do product = uint64_t(next()) * n;
    while (uint32_t(product) < n && uint32_t(product) < (0x100000000ull - n) % n);
    return int(product >> 32);
  }
};

}  // namespace gpu

/// Element i is number i % 4 of these, for i / 4.
__device__ inline Pack<double, 4> four_normals(uint64_t seed, uint64_t four, uint64_t stream) {
  uint4 const words = gpu::philox(seed, four, stream);
  double2 const first = gpu::normal_pair(words.x, words.y), second = gpu::normal_pair(words.z, words.w);
  return {{first.x, first.y, second.x, second.y}};
}

/// The four elements 4 i .. of an array of n, in packs where it is aligned and holds all of them.
template <class T>
__device__ __forceinline__ Pack<Wide<T>, 4> read_four(T const* x, int64_t i, int64_t n, bool aligned) {
  constexpr int width = whole_pack<T> < 4 ? whole_pack<T> : 4;
  Pack<Wide<T>, 4> four{};
  bool const whole = aligned && 4 * i + 4 <= n;
#pragma unroll
  for (int e = 0; e < 4; e += width)
    if (whole) {
      auto const pack = read_pack<width>(x, (4 * i + e) / width);
#pragma unroll
      for (int k = 0; k < width; ++k) four.value[e + k] = pack.value[k];
    } else {
#pragma unroll
      for (int k = e; k < e + width; ++k)
        if (4 * i + k < n) four.value[k] = gpu::to_float(x[4 * i + k]);
    }
  return four;
}
template <class T>
__device__ __forceinline__ void write_four(T* y, int64_t i, int64_t n, bool aligned, Pack<Wide<T>, 4> const& four) {
  constexpr int width = whole_pack<T> < 4 ? whole_pack<T> : 4;
  bool const whole = aligned && 4 * i + 4 <= n;
#pragma unroll
  for (int e = 0; e < 4; e += width)
    if (whole) {
      Pack<Wide<T>, width> pack;
#pragma unroll
      for (int k = 0; k < width; ++k) pack.value[k] = four.value[e + k];
      write_pack<width>(y, (4 * i + e) / width, pack);
    } else {
#pragma unroll
      for (int k = e; k < e + width; ++k)
        if (4 * i + k < n) y[4 * i + k] = gpu::from_float<T>(four.value[k]);
    }
}
constexpr int four_threads = 256;
inline dim3 blocks_of_fours(int64_t n) { return gpu::blocks_for((n + 3) / 4, four_threads); }

}  // namespace D16_GPU
}  // namespace d16::kernels
