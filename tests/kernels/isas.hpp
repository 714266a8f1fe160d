// For kernels with a path per instruction set: which of them this machine has, and comparison with tolerances.
#pragma once
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <d16/core/random.hpp>
#include <d16/kernels/cpu/isa.hpp>

namespace d16::testing {

/// The instruction sets to test; the absent ones are named in the output.
inline std::vector<kernels::cpu::Isa> isas() {
  using kernels::cpu::Isa;
  std::vector<Isa> found;
  for (Isa isa : {Isa::baseline, Isa::avx2, Isa::avx512})
    if (isa <= kernels::cpu::best_isa()) found.push_back(isa);
    else MESSAGE("skipped: this machine has no ", kernels::cpu::isa_name(isa));
  return found;
}

inline std::string name(kernels::cpu::Isa isa) { return kernels::cpu::isa_name(isa); }

template <class T> std::vector<T> random_values(int64_t n, uint64_t seed) {
  Random random(seed);
  std::vector<T> values(static_cast<size_t>(n));
  for (T& value : values) value = T(random.uniform(-1, 1));
  return values;
}

/// The largest difference in units of the tolerance, infinite for a NaN. The sum behind a value has `terms` additions.
/// Each rounds a partial sum by at most epsilon / 2, and no partial sum is much larger than the largest result.
template <class T> double error(std::vector<T> const& got, std::vector<T> const& expected, double terms) {
  double difference = 0, magnitude = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    double d = std::abs(double(got[i]) - double(expected[i]));
    difference = d >= 0 ? std::max(difference, d) : INFINITY;
    magnitude = std::max(magnitude, std::abs(double(expected[i])));
  }
  double tolerance = terms * std::numeric_limits<T>::epsilon() * magnitude;
  return difference == 0 ? 0 : difference / tolerance;
}

/// The terms of a sum that is accumulated in double: for a float result only the last rounding counts.
template <class T> double terms_in_double(double terms) { return sizeof(T) < sizeof(double) ? 1 : terms; }

/// Scratch memory of exactly the size that a kernel asks for, full of NaNs.
class Work {
 public:
  explicit Work(size_t bytes) : memory_(bytes, char(0xff)) {}
  void* data() { return memory_.data(); }

 private:
  std::vector<char> memory_;
};

}  // namespace d16::testing
