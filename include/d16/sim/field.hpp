// Whole simulated cutouts with their truth: a galaxy, what lies in the way, PSF and noise.
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "../core/random.hpp"
#include "contamination.hpp"
#include "galaxy.hpp"
#include "noise.hpp"
#include "psf.hpp"

namespace d16::sim {

struct CutoutOptions {
  int64_t size = 64;                         ///< pixels a side
  int64_t channels = 3;                      ///< or 1: the mean of the bands
  double disk_fraction = 0.5;                ///< of the targets
  double least_r = 0.07, most_r = 0.16;      ///< effective radius of the target, in units of the side
  double least_snr = 30, most_snr = 400;     ///< of the light inside the effective radius, uniform in the logarithm
  double least_fwhm = 2.5, most_fwhm = 2.5;  ///< of the Moffat PSF, pixels
  Tensor psf = {};                           ///< (A,B) instead of it, odd sides; its sum is brought to 1
  double least_shear = 0, most_shear = 0;    ///< of a gravitational lens, in any direction
  NoiseModel noise = {};
  ContaminationOptions contamination = {};
};

/// What was put into a simulated cutout.
struct Truth {
  Galaxy galaxy = {};  ///< the target; x0 and y0 in pixels of the cutout
  double snr = 0;      ///< of the light inside r_eff, in a band of mean brightness
  double fwhm = 0;     ///< of the PSF, pixels
  bool trail = false;  ///< one beside the objects
  std::vector<Contaminant> contaminants;
  Random::State random{};  ///< the state before the cutout was drawn: Random::restore() and draw it again

  double re_over_fwhm() const { return galaxy.r_eff() / fwhm; }
};

/// One simulated galaxy, in linear flux (units of the noise model; the sky is subtracted).
struct Cutout {
  Tensor clean;         ///< (H,W,C): the target after the PSF
  Tensor contaminated;  ///< and everything that lies in the way
  Tensor noisy;         ///< and noise
  Truth truth;
};

/// Full width at half maximum of a PSF image: the diameter of the circle with the area of all pixels above half of the
/// peak, with the next pixels counted by how near they come. Good to a few per cent from two pixels on.
inline double psf_fwhm(Tensor const& psf) {
  Tensor in = vision::on_host("psf_fwhm", psf);
  auto v = in.host<float>();
  float peak = *std::max_element(v.begin(), v.end());
  require<ValueError>(peak > 0, "psf_fwhm: the brightest pixel is ", peak, "; a PSF with light is needed");
  int64_t H = psf.dim(0), W = psf.dim(1);
  auto value = [&](double y, double x) {
    int64_t i = std::clamp<int64_t>(int64_t(y), 0, H - 2), j = std::clamp<int64_t>(int64_t(x), 0, W - 2);
    double ty = y - double(i), tx = x - double(j);
    auto at = [&](int64_t a, int64_t b) { return double(v[size_t(a * W + b)]); };
    return (1 - ty) * ((1 - tx) * at(i, j) + tx * at(i, j + 1)) +
           ty * ((1 - tx) * at(i + 1, j) + tx * at(i + 1, j + 1));
  };
  constexpr int parts = 8;
  double inside = 0;
  for (int64_t i = 0; i < (H - 1) * parts; ++i)
    for (int64_t j = 0; j < (W - 1) * parts; ++j)
      inside += value((double(i) + 0.5) / parts, (double(j) + 0.5) / parts) > double(peak) / 2;
  return 2 * std::sqrt(inside / (parts * parts) / std::numbers::pi);
}

namespace detail {

/// The flux whose half inside the effective radius has the given signal to noise: f = F/2 electrons over a sky of
/// variance v give f / sqrt(f + v) = snr.
inline double flux_for_snr(double snr, double area, NoiseModel const& m) {
  double variance = area * m.sigma() * m.sigma() * m.gain * m.gain;
  double half = (snr * snr + std::sqrt(snr * snr * snr * snr + 4 * snr * snr * variance)) / 2;
  return 2 * half / m.gain;
}

inline void check(CutoutOptions const& o) {
  require<ValueError>(
      o.size > 7 && o.least_r > 0 && o.most_r >= o.least_r && o.least_snr > 0 && o.most_snr >= o.least_snr,
      "simulate_cutout: size ", o.size, ", r ", o.least_r, " to ", o.most_r, ", S/N ", o.least_snr, " to ", o.most_snr,
      "; size > 7 and lower bounds below upper ones are needed");
  require<ValueError>(o.channels == 1 || o.channels == 3, "simulate_cutout: ", o.channels, " channels; 1 or 3");
  require<ValueError>(o.least_fwhm > 0 && o.most_fwhm >= o.least_fwhm && o.least_shear >= 0 &&
                          o.most_shear >= o.least_shear && o.most_shear < 0.9,
                      "simulate_cutout: FWHM ", o.least_fwhm, " to ", o.most_fwhm, ", shear ", o.least_shear, " to ",
                      o.most_shear,
                      "; positive widths, shear of 0 to 0.9 and lower bounds below upper ones are needed");
}

/// The PSF as given, brought to sum 1, or a Moffat profile; `fwhm` is set.
inline Tensor draw_psf(CutoutOptions const& o, Random& random, double& fwhm) {
  if (!o.psf.defined()) {
    fwhm = random.uniform(o.least_fwhm, o.most_fwhm);
    return moffat_psf(2 * int64_t(2 * o.most_fwhm) + 3, fwhm);
  }
  require<ShapeError>(o.psf.rank() == 2 && o.psf.dim(0) % 2 == 1 && o.psf.dim(1) % 2 == 1,
                      "simulate_cutout: the PSF is ", o.psf.shape(), "; (A,B) with odd sides is needed");
  // light from further away than the cutout is wide does not reach it
  int64_t h = std::min(o.psf.dim(0), 2 * o.size - 1), w = std::min(o.psf.dim(1), 2 * o.size - 1);
  Tensor psf =
      vision::centre_crop(vision::on_host("simulate_cutout", o.psf), h, w).cast(DType::f32).contiguous().clone();
  double sum = 0;
  for (float v : psf.host<float>()) sum += double(v);
  require<ValueError>(std::isfinite(sum) && sum > 0, "simulate_cutout: the PSF has the sum ", sum,
                      "; finite pixels with a positive sum are needed");
  for (float& v : psf.host<float>()) v = float(double(v) / sum);
  fwhm = psf_fwhm(psf);
  return psf;
}

/// A target about the middle of a canvas.
inline Galaxy draw_target(CutoutOptions const& o, Random& random, double side, double snr) {
  Kind kind = random.uniform() < o.disk_fraction ? Kind::disk : Kind::elliptical;
  Galaxy g = random_galaxy(random, kind, double(o.size) * random.uniform(o.least_r, o.most_r));
  double shear = random.uniform(o.least_shear, o.most_shear), direction = random.uniform(0, 2 * std::numbers::pi);
  g.shear1 = shear * std::cos(direction), g.shear2 = shear * std::sin(direction);
  g.flux = flux_for_snr(snr, std::numbers::pi * g.r_eff() * g.r_eff() * g.q() * g.magnification(), o.noise);
  g.x0 = (side - 1) / 2 + random.uniform(-1, 1), g.y0 = (side - 1) / 2 + random.uniform(-1, 1);
  return g;
}

}  // namespace detail

/// Draws a galaxy and `variants` cutouts of it, each with contaminants and noise of its own.
/// Shapes   clean, contaminated and noisy (size,size,C) float32, bands from red to blue.   Units  those of the noise
/// model. Cost     some ten milliseconds for 64 pixels a side.   Deterministic  for the state of `random`. Errors
/// ValueError for bounds in the wrong order.
inline std::vector<Cutout> simulate_variants(Random& random, CutoutOptions const& o, int64_t variants) {
  detail::check(o);
  Truth t;
  t.random = random.state();
  t.snr = std::exp(random.uniform(std::log(o.least_snr), std::log(o.most_snr)));
  Tensor psf = detail::draw_psf(o, random, t.fwhm);
  // light of objects just outside comes in too
  int64_t frame = std::min<int64_t>(std::max(psf.dim(0), psf.dim(1)) / 2 + 1, o.size), side = o.size + 2 * frame;
  Galaxy g = detail::draw_target(o, random, double(side), t.snr);
  t.galaxy = g;
  t.galaxy.x0 -= double(frame), t.galaxy.y0 -= double(frame);
  Tensor target = zeros({side, side, o.channels}, vision::host_tensor());
  add_galaxy(target, g);
  auto finish = [&](Tensor const& x) { return vision::centre_crop(convolve(x, psf), o.size, o.size).contiguous(); };
  Tensor clean = finish(target);
  std::vector<Cutout> out;
  for (int64_t k = 0; k < variants; ++k) {
    Cutout cutout{clean, {}, {}, t};
    Truth& own = cutout.truth;
    Tensor all = target.clone();
    own.contaminants = add_contaminants(all, random, g.flux, o.contamination, frame);
    for (Contaminant& c : own.contaminants) c.x0 -= double(frame), c.y0 -= double(frame);
    own.trail = o.contamination.scheme == Scheme::all && random.uniform() < o.contamination.trail_probability;
    double bright = std::max(3 * o.noise.sigma(), 0.3 * g.flux / (g.r_eff() * g.r_eff()));
    if (own.trail) add_random_trail(all, random, bright, double(o.size));  // not where only the frame would see it
    cutout.contaminated = finish(all);
    cutout.noisy = add_noise(cutout.contaminated, random, o.noise);
    out.push_back(std::move(cutout));
  }
  return out;
}
inline Cutout simulate_cutout(Random& random, CutoutOptions const& o = {}) {
  return std::move(simulate_variants(random, o, 1)[0]);
}

}  // namespace d16::sim
