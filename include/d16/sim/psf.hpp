// What optics do to a point of light: Gaussian and Moffat profiles, and convolution with them.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "../core/tensor.hpp"
#include "../ops/views.hpp"
#include "../vision/image.hpp"
#include "sersic.hpp"

namespace d16::sim {

namespace detail {
/// A round profile on an odd grid, averaged over 5 x 5 points a pixel, with sum 1.
template <class F> Tensor round_psf(char const* op, int64_t size, double fwhm, F const& profile) {
  require<ValueError>(size > 0 && size % 2 == 1 && fwhm > 0, op, ": size is ", size, ", fwhm ", fwhm,
                      "; an odd size and fwhm > 0 are needed");
  Tensor psf = empty({size, size}, vision::host_tensor());
  double centre = double(size / 2), sum = 0;
  auto light = [&](double x, double y) { return profile((x - centre) * (x - centre) + (y - centre) * (y - centre)); };
  std::vector<double> values;
  for (int64_t i = 0; i < size * size; ++i) {
    values.push_back(pixel_mean(light, double(i % size), double(i / size), 5));
    sum += values.back();
  }
  for (int64_t i = 0; i < size * size; ++i) psf.data<float>()[i] = float(values[size_t(i)] / sum);
  return psf;
}
}  // namespace detail

/// exp(-r^2 / 2 sigma^2), sigma = fwhm / 2.3548.     Shapes  (size,size), sum 1; size odd.     Units  pixels.
inline Tensor gaussian_psf(int64_t size, double fwhm) {
  double sigma = fwhm / std::sqrt(8 * std::log(2.0));
  return detail::round_psf("gaussian_psf", size, fwhm, [=](double r2) { return std::exp(-r2 / (2 * sigma * sigma)); });
}

/// (1 + r^2 / alpha^2)^-beta, alpha from the full width at half maximum: a core with wings, as stars have.
/// Shapes  (size,size), sum 1; size odd.     Units  pixels.     Source  Moffat 1969, A&A 3, 455.
inline Tensor moffat_psf(int64_t size, double fwhm, double beta = 3) {
  require<ValueError>(beta > 1, "moffat_psf: beta is ", beta, "; above 1 the light is finite");
  double alpha = fwhm / (2 * std::sqrt(std::exp2(1 / beta) - 1));
  return detail::round_psf("moffat_psf", size, fwhm,
                           [=](double r2) { return std::pow(1 + r2 / (alpha * alpha), -beta); });
}

/// y[i,j,c] = sum over a, b of psf[a,b] x[i - a + A/2, j - b + B/2, c]; outside of the image it is dark.
/// Shapes   x (H,W) or (H,W,C) float32, psf (A,B) float32 with odd sides, y as x.     Units  those of x.
/// Cost     H * W * C * A * B multiplications.          Deterministic  yes.
/// Errors   ShapeError for other ranks or even sides.
inline Tensor convolve(Tensor const& x, Tensor const& psf) {
  vision::Extent e = vision::extent_of("convolve", x.shape());
  require<ShapeError>(x.rank() < 4 && psf.rank() == 2 && psf.dim(0) % 2 == 1 && psf.dim(1) % 2 == 1, "convolve: x is ",
                      x.shape(), ", psf ", psf.shape(), "; (H,W) or (H,W,C) and (A,B) with odd A and B are needed");
  Tensor in = vision::on_host("convolve", x), kernel = vision::on_host("convolve", psf), y = zeros(x.shape(), x.like());
  float const *source = in.data<float>(), *weights = kernel.data<float>();
  float* out = y.data<float>();
  int64_t A = psf.dim(0), B = psf.dim(1);
  parallel_tasks(e.H, [=](int64_t i) {
    for (int64_t a = 0; a < A; ++a) {
      int64_t row = i - a + A / 2;
      if (row < 0 || row >= e.H) continue;
      for (int64_t b = 0; b < B; ++b) {
        int64_t shift = B / 2 - b, first = std::max<int64_t>(0, -shift), last = std::min(e.W, e.W - shift);
        float weight = weights[a * B + b];
        float const* from = source + (row * e.W + shift) * e.C;
        float* to = out + i * e.row();
        for (int64_t k = first * e.C; k < last * e.C; ++k) to[k] += weight * from[k];
      }
    }
  });
  return y;
}

}  // namespace d16::sim
