// The asinh stretch by the mathematics of the standard library, threads over pieces.
#pragma once
#include <d16/core/parallel.hpp>

#include "../stretch.hpp"

namespace d16::kernels::cpu {

template <class T> int stretch(Stretch<T> const& a) {
  parallel_for(a.n, [&](int64_t i) { a.y[i] = T(stretched(a.op, a.bands[i % a.C], double(a.x[i]))); });
  return ok;
}

template <class T> int stretch_dx(Stretch<T> const& a) {
  if (a.op != StretchOp::asinh) return unsupported;
  parallel_for(a.n, [&](int64_t i) {
    StretchBand const& band = a.bands[i % a.C];
    a.dx[i] = T(double(a.dy[i]) / (band.range * std::hypot(band.s, double(a.x[i]) - band.sky)));
  });
  return ok;
}

}  // namespace d16::kernels::cpu
