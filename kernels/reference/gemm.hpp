// The matrix product as three loops.
#pragma once
#include "../gemm.hpp"

namespace d16::kernels::reference {

template <class T> int gemm(Gemm<T> const& a) {
  for (int m : upto(a.M)) for (int n : upto(a.N)) {
    double sum = a.bias ? double(a.bias[n]) : 0;
    if (a.accumulate) sum += a.c[m * a.row_of_c() + n];
    for (int k : upto(a.K))
      sum += double(a.trans_a ? a.a[k * a.row_of_a() + m] : a.a[m * a.row_of_a() + k]) *
             double(a.trans_b ? a.b[n * a.row_of_b() + k] : a.b[k * a.row_of_b() + n]);
    a.c[m * a.row_of_c() + n] = T(sum);
  }
  return ok;
}

}  // namespace d16::kernels::reference
