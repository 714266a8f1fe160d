// softmax and log_softmax along any axis.
#pragma once
#include "../kernels/cpu/softmax.hpp"
#include "../kernels/reference/softmax.hpp"
#include "reduce.hpp"

namespace d16 {

template <class T> constinit Slot<kernels::Softmax<T>> softmax_slot{
    "softmax", {kernels::cpu::softmax<T>}, {kernels::reference::softmax<T>}, {}, {}};
template <class T> constinit Slot<kernels::Softmax<T>> softmax_dx_slot{
    "softmax_dx", {kernels::cpu::softmax_dx<T>}, {kernels::reference::softmax_dx<T>}, {}, {}};

namespace detail {

template <class T> kernels::Softmax<T> softmax_args(Shape const& shape, int axis, bool log) {
  auto r = reduce_args<T>(shape, axis, axis + 1);
  kernels::Softmax<T> a;
  a.outer = r.outer, a.classes = r.reduced, a.inner = r.inner, a.log = log;
  return a;
}

inline Tensor softmax(char const* name, Tensor x, int axis, bool log) {
  x = x.contiguous();
  axis = x.axis_index(axis);
  Tensor y = empty_like(x);
  for_float(x.dtype(), [&]<class T>(T) {
    auto a = softmax_args<T>(x.shape(), axis, log);
    a.x = x.data<T>(), a.y = y.data<T>();
    run(softmax_slot<T>, x.device(), a);
  });
  return record(name, y, wrt(x, [=, y = y.detach()](Tensor dy) {
                  dy = dy.contiguous();
                  Tensor dx = empty_like(y);
                  for_float(y.dtype(), [&]<class T>(T) {
                    auto a = softmax_args<T>(y.shape(), axis, log);
                    a.y = y.data<T>(), a.dy = dy.data<T>(), a.dx = dx.data<T>();
                    run(softmax_dx_slot<T>, y.device(), a);
                  });
                  return dx;
                }));
}

}  // namespace detail

/// y = e^x / sum of e^x over `axis`; the largest x is subtracted first, so that nothing overflows.
/// Shapes   y as x.   Cost  three passes.   Deterministic  yes.   Aliasing  none: y is new.
/// Gradient dx = y (dy - sum of dy y).
/// Errors   ShapeError for an axis that x does not have; DTypeError unless float32 or float64.
inline Tensor softmax(Tensor x, int axis) { return detail::softmax("softmax", x, axis, false); }

/// y = x - log sum of e^x over `axis`: the logarithm of softmax, right where softmax underflows.
/// Gradient dx = dy - e^y sum of dy. The rest as softmax.
inline Tensor log_softmax(Tensor x, int axis) { return detail::softmax("log_softmax", x, axis, true); }

}  // namespace d16
