// Simulated galaxies and stars with a truth: smooth ellipticals, and disks with bulge, spiral arms or a dust lane.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <string>
#include <vector>

#include "../core/random.hpp"
#include "../core/tensor.hpp"
#include "sersic.hpp"

namespace d16::sim {

/// What a simulated object is. The first two are the classes of the classifier.
enum class Kind { elliptical, disk, star, trail };
constexpr char const* name_of(Kind kind) {
  constexpr char const* names[] = {"elliptical", "disk", "star", "trail"};
  return names[int(kind)];
}

/// Light per band relative to their mean; three bands from red to blue.
using Colour = std::array<double, 3>;

/// Minor to major axis of a disk seen exactly from its side.
constexpr double disk_thickness = 0.15;

/// One galaxy: a Sersic bulge (an elliptical is nothing else) and, in disks, an exponential disk with its pattern.
struct Galaxy {
  Kind kind = Kind::elliptical;
  double flux = 1;            ///< total, mean of the bands, before arms and dust change it
  double x0 = 0, y0 = 0;      ///< pixels
  double theta = 0;           ///< radians from +x towards +y
  double bulge_fraction = 1;  ///< of the flux
  double bulge_n = 4, bulge_r = 4, bulge_q = 0.8;
  Colour bulge_colour{1.25, 1.02, 0.73};
  double disk_r = 6, disk_q = 0.6;  ///< effective radius of the disk, and minor to major axis from its inclination
  Colour disk_colour{0.97, 1.0, 1.03};
  int arms = 0;             ///< number of spiral arms
  double arm_strength = 1;  ///< 0: none; 1: brighter and darker by about the disk itself
  double winding = 0.3;     ///< tangent of the pitch angle; negative: the other sense
  double phase = 0;
  double bar_fraction = 0;  ///< of the disk's flux, with a flat profile (Sersic, n = 0.5) in the plane of the disk
  double bar_r = 2, bar_q = 0.3, bar_angle = 0;  ///< bar_angle from the major axis of the disk, in its plane
  int clumps = 0;                                ///< star-forming knots along the arms, or anywhere in a disk without
  uint64_t clump_seed = 0;
  /// Lensing, about the galaxy's centre: image at A^-1 of where it is in the source, A = [[1 - g1, -g2], [-g2, 1 + g1]].
  /// The flux is what is observed, magnification included.
  double shear1 = 0, shear2 = 0;
  double dust = 0;  ///< optical depth of the lane along the middle of an edge-on disk

  /// Sersic index and effective radius of the component with most of the light, for the truth.
  double n() const { return bulge_fraction > 0.5 ? bulge_n : 1; }
  double r_eff() const { return bulge_fraction > 0.5 ? bulge_r : disk_r; }
  double q() const { return bulge_fraction > 0.5 ? bulge_q : disk_q; }
  /// Minor to major axis as it is seen: through the lens.
  double apparent_q() const {
    double c = std::cos(theta), s = std::sin(theta), ratio = q();
    // A^-1 but for its determinant, times the axes of the ellipse
    double a = (1 + shear1) * c + shear2 * s, b = ratio * (shear2 * c - (1 + shear1) * s);
    double d = shear2 * c + (1 - shear1) * s, e = ratio * ((1 - shear1) * c - shear2 * s);
    double trace = a * a + b * b + d * d + e * e,
           root = std::sqrt(std::max(0.0, trace * trace / 4 - std::pow(a * e - b * d, 2)));
    return std::sqrt((trace / 2 - root) / (trace / 2 + root));
  }
  /// How much larger the lens makes its area.
  double magnification() const { return 1 / (1 - shear1 * shear1 - shear2 * shear2); }
  /// Of the disk, radians, 0 seen from above: cos^2 i = (q^2 - q0^2) / (1 - q0^2) with the thickness q0 (Hubble 1926).
  double inclination() const {
    constexpr double thin = disk_thickness * disk_thickness;
    return std::acos(std::sqrt(std::clamp((disk_q * disk_q - thin) / (1 - thin), 0.0, 1.0)));
  }
};

namespace detail {

/// A Sersic profile as a table over the square root of the radius, with straight lines in between: several times as fast
/// as powers. It ends where the light is exp(-20) of that at r_eff.
class RadialTable {
 public:
  explicit RadialTable(Sersic const& s) {
    if (s.amplitude == 0) return;  // a component that a galaxy does not have
    SersicLight light(s);
    per_root_ = cells / std::sqrt(s.r_eff * std::pow(1 + 20 / sersic_b(s.n), s.n));
    for (int k = 0; k < cells; ++k)
      value_[size_t(k)] = light.at_radius(double(k) * double(k) / (per_root_ * per_root_));
  }
  double operator()(double r) const {
    double at = std::sqrt(r) * per_root_;
    if (at >= cells) return 0;
    size_t cell = size_t(at);
    return value_[cell] + (at - double(cell)) * (value_[cell + 1] - value_[cell]);
  }

 private:
  static constexpr int cells = 1024;
  double per_root_ = 0;
  std::array<double, size_t(cells + 1)> value_{};
};

/// The light of a galaxy at a point, for all three bands.
class GalaxyLight {
 public:
  explicit GalaxyLight(Galaxy const& g)
      : g_(g),
        c_(std::cos(g.theta)),
        s_(std::sin(g.theta)),
        bulge_(Sersic{1, g.bulge_r, g.bulge_n, g.bulge_q}.with_flux(source_flux(g) * g.bulge_fraction)),
        disk_(
            Sersic{1, g.disk_r, 1, g.disk_q}.with_flux(source_flux(g) * (1 - g.bulge_fraction) * (1 - g.bar_fraction))),
        bar_(Sersic{1, g.bar_r, 0.5, g.disk_q * g.bar_q}.with_flux(source_flux(g) * (1 - g.bulge_fraction) *
                                                                   g.bar_fraction)),
        bar_c_(std::cos(g.bar_angle)),
        bar_s_(std::sin(g.bar_angle)) {}

  Colour operator()(double x, double y) const {
    double ix = x - g_.x0, iy = y - g_.y0;
    double dx = (1 - g_.shear1) * ix - g_.shear2 * iy, dy = (1 + g_.shear1) * iy - g_.shear2 * ix;
    double u = dx * c_ + dy * s_, v = dy * c_ - dx * s_;
    double z = v / g_.bulge_q, bulge = g_.bulge_fraction > 0 ? bulge_(std::sqrt(u * u + z * z)) : 0;
    double w = v / g_.disk_q, r = std::sqrt(u * u + w * w);
    double disk = g_.bulge_fraction < 1 ? disk_(r) : 0, bar = 0;
    // arms are faint near the centre and beyond: no need to know where
    double arm = g_.arms && r > 0.15 * g_.disk_r && r < 8 * g_.disk_r ? pattern(r, std::atan2(w, u)) : 0;
    if (g_.bar_fraction > 0 && g_.bulge_fraction < 1) {
      double along = u * bar_c_ + w * bar_s_, across = (w * bar_c_ - u * bar_s_) / g_.bar_q;
      bar = bar_(std::sqrt(along * along + across * across));
    }
    double lane = v / (0.12 * g_.disk_q * g_.disk_r);
    double depth = g_.dust > 0 ? g_.dust * std::exp(-lane * lane - r / (2 * g_.disk_r)) : 0;
    Colour light{};
    for (size_t k = 0; k < 3; ++k) {
      double blue = 0.8 + 0.2 * double(k);  // arms are bluer than the disk, dust reddens, bars are as old as bulges
      light[k] = (bulge + bar) * g_.bulge_colour[k] + disk * g_.disk_colour[k] * std::max(0.0, 1 + blue * arm);
      if (depth > 0) light[k] *= std::exp(-blue * depth);
    }
    return light;
  }
  /// Where a point of the disk plane lies in the picture.
  std::array<double, 2> project(double r, double phi) const {
    double u = r * std::cos(phi), v = r * std::sin(phi) * g_.disk_q, dx = u * c_ - v * s_, dy = u * s_ + v * c_;
    double larger = g_.magnification();
    return {g_.x0 + larger * ((1 + g_.shear1) * dx + g_.shear2 * dy),
            g_.y0 + larger * (g_.shear2 * dx + (1 - g_.shear1) * dy)};
  }
  double disk_brightness(double r) const { return disk_(r); }
  /// The angle of the ridge of arm `k` at radius r.
  double ridge(double r, int k) const {
    return (g_.phase + 2 * std::numbers::pi * k) / g_.arms + std::log(r / g_.disk_r) / g_.winding;
  }

 private:
  static double source_flux(Galaxy const& g) {
    double shear = g.shear1 * g.shear1 + g.shear2 * g.shear2;
    require<ValueError>(shear < 1, "add_galaxy: shear ", g.shear1, ", ", g.shear2, "; below 1 in all is needed");
    return g.flux / g.magnification();
  }
  /// How much brighter (or darker) than the smooth disk, as a fraction: logarithmic arms that fade towards the centre.
  double pattern(double r, double phi) const {
    double wave = std::cos(g_.arms * (phi - std::log(std::max(r, 1e-3) / g_.disk_r) / g_.winding) - g_.phase);
    double crest = (1 + wave) / 2, ramp = std::clamp((r / g_.disk_r - 0.15) / 0.5, 0.0, 1.0);
    return g_.arm_strength * ramp * 2.5 * (crest * crest * crest - 0.3125);  // 0.3125: the mean of crest^3
  }

  Galaxy g_;
  double c_, s_;
  RadialTable bulge_, disk_, bar_;
  double bar_c_, bar_s_;
};

/// Adds light in three bands to pixel `at` of an image of three channels, or their mean to one of one channel.
inline void add_light(float* at, int64_t channels, Colour const& light) {
  if (channels == 1) at[0] += float((light[0] + light[1] + light[2]) / 3);
  else
    for (size_t k = 0; k < 3; ++k) at[k] += float(light[k]);
}

inline void check_canvas(char const* op, Tensor const& image) {
  bool fits = image.rank() == 3 && (image.dim(2) == 1 || image.dim(2) == 3) && image.is_contiguous();
  require<ShapeError>(fits, op, ": the image is ", image.shape(), "; a contiguous (H,W,1) or (H,W,3) is needed");
}

/// Adds `flux` spread as a round Gaussian.
inline void add_blob(Tensor& image, double x0, double y0, double sigma, double flux, Colour const& colour) {
  int64_t H = image.dim(0), W = image.dim(1), C = image.dim(2), reach = int64_t(4 * sigma) + 1, cx = std::lround(x0),
          cy = std::lround(y0);
  double norm = flux / (2 * std::numbers::pi * sigma * sigma);
  for (int64_t i = std::max<int64_t>(0, cy - reach); i <= std::min(H - 1, cy + reach); ++i)
    for (int64_t j = std::max<int64_t>(0, cx - reach); j <= std::min(W - 1, cx + reach); ++j) {
      double r2 = (double(j) - x0) * (double(j) - x0) + (double(i) - y0) * (double(i) - y0);
      double light = norm * std::exp(-r2 / (2 * sigma * sigma));
      add_light(image.data<float>() + (i * W + j) * C, C, {light * colour[0], light * colour[1], light * colour[2]});
    }
}

}  // namespace detail

/// Adds a galaxy to a picture, in place.
/// Shapes   image (H,W,3) float32, contiguous: bands from red to blue; or (H,W,1): their mean.
/// Units    those of flux, per pixel.
/// Cost     H * W profiles of two components, more near the centre.     Deterministic  yes.
/// Errors   ShapeError for another shape.
inline void add_galaxy(Tensor& image, Galaxy const& g) {
  detail::check_canvas("add_galaxy", image);
  detail::GalaxyLight light(g);
  int64_t W = image.dim(1), C = image.dim(2);
  float* out = image.data<float>();
  parallel_tasks(image.dim(0), [&](int64_t i) {
    for (int64_t j = 0; j < W; ++j) {
      double distance = std::hypot(double(j) - g.x0, double(i) - g.y0);
      int points = distance < 1.5 ? 15 : distance < 4 ? 5 : distance < 5 * g.r_eff() ? 2 : 1;
      Colour sum{};
      for (int a = 0; a < points; ++a)
        for (int b = 0; b < points; ++b) {
          Colour at = light(double(j) + (b + 0.5) / points - 0.5, double(i) + (a + 0.5) / points - 0.5);
          for (size_t k = 0; k < 3; ++k) sum[k] += at[k] / (points * points);
        }
      detail::add_light(out + (i * W + j) * C, C, sum);
    }
  });
  Random random(g.clump_seed);
  for (int k = 0; k < g.clumps; ++k) {
    double r = g.disk_r * random.uniform(0.5, 2.0);
    double phi = g.arms > 0 ? light.ridge(r, int(random.integer(g.arms))) + 0.15 * random.normal()
                            : random.uniform(0, 2 * std::numbers::pi);
    auto [x, y] = light.project(r, phi);
    double area = g.disk_r * g.disk_r * g.disk_q;
    detail::add_blob(image, x, y, 0.07 * g.disk_r, random.uniform(0.01, 0.05) * area * light.disk_brightness(r),
                     {0.7, 1.0, 1.3});
  }
}

/// A random galaxy of one kind at the origin with flux 1 and effective radius r_eff (of its main component).
/// Ellipticals: n 2.5 to 6, round to q = 0.55, red. Disks: exponential, seen from any side (q = 0.15 edge-on), bulge of
/// 5 to 35 %, arms (two to four) and bars (40 %) when they can be seen, dust when edge-on. The ranges are choices, not measurements.
inline Galaxy random_galaxy(Random& random, Kind kind, double r_eff) {
  Galaxy g;
  g.kind = kind;
  g.theta = random.uniform(0, std::numbers::pi);
  double tint = 0.08 * random.normal();
  g.bulge_colour = {1.25 + tint, 1.02, 0.73 - tint};
  if (kind == Kind::elliptical) {
    g.bulge_n = random.uniform(2.5, 6), g.bulge_r = r_eff, g.bulge_q = random.uniform(0.55, 1);
    return g;
  }
  double cosine = random.uniform(0, 1), thickness = disk_thickness;
  g.disk_r = r_eff;
  g.disk_q = std::sqrt(cosine * cosine * (1 - thickness * thickness) + thickness * thickness);
  g.disk_colour = {0.97 + tint, 1.0, 1.03 - tint};
  g.bulge_fraction = random.uniform(0.05, 0.35);
  g.bulge_n = random.uniform(1.5, 3.5), g.bulge_r = r_eff * random.uniform(0.12, 0.25);
  g.bulge_q = std::max(g.disk_q, random.uniform(0.6, 0.9));
  g.phase = random.uniform(0, 2 * std::numbers::pi);
  double pitch = random.uniform(12, 28) * std::numbers::pi / 180;
  g.winding = std::tan(pitch) * (random.uniform() < 0.5 ? -1 : 1);
  g.clump_seed = (uint64_t(random.next()) << 32) | random.next();
  bool visible = g.disk_q > 0.35 && random.uniform() < 0.85;
  int arms[] = {2, 2, 2, 3, 4};
  if (visible)
    g.arms = arms[random.integer(5)], g.arm_strength = random.uniform(0.5, 1.2), g.clumps = int(random.integer(20));
  if (g.disk_q < 0.3 && random.uniform() < 0.6) g.dust = random.uniform(0.4, 1.2);
  if (g.disk_q > 0.35 && random.uniform() < 0.4) {
    g.bar_fraction = random.uniform(0.08, 0.25), g.bar_r = r_eff * random.uniform(0.35, 0.6);
    g.bar_q = random.uniform(0.2, 0.4);
    g.bar_angle = g.arms ? g.phase / g.arms + std::log(g.bar_r / g.disk_r) / g.winding  // arms begin at its ends
                         : random.uniform(0, std::numbers::pi);
  }
  return g;
}

/// A star: light for the PSF, and the spikes that the struts of a telescope make.
struct Star {
  double flux = 1, x0 = 0, y0 = 0;
  Colour colour{1, 1, 1};
  int spikes = 4;               ///< rays: 0, 4 (crossed struts) or 6 (hexagonal mirror)
  double spike_fraction = 0.2;  ///< of the flux that is in the rays
  double spike_length = 8;      ///< pixels in which a ray fades by e
  double spike_angle = 0;       ///< of the first ray, radians
};

/// Adds the star's point, shared among the four pixels around it, and its rays, in place. Convolve with the PSF later.
/// Shapes   image (H,W,3) float32, contiguous, or (H,W,1): the mean of the bands.
inline void add_star(Tensor& image, Star const& s) {
  detail::check_canvas("add_star", image);
  int64_t H = image.dim(0), W = image.dim(1), C = image.dim(2);
  auto add = [&](double x, double y, double flux) {
    double fx = std::floor(x), fy = std::floor(y);
    for (int corner = 0; corner < 4; ++corner) {
      int64_t j = int64_t(fx) + corner % 2, i = int64_t(fy) + corner / 2;
      if (i < 0 || j < 0 || i >= H || j >= W) continue;
      double light = flux * (corner % 2 ? x - fx : 1 - x + fx) * (corner / 2 ? y - fy : 1 - y + fy);
      detail::add_light(image.data<float>() + (i * W + j) * C, C,
                        {light * s.colour[0], light * s.colour[1], light * s.colour[2]});
    }
  };
  double rays = s.spikes ? s.spike_fraction : 0;
  add(s.x0, s.y0, s.flux * (1 - rays));
  double step = 0.5, end = 6 * s.spike_length, norm = step / (s.spike_length * std::max(1, s.spikes));
  for (int k = 0; k < s.spikes; ++k) {
    double angle = s.spike_angle + 2 * std::numbers::pi * k / s.spikes;
    for (double r = step / 2; r < end; r += step)
      add(s.x0 + r * std::cos(angle), s.y0 + r * std::sin(angle), s.flux * rays * norm * std::exp(-r / s.spike_length));
  }
}

/// A satellite or aeroplane: a straight line of even brightness through (x0, y0), in place.
struct Trail {
  double brightness = 1;  ///< at its middle, per pixel
  double x0 = 0, y0 = 0, angle = 0, sigma = 1;
};
inline void add_trail(Tensor& image, Trail const& t) {
  require<ShapeError>(image.rank() == 3 && image.is_contiguous(), "add_trail: the image is ", image.shape(),
                      "; a contiguous (H,W,C) is needed");
  int64_t W = image.dim(1), C = image.dim(2);
  for (int64_t pixel = 0; pixel < image.dim(0) * W; ++pixel) {
    double across = (double(pixel / W) - t.y0) * std::cos(t.angle) - (double(pixel % W) - t.x0) * std::sin(t.angle);
    double light = t.brightness * std::exp(-across * across / (2 * t.sigma * t.sigma));
    for (int64_t c = 0; c < C; ++c) image.data<float>()[pixel * C + c] += float(light);
  }
}

}  // namespace d16::sim
