// The transposed convolution by the functions of the convolution that it is the adjoint of.
#pragma once
#include "../conv_transpose2d.hpp"
#include "conv2d.hpp"

namespace d16::kernels::cpu {

namespace detail {

/// The convolution from y to x: its dx is our y, its y our dx, and its weights are ours.
template <class T> Conv2d<T> adjoint(ConvTranspose2d<T> const& a) {
  return {.N = a.N,
          .H = a.P(),
          .W = a.Q(),
          .Ci = a.Co,
          .Co = a.Ci,
          .kh = a.kh,
          .kw = a.kw,
          .stride_h = a.stride_h,
          .stride_w = a.stride_w,
          .pad_h = a.pad_h,
          .pad_w = a.pad_w,
          .work = a.work};
}

}  // namespace detail

template <class T> int conv_transpose2d(ConvTranspose2d<T> const& a) {
  Conv2d<T> c = detail::adjoint(a);
  c.dy = a.x, c.w = a.w, c.dx = a.y;
  return detail::conv2d_dx_on(best_isa(), c, a.bias);
}
template <class T> size_t conv_transpose2d_work_bytes(ConvTranspose2d<T> const& a) {
  return conv2d_dx_work_bytes(detail::adjoint(a));
}

template <class T> int conv_transpose2d_dx(ConvTranspose2d<T> const& a) {
  Conv2d<T> c = detail::adjoint(a);
  c.x = a.dy, c.w = a.w, c.y = a.dx;
  return conv2d(c);
}
template <class T> size_t conv_transpose2d_dx_work_bytes(ConvTranspose2d<T> const& a) {
  return conv2d_work_bytes(detail::adjoint(a));
}

template <class T> int conv_transpose2d_dw(ConvTranspose2d<T> const& a) {
  Conv2d<T> c = detail::adjoint(a);
  c.x = a.dy, c.dy = a.x, c.dw = a.dw;
  return conv2d_dw(c);
}
template <class T> size_t conv_transpose2d_dw_work_bytes(ConvTranspose2d<T> const& a) {
  return conv2d_dw_work_bytes(detail::adjoint(a));
}

template <class T> int conv_transpose2d_db(ConvTranspose2d<T> const& a) {
  detail::sum_rows(a.dy, int64_t(a.N) * a.P() * a.Q(), a.Co, a.db, a.work);
  return ok;
}
template <class T> size_t conv_transpose2d_db_work_bytes(ConvTranspose2d<T> const& a) {
  return detail::sum_rows_work(int64_t(a.N) * a.P() * a.Q(), a.Co);
}

}  // namespace d16::kernels::cpu
