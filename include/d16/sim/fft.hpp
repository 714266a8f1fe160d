// The two-dimensional Fourier transform of small real images, for convolution with many PSFs.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <utility>
#include <vector>

namespace d16::sim {

namespace detail {

/// Real and imaginary parts of n x n numbers in two planes, so that loops over the second axis are plain vectors.
template <int n> struct Plane {
  std::vector<float> re, im;
  Plane() : re(size_t(n) * n), im(size_t(n) * n) {}
};

/// Transforms along the first axis of the n x n planes, columns 0 .. width-1; a multiple of 16 columns.
/// Radix 2, decimation in time; 16 columns at a time stay in the first cache.
template <int n, bool inverse> void fft_columns(Plane<n>& p, int width) {
  static_assert((n & (n - 1)) == 0, "a power of two");
  static std::array<std::pair<float, float>, n / 2> const turns = [] {
    std::array<std::pair<float, float>, n / 2> out;
    for (int k = 0; k < n / 2; ++k) {
      double angle = -2 * 3.14159265358979323846 * k / n;
      out[size_t(k)] = {float(std::cos(angle)), float(std::sin(angle))};
    }
    return out;
  }();
  constexpr int lanes = 16;
  for (int column = 0; column < width; column += lanes) {
    float *re = p.re.data() + column, *im = p.im.data() + column;
    for (int i = 1, j = 0; i < n; ++i) {  // bit reversal
      int bit = n / 2;
      for (; j & bit; bit /= 2) j ^= bit;
      j ^= bit;
      if (i >= j) continue;
      for (int c = 0; c < lanes; ++c) {
        std::swap(re[i * n + c], re[j * n + c]);
        std::swap(im[i * n + c], im[j * n + c]);
      }
    }
    for (int half = 1; half < n; half *= 2)
      for (int block = 0; block < n; block += 2 * half)
        for (int k = 0; k < half; ++k) {
          auto [c, s] = turns[size_t(k * (n / 2 / half))];
          if (inverse) s = -s;
          float *ar = re + (block + k) * n, *ai = im + (block + k) * n, *br = ar + half * n, *bi = ai + half * n;
          for (int l = 0; l < lanes; ++l) {
            float x = br[l] * c - bi[l] * s, y = br[l] * s + bi[l] * c;
            br[l] = ar[l] - x, bi[l] = ai[l] - y;
            ar[l] += x, ai[l] += y;
          }
        }
  }
}

template <int n> void transpose(Plane<n>& p) {
  for (std::vector<float>* plane : {&p.re, &p.im}) {
    float* x = plane->data();
    for (int ib = 0; ib < n; ib += 8)
      for (int jb = 0; jb <= ib; jb += 8)
        for (int i = ib; i < ib + 8; ++i)
          for (int j = jb; j < (jb < ib ? jb + 8 : i); ++j) std::swap(x[i * n + j], x[j * n + i]);
  }
}

}  // namespace detail

/// One half of the transform of a real n x n image: frequencies u = 0 .. n/2 along x, all v along y; the other half is
/// its conjugate. The element of (u, v) is at u n + v.
template <int n> struct HalfSpectrum {
  static constexpr int width = n / 2 + 1;
  std::vector<float> re, im;
  HalfSpectrum() : re(size_t(width) * n), im(size_t(width) * n) {}
  void clear() {
    std::fill(re.begin(), re.end(), 0.0f);
    std::fill(im.begin(), im.end(), 0.0f);
  }
};

/// The transforms of two real images at once: `p` has one as its real, one as its imaginary part, only in its first
/// `used` columns (a multiple of 16), and is used up.
template <int n> void transform_pair(detail::Plane<n>& p, int used, HalfSpectrum<n>& a, HalfSpectrum<n>& b) {
  detail::fft_columns<n, false>(p, used);
  detail::transpose(p);
  detail::fft_columns<n, false>(p, n);
  for (int u = 0; u <= n / 2; ++u)
    for (int v = 0; v < n; ++v) {
      size_t at = size_t(u * n + v), mirror = size_t((n - u) % n * n + (n - v) % n);
      a.re[at] = (p.re[at] + p.re[mirror]) / 2, a.im[at] = (p.im[at] - p.im[mirror]) / 2;
      b.re[at] = (p.im[at] + p.im[mirror]) / 2, b.im[at] = (p.re[mirror] - p.re[at]) / 2;
    }
}

/// The two real images of two spectra, as real and imaginary part of `p`; only its first `wanted` columns (a multiple
/// of 16) are right.
template <int n>
void inverse_pair(HalfSpectrum<n> const& a, HalfSpectrum<n> const& b, detail::Plane<n>& p, int wanted) {
  constexpr float scale = 1.0f / (float(n) * float(n));
  for (int u = 0; u <= n / 2; ++u)
    for (int v = 0; v < n; ++v) {
      size_t at = size_t(u * n + v), mirror = size_t((n - u) % n * n + (n - v) % n);
      p.re[at] = (a.re[at] - b.im[at]) * scale, p.im[at] = (a.im[at] + b.re[at]) * scale;
      if (u > 0 && u < n / 2) {
        p.re[mirror] = (a.re[at] + b.im[at]) * scale;
        p.im[mirror] = (b.re[at] - a.im[at]) * scale;
      }
    }
  detail::fft_columns<n, true>(p, n);
  detail::transpose(p);
  detail::fft_columns<n, true>(p, wanted);
}

}  // namespace d16::sim
