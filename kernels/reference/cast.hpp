// Conversion between element types through double: the specification.
#pragma once
#include <cmath>
#include <limits>

#include "../cast.hpp"

namespace d16::kernels::reference {

/// A double as a T: rounded to a floating type; to an integer towards zero, saturating, NaN to 0.
template <class T> T converted(double value) {
  if constexpr (std::is_same_v<T, bool>) return value != 0;
  else if constexpr (std::is_integral_v<T>) {
    constexpr double low = double(std::numeric_limits<T>::min()), high = double(std::numeric_limits<T>::max());
    if (std::isnan(value)) return 0;
    return value <= low ? std::numeric_limits<T>::min() : value >= high ? std::numeric_limits<T>::max() : T(value);
  } else if constexpr (std::is_same_v<T, bf16>) return bf16(float(value));
  else return T(value);
}

inline int cast(Cast const& a) {
  for_dtype(a.from, [&]<class From>(From) {
    for_dtype(a.to, [&]<class To>(To) {
      for (int64_t i = 0; i < a.n; ++i) {
        From x = static_cast<From const*>(a.x)[i];
        static_cast<To*>(a.y)[i] = converted<To>(double(x));
      }
    });
  });
  return ok;
}

}  // namespace d16::kernels::reference
