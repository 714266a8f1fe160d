// The group Fourier transform in the registers of one thread: butterflies for C_n and D_n, n = 4, 8, 16.
#pragma once
#include <utility>

#include "gpu.hpp"

namespace d16::kernels {
namespace D16_GPU {
namespace fourier {

/// A number that is known at compile time, on the device too.
template <int i> struct Index {
  static constexpr int value = i;
  __host__ __device__ constexpr operator int() const { return i; }
};
/// f(0), f(1) .. f(count - 1) with constants as arguments, so that arrays indexed by them stay in registers.
template <class F, int... i> __device__ __forceinline__ void unrolled(F const& f, std::integer_sequence<int, i...>) {
  (f(Index<i>()), ...);
}
template <int count, class F> __device__ __forceinline__ void unrolled(F const& f) {
  unrolled(f, std::make_integer_sequence<int, count>());
}

/// cos(2 pi k / n) for k <= n / 4, at compile time by its Taylor series.
__host__ __device__ constexpr double cosine(int k, int n) {
  double const x = 2 * 3.14159265358979323846 * k / n;
  double term = 1, sum = 1;
  for (int i = 1; i < 16; ++i) sum += term *= -x * x / ((2 * i - 1) * (2 * i));
  return sum;
}

/// The Fourier transform of n real numbers, re[k] + i im[k] = sum over r of x[r step] exp(2 pi i k r / n), k <= n / 2,
/// and its transpose. Even and odd r are transformed by themselves first (Cooley & Tukey 1965).
template <int n> struct RealDft {
  static constexpr int half = n / 2, quarter = n / 4;
  using Half = RealDft<half>;

  static __device__ __forceinline__ void forward(float const* x, int step, float* re, float* im) {
    float even_re[quarter + 1], even_im[quarter + 1], odd_re[quarter + 1], odd_im[quarter + 1];
    Half::forward(x, 2 * step, even_re, even_im);
    Half::forward(x + step, 2 * step, odd_re, odd_im);
    re[0] = even_re[0] + odd_re[0], im[0] = 0;
    re[half] = even_re[0] - odd_re[0], im[half] = 0;
    re[quarter] = even_re[quarter], im[quarter] = odd_re[quarter];
    unrolled<(quarter > 1 ? quarter - 1 : 0)>([&](auto i) {
      constexpr int k = decltype(i)::value + 1;
      constexpr float c = float(cosine(k, n)), s = float(cosine(quarter - k, n));
      float const turned_re = c * odd_re[k] - s * odd_im[k], turned_im = s * odd_re[k] + c * odd_im[k];
      re[k] = even_re[k] + turned_re, im[k] = even_im[k] + turned_im;
      re[half - k] = even_re[k] - turned_re, im[half - k] = turned_im - even_im[k];
    });
  }

  /// x[r step] = sum over k <= n / 2 of re[k] cos(2 pi k r / n) + im[k] sin(2 pi k r / n).
  static __device__ __forceinline__ void transpose(float const* re, float const* im, float* x, int step) {
    float even_re[quarter + 1], even_im[quarter + 1], odd_re[quarter + 1], odd_im[quarter + 1];
    even_re[0] = re[0] + re[half], odd_re[0] = re[0] - re[half];
    even_re[quarter] = re[quarter], odd_re[quarter] = im[quarter];
    even_im[0] = odd_im[0] = even_im[quarter] = odd_im[quarter] = 0;
    unrolled<(quarter > 1 ? quarter - 1 : 0)>([&](auto i) {
      constexpr int k = decltype(i)::value + 1;
      constexpr float c = float(cosine(k, n)), s = float(cosine(quarter - k, n));
      float const difference = re[k] - re[half - k], total = im[k] + im[half - k];
      even_re[k] = re[k] + re[half - k], even_im[k] = im[k] - im[half - k];
      odd_re[k] = c * difference + s * total, odd_im[k] = c * total - s * difference;
    });
    Half::transpose(even_re, even_im, x, 2 * step);
    Half::transpose(odd_re, odd_im, x + step, 2 * step);
  }
};
template <> struct RealDft<2> {
  static __device__ __forceinline__ void forward(float const* x, int step, float* re, float* im) {
    re[0] = x[0] + x[step], re[1] = x[0] - x[step], im[0] = im[1] = 0;
  }
  static __device__ __forceinline__ void transpose(float const* re, float const*, float* x, int step) {
    x[0] = re[0] + re[1], x[step] = re[0] - re[1];
  }
};

/// C_n or D_n: from the values of one field to as many coefficients, in the order of irreps(), and the transpose.
template <int n_, bool mirrored_> struct GroupTransform {
  static constexpr int n = n_, half = n / 2, order = mirrored_ ? 2 * n : n;
  static constexpr bool mirrored = mirrored_;

  static __device__ __forceinline__ void forward(float const (&x)[order], float (&f)[order]) {
    float a_re[half + 1], a_im[half + 1];
    RealDft<n>::forward(x, 1, a_re, a_im);
    if constexpr (mirrored) {
      float b_re[half + 1], b_im[half + 1];
      RealDft<n>::forward(x + n, 1, b_re, b_im);
      f[0] = a_re[0] + b_re[0], f[1] = a_re[0] - b_re[0];
      f[2] = a_re[half] + b_re[half], f[3] = a_re[half] - b_re[half];
      unrolled<half - 1>([&](auto i) {
        constexpr int k = decltype(i)::value + 1;
        f[4 * k] = a_re[k] + b_re[k], f[4 * k + 1] = b_im[k] - a_im[k];
        f[4 * k + 2] = a_im[k] + b_im[k], f[4 * k + 3] = a_re[k] - b_re[k];
      });
    } else {
      f[0] = a_re[0], f[1] = a_re[half];
      unrolled<half - 1>([&](auto i) {
        constexpr int k = decltype(i)::value + 1;
        f[2 * k] = a_re[k], f[2 * k + 1] = a_im[k];
      });
    }
  }

  static __device__ __forceinline__ void transpose(float const (&f)[order], float (&x)[order]) {
    float a_re[half + 1], a_im[half + 1];
    a_im[0] = a_im[half] = 0;
    if constexpr (mirrored) {
      float b_re[half + 1], b_im[half + 1];
      b_im[0] = b_im[half] = 0;
      a_re[0] = f[0] + f[1], b_re[0] = f[0] - f[1];
      a_re[half] = f[2] + f[3], b_re[half] = f[2] - f[3];
      unrolled<half - 1>([&](auto i) {
        constexpr int k = decltype(i)::value + 1;
        a_re[k] = f[4 * k] + f[4 * k + 3], b_re[k] = f[4 * k] - f[4 * k + 3];
        a_im[k] = f[4 * k + 2] - f[4 * k + 1], b_im[k] = f[4 * k + 1] + f[4 * k + 2];
      });
      RealDft<n>::transpose(b_re, b_im, x + n, 1);
    } else {
      a_re[0] = f[0], a_re[half] = f[1];
      unrolled<half - 1>([&](auto i) {
        constexpr int k = decltype(i)::value + 1;
        a_re[k] = f[2 * k], a_im[k] = f[2 * k + 1];
      });
    }
    RealDft<n>::transpose(a_re, a_im, x, 1);
  }
};

}  // namespace fourier
}  // namespace D16_GPU
}  // namespace d16::kernels
