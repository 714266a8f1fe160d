// Fourier transforms of 16 columns of complex numbers at a time, for lengths 2^a and 3 2^a.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "lanes.hpp"

namespace d16::learn::detail {

/// Transforms y_k = sum_j x_j exp(-2 pi i j k / n), not normalised. Element j of 16 columns is 16 real parts followed by
/// 16 imaginary parts. The inverse, times n, is the same with the two exchanged: `real` is where the real parts lie in
/// an element, 0, or 16 for the inverse.
/// Cost     5 n log2 n per column.   Source  Stockham 1966, radix 4; Swarztrauber 1984, "FFT algorithms for vector
///          computers".
class FourierColumns {
 public:
  static constexpr int64_t columns = 16, element = 2 * columns;

  explicit FourierColumns(int64_t n) : n_(n), turns_(size_t(2 * n)) {
    for (int64_t k = 0; k < n; ++k) {
      double const angle = -6.283185307179586 * double(k) / double(n);
      turns_[size_t(2 * k)] = float(std::cos(angle)), turns_[size_t(2 * k + 1)] = float(std::sin(angle));
    }
  }
  int64_t length() const { return n_; }

  /// Of x in place; scratch is as large, n elements.
  template <int lanes> D16_INLINE void run(float* x, float* scratch, int64_t real) const {
    float *from = x, *to = scratch;
    int64_t n = n_, stride = 1;
    for (; n % 4 == 0; n /= 4, stride *= 4) radix_4<lanes>(from, to, n, stride, real), std::swap(from, to);
    if (n % 2 == 0) radix_2<lanes>(from, to, n, stride, real), std::swap(from, to), n /= 2, stride *= 2;
    if (n == 3) radix_3<lanes>(from, to, n, stride, real), std::swap(from, to);
    if (from != x) std::copy_n(from, n_ * element, x);
  }

 private:
  template <int lanes> struct Complex {
    Vector<float, lanes> re, im;
    D16_INLINE Complex(Vector<float, lanes> const& r, Vector<float, lanes> const& i) : re(r), im(i) {}
    D16_INLINE Complex(float const* p, int64_t real) {
      load<lanes>(p + real, re), load<lanes>(p + (columns - real), im);
    }
    D16_INLINE void put(float* p, int64_t real) const {
      store<lanes>(re, p + real), store<lanes>(im, p + (columns - real));
    }
    D16_INLINE void put_turned(float* p, int64_t real, float c, float s) const {
      store<lanes>(re * c - im * s, p + real), store<lanes>(re * s + im * c, p + (columns - real));
    }
  };
  struct Turn {
    float c, s;
  };
  D16_INLINE Turn turn(int64_t k) const { return {turns_[size_t(2 * k)], turns_[size_t(2 * k + 1)]}; }

  template <int lanes>
  D16_INLINE void radix_4(float const* from, float* to, int64_t n, int64_t stride, int64_t real) const {
    int64_t const m = n / 4, quarter = stride * m * element, step = stride * element;
    for (int64_t p = 0; p < m; ++p) {
      Turn const w1 = turn(p * stride), w2 = turn(2 * p * stride), w3 = turn(3 * p * stride);
      for (int64_t q = 0; q < stride; ++q)
        for (int64_t l = 0; l < columns; l += lanes) {
          float const* x = from + (stride * p + q) * element + l;
          float* y = to + (4 * stride * p + q) * element + l;
          using C = Complex<lanes>;
          C const a(x, real), b(x + quarter, real), c(x + 2 * quarter, real), d(x + 3 * quarter, real);
          C const ac(a.re + c.re, a.im + c.im), a_c(a.re - c.re, a.im - c.im);
          C const bd(b.re + d.re, b.im + d.im), b_d(b.im - d.im, d.re - b.re);  // the difference times -i
          C(ac.re + bd.re, ac.im + bd.im).put(y, real);
          C(a_c.re + b_d.re, a_c.im + b_d.im).put_turned(y + step, real, w1.c, w1.s);
          C(ac.re - bd.re, ac.im - bd.im).put_turned(y + 2 * step, real, w2.c, w2.s);
          C(a_c.re - b_d.re, a_c.im - b_d.im).put_turned(y + 3 * step, real, w3.c, w3.s);
        }
    }
  }
  /// The last but one step: n is 2 or 6.
  template <int lanes>
  D16_INLINE void radix_2(float const* from, float* to, int64_t n, int64_t stride, int64_t real) const {
    int64_t const m = n / 2, half = stride * m * element, step = stride * element;
    for (int64_t p = 0; p < m; ++p)
      for (int64_t q = 0; q < stride; ++q)
        for (int64_t l = 0; l < columns; l += lanes) {
          float const* x = from + (stride * p + q) * element + l;
          float* y = to + (2 * stride * p + q) * element + l;
          Complex<lanes> const a(x, real), b(x + half, real);
          Complex<lanes>(a.re + b.re, a.im + b.im).put(y, real);
          Turn const w = turn(p * stride);
          Complex<lanes>(a.re - b.re, a.im - b.im).put_turned(y + step, real, w.c, w.s);
        }
  }
  /// The last step: n is 3.
  template <int lanes>
  D16_INLINE void radix_3(float const* from, float* to, int64_t, int64_t stride, int64_t real) const {
    int64_t const step = stride * element;
    float const half_root_3 = 0.866025404f;
    for (int64_t q = 0; q < stride; ++q)
      for (int64_t l = 0; l < columns; l += lanes) {
        float const* x = from + q * element + l;
        float* y = to + q * element + l;
        using C = Complex<lanes>;
        C const a(x, real), b(x + step, real), c(x + 2 * step, real);
        C const bc(b.re + c.re, b.im + c.im), middle(a.re - 0.5f * bc.re, a.im - 0.5f * bc.im);
        C const side((b.im - c.im) * half_root_3, (c.re - b.re) * half_root_3);
        C(a.re + bc.re, a.im + bc.im).put(y, real);
        C(middle.re + side.re, middle.im + side.im).put(y + step, real);
        C(middle.re - side.re, middle.im - side.im).put(y + 2 * step, real);
      }
  }

  int64_t n_;
  std::vector<float> turns_;  ///< cos and sin of -2 pi k / n
};

}  // namespace d16::learn::detail
