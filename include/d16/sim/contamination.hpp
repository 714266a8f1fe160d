// What lies in the way: one to three galaxies or stars over an image, now and then a satellite trail.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <string>
#include <vector>

#include "../core/random.hpp"
#include "../vision/image.hpp"
#include "../vision/stretch.hpp"
#include "galaxy.hpp"
#include "noise.hpp"
#include "psf.hpp"

namespace d16::sim {

/// One object that was put over the target.
struct Contaminant {
  Kind kind;
  double flux;    ///< mean of the bands, in the units of the image; of a trail its brightness per pixel
  double x0, y0;  ///< pixels; of a trail a point on it
};

/// What kinds of contaminants there are: studies compare them by name.
enum class Scheme { none, stars, neighbours, trails, all };
constexpr char const* scheme_names[] = {"none", "stars", "neighbours", "trails", "all"};
constexpr char const* name_of(Scheme scheme) { return scheme_names[int(scheme)]; }
/// Errors   ValueError for a name that is none of scheme_names.
inline Scheme scheme_named(std::string const& name) {
  for (int k = 0; k < 5; ++k)
    if (name == scheme_names[k]) return Scheme(k);
  throw ValueError(text("scheme_named: \"", name, "\"; none, stars, neighbours, trails or all is needed"));
}

struct ContaminationOptions {
  Scheme scheme = Scheme::all;              ///< trails: each object is one; all: stars and galaxies, see also the end
  int least = 1, most = 3;                  ///< number of objects
  double star_fraction = 0.35;              ///< how many of them are stars
  double least_flux = 0.08, most_flux = 1;  ///< of the target's flux, uniform in the logarithm; stars three times that
  double inner = 0.12, outer = 0.55;        ///< distance from the centre, in units of the side
  double trail_probability = 0.08;          ///< of a trail beside the objects, which callers draw: add_random_trail()
  int spikes = 4;                           ///< of bright stars: 0, 4 or 6
};

/// Of a trail about as bright as half of the target over a circle of a tenth of the side.
inline double trail_brightness(double target_flux, double side) { return 16 * target_flux / (side * side); }

/// A trail somewhere across the middle `side` pixels of the picture, 0.3 to 1.5 times as bright as told.
inline Contaminant add_random_trail(Tensor& image, Random& random, double brightness, double side = 0) {
  double H = double(image.dim(0)), W = double(image.dim(1)), h = side > 0 ? side : H, w = side > 0 ? side : W;
  Trail trail{brightness * random.uniform(0.3, 1.5), (W - w) / 2 + random.uniform(0.1, 0.9) * w,
              (H - h) / 2 + random.uniform(0.1, 0.9) * h, random.uniform(0, std::numbers::pi),
              random.uniform(0.5, 1.2)};
  add_trail(image, trail);
  return {Kind::trail, trail.brightness, trail.x0, trail.y0};
}

namespace detail {

inline Contaminant add_random_star(Tensor& image, Random& random, double flux, double x, double y, double side,
                                   int spikes) {
  Star star{3 * flux, x, y};
  double heat = 0.25 * random.normal();
  star.colour = {std::max(0.3, 1 - heat), 1, std::max(0.3, 1 + heat)};
  star.spikes = spikes, star.spike_length = side * random.uniform(0.03, 0.12);
  star.spike_angle = random.uniform() < 0.5 ? 0 : std::numbers::pi / 4;
  add_star(image, star);
  return {Kind::star, star.flux, x, y};
}

inline Contaminant add_random_neighbour(Tensor& image, Random& random, double flux, double x, double y, double side) {
  Kind kind = random.uniform() < 0.5 ? Kind::elliptical : Kind::disk;
  Galaxy g = random_galaxy(random, kind, side * random.uniform(0.015, 0.06));
  g.flux = flux, g.x0 = x, g.y0 = y;
  add_galaxy(image, g);
  return {kind, flux, x, y};
}

}  // namespace detail

/// Adds random contaminants of a scheme to an image, before PSF and noise, and returns their list.
/// Shapes   image (H,W,1) or (H,W,3) float32, contiguous, changed in place; target_flux in its units; `frame` pixels at
///          each edge are outside the picture proper.      Deterministic  for the state of `random`.
/// Errors   ValueError for bounds in the wrong order.
inline std::vector<Contaminant> add_contaminants(Tensor& image, Random& random, double target_flux,
                                                 ContaminationOptions const& o = {}, int64_t frame = 0) {
  require<ValueError>(o.least >= 0 && o.most >= o.least && o.least_flux > 0 && o.most_flux >= o.least_flux,
                      "add_contaminants: ", o.least, " to ", o.most, " objects with ", o.least_flux, " to ",
                      o.most_flux, " of the flux; give lower bounds below upper ones");
  double side = double(std::min(image.dim(0), image.dim(1)) - 2 * frame);
  double cx = double(image.dim(1) - 1) / 2, cy = double(image.dim(0) - 1) / 2;
  std::vector<Contaminant> added;
  if (o.scheme == Scheme::none) return added;
  double stars = o.scheme == Scheme::stars ? 1 : o.scheme == Scheme::neighbours ? 0 : o.star_fraction;
  int64_t count = o.least + random.integer(o.most - o.least + 1);
  for (int64_t k = 0; k < count; ++k) {
    if (o.scheme == Scheme::trails) {
      added.push_back(add_random_trail(image, random, trail_brightness(target_flux, side), side));
      continue;
    }
    double flux = target_flux * std::exp(random.uniform(std::log(o.least_flux), std::log(o.most_flux)));
    double angle = random.uniform(0, 2 * std::numbers::pi);
    double distance = side * std::sqrt(random.uniform(o.inner * o.inner, o.outer * o.outer));
    double x = cx + distance * std::cos(angle), y = cy + distance * std::sin(angle);
    bool star = random.uniform() < stars;
    added.push_back(star ? detail::add_random_star(image, random, flux, x, y, side, o.spikes)
                         : detail::add_random_neighbour(image, random, flux, x, y, side));
  }
  return added;
}

/// How ready-made pictures (JPEGs of a survey) are spoilt. They have no flux: they are taken to be an asinh stretch of
/// light whose white is 1, and what is added has a plausible look, not a calibrated brightness.
struct PictureContaminationOptions {
  ContaminationOptions objects = {.least_flux = 0.05, .most_flux = 0.8};
  double softness = 0.1;                          ///< picture = vision::asinh_stretch(light, softness)
  double least_fwhm = 1.3, most_fwhm = 2.6;       ///< of the objects' PSF, pixels
  double most_blur = 0.5;                         ///< sigma in pixels of the blur of the whole, from 0
  double least_noise = 0.002, most_noise = 0.04;  ///< of a dark pixel, in light; uniform in the logarithm
  double photons = 400;                           ///< electrons of white: how noise grows with light
  double most_correlation = 0.6;                  ///< sigma in pixels of the smoothing of the noise, from 0
  vision::StretchOptions stretch = {};
};

/// A noisy, contaminated picture, and what should be left when noise and contaminants are gone. Both are on the scale
/// of vision::fit_stretch of the noisy one, as images are that come from a telescope.
struct ContaminatedPair {
  Tensor noisy, clean;
  std::vector<vision::Stretch> stretches = {};  ///< of each pair: back to light
};

namespace detail {

inline ContaminatedPair contaminate_picture(Tensor const& picture, Random& random,
                                            PictureContaminationOptions const& o) {
  double unit = std::asinh(1 / o.softness), sky = 0, centre = 0;
  Tensor light = empty(picture.shape(), picture.like()), objects = zeros(picture.shape(), picture.like());
  auto in = picture.host<float>(), clean = light.host<float>();
  for (size_t i = 0; i < in.size(); ++i) clean[i] = float(o.softness * std::sinh(double(in[i]) * unit));
  sky = vision::median(light);
  Tensor middle = vision::centre_crop(light, (light.dim(0) + 1) / 2, (light.dim(1) + 1) / 2).contiguous();
  for (float value : middle.host<float>()) centre += std::max(0.0, double(value) - sky);
  double flux = std::max(centre / 3, 0.5);  // a picture of nothing still gets objects
  add_contaminants(objects, random, flux, o.objects);
  if (random.uniform() < o.objects.trail_probability)
    add_random_trail(objects, random, 3 * flux / double(middle.numel()));
  Tensor spoilt = convolve(objects, moffat_psf(11, random.uniform(o.least_fwhm, o.most_fwhm)));
  auto out = spoilt.host<float>();
  for (size_t i = 0; i < out.size(); ++i) out[i] += clean[i];
  if (double blur = random.uniform(0, o.most_blur); blur > 0.1) spoilt = vision::gaussian_filter(spoilt, blur);
  double level = std::exp(random.uniform(std::log(o.least_noise), std::log(o.most_noise)));
  Tensor noise = empty(picture.shape(), picture.like());
  auto total = spoilt.host<float>(), n = noise.host<float>();
  for (size_t i = 0; i < n.size(); ++i)
    n[i] = float(random.normal() * std::sqrt(level * level + std::max(0.0, double(total[i])) / o.photons));
  if (double sigma = random.uniform(0, o.most_correlation); sigma > 0.2) noise = correlated(noise, sigma);
  for (size_t i = 0; i < total.size(); ++i) total[i] += noise.data<float>()[i];
  vision::Stretch stretch = vision::fit_stretch(spoilt, o.stretch);
  return {stretch.apply(spoilt), stretch.apply(light), {stretch}};
}

}  // namespace detail

/// Spoils pictures: one to three contaminants, a trail now and then, blur, and noise that grows with the light.
/// Appearance only, see PictureContaminationOptions.
/// Shapes   pictures (H,W,3) or (N,H,W,3) float32 in [0,1]; both results as pictures, in [0,1].
/// Cost     a few milliseconds a picture, on all threads.    Deterministic  for the state of `random`, any threads.
/// Errors   ShapeError for another shape, ValueError for a pixel outside [0, 1].
inline ContaminatedPair contaminate(Tensor const& pictures, Random& random, PictureContaminationOptions const& o = {}) {
  vision::Extent e = vision::extent_of("contaminate", pictures.shape());
  require<ShapeError>(pictures.rank() > 2 && e.C == 3, "contaminate: the pictures are ", pictures.shape(),
                      "; (H,W,3) or (N,H,W,3) is needed");
  Tensor in = vision::on_host("contaminate", pictures).clone();
  constexpr float rounding = 4 * std::numeric_limits<float>::epsilon();  // of a bilinear sample of pixels in [0, 1]
  for (float& value : in.host<float>()) {
    require<ValueError>(value >= -rounding && value <= 1 + rounding, "contaminate: a pixel is ", value,
                        "; pictures lie in [0, 1]");
    value = std::clamp(value, 0.0f, 1.0f);
  }
  ContaminatedPair out{empty(in.shape(), in.like()), empty(in.shape(), in.like()),
                       std::vector<vision::Stretch>(size_t(e.N))};
  uint64_t seed = uint64_t(random.next()) << 32 | random.next();
  parallel_tasks(e.N, [&](int64_t n) {
    Random own(seed, uint64_t(n));
    int64_t at = n * e.picture();
    ContaminatedPair pair =
        detail::contaminate_picture(wrap(in.data<float>() + at, {e.H, e.W, e.C}, in.like()), own, o);
    std::copy_n(pair.noisy.data<float>(), e.picture(), out.noisy.data<float>() + at);
    std::copy_n(pair.clean.data<float>(), e.picture(), out.clean.data<float>() + at);
    out.stretches[size_t(n)] = pair.stretches[0];
  });
  return out;
}

}  // namespace d16::sim
