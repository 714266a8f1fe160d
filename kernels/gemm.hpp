// Contract of the matrix product.
#pragma once
#include <cstdint>

#include "precision.hpp"
#include "view.hpp"

namespace d16::kernels {

/// gemm  c = op(a) op(b) [+ bias] [+ c before], with op(a) (M,K), op(b) (K,N) and c (M,N), all row-major.
/// A row of a has lda elements in memory (0: as many as it needs): K of them count, or M when a is transposed.
/// bias is (N) and added to every row; with accumulate the product is added to what c holds, and bias must be null.
/// A, B, C are the types of the matrices. They differ only where weights in float32 meet bf16, which is A then: the weights
/// are rounded to bf16, sums are float32.
template <class A, class B = A, class C = A> struct Gemm {
  int M = 1, N = 1, K = 1;
  bool trans_a = false, trans_b = false;  ///< a is stored (K,M); b is stored (N,K)
  int lda = 0, ldb = 0, ldc = 0;
  A const* a{};
  B const* b{};
  Wide<C> const* bias{};
  C* c{};
  bool accumulate = false;
  void* work{};
  Precision precision{};  ///< of float32 matrices; without units for it: float32

  constexpr int64_t row_of_a() const { return lda ? lda : trans_a ? M : K; }
  constexpr int64_t row_of_b() const { return ldb ? ldb : trans_b ? K : N; }
  constexpr int64_t row_of_c() const { return ldc ? ldc : N; }
};

}  // namespace d16::kernels
