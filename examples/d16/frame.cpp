// Frames: bodies of frame.hpp.
#include "frame.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include <d16/vision/statistics.hpp>

#include "common.hpp"

namespace tool {

using d16::require;
using d16::Tensor;
using d16::text;
using d16::ValueError;

namespace {

constexpr struct {
  int32_t bit;
  char const* name;
  char const* meaning;
} flag_table[] = {{flag_unreadable, "unreadable", "no result, see note"},
                  {flag_filled, "filled", "over 5 % of the frame masked or missing"},
                  {flag_not_found, "not_found", "no object at the centre, whole image used"},
                  {flag_edge, "edge", "cutout too small for the usual frame"},
                  {flag_few_bands, "few_bands", "fewer than three bands"},
                  {flag_wcs, "wcs", "sky coordinates missing or doubtful"},
                  {flag_picture, "picture", "a picture: no flux, no snr"},
                  {flag_faint, "faint", "snr below 10"},
                  {flag_masked, "masked", "a neighbour was masked"},
                  {flag_blended, "blended", "cut off a neighbour that it touches"},
                  {flag_saturated, "saturated", "no data at its centre"},
                  {flag_unresolved, "unresolved", "R_e below half of the PSF's width"},
                  {flag_units, "units_assumed", "the file states no unit"},
                  {flag_near_bcg, "near_bcg", "a neighbour with 20 times its light"},
                  {flag_arc, "arc", "long, thin and bent: perhaps lensed"},
                  {flag_ood, "ood", "p_ood above 0.99: unlike the training set"},
                  {flag_changed, "denoise_changed_class", "raw and denoised image disagree"},
                  {flag_residual, "resid_high", "resid_chi2 above 2"}};

struct Level {
  double sky, noise;
};

/// Median and standard deviation of what sigma clipping leaves.
Level clipped_level(std::vector<float> const& values) {
  auto stats = d16::vision::sigma_clipped_stats(d16::from(values, {int64_t(values.size())}), {.maxiters = 10});
  return {stats.median, stats.std};
}

/// Finite pixels of the outer eighth on each side; of the whole plane when there are too few.
std::vector<float> border_values(Plane const& p) {
  int64_t depth = std::max<int64_t>(1, std::min(p.h, p.w) / 8);
  std::vector<float> border, all;
  for (int64_t y = 0; y < p.h; ++y)
    for (int64_t x = 0; x < p.w; ++x) {
      if (!std::isfinite(p.at(y, x))) continue;
      all.push_back(p.at(y, x));
      if (y < depth || x < depth || y >= p.h - depth || x >= p.w - depth) border.push_back(p.at(y, x));
    }
  return border.size() >= 32 ? border : all;
}

/// The mean of the finite pixels of each (2 r + 1) x (2 r + 1) box; NaN stays NaN.
Plane smooth(Plane const& p, int64_t r) {
  Plane out = p;
  for (int64_t y = 0; y < p.h; ++y)
    for (int64_t x = 0; x < p.w; ++x) {
      if (!std::isfinite(p.at(y, x))) continue;
      double sum = 0, count = 0;
      for (int64_t j = std::max<int64_t>(0, y - r); j <= std::min(p.h - 1, y + r); ++j)
        for (int64_t i = std::max<int64_t>(0, x - r); i <= std::min(p.w - 1, x + r); ++i)
          if (std::isfinite(p.at(j, i))) sum += p.at(j, i), count += 1;
      out.at(y, x) = float(sum / count);
    }
  return out;
}

/// The pixel that is bright and near the centre: brightest above the sky after weighting with a Gaussian of a sixteenth
/// of the side. -1 when it is not above the threshold.
int64_t central_peak(Plane const& p, double sky, double threshold) {
  double width = std::max(1.0, double(std::min(p.h, p.w)) / 16), best = 0;
  int64_t peak = -1;
  for (int64_t y = 0; y < p.h; ++y)
    for (int64_t x = 0; x < p.w; ++x) {
      double r = std::hypot(double(x) - double(p.w - 1) / 2, double(y) - double(p.h - 1) / 2) / width;
      double score = (p.at(y, x) - sky) * std::exp(-r * r / 2);
      if (r <= 3 && p.at(y, x) > threshold && score > best) best = score, peak = y * p.w + x;
    }
  return peak;
}

/// The smaller of each pixel and the one opposite to it about the peak: what lies on one side only, a neighbour, goes.
Plane symmetric_part(Plane const& p, int64_t peak) {
  Plane out = p;
  int64_t cy = peak / p.w, cx = peak % p.w;
  for (int64_t y = 0; y < p.h; ++y)
    for (int64_t x = 0; x < p.w; ++x) {
      int64_t j = 2 * cy - y, i = 2 * cx - x;
      bool inside = j >= 0 && i >= 0 && j < p.h && i < p.w;
      if (inside && std::isfinite(p.at(j, i))) out.at(y, x) = std::fmin(p.at(y, x), p.at(j, i));
    }
  return out;
}

/// All pixels above the threshold that hang together with the seed, by sides.
std::vector<int64_t> connected(Plane const& p, int64_t seed, double threshold) {
  std::vector<bool> seen(p.values.size());
  std::vector<int64_t> pixels{seed};
  seen[size_t(seed)] = true;
  for (size_t next = 0; next < pixels.size(); ++next) {
    int64_t y = pixels[next] / p.w, x = pixels[next] % p.w;
    for (auto [dy, dx] : {std::pair(-1, 0), std::pair(1, 0), std::pair(0, -1), std::pair(0, 1)}) {
      int64_t j = y + dy, i = x + dx;
      if (j < 0 || i < 0 || j >= p.h || i >= p.w || seen[size_t(j * p.w + i)] || !(p.at(j, i) > threshold)) continue;
      seen[size_t(j * p.w + i)] = true;
      pixels.push_back(j * p.w + i);
    }
  }
  return pixels;
}

/// Radii around (s.x, s.y) that hold 50 and 90 % of the flux of s.pixels.
void measure_radii(Plane const& p, Shape2d& s) {
  std::vector<std::pair<double, double>> growth;
  for (int64_t i : s.pixels)
    growth.emplace_back(std::hypot(double(i % p.w) - s.x, double(i / p.w) - s.y), p.values[size_t(i)] - s.sky);
  std::sort(growth.begin(), growth.end());
  double sum = 0;
  for (auto [radius, flux] : growth) {
    sum += flux;
    if (std::isnan(s.r50) && sum >= 0.5 * s.flux) s.r50 = radius;
    if (std::isnan(s.r90) && sum >= 0.9 * s.flux) s.r90 = radius;
  }
}

/// The value at (x, y) between four pixels; finite pixels only, weighted. NaN outside and where nothing is known.
float sample(Plane const& p, double x, double y) {
  if (x < -0.5 || y < -0.5 || x > double(p.w) - 0.5 || y > double(p.h) - 0.5) return NAN;
  double fx = std::floor(x), fy = std::floor(y), sum = 0, weight = 0;
  for (int k = 0; k < 4; ++k) {
    int64_t i = int64_t(fx) + k % 2, j = int64_t(fy) + k / 2;
    if (i < 0 || j < 0 || i >= p.w || j >= p.h || !std::isfinite(p.at(j, i))) continue;
    double w = (k % 2 ? x - fx : 1 - x + fx) * (k / 2 ? y - fy : 1 - y + fy);
    sum += w * p.at(j, i), weight += w;
  }
  return weight > 0.25 ? float(sum / weight) : NAN;
}

/// From pixels of one band to pixels of another: q = at + m (p - from).
struct Mapping {
  double from[2], at[2], m[4];
  std::array<double, 2> operator()(double x, double y) const {
    double dx = x - from[0], dy = y - from[1];
    return {at[0] + m[0] * dx + m[1] * dy, at[1] + m[2] * dx + m[3] * dy};
  }
  double step() const { return std::sqrt(std::abs(m[0] * m[3] - m[1] * m[2])); }
};

/// By sky coordinates when both bands have them, otherwise by centres and sizes: the same field is assumed. The tangent
/// points may lie elsewhere, and apart: what is linear is the map over the image itself.
Mapping between(Band const& a, Band const& b) {
  if (!a.wcs.known || !b.wcs.known) {
    double sx = double(b.image.w) / double(a.image.w), sy = double(b.image.h) / double(a.image.h);
    return {{double(a.image.w - 1) / 2, double(a.image.h - 1) / 2},
            {double(b.image.w - 1) / 2, double(b.image.h - 1) / 2},
            {sx, 0, 0, sy}};
  }
  double x = double(a.image.w - 1) / 2, y = double(a.image.h - 1) / 2,
         half = double(std::max(a.image.w, a.image.h)) / 2;
  auto at = [&](double u, double v) {
    auto sky = a.wcs.sky(x + u, y + v);
    return b.wcs.pixel(sky[0], sky[1]).value_or(std::array{-1e9, -1e9});  // other half of the sky: no pixel of b
  };
  auto middle = at(0, 0), left = at(-half, 0), right = at(half, 0), low = at(0, -half), high = at(0, half);
  return {{x, y},
          {middle[0], middle[1]},
          {(right[0] - left[0]) / (2 * half), (high[0] - low[0]) / (2 * half), (right[1] - left[1]) / (2 * half),
           (high[1] - low[1]) / (2 * half)}};
}

/// The frame's pixels: each the mean over its area of the band, which lies under it by way of the reference band.
Plane resample(Plane const& p, Mapping const& to_band, double x0, double y0, double side, int64_t size) {
  double pixel = side / double(size);
  int parts = int(std::clamp(std::ceil(pixel * to_band.step() - 0.01), 1.0, 32.0));
  Plane out{size, size, std::vector<float>(size_t(size * size))};
  for (int64_t i = 0; i < size * size; ++i) {
    double sum = 0, count = 0;
    for (int k = 0; k < parts * parts; ++k) {
      double u = double(i % size) - double(size) / 2 + (k % parts + 0.5) / parts;
      double v = double(i / size) - double(size) / 2 + (k / parts + 0.5) / parts;
      auto [x, y] = to_band(x0 + u * pixel, y0 + v * pixel);
      if (float value = sample(p, x, y); std::isfinite(value)) sum += value, count += 1;
    }
    out.values[size_t(i)] = 2 * count >= parts * parts ? float(sum / count) : NAN;
  }
  return out;
}

/// Fills NaN layer by layer with the mean of known neighbours, fading to the sky. Returns how many there were.
int64_t fill(Plane& p, double sky) {
  int64_t filled = 0;
  for (bool again = true; again;) {
    again = false;
    Plane before = p;
    for (int64_t y = 0; y < p.h; ++y)
      for (int64_t x = 0; x < p.w; ++x) {
        if (std::isfinite(before.at(y, x))) continue;
        double sum = 0, count = 0;
        for (int64_t j = std::max<int64_t>(0, y - 1); j <= std::min(p.h - 1, y + 1); ++j)
          for (int64_t i = std::max<int64_t>(0, x - 1); i <= std::min(p.w - 1, x + 1); ++i)
            if (std::isfinite(before.at(j, i))) sum += before.at(j, i), count += 1;
        if (count == 0) {
          again = true;
          continue;
        }
        p.at(y, x) = float(sky + 0.8 * (sum / count - sky));
        ++filled;
      }
  }
  return filled;
}

bool any_finite(Plane const& p) {
  return std::any_of(p.values.begin(), p.values.end(), [](float v) { return std::isfinite(v); });
}

/// The sum of the three bands on the grid of the reference band, each in units of its noise: shows what any band shows.
Plane detection_image(Cutout const& cutout, std::array<size_t, 3> const& chosen) {
  Band const& reference = cutout.bands[chosen[0]];
  Plane sum{reference.image.h, reference.image.w, std::vector<float>(reference.image.values.size(), 0)};
  for (size_t k = 0; k < 3; ++k) {
    Band const& band = cutout.bands[chosen[k]];
    Plane pixels = unmasked(band);
    Level level = clipped_level(border_values(pixels));
    double unit = level.noise > 0 ? level.noise : 1;
    Mapping map = between(reference, band);
    for (int64_t y = 0; y < sum.h; ++y)
      for (int64_t x = 0; x < sum.w; ++x) {
        auto [u, v] = map(double(x), double(y));
        sum.at(y, x) += float((sample(pixels, u, v) - level.sky) / unit);
      }
  }
  return sum;
}

/// Total signal to noise of the object in one band; the noise from the file's sigma where it has one.
double signal_to_noise(Band const& band, Shape2d const& object) {
  Plane pixels = unmasked(band);
  Level level = clipped_level(border_values(pixels));
  double flux = 0, variance = 0;
  for (int64_t i : object.pixels) {
    double value = pixels.values[size_t(i)];
    double sigma = band.sigma.empty() ? level.noise : double(band.sigma.values[size_t(i)]);
    if (!std::isfinite(value) || !(sigma > 0) || !std::isfinite(sigma)) continue;
    flux += value - level.sky, variance += sigma * sigma;
  }
  return variance > 0 ? flux / std::sqrt(variance) : nan;
}

// The pictures of the training set (every 40th of Galaxy Zoo, the central half at 64 pixels): median levels of the sky,
// of the brightest tenth and of the brightest half per cent, for red, green, blue. Frames are stretched to the same.
constexpr double sky_level = 0.02;
constexpr double tenth_level[3] = {0.195, 0.165, 0.133};
constexpr double bright_level[3] = {0.632, 0.515, 0.404};

/// One band's stretch: y = slope * asinh((v - sky) / soft) + sky_level.
struct Curve {
  double sky, soft, slope;
};

/// The curve that brings the brightest tenth and half per cent of the pixels to the levels of channel k.
Curve fit_curve(Plane const& plane, size_t k) {
  Level level = clipped_level(border_values(plane));
  std::vector<double> values(plane.values.begin(), plane.values.end());
  double bright = std::max({d16::vision::quantile(values, 0.995) - level.sky, 5 * level.noise, 1e-30});
  double tenth = d16::vision::quantile(values, 0.9) - level.sky;
  double wanted = (tenth_level[k] - sky_level) / (bright_level[k] - sky_level);
  double low = std::max(3 * level.noise, bright / 300), high = std::max(3 * bright, low);
  for (int i = 0; i < 50; ++i) {  // asinh(tenth / soft) / asinh(bright / soft) falls as soft grows
    double soft = std::sqrt(low * high);
    (std::asinh(tenth / soft) > wanted * std::asinh(bright / soft) ? low : high) = soft;
  }
  return {level.sky, low, (bright_level[k] - sky_level) / std::asinh(bright / low)};
}

/// Channel k of an image (H,W,3).
Plane channel(Tensor const& x, size_t k) {
  Plane p{x.dim(0), x.dim(1), std::vector<float>(size_t(x.numel() / 3))};
  for (size_t i = 0; i < p.values.size(); ++i) p.values[i] = x.data<float>()[3 * i + k];
  return p;
}

/// Through the curve, clipped to [0, 1].
void apply_curve(Curve const& c, Plane& p) {
  for (float& v : p.values) v = float(std::clamp(c.slope * std::asinh((v - c.sky) / c.soft) + sky_level, 0.0, 1.0));
}

/// The curves as the invertible stretch of the library; all bands share its softness, so that its sky is about theirs.
d16::vision::Stretch stretch_of(std::array<Curve, 3> const& curves) {
  double slope = (curves[0].slope + curves[1].slope + curves[2].slope) / 3, zero = sky_level / slope;
  d16::vision::Stretch stretch{{}, 5 / std::sinh(zero)};
  for (Curve const& c : curves)
    stretch.bands.push_back({c.sky, c.soft / stretch.softness, c.soft * std::sinh(1 / c.slope - zero)});
  return stretch;
}

Wcs frame_wcs(Wcs const& band, Frame const& f) {
  if (!band.known) return {};
  Wcs w = band;
  double pixel = f.side / double(f.size);
  w.x = (band.x - f.x) / pixel + double(f.size - 1) / 2;
  w.y = (band.y - f.y) / pixel + double(f.size - 1) / 2;
  for (double& c : w.cd) c *= pixel;
  return w;
}

/// The r90 that the object has in the stretched picture of a field around it, in pixels of the plane.
double stretched_r90(Plane const& plane, Shape2d const& object, double side, bool picture) {
  constexpr int64_t size = 96;
  Mapping same{{0, 0}, {0, 0}, {1, 0, 0, 1}};
  Plane field = resample(plane, same, object.x, object.y, side, size);
  if (!picture && any_finite(field)) {
    Plane whole = field;
    fill(whole, clipped_level(border_values(field)).sky);
    apply_curve(fit_curve(whole, 0), field);
  }
  Shape2d seen = measure(field);
  return seen.found ? seen.r90 * side / double(size) : object.r90;
}

/// The side at which the object fills its frame as in the training set.
double wanted_side(Plane const& plane, Shape2d const& object, bool picture) {
  double side = std::max(frame_per_r90 * object.r90, 8.0);
  for (int round = 0; round < 3; ++round)
    side = std::clamp(frame_per_r90 * stretched_r90(plane, object, side, picture), 0.5 * side, 2 * side);
  return std::max(side, 8.0);
}

/// Centre and side of the frame, moved into the image, and where the object itself is on the sky.
void place(Wcs const& wcs, Plane const& plane, Shape2d const& object, bool picture, double zoom, Frame& f) {
  double limit = double(std::min(plane.h, plane.w));
  f.x = object.found ? object.x : double(plane.w - 1) / 2;
  f.y = object.found ? object.y : double(plane.h - 1) / 2;
  Place sky = place_of(wcs, f.x, f.y);
  f.ra = sky.ra, f.dec = sky.dec, f.scale = wcs.known ? wcs.scale() : nan;
  double wanted = (object.found ? wanted_side(plane, object, picture) : limit) / zoom;
  if (!object.found) f.flags |= flag_not_found;
  if (wanted > limit) f.flags |= object.found ? flag_edge : 0;
  f.side = std::min(wanted, limit);
  f.x = std::clamp(f.x, (f.side - 1) / 2, double(plane.w) - (f.side + 1) / 2);
  f.y = std::clamp(f.y, (f.side - 1) / 2, double(plane.h) - (f.side + 1) / 2);
  f.r50 = object.r50, f.r90 = object.r90;
}

void set_flags(Cutout const& cutout, Band const& reference, std::array<size_t, 3> const& chosen, int64_t filled,
               Frame& f) {
  auto set = [&f](Flag flag, bool on) { f.flags |= on ? flag : 0; };
  set(flag_filled, filled * 20 > 3 * f.size * f.size);
  set(flag_few_bands, chosen[0] == chosen[1] || chosen[1] == chosen[2]);
  set(flag_picture, cutout.picture);
  set(flag_wcs, !cutout.picture && (!reference.wcs.known || reference.wcs.doubtful));
  set(flag_faint, !cutout.picture && f.snr < 10);
}

/// Resamples and fills one band. Returns its pixels and adds how many were filled.
Plane draw(Band const& band, Mapping const& map, Frame const& f, int64_t& filled) {
  Plane pixels = resample(unmasked(band), map, f.x, f.y, f.side, f.size);
  require<ValueError>(any_finite(pixels), "band ", band.name,
                      " has no valid pixel around the object; choose other bands");
  filled += fill(pixels, clipped_level(border_values(pixels)).sky);
  return pixels;
}

/// The three bands as one tensor, and the stretch that makes a picture of them.
void fill_frame(std::array<Plane, 3> const& planes, Frame& f) {
  f.light = d16::empty({f.size, f.size, 3});
  for (size_t k = 0; k < 3; ++k)
    for (size_t i = 0; i < planes[k].values.size(); ++i) f.light.data<float>()[3 * i + k] = planes[k].values[i];
  if (f.picture) f.light = light_of(f.light);
  else f.stretch = fit_picture(f.light);
}

/// x through f, element by element.
template <class F> Tensor map(Tensor const& x, F const& f) {
  Tensor in = x.contiguous(), out = d16::empty_like(in);
  for (int64_t i = 0; i < in.numel(); ++i) out.data<float>()[i] = float(f(double(in.data<float>()[i])));
  return out;
}

}  // namespace

d16::vision::Stretch fit_picture(Tensor const& light) {
  return stretch_of(
      {fit_curve(channel(light, 0), 0), fit_curve(channel(light, 1), 1), fit_curve(channel(light, 2), 2)});
}

Tensor classifier_input(Tensor const& light, int64_t channels) {
  std::vector<Plane> planes{channel(light, 0), channel(light, 1), channel(light, 2)};
  if (channels == 1) {
    for (size_t i = 0; i < planes[1].values.size(); ++i)
      planes[1].values[i] = (planes[0].values[i] + planes[1].values[i] + planes[2].values[i]) / 3;
    planes = {planes[1]};
  }
  Tensor out = d16::empty({light.dim(0), light.dim(1), channels});
  for (size_t k = 0; k < planes.size(); ++k) {
    apply_curve(fit_curve(planes[k], channels == 1 ? 1 : k), planes[k]);
    for (size_t i = 0; i < planes[k].values.size(); ++i) out.data<float>()[i * planes.size() + k] = planes[k].values[i];
  }
  return out;
}

Tensor light_of(Tensor const& picture) {
  double unit = std::asinh(1 / picture_softness);
  return map(picture, [=](double y) { return picture_softness * std::sinh(y * unit); });
}

Tensor picture_of(Frame const& frame, Tensor const& light) {
  if (!frame.picture) return frame.stretch.apply(light);
  double unit = std::asinh(1 / picture_softness);
  return map(light, [=](double x) { return std::clamp(std::asinh(x / picture_softness) / unit, 0.0, 1.0); });
}

std::string flag_legend() {
  std::string out;
  for (auto const& f : flag_table) out += text(out.empty() ? "" : "; ", f.bit, " ", f.name, ": ", f.meaning);
  return out;
}
std::string flag_names(int32_t flags) {
  std::string out;
  for (auto const& f : flag_table)
    if (flags & f.bit) out += (out.empty() ? "" : ", ") + std::string(f.name);
  return out;
}

Plane unmasked(Band const& band) {
  Plane out = band.image;
  if (band.mask.empty()) return out;
  for (size_t i = 0; i < out.values.size(); ++i)
    if (band.mask.values[i] != 0) out.values[i] = NAN;
  return out;
}

Place place_of(Wcs const& w, double x, double y) {
  if (!w.known) return {};
  if (w.doubtful) return {w.ra, w.dec};
  auto sky = w.sky(x, y);
  return {sky[0], sky[1]};
}

Shape2d measure(Plane const& plane) {
  Shape2d s;
  std::vector<float> border = border_values(plane);
  if (border.empty()) return s;
  s.sky = clipped_level(border).sky;
  Plane soft = smooth(plane, std::max<int64_t>(1, std::min(plane.h, plane.w) / 100));
  Level level = clipped_level(border_values(soft));
  int64_t peak = central_peak(soft, level.sky, level.sky + 5 * level.noise);
  if (peak < 0) return s;
  Plane part = symmetric_part(soft, peak);
  s.pixels = connected(part, peak, level.sky + 2.5 * level.noise);
  for (int64_t i : s.pixels) {
    double flux = part.values[size_t(i)] - s.sky;
    s.flux += flux, s.x += flux * double(i % plane.w), s.y += flux * double(i / plane.w);
  }
  if (!(s.flux > 0)) return s;
  s.x /= s.flux, s.y /= s.flux;
  measure_radii(part, s);
  s.found = true;
  return s;
}

std::array<size_t, 3> choose_bands(Cutout const& cutout, std::vector<std::string> const& wanted) {
  std::vector<Band> const& bands = cutout.bands;
  auto index_of = [&](std::string const& name) {
    std::string there;
    for (size_t i = 0; i < bands.size(); ++i) {
      if (lower(bands[i].name) == lower(name)) return i;
      there += (i ? ", " : "") + bands[i].name;
    }
    throw ValueError(text("no band \"", name, "\"; it has ", there));
  };
  if (!wanted.empty()) {
    require<ValueError>(wanted.size() != 2, "--bands needs one band or three, separated by commas");
    return {index_of(wanted.front()), index_of(wanted[wanted.size() / 2]), index_of(wanted.back())};
  }
  std::vector<std::pair<double, size_t>> known;
  for (size_t i = 0; i < bands.size(); ++i)
    if (double w = wavelength(bands[i].name); !std::isnan(w)) known.emplace_back(w, i);
  if (known.size() < 2) return {0, (bands.size() - 1) / 2, bands.size() - 1};
  std::sort(known.begin(), known.end());
  auto nearest = [&](double target) {
    auto distance = [&](auto const& k) { return std::abs(std::log(k.first / target)); };
    return *std::min_element(known.begin(), known.end(),
                             [&](auto const& a, auto const& b) { return distance(a) < distance(b); });
  };
  auto red = known.back(), blue = nearest(red.first / 3);
  return {red.second, nearest(std::sqrt(red.first * blue.first)).second, blue.second};
}

Plane cut_like(Plane const& plane, Frame const& f) {
  return resample(plane, {{0, 0}, {0, 0}, {1, 0, 0, 1}}, f.x, f.y, f.side, f.size);
}

Frame make_frame(Cutout const& cutout, FrameOptions const& options) {
  std::array<size_t, 3> chosen = choose_bands(cutout, options.bands);
  Band const& reference = cutout.bands[chosen[0]];
  Frame f;
  f.size = options.size, f.picture = cutout.picture;
  f.n_bands = int32_t(cutout.bands.size()), f.note = cutout.note;
  Plane detection = detection_image(cutout, chosen);
  Shape2d object = measure(detection);
  place(reference.wcs, detection, object, cutout.picture, options.zoom, f);
  int64_t filled = 0;
  std::array<Plane, 3> planes;
  for (size_t k = 0; k < 3; ++k) {
    Band const& band = cutout.bands[chosen[k]];
    f.bands[k] = band.name, f.units[k] = band.unit;
    planes[k] = draw(band, between(reference, band), f, filled);
  }
  fill_frame(planes, f);
  f.wcs = frame_wcs(reference.wcs, f);
  if (!cutout.picture && object.found) f.snr = signal_to_noise(reference, object);
  set_flags(cutout, reference, chosen, filled, f);
  return f;
}

}  // namespace tool
