// The beginning of a step: the length of all gradients by one SIMD pass, in double.
#pragma once
#include <cmath>

#include "../reference/optimiser.hpp"
#include "pointwise.hpp"

namespace d16::kernels::cpu {

namespace detail {

constexpr int64_t squares_grain = 1 << 14;

/// The sum of x[i]^2 for i in [0, n): many lanes side by side, added up pairwise.
template <class T> double sum_of_squares(T const* x, int64_t n) {
  constexpr int64_t lanes = 64;
  double sums[lanes] = {}, *out = sums;
  each<T>(
      0, n / lanes, [=](int64_t row) __attribute__((always_inline)) {
        T const* from = x + row * lanes;
        for (int64_t i = 0; i < lanes; ++i) out[i] += double(from[i]) * double(from[i]);
      });
  for (int64_t i = n / lanes * lanes; i < n; ++i) out[i % lanes] += double(x[i]) * double(x[i]);
  for (int64_t half = lanes / 2; half > 0; half /= 2)
    for (int64_t i = 0; i < half; ++i) out[i] += out[i + half];
  return out[0];
}

inline int64_t squares_pieces(int64_t n) { return (n + squares_grain - 1) / squares_grain; }

}  // namespace detail

/// One sum for each piece of the largest gradient: the result does not depend on the number of threads.
template <class T> size_t begin_step_work_bytes(BeginStep<T> const& a) {
  int64_t pieces = 0;
  for (int k = 0; k < a.count && a.longest > 0; ++k)
    pieces = std::max(pieces, detail::squares_pieces(a.parameters[k].n));
  return size_t(pieces) * sizeof(double);
}

template <class T> int begin_step(BeginStep<T> const& a) {
  double* piece = static_cast<double*>(a.work);
  double squares = 0;
  for (int k = 0; k < a.count && a.longest > 0; ++k) {
    Parameter<T> const& p = a.parameters[k];
    parallel_chunks(p.n, detail::squares_grain, [&](int64_t begin, int64_t end) {
      piece[begin / detail::squares_grain] = detail::sum_of_squares(p.grad + begin, end - begin);
    });
    for (int64_t i = 0; i < detail::squares_pieces(p.n); ++i) squares += piece[i];
  }
  reference::begin_step(*a.state, a.beta1, a.beta2, a.longest, squares);
  return ok;
}

}  // namespace d16::kernels::cpu
