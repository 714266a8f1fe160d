// Squeeze and excitation as one op: every channel of a sample times a gate that depends on the means of all channels.
#pragma once
#include "../kernels/cpu/squeeze_excitation.hpp"
#include "../kernels/reference/squeeze_excitation.hpp"
#include "forward.hpp"
#include "views.hpp"
#include "weights.hpp"

namespace d16 {

template <class T> constinit Slot<kernels::SqueezeExcitation<T>> squeeze_excitation_slot{
    "squeeze_excitation",
    {kernels::cpu::squeeze_excitation<T>, kernels::cpu::squeeze_excitation_work_bytes<T>},
    {kernels::reference::squeeze_excitation<T>},
    {},
    {}};
template <class T> constinit Slot<kernels::SqueezeExcitation<T>> squeeze_excitation_dx_slot{
    "squeeze_excitation_dx",
    {kernels::cpu::squeeze_excitation_dx<T>, kernels::cpu::squeeze_excitation_dx_work_bytes<T>},
    {kernels::reference::squeeze_excitation_dx<T>},
    {},
    {}};

namespace detail {

inline void check_squeeze_excitation(Tensor const& x, Tensor const& w1, Tensor const& b1, Tensor const& w2,
                                     Tensor const& b2) {
  char const* op = "squeeze_excitation";
  require<ShapeError>(x.rank() == 4 && x.numel() > 0, op, ": x is ", x.shape(), "; it needs (N,H,W,C)");
  int64_t const C = x.dim(axis::C), R = w1.rank() == 2 ? w1.dim(0) : 0;
  require<ShapeError>(R > 0 && w1.shape() == Shape{R, C} && w2.shape() == Shape{C, R}, op, ": x is ", x.shape(),
                      ", w1 is ", sizes_text(w1.shape()), ", w2 is ", sizes_text(w2.shape()), "; they need (R,", C,
                      ") and (", C, ",R)");
  check_weights(op, x, w1, b1, R);
  check_weights(op, x, w2, b2, C);
}

inline void check_residual(Tensor const& x, Tensor const& residual) {
  char const* op = "squeeze_excitation";
  require<ShapeError>(residual.shape() == x.shape(), op, ": x is ", x.shape(), ", the residual ", residual.shape(),
                      "; they need the same shape");
  require<DTypeError>(residual.dtype() == x.dtype(), op, ": x is ", name_of(x.dtype()), ", the residual ",
                      name_of(residual.dtype()));
  require<DeviceError>(residual.device() == x.device(), op, ": x is on ", x.device(), ", the residual on ",
                       residual.device());
}

}  // namespace detail

/// How a residual block goes on behind the gates, in the same pass over memory.
struct SqueezeExcitationOptions {
  Tensor residual;    ///< is added, shape of x; undefined: none
  bool relu = false;  ///< y is cut off below 0
};

/// y = x sigmoid(w2 relu(w1 m + b1) + b2), where m[n,c] is the mean of x over H and W: a gate in (0, 1) for each
/// channel of each sample. With the options y = relu(that + residual).
/// Shapes   x, residual, y (N,H,W,C); w1 (R,C), b1 (R); w2 (C,R), b2 (C). An undefined bias is 0.
/// Units    those of x.
/// Cost     12 N H W C bytes, backward 16; a residual 4 more, a ReLU backward 8 (float32).
///          Deterministic  yes, for any number of threads.   Aliasing  none: y is new.
/// Gradient to x (through the gate too), w1, b1, w2, b2, residual; relu has gradient 0 at 0.
/// Errors   ShapeError, DTypeError, DeviceError when the inputs do not match.
/// Source   Hu et al. 2018, arXiv:1709.01507, equations 2-4; with a residual its figure 3.
inline Tensor squeeze_excitation(Tensor x, Tensor w1, Tensor b1, Tensor w2, Tensor b2,
                                 SqueezeExcitationOptions o = {}) {
  detail::check_squeeze_excitation(x, w1, b1, w2, b2);
  Tensor residual = o.residual;
  bool const relu = o.relu;
  if (residual.defined()) detail::check_residual(x, residual);
  x = x.contiguous(), w1 = w1.contiguous(), w2 = w2.contiguous();
  if (b1.defined()) b1 = b1.contiguous();
  if (b2.defined()) b2 = b2.contiguous();
  if (residual.defined()) residual = residual.contiguous();
  int64_t const N = x.dim(0);
  int const C = detail::checked_int("squeeze_excitation", "C", x.dim(axis::C)), R = int(w1.dim(0));
  Tensor y = empty_like(x), inside = empty({N, 2 * int64_t(C) + R}, {DType::f64, x.device()});
  auto args = [=, x = x.detach()]<class T>(T) {
    kernels::SqueezeExcitation<T> a;
    a.N = N, a.pixels = x.dim(axis::H) * x.dim(axis::W), a.C = C, a.R = R, a.relu = relu;
    a.x = x.data<T>(), a.w1 = w1.data<T>(), a.b1 = b1.data<T>(), a.w2 = w2.data<T>(), a.b2 = b2.data<T>();
    a.mean = inside.data<double>(), a.gate = a.mean + N * C, a.hidden = a.gate + N * C;
    return a;
  };
  for_float(x.dtype(), [&]<class T>(T type) {
    kernels::SqueezeExcitation<T> a = args(type);
    a.residual = residual.data<T>(), a.y = y.data<T>();
    run(squeeze_excitation_slot<T>, x.device(), a);
  });
  Tensor result = relu ? y.detach() : Tensor();
  return record("squeeze_excitation", y, {x, w1, b1, w2, b2, residual},
                [=, x = x.detach()](Tensor dy, std::vector<bool> const& needed) {
                  dy = dy.contiguous();
                  TensorOptions like{x.dtype(), x.device()};
                  Tensor dresidual = relu && needed[5] ? empty_like(x) : dy;
                  Tensor dx = empty_like(x), dw1 = empty({R, C}, like), db1 = empty({R}, like),
                         dw2 = empty({C, R}, like), db2 = empty({C}, like);
                  for_float(x.dtype(), [&]<class T>(T type) {
                    kernels::SqueezeExcitation<T> a = args(type);
                    a.y = result.data<T>(), a.dy = dy.data<T>(), a.dx = dx.data<T>();
                    if (relu && needed[5]) a.dresidual = dresidual.data<T>();
                    a.dw1 = dw1.data<T>(), a.db1 = db1.data<T>(), a.dw2 = dw2.data<T>(), a.db2 = db2.data<T>();
                    run(squeeze_excitation_dx_slot<T>, x.device(), a);
                  });
                  return std::vector<Tensor>{dx, dw1, db1, dw2, db2, needed[5] ? dresidual : Tensor()};
                });
}

}  // namespace d16
