// Light in apertures: exact circles, the local background in rings, errors with correlated noise, sizes, compactness.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "image.hpp"
#include "statistics.hpp"

namespace d16::vision {

namespace detail {

/// The integral of max(-h, min(v, h)) from 0 to u along the half height h(u) = sqrt(r^2 - u^2) of a circle.
inline double clipped_chord(double r, double u, double v) {
  u = std::clamp(u, -r, r), v = std::clamp(v, -r, r);
  auto under_arc = [r](double t) {
    return (t * std::sqrt(std::max(r * r - t * t, 0.0)) + r * r * std::asin(t / r)) / 2;
  };
  double corner = std::sqrt(r * r - v * v), length = std::abs(u);
  if (length <= corner) return u * v;
  double area = std::abs(v) * corner + under_arc(length) - under_arc(corner);
  return std::copysign(1, u) * std::copysign(1, v) * area;
}

}  // namespace detail

/// The area of the pixel centred on (dx, dy) that a circle of radius r around the origin covers, 0 to 1.
/// Cost     about 100 operations on the rim, 5 elsewhere.      Errors   ValueError unless r > 0.
inline double circle_overlap(double dx, double dy, double r) {
  require<ValueError>(r > 0 && std::isfinite(r), "aperture: the radius is ", r, " pixels; it must be positive");
  double near_x = std::max(std::abs(dx) - 0.5, 0.0), near_y = std::max(std::abs(dy) - 0.5, 0.0);
  double far_x = std::abs(dx) + 0.5, far_y = std::abs(dy) + 0.5;
  if (near_x * near_x + near_y * near_y >= r * r) return 0;
  if (far_x * far_x + far_y * far_y <= r * r) return 1;
  auto chord = [r](double u, double v) { return detail::clipped_chord(r, u, v); };
  double area =
      chord(dx + 0.5, dy + 0.5) - chord(dx - 0.5, dy + 0.5) - chord(dx + 0.5, dy - 0.5) + chord(dx - 0.5, dy - 0.5);
  return std::clamp(area, 0.0, 1.0);
}

struct PhotometryOptions {
  Tensor error = {};  ///< (H,W), 1 sigma of each pixel; undefined: errors are NaN unless `sigma` is given
  double sigma = std::numeric_limits<double>::quiet_NaN();  ///< the same for all pixels, where there is no `error`
  Tensor mask = {};                                         ///< (H,W) bool: true is left out
  double background = 0;                                    ///< a level to subtract from each pixel
  double error_factor = 1;  ///< for correlated noise: what the error of independent pixels is multiplied by
};

/// Light of a circle. Pixels that are masked, not finite or off the image are left out and counted in `lost`.
struct ApertureFlux {
  double flux = std::numeric_limits<double>::quiet_NaN();   ///< sum of value x covered area; NaN when nothing is left
  double error = std::numeric_limits<double>::quiet_NaN();  ///< error_factor x sqrt(sum of (sigma x covered area)^2)
  double area = 0;                                          ///< pixels that were summed
  double lost = 1;                                          ///< the part of the circle that was not, 0 to 1
  double snr() const { return flux / error; }
};

namespace detail {

/// A plane (H,W) with its mask and errors as the functions here read them, checked once.
struct PhotometryPlane {
  int64_t H, W;
  std::vector<double> value, variance;  // value is NaN where left out; variance is empty where unknown
  double sigma;

  PhotometryPlane(char const* op, Tensor const& image, PhotometryOptions const& o) : sigma(o.sigma) {
    require<ShapeError>(image.rank() == 2 && image.numel() > 0, op, ": the image is ", image.shape(),
                        "; one band (H,W) with pixels is needed");
    for (auto [name, other] : {std::pair{"error", &o.error}, std::pair{"mask", &o.mask}})
      if (other->defined())
        require<ShapeError>(other->shape() == image.shape(), op, ": the ", name, " is ", other->shape(), ", the image ",
                            image.shape(), "; they must be equal");
    require<ValueError>(o.error_factor > 0, op, ": error_factor is ", o.error_factor, "; it must be positive");
    H = image.dim(0), W = image.dim(1);
    value = doubles(op, image);
    if (o.background != 0)
      for (double& v : value) v -= o.background;
    if (o.error.defined()) {
      variance = doubles(op, o.error);
      for (double& v : variance) v *= v;
    }
    if (!o.mask.defined()) return;
    std::vector<double> masked = doubles(op, o.mask);
    for (size_t i = 0; i < value.size(); ++i)
      if (masked[i] != 0) value[i] = std::numeric_limits<double>::quiet_NaN();
  }

  bool usable(int64_t i) const {
    return std::isfinite(value[size_t(i)]) && (variance.empty() || std::isfinite(variance[size_t(i)]));
  }
  double variance_at(int64_t i) const { return variance.empty() ? sigma * sigma : variance[size_t(i)]; }

  /// f(index, covered area) for the pixels of the image that the circle touches.
  template <class F> void for_circle(double x, double y, double r, F const& f) const {
    int64_t top = std::max<int64_t>(0, int64_t(std::floor(y - r + 0.5))),
            bottom = std::min<int64_t>(H - 1, int64_t(std::ceil(y + r - 0.5))),
            left = std::max<int64_t>(0, int64_t(std::floor(x - r + 0.5))),
            right = std::min<int64_t>(W - 1, int64_t(std::ceil(x + r - 0.5)));
    for (int64_t i = top; i <= bottom; ++i)
      for (int64_t j = left; j <= right; ++j)
        if (double area = circle_overlap(double(j) - x, double(i) - y, r); area > 0) f(i * W + j, area);
  }

 private:
  static std::vector<double> doubles(char const* op, Tensor const& x) {
    Tensor in = on_host(op, x);
    std::vector<double> out;
    out.reserve(size_t(in.numel()));
    for_dtype(in.dtype(), [&]<class T>(T) {
      for (T v : in.host<T>()) out.push_back(double(v));
    });
    return out;
  }
};

inline ApertureFlux circle_flux(PhotometryPlane const& plane, double x, double y, double r, double error_factor) {
  require<ValueError>(std::isfinite(x) && std::isfinite(y) && std::max(std::abs(x), std::abs(y)) < 1e9,
                      "aperture: the centre is (", x, ", ", y, "); pixels of the image are needed");
  require<ValueError>(r > 0 && r < 1e9, "aperture: the radius is ", r, " pixels; it must be positive");
  double sum = 0, variance = 0, area = 0;
  plane.for_circle(x, y, r, [&](int64_t i, double part) {
    if (!plane.usable(i)) return;
    sum += plane.value[size_t(i)] * part, variance += plane.variance_at(i) * part * part, area += part;
  });
  if (area == 0) return {};
  double whole = 3.141592653589793 * r * r;
  return {sum, error_factor * std::sqrt(variance), area, std::clamp(1 - area / whole, 0.0, 1.0)};
}

}  // namespace detail

/// The light of circles around (x, y), pixels; the centre of the first pixel is (0, 0). Pixels on the rim count by the
/// area inside, computed exactly.
/// Shapes   image (H,W).      Units  flux in those of the image times pixels.      Cost  pi r^2 pixels a circle.
/// Deterministic  yes.        Errors  ShapeError for other ranks and sizes; ValueError unless r > 0.
/// Source   photutils.aperture_photometry, method "exact".
inline std::vector<ApertureFlux> aperture_photometry(Tensor const& image, std::vector<std::array<double, 2>> const& xy,
                                                     double r, PhotometryOptions const& o = {}) {
  detail::PhotometryPlane plane("aperture_photometry", image, o);
  std::vector<ApertureFlux> fluxes;
  for (auto [x, y] : xy) fluxes.push_back(detail::circle_flux(plane, x, y, r, o.error_factor));
  return fluxes;
}
inline ApertureFlux aperture_flux(Tensor const& image, double x, double y, double r, PhotometryOptions const& o = {}) {
  return aperture_photometry(image, {{x, y}}, r, o)[0];
}

/// Sigma-clipped statistics of the pixels whose centres lie in the ring inner <= distance < outer: the local background
/// is its median, or mode() of background.hpp.
/// Errors   ValueError when no pixel is left or the radii are not in order.
inline ClippedStats annulus_background(Tensor const& image, double x, double y, double inner, double outer,
                                       PhotometryOptions const& o = {}, SigmaClipOptions clip = {}) {
  require<ValueError>(inner >= 0 && outer > inner, "annulus_background: radii ", inner, " and ", outer,
                      "; the outer must be larger");
  detail::PhotometryPlane plane("annulus_background", image, o);
  std::vector<double> values;
  for (int64_t i = 0; i < plane.H; ++i)
    for (int64_t j = 0; j < plane.W; ++j) {
      double distance = std::hypot(double(j) - x, double(i) - y);
      if (distance >= inner && distance < outer && plane.usable(i * plane.W + j))
        values.push_back(plane.value[size_t(i * plane.W + j)]);
    }
  require<ValueError>(!values.empty(), "annulus_background: no usable pixel between ", inner, " and ", outer,
                      " pixels of (", x, ", ", y, "); take a wider ring or a larger cutout");
  return sigma_clipped_stats(std::move(values), clip);
}

/// Autocorrelation of the noise: rho[lag + dy, lag + dx] = mean of n(y, x) n(y + dy, x + dx) / mean of n^2, over pairs
/// of usable pixels, n = image - median. Mask the sources: the light of galaxies correlates too.
/// Shapes   image (H,W); rho (2 lag + 1, 2 lag + 1), float64, 1 at its centre.
/// Cost     (2 lag + 1)^2 / 2 operations a pixel.      Deterministic  yes.
/// Errors   ValueError when lag is not below the sides of the image or all usable pixels are equal.
inline Tensor noise_autocorrelation(Tensor const& image, int64_t lag, Tensor const& mask = {}) {
  detail::PhotometryPlane plane("noise_autocorrelation", image, {.mask = mask});
  require<ValueError>(lag >= 0 && lag < std::min(plane.H, plane.W), "noise_autocorrelation: lag ", lag, " of an image ",
                      image.shape(), "; it must be below its sides");
  std::vector<double> usable;
  for (double v : plane.value)
    if (std::isfinite(v)) usable.push_back(v);
  double level = median(std::move(usable));
  int64_t side = 2 * lag + 1;
  Tensor rho = empty({side, side}, host_tensor(DType::f64));
  double variance = 0;
  for (int64_t half = side * side / 2; half < side * side; ++half) {  // the other half mirrors it
    int64_t dy = half / side - lag, dx = half % side - lag, pairs = 0;
    double sum = 0;
    for (int64_t i = std::max<int64_t>(0, -dy); i < std::min(plane.H, plane.H - dy); ++i)
      for (int64_t j = std::max<int64_t>(0, -dx); j < std::min(plane.W, plane.W - dx); ++j) {
        double product =
            (plane.value[size_t(i * plane.W + j)] - level) * (plane.value[size_t((i + dy) * plane.W + j + dx)] - level);
        if (std::isfinite(product)) sum += product, ++pairs;
      }
    if (dy == 0 && dx == 0) variance = sum / double(pairs);
    require<ValueError>(variance > 0, "noise_autocorrelation: all usable pixels are equal; there is no noise");
    double value = pairs ? sum / double(pairs) / variance : 0;
    rho.data<double>()[half] = rho.data<double>()[side * side - 1 - half] = value;
  }
  return rho;
}

/// What the error of independent pixels has to be multiplied by, for a circle of radius r pixels and noise of that
/// autocorrelation: sqrt(sum over p, q of w_p w_q rho(p - q) / sum of w^2), w the covered areas. 1 for white noise;
/// sqrt(sum of rho) in the limit of large circles.
/// Errors   ValueError when the sum is not positive: the autocorrelation is too noisy, take a smaller lag.
inline double correlated_error_factor(double r, Tensor const& autocorrelation) {
  int64_t side = autocorrelation.dim(0), lag = side / 2;
  require<ShapeError>(autocorrelation.rank() == 2 && side % 2 == 1 && autocorrelation.dim(1) == side,
                      "correlated_error_factor: the autocorrelation is ", autocorrelation.shape(),
                      "; an odd square is needed");
  Tensor rho = on_host("correlated_error_factor", autocorrelation).cast(DType::f64);
  int64_t reach = int64_t(std::ceil(r + 0.5)), width = 2 * reach + 1;
  std::vector<double> weight;
  for (int64_t i = -reach; i <= reach; ++i)
    for (int64_t j = -reach; j <= reach; ++j) weight.push_back(circle_overlap(double(j), double(i), r));
  double all = 0, squares = 0;
  for (int64_t p = 0; p < width * width; ++p) {
    squares += weight[size_t(p)] * weight[size_t(p)];
    for (int64_t dy = -lag; dy <= lag; ++dy)
      for (int64_t dx = -lag; dx <= lag; ++dx) {
        int64_t i = p / width + dy, j = p % width + dx;
        if (i < 0 || j < 0 || i >= width || j >= width) continue;
        all += weight[size_t(p)] * weight[size_t(i * width + j)] * rho.data<double>()[(dy + lag) * side + dx + lag];
      }
  }
  require<ValueError>(all > 0, "correlated_error_factor: the variance of a circle of radius ", r, " is ", all / squares,
                      " of that of independent pixels; the autocorrelation is too noisy, take a smaller lag");
  return std::sqrt(all / squares);
}

struct CompactnessOptions {
  double inner_diameter = 0.16, outer_diameter = 0.32;  ///< arcseconds
};

/// How much more light the outer circle has than the inner: F(0.32") / F(0.16"), diameters by default. Neither source
/// text defines compactness: the apertures are our choice, after the 0.32" colour apertures of UNCOVER. A point source
/// has the ratio of its PSF; NaN unless the inner flux is positive.
/// Errors   ValueError unless pixel_arcsec > 0 and the diameters are in order.
inline double compactness(Tensor const& image, double x, double y, double pixel_arcsec, CompactnessOptions c = {},
                          PhotometryOptions const& o = {}) {
  require<ValueError>(pixel_arcsec > 0 && c.inner_diameter > 0 && c.outer_diameter > c.inner_diameter,
                      "compactness: pixels of ", pixel_arcsec, " arcsec, diameters ", c.inner_diameter, " and ",
                      c.outer_diameter, "; they must be positive, the outer the larger");
  detail::PhotometryPlane plane("compactness", image, o);
  double inner = detail::circle_flux(plane, x, y, c.inner_diameter / 2 / pixel_arcsec, 1).flux;
  double outer = detail::circle_flux(plane, x, y, c.outer_diameter / 2 / pixel_arcsec, 1).flux;
  return inner > 0 ? outer / inner : std::numeric_limits<double>::quiet_NaN();
}

/// The radius around (x, y) of the circle that has `fraction` of the light within r_max, pixels: the first crossing, to
/// 1e-6 of r_max. NaN unless the light within r_max is positive.
/// Errors   ValueError unless 0 < fraction < 1 and r_max > 0.
inline double light_radius(Tensor const& image, double x, double y, double r_max, double fraction = 0.5,
                           PhotometryOptions const& o = {}) {
  require<ValueError>(fraction > 0 && fraction < 1, "light_radius: fraction is ", fraction,
                      "; it lies between 0 and 1");
  detail::PhotometryPlane plane("light_radius", image, o);
  auto light = [&](double r) { return detail::circle_flux(plane, x, y, r, 1).flux; };
  double wanted = fraction * light(r_max), low = 0, high = r_max;
  if (!(wanted > 0)) return std::numeric_limits<double>::quiet_NaN();
  for (double r = 0.25; r < r_max; r += 0.25)
    if (light(r) >= wanted) {
      high = r;
      break;
    } else {
      low = r;
    }
  while (high - low > 1e-6 * r_max) {
    double middle = (low + high) / 2;
    (light(middle) >= wanted ? high : low) = middle;
  }
  return (low + high) / 2;
}

}  // namespace d16::vision
