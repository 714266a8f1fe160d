// Equivariant convolution in a tenth of the multiply-adds: the basis in the frame of each element, the group Fourier
// transform, one small matrix product for each irrep, and back. To be read with docs/fourier-convolution.md.
#pragma once
#include <vector>

#include <d16/group/fourier.hpp>

#include "../group_conv2d.hpp"

namespace d16::kernels::reference {

namespace detail {

/// The x that tap i of the filter at output p falls on; outside [0, size) it is padding.
template <class T> int under_tap(GroupConv2d<T> const& a, int p, int i) {
  return p * a.stride + i * a.dilation - a.padding;
}

/// What follows the sum of products: scale, bias, and ReLU, which lets NaN pass.
template <class T> T finished(GroupConv2d<T> const& a, int o, double sum) {
  double y = (a.scale ? double(a.scale[o]) : 1) * sum + (a.bias ? double(a.bias[o]) : 0);
  return T(a.relu && y < 0 ? 0 : y);
}

/// One value for each element of the group, or the Fourier coefficients of such values.
using Row = std::vector<double>;

/// The weights W[u], u = g^-1 h, of a side without group features are those of one with them: an image is features that
/// are the same for each h, where only u = identity has a weight; and where all u have the same weight, the result is
/// the same for each g, an image. So all three convolutions are the one from features to features.
template <class T> bool has_weight(GroupConv2d<T> const& a, int u) { return a.sides != Sides::lifting || u == 0; }

/// W(rho), for each o, c, v.
template <class T> std::vector<Row> weight_coefficients(GroupConv2d<T> const& a) {
  int G = a.group.order(), slots = a.rule().slots();
  auto w = View(a.w, a.Co * a.Ci * a.V, slots);
  std::vector<Row> out;
  for (int ocv : upto(a.Co * a.Ci * a.V)) {
    Row W(static_cast<size_t>(G));
    for (int u : upto(G)) W[size_t(u)] = has_weight(a, u) ? w(ocv, u % slots) : 0;
    out.push_back(fourier_transform(a.group, W));
  }
  return out;
}

/// E(rho) of E[c,v,h] = sum over taps of B_v(h^-1 tap) x[c,h] there, around output p, q, for each c, v.
template <class T> std::vector<Row> projection_coefficients(GroupConv2d<T> const& a, int n, int p, int q) {
  int G = a.group.order(), Gin = a.rule().in_order();
  auto x = View(a.x, a.N, a.H, a.W, a.Ci, Gin);
  auto B = View(a.basis, G, a.V, a.kernel, a.kernel);
  std::vector<Row> out;
  for (int c : upto(a.Ci)) for (int v : upto(a.V)) {
    Row E(static_cast<size_t>(G));
    for (int i : upto(a.kernel)) for (int j : upto(a.kernel)) {
      int r = under_tap(a, p, i), s = under_tap(a, q, j);
      if (r < 0 || r >= a.H || s < 0 || s >= a.W) continue;
      for (int h : upto(G)) E[size_t(h)] += B(h, v, i, j) * x(n, r, s, c, h % Gin);
    }
    out.push_back(fourier_transform(a.group, E));
  }
  return out;
}

/// dy(rho) at output p, q, for each o. Of an image one value was kept, which alone has a gradient.
template <class T> std::vector<Row> gradient_coefficients(GroupConv2d<T> const& a, int n, int p, int q) {
  int Gout = a.rule().out_order();
  auto dy = View(a.dy, a.N, a.out(a.H), a.out(a.W), a.Co, Gout);
  std::vector<Row> out;
  for (int o : upto(a.Co)) {
    Row row(size_t(a.group.order()));
    for (int g : upto(Gout)) row[size_t(g)] = dy(n, p, q, o, g);
    out.push_back(fourier_transform(a.group, row));
  }
  return out;
}

}  // namespace detail

/// y[o,g] = sum over c, v, h of W_oc[v, g^-1 h] E[c,v,h] is y(rho) = sum over c, v of E(rho) W(rho)^T.
template <class T> int fourier_conv2d(GroupConv2d<T> const& a) {
  int P = a.out(a.H), Q = a.out(a.W), Gout = a.rule().out_order(), CV = a.Ci * a.V;
  auto y = View(a.y, a.N, P, Q, a.Co, Gout);
  auto W = detail::weight_coefficients(a);
  for (auto& row : W) row = transposed(a.group, row);
  for (int n : upto(a.N)) for (int p : upto(P)) for (int q : upto(Q)) {
    auto E = detail::projection_coefficients(a, n, p, q);
    for (int o : upto(a.Co)) {
      detail::Row sum(size_t(a.group.order()));
      for (int cv : upto(CV)) add_product(a.group, E[size_t(cv)], W[size_t(o * CV + cv)], sum);
      auto out = inverse_fourier_transform(a.group, sum);
      for (int g : upto(Gout)) y(n, p, q, o, g) = detail::finished(a, o, out[size_t(g)]);
    }
  }
  return ok;
}

/// The adjoint of each step: dE(rho) = sum over o of dy(rho) W(rho), and dE[h] goes to the pixels under the filter.
template <class T> int fourier_conv2d_dx(GroupConv2d<T> const& a) {
  int G = a.group.order(), Gin = a.rule().in_order(), CV = a.Ci * a.V;
  std::vector<double> sum(size_t(a.N) * a.H * a.W * a.Ci * Gin);
  auto dx = View(sum.data(), a.N, a.H, a.W, a.Ci, Gin);
  auto B = View(a.basis, G, a.V, a.kernel, a.kernel);
  auto W = detail::weight_coefficients(a);
  for (int n : upto(a.N)) for (int p : upto(a.out(a.H))) for (int q : upto(a.out(a.W))) {
    auto dy = detail::gradient_coefficients(a, n, p, q);
    for (int c : upto(a.Ci)) for (int v : upto(a.V)) {
      detail::Row dE(static_cast<size_t>(G));
      for (int o : upto(a.Co)) add_product(a.group, dy[size_t(o)], W[size_t(o * CV + c * a.V + v)], dE);
      dE = inverse_fourier_transform(a.group, dE);
      for (int i : upto(a.kernel)) for (int j : upto(a.kernel)) {
        int r = detail::under_tap(a, p, i), s = detail::under_tap(a, q, j);
        if (r < 0 || r >= a.H || s < 0 || s >= a.W) continue;
        for (int h : upto(G)) dx(n, r, s, c, h % Gin) += B(h, v, i, j) * dE[size_t(h)];
      }
    }
  }
  for (size_t i = 0; i < sum.size(); ++i) a.dx[i] = T(sum[i]);
  return ok;
}

/// dW(rho) = sum over pixels of dy(rho)^T E(rho); the weight that several u share gets what comes to all of them.
template <class T> int fourier_conv2d_dw(GroupConv2d<T> const& a) {
  int G = a.group.order(), slots = a.rule().slots(), CV = a.Ci * a.V;
  std::vector<detail::Row> sum(size_t(a.Co * CV), detail::Row(static_cast<size_t>(G)));
  for (int n : upto(a.N)) for (int p : upto(a.out(a.H))) for (int q : upto(a.out(a.W))) {
    auto E = detail::projection_coefficients(a, n, p, q), dy = detail::gradient_coefficients(a, n, p, q);
    for (int o : upto(a.Co)) {
      auto left = transposed(a.group, dy[size_t(o)]);
      for (int cv : upto(CV)) add_product(a.group, left, E[size_t(cv)], sum[size_t(o * CV + cv)]);
    }
  }
  auto dw = View(a.dw, a.Co * CV, slots);
  for (int ocv : upto(a.Co * CV)) {
    auto dW = inverse_fourier_transform(a.group, sum[size_t(ocv)]);
    detail::Row total(static_cast<size_t>(slots));
    for (int u : upto(G)) if (detail::has_weight(a, u)) total[size_t(u % slots)] += dW[size_t(u)];
    for (int u : upto(slots)) dw(ocv, u) = Wide<T>(total[size_t(u)]);
  }
  return ok;
}

}  // namespace d16::kernels::reference
