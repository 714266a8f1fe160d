// Random words on a GPU: the same bits as d16::philox and d16::normal_pair, by which every device draws.
#pragma once
#include <cmath>

#include "pack.cuh"

namespace d16::kernels {
namespace D16_GPU {

/// Philox 4x32-10, as in core/random.hpp.
__device__ inline Pack<uint32_t, 4> philox_words(uint64_t key, uint64_t counter, uint64_t stream) {
  uint32_t k0 = uint32_t(key), k1 = uint32_t(key >> 32);
  Pack<uint32_t, 4> c{{uint32_t(counter), uint32_t(counter >> 32), uint32_t(stream), uint32_t(stream >> 32)}};
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    uint64_t const a = uint64_t(0xD2511F53u) * c.value[0], b = uint64_t(0xCD9E8D57u) * c.value[2];
    c = {{uint32_t(b >> 32) ^ c.value[1] ^ k0, uint32_t(b), uint32_t(a >> 32) ^ c.value[3] ^ k1, uint32_t(a)}};
    k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
  }
  return c;
}

/// Two standard normals, as normal_pair. The angle in half turns: the sine of a large number would need an array.
__device__ inline double2 normals(uint32_t a, uint32_t b) {
  double const radius = std::sqrt(-2 * std::log((double(a) + 1) * 0x1p-32));
  double sine, cosine;
  sincospi(double(b) * 0x1p-31, &sine, &cosine);
  return make_double2(radius * cosine, radius * sine);
}
/// Element i is number i % 4 of these, for i / 4.
__device__ inline Pack<double, 4> four_normals(uint64_t seed, uint64_t four, uint64_t stream) {
  Pack<uint32_t, 4> const words = philox_words(seed, four, stream);
  double2 const first = normals(words.value[0], words.value[1]), second = normals(words.value[2], words.value[3]);
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
