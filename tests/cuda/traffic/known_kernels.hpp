// Kernels whose traffic is known: each launches one, or two, on arrays of 4-byte numbers in global memory.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "counter.hpp"

namespace d16::traffic {

/// What the counter has to find. Requests of global memory, then of shared memory; 0 requests: none.
struct Known {
  std::string about;
  std::function<void(float* x, float* y)> launch;  ///< arrays of `known_count`
  Requests reads{}, writes{}, atomics{}, shared{};
  int64_t floor = 0;
};
constexpr int known_count = 1 << 14;

std::vector<Known> known_kernels();

}  // namespace d16::traffic
