// Appearance-level degradation: pictures of a survey made to look fainter, smaller and contaminated. Such pictures are
// stretched and have no flux: what comes out has the look of a faint galaxy, not a calibrated brightness.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "../core/random.hpp"
#include "../vision/line_map.hpp"
#include "../vision/stretch.hpp"
#include "contamination.hpp"
#include "drizzle_noise.hpp"

namespace d16::sim {

/// How one picture is made to look.
struct Appearance {
  /// Wanted inside the segment, infinite: no noise is added. S/N = F / (sqrt(N) sigma): F the galaxy's light above the
  /// sky in the N pixels of its segment, mean of the channels; sigma the noise of one pixel of that mean. That neighbours
  /// share noise is left out, as it is where a catalogue adds up an ERR image.
  double snr = std::numeric_limits<double>::infinity();
  double shrink = 1;  ///< how many times smaller the galaxy gets, from 1
  double re_over_fwhm =
      0;                   ///< when positive, shrink is set for each picture so that R_e is so many FWHM, within 1 to 8
  double fwhm = 2;         ///< of the Gaussian PSF that is laid over all, in pixels of the result; 0: none
  double correlation = 0;  ///< of the noise of neighbouring pixels, 0 to 0.7; 0.45 in drizzled NIRCam images
  Scheme contaminants = Scheme::none;  ///< one to three of them
  double trail = 0;                    ///< probability of a satellite trail beside them
  /// In the end the middle is enlarged so many times, from 1, noise and all: as cutouts are that a galaxy should fill.
  /// It should not follow from the galaxy: the grain of the noise would tell how large that was.
  double enlarge = 1;
};

struct AppearanceOptions {
  int64_t size = 0;  ///< side of the result; 0: that of the input. A larger input has real surroundings for small ones
  double softness = 0.1;              ///< the picture is taken to be vision::asinh_stretch(light, softness)
  ContaminationOptions objects = {};  ///< all but the scheme
  vision::StretchOptions stretch = {};
  bool twice = false;  ///< draws the noise of each picture twice: Degraded::second
};

/// What was made of pictures. Both are on the scale of vision::fit_stretch of the noisy one, in [0, 1].
struct Degraded {
  Tensor noisy, clean;  ///< (N,H,W,C) or (H,W,C) as the input; clean: the galaxy as small, without noise and objects
  Tensor
      second;  ///< as `noisy` with other noise, on its scale; undefined unless asked for. The picture's own is in both
  Tensor segment;  ///< (N,H,W) or (H,W) uint8: 1 in the brightest pixels of the clean one that hold half its light
  std::vector<double> snr;           ///< with noise that the picture had before; NaN where no galaxy is in the middle
  std::vector<double> sigma;         ///< noise of a pixel of the mean of the channels, in light whose white is 1
  std::vector<double> re_over_fwhm;  ///< R_e = sqrt(area of the segment before the PSF / pi); infinite without PSF
  std::vector<double> shrink;
  std::vector<vision::Stretch> stretch;  ///< invert() gives the light back, sky 0
  std::vector<std::vector<Contaminant>> contaminants;
};

namespace detail {

/// The galaxy in the middle of a picture without noise, or with little.
struct HalfLight {
  std::vector<int64_t> pixels;  ///< the brightest that hold half of its light; a disc of an eighth of the side if there
                                ///< is no galaxy
  double sky = 0, scatter = 0;  ///< median and 1.48 times the median deviation of the outer eighth
  double light = 0;             ///< above the sky in these pixels
  bool found = false;
};

/// Pixels of x, above the threshold, that hang together with the seed.
inline std::vector<int64_t> flood(std::vector<float> const& x, int64_t H, int64_t W, int64_t seed, float threshold) {
  std::vector<char> seen(x.size());
  std::vector<int64_t> pixels{seed};
  seen[size_t(seed)] = 1;
  for (size_t next = 0; next < pixels.size(); ++next) {
    int64_t at = pixels[next], i = at / W, j = at % W;
    auto visit = [&](int64_t to, bool inside) {
      if (!inside || seen[size_t(to)] || !(x[size_t(to)] > threshold)) return;
      seen[size_t(to)] = 1;
      pixels.push_back(to);
    };
    visit(at - 1, j > 0), visit(at + 1, j + 1 < W), visit(at - W, i > 0), visit(at + W, i + 1 < H);
  }
  return pixels;
}

/// The brightest pixel near the middle, after weighting with a Gaussian of a sixteenth of the side; -1 if none is above
/// the threshold.
inline int64_t central_peak(std::vector<float> const& x, int64_t H, int64_t W, float threshold) {
  double width = double(std::min(H, W)) / 16, y0 = double(H - 1) / 2, x0 = double(W - 1) / 2, best = 0;
  int64_t peak = -1;
  for (int64_t i = 0; i < H; ++i)
    for (int64_t j = 0; j < W; ++j) {
      double dy = (double(i) - y0) / width, dx = (double(j) - x0) / width, v = double(x[size_t(i * W + j)]);
      if (dy * dy + dx * dx > 9 || v <= double(threshold)) continue;
      if (double score = v * std::exp(-(dy * dy + dx * dx) / 2); score > best) best = score, peak = i * W + j;
    }
  return peak;
}

/// The smaller of each pixel and the one opposite to it about the peak.
inline std::vector<float> symmetric_part(std::vector<float> const& x, int64_t H, int64_t W, int64_t peak) {
  std::vector<float> out = x;
  int64_t i0 = 2 * (peak / W), j0 = 2 * (peak % W);
  for (int64_t i = std::max<int64_t>(0, i0 - H + 1); i <= std::min(H - 1, i0); ++i)
    for (int64_t j = std::max<int64_t>(0, j0 - W + 1); j <= std::min(W - 1, j0); ++j)
      out[size_t(i * W + j)] = std::min(x[size_t(i * W + j)], x[size_t((i0 - i) * W + j0 - j)]);
  return out;
}

/// The brightest of some pixels that hold half of their light, found by halving: no full sort.
inline std::vector<int64_t> brightest_half(std::vector<float> const& x, std::vector<int64_t> const& pixels) {
  std::vector<std::pair<float, int64_t>> list;  // negative, so that the brightest comes first; equal ones by position
  double total = 0, sum = 0;
  for (int64_t k : pixels) list.emplace_back(-x[size_t(k)], k), total += double(x[size_t(k)]);
  size_t low = 0, high = list.size();  // the answer ends between them
  while (high - low > 1) {
    size_t middle = (low + high) / 2;
    auto at = [&](size_t k) { return list.begin() + std::ptrdiff_t(k); };
    std::nth_element(at(low), at(middle), at(high));
    double part = 0;
    for (size_t k = low; k < middle; ++k) part -= double(list[k].first);
    if (2 * (sum + part) >= total) high = middle;
    else sum += part, low = middle;
  }
  std::vector<int64_t> out;
  for (size_t k = 0; k < high; ++k) out.push_back(list[k].second);
  std::sort(out.begin(), out.end());
  return out;
}

/// The half-light segment of the mean of the channels. What lies on one side of the peak only is a neighbour and left
/// out; the threshold is three times the scatter of the border above its median.
inline HalfLight half_light(float const* x, int64_t H, int64_t W, int64_t C) {
  HalfLight out;
  std::vector<float> mean(size_t(H * W));
  for (int64_t k = 0; k < H * W; ++k) mean[size_t(k)] = C == 1 ? x[k] : (x[3 * k] + x[3 * k + 1] + x[3 * k + 2]) / 3;
  int64_t depth = std::max<int64_t>(1, std::min(H, W) / 8);
  std::vector<double> border;
  for (int64_t i = 0; i < H; ++i)
    for (int64_t j = 0; j < W; ++j)
      if (i < depth || j < depth || i >= H - depth || j >= W - depth) border.push_back(double(mean[size_t(i * W + j)]));
  out.sky = vision::quantile(border, 0.5);
  for (double& v : border) v = std::abs(v - out.sky);
  out.scatter = 1.4826 * vision::quantile(border, 0.5);
  // not below the rounding of light near 1: a border without any noise
  float threshold = std::max(3 * float(out.scatter), 1e-5f);
  for (float& v : mean) v -= float(out.sky);
  int64_t peak = central_peak(mean, H, W, threshold);
  if (peak < 0) {
    double reach = double(std::min(H, W)) / 8;
    for (int64_t k = 0; k < H * W; ++k)
      if (std::hypot(double(k / W) - double(H - 1) / 2, double(k % W) - double(W - 1) / 2) <= reach)
        out.pixels.push_back(k);
    return out;
  }
  std::vector<float> symmetric = symmetric_part(mean, H, W, peak);
  out.pixels = brightest_half(symmetric, flood(symmetric, H, W, peak, threshold));
  for (int64_t k : out.pixels) out.light += double(mean[size_t(k)]);
  out.found = true;
  return out;
}

/// The picture from `low` to `high` of a line, as m pixels: beyond the ends it is dark.
inline vision::LineMap dark_window(int64_t n, double low, double high, int64_t m) {
  vision::LineMap map = vision::window_map(n, low, high, m);
  double step = (high - low) / double(m);
  for (int64_t i = 0; i < m; ++i) {
    double from = low + double(i) * step, inside = std::min(from + step, double(n)) - std::max(from, 0.0);
    if (inside < 0.5 * step) map.rows[size_t(i)] = {0, {0.0}};
  }
  return map;
}

/// One picture: bodies of degrade_appearance().
class Degrading {
 public:
  Degrading(Appearance const& a, AppearanceOptions const& o, int64_t H, int64_t W, int64_t C)
      : a_(a), o_(o), H_(H), W_(W), C_(C), size_h_(o.size ? o.size : H), size_w_(o.size ? o.size : W) {}

  void run(float const* picture, Random& random) {
    Tensor light = linear(picture);
    HalfLight before = half_light(light.data<float>(), H_, W_, C_);
    double r_e = std::sqrt(double(before.pixels.size()) / std::numbers::pi);
    shrink = a_.re_over_fwhm > 0 ? std::clamp(r_e / (a_.re_over_fwhm * a_.fwhm), 1.0, 8.0) : a_.shrink;
    re_over_fwhm = r_e / shrink / a_.fwhm;
    for (float& v : light.host<float>()) v -= float(before.sky);
    clean = smaller(light);
    noisy = clean.clone();
    int64_t side = std::min(size_h_, size_w_), frame = int64_t(double(side) * (1 - 1 / a_.enlarge) / 2);
    ContaminationOptions objects = o_.objects;
    objects.scheme = a_.contaminants;
    // the light of half the galaxy is in the segment; a picture of nothing gets objects too
    double flux = before.found ? 2 * before.light / (shrink * shrink) : 0.5;
    contaminants = add_contaminants(noisy, random, flux, objects, frame);
    if (a_.trail > 0 && random.uniform() < a_.trail) {
      auto seen = double(side - 2 * frame);
      contaminants.push_back(add_random_trail(noisy, random, trail_brightness(flux, seen), seen));
    }
    clean = blurred(clean);
    noisy = contaminants.empty() ? clean.clone() : blurred(noisy);
    HalfLight after = half_light(clean.data<float>(), size_h_, size_w_, C_);
    if (o_.twice) second = noisy.clone();
    double const added = missing_noise(after);
    for (Tensor* x : {&noisy, &second})
      if (x->defined()) add_noise(*x, added, random);
    if (a_.enlarge > 1) {
      for (Tensor* x : {&clean, &noisy, &second})
        if (x->defined()) *x = enlarged(*x);
      after.pixels = enlarged(after.pixels);
    }
    segment = std::move(after.pixels);
    stretch = vision::fit_stretch(noisy, o_.stretch);
    for (Tensor* x : {&clean, &noisy, &second})
      if (x->defined()) *x = stretch.apply(*x);
  }

  Tensor noisy, clean, second;
  std::vector<int64_t> segment;
  std::vector<Contaminant> contaminants;
  vision::Stretch stretch;
  double snr = 0, sigma = 0, re_over_fwhm = 0, shrink = 1;

 private:
  Tensor linear(float const* picture) const {
    Tensor light = empty({H_, W_, C_}, vision::host_tensor());
    float unit = float(std::asinh(1 / o_.softness)), soft = float(o_.softness);
    float* out = light.data<float>();
    for (int64_t k = 0; k < light.numel(); ++k) out[k] = soft * std::sinh(picture[k] * unit);
    return light;
  }
  Tensor smaller(Tensor const& light) const {
    if (shrink == 1 && size_h_ == H_ && size_w_ == W_) return light.clone();
    auto map = [&](int64_t n, int64_t m) {
      double middle = double(n) / 2, reach = double(m) * shrink / 2;
      return dark_window(n, middle - reach, middle + reach, m);
    };
    return vision::apply("degrade_appearance", map(H_, size_h_), map(W_, size_w_), light);
  }
  Tensor enlarged(Tensor const& x) const {
    auto map = [&](int64_t n) {
      double middle = double(n) / 2, reach = double(n) / a_.enlarge / 2;
      return vision::window_map(n, middle - reach, middle + reach, n);
    };
    return vision::apply("degrade_appearance", map(size_h_), map(size_w_), x);
  }
  /// Each pixel of the result that lies in one of these.
  std::vector<int64_t> enlarged(std::vector<int64_t> const& pixels) const {
    std::vector<char> inside(size_t(size_h_ * size_w_));
    for (int64_t k : pixels) inside[size_t(k)] = 1;
    auto source = [&](int64_t i, int64_t n) {
      double middle = double(n) / 2;
      return int64_t(middle + (double(i) + 0.5 - middle) / a_.enlarge);
    };
    std::vector<int64_t> out;
    for (int64_t i = 0; i < size_h_; ++i)
      for (int64_t j = 0; j < size_w_; ++j)
        if (inside[size_t(source(i, size_h_) * size_w_ + source(j, size_w_))]) out.push_back(i * size_w_ + j);
    return out;
  }
  Tensor blurred(Tensor const& x) const {
    return a_.fwhm > 0 ? vision::gaussian_filter(x, a_.fwhm / std::sqrt(8 * std::log(2.0)), 3) : x.clone();
  }
  /// How much the wanted S/N needs: the picture has some noise of its own. Sets sigma and snr.
  double missing_noise(HalfLight const& galaxy) {
    double root = std::sqrt(double(galaxy.pixels.size()));
    // nothing in the middle: noise as for a galaxy a twentieth as bright as white
    double wanted = (galaxy.found ? galaxy.light : 0.05 * root * root) / (root * a_.snr);
    double added = std::sqrt(std::max(0.0, wanted * wanted - galaxy.scatter * galaxy.scatter));
    sigma = std::hypot(added, galaxy.scatter);
    snr = galaxy.found ? galaxy.light / (root * sigma) : std::numeric_limits<double>::quiet_NaN();
    return added;
  }
  void add_noise(Tensor& x, double added, Random& random) const {
    if (added == 0) return;
    DrizzleNoise noise(a_.correlation);
    for (int64_t c = 0; c < C_; ++c)
      noise.add(x.data<float>() + c, size_h_, size_w_, C_, added * std::sqrt(double(C_)), 1e30, random);
  }

  Appearance const& a_;
  AppearanceOptions const& o_;
  int64_t H_, W_, C_, size_h_, size_w_;
};

inline void check_appearance(Appearance const& a) {
  require<ValueError>(a.snr > 0 && a.shrink >= 1 && a.shrink <= 64 && a.re_over_fwhm >= 0 && a.fwhm >= 0 &&
                          (a.fwhm > 0 || a.re_over_fwhm == 0) && a.trail >= 0 && a.trail <= 1 && a.enlarge >= 1 &&
                          a.enlarge <= 64,
                      "degrade_appearance: snr ", a.snr, ", shrink ", a.shrink, ", re_over_fwhm ", a.re_over_fwhm,
                      ", fwhm ", a.fwhm, ", trail ", a.trail, ", enlarge ", a.enlarge,
                      "; snr > 0, shrink and enlarge 1 to 64, trail 0 to 1, fwhm > 0 where re_over_fwhm is given");
}

}  // namespace detail

/// Pictures of galaxies made smaller, blurred, contaminated and noisy, each in its own way. At the level of appearance
/// only: see the head of this file.
/// Light = softness sinh(picture asinh(1 / softness)), minus the median of its border; area means when it shrinks, dark
/// beyond the input; objects; a Gaussian PSF; noise of DrizzleNoise; vision::fit_stretch.
/// Shapes   pictures (H,W,C) or (N,H,W,C) float32 in [0, 1], C = 1 or 3; `each` one entry for each picture.
/// Cost     some 0.5 ms for 64 x 64 pixels of one channel.       Deterministic  for the state of `random`, any threads.
/// Errors   ShapeError for another shape or number of entries; ValueError for a pixel outside [0, 1] or bad numbers.
inline Degraded degrade_appearances(Tensor const& pictures, std::vector<Appearance> const& each, Random& random,
                                    AppearanceOptions const& o = {}) {
  vision::Extent e = vision::extent_of("degrade_appearance", pictures.shape());
  require<ShapeError>(pictures.rank() > 2 && (e.C == 1 || e.C == 3) && e.H > 7 && e.W > 7,
                      "degrade_appearance: the "
                      "pictures are ",
                      pictures.shape(), "; (H,W,C) or (N,H,W,C) with 1 or 3 channels is needed");
  require<ShapeError>(int64_t(each.size()) == e.N, "degrade_appearance: ", each.size(), " appearances for ", e.N,
                      " pictures; one for each is needed");
  require<ValueError>(o.softness > 0 && (o.size == 0 || o.size > 7), "degrade_appearance: softness ", o.softness,
                      ", size ", o.size, "; softness > 0 and a size above 7 are needed");
  for (Appearance const& a : each) detail::check_appearance(a), DrizzleNoise(a.correlation);
  Tensor in = vision::on_host("degrade_appearance", pictures);
  constexpr float rounding = 4 * std::numeric_limits<float>::epsilon();  // of a bilinear sample of pixels in [0, 1]
  for (float v : in.host<float>())
    require<ValueError>(v >= -rounding && v <= 1 + rounding, "degrade_appearance: a pixel is ", v,
                        "; pictures lie in [0, 1]");
  int64_t h = o.size ? o.size : e.H, w = o.size ? o.size : e.W;
  Degraded out;
  out.noisy = empty(vision::resized(in.shape(), h, w), in.like());
  out.clean = empty(out.noisy.shape(), in.like());
  if (o.twice) out.second = empty(out.noisy.shape(), in.like());
  Shape flat = in.rank() == 4 ? Shape{e.N, h, w} : Shape{h, w};
  out.segment = zeros(flat, vision::host_tensor(DType::u8));
  size_t count = size_t(e.N);
  for (auto* list : {&out.snr, &out.sigma, &out.re_over_fwhm, &out.shrink}) list->resize(count);
  out.contaminants.resize(count), out.stretch.resize(count);
  uint64_t seed = uint64_t(random.next()) << 32 | random.next();
  parallel_tasks(e.N, [&](int64_t n) {
    Random own(seed, uint64_t(n));
    size_t k = size_t(n);
    detail::Degrading one(each[k], o, e.H, e.W, e.C);
    one.run(in.data<float>() + n * e.picture(), own);
    auto put = [&](Tensor const& from, Tensor& to) {
      std::copy_n(from.data<float>(), h * w * e.C, to.data<float>() + n * h * w * e.C);
    };
    put(one.noisy, out.noisy), put(one.clean, out.clean);
    if (o.twice) put(one.second, out.second);
    for (int64_t pixel : one.segment) out.segment.data<uint8_t>()[n * h * w + pixel] = 1;
    out.snr[k] = one.snr, out.sigma[k] = one.sigma, out.re_over_fwhm[k] = one.re_over_fwhm, out.shrink[k] = one.shrink;
    out.contaminants[k] = std::move(one.contaminants), out.stretch[k] = std::move(one.stretch);
  });
  return out;
}
/// All pictures in the same way, with noise and objects of their own.
inline Degraded degrade_appearance(Tensor const& pictures, Appearance const& all, Random& random,
                                   AppearanceOptions const& o = {}) {
  int64_t N = vision::extent_of("degrade_appearance", pictures.shape()).N;
  return degrade_appearances(pictures, std::vector<Appearance>(size_t(N), all), random, o);
}

/// Bounds between which appearances are drawn: S/N and shrink (or R_e / FWHM) uniform in the logarithm.
struct AppearanceRange {
  double least_snr = 3, most_snr = 100;
  double least_shrink = 1, most_shrink = 4;
  double least_re_over_fwhm = 0, most_re_over_fwhm = 0;  ///< when positive, these instead of shrink
  double fwhm = 2;
  double least_correlation = 0, most_correlation = 0.5;
  Scheme contaminants = Scheme::none;
};

inline Appearance draw_appearance(Random& random, AppearanceRange const& r = {}) {
  auto between = [&](double low, double high) {
    require<ValueError>(low > 0 && high >= low, "draw_appearance: from ", low, " to ", high,
                        "; positive bounds are needed, the lower first");
    return std::exp(random.uniform(std::log(low), std::log(high)));
  };
  Appearance a{.fwhm = r.fwhm, .contaminants = r.contaminants};
  a.snr = between(r.least_snr, r.most_snr);
  if (r.most_re_over_fwhm > 0) a.re_over_fwhm = between(r.least_re_over_fwhm, r.most_re_over_fwhm);
  else a.shrink = between(r.least_shrink, r.most_shrink);
  a.correlation = random.uniform(r.least_correlation, r.most_correlation);
  return a;
}

}  // namespace d16::sim
