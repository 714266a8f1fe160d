// Squeeze and excitation as loops, in double.
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "../squeeze_excitation.hpp"

namespace d16::kernels::reference {

namespace detail {
/// What the gates multiply.
template <class T> double gated_value(SqueezeExcitation<T> const& a, int n, int p, int c) {
  ChannelLine const norm = a.line(c);
  return (double(View(a.x, a.N, a.pixels, a.C)(n, p, c)) - norm.mean) * norm.slope + norm.bias;
}
}  // namespace detail

/// y = z sigmoid(w2 relu(w1 mean(z) + b1) + b2), plus a residual, cut off below 0, sample by sample.
template <class T> int squeeze_excitation(SqueezeExcitation<T> const& a) {
  auto w1 = View(a.w1, a.R, a.C), w2 = View(a.w2, a.C, a.R);
  auto y = View(a.y, a.N, a.pixels, a.C);
  auto mean = View(a.mean, a.N, a.C), hidden = View(a.hidden, a.N, a.R), gate = View(a.gate, a.N, a.C);
  for (int n : upto(a.N)) {
    for (int c : upto(a.C)) {
      mean(n, c) = 0;
      for (int p : upto(a.pixels)) mean(n, c) += detail::gated_value(a, n, p, c) / double(a.pixels);
    }
    for (int r : upto(a.R)) {
      double sum = a.b1 ? a.b1[r] : 0;
      for (int c : upto(a.C)) sum += w1(r, c) * mean(n, c);
      hidden(n, r) = std::max(sum, 0.0);
    }
    for (int c : upto(a.C)) {
      double sum = a.b2 ? a.b2[c] : 0;
      for (int r : upto(a.R)) sum += w2(c, r) * hidden(n, r);
      gate(n, c) = 1 / (1 + std::exp(-sum));
      for (int p : upto(a.pixels)) {
        double const more = a.residual ? double(View(a.residual, a.N, a.pixels, a.C)(n, p, c)) : 0;
        double const sum = detail::gated_value(a, n, p, c) * gate(n, c) + more;
        y(n, p, c) = T(a.relu && sum < 0 ? 0 : sum);
      }
    }
  }
  return ok;
}

namespace detail {
/// Through the norm, from the gradient of z in dz: dnorm_weight, dnorm_bias and dx, as batch_norm_dw and batch_norm_dx.
template <class T> void gated_norm_dx(SqueezeExcitation<T> const& a, double const* gradient) {
  auto dz = View(gradient, a.N, a.pixels, a.C);
  auto x = View(a.x, a.N, a.pixels, a.C);
  auto dx = View(a.dx, a.N, a.pixels, a.C);
  double const count = double(a.N * a.pixels);
  for (int c : upto(a.C)) {
    ChannelLine const norm = a.line(c);
    double const inv_std = a.norm_mean ? a.norm_inv_std[c] : 1;
    double dw = 0, db = 0;
    for (int n : upto(a.N)) for (int p : upto(a.pixels)) {
      dw += dz(n, p, c) * (double(x(n, p, c)) - norm.mean) * inv_std, db += dz(n, p, c);
    }
    if (a.norm_mean) a.dnorm_weight[c] = Wide<T>(dw), a.dnorm_bias[c] = Wide<T>(db);
    for (int n : upto(a.N)) for (int p : upto(a.pixels)) {
      double through = dz(n, p, c);
      if (a.norm_training) through -= (db + (double(x(n, p, c)) - norm.mean) * inv_std * dw) / count;
      dx(n, p, c) = T(norm.slope * through);
    }
  }
}
}  // namespace detail

/// dy where y is positive. Back through the gate: dgate = sum of it times z; d2 before the sigmoid, d1 before the relu;
/// the gradient of z has a direct part, with the gate, and the part through the mean.
template <class T> int squeeze_excitation_dx(SqueezeExcitation<T> const& a) {
  std::vector<T> upstream(a.dy, a.dy + a.N * a.pixels * a.C);
  for (size_t i = 0; i < upstream.size(); ++i)
    if (a.relu && a.y[i] <= 0) upstream[i] = T(0);
  if (a.relu && a.dresidual) std::copy(upstream.begin(), upstream.end(), a.dresidual);
  std::vector<double> gradient(upstream.size());
  auto dy = View(upstream.data(), a.N, a.pixels, a.C);
  auto w1 = View(a.w1, a.R, a.C), w2 = View(a.w2, a.C, a.R);
  auto mean = View(a.mean, a.N, a.C), hidden = View(a.hidden, a.N, a.R), gate = View(a.gate, a.N, a.C);
  auto dz = View(gradient.data(), a.N, a.pixels, a.C);
  auto dw1 = View(a.dw1, a.R, a.C), dw2 = View(a.dw2, a.C, a.R);
  std::vector<double> first(size_t(a.N * a.R)), second(size_t(a.N * a.C));
  auto d1 = View(first.data(), a.N, a.R), d2 = View(second.data(), a.N, a.C);
  for (int n : upto(a.N)) {
    for (int c : upto(a.C)) {
      double dgate = 0;
      for (int p : upto(a.pixels)) dgate += double(dy(n, p, c)) * detail::gated_value(a, n, p, c);
      d2(n, c) = dgate * gate(n, c) * (1 - gate(n, c));
    }
    for (int r : upto(a.R)) for (int c : upto(a.C)) d1(n, r) += hidden(n, r) > 0 ? d2(n, c) * w2(c, r) : 0;
    for (int c : upto(a.C)) {
      double dmean = 0;
      for (int r : upto(a.R)) dmean += d1(n, r) * w1(r, c);
      for (int p : upto(a.pixels)) dz(n, p, c) = double(dy(n, p, c)) * gate(n, c) + dmean / double(a.pixels);
    }
  }
  for (int c : upto(a.C)) for (int r : upto(a.R)) {
    double to_w1 = 0, to_w2 = 0;
    for (int n : upto(a.N)) to_w1 += d1(n, r) * mean(n, c), to_w2 += d2(n, c) * hidden(n, r);
    dw1(r, c) = Wide<T>(to_w1), dw2(c, r) = Wide<T>(to_w2);
  }
  for (int r : upto(a.R)) {
    double sum = 0;
    for (int n : upto(a.N)) sum += d1(n, r);
    a.db1[r] = Wide<T>(sum);
  }
  for (int c : upto(a.C)) {
    double sum = 0;
    for (int n : upto(a.N)) sum += d2(n, c);
    a.db2[c] = Wide<T>(sum);
  }
  detail::gated_norm_dx(a, gradient.data());
  return ok;
}

}  // namespace d16::kernels::reference
