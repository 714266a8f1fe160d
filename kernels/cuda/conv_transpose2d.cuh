// The transposed convolution on a GPU, by the functions of the convolution that it is the adjoint of.
#pragma once
#include "../conv_transpose2d.hpp"
#include "conv2d.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace dense {

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
          .w = a.w,
          .work = a.work};
}
template <class T> Conv2d<T> adjoint_of_forward(ConvTranspose2d<T> const& a) {
  Conv2d<T> c = adjoint(a);
  c.dy = a.x, c.dx = a.y;
  return c;
}
template <class T> Conv2d<T> adjoint_of_dx(ConvTranspose2d<T> const& a) {
  Conv2d<T> c = adjoint(a);
  c.x = a.dy, c.y = a.dx;
  return c;
}
template <class T> Conv2d<T> adjoint_of_dw(ConvTranspose2d<T> const& a) {
  Conv2d<T> c = adjoint(a);
  c.x = a.dy, c.dy = a.x, c.dw = a.dw;
  return c;
}

}  // namespace dense

template <class T> int conv_transpose2d(ConvTranspose2d<T> const& a) {
  return dense::conv2d_dx(dense::adjoint_of_forward(a), a.bias);
}
template <class T> size_t conv_transpose2d_work_bytes(ConvTranspose2d<T> const& a) {
  return conv2d_dx_work_bytes(dense::adjoint_of_forward(a));
}

template <class T> int conv_transpose2d_dx(ConvTranspose2d<T> const& a) { return conv2d(dense::adjoint_of_dx(a)); }
template <class T> size_t conv_transpose2d_dx_work_bytes(ConvTranspose2d<T> const& a) {
  return conv2d_work_bytes(dense::adjoint_of_dx(a));
}

template <class T> int conv_transpose2d_dw(ConvTranspose2d<T> const& a) { return conv2d_dw(dense::adjoint_of_dw(a)); }
template <class T> size_t conv_transpose2d_dw_work_bytes(ConvTranspose2d<T> const& a) {
  return conv2d_dw_work_bytes(dense::adjoint_of_dw(a));
}

template <class T> int conv_transpose2d_db(ConvTranspose2d<T> const& a) {
  return dense::sum_rows(a.dy, int64_t(a.N) * a.P() * a.Q(), a.Co, a.db, a.work);
}
template <class T> size_t conv_transpose2d_db_work_bytes(ConvTranspose2d<T> const& a) {
  return dense::sum_rows_work(int64_t(a.N) * a.P() * a.Q(), a.Co);
}

}  // namespace D16_GPU
}  // namespace d16::kernels
