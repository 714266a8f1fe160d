// Contracts of t-SNE with all pairs of rows: the gradient of a map in the plane, and a step of the descent.
#pragma once
#include "view.hpp"

namespace d16::kernels {

/// tsne_gradient   with d = y[i] - y[j], w = 1 / (1 + |d|^2) and Z the sum of w over all pairs i != j
///                 gradient[i] = exaggeration sum of p w d over the elements of row i - sum of w^2 d over all j / Z;
///                 sums[0] = Z; with logs, sums[1] = the sum of p log(1 + |d|^2) over all elements.
/// The elements of row i of the sparse P are start[i] .. start[i + 1] - 1: p of column to.
template <class T> struct TsneGradient {
  int64_t N = 0;  ///< rows, below 2^31
  double exaggeration = 1;
  bool logs = false;
  int64_t const *start{}, *to{};  ///< (N + 1), (start[N])
  T const *p{}, *y{};             ///< (start[N]), (N,2)
  T* gradient{};                  ///< (N,2)
  double* sums{};                 ///< (2)
  void* work{};
};

/// tsne_step   momentum with gains: a gain grows by 0.2 where the gradient points against the last update, or either is
///             0 alone, and becomes 0.8 of itself and 0.01 where they point the same way, up the slope;
///             update = momentum update - rate gain gradient, at most `longest` long; y += update, then about its mean.
template <class T> struct TsneStep {
  int64_t N = 0;
  double rate = 1, momentum = 0.8, longest = 5;
  T const* gradient{};         ///< (N,2)
  T *y{}, *update{}, *gain{};  ///< (N,2)
  void* work{};
};

}  // namespace d16::kernels
