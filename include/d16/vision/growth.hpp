// Light inside ellipses about a centre, exactly to the pixel's edge, and the radii where its curves cross a level.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "../core/error.hpp"

namespace d16::vision {

namespace detail {

/// The signed area inside the unit circle of the triangle from the origin to the edge p -> q.
inline double edge_in_circle(std::array<double, 2> p, std::array<double, 2> q) {
  auto sector = [](std::array<double, 2> a, std::array<double, 2> b) {
    return std::atan2(a[0] * b[1] - b[0] * a[1], a[0] * b[0] + a[1] * b[1]) / 2;
  };
  double dx = q[0] - p[0], dy = q[1] - p[1], along = dx * dx + dy * dy, half = p[0] * dx + p[1] * dy;
  double root = half * half - along * (p[0] * p[0] + p[1] * p[1] - 1);
  if (root <= 0) return sector(p, q);
  double enter = std::max((-half - std::sqrt(root)) / along, 0.0),
         leave = std::min((-half + std::sqrt(root)) / along, 1.0);
  if (enter >= leave) return sector(p, q);
  std::array<double, 2> a{p[0] + enter * dx, p[1] + enter * dy}, b{p[0] + leave * dx, p[1] + leave * dy};
  return sector(p, a) + (a[0] * b[1] - b[0] * a[1]) / 2 + sector(b, q);
}

}  // namespace detail

/// The area of the pixel centred on (dx, dy) that an ellipse around the origin covers, 0 to 1: major half axis a along
/// theta (radians from +x towards +y), axis ratio q.
/// Cost     eight arc tangents.      Deterministic  yes.
inline double ellipse_overlap(double dx, double dy, double a, double q, double theta) {
  double c = std::cos(theta), s = std::sin(theta);
  std::array<std::array<double, 2>, 4> corners;
  for (int k = 0; k < 4; ++k) {
    double x = dx + (k == 1 || k == 2 ? 0.5 : -0.5), y = dy + (k > 1 ? 0.5 : -0.5);
    corners[size_t(k)] = {(x * c + y * s) / a, (y * c - x * s) / (a * q)};
  }
  double area = 0;
  for (size_t k = 0; k < 4; ++k) area += detail::edge_in_circle(corners[k], corners[(k + 1) % 4]);
  return std::clamp(area * a * a * q, 0.0, 1.0);
}

/// Light and area of a part of an image.
struct Light {
  double sum = 0, area = 0;
  double mean() const { return sum / area; }
  Light operator-(Light const& inner) const { return {sum - inner.sum, area - inner.area}; }
};

/// The light inside concentric ellipses, as a function of their major half axis. Pixels are sorted once by their
/// radius, so that each ellipse costs its rim only. Values that are not finite are left out, of light and of area.
/// Cost     a sort of the pixels; 0.2 us for each pixel of a rim.      Deterministic  yes.
class GrowthCurve {
 public:
  GrowthCurve(std::vector<double> const& value, int64_t W, double x, double y, double q = 1, double theta = 0)
      : q_(q), theta_(theta), reach_(std::sqrt(0.5) / q) {
    require<ValueError>(q > 0 && q <= 1, "GrowthCurve: q is ", q, "; 0 < q <= 1 is needed");
    double c = std::cos(theta), s = std::sin(theta);
    for (size_t i = 0; i < value.size(); ++i) {
      if (!std::isfinite(value[i])) continue;
      double dx = double(int64_t(i) % W) - x, dy = double(int64_t(i) / W) - y;
      pixels_.push_back({std::hypot(dx * c + dy * s, (dy * c - dx * s) / q), dx, dy, value[i]});
    }
    std::sort(pixels_.begin(), pixels_.end(), [](Pixel const& a, Pixel const& b) { return a.radius < b.radius; });
    sums_.push_back(0);
    for (Pixel const& p : pixels_) sums_.push_back(sums_.back() + p.value);
  }

  /// Inside of the ellipse with major half axis a.
  Light within(double a) const {
    if (!(a > 0)) return {};
    size_t i = count(a - reach_);
    Light light{sums_[i], double(i)};
    for (; i < pixels_.size() && pixels_[i].radius < a + reach_; ++i) {
      double part = ellipse_overlap(pixels_[i].dx, pixels_[i].dy, a, q_, theta_);
      light.sum += part * pixels_[i].value, light.area += part;
    }
    return light;
  }
  /// Between two ellipses.
  Light ring(double inner, double outer) const { return within(outer) - within(inner); }
  double largest_radius() const { return pixels_.empty() ? 0 : pixels_.back().radius; }

 private:
  struct Pixel {
    double radius, dx, dy, value;
  };
  size_t count(double radius) const {
    auto beyond = [](Pixel const& p, double r) { return p.radius < r; };
    return size_t(std::lower_bound(pixels_.begin(), pixels_.end(), radius, beyond) - pixels_.begin());
  }
  double q_, theta_, reach_;
  std::vector<Pixel> pixels_;
  std::vector<double> sums_;
};

/// The first x from `low` on where f falls to 0 or below: stepwise up to `high`, then to 1e-7 by the Illinois rule. NaN
/// when it does not, or when f(low) is not above 0.
/// Source   Dowell & Jarratt 1971, BIT 11, 168.
template <class F> double first_crossing(F const& f, double low, double high, double step) {
  double nan = std::numeric_limits<double>::quiet_NaN(), a = low, fa = f(a);
  if (!(fa > 0)) return nan;
  double b = a, fb = fa;
  while (fb > 0) {
    if (b >= high) return nan;
    a = b, fa = fb;
    b = std::min(b + step, high), fb = f(b);
  }
  if (!(fb <= 0)) return nan;
  for (int round = 0, side = 0; round < 60 && b - a > 1e-7; ++round) {
    double x = (fa * b - fb * a) / (fa - fb), fx = f(x);
    if (fx > 0) {
      a = x, fa = fx;
      if (side == 1) fb /= 2;
      side = 1;
    } else {
      b = x, fb = fx;
      if (side == -1) fa /= 2;
      side = -1;
    }
    if (fx == 0) return x;
  }
  return std::abs(fa) < std::abs(fb) ? a : b;
}

/// The radius with `fraction` of the light within r_max: the first crossing. NaN unless that light is positive.
inline double radius_of_fraction(GrowthCurve const& growth, double r_max, double fraction) {
  double total = growth.within(r_max).sum;
  if (!(total > 0)) return std::numeric_limits<double>::quiet_NaN();
  return first_crossing([&](double r) { return fraction - growth.within(r).sum / total; }, 0, r_max, 1);
}

/// The radius where the mean brightness of a ring, a pixel wide, has fallen to eta times the mean inside: the first from
/// 1 pixel on. NaN when the image ends before; 1 for what is smaller.
/// Source   Petrosian 1976, ApJ 209, L1; Lotz, Primack & Madau 2004, AJ 128, 163, equation 4 (eta = 0.2).
inline double petrosian_radius(GrowthCurve const& growth, double eta = 0.2) {
  auto excess = [&](double r) { return growth.ring(r - 0.5, r + 0.5).mean() - eta * growth.within(r).mean(); };
  if (excess(1) <= 0) return 1;
  return first_crossing(excess, 1, growth.largest_radius(), 1);
}

}  // namespace d16::vision
