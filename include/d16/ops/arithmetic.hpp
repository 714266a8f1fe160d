// + - * / and maximum, minimum of tensors and scalars, with broadcasting.
#pragma once
#include "../kernels/cpu/binary.hpp"
#include "../kernels/reference/binary.hpp"
#include "forward.hpp"

namespace d16 {

template <class T> constinit Slot<kernels::Binary<T>> binary_slot{
    "binary", {kernels::cpu::binary<T>}, {kernels::reference::binary<T>}, {}, {}};

// bfloat16 features: for CUDA devices; the reference says what is right.
template <> constinit inline Slot<kernels::Binary<bf16>> binary_slot<bf16>{
    "binary", {}, {kernels::reference::binary<bf16>}, {}, {}};

/// The shape into which a and b repeat: axes are matched from the last; sizes are equal, or 1, or missing.
/// Errors   ShapeError when another size differs.
inline Shape broadcast_shape(char const* op, Shape const& a, Shape const& b) {
  Shape out = a.rank() >= b.rank() ? a : b;
  for (int i = 1; i <= std::min(a.rank(), b.rank()); ++i) {
    int64_t m = a[a.rank() - i], n = b[b.rank() - i];
    require<ShapeError>(m == n || m == 1 || n == 1, op, ": a is ", a, ", b is ", b,
                        "; sizes must be equal or 1, from the last axis");
    out[out.rank() - i] = m == 1 ? n : m;
  }
  return out;
}

namespace detail {

using kernels::BinaryOp;

// Values only; nothing is recorded.
inline Tensor binary(BinaryOp op, Tensor const& a, Tensor const& b, Shape const& shape, TensorOptions o) {
  Tensor y = empty(shape, o), wide_a = expand_view(a, shape), wide_b = expand_view(b, shape);
  for_any_float(o.dtype, [&]<class T>(T) {
    kernels::Binary<T> p;
    p.op = op;
    for (int i = 0; i < shape.rank(); ++i) p.nest.push(shape[i], {wide_a.strides()[i], wide_b.strides()[i]});
    p.a = a.data<T>(), p.b = b.data<T>(), p.y = y.data<T>();
    run(binary_slot<T>, o.device, p);
  });
  return y;
}
inline Tensor binary(BinaryOp op, Tensor const& a, Tensor const& b) {
  return binary(op, a, b, broadcast_shape("arithmetic", a.shape(), b.shape()), a.group() ? a.like() : b.like());
}
/// x op s, or s op x when `swapped`.
inline Tensor binary_scalar(BinaryOp op, Tensor const& x, double s, bool swapped = false) {
  Tensor y = empty_like(x);
  for_any_float(x.dtype(), [&]<class T>(T) {
    kernels::Binary<T> p;
    p.op = op, p.y = y.data<T>();
    for (int i = 0; i < x.rank(); ++i) {
      int64_t step = x.strides()[i];
      if (swapped) p.nest.push(x.dim(i), {0, step});
      else p.nest.push(x.dim(i), {step, 0});
    }
    (swapped ? p.b : p.a) = x.data<T>();
    (swapped ? p.a_scalar : p.b_scalar) = s;
    run(binary_slot<T>, x.device(), p);
  });
  return y;
}

/// Checks what both operands must share, then computes.
inline Tensor checked_binary(char const* name, BinaryOp op, Tensor const& a, Tensor const& b) {
  require<DTypeError>(a.dtype() == b.dtype(), name, ": a is ", name_of(a.dtype()), ", b is ", name_of(b.dtype()),
                      "; cast one of them");
  require<DeviceError>(a.device() == b.device(), name, ": a is on ", a.device(), ", b is on ", b.device(),
                       "; use to()");
  require<GroupError>(!a.group() || !b.group() || a.group() == b.group(), name, ": a holds ", a.group(),
                      " features, b ", b.group(), " features");
  return binary(op, a, b, broadcast_shape(name, a.shape(), b.shape()), a.group() ? a.like() : b.like());
}

}  // namespace detail

// Of all operators below:
// Shapes   a and b any that repeat into one another: axes are matched from the last; sizes are equal, or 1, or missing.
// Cost     one pass.   Deterministic  yes.   Aliasing  none: the result is new.
// Gradient summed over the axes along which an operand was repeated.
// Errors   ShapeError, DTypeError (no promotion), DeviceError, GroupError (features of two groups).

/// a + b.
inline Tensor operator+(Tensor a, Tensor b) {
  return record("add", detail::checked_binary("add", detail::BinaryOp::add, a, b),
                wrt(a, [s = a.shape()](Tensor dy) { return sum_to(dy, s); }),
                wrt(b, [s = b.shape()](Tensor dy) { return sum_to(dy, s); }));
}
/// a - b.
inline Tensor operator-(Tensor a, Tensor b) {
  return record("sub", detail::checked_binary("sub", detail::BinaryOp::sub, a, b),
                wrt(a, [s = a.shape()](Tensor dy) { return sum_to(dy, s); }),
                wrt(b, [s = b.shape()](Tensor dy) { return -sum_to(dy, s); }));
}
/// a b, element by element.
inline Tensor operator*(Tensor a, Tensor b) {
  using detail::binary, detail::BinaryOp;
  return record("mul", detail::checked_binary("mul", BinaryOp::mul, a, b),
                wrt(a, [b, s = a.shape()](Tensor dy) { return sum_to(binary(BinaryOp::mul, dy, b), s); }),
                wrt(b, [a, s = b.shape()](Tensor dy) { return sum_to(binary(BinaryOp::mul, dy, a), s); }));
}
/// a / b, element by element.
inline Tensor operator/(Tensor a, Tensor b) {
  using detail::binary, detail::BinaryOp;
  Tensor y = detail::checked_binary("div", BinaryOp::div, a, b);
  return record("div", y, wrt(a, [b, s = a.shape()](Tensor dy) { return sum_to(binary(BinaryOp::div, dy, b), s); }),
                wrt(b, [b, y = y.detach()](Tensor dy) {
                  Tensor slope = binary(BinaryOp::div, y, b);  // -d(a / b) / db
                  return -sum_to(binary(BinaryOp::mul, dy, slope), b.shape());
                }));
}
/// The larger of a and b; NaN if one is. At a tie each gets half the gradient.
inline Tensor maximum(Tensor a, Tensor b) {
  using detail::binary, detail::BinaryOp;
  return record(
      "maximum", detail::checked_binary("maximum", BinaryOp::max, a, b),
      wrt(a, [a, b](Tensor dy) { return sum_to(binary(BinaryOp::mul, dy, binary(BinaryOp::step, a, b)), a.shape()); }),
      wrt(b, [a, b](Tensor dy) { return sum_to(binary(BinaryOp::mul, dy, binary(BinaryOp::step, b, a)), b.shape()); }));
}
/// The smaller of a and b; NaN if one is. At a tie each gets half the gradient.
inline Tensor minimum(Tensor a, Tensor b) {
  using detail::binary, detail::BinaryOp;
  return record(
      "minimum", detail::checked_binary("minimum", BinaryOp::min, a, b),
      wrt(a, [a, b](Tensor dy) { return sum_to(binary(BinaryOp::mul, dy, binary(BinaryOp::step, b, a)), a.shape()); }),
      wrt(b, [a, b](Tensor dy) { return sum_to(binary(BinaryOp::mul, dy, binary(BinaryOp::step, a, b)), b.shape()); }));
}

// With a number on one side.
inline Tensor operator+(Tensor x, double s) {
  return record("add", detail::binary_scalar(detail::BinaryOp::add, x, s), wrt(x, [](Tensor dy) { return dy; }));
}
inline Tensor operator+(double s, Tensor x) { return x + s; }
inline Tensor operator-(Tensor x, double s) {
  return record("sub", detail::binary_scalar(detail::BinaryOp::sub, x, s), wrt(x, [](Tensor dy) { return dy; }));
}
inline Tensor operator-(double s, Tensor x) {
  return record("sub", detail::binary_scalar(detail::BinaryOp::sub, x, s, true), wrt(x, [](Tensor dy) { return -dy; }));
}
inline Tensor operator*(Tensor x, double s) {
  return record("mul", detail::binary_scalar(detail::BinaryOp::mul, x, s), wrt(x, [s](Tensor dy) { return dy * s; }));
}
inline Tensor operator*(double s, Tensor x) { return x * s; }
inline Tensor operator/(Tensor x, double s) {
  return record("div", detail::binary_scalar(detail::BinaryOp::div, x, s), wrt(x, [s](Tensor dy) { return dy / s; }));
}
inline Tensor operator/(double s, Tensor x) {
  Tensor y = detail::binary_scalar(detail::BinaryOp::div, x, s, true);
  return record("div", y, wrt(x, [x, y = y.detach()](Tensor dy) { return -(dy * y / x); }));
}
inline Tensor maximum(Tensor x, double s) {
  return record("maximum", detail::binary_scalar(detail::BinaryOp::max, x, s), wrt(x, [x, s](Tensor dy) {
                  return detail::binary(detail::BinaryOp::mul, dy, detail::binary_scalar(detail::BinaryOp::step, x, s));
                }));
}
inline Tensor maximum(double s, Tensor x) { return maximum(x, s); }
inline Tensor minimum(Tensor x, double s) {
  return record("minimum", detail::binary_scalar(detail::BinaryOp::min, x, s), wrt(x, [x, s](Tensor dy) {
                  return detail::binary(detail::BinaryOp::mul, dy,
                                        detail::binary_scalar(detail::BinaryOp::step, x, s, true));
                }));
}
inline Tensor minimum(double s, Tensor x) { return minimum(x, s); }

}  // namespace d16

#include "reduce.hpp"
#include "unary.hpp"
#include "views.hpp"
