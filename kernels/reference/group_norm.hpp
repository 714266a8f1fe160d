// Group normalisation by the book: mean, then variance, then every element, in double.
#pragma once
#include <cmath>

#include "../group_norm.hpp"

namespace d16::kernels::reference {

/// y = weight (x - mean) / sqrt(variance + eps) + bias; mean and variance are those of the group of the channel.
template <class T> int group_norm(GroupNorm<T> const& a) {
  auto x = View(a.x, a.N, a.pixels, a.C);
  auto y = View(a.y, a.N, a.pixels, a.C);
  int const m = a.per_group();
  double const count = double(a.pixels) * m;
  for (int n : upto(a.N)) for (int k : upto(a.groups)) {
    double mean = 0, variance = 0;
    for (int p : upto(a.pixels)) for (int c : upto(m)) mean += x(n, p, k * m + c) / count;
    for (int p : upto(a.pixels)) for (int c : upto(m)) variance += std::pow(x(n, p, k * m + c) - mean, 2) / count;
    double const inv_std = 1 / std::sqrt(variance + a.eps);
    a.mean[n * a.groups + k] = mean;
    a.inv_std[n * a.groups + k] = inv_std;
    for (int p : upto(a.pixels)) for (int c = k * m; c < (k + 1) * m; ++c)
      y(n, p, c) = T((a.weight ? a.weight[c] : 1) * (x(n, p, c) - mean) * inv_std + (a.bias ? a.bias[c] : 0));
  }
  return ok;
}

/// db = sum of dy, dw = sum of dy times the normalised x, over samples and pixels.
template <class T> int group_norm_dw(GroupNorm<T> const& a) {
  auto x = View(a.x, a.N, a.pixels, a.C), dy = View(a.dy, a.N, a.pixels, a.C);
  auto sums = View(a.sums, a.N, 2, a.C);
  for (int c : upto(a.C)) {
    double dw = 0, db = 0;
    for (int n : upto(a.N)) {
      int const k = n * a.groups + c / a.per_group();
      sums(n, 0, c) = sums(n, 1, c) = 0;
      for (int p : upto(a.pixels)) {
        sums(n, 0, c) += dy(n, p, c);
        sums(n, 1, c) += dy(n, p, c) * (x(n, p, c) - a.mean[k]) * a.inv_std[k];
      }
      db += sums(n, 0, c);
      dw += sums(n, 1, c);
    }
    a.dw[c] = T(dw);
    a.db[c] = T(db);
  }
  return ok;
}

/// dx = (g - mean of g - xhat mean of (g xhat)) / std with g = weight dy and xhat the normalised x; the means are over
/// the group, since all of its x move the statistics.
template <class T> int group_norm_dx(GroupNorm<T> const& a) {
  auto x = View(a.x, a.N, a.pixels, a.C), dy = View(a.dy, a.N, a.pixels, a.C);
  auto dx = View(a.dx, a.N, a.pixels, a.C);
  auto sums = View(a.sums, a.N, 2, a.C);
  auto weight = [&](int c) { return a.weight ? double(a.weight[c]) : 1.0; };
  int const m = a.per_group();
  double const count = double(a.pixels) * m;
  for (int n : upto(a.N)) for (int k : upto(a.groups)) {
    double const mean = a.mean[n * a.groups + k], inv_std = a.inv_std[n * a.groups + k];
    double g = 0, g_xhat = 0;
    for (int c = k * m; c < (k + 1) * m; ++c) {
      g += weight(c) * sums(n, 0, c) / count;
      g_xhat += weight(c) * sums(n, 1, c) / count;
    }
    for (int p : upto(a.pixels)) for (int c = k * m; c < (k + 1) * m; ++c)
      dx(n, p, c) = T(inv_std * (weight(c) * dy(n, p, c) - g - (x(n, p, c) - mean) * inv_std * g_xhat));
  }
  return ok;
}

}  // namespace d16::kernels::reference
