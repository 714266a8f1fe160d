// The functions of two variables in double precision: the specification.
#pragma once
#include "../binary.hpp"

namespace d16::kernels::reference {

namespace detail {
inline double binary_value(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::add: return a + b;
    case BinaryOp::sub: return a - b;
    case BinaryOp::mul: return a * b;
    case BinaryOp::div: return a / b;
    case BinaryOp::max: return a > b || a != a ? a : b;
    case BinaryOp::min: return a < b || a != a ? a : b;
    case BinaryOp::step: break;
  }
  return (a > b) + 0.5 * (a == b);
}
}  // namespace detail

template <class T> int binary(Binary<T> const& p) {
  auto const a_scalar = Wide<T>(p.a_scalar), b_scalar = Wide<T>(p.b_scalar);
  int64_t inner = p.nest.inner(), flat = 0;
  for (int64_t row = 0; row < p.nest.rows(); ++row)
    for (int64_t i = 0; i < inner; ++i) {
      Wide<T> a = p.a ? Wide<T>(p.a[p.nest.row_offset(0, row) + i * p.nest.inner_stride(0)]) : a_scalar;
      Wide<T> b = p.b ? Wide<T>(p.b[p.nest.row_offset(1, row) + i * p.nest.inner_stride(1)]) : b_scalar;
      p.y[flat++] = T(detail::binary_value(p.op, a, b));
    }
  return ok;
}

}  // namespace d16::kernels::reference
