// The fully connected layer and its gradients on a GPU: three matrix products and a sum.
#pragma once
#include "../linear.hpp"
#include "gemm.cuh"
#include "sum_rows.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace dense {

template <class T> Gemm<T> linear_product(Linear<T> const& a) {
  return {
      .M = a.rows, .N = a.O, .K = a.I, .trans_b = true, .a = a.x, .b = a.w, .bias = a.bias, .c = a.y, .work = a.work};
}
template <class T> Gemm<T> linear_dx_product(Linear<T> const& a) {
  return {.M = a.rows, .N = a.I, .K = a.O, .a = a.dy, .b = a.w, .c = a.dx, .work = a.work};
}
template <class T> Gemm<T> linear_dw_product(Linear<T> const& a) {
  return {.M = a.O, .N = a.I, .K = a.rows, .trans_a = true, .a = a.dy, .b = a.x, .c = a.dw, .work = a.work};
}

}  // namespace dense

template <class T> int linear(Linear<T> const& a) { return gemm(dense::linear_product(a)); }
template <class T> size_t linear_work_bytes(Linear<T> const& a) { return gemm_work_bytes(dense::linear_product(a)); }

template <class T> int linear_dx(Linear<T> const& a) { return gemm(dense::linear_dx_product(a)); }
template <class T> size_t linear_dx_work_bytes(Linear<T> const& a) {
  return gemm_work_bytes(dense::linear_dx_product(a));
}

template <class T> int linear_dw(Linear<T> const& a) { return gemm(dense::linear_dw_product(a)); }
template <class T> size_t linear_dw_work_bytes(Linear<T> const& a) {
  return gemm_work_bytes(dense::linear_dw_product(a));
}

template <class T> int linear_db(Linear<T> const& a) { return dense::sum_rows(a.dy, a.rows, a.O, a.db, a.work); }
template <class T> size_t linear_db_work_bytes(Linear<T> const& a) { return dense::sum_rows_work(a.rows, a.O); }

}  // namespace D16_GPU
}  // namespace d16::kernels
