// The PSFs of a survey, one for each band, and a scene seen through them: exact to half a pixel, in a millisecond.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "../core/error.hpp"
#include "fft.hpp"
#include "filters.hpp"

namespace d16::sim {

inline constexpr int cutout_side = 64;              ///< pixels
inline constexpr double cutout_pixel = 0.03;        ///< arcsec
inline constexpr int scene_side = 2 * cutout_side;  ///< scenes have pixels half as wide

/// A PSF as a drizzled image of a star: the light that a pixel gets, as a function of where its centre lies.
struct Psf {
  int side = 0;                   ///< odd
  double pixel = 0;               ///< arcsec
  std::vector<float> light = {};  ///< side x side, sum 1

  /// Light per square arcsec at an offset from the star, by Catmull and Rom's cubic; 0 outside.
  double density(double dx, double dy) const {
    double x = dx / pixel + side / 2, y = dy / pixel + side / 2, fx = std::floor(x), fy = std::floor(y);
    std::array<double, 4> wx = cubic(x - fx), wy = cubic(y - fy);
    double sum = 0;
    for (int a = 0; a < 4; ++a)
      for (int b = 0; b < 4; ++b) {
        int64_t i = int64_t(fy) + a - 1, j = int64_t(fx) + b - 1;
        if (i >= 0 && j >= 0 && i < side && j < side)
          sum += wy[size_t(a)] * wx[size_t(b)] * double(light[size_t(i * side + j)]);
      }
    return sum / (pixel * pixel);
  }
  /// The weights of the four points around a place t of the way from the second to the third.
  static std::array<double, 4> cubic(double t) {
    return {t * (-0.5 + t * (1 - 0.5 * t)), 1 + t * t * (-2.5 + 1.5 * t), t * (0.5 + t * (2 - 1.5 * t)),
            t * t * (-0.5 + 0.5 * t)};
  }
  /// The same PSF `factor` times as wide: of another wavelength.
  Psf widened(double factor) const {
    Psf out = *this;
    out.pixel *= factor;
    return out;
  }
  /// The share of the light within r arcsec of the star.
  double encircled(double r) const {
    double sum = 0;
    int64_t middle = side / 2;
    for (int64_t i = 0; i < side; ++i)
      for (int64_t j = 0; j < side; ++j)
        for (int part = 0; part < 25; ++part) {
          double y = double(i - middle) + (part / 5 - 2) / 5.0, x = double(j - middle) + (part % 5 - 2) / 5.0;
          if (std::hypot(x, y) * pixel <= r) sum += double(light[size_t(i * side + j)]) / 25;
        }
    return sum;
  }
};

/// A Gaussian PSF: for tests and where no real one is at hand. Units   arcsec.
inline Psf gaussian_survey_psf(int side, double pixel, double fwhm) {
  require<ValueError>(side > 0 && side % 2 == 1 && pixel > 0 && fwhm > 0, "gaussian_survey_psf: side ", side,
                      ", pixel ", pixel, ", fwhm ", fwhm, "; an odd side and positive widths are needed");
  Psf psf{side, pixel, {}};
  double sigma = fwhm / pixel / std::sqrt(8 * std::log(2.0)), sum = 0;
  for (int i = 0; i < side * side; ++i) {
    double x = i % side - side / 2, y = i / side - side / 2;
    psf.light.push_back(float(std::exp(-(x * x + y * y) / (2 * sigma * sigma))));
    sum += double(psf.light.back());
  }
  for (float& v : psf.light) v = float(double(v) / sum);
  return psf;
}

/// The PSFs of all bands at one place of the sky.
struct PsfSet {
  std::string name = {};
  std::array<Psf, size_t(survey_band_count)> psf{};
};

/// Light before the telescope, on pixels of half the width: the centre of pixel (0,0) of the cutout is at (0.5, 0.5).
/// The four pixels of the scene in one of the cutout lie in four planes, as the transform wants them.
class Scene {
 public:
  Scene() : light_(4 * size_t(cutout_side * cutout_side)) {}
  void clear() { std::fill(light_.begin(), light_.end(), 0.0f); }
  /// Row i and column j of the scene.
  float& at(int i, int j) {
    return light_[size_t(((i & 1) * 2 + (j & 1)) * cutout_side * cutout_side + (i >> 1) * cutout_side + (j >> 1))];
  }
  float const* plane(int phase) const { return light_.data() + phase * cutout_side * cutout_side; }
  /// A point of light at column x, row y, shared among 16 pixels such that it is sharp and in its place for all that a
  /// PSF can show. Points near an edge lose what falls outside.
  void add_point(double x, double y, double flux) {
    double fx = std::floor(x), fy = std::floor(y);
    std::array<double, 4> wx = Psf::cubic(x - fx), wy = Psf::cubic(y - fy);
    for (int a = 0; a < 4; ++a)
      for (int b = 0; b < 4; ++b) {
        int i = int(fy) + a - 1, j = int(fx) + b - 1;
        if (i >= 0 && j >= 0 && i < scene_side && j < scene_side)
          at(i, j) += float(flux * wy[size_t(a)] * wx[size_t(b)]);
      }
  }

 private:
  std::vector<float> light_;
};

/// The transforms of one PsfSet for scenes, and the convolution with them.
class Optics {
 public:
  static constexpr int n = 2 * cutout_side;  // wide enough that nothing wraps around
  using Spectrum = HalfSpectrum<n>;
  using Planes = std::array<Spectrum, 4>;  // of the four phases

  explicit Optics(PsfSet const& set) : name_(set.name), spectra_(size_t(survey_band_count)) {
    for (size_t b = 0; b < spectra_.size(); ++b) {
      require<ValueError>(set.psf[b].side > 0, "Optics: the set \"", set.name, "\" has no PSF for ", survey_bands[b]);
      for (int pair = 0; pair < 2; ++pair) {
        detail::Plane<n> p;
        for (int i = 0; i < n; ++i)
          for (int j = 0; j < n; ++j) {
            p.re[size_t(i * n + j)] = float(pixel_light(set.psf[b], i, j, 2 * pair));
            p.im[size_t(i * n + j)] = float(pixel_light(set.psf[b], i, j, 2 * pair + 1));
          }
        transform_pair(p, n, spectra_[b][size_t(2 * pair)], spectra_[b][size_t(2 * pair + 1)]);
      }
    }
  }
  std::string const& name() const { return name_; }

  /// The transform of a scene.   Cost   two FFTs of 128 x 128.
  static void transform(Scene const& scene, Planes& out) {
    static thread_local detail::Plane<n> p;
    for (int pair = 0; pair < 2; ++pair) {
      std::fill(p.re.begin(), p.re.end(), 0.0f);
      std::fill(p.im.begin(), p.im.end(), 0.0f);
      for (int i = 0; i < cutout_side; ++i) {
        std::copy_n(scene.plane(2 * pair) + i * cutout_side, cutout_side, p.re.data() + i * n);
        std::copy_n(scene.plane(2 * pair + 1) + i * cutout_side, cutout_side, p.im.data() + i * n);
      }
      transform_pair(p, cutout_side, out[size_t(2 * pair)], out[size_t(2 * pair + 1)]);
    }
  }

  /// A scene and how bright it is in each band.
  struct Source {
    Planes const* planes;
    Fluxes flux;
  };
  /// image[i,j,b] = sum of the sources, each times its flux in b, as seen through the PSF of b.
  /// Shapes   image 64 x 64 x 7, overwritten.   Cost   four inverse FFTs of 128 x 128, some 60000 products per source.
  void observe(std::vector<Source> const& sources, float* image) const {
    static thread_local Spectrum seen[2];
    static thread_local detail::Plane<n> p;
    for (size_t pair = 0; pair < spectra_.size(); pair += 2) {
      for (size_t k = 0; k < 2; ++k) {
        seen[k].clear();
        if (pair + k == spectra_.size()) continue;
        for (Source const& s : sources) accumulate(*s.planes, spectra_[pair + k], float(s.flux[pair + k]), seen[k]);
      }
      inverse_pair(seen[0], seen[1], p, cutout_side);
      for (int i = 0; i < cutout_side; ++i)
        for (int j = 0; j < cutout_side; ++j) {
          float* pixel = image + (i * cutout_side + j) * survey_band_count + pair;
          pixel[0] = p.re[size_t(i * n + j)];
          if (pair + 1 < spectra_.size()) pixel[1] = p.im[size_t(i * n + j)];
        }
    }
  }

 private:
  /// What pixel (i, j) - counted around the ends - gets from a star in the phase `phase` of pixel (0, 0).
  static double pixel_light(Psf const& psf, int i, int j, int phase) {
    double dy = (i < n / 2 ? i : i - n) - ((phase >> 1) - 0.5) / 2;
    double dx = (j < n / 2 ? j : j - n) - ((phase & 1) - 0.5) / 2;
    return psf.density(dx * cutout_pixel, dy * cutout_pixel) * cutout_pixel * cutout_pixel;
  }
  /// sum += factor * the products of the four phases.
  static void accumulate(Planes const& a, Planes const& b, float factor, Spectrum& sum) {
    constexpr int count = Spectrum::width * n, tile = 1040;
    static_assert(count % tile == 0);
    for (int begin = 0; begin < count; begin += tile) {
      float *sr = sum.re.data() + begin, *si = sum.im.data() + begin;
      for (size_t phase = 0; phase < 4; ++phase) {
        float const *ar = a[phase].re.data() + begin, *ai = a[phase].im.data() + begin;
        float const *br = b[phase].re.data() + begin, *bi = b[phase].im.data() + begin;
        for (int k = 0; k < tile; ++k) {
          float re = ar[k] * br[k] - ai[k] * bi[k], im = ar[k] * bi[k] + ai[k] * br[k];
          sr[k] += factor * re, si[k] += factor * im;
        }
      }
    }
  }

  std::string name_;
  std::vector<Planes> spectra_;
};

}  // namespace d16::sim
