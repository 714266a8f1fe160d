// Equivariant convolution as its definition says: every tap from the weights, in the frame of its element.
#pragma once
#include "../group_conv2d.hpp"
#include "fourier_conv2d.hpp"

namespace d16::kernels::reference {

namespace detail {

/// kappa[g,h] at tap i,j of the filter from field c to field o: sum over v of w[v, slot(g,h)] B_v(frame(g,h)^-1 x).
template <class T> double filter_tap(GroupConv2d<T> const& a, int o, int c, int g, int h, int i, int j) {
  FilterRule rule = a.rule();
  auto w = View(a.w, a.Co, a.Ci, a.V, rule.slots());
  auto B = View(a.basis, a.group.order(), a.V, a.kernel, a.kernel);
  double sum = 0;
  for (int v : upto(a.V)) sum += w(o, c, v, rule.slot(g, h)) * B(rule.frame(g, h), v, i, j);
  return sum;
}

/// Mean and variance of every field of y.
template <class T> int moments(GroupConv2d<T> const& a) {
  int64_t rows = int64_t(a.N) * a.out(a.H) * a.out(a.W);
  int G = a.rule().out_order();
  auto y = View(static_cast<T const*>(a.y), rows, a.Co, G);
  for (int o : upto(a.Co)) {
    double mean = 0, variance = 0, count = double(rows) * G;
    for (int r : upto(rows)) for (int g : upto(G)) mean += y(r, o, g) / count;
    for (int r : upto(rows)) for (int g : upto(G)) variance += (y(r, o, g) - mean) * (y(r, o, g) - mean) / count;
    a.moments[o] = mean, a.moments[a.Co + o] = variance;
  }
  return ok;
}

}  // namespace detail

/// y[n,p,q,o,g] = scale[o] sum of kappa_oc[g,h](i,j) x[n, p stride + i dilation - padding, ..., c, h] + bias[o], and
/// ReLU if asked. There is nothing to pack: w is always read.
template <class T> int group_conv2d(GroupConv2d<T> const& a) {
  if (a.norm || a.x_coefficients || a.y_coefficients) return unsupported;
  if (a.path == Path::fourier) {
    int status = fourier_conv2d(a);
    return a.moments ? detail::moments(a) : status;
  }
  int Gin = a.rule().in_order(), Gout = a.rule().out_order();
  int P = a.out(a.H), Q = a.out(a.W);
  auto x = View(a.x, a.N, a.H, a.W, a.Ci, Gin);
  auto y = View(a.y, a.N, P, Q, a.Co, Gout);
  for (int n : upto(a.N)) for (int p : upto(P)) for (int q : upto(Q))
  for (int o : upto(a.Co)) for (int g : upto(Gout)) {
    double sum = 0;
    for (int i : upto(a.kernel)) for (int j : upto(a.kernel)) {
      int r = detail::under_tap(a, p, i), s = detail::under_tap(a, q, j);
      if (r < 0 || r >= a.H || s < 0 || s >= a.W) continue;
      for (int c : upto(a.Ci)) for (int h : upto(Gin))
        sum += detail::filter_tap(a, o, c, g, h, i, j) * x(n, r, s, c, h);
    }
    y(n, p, q, o, g) = detail::finished(a, o, sum);
  }
  return a.moments ? detail::moments(a) : int(ok);
}

/// dx[n,r,s,c,h]: the same products, gathered from every y that this x went into.
template <class T> int group_conv2d_dx(GroupConv2d<T> const& a) {
  if (a.path == Path::fourier) return fourier_conv2d_dx(a);
  int Gin = a.rule().in_order(), Gout = a.rule().out_order();
  int P = a.out(a.H), Q = a.out(a.W);
  auto dy = View(a.dy, a.N, P, Q, a.Co, Gout);
  auto dx = View(a.dx, a.N, a.H, a.W, a.Ci, Gin);
  for (int n : upto(a.N)) for (int r : upto(a.H)) for (int s : upto(a.W))
  for (int c : upto(a.Ci)) for (int h : upto(Gin)) {
    double sum = 0;
    for (int p : upto(P)) for (int q : upto(Q)) for (int i : upto(a.kernel)) for (int j : upto(a.kernel)) {
      if (detail::under_tap(a, p, i) != r || detail::under_tap(a, q, j) != s) continue;
      for (int o : upto(a.Co)) for (int g : upto(Gout))
        sum += detail::filter_tap(a, o, c, g, h, i, j) * dy(n, p, q, o, g);
    }
    dx(n, r, s, c, h) = T(sum);
  }
  return ok;
}

/// dw[o,c,v,u]: every product whose tap took its weight from slot u, times the basis there.
template <class T> int group_conv2d_dw(GroupConv2d<T> const& a) {
  if (a.norm) return unsupported;
  if (a.path == Path::fourier) return fourier_conv2d_dw(a);
  FilterRule rule = a.rule();
  int P = a.out(a.H), Q = a.out(a.W);
  auto x = View(a.x, a.N, a.H, a.W, a.Ci, rule.in_order());
  auto dy = View(a.dy, a.N, P, Q, a.Co, rule.out_order());
  auto B = View(a.basis, a.group.order(), a.V, a.kernel, a.kernel);
  auto dw = View(a.dw, a.Co, a.Ci, a.V, rule.slots());
  for (int o : upto(a.Co)) for (int c : upto(a.Ci)) for (int v : upto(a.V)) for (int u : upto(rule.slots())) {
    double sum = 0;
    for (int g : upto(rule.out_order())) for (int h : upto(rule.in_order())) {
      if (rule.slot(g, h) != u) continue;
      for (int n : upto(a.N)) for (int p : upto(P)) for (int q : upto(Q))
      for (int i : upto(a.kernel)) for (int j : upto(a.kernel)) {
        int r = detail::under_tap(a, p, i), s = detail::under_tap(a, q, j);
        if (r < 0 || r >= a.H || s < 0 || s >= a.W) continue;
        sum += B(rule.frame(g, h), v, i, j) * x(n, r, s, c, h) * dy(n, p, q, o, g);
      }
    }
    dw(o, c, v, u) = Wide<T>(sum);
  }
  return ok;
}

/// db[o] = sum of dy over all pixels and elements, which share the bias: otherwise it would not be invariant.
template <class T> int group_conv2d_db(GroupConv2d<T> const& a) {
  int P = a.out(a.H), Q = a.out(a.W);
  auto dy = View(a.dy, a.N, P, Q, a.Co, a.rule().out_order());
  for (int o : upto(a.Co)) {
    double sum = 0;
    for (int n : upto(a.N)) for (int p : upto(P)) for (int q : upto(Q))
      for (int g : upto(a.rule().out_order())) sum += dy(n, p, q, o, g);
    a.db[o] = Wide<T>(sum);
  }
  return ok;
}

}  // namespace d16::kernels::reference
