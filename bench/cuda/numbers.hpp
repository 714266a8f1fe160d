// Random operands of the GPU benches: any element from its index, on the device and on the host alike, so that neither
// has to send them to the other and a float64 reference can be computed where it is looked at.
#pragma once
#include <cstdint>

#if defined(__CUDACC__)
#define D16_BENCH_BOTH __host__ __device__
#else
#define D16_BENCH_BOTH
#endif

namespace d16::bench {

/// In [-1, 1), with 24 bits: exact in float32. The mixing function of 64 bits is that of Steele, Lea & Flood 2014
/// ("Fast splittable pseudorandom number generators", OOPSLA).
D16_BENCH_BOTH constexpr float random_number(uint64_t seed, int64_t index) {
  uint64_t z = (seed << 40) + uint64_t(index) + 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  z ^= z >> 31;
  return float(int64_t(z >> 40) - (int64_t(1) << 23)) * 0x1p-23f;
}

}  // namespace d16::bench
