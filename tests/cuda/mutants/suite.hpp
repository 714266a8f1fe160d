// For the programs of tests/cuda/mutations.sh and races.sh: small cases whose results are compared with the reference
// kernels.
#pragma once
#include <cmath>
#include <cstdio>
#include <cstring>
#include <initializer_list>
#include <vector>

#include <d16/core/error.hpp>
#include <d16/kernels/cuda/gpu.hpp>

namespace d16::mutants {

/// Small whole numbers: sums and products of them are exact in every precision, bfloat16 included.
template <class T = float> std::vector<T> whole_numbers(int64_t count, int seed) {
  std::vector<T> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = T(float(int((i * 37 + i / 7 * 11 + i / 61 * 5 + size_t(seed)) % 9) - 4));
  return values;
}
/// As many values of a result, NaN until somebody writes them.
template <class T = float> std::vector<T> unwritten(size_t count) { return std::vector<T>(count, T(NAN)); }

inline int wrong = 0;

/// A NaN is close to a NaN only.
template <class T>
void compare(char const* name, std::vector<T> const& got, std::vector<T> const& expected, double tolerance = 0) {
  for (size_t i = 0; i < got.size(); ++i) {
    double const a = double(got[i]), b = double(expected[i]);
    if (a == b || std::abs(a - b) <= tolerance || (a != a && b != b)) continue;
    std::printf("WRONG %s: element %zu is %g, not %g\n", name, i, a, b);
    ++wrong;
    return;
  }
}
/// For products of rounded factors: the root mean square of the difference, in units of that of the expected values.
inline void compare_rounded(char const* name, std::vector<float> const& got, std::vector<float> const& expected,
                            double tolerance) {
  double difference = 0, square = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    difference += (double(got[i]) - expected[i]) * (double(got[i]) - expected[i]);
    square += double(expected[i]) * expected[i];
  }
  if (std::sqrt(difference / square) <= tolerance) return;
  std::printf("WRONG %s: an error of %g, more than %g\n", name, std::sqrt(difference / square), tolerance);
  ++wrong;
}

/// Scratch memory of exactly the size that was asked for, full of NaN: sanitizers see what is outside.
struct Work {
  std::vector<double> memory;
  explicit Work(size_t bytes) : memory((bytes + 7) / 8, NAN) {}
  void* data() { return memory.data(); }
};
/// kernel(a) with the scratch memory that work_bytes(a) asks for.
template <class A> void with_work(int (*kernel)(A const&), size_t (*work_bytes)(A const&), A a) {
  Work work(work_bytes(a));
  a.work = work.data();
  require<ValueError>(kernel(a) == kernels::ok, "unsupported");
}

struct Case {
  char const* name;
  void (*run)();
};
/// Runs the cases that the arguments name, or all; 1 when a result is wrong or a launch fails. --list names them all.
inline int run(int count, char** words, std::initializer_list<Case> cases) try {
  bool const list = count == 2 && !std::strcmp(words[1], "--list");
  for (Case const& c : cases) {
    bool asked = count == 1;
    for (int i = 1; i < count; ++i) asked = asked || !std::strcmp(words[i], c.name);
    if (list) std::puts(c.name);
    else if (asked) c.run();
  }
  return wrong ? 1 : 0;
} catch (Error const& error) {
  std::printf("FAULT %s\n", error.what());
  return 1;
}

}  // namespace d16::mutants
