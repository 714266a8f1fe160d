// Artificial redshifting: what a telescope would see of a galaxy if it were further away. From linear images only.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <cstdint>
#include <numbers>
#include <vector>

#include "../core/random.hpp"
#include "../core/tensor.hpp"
#include "../vision/image.hpp"
#include "../vision/statistics.hpp"
#include "cosmology.hpp"
#include "drizzle_noise.hpp"

namespace d16::sim {

struct RedshiftOptions {
  double z_in = 0, z_out = 0;
  double pixel_in = 0, pixel_out = 0;  ///< arcsec
  Tensor psf_in = {}, psf_out = {};    ///< (A,B), centred, any sum; they hold what a pixel does to the light
  double psf_pixel_out = 0;  ///< arcsec of a pixel of psf_out; 0: pixel_out. Those of psf_in are as the image's
  int64_t size =
      0;  ///< side of the result, pixels; 0: all of the input. Odd or even as its sides are, if there is none
  bool per_area = false;  ///< the image is a surface brightness (MJy/sr); false: flux per pixel (nJy, counts)
  /// Surface brightness falls as (1 + z)^-dimming: 4 for a bolometric one, 3 for flux per frequency and 5 for flux per
  /// wavelength seen at the same wavelength of the galaxy.
  double dimming = 4;
  double luminosity_evolution = 0;  ///< magnitudes that galaxies are brighter for each unit of z
  double size_evolution =
      0;                   ///< radii as (1 + z)^-size_evolution; 1.0 to 1.3 are published for fixed mass and luminosity
  double sigma = 0;        ///< noise of a pixel of the target field, in units of the result; 0: none is added
  double correlation = 0;  ///< of neighbouring pixels' noise, see DrizzleNoise
  double wavelength_in = 0;      ///< micrometres, of the input's band; 0: unknown
  double regularisation = 1e-3;  ///< transfer at frequencies where psf_in passes less than this is damped
  Cosmology cosmology = {};
};

/// The result and what was done.
struct Redshifted {
  Tensor image;          ///< (H,W) float32
  double angular = 1;    ///< sizes on the sky: out / in
  double flux = 1;       ///< total flux: out / in
  double gain = 1;       ///< largest factor of the PSF transfer before it was held at 1
  double own_sigma = 0;  ///< noise of the input that is left, from the border of the result
  double rest_wavelength = 0,
         wavelength_out = 0;  ///< micrometres; the image is of the band at wavelength_out; 0: unknown
  int64_t filled = 0;         ///< pixels that were not finite and became 0
};

namespace detail {

/// A complex matrix: Fourier transforms of any size, forward, back and in between, are products of them.
struct ComplexMatrix {
  int64_t rows = 0, columns = 0;
  std::vector<std::complex<double>> v;
  ComplexMatrix(int64_t r, int64_t c) : rows(r), columns(c), v(size_t(r * c)) {}
  std::complex<double>& at(int64_t i, int64_t j) { return v[size_t(i * columns + j)]; }
  std::complex<double> const& at(int64_t i, int64_t j) const { return v[size_t(i * columns + j)]; }
};

inline ComplexMatrix operator*(ComplexMatrix const& a, ComplexMatrix const& b) {
  ComplexMatrix out(a.rows, b.columns);
  parallel_tasks(a.rows, [&](int64_t i) {
    std::complex<double>* to = &out.at(i, 0);
    for (int64_t k = 0; k < a.columns; ++k) {
      double re = a.at(i, k).real(), im = a.at(i, k).imag();
      std::complex<double> const* from = &b.at(k, 0);
      for (int64_t j = 0; j < b.columns; ++j)  // without the checks for infinity of operator*
        to[j] +=
            std::complex<double>(re * from[j].real() - im * from[j].imag(), re * from[j].imag() + im * from[j].real());
    }
  });
  return out;
}

inline ComplexMatrix transposed(ComplexMatrix const& a) {
  ComplexMatrix out(a.columns, a.rows);
  for (int64_t i = 0; i < a.rows; ++i)
    for (int64_t j = 0; j < a.columns; ++j) out.at(j, i) = a.at(i, j);
  return out;
}

inline ComplexMatrix complex_of(Tensor const& image) {
  Tensor in = vision::on_host("redshift", image).cast(DType::f64).contiguous();
  ComplexMatrix out(in.dim(0), in.dim(1));
  for (int64_t k = 0; k < in.numel(); ++k) out.v[size_t(k)] = in.data<double>()[k];
  return out;
}

/// Frequency k of n in cycles for each pixel: 0 1 2 ... -2 -1.
inline double frequency(int64_t k, int64_t n) { return double(2 * k < n ? k : k - n) / double(n); }

/// exp(sign 2 pi i f_k x) for the frequencies of n pixels, a row each, and m places x = step (j - (m - 1) / 2). What is
/// above `limit` cycles is left out.
inline ComplexMatrix waves(int64_t n, int64_t m, double step, double sign, double limit) {
  ComplexMatrix out(n, m);
  for (int64_t k = 0; k < n; ++k)
    for (int64_t j = 0; j < m && std::abs(frequency(k, n)) <= limit; ++j)
      out.at(k, j) =
          std::polar(1.0, sign * 2 * std::numbers::pi * frequency(k, n) * step * (double(j) - double(m - 1) / 2));
  return out;
}

/// The transform of an image about its middle at the frequencies of an h x w grid, whose pixels are 1 / step of its own.
inline ComplexMatrix spectrum(Tensor const& image, int64_t h, int64_t w, double step) {
  double limit = 0.5 / step + 1e-12;  // an image says nothing about finer waves than its pixels
  return waves(h, image.dim(0), step, -1, limit) * complex_of(image) *
         transposed(waves(w, image.dim(1), step, -1, limit));
}

/// The transform of a PSF, 1 at frequency 0.
inline ComplexMatrix psf_spectrum(Tensor const& psf, int64_t h, int64_t w, double step) {
  ComplexMatrix out = spectrum(psf, h, w, step);
  std::complex<double> sum = out.at(0, 0);
  require<ValueError>(std::isfinite(sum.real()) && sum.real() > 0, "redshift: a PSF has the sum ", sum.real(),
                      "; finite pixels with a positive sum are needed");
  for (std::complex<double>& v : out.v) v /= sum;
  return out;
}

/// Multiplies a spectrum by psf_out / psf_in, regularised: conj(in) out / (|in|^2 + e^2), held at 1; returns the largest
/// factor there would have been where psf_in passes a tenth and more.
inline double transfer(ComplexMatrix& image, ComplexMatrix const& in, ComplexMatrix const& out, double regularisation) {
  double largest = 0;
  for (size_t k = 0; k < image.v.size(); ++k) {
    std::complex<double> factor =
        std::conj(in.v[k]) * out.v[k] / (std::norm(in.v[k]) + regularisation * regularisation);
    double gain = std::abs(factor);
    if (std::abs(in.v[k]) > 0.1) largest = std::max(largest, gain);
    image.v[k] *= gain > 1 ? factor / gain : factor;
  }
  return largest;
}

inline void check(Tensor const& image, RedshiftOptions const& o) {
  for (Tensor const& x : {image, o.psf_in, o.psf_out})
    require<ShapeError>(x.defined() && x.rank() == 2 && x.numel() > 0,
                        "redshift: image and PSFs are two-dimensional (H,W); one is ",
                        x.defined() ? x.shape() : Shape{});
  require<ValueError>(o.z_in > 0 && o.z_out > 0 && o.pixel_in > 0 && o.pixel_out > 0 && o.psf_pixel_out >= 0 &&
                          o.size >= 0 && o.sigma >= 0 && o.regularisation > 0,
                      "redshift: z ", o.z_in, " to ", o.z_out, ", pixels ", o.pixel_in, " to ", o.pixel_out,
                      " arcsec, size ", o.size, ", sigma ", o.sigma, "; positive redshifts and pixels are needed");
}

inline double border_scatter(Tensor const& image) {
  int64_t H = image.dim(0), W = image.dim(1), depth = std::max<int64_t>(1, std::min(H, W) / 8);
  std::vector<float> border;
  for (int64_t k = 0; k < H * W; ++k) {
    int64_t i = k / W, j = k % W;
    if (i < depth || j < depth || i >= H - depth || j >= W - depth) border.push_back(image.data<float>()[k]);
  }
  int64_t count = int64_t(border.size());
  return vision::mad_sigma(from(std::move(border), {count}, vision::host_tensor()));
}

}  // namespace detail

/// A galaxy as it would look at another redshift. Angular sizes change by D_A(z_in) / D_A(z_out) and the evolution of
/// sizes; total flux by (D_L(z_in) / D_L(z_out))^2 ((1 + z_out) / (1 + z_in))^(4 - dimming) and that of luminosity, so
/// that surface brightness falls as (1 + z)^-dimming. The PSF of the shrunk image is replaced by that of the target:
/// Fourier transforms are divided, regularised, and the result is sampled at the new pixels by its waves. There is no
/// K-correction: the image is of the band at wavelength_out, which sees the same light of the galaxy.
/// Shapes   image (H,W), sky subtracted; result (h,w) float32.     Units  those of the image, see per_area.
/// Cost     some (2 H)^3 multiplications: 0.1 s for 100 x 100 pixels.     Deterministic  for the state of `random`.
/// Errors   ShapeError; ValueError for numbers out of range, a PSF without light, and where psf_out is narrower than the
///          shrunk psf_in: no kernel makes an image sharper than it is.
/// Source   Barden, Jahnke & Haeussler 2008, ApJS 175, 105 (FERENGI); Hogg 1999.
inline Redshifted redshift_galaxy(Tensor const& image, RedshiftOptions const& o, Random& random) {
  detail::check(image, o);
  Redshifted out;
  double growth = (1 + o.z_out) / (1 + o.z_in);
  out.angular = o.cosmology.angular(o.z_in) / o.cosmology.angular(o.z_out) * std::pow(growth, -o.size_evolution);
  out.flux = std::pow(o.cosmology.luminosity(o.z_in) / o.cosmology.luminosity(o.z_out), 2) *
             std::pow(growth, 4 - o.dimming) * std::pow(10, 0.4 * o.luminosity_evolution * (o.z_out - o.z_in));
  out.rest_wavelength = o.wavelength_in / (1 + o.z_in), out.wavelength_out = out.rest_wavelength * (1 + o.z_out);
  double grain = o.pixel_in * out.angular, ratio = o.pixel_out / grain;  // of a pixel of the shrunk image
  auto side = [&](int64_t n) {
    if (o.size > 0) return o.size;
    int64_t m = std::max<int64_t>(1, int64_t(std::ceil(double(n) / ratio - 1e-9)));
    return m + (m + n) % 2;  // both odd or both even: the middle stays on a pixel or between two
  };
  Tensor light = vision::on_host("redshift", image).cast(DType::f32).contiguous().clone();
  for (float& v : light.host<float>())
    if (!std::isfinite(v)) v = 0, ++out.filled;
  int64_t H = light.dim(0), W = light.dim(1), h = side(H), w = side(W);
  // the grid is as wide as image and result and a margin: waves come back at its ends
  int64_t n = 2 * std::max(H, int64_t(double(h) * ratio)), m = 2 * std::max(W, int64_t(double(w) * ratio));
  detail::ComplexMatrix waves = detail::spectrum(light, n, m, 1);
  double psf_step = (o.psf_pixel_out > 0 ? o.psf_pixel_out : o.pixel_out) / grain;
  out.gain = detail::transfer(waves, detail::psf_spectrum(o.psf_in, n, m, 1),
                              detail::psf_spectrum(o.psf_out, n, m, psf_step), o.regularisation);
  require<ValueError>(out.gain < 1.1, "redshift: at z = ", o.z_out, " the PSF of the galaxy, shrunk ", 1 / out.angular,
                      " times, is wider than that of the target (transfer ", out.gain,
                      "); take a larger redshift, a sharper image or a wider target PSF");
  detail::ComplexMatrix seen =
      detail::transposed(detail::waves(n, h, ratio, 1, 1)) * waves * detail::waves(m, w, ratio, 1, 1);
  // both matrices of waves lack 1 / n; surface brightness gains what the area loses, and pixels their own area
  double scale = out.flux / (out.angular * out.angular) / double(n * m);
  if (!o.per_area) scale *= std::pow(o.pixel_out / o.pixel_in, 2);
  out.image = empty({h, w}, vision::host_tensor());
  for (int64_t k = 0; k < h * w; ++k) out.image.data<float>()[k] = float(seen.v[size_t(k)].real() * scale);
  out.own_sigma = detail::border_scatter(out.image);
  double added = std::sqrt(std::max(0.0, o.sigma * o.sigma - out.own_sigma * out.own_sigma));
  if (added > 0) DrizzleNoise(o.correlation).add(out.image.data<float>(), h, w, 1, added, 1e30, random);
  return out;
}

}  // namespace d16::sim
