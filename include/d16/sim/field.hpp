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
  int64_t size = 64;                      ///< pixels a side
  double disk_fraction = 0.5;             ///< of the targets
  double least_r = 0.07, most_r = 0.16;   ///< effective radius of the target, in units of the side
  double least_snr = 30, most_snr = 400;  ///< of the light inside the effective radius, uniform in the logarithm
  double fwhm = 2.5;                      ///< of the Moffat PSF, pixels
  NoiseModel noise = {};
  ContaminationOptions contamination = {};
};

/// What was put into a simulated cutout.
struct Truth {
  Kind kind = Kind::elliptical;
  double flux = 0;  ///< of the target, mean of the bands, in the units of the image
  double snr = 0;   ///< of the light inside r_eff
  double n = 0, r_eff = 0, q = 0, theta = 0, bulge_fraction = 0;  ///< r_eff in pixels, theta in radians
  double x0 = 0, y0 = 0;
  int arms = 0;
  bool trail = false;
  std::vector<Contaminant> contaminants;
  Random::State random{};  ///< the state before the cutout was drawn: Random::restore() and draw it again
};

/// One simulated galaxy in three bands, in linear flux (units of the noise model; the sky is subtracted).
struct Cutout {
  Tensor clean;         ///< (H,W,3): the target after the PSF
  Tensor contaminated;  ///< and everything that lies in the way
  Tensor noisy;         ///< and noise
  Truth truth;
};

namespace detail {
/// The flux whose half inside the effective radius has the given signal to noise: f = F/2 electrons over a sky of
/// variance v give f / sqrt(f + v) = snr.
inline double flux_for_snr(double snr, double area, NoiseModel const& m) {
  double variance = area * m.sigma() * m.sigma() * m.gain * m.gain;
  double half = (snr * snr + std::sqrt(snr * snr * snr * snr + 4 * snr * snr * variance)) / 2;
  return 2 * half / m.gain;
}
}  // namespace detail

/// Draws a cutout.
/// Shapes   clean, contaminated and noisy (size,size,3) float32, bands from red to blue.   Units  those of the noise
/// model. Cost     some ten milliseconds for 64 pixels a side.   Deterministic  for the state of `random`. Errors
/// ValueError for bounds in the wrong order.
inline Cutout simulate_cutout(Random& random, CutoutOptions const& o = {}) {
  require<ValueError>(
      o.size > 7 && o.least_r > 0 && o.most_r >= o.least_r && o.least_snr > 0 && o.most_snr >= o.least_snr,
      "simulate_cutout: size ", o.size, ", r ", o.least_r, " to ", o.most_r, ", S/N ", o.least_snr, " to ", o.most_snr,
      "; size > 7 and lower bounds below upper ones are needed");
  Cutout cutout;
  Truth& t = cutout.truth;
  t.random = random.state();
  int64_t frame = int64_t(2 * o.fwhm) + 1, side = o.size + 2 * frame;  // light of objects just outside comes in too
  t.kind = random.uniform() < o.disk_fraction ? Kind::disk : Kind::elliptical;
  Galaxy g = random_galaxy(random, t.kind, double(o.size) * random.uniform(o.least_r, o.most_r));
  t.snr = std::exp(random.uniform(std::log(o.least_snr), std::log(o.most_snr)));
  g.flux = t.flux = detail::flux_for_snr(t.snr, std::numbers::pi * g.r_eff() * g.r_eff() * g.q(), o.noise);
  g.x0 = double(side - 1) / 2 + random.uniform(-1, 1), g.y0 = double(side - 1) / 2 + random.uniform(-1, 1);
  t.n = g.n(), t.r_eff = g.r_eff(), t.q = g.q(), t.theta = g.theta, t.bulge_fraction = g.bulge_fraction,
  t.arms = g.arms;
  t.x0 = g.x0 - double(frame), t.y0 = g.y0 - double(frame);
  Tensor target = zeros({side, side, 3}, vision::host_tensor());
  add_galaxy(target, g);
  Tensor all = target.clone();
  t.contaminants = add_contaminants(all, random, g.flux, o.contamination, frame);
  for (Contaminant& c : t.contaminants) c.x0 -= double(frame), c.y0 -= double(frame);
  t.trail = random.uniform() < o.contamination.trail_probability;
  if (t.trail) add_random_trail(all, random, std::max(3 * o.noise.sigma(), 0.3 * g.flux / (g.r_eff() * g.r_eff())));
  Tensor psf = moffat_psf(2 * frame + 1, o.fwhm);
  auto finish = [&](Tensor const& x) { return vision::centre_crop(convolve(x, psf), o.size, o.size).contiguous(); };
  cutout.clean = finish(target);
  cutout.contaminated = finish(all);
  cutout.noisy = add_noise(cutout.contaminated, random, o.noise);
  return cutout;
}

}  // namespace d16::sim
