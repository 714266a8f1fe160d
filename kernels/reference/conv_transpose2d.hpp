// The transposed convolution and its gradients as loops: every input pixel stamps its kernel onto the output.
#pragma once
#include "../conv_transpose2d.hpp"

namespace d16::kernels::reference {

namespace detail {

/// The input coordinate that tap i carries to the output coordinate p, or -1 when there is none.
constexpr int stamped_from(int p, int i, int stride, int pad, int size) {
  int h = p + pad - i;
  return h < 0 || h % stride || h / stride >= size ? -1 : h / stride;
}

}  // namespace detail

// y[n,p,q,o] = bias[o] + sum of x[n,h,v,c] w[c,o,i,j] over h stride + i - pad = p, v stride + j - pad = q
template <class T> int conv_transpose2d(ConvTranspose2d<T> const& a) {
  auto x = View(a.x, a.N, a.H, a.W, a.Ci);
  auto w = View(a.w, a.Ci, a.Co, a.kh, a.kw);
  auto y = View(a.y, a.N, a.P(), a.Q(), ending_of(a).pitch);
  for (int n : upto(a.N)) for (int p : upto(a.P())) for (int q : upto(a.Q())) for (int o : upto(a.Co)) {
    double sum = a.bias ? double(a.bias[o]) : 0;
    for (int i : upto(a.kh)) for (int j : upto(a.kw)) {
      int h = detail::stamped_from(p, i, a.stride_h, a.pad_h, a.H);
      int v = detail::stamped_from(q, j, a.stride_w, a.pad_w, a.W);
      if (h < 0 || v < 0) continue;
      for (int c : upto(a.Ci)) sum += double(x(n, h, v, c)) * double(w(c, o, i, j));
    }
    y(n, p, q, o) = T(a.relu && sum < 0 ? 0 : sum);
  }
  return ok;
}

// dx[n,h,v,c] = sum_{o,i,j} w[c,o,i,j] dy[n, h stride + i - pad, v stride + j - pad, o]
template <class T> int conv_transpose2d_dx(ConvTranspose2d<T> const& a) {
  auto dy = View(a.dy, a.N, a.P(), a.Q(), a.Co);
  auto w = View(a.w, a.Ci, a.Co, a.kh, a.kw);
  auto dx = View(a.dx, a.N, a.H, a.W, a.Ci);
  for (int n : upto(a.N)) for (int h : upto(a.H)) for (int v : upto(a.W)) for (int c : upto(a.Ci)) {
    double sum = 0;
    for (int i : upto(a.kh)) for (int j : upto(a.kw)) {
      int p = h * a.stride_h + i - a.pad_h, q = v * a.stride_w + j - a.pad_w;
      if (p < 0 || p >= a.P() || q < 0 || q >= a.Q()) continue;
      for (int o : upto(a.Co)) sum += double(w(c, o, i, j)) * double(dy(n, p, q, o));
    }
    dx(n, h, v, c) = T(sum);
  }
  return ok;
}

// dw[c,o,i,j] = sum_{n,h,v} x[n,h,v,c] dy[n, h stride + i - pad, v stride + j - pad, o]
template <class T> int conv_transpose2d_dw(ConvTranspose2d<T> const& a) {
  auto dy = View(a.dy, a.N, a.P(), a.Q(), a.Co), x = View(a.x, a.N, a.H, a.W, a.Ci);
  auto dw = View(a.dw, a.Ci, a.Co, a.kh, a.kw);
  for (int c : upto(a.Ci)) for (int o : upto(a.Co)) for (int i : upto(a.kh)) for (int j : upto(a.kw)) {
    double sum = 0;
    for (int n : upto(a.N)) for (int h : upto(a.H)) for (int v : upto(a.W)) {
      int p = h * a.stride_h + i - a.pad_h, q = v * a.stride_w + j - a.pad_w;
      if (p < 0 || p >= a.P() || q < 0 || q >= a.Q()) continue;
      sum += double(x(n, h, v, c)) * double(dy(n, p, q, o));
    }
    dw(c, o, i, j) = Wide<T>(sum);
  }
  return ok;
}

// db[o] = sum_{n,p,q} dy[n,p,q,o]
template <class T> int conv_transpose2d_db(ConvTranspose2d<T> const& a) {
  auto dy = View(a.dy, a.N, a.P(), a.Q(), a.Co);
  for (int o : upto(a.Co)) {
    double sum = 0;
    for (int n : upto(a.N)) for (int p : upto(a.P())) for (int q : upto(a.Q())) sum += double(dy(n, p, q, o));
    a.db[o] = Wide<T>(sum);
  }
  return ok;
}

}  // namespace d16::kernels::reference
