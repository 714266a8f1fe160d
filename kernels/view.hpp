// Row-major views of raw arrays by index, and the half-open range that reference kernels loop over.
#pragma once
#include <cstddef>
#include <cstdint>

namespace d16::kernels {

/// A row-major array seen by its indices: View x{pointer, N, H, W, C} gives x(n, h, w, c).
template <class T, int rank> struct ViewOf {
  T* data;
  int64_t size[rank];
  template <class... I> constexpr T& operator()(I... index) const {
    static_assert(sizeof...(I) == rank, "one index for each axis");
    int64_t flat = 0;
    int axis = 0;
    ((flat = flat * size[axis++] + int64_t(index)), ...);
    return data[flat];
  }
};

template <class T, class... S> constexpr ViewOf<T, int(sizeof...(S))> View(T* data, S... size) {
  return {data, {int64_t(size)...}};
}

/// for (int i : upto(n)) visits 0 .. n-1.
struct upto {
  int n;
  struct Iterator {
    int i;
    constexpr int operator*() const { return i; }
    constexpr void operator++() { ++i; }
    constexpr bool operator!=(Iterator other) const { return i != other.i; }
  };
  constexpr explicit upto(int64_t count) : n(int(count)) {}
  constexpr Iterator begin() const { return {0}; }
  constexpr Iterator end() const { return {n < 0 ? 0 : n}; }
};

/// What a kernel returns: no exceptions below the ops.
enum Status : int { ok = 0, unsupported = 1 };

}  // namespace d16::kernels
