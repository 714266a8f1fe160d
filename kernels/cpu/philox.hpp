// Philox words, many blocks at a time in SIMD: the same bits as d16::philox.
#pragma once
#include <algorithm>
#include <cstdint>

#include "isa.hpp"

namespace d16::kernels::cpu {

/// words[4 i + k] = philox(key, first + i, stream)[k] for i < count.
inline void philox_words(uint64_t key, uint64_t first, uint64_t stream, int64_t count, uint32_t* words) {
  constexpr int64_t lanes = 64;
  auto body = [=](int64_t group) __attribute__((always_inline)) {
    uint32_t c0[lanes], c1[lanes], c2[lanes], c3[lanes];
    for (int64_t l = 0; l < lanes; ++l) {
      uint64_t const counter = first + uint64_t(group * lanes + l);
      c0[l] = uint32_t(counter), c1[l] = uint32_t(counter >> 32), c2[l] = uint32_t(stream),
      c3[l] = uint32_t(stream >> 32);
    }
    uint32_t k0 = uint32_t(key), k1 = uint32_t(key >> 32);
    for (int round = 0; round < 10; ++round) {
      for (int64_t l = 0; l < lanes; ++l) {
        // both halves of two products of 32 bits, written so that they stay in 32-bit lanes
        uint32_t const a = c0[l], b = c2[l];
        c0[l] = uint32_t((uint64_t(0xCD9E8D57u) * b) >> 32) ^ c1[l] ^ k0;
        c1[l] = 0xCD9E8D57u * b;
        c2[l] = uint32_t((uint64_t(0xD2511F53u) * a) >> 32) ^ c3[l] ^ k1;
        c3[l] = 0xD2511F53u * a;
      }
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    int64_t const n = std::min(lanes, count - group * lanes);
    uint32_t* to = words + 4 * group * lanes;
    for (int64_t l = 0; l < n; ++l)
      to[4 * l] = c0[l], to[4 * l + 1] = c1[l], to[4 * l + 2] = c2[l], to[4 * l + 3] = c3[l];
  };
  simd_for(0, (count + lanes - 1) / lanes, body);
}

}  // namespace d16::kernels::cpu
