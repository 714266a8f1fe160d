// The fully connected layer.
#pragma once
#include "../autograd/tape.hpp"
#include "../core/dispatch.hpp"
#include "../kernels/cpu/linear.hpp"
#include "../kernels/reference/linear.hpp"
#include "views.hpp"
#include "weights.hpp"

namespace d16 {

struct LinearOptions {
  /// What the factors of float32 products are rounded to, forward and in both gradients. Processors without units for it
  /// compute in float32.
  kernels::Precision precision = kernels::Precision::float32;
};

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

// bfloat16 features: for CUDA devices; the reference says what is right.
template <> constinit inline Slot<kernels::Linear<bf16>> linear_slot<bf16>{
    "linear", {}, {kernels::reference::linear<bf16>}, {}, {}};
template <> constinit inline Slot<kernels::Linear<bf16>> linear_dx_slot<bf16>{
    "linear_dx", {}, {kernels::reference::linear_dx<bf16>}, {}, {}};
template <> constinit inline Slot<kernels::Linear<bf16>> linear_dw_slot<bf16>{
    "linear_dw", {}, {kernels::reference::linear_dw<bf16>}, {}, {}};
template <> constinit inline Slot<kernels::Linear<bf16>> linear_db_slot<bf16>{
    "linear_db", {}, {kernels::reference::linear_db<bf16>}, {}, {}};

namespace detail {

/// The sizes of a call, which its gradients need too.
struct LinearCall {
  Shape x, w;
  LinearOptions o;
  TensorOptions like;

  template <class T> kernels::Linear<T> args() const {
    return {.rows = int(x.numel() / w[1]), .I = int(w[1]), .O = int(w[0]), .precision = o.precision};
  }
  Tensor dx(Tensor dy, Tensor weight) const {
    dy = dy.contiguous();
    Tensor dx = empty(x, like);
    for_any_float(like.dtype, [&]<class T>(T) {
      auto a = args<T>();
      a.dy = dy.data<T>(), a.w = weight.data<kernels::Wide<T>>(), a.dx = dx.data<T>();
      run(linear_dx_slot<T>, like.device, a);
    });
    return dx;
  }
  Tensor dw(Tensor dy, Tensor input) const {
    dy = dy.contiguous();
    Tensor dw = empty(w, {weight_dtype(like.dtype), like.device});
    for_any_float(like.dtype, [&]<class T>(T) {
      auto a = args<T>();
      a.dy = dy.data<T>(), a.x = input.data<T>(), a.dw = dw.data<kernels::Wide<T>>();
      run(linear_dw_slot<T>, like.device, a);
    });
    return dw;
  }
  Tensor db(Tensor dy) const {
    dy = dy.contiguous();
    Tensor db = empty({w[0]}, {weight_dtype(like.dtype), like.device});
    for_any_float(like.dtype, [&]<class T>(T) {
      auto a = args<T>();
      a.dy = dy.data<T>(), a.db = db.data<kernels::Wide<T>>();
      run(linear_db_slot<T>, like.device, a);
    });
    return db;
  }
};

inline LinearCall linear_call(Tensor const& x, Tensor const& w, Tensor const& b, LinearOptions const& o) {
  bool fits = w.rank() == 2 && x.rank() > 0 && x.shape().back() == w.dim(1) && x.numel() > 0 && w.numel() > 0;
  require<ShapeError>(fits, "linear: x is ", x.shape(), ", w is ", sizes_text(w.shape()),
                      "; needs x (...,I) and w (O,I), none empty");
  check_weights("linear", x, w, b, w.dim(0));
  checked_int("linear", "the number of rows of x", x.numel() / w.dim(1));
  checked_int("linear", "O", w.dim(0)), checked_int("linear", "I", w.dim(1));
  return {x.shape(), w.shape(), o, x.like()};
}

}  // namespace detail

/// Fully connected layer on the last axis: y[...,o] = b[o] + sum_i w[o,i] x[...,i].
/// Shapes   x (...,I), w (O,I), b (O) or undefined, y (...,O) without group tag.      Units  w: those of y / x.
/// Numbers  bfloat16 x, with float32 w and b, gives bfloat16 y and dx, float32 dw and db: sums are float32, each result is
///          rounded once. For CUDA devices and the reference.      precision: of the products of float32 on a GPU.
/// Cost     2 rows I O flops.      Deterministic  yes.      Aliasing  none.      Gradient  to x, w and b.
/// Errors   d16::ShapeError, DTypeError, DeviceError.
inline Tensor linear(Tensor x, Tensor w, Tensor b = {}, LinearOptions o = {}) {
  detail::LinearCall c = detail::linear_call(x, w, b, o);
  x = x.contiguous(), w = w.contiguous();
  if (b.defined()) b = b.contiguous();
  Shape shape = x.shape();
  shape[shape.rank() - 1] = w.dim(0);
  Tensor y = empty(shape, {x.dtype(), x.device()});
  for_any_float(x.dtype(), [&]<class T>(T) {
    auto a = c.args<T>();
    a.x = x.data<T>(), a.y = y.data<T>();
    a.w = w.data<kernels::Wide<T>>(), a.bias = b.data<kernels::Wide<T>>();
    run(linear_slot<T>, x.device(), a);
  });
  return record("linear", y, wrt(x, [=](Tensor dy) { return c.dx(dy, w); }),
                wrt(w, [=](Tensor dy) { return c.dw(dy, x); }), wrt(b, [=](Tensor dy) { return c.db(dy); }));
}

}  // namespace d16
