// Functions of one variable, element by element: relu, sigmoid, exp, ... with their gradients.
#pragma once
#include "../kernels/cpu/unary.hpp"
#include "../kernels/reference/unary.hpp"
#include "forward.hpp"

namespace d16 {

template <class T>
constinit Slot<kernels::Unary<T>> unary_slot{"unary", {kernels::cpu::unary<T>}, {kernels::reference::unary<T>}, {}, {}};
template <class T> constinit Slot<kernels::Unary<T>> unary_dx_slot{
    "unary_dx", {kernels::cpu::unary_dx<T>}, {kernels::reference::unary_dx<T>}, {}, {}};

// bfloat16 features: for CUDA devices; the reference says what is right.
template <>
constinit inline Slot<kernels::Unary<bf16>> unary_slot<bf16>{"unary", {}, {kernels::reference::unary<bf16>}, {}, {}};
template <> constinit inline Slot<kernels::Unary<bf16>> unary_dx_slot<bf16>{
    "unary_dx", {}, {kernels::reference::unary_dx<bf16>}, {}, {}};

namespace detail {

struct UnaryOptions {
  double alpha = 1, low = 0, high = 0;
};

template <class T> kernels::Unary<T> unary_args(kernels::UnaryOp op, int64_t n, UnaryOptions o) {
  kernels::Unary<T> a;
  a.op = op, a.n = n, a.alpha = o.alpha, a.low = o.low, a.high = o.high;
  return a;
}

inline Tensor unary_dx(kernels::UnaryOp op, Tensor dy, Tensor saved, UnaryOptions o) {
  dy = dy.contiguous();
  Tensor dx = empty_like(saved);
  for_any_float(dy.dtype(), [&]<class T>(T) {
    auto a = unary_args<T>(op, dy.numel(), o);
    (kernels::derivative_from_result(op) ? static_cast<void>(a.y = saved.data<T>())
                                         : static_cast<void>(a.x = saved.data<T>()));
    a.dy = dy.data<T>(), a.dx = dx.data<T>();
    run(unary_dx_slot<T>, dy.device(), a);
  });
  return dx;
}

inline Tensor unary(char const* name, kernels::UnaryOp op, Tensor x, UnaryOptions o = {}) {
  x = x.contiguous();
  Tensor y = empty_like(x);
  for_any_float(x.dtype(), [&]<class T>(T) {
    auto a = unary_args<T>(op, x.numel(), o);
    a.x = x.data<T>(), a.y = y.data<T>();
    run(unary_slot<T>, x.device(), a);
  });
  Tensor saved = kernels::derivative_from_result(op) ? y.detach() : x.detach();
  return record(name, y, wrt(x, [=](Tensor dy) { return unary_dx(op, dy, saved, o); }));
}

}  // namespace detail

// Of all functions below:
// Shapes   y as x, which may be any.   Cost  one pass.   Deterministic  yes.   Aliasing  none: y is new.
// Gradient exact; the value at a kink is named. NaN stays NaN.
// Errors   DTypeError unless float32, float64, or bfloat16 (CUDA devices and the reference).

/// max(x, 0). Gradient 0 at 0.
inline Tensor relu(Tensor x) { return detail::unary("relu", kernels::UnaryOp::relu, x); }
/// x for x > 0, else alpha (e^x - 1). Gradient alpha at 0. ValueError unless alpha >= 0.
/// Source   Clevert et al. 2016, arXiv:1511.07289.
inline Tensor elu(Tensor x, double alpha = 1) {
  require<ValueError>(alpha >= 0, "elu: alpha is ", alpha, "; it needs alpha >= 0");
  return detail::unary("elu", kernels::UnaryOp::elu, x, {.alpha = alpha});
}
/// 1 / (1 + e^-x).
inline Tensor sigmoid(Tensor x) { return detail::unary("sigmoid", kernels::UnaryOp::sigmoid, x); }
/// x sigmoid(x).
inline Tensor silu(Tensor x) { return detail::unary("silu", kernels::UnaryOp::silu, x); }
/// Hyperbolic tangent.
inline Tensor tanh(Tensor x) { return detail::unary("tanh", kernels::UnaryOp::tanh, x); }
/// log(1 + e^x), without overflow.
inline Tensor softplus(Tensor x) { return detail::unary("softplus", kernels::UnaryOp::softplus, x); }
/// e^x.
inline Tensor exp(Tensor x) { return detail::unary("exp", kernels::UnaryOp::exp, x); }
/// Natural logarithm: -infinity at 0, NaN below.
inline Tensor log(Tensor x) { return detail::unary("log", kernels::UnaryOp::log, x); }
/// Square root: NaN below 0. Gradient infinite at 0.
inline Tensor sqrt(Tensor x) { return detail::unary("sqrt", kernels::UnaryOp::sqrt, x); }
/// x^2.
inline Tensor square(Tensor x) { return detail::unary("square", kernels::UnaryOp::square, x); }
/// |x|. Gradient 0 at 0.
inline Tensor abs(Tensor x) { return detail::unary("abs", kernels::UnaryOp::abs, x); }
/// log(x + sqrt(x^2 + 1)): the stretch of astronomical images.
inline Tensor asinh(Tensor x) { return detail::unary("asinh", kernels::UnaryOp::asinh, x); }
/// x limited to [low, high]. Gradient 1 on the limits, 0 outside. ValueError unless low <= high.
inline Tensor clamp(Tensor x, double low, double high) {
  require<ValueError>(low <= high, "clamp: low ", low, " and high ", high, "; it needs low <= high");
  return detail::unary("clamp", kernels::UnaryOp::clamp, x, {.low = low, .high = high});
}
/// -x.
inline Tensor neg(Tensor x) { return detail::unary("neg", kernels::UnaryOp::neg, x); }
inline Tensor operator-(Tensor x) { return neg(x); }

}  // namespace d16

#include "views.hpp"
