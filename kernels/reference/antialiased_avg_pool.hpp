// Antialiased pooling as one sum over the two-dimensional filter.
#pragma once
#include "../antialiased_avg_pool.hpp"

namespace d16::kernels::reference {

/// y[n,p,q,c] = sum over i,j of tap(i) tap(j) x[n, p stride + i - padding, q stride + j - padding, c].
template <class T> int antialiased_avg_pool(AntialiasedAvgPool<T> const& a) {
  int64_t P = a.out(a.H), Q = a.out(a.W);
  auto x = View(a.x, a.N, a.H, a.W, a.C);
  auto y = View(a.y, a.N, P, Q, a.C);
  for (int n : upto(a.N)) for (int p : upto(P)) for (int q : upto(Q)) for (int c : upto(a.C)) {
    double sum = 0;
    for (int i : upto(a.kernel)) for (int j : upto(a.kernel)) {
      int r = p * a.stride + i - a.padding, s = q * a.stride + j - a.padding;
      if (r >= 0 && r < a.H && s >= 0 && s < a.W) sum += a.tap(i) * a.tap(j) * x(n, r, s, c);
    }
    y(n, p, q, c) = T(sum);
  }
  return ok;
}

/// The same sum from the side of x: every y that an x went into sends its gradient back with the same weight.
template <class T> int antialiased_avg_pool_dx(AntialiasedAvgPool<T> const& a) {
  int64_t P = a.out(a.H), Q = a.out(a.W);
  auto dy = View(a.dy, a.N, P, Q, a.C);
  auto dx = View(a.dx, a.N, a.H, a.W, a.C);
  for (int n : upto(a.N)) for (int r : upto(a.H)) for (int s : upto(a.W)) for (int c : upto(a.C)) {
    double sum = 0;
    for (int p : upto(P)) for (int q : upto(Q)) {
      int i = r + a.padding - p * a.stride, j = s + a.padding - q * a.stride;
      if (i >= 0 && i < a.kernel && j >= 0 && j < a.kernel) sum += a.tap(i) * a.tap(j) * dy(n, p, q, c);
    }
    dx(n, r, s, c) = T(sum);
  }
  return ok;
}

}  // namespace d16::kernels::reference
