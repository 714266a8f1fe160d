// exp, log and their relatives for float without branches, tables or library calls, so that a loop over them becomes
// SIMD code in any instruction set. Worst errors in units in the last place, measured over all magnitudes by
// math_test.cpp: exp, log, expm1 1.1, the others 2.3. The double versions are those of the standard library.
// Each series below is the function's Taylor series, cut where the rest is under a tenth of a float's precision.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

#include "isa.hpp"

namespace d16::kernels::cpu::math {

namespace detail {

D16_INLINE float from_bits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
D16_INLINE uint32_t to_bits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}
/// 2^k for -126 <= k <= 127.
D16_INLINE float power_of_two(int32_t k) { return from_bits(uint32_t(k + 127) << 23); }

/// x = k ln 2 + r with |r| <= ln 2 / 2, and (e^r - 1) of it. |x| < 1000.
struct Reduced {
  int32_t k;
  float expm1_r;
};
D16_INLINE Reduced reduce(float x) {
  constexpr float magic = 12582912;  // 1.5 2^23: adding it rounds to an integer, which is left in the low bits
  constexpr float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;  // k ln2_high is exact: 9 bits each
  float shifted = x * 1.44269504f + magic, k = shifted - magic;
  float r = (x - k * ln2_high) - k * ln2_low;
  float p = 1.f / 5040;
  p = p * r + 1.f / 720;
  p = p * r + 1.f / 120;
  p = p * r + 1.f / 24;
  p = p * r + 1.f / 6;
  p = p * r + 0.5f;
  return {int32_t(to_bits(shifted) - to_bits(magic)), p * (r * r) + r};
}

/// log(1 + f) + k ln 2 for sqrt(1/2) - 1 <= f <= sqrt(2) - 1: with s = f / (2 + f), log(1 + f) = 2 atanh(s)
/// = f - s (f - R), R = 2 s^2 / 3 + 2 s^4 / 5 + ...
D16_INLINE float log1p_reduced(float f, float k) {
  constexpr float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
  float s = f / (2 + f), z = s * s;
  float R = 2.f / 11;
  R = R * z + 2.f / 9;
  R = R * z + 2.f / 7;
  R = R * z + 2.f / 5;
  R = R * z + 2.f / 3;
  return k * ln2_high + (f - (s * (f - R * z) - k * ln2_low));
}

}  // namespace detail

/// condition ? a : b, in a form that the compiler does not turn into a branch: a branch ends vectorisation.
D16_INLINE float select(bool condition, float a, float b) {
  uint32_t const mask = 0u - uint32_t(condition);
  return detail::from_bits((detail::to_bits(a) & mask) | (detail::to_bits(b) & ~mask));
}
D16_INLINE double select(bool condition, double a, double b) { return condition ? a : b; }

/// The larger of two; NaN if one is.
template <class T> D16_INLINE T larger(T a, T b) { return ((a > b) | (a != a)) ? a : b; }

/// e^x: 0 from -104 down, infinity from 88.73 up, subnormal results right, NaN stays NaN.
D16_INLINE float exp(float x) {
  x = select(x < -104.f, -104.f, x);
  x = select(x > 89.f, 89.f, x);
  detail::Reduced const e = detail::reduce(x);
  int32_t const half = e.k >> 1;  // two factors, since 2^k alone may be subnormal or beyond the range
  return (1 + e.expm1_r) * detail::power_of_two(half) * detail::power_of_two(e.k - half);
}
D16_INLINE double exp(double x) { return std::exp(x); }

/// e^x - 1 for x <= 80, right to the last bits near 0.
D16_INLINE float expm1(float x) {
  x = select(x < -40.f, -40.f, x);
  detail::Reduced const e = detail::reduce(x);
  float const scale = detail::power_of_two(e.k);
  return scale * e.expm1_r + (scale - 1);
}
D16_INLINE double expm1(double x) { return std::expm1(x); }

/// log x: -infinity at 0, NaN below, infinity at infinity.
D16_INLINE float log(float x) {
  constexpr uint32_t root_half = 0x3f3504f3;  // the bits of sqrt(1/2)
  bool const subnormal = x < 1.17549435e-38f;
  float const scaled = select(subnormal, x * 8388608.f, x);  // times 2^23
  uint32_t const bits = detail::to_bits(scaled) - root_half;
  float const k = float(int32_t(bits) >> 23) - select(subnormal, 23.f, 0.f);
  float const m = detail::from_bits((bits & 0x007fffff) + root_half);
  float y = detail::log1p_reduced(m - 1, k);
  y = select(x < INFINITY, y, x);  // infinity and NaN
  y = select(x == 0, -INFINITY, y);
  return select(x < 0, NAN, y);
}
D16_INLINE double log(double x) { return std::log(x); }

/// log x, but not below -100: the logarithm of binary cross-entropy.
template <class T> D16_INLINE T log_above(T x) { return larger(log(x), T(-100)); }

/// log(1 + t) for 0 <= t <= 1.
D16_INLINE float log1p_unit(float t) {
  bool const upper = t > 0.41421356f;
  return detail::log1p_reduced(select(upper, (t - 1) * 0.5f, t), select(upper, 1.f, 0.f));
}
D16_INLINE double log1p_unit(double t) { return std::log1p(t); }

/// 1 / (1 + e^-x), from the side that does not overflow.
template <class T> D16_INLINE T sigmoid(T x) {
  T const e = exp(-std::fabs(x));
  return select(x < 0, e, T(1)) / (1 + e);
}

/// The derivative of silu(x) = x sigmoid(x).
template <class T> D16_INLINE T silu_slope(T x) {
  T const p = sigmoid(x);
  return p * (1 + x * (1 - p));
}

/// log(1 + e^x).
template <class T> D16_INLINE T softplus(T x) { return select(x < 0, T(0), x) + log1p_unit(exp(-std::fabs(x))); }

D16_INLINE float tanh(float x) {
  float const size = std::fabs(x);
  float const e = expm1(2 * select(size > 10, 10.f, size));  // beyond 10, tanh is 1 to the last bit
  return std::copysign(e / (e + 2), x);
}
D16_INLINE double tanh(double x) { return std::tanh(x); }

/// sqrt(v) for 1 <= v < 1e17 by Newton's iteration for 1 / sqrt(v): the library's sqrt may set errno, which the
/// compiler does not vectorise.
D16_INLINE float root(float v) {
  float y = detail::from_bits(0x5f3759dfu - (detail::to_bits(v) >> 1));  // within 4 %; each step squares the error
  y = y * (1.5f - 0.5f * v * y * y);
  y = y * (1.5f - 0.5f * v * y * y);
  y = y * (1.5f - 0.5f * v * y * y);
  float const s = v * y;
  return s + 0.5f * y * (v - s * s);
}

/// sign(x) log(|x| + sqrt(x^2 + 1)), written as log(1 + t) so that it is right near 0.
D16_INLINE float asinh(float x) {
  float const size = std::fabs(x);
  bool const large = size > 1e8f;  // log(2 |x|); the square could overflow
  float const bounded = select(large, 1.f, size), square = bounded * bounded;
  float const t = bounded + square / (1 + root(1 + square)), u = 1 + t;
  float const y = log(select(large, size, u)) + select(large, 0.693147181f, (t - (u - 1)) / u);
  return std::copysign(y, x);
}
D16_INLINE double asinh(double x) { return std::asinh(x); }

/// The derivative of asinh: 1 / sqrt(1 + x^2).
D16_INLINE float asinh_slope(float x) {
  float const size = std::fabs(x);
  bool const large = size > 1e8f;  // 1 / |x|
  float const bounded = select(large, 1.f, size);
  return 1 / select(large, size, root(1 + bounded * bounded));
}
D16_INLINE double asinh_slope(double x) { return 1 / std::sqrt(1 + x * x); }

}  // namespace d16::kernels::cpu::math
