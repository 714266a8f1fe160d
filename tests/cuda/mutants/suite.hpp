// For the programs of tests/cuda/mutations.sh: small cases whose results are compared with the reference kernels.
#pragma once
#include <cmath>
#include <cstdio>
#include <vector>

#include <d16/core/error.hpp>

namespace d16::mutants {

/// Small whole numbers: sums and products of them are exact in every precision, bfloat16 included.
template <class T> std::vector<T> whole_numbers(size_t count, int seed) {
  std::vector<T> values(count);
  for (size_t i = 0; i < count; ++i) values[i] = T(float(int((i * 37 + i / 7 * 11 + size_t(seed)) % 9) - 4));
  return values;
}

inline int wrong = 0;

/// NaN is never close to anything.
template <class T>
void compare(char const* name, std::vector<T> const& got, std::vector<T> const& expected, double tolerance = 0) {
  for (size_t i = 0; i < got.size(); ++i)
    if (!(std::abs(double(got[i]) - double(expected[i])) <= tolerance)) {
      std::printf("WRONG %s: element %zu is %g, not %g\n", name, i, double(got[i]), double(expected[i]));
      ++wrong;
      return;
    }
}

/// Scratch memory of exactly the size that was asked for, not filled: sanitizers see what is outside.
struct Work {
  std::vector<double> memory;
  explicit Work(size_t bytes) : memory((bytes + 7) / 8, NAN) {}
  void* data() { return memory.data(); }
};

/// Runs the cases; 1 when a result is wrong or a launch fails.
template <class Cases> int run(Cases const& cases) try {
  cases();
  return wrong ? 1 : 0;
} catch (Error const& error) {
  std::printf("FAULT %s\n", error.what());
  return 1;
}

}  // namespace d16::mutants
