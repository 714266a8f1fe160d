// Two sizes, down and across: strides, paddings, kernels.
#pragma once
#include <string>

namespace d16 {

/// {h, w}; one number means both.
struct Pair {
  int h = 1, w = 1;

  constexpr Pair() = default;
  constexpr Pair(int both) : h(both), w(both) {}
  constexpr Pair(int down, int across) : h(down), w(across) {}

  std::string text() const { return "{" + std::to_string(h) + "," + std::to_string(w) + "}"; }
  friend constexpr bool operator==(Pair const&, Pair const&) = default;
};

}  // namespace d16
