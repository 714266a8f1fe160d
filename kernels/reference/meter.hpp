// A meter: the specification, and all that the cpu needs.
#pragma once
#include <cmath>

#include "../meter.hpp"

namespace d16::kernels::reference {

template <class T> int meter(Meter<T> const& a) {
  MeterState& s = *a.state;
  double const value = double(a.value[0]);
  if (std::isfinite(value)) {
    s.sum += value, s.count += 1;
    return ok;
  }
  s.bad += 1;
  if (s.bad == 1) s.first_bad = s.count + 1, s.first_value = value;
  return ok;
}

}  // namespace d16::kernels::reference
