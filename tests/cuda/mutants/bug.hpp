// The switch of planted bugs: included before everything else where tests/cuda/mutations.sh has planted some.
#pragma once
#include <cstdlib>

namespace d16 {

/// Whether the bug of this number is on: the one that D16_BUG names.
inline bool bug(int number) {
  static int const on = [] {
    char const* const text = std::getenv("D16_BUG");
    return text ? std::atoi(text) : 0;
  }();
  return number == on;
}

}  // namespace d16
