// The planar convolution and its gradients as loops.
#pragma once
#include "../conv2d.hpp"
#include "image_sums.hpp"

namespace d16::kernels::reference {

// y[n,p,q,o] = bias[o] + sum_{c,i,j} w[o,c,i,j] x[n, p stride + i dilation - pad, q stride + j dilation - pad, c]
template <class T> int conv2d(Conv2d<T> const& a) {
  int const I = a.Ci / a.groups, O = a.Co / a.groups;  // of one group
  auto x = View(a.x, a.N, a.H, a.W, a.Ci);
  auto w = View(a.w, a.Co, I, a.kh, a.kw);
  auto y = View(a.y, a.N, a.P(), a.Q(), a.Co);
  for (int n : upto(a.N)) for (int p : upto(a.P())) for (int q : upto(a.Q())) for (int o : upto(a.Co)) {
    double sum = a.bias ? double(a.bias[o]) : 0;
    for (int i : upto(a.kh)) for (int j : upto(a.kw)) {
      int h = p * a.stride_h + i * a.dilation_h - a.pad_h, v = q * a.stride_w + j * a.dilation_w - a.pad_w;
      if (h < 0 || h >= a.H || v < 0 || v >= a.W) continue;
      for (int c : upto(I)) sum += double(w(o, c, i, j)) * double(x(n, h, v, o / O * I + c));
    }
    y(n, p, q, o) = T(sum);
  }
  return a.sums ? image_sums(sums_of_result(a)) : int(ok);
}

// dx[n,h,v,c] = sum of w[o,c,i,j] dy[n,p,q,o] over the outputs (p,q) and taps (i,j) that meet at pixel (h,v)
template <class T> int conv2d_dx(Conv2d<T> const& a) {
  int const I = a.Ci / a.groups, O = a.Co / a.groups;
  auto dy = View(a.dy, a.N, a.P(), a.Q(), a.Co);
  auto w = View(a.w, a.Co, I, a.kh, a.kw);
  auto dx = View(a.dx, a.N, a.H, a.W, a.Ci);
  for (int n : upto(a.N)) for (int h : upto(a.H)) for (int v : upto(a.W)) for (int c : upto(a.Ci)) {
    double sum = 0;
    for (int i : upto(a.kh)) for (int j : upto(a.kw)) {
      int p = h + a.pad_h - i * a.dilation_h, q = v + a.pad_w - j * a.dilation_w;
      if (p < 0 || p % a.stride_h || (p /= a.stride_h) >= a.P()) continue;
      if (q < 0 || q % a.stride_w || (q /= a.stride_w) >= a.Q()) continue;
      for (int o : upto(O)) {
        int out = c / I * O + o;
        sum += double(w(out, c % I, i, j)) * double(dy(n, p, q, out));
      }
    }
    dx(n, h, v, c) = T(sum);
  }
  return ok;
}

// dw[o,c,i,j] = sum_{n,p,q} dy[n,p,q,o] x[n, p stride + i dilation - pad, q stride + j dilation - pad, c]
template <class T> int conv2d_dw(Conv2d<T> const& a) {
  int const I = a.Ci / a.groups, O = a.Co / a.groups;
  auto x = View(a.x, a.N, a.H, a.W, a.Ci), dy = View(a.dy, a.N, a.P(), a.Q(), a.Co);
  auto dw = View(a.dw, a.Co, I, a.kh, a.kw);
  for (int o : upto(a.Co)) for (int c : upto(I)) for (int i : upto(a.kh)) for (int j : upto(a.kw)) {
    double sum = 0;
    for (int n : upto(a.N)) for (int p : upto(a.P())) for (int q : upto(a.Q())) {
      int h = p * a.stride_h + i * a.dilation_h - a.pad_h, v = q * a.stride_w + j * a.dilation_w - a.pad_w;
      if (h < 0 || h >= a.H || v < 0 || v >= a.W) continue;
      sum += double(dy(n, p, q, o)) * double(x(n, h, v, o / O * I + c));
    }
    dw(o, c, i, j) = Wide<T>(sum);
  }
  return ok;
}

// db[o] = sum_{n,p,q} dy[n,p,q,o]
template <class T> int conv2d_db(Conv2d<T> const& a) {
  auto dy = View(a.dy, a.N, a.P(), a.Q(), a.Co);
  for (int o : upto(a.Co)) {
    double sum = 0;
    for (int n : upto(a.N)) for (int p : upto(a.P())) for (int q : upto(a.Q())) sum += double(dy(n, p, q, o));
    a.db[o] = Wide<T>(sum);
  }
  return ok;
}

}  // namespace d16::kernels::reference
