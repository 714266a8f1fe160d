// Dropout: the specification.
#pragma once
#include "../dropout.hpp"

namespace d16::kernels::reference {

template <class T> int dropout(Dropout<T> const& a) {
  uint64_t const stream = a.stream + (a.offset ? *a.offset : 0);
  for (int64_t i = 0; i < a.n; ++i) {
    bool kept = unit_interval(philox(a.seed, uint64_t(i / 4), stream)[size_t(i % 4)]) >= a.p;
    a.y[i] = kept ? T(a.x[i] / (1 - a.p)) : T(0);
  }
  return ok;
}

}  // namespace d16::kernels::reference
