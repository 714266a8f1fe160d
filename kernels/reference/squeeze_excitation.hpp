// Squeeze and excitation as loops, in double.
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "../squeeze_excitation.hpp"

namespace d16::kernels::reference {

/// y = x sigmoid(w2 relu(w1 mean(x) + b1) + b2), plus a residual, cut off below 0, sample by sample.
template <class T> int squeeze_excitation(SqueezeExcitation<T> const& a) {
  auto x = View(a.x, a.N, a.pixels, a.C);
  auto w1 = View(a.w1, a.R, a.C), w2 = View(a.w2, a.C, a.R);
  auto y = View(a.y, a.N, a.pixels, a.C);
  auto mean = View(a.mean, a.N, a.C), hidden = View(a.hidden, a.N, a.R), gate = View(a.gate, a.N, a.C);
  for (int n : upto(a.N)) {
    for (int c : upto(a.C)) {
      mean(n, c) = 0;
      for (int p : upto(a.pixels)) mean(n, c) += x(n, p, c) / double(a.pixels);
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
        double const sum = x(n, p, c) * gate(n, c) + (a.residual ? View(a.residual, a.N, a.pixels, a.C)(n, p, c) : 0);
        y(n, p, c) = T(a.relu && sum < 0 ? 0 : sum);
      }
    }
  }
  return ok;
}

/// dy where y is positive. Back through the gate: dgate = sum of it times x; d2 before the sigmoid, d1 before the relu; dx has a direct part,
/// with the gate, and the part through the mean.
template <class T> int squeeze_excitation_dx(SqueezeExcitation<T> const& a) {
  std::vector<T> upstream(a.dy, a.dy + a.N * a.pixels * a.C);
  for (size_t i = 0; i < upstream.size(); ++i)
    if (a.relu && a.y[i] <= 0) upstream[i] = 0;
  if (a.relu && a.dresidual) std::copy(upstream.begin(), upstream.end(), a.dresidual);
  auto x = View(a.x, a.N, a.pixels, a.C);
  auto dy = View(upstream.data(), a.N, a.pixels, a.C);
  auto w1 = View(a.w1, a.R, a.C), w2 = View(a.w2, a.C, a.R);
  auto mean = View(a.mean, a.N, a.C), hidden = View(a.hidden, a.N, a.R), gate = View(a.gate, a.N, a.C);
  auto dx = View(a.dx, a.N, a.pixels, a.C);
  auto dw1 = View(a.dw1, a.R, a.C), dw2 = View(a.dw2, a.C, a.R);
  std::vector<double> first(size_t(a.N * a.R)), second(size_t(a.N * a.C));
  auto d1 = View(first.data(), a.N, a.R), d2 = View(second.data(), a.N, a.C);
  for (int n : upto(a.N)) {
    for (int c : upto(a.C)) {
      double dgate = 0;
      for (int p : upto(a.pixels)) dgate += double(dy(n, p, c)) * x(n, p, c);
      d2(n, c) = dgate * gate(n, c) * (1 - gate(n, c));
    }
    for (int r : upto(a.R)) for (int c : upto(a.C)) d1(n, r) += hidden(n, r) > 0 ? d2(n, c) * w2(c, r) : 0;
    for (int c : upto(a.C)) {
      double dmean = 0;
      for (int r : upto(a.R)) dmean += d1(n, r) * w1(r, c);
      for (int p : upto(a.pixels)) dx(n, p, c) = T(dy(n, p, c) * gate(n, c) + dmean / double(a.pixels));
    }
  }
  for (int c : upto(a.C)) for (int r : upto(a.R)) {
    double to_w1 = 0, to_w2 = 0;
    for (int n : upto(a.N)) to_w1 += d1(n, r) * mean(n, c), to_w2 += d2(n, c) * hidden(n, r);
    dw1(r, c) = T(to_w1), dw2(c, r) = T(to_w2);
  }
  for (int r : upto(a.R)) {
    double sum = 0;
    for (int n : upto(a.N)) sum += d1(n, r);
    a.db1[r] = T(sum);
  }
  for (int c : upto(a.C)) {
    double sum = 0;
    for (int n : upto(a.N)) sum += d2(n, c);
    a.db2[c] = T(sum);
  }
  return ok;
}

}  // namespace d16::kernels::reference
