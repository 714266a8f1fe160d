// Contract of the fully connected layer.
#pragma once
#include "gemm.hpp"

namespace d16::kernels {

/// x and dx are (rows, I); w and dw (O, I); y and dy (rows, O); bias and db (O).
/// linear     reads x, w, bias (may be null); writes y = x w^T + bias.
/// linear_dx  reads dy, w; writes dx = dy w.
/// linear_dw  reads dy, x; writes dw = dy^T x.
/// linear_db  reads dy; writes db = the sum of its rows.
/// For T = bf16 weights and bias, and their gradients, are float32; sums are float32, each result is rounded once.
template <class T> struct Linear {
  int rows = 1, I = 1, O = 1;
  T const *x{}, *dy{};
  Wide<T> const *w{}, *bias{};
  T *y{}, *dx{};
  Wide<T>*dw{}, *db{};
  void* work{};
  Precision precision{};  ///< as of Gemm
};

/// The products that the layer and its gradients are.
template <class T> constexpr Gemm<T, Wide<T>> linear_product(Linear<T> const& a) {
  return {.M = a.rows,
          .N = a.O,
          .K = a.I,
          .trans_b = true,
          .a = a.x,
          .b = a.w,
          .bias = a.bias,
          .c = a.y,
          .work = a.work,
          .precision = a.precision};
}
template <class T> constexpr Gemm<T, Wide<T>> linear_dx_product(Linear<T> const& a) {
  return {.M = a.rows, .N = a.I, .K = a.O, .a = a.dy, .b = a.w, .c = a.dx, .work = a.work, .precision = a.precision};
}
template <class T> constexpr Gemm<T, T, Wide<T>> linear_dw_product(Linear<T> const& a) {
  return {.M = a.O,
          .N = a.I,
          .K = a.rows,
          .trans_a = true,
          .a = a.dy,
          .b = a.x,
          .c = a.dw,
          .work = a.work,
          .precision = a.precision};
}

}  // namespace d16::kernels
