// The fully connected layer.
#pragma once
#include "../autograd/tape.hpp"
#include "../core/dispatch.hpp"
#include "../kernels/cpu/linear.hpp"
#include "../kernels/reference/linear.hpp"
#include "views.hpp"
#include "weights.hpp"

namespace d16 {

template <class T> constinit Slot<kernels::Linear<T>> linear_slot{
    "linear", {kernels::cpu::linear<T>, kernels::cpu::linear_work_bytes<T>}, {kernels::reference::linear<T>}, {}, {}};
template <class T>
constinit Slot<kernels::Linear<T>> linear_dx_slot{"linear_dx",
                                                  {kernels::cpu::linear_dx<T>, kernels::cpu::linear_dx_work_bytes<T>},
                                                  {kernels::reference::linear_dx<T>},
                                                  {},
                                                  {}};
template <class T>
constinit Slot<kernels::Linear<T>> linear_dw_slot{"linear_dw",
                                                  {kernels::cpu::linear_dw<T>, kernels::cpu::linear_dw_work_bytes<T>},
                                                  {kernels::reference::linear_dw<T>},
                                                  {},
                                                  {}};
template <class T>
constinit Slot<kernels::Linear<T>> linear_db_slot{"linear_db",
                                                  {kernels::cpu::linear_db<T>, kernels::cpu::linear_db_work_bytes<T>},
                                                  {kernels::reference::linear_db<T>},
                                                  {},
                                                  {}};

namespace detail {

/// The sizes of a call, which its gradients need too.
struct LinearCall {
  Shape x, w;
  TensorOptions like;

  template <class T> kernels::Linear<T> args() const {
    return {.rows = int(x.numel() / w[1]), .I = int(w[1]), .O = int(w[0])};
  }
  Tensor dx(Tensor dy, Tensor weight) const {
    dy = dy.contiguous();
    Tensor dx = empty(x, like);
    for_float(like.dtype, [&]<class T>(T) {
      auto a = args<T>();
      a.dy = dy.data<T>(), a.w = weight.data<T>(), a.dx = dx.data<T>();
      run(linear_dx_slot<T>, like.device, a);
    });
    return dx;
  }
  Tensor dw(Tensor dy, Tensor input) const {
    dy = dy.contiguous();
    Tensor dw = empty(w, {like.dtype, like.device});
    for_float(like.dtype, [&]<class T>(T) {
      auto a = args<T>();
      a.dy = dy.data<T>(), a.x = input.data<T>(), a.dw = dw.data<T>();
      run(linear_dw_slot<T>, like.device, a);
    });
    return dw;
  }
  Tensor db(Tensor dy) const {
    dy = dy.contiguous();
    Tensor db = empty({w[0]}, {like.dtype, like.device});
    for_float(like.dtype, [&]<class T>(T) {
      auto a = args<T>();
      a.dy = dy.data<T>(), a.db = db.data<T>();
      run(linear_db_slot<T>, like.device, a);
    });
    return db;
  }
};

inline LinearCall linear_call(Tensor const& x, Tensor const& w, Tensor const& b) {
  bool fits = w.rank() == 2 && x.rank() > 0 && x.shape().back() == w.dim(1) && x.numel() > 0 && w.numel() > 0;
  require<ShapeError>(fits, "linear: x is ", x.shape(), ", w is ", sizes_text(w.shape()),
                      "; needs x (...,I) and w (O,I), none empty");
  check_weights("linear", x, w, b, w.dim(0));
  checked_int("linear", "the number of rows of x", x.numel() / w.dim(1));
  checked_int("linear", "O", w.dim(0)), checked_int("linear", "I", w.dim(1));
  return {x.shape(), w.shape(), x.like()};
}

}  // namespace detail

/// Fully connected layer on the last axis: y[...,o] = b[o] + sum_i w[o,i] x[...,i].
/// Shapes   x (...,I), w (O,I), b (O) or undefined, y (...,O) without group tag.      Units  w: those of y / x.
/// Cost     2 rows I O flops.      Deterministic  yes.      Aliasing  none.      Gradient  to x, w and b.
/// Errors   d16::ShapeError, DTypeError, DeviceError.
inline Tensor linear(Tensor x, Tensor w, Tensor b = {}) {
  detail::LinearCall c = detail::linear_call(x, w, b);
  x = x.contiguous(), w = w.contiguous();
  if (b.defined()) b = b.contiguous();
  Shape shape = x.shape();
  shape[shape.rank() - 1] = w.dim(0);
  Tensor y = empty(shape, {x.dtype(), x.device()});
  for_float(x.dtype(), [&]<class T>(T) {
    auto a = c.args<T>();
    a.x = x.data<T>(), a.w = w.data<T>(), a.bias = b.data<T>(), a.y = y.data<T>();
    run(linear_slot<T>, x.device(), a);
  });
  return record("linear", y, wrt(x, [=](Tensor dy) { return c.dx(dy, w); }),
                wrt(w, [=](Tensor dy) { return c.dw(dy, x); }), wrt(b, [=](Tensor dy) { return c.db(dy); }));
}

}  // namespace d16
