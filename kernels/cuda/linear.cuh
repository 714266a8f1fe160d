// The fully connected layer and its gradients on a GPU: three matrix products and a sum.
#pragma once
#include "../linear.hpp"
#include "gemm.cuh"
#include "sum_rows.cuh"

namespace d16::kernels {
namespace D16_GPU {

template <class T> int linear(Linear<T> const& a) { return gemm(linear_product(a)); }
template <class T> size_t linear_work_bytes(Linear<T> const& a) { return gemm_work_bytes(linear_product(a)); }

template <class T> int linear_dx(Linear<T> const& a) { return gemm(linear_dx_product(a)); }
template <class T> size_t linear_dx_work_bytes(Linear<T> const& a) { return gemm_work_bytes(linear_dx_product(a)); }

template <class T> int linear_dw(Linear<T> const& a) { return gemm(linear_dw_product(a)); }
template <class T> size_t linear_dw_work_bytes(Linear<T> const& a) { return gemm_work_bytes(linear_dw_product(a)); }

template <class T> int linear_db(Linear<T> const& a) { return dense::sum_rows(a.dy, a.rows, a.O, a.db, a.work); }
template <class T> size_t linear_db_work_bytes(Linear<T> const& a) { return dense::sum_rows_work(a.rows, a.O); }

}  // namespace D16_GPU
}  // namespace d16::kernels
