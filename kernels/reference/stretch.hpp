// The asinh stretch in double precision: the specification.
#pragma once
#include "../stretch.hpp"

namespace d16::kernels::reference {

template <class T> int stretch(Stretch<T> const& a) {
  for (int64_t i = 0; i < a.n; ++i) a.y[i] = T(stretched(a.op, a.bands[i % a.C], double(a.x[i])));
  return ok;
}

template <class T> int stretch_dx(Stretch<T> const& a) {
  if (a.op != StretchOp::asinh) return unsupported;
  for (int64_t i = 0; i < a.n; ++i) {
    StretchBand const& band = a.bands[i % a.C];
    a.dx[i] = T(double(a.dy[i]) / (band.range * std::hypot(band.s, double(a.x[i]) - band.sky)));
  }
  return ok;
}

}  // namespace d16::kernels::reference
