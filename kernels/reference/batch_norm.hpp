// Batch normalisation by the book: mean, then variance, then every element, in double.
#pragma once
#include <algorithm>
#include <cmath>

#include "../batch_norm.hpp"

namespace d16::kernels::reference {

namespace detail {
template <class T> double normalised(BatchNorm<T> const& a, double x, int c) {
  return (a.weight ? a.weight[c] : 1) * (x - a.mean[c]) * a.inv_std[c] + (a.bias ? a.bias[c] : 0);
}
}  // namespace detail

/// y = weight (x - mean) inv_std + bias, channel by channel.
template <class T> int batch_norm_apply(BatchNorm<T> const& a) {
  auto x = View(a.x, a.rows, a.C, a.G);
  auto y = View(a.y, a.rows, a.C, a.G);
  for (int64_t r : upto(a.rows)) for (int c : upto(a.C)) for (int g : upto(a.G)) {
    double value = detail::normalised(a, x(r, c, g), c);
    y(r, c, g) = T(a.relu && value < 0 ? 0 : value);
  }
  return ok;
}

/// The same with inv_std = 1 / sqrt(variance + eps), mean and variance those of x or the running ones.
template <class T> int batch_norm(BatchNorm<T> const& a) {
  auto x = View(a.x, a.rows, a.C, a.G);
  double count = double(a.rows) * a.G;
  for (int c : upto(a.C)) {
    double mean = 0, variance = 0;
    if (a.training && a.moments) {
      mean = a.moments[c], variance = a.moments[a.C + c];
    } else if (a.training && a.sums) {
      auto sums = View(a.sums, a.images, a.C, 2);
      for (int n : upto(a.images)) mean += sums(n, c, 0) / count, variance += sums(n, c, 1) / count;
      variance = std::max(0.0, variance - mean * mean);
    } else if (a.training) {
      for (int r : upto(a.rows)) for (int g : upto(a.G)) mean += x(r, c, g) / count;
      for (int r : upto(a.rows)) for (int g : upto(a.G)) variance += (x(r, c, g) - mean) * (x(r, c, g) - mean) / count;
    } else {
      mean = a.running_mean[c];
      variance = a.running_var[c];
    }
    if (a.training) {
      if (a.running_mean) a.running_mean[c] += Wide<T>(a.momentum * (mean - a.running_mean[c]));
      if (a.running_var) a.running_var[c] += Wide<T>(a.momentum * (variance * count / (count - 1) - a.running_var[c]));
    }
    a.mean[c] = mean;
    a.inv_std[c] = 1 / std::sqrt(variance + a.eps);
  }
  return a.y ? batch_norm_apply(a) : int(ok);
}

namespace detail {
/// dy, or 0 where the ReLU has cut the result off.
template <class T> double upstream(BatchNorm<T> const& a, int64_t r, int c, int g) {
  auto dy = View(a.dy, a.rows, a.C, a.G), x = View(a.x, a.rows, a.C, a.G);
  return a.relu && !(normalised(a, x(r, c, g), c) > 0) ? 0 : double(dy(r, c, g));
}
}  // namespace detail

/// db = sum of dy, dw = sum of dy times the normalised x.
template <class T> int batch_norm_dw(BatchNorm<T> const& a) {
  auto x = View(a.x, a.rows, a.C, a.G);
  for (int c : upto(a.C)) {
    double dw = 0, db = 0;
    for (int r : upto(a.rows)) for (int g : upto(a.G)) {
      double dy = detail::upstream(a, r, c, g);
      dw += dy * (x(r, c, g) - a.mean[c]) * a.inv_std[c];
      db += dy;
    }
    a.dw[c] = Wide<T>(dw);
    a.db[c] = Wide<T>(db);
  }
  return ok;
}

/// dx = weight / std (dy - mean(dy) - xhat mean(dy xhat)) with xhat the normalised x; the two means only when training,
/// since then x moves the statistics.
template <class T> int batch_norm_dx(BatchNorm<T> const& a) {
  auto x = View(a.x, a.rows, a.C, a.G);
  auto dx = View(a.dx, a.rows, a.C, a.G);
  double count = double(a.rows) * a.G;
  for (int r : upto(a.rows)) for (int c : upto(a.C)) for (int g : upto(a.G)) {
    double slope = (a.weight ? a.weight[c] : 1) * a.inv_std[c], through = detail::upstream(a, r, c, g);
    if (a.training) through -= a.db[c] / count + (x(r, c, g) - a.mean[c]) * a.inv_std[c] * a.dw[c] / count;
    dx(r, c, g) = T(slope * through);
  }
  return ok;
}

}  // namespace d16::kernels::reference
