// Counter-based random numbers (Philox 4x32-10): any element of a sequence can be computed by any thread.
#pragma once
#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdint>

#include "capture.hpp"
#include "error.hpp"

namespace d16 {

/// Four 32-bit words from a 64-bit key and a 128-bit counter.
/// Source   Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", SC11.
constexpr std::array<uint32_t, 4> philox(uint64_t key, uint64_t counter_low, uint64_t counter_high = 0) {
  uint32_t k0 = uint32_t(key), k1 = uint32_t(key >> 32);
  std::array<uint32_t, 4> c{uint32_t(counter_low), uint32_t(counter_low >> 32), uint32_t(counter_high),
                            uint32_t(counter_high >> 32)};
  for (int round = 0; round < 10; ++round) {
    uint64_t a = uint64_t(0xD2511F53u) * c[0], b = uint64_t(0xCD9E8D57u) * c[2];
    c = {uint32_t(b >> 32) ^ c[1] ^ k0, uint32_t(b), uint32_t(a >> 32) ^ c[3] ^ k1, uint32_t(a)};
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return c;
}

/// A word as a number in [0, 1) with 24 bits, exact in float32 as well.
constexpr double unit_interval(uint32_t word) { return double(word >> 8) * 0x1p-24; }

/// Two standard normals from two words (Box and Muller 1958).
inline std::array<double, 2> normal_pair(uint32_t a, uint32_t b) {
  double radius = std::sqrt(-2 * std::log((double(a) + 1) * 0x1p-32)), angle = 6.283185307179586 * double(b) * 0x1p-32;
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

/// A sequence of random numbers: the words philox(seed, 0..., stream). Same seed and stream, same numbers.
class Random {
 public:
  explicit Random(uint64_t seed = 0, uint64_t stream = 0) : seed_(seed), stream_(stream) {}

  uint32_t next() {
    if (at_ == 4) {
      words_ = philox(seed_, counter_++, stream_);
      at_ = 0;
    }
    return words_[at_++];
  }
  /// Uniform in [0, 1), 53 bits.
  double uniform() {
    uint64_t high = next(), low = next();
    return double((high << 21) ^ (low >> 11)) * 0x1p-53;
  }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  double normal() {
    if (has_spare_) {
      has_spare_ = false;
      return spare_;
    }
    uint32_t a = next(), b = next();
    auto [first, second] = normal_pair(a, b);
    spare_ = second;
    has_spare_ = true;
    return first;
  }
  /// Uniform in 0 .. n-1, without bias (Lemire 2019).
  int64_t integer(int64_t n) {
    require<ValueError>(n > 0 && n <= 0xffffffffll, "Random::integer(", n, "): n is 1 to 2^32 - 1");
    uint64_t product = uint64_t(next()) * uint64_t(n);
    if (uint32_t(product) < uint64_t(n))
      while (uint32_t(product) < (0x100000000ull - uint64_t(n)) % uint64_t(n)) product = uint64_t(next()) * uint64_t(n);
    return int64_t(product >> 32);
  }
  /// Poisson with the given mean: by inversion up to 30, the normal limit above.
  int64_t poisson(double mean) {
    if (!(mean > 0)) return 0;
    if (mean > 30) return int64_t(std::max(0.0, std::floor(mean + std::sqrt(mean) * normal() + 0.5)));
    double limit = std::exp(-mean), product = uniform();
    int64_t count = 0;
    for (; product > limit; ++count) product *= uniform();
    return count;
  }
  /// Where the sequence stands, so that a checkpoint can resume it.
  struct State {
    uint64_t seed, stream, counter;
    uint32_t at;
    double spare = 0;  ///< the second of a pair of normals, where it has not been taken yet
    bool has_spare = false;
  };
  State state() const { return {seed_, stream_, counter_, at_, spare_, has_spare_}; }
  void restore(State s) {
    seed_ = s.seed, stream_ = s.stream, counter_ = s.counter, at_ = s.at, spare_ = s.spare, has_spare_ = s.has_spare;
    if (at_ < 4) words_ = philox(seed_, counter_ - 1, stream_);
  }

 private:
  uint64_t seed_, stream_, counter_ = 0;
  uint32_t at_ = 4;
  std::array<uint32_t, 4> words_{};
  double spare_ = 0;
  bool has_spare_ = false;
};

/// The generator behind uniform(), normal(), dropout() and the initialisation of layers: a seed and a count of the
/// draws so far. Each call that needs randomness takes the next stream.
struct Generator {
  std::atomic<uint64_t> seed{0}, draws{0};
  struct Draw {
    uint64_t seed, stream;
    uint64_t const* offset = nullptr;  ///< null, or in memory of a device: kernels add it to the stream (see Capture)
  };
  Draw next() { return {seed, draws++, Capture::active() ? Capture::active()->random_offset : nullptr}; }
};

inline Generator& default_generator() {
  static Generator generator;
  return generator;
}

/// Starts the default generator anew: everything random after it repeats.
inline void manual_seed(uint64_t seed) {
  default_generator().seed = seed;
  default_generator().draws = 0;
}

}  // namespace d16
