// The fully connected layer and its gradients as loops.
#pragma once
#include "../linear.hpp"

namespace d16::kernels::reference {

// y[r,o] = bias[o] + sum_i x[r,i] w[o,i]
template <class T> int linear(Linear<T> const& a) {
  auto x = View(a.x, a.rows, a.I), w = View(a.w, a.O, a.I);
  auto y = View(a.y, a.rows, a.O);
  for (int r : upto(a.rows)) for (int o : upto(a.O)) {
    double sum = a.bias ? double(a.bias[o]) : 0;
    for (int i : upto(a.I)) sum += double(x(r, i)) * double(w(o, i));
    y(r, o) = T(sum);
  }
  return ok;
}

// dx[r,i] = sum_o dy[r,o] w[o,i]
template <class T> int linear_dx(Linear<T> const& a) {
  auto dy = View(a.dy, a.rows, a.O), w = View(a.w, a.O, a.I);
  auto dx = View(a.dx, a.rows, a.I);
  for (int r : upto(a.rows)) for (int i : upto(a.I)) {
    double sum = 0;
    for (int o : upto(a.O)) sum += double(dy(r, o)) * double(w(o, i));
    dx(r, i) = T(sum);
  }
  return ok;
}

// dw[o,i] = sum_r dy[r,o] x[r,i]
template <class T> int linear_dw(Linear<T> const& a) {
  auto dy = View(a.dy, a.rows, a.O), x = View(a.x, a.rows, a.I);
  auto dw = View(a.dw, a.O, a.I);
  for (int o : upto(a.O)) for (int i : upto(a.I)) {
    double sum = 0;
    for (int r : upto(a.rows)) sum += double(dy(r, o)) * double(x(r, i));
    dw(o, i) = Wide<T>(sum);
  }
  return ok;
}

// db[o] = sum_r dy[r,o]
template <class T> int linear_db(Linear<T> const& a) {
  auto dy = View(a.dy, a.rows, a.O);
  for (int o : upto(a.O)) {
    double sum = 0;
    for (int r : upto(a.rows)) sum += double(dy(r, o));
    a.db[o] = Wide<T>(sum);
  }
  return ok;
}

}  // namespace d16::kernels::reference
