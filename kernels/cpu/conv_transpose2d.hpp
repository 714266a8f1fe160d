// The transposed convolution by the functions of the convolution that it is the adjoint of.
#pragma once
#include "../conv_transpose2d.hpp"
#include "conv2d.hpp"

namespace d16::kernels::cpu {

template <class T> int conv_transpose2d(ConvTranspose2d<T> const& a) {
  return detail::conv2d_dx_on(best_isa(), adjoint_of_forward(a), ending_of(a));
}
template <class T> size_t conv_transpose2d_work_bytes(ConvTranspose2d<T> const& a) {
  return conv2d_dx_work_bytes(adjoint_of_forward(a));
}

template <class T> int conv_transpose2d_dx(ConvTranspose2d<T> const& a) { return conv2d(adjoint_of_dx(a)); }
template <class T> size_t conv_transpose2d_dx_work_bytes(ConvTranspose2d<T> const& a) {
  return conv2d_work_bytes(adjoint_of_dx(a));
}

template <class T> int conv_transpose2d_dw(ConvTranspose2d<T> const& a) { return conv2d_dw(adjoint_of_dw(a)); }
template <class T> size_t conv_transpose2d_dw_work_bytes(ConvTranspose2d<T> const& a) {
  return conv2d_dw_work_bytes(adjoint_of_dw(a));
}

template <class T> int conv_transpose2d_db(ConvTranspose2d<T> const& a) {
  detail::sum_rows(a.dy, int64_t(a.N) * a.P() * a.Q(), a.Co, a.db, a.work);
  return ok;
}
template <class T> size_t conv_transpose2d_db_work_bytes(ConvTranspose2d<T> const& a) {
  return detail::sum_rows_work(int64_t(a.N) * a.P() * a.Q(), a.Co);
}

}  // namespace d16::kernels::cpu
