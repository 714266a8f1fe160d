// Contract of the sample of a normal distribution whose noise is a function of seed, stream and position.
#pragma once
#include <d16/core/random.hpp>

#include "view.hpp"

namespace d16::kernels {

/// eps[i] is standard normal: number i % 4 of the two normal_pair of philox(seed, i / 4, stream), as the T next to it.
/// reparameterise      reads mu, logvar; y = mu + e^(logvar / 2) eps.
/// reparameterise_dx   reads logvar, dy; dlogvar = dy e^(logvar / 2) eps / 2. The gradient of mu is dy.
/// Where `offset` is given, in memory of the device, it is added to stream: so a replay draws anew.
template <class T> struct Reparameterise {
  int64_t n = 0;
  uint64_t seed = 0, stream = 0;
  uint64_t const* offset{};
  T const *mu{}, *logvar{}, *dy{};
  T *y{}, *dlogvar{};
};

/// Element i of the noise.
inline double noise_at(uint64_t seed, uint64_t stream, int64_t i) {
  auto const words = philox(seed, uint64_t(i) / 4, stream);
  size_t const pair = size_t(i % 4) & 2;
  return normal_pair(words[pair], words[pair + 1])[size_t(i % 2)];
}

}  // namespace d16::kernels
