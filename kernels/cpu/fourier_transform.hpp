// The group Fourier transform on vectors of independent lanes: butterflies for n = 4, 8, 16, matrices for every other n.
#pragma once
#include "gemm_tile.hpp"

namespace d16::kernels::cpu {

namespace detail {

constexpr double pi = 3.14159265358979323846;

/// cos and sin of 2 pi k / n for k < n / 2, at compile time by their Taylor series.
template <int n> struct Twiddles {
  double cosine[n / 2 + 1] = {}, sine[n / 2 + 1] = {};
  constexpr Twiddles() {
    for (int k = 0; k <= n / 2; ++k) {
      double x = 2 * pi * k / n, c = 1, s = x;
      for (int i = 1; i < 16; ++i) {
        c *= -x * x / ((2 * i - 1) * (2 * i));
        s *= -x * x / ((2 * i) * (2 * i + 1));
        cosine[k] += c, sine[k] += s;
      }
      cosine[k] += 1, sine[k] += x;
    }
  }
};

/// The Fourier transform of n real numbers, re[k] + i im[k] = sum over r of x[r step] exp(2 pi i k r / n), k <= n / 2,
/// and its transpose. Even and odd r are transformed by themselves first (Cooley & Tukey 1965).
template <class T, int L, int n> struct RealDft {
  using V = Vector<T, L>;
  static constexpr Twiddles<n> twiddles{};

  static D16_INLINE void forward(V const* x, int step, V* re, V* im) {
    V even_re[n / 4 + 1], even_im[n / 4 + 1], odd_re[n / 4 + 1], odd_im[n / 4 + 1];
    RealDft<T, L, n / 2>::forward(x, 2 * step, even_re, even_im);
    RealDft<T, L, n / 2>::forward(x + step, 2 * step, odd_re, odd_im);
    re[0] = even_re[0] + odd_re[0];
    re[n / 2] = even_re[0] - odd_re[0];
    re[n / 4] = even_re[n / 4];
    im[n / 4] = odd_re[n / 4];
    im[0] = im[n / 2] = V{};
#pragma GCC unroll 8
    for (int k = 1; k < n / 4; ++k) {
      T const c = T(twiddles.cosine[k]), s = T(twiddles.sine[k]);
      V turned_re, turned_im;
      if (8 * k == n) {  // an eighth of a turn: cosine and sine are equal
        turned_re = c * (odd_re[k] - odd_im[k]);
        turned_im = c * (odd_re[k] + odd_im[k]);
      } else {
        turned_re = c * odd_re[k] - s * odd_im[k];
        turned_im = s * odd_re[k] + c * odd_im[k];
      }
      re[k] = even_re[k] + turned_re;
      im[k] = even_im[k] + turned_im;
      re[n / 2 - k] = even_re[k] - turned_re;
      im[n / 2 - k] = turned_im - even_im[k];
    }
  }

  /// x[r step] = sum over k <= n / 2 of re[k] cos(2 pi k r / n) + im[k] sin(2 pi k r / n).
  static D16_INLINE void transpose(V const* re, V const* im, V* x, int step) {
    V even_re[n / 4 + 1], even_im[n / 4 + 1], odd_re[n / 4 + 1], odd_im[n / 4 + 1];
    even_re[0] = re[0] + re[n / 2];
    odd_re[0] = re[0] - re[n / 2];
    even_re[n / 4] = re[n / 4];
    odd_re[n / 4] = im[n / 4];
    even_im[0] = odd_im[0] = even_im[n / 4] = odd_im[n / 4] = V{};
#pragma GCC unroll 8
    for (int k = 1; k < n / 4; ++k) {
      T const c = T(twiddles.cosine[k]), s = T(twiddles.sine[k]);
      V const difference = re[k] - re[n / 2 - k], total = im[k] + im[n / 2 - k];
      even_re[k] = re[k] + re[n / 2 - k];
      even_im[k] = im[k] - im[n / 2 - k];
      if (8 * k == n) {
        odd_re[k] = c * (difference + total);
        odd_im[k] = c * (total - difference);
      } else {
        odd_re[k] = c * difference + s * total;
        odd_im[k] = c * total - s * difference;
      }
    }
    RealDft<T, L, n / 2>::transpose(even_re, even_im, x, 2 * step);
    RealDft<T, L, n / 2>::transpose(odd_re, odd_im, x + step, 2 * step);
  }
};

template <class T, int L> struct RealDft<T, L, 2> {
  using V = Vector<T, L>;
  static D16_INLINE void forward(V const* x, int step, V* re, V* im) {
    re[0] = x[0] + x[step];
    re[1] = x[0] - x[step];
    im[0] = im[1] = V{};
  }
  static D16_INLINE void transpose(V const* re, V const*, V* x, int step) {
    x[0] = re[0] + re[1];
    x[step] = re[0] - re[1];
  }
};

/// The transform of one field: `order` values in, as many real coefficients out, and its transpose. The numbering of
/// coefficients is that of FourierTables.
///   n > 0   butterflies
///   n == 0  the matrix (order, order) that is given, for any group
template <class T, int L, int n, bool mirrored> struct GroupTransform {
  using V = Vector<T, L>;
  static constexpr int half = n / 2;

  static D16_INLINE void forward(T const*, int, V const* x, V* f) {
    V a_re[half + 1], a_im[half + 1];
    RealDft<T, L, n>::forward(x, 1, a_re, a_im);
    if constexpr (mirrored) {
      V b_re[half + 1], b_im[half + 1];
      RealDft<T, L, n>::forward(x + n, 1, b_re, b_im);
      f[0] = a_re[0] + b_re[0];
      f[1] = a_re[0] - b_re[0];
      f[2] = a_re[half] + b_re[half];
      f[3] = a_re[half] - b_re[half];
#pragma GCC unroll 8
      for (int k = 1; k < half; ++k) {
        f[4 * k] = a_re[k] + b_re[k];
        f[4 * k + 1] = b_im[k] - a_im[k];
        f[4 * k + 2] = a_im[k] + b_im[k];
        f[4 * k + 3] = a_re[k] - b_re[k];
      }
    } else {
      f[0] = a_re[0];
      f[1] = a_re[half];
#pragma GCC unroll 8
      for (int k = 1; k < half; ++k) {
        f[2 * k] = a_re[k];
        f[2 * k + 1] = a_im[k];
      }
    }
  }

  static D16_INLINE void transpose(T const*, int, V const* f, V* x) {
    V a_re[half + 1], a_im[half + 1];
    a_im[0] = a_im[half] = V{};
    if constexpr (mirrored) {
      V b_re[half + 1], b_im[half + 1];
      b_im[0] = b_im[half] = V{};
      a_re[0] = f[0] + f[1];
      b_re[0] = f[0] - f[1];
      a_re[half] = f[2] + f[3];
      b_re[half] = f[2] - f[3];
#pragma GCC unroll 8
      for (int k = 1; k < half; ++k) {
        a_re[k] = f[4 * k] + f[4 * k + 3];
        b_re[k] = f[4 * k] - f[4 * k + 3];
        a_im[k] = f[4 * k + 2] - f[4 * k + 1];
        b_im[k] = f[4 * k + 1] + f[4 * k + 2];
      }
      RealDft<T, L, n>::transpose(b_re, b_im, x + n, 1);
    } else {
      a_re[0] = f[0];
      a_re[half] = f[1];
#pragma GCC unroll 8
      for (int k = 1; k < half; ++k) {
        a_re[k] = f[2 * k];
        a_im[k] = f[2 * k + 1];
      }
    }
    RealDft<T, L, n>::transpose(a_re, a_im, x, 1);
  }
};

template <class T, int L, bool mirrored> struct GroupTransform<T, L, 0, mirrored> {
  using V = Vector<T, L>;
  static D16_INLINE void forward(T const* matrix, int order, V const* x, V* f) {
    for (int q = 0; q < order; ++q) {
      V sum{};
      for (int h = 0; h < order; ++h) sum += matrix[q * order + h] * x[h];
      f[q] = sum;
    }
  }
  static D16_INLINE void transpose(T const* matrix, int order, V const* f, V* x) {
    for (int h = 0; h < order; ++h) {
      V sum{};
      for (int q = 0; q < order; ++q) sum += matrix[q * order + h] * f[q];
      x[h] = sum;
    }
  }
};

/// Rows become columns: L vectors of L lanes. First 4 x 4 squares inside quarters of a vector, then the quarters.
template <class T, int L> D16_INLINE void transpose(Vector<T, L>* r) {
  using V = Vector<T, L>;
  if constexpr (L == 2) {
    V const a = r[0], b = r[1];
    r[0] = __builtin_shufflevector(a, b, 0, 2);
    r[1] = __builtin_shufflevector(a, b, 1, 3);
  } else if constexpr (L == 4) {
    V t[4];
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i) {
      t[2 * i] = __builtin_shufflevector(r[2 * i], r[2 * i + 1], 0, 4, 1, 5);
      t[2 * i + 1] = __builtin_shufflevector(r[2 * i], r[2 * i + 1], 2, 6, 3, 7);
    }
#pragma GCC unroll 2
    for (int j = 0; j < 2; ++j) {
      r[2 * j] = __builtin_shufflevector(t[j], t[2 + j], 0, 1, 4, 5);
      r[2 * j + 1] = __builtin_shufflevector(t[j], t[2 + j], 2, 3, 6, 7);
    }
  } else if constexpr (L == 8) {
    V t[8];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      t[2 * i] = __builtin_shufflevector(r[2 * i], r[2 * i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
      t[2 * i + 1] = __builtin_shufflevector(r[2 * i], r[2 * i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
    }
    V s[8];
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i)
#pragma GCC unroll 2
      for (int j = 0; j < 2; ++j) {
        s[4 * i + 2 * j] = __builtin_shufflevector(t[4 * i + j], t[4 * i + 2 + j], 0, 1, 8, 9, 4, 5, 12, 13);
        s[4 * i + 2 * j + 1] = __builtin_shufflevector(t[4 * i + j], t[4 * i + 2 + j], 2, 3, 10, 11, 6, 7, 14, 15);
      }
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      r[j] = __builtin_shufflevector(s[j], s[4 + j], 0, 1, 2, 3, 8, 9, 10, 11);
      r[4 + j] = __builtin_shufflevector(s[j], s[4 + j], 4, 5, 6, 7, 12, 13, 14, 15);
    }
  } else {
    static_assert(L == 16);
    V t[16];
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      V const a = r[2 * i], b = r[2 * i + 1];
      t[2 * i] = __builtin_shufflevector(a, b, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29);
      t[2 * i + 1] = __builtin_shufflevector(a, b, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i)
#pragma GCC unroll 2
      for (int j = 0; j < 2; ++j) {
        V const a = t[4 * i + j], b = t[4 * i + 2 + j];
        r[4 * i + 2 * j] = __builtin_shufflevector(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
        r[4 * i + 2 * j + 1] =
            __builtin_shufflevector(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
      }
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i)
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) {
        V const a = r[8 * i + j], b = r[8 * i + 4 + j];
        t[8 * i + j] = __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
        t[8 * i + 4 + j] = __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
      }
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      V const a = t[j], b = t[8 + j], c = t[4 + j], d = t[12 + j];
      r[j] = __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
      r[8 + j] = __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
      r[4 + j] = __builtin_shufflevector(c, d, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
      r[12 + j] = __builtin_shufflevector(c, d, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
    }
  }
}

}  // namespace detail
}  // namespace d16::kernels::cpu
