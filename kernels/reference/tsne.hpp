// t-SNE with all pairs in double precision: the specification.
#pragma once
#include <cmath>

#include "../tsne.hpp"

namespace d16::kernels::reference {

namespace detail {
/// Two rows of a map as one sees the other.
struct TsnePair {
  double dx, dy, square;
  double w() const { return 1 / (1 + square); }
};
template <class T> TsnePair tsne_pair(T const* y, int64_t i, int64_t j) {
  double const dx = double(y[2 * i]) - double(y[2 * j]), dy = double(y[2 * i + 1]) - double(y[2 * j + 1]);
  return {dx, dy, dx * dx + dy * dy};
}
}  // namespace detail

template <class T> int tsne_gradient(TsneGradient<T> const& a) {
  double Z = 0, logs = 0;
  for (int64_t i = 0; i < a.N; ++i)
    for (int64_t j = 0; j < a.N; ++j)
      if (j != i) Z += detail::tsne_pair(a.y, i, j).w();
  for (int64_t i = 0; i < a.N; ++i) {
    double x = 0, y = 0;
    for (int64_t j = 0; j < a.N; ++j) {
      if (j == i) continue;
      auto const d = detail::tsne_pair(a.y, i, j);
      x -= d.w() * d.w() * d.dx / Z, y -= d.w() * d.w() * d.dy / Z;
    }
    for (int64_t k = a.start[i]; k < a.start[i + 1]; ++k) {
      auto const d = detail::tsne_pair(a.y, i, a.to[k]);
      double const pull = a.exaggeration * double(a.p[k]) * d.w();
      x += pull * d.dx, y += pull * d.dy;
      logs += double(a.p[k]) * std::log1p(d.square);
    }
    a.gradient[2 * i] = T(x), a.gradient[2 * i + 1] = T(y);
  }
  a.sums[0] = Z;
  if (a.logs) a.sums[1] = logs;
  return ok;
}

template <class T> int tsne_step(TsneStep<T> const& a) {
  double mean[2] = {};
  for (int64_t i = 0; i < a.N; ++i) {
    double update[2];
    for (int64_t k = 2 * i; k < 2 * i + 2; ++k) {
      double const g = double(a.gradient[k]), last = double(a.update[k]), gain = double(a.gain[k]);
      bool const up = (last > 0) == (g > 0) && (last < 0) == (g < 0);
      a.gain[k] = T(up ? 0.8 * gain + 0.01 : gain + 0.2);
      update[k % 2] = a.momentum * last - a.rate * double(a.gain[k]) * g;
    }
    double const length = std::hypot(update[0], update[1]), shrink = length > a.longest ? a.longest / length : 1;
    for (int64_t k = 2 * i; k < 2 * i + 2; ++k) {
      a.update[k] = T(shrink * update[k % 2]);
      a.y[k] = T(double(a.y[k]) + double(a.update[k]));
      mean[k % 2] += double(a.y[k]) / double(a.N);
    }
  }
  for (int64_t k = 0; k < 2 * a.N; ++k) a.y[k] = T(double(a.y[k]) - mean[k % 2]);
  return ok;
}

}  // namespace d16::kernels::reference
