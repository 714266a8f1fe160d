// The Sersic profile that fits an image best: Levenberg-Marquardt, seen through the PSF, with errors.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <numbers>
#include <optional>
#include <string>
#include <vector>

#include "../sim/fft.hpp"
#include "../sim/sersic.hpp"
#include "image.hpp"

namespace d16::vision {

struct SersicFitOptions {
  Tensor psf = {};      ///< (A,B) with odd sides, its peak in the middle; made to sum to 1. Undefined: none
  Tensor error = {};    ///< (H,W), 1 sigma of each pixel
  double sigma = 1;     ///< the same for all pixels, where there is no `error`
  Tensor mask = {};     ///< (H,W) not 0: left out
  bool fit_sky = true;  ///< a constant level too; else it is 0
  int oversample = 0;   ///< points of a pixel's side; 0: 15 near the centre of the start, falling to 1
  int most_steps = 100;
  double least_n = 0.2, most_n = 8, least_q = 0.05;
};

/// Bits of SersicFit::limits: what stopped at the end of its range. Its error and those of the others are then too small.
enum SersicLimit : int32_t { sersic_limit_place = 1, sersic_limit_size = 2, sersic_limit_n = 4, sersic_limit_q = 8 };

struct SersicErrors {
  double x0, y0, flux, r_eff, n, q, theta, sky;
};

struct SersicFit {
  sim::Sersic profile;  ///< r_eff: major half axis of the ellipse with half of the light
  double flux = 0;      ///< of the whole profile, to infinity
  double sky = 0;
  SersicErrors error{};  ///< 1 sigma, from the covariance; for noise without correlation
  double chi2 = 0;       ///< sum of (residual / sigma)^2
  int64_t degrees = 0;   ///< pixels less parameters
  int steps = 0;
  bool converged = false;
  int32_t limits = 0;
  std::string reason = {};  ///< why it did not converge
  Tensor model = {};        ///< (H,W) float32, with the PSF and the sky
  double reduced_chi2() const { return chi2 / double(degrees); }
};

namespace detail {

/// Convolution of pairs of images with one PSF; dark beyond the image.
class PsfConvolution {
 public:
  virtual ~PsfConvolution() = default;
  virtual void operator()(std::vector<double>& a, std::vector<double>& b) const = 0;
};

template <int n> class PsfConvolutionOf : public PsfConvolution {
 public:
  PsfConvolutionOf(Tensor const& psf, int64_t H, int64_t W) : H_(H), W_(W) {
    int64_t A = psf.dim(0), B = psf.dim(1);
    double sum = 0;
    auto visit = [&](auto const& f) {
      for (int64_t i = 0; i < A; ++i)
        for (int64_t j = 0; j < B; ++j)
          if (int64_t y = i - A / 2, x = j - B / 2; std::abs(y) <= n - H && std::abs(x) <= n - W)
            f(psf.data<float>()[i * B + j], (y + n) % n * n + (x + n) % n);
    };
    visit([&](float v, int64_t) { sum += double(v); });
    require<ValueError>(sum > 0, "fit_sersic: the PSF sums to ", sum, "; it must be positive");
    sim::detail::Plane<n> plane;
    visit([&](float v, int64_t at) { plane.re[size_t(at)] = float(double(v) / sum); });
    sim::HalfSpectrum<n> nothing;
    sim::transform_pair(plane, n, psf_, nothing);
  }

  void operator()(std::vector<double>& a, std::vector<double>& b) const override {
    int used = int((W_ + 15) / 16 * 16);
    sim::detail::Plane<n> plane;
    for (int64_t i = 0; i < H_; ++i)
      for (int64_t j = 0; j < W_; ++j)
        plane.re[size_t(i * n + j)] = float(a[size_t(i * W_ + j)]),
                                plane.im[size_t(i * n + j)] = float(b[size_t(i * W_ + j)]);
    sim::HalfSpectrum<n> fa, fb;
    sim::transform_pair(plane, used, fa, fb);
    for (sim::HalfSpectrum<n>* f : {&fa, &fb})
      for (size_t k = 0; k < psf_.re.size(); ++k) {
        float re = f->re[k] * psf_.re[k] - f->im[k] * psf_.im[k];
        f->im[k] = f->re[k] * psf_.im[k] + f->im[k] * psf_.re[k];
        f->re[k] = re;
      }
    sim::inverse_pair(fa, fb, plane, used);
    for (int64_t i = 0; i < H_; ++i)
      for (int64_t j = 0; j < W_; ++j)
        a[size_t(i * W_ + j)] = double(plane.re[size_t(i * n + j)]),
                          b[size_t(i * W_ + j)] = double(plane.im[size_t(i * n + j)]);
  }

 private:
  int64_t H_, W_;
  sim::HalfSpectrum<n> psf_;
};

inline std::unique_ptr<PsfConvolution> psf_convolution(Tensor const& psf, int64_t H, int64_t W) {
  if (!psf.defined()) return nullptr;
  require<ShapeError>(psf.rank() == 2 && psf.dim(0) % 2 == 1 && psf.dim(1) % 2 == 1, "fit_sersic: the PSF is ",
                      psf.shape(), "; (A,B) with odd sides is needed");
  Tensor kernel = on_host("fit_sersic", psf).cast(DType::f32);
  int64_t side = std::max(H, W), reach = std::min(std::max(psf.dim(0), psf.dim(1)) / 2, side / 2);
  if (side + reach <= 64) return std::make_unique<PsfConvolutionOf<64>>(kernel, H, W);
  if (side + reach <= 128) return std::make_unique<PsfConvolutionOf<128>>(kernel, H, W);
  if (side + reach <= 256) return std::make_unique<PsfConvolutionOf<256>>(kernel, H, W);
  require<ValueError>(side + reach <= 512, "fit_sersic: the image has ", H, "x", W,
                      " pixels; with a PSF at most 340 on a side, cut out the object");
  return std::make_unique<PsfConvolutionOf<512>>(kernel, H, W);
}

/// What is fitted: centre, logarithms of flux, circular radius sqrt(q) r_eff and index, and the ellipse as
/// e = (1 - q^2) / (1 + q^2) towards twice its angle, which is smooth where it is round; then the sky.
enum SersicParameter { at_x, at_y, at_flux, at_radius, at_n, at_e1, at_e2, at_sky };
constexpr int sersic_parameters = 8;
using SersicVector = std::array<double, sersic_parameters>;

inline SersicVector sersic_vector(sim::Sersic const& s, double flux, double sky) {
  double e = (1 - s.q * s.q) / (1 + s.q * s.q);
  return {s.x0,
          s.y0,
          std::log(flux),
          std::log(s.r_eff * std::sqrt(s.q)),
          std::log(s.n),
          e * std::cos(2 * s.theta),
          e * std::sin(2 * s.theta),
          sky};
}
inline double axis_ratio(SersicVector const& p) {
  double e = std::hypot(p[at_e1], p[at_e2]);
  return std::sqrt((1 - e) / (1 + e));
}
inline sim::Sersic sersic_of(SersicVector const& p) {
  sim::Sersic s{.r_eff = std::exp(p[at_radius]) / std::sqrt(axis_ratio(p)),
                .n = std::exp(p[at_n]),
                .q = axis_ratio(p),
                .theta = std::atan2(p[at_e2], p[at_e1]) / 2,
                .x0 = p[at_x],
                .y0 = p[at_y]};
  return s.with_flux(std::exp(p[at_flux]));
}

/// The profile of unit radius and flux, and how its logarithm changes with n.
struct SersicNorm {
  double n, b, slope_b, log_amplitude, slope_amplitude;  // slopes: by the logarithm of n
  explicit SersicNorm(double index) : n(index) {
    double const h = 1e-4;  // b is right to rounding: the difference is good to 1e-9
    auto log_of = [](double k, double bk) {
      return -std::log(2 * std::numbers::pi * k) - bk + 2 * k * std::log(bk) - std::lgamma(2 * k);
    };
    double up = n * std::exp(h), down = n * std::exp(-h), b_up = sim::sersic_b(up), b_down = sim::sersic_b(down);
    b = sim::sersic_b(n), slope_b = (b_up - b_down) / (2 * h);
    log_amplitude = log_of(n, b), slope_amplitude = (log_of(up, b_up) - log_of(down, b_down)) / (2 * h);
  }
};

/// The image of a profile and its derivatives by the parameters.
class SersicImage {
 public:
  using Planes = std::array<std::vector<double>, sersic_parameters>;  // [at_flux] is the image: d/d ln flux

  SersicImage(int64_t H, int64_t W, sim::Sersic const& start, SersicFitOptions const& o)
      : H_(H), W_(W), psf_(psf_convolution(o.psf, H, W)), points_(size_t(H * W)) {
    for (int64_t i = 0; i < H * W; ++i) {
      double r = std::hypot(double(i % W) - start.x0, double(i / W) - start.y0);
      points_[size_t(i)] = o.oversample > 0 ? o.oversample : r < 2 ? 15 : r < 5 ? 5 : r < 10 ? 3 : 1;
    }
  }

  Planes operator()(SersicVector const& p) const {
    Planes planes;
    for (std::vector<double>& plane : planes) plane.resize(size_t(H_ * W_));
    SersicNorm norm(std::exp(p[at_n]));
    for (int64_t i = 0; i < H_ * W_; ++i) add_pixel(p, norm, i, planes);
    if (!psf_) return planes;
    std::vector<double> nothing(planes[0].size());
    (*psf_)(planes[at_flux], planes[at_x]);
    (*psf_)(planes[at_y], planes[at_radius]);
    (*psf_)(planes[at_n], planes[at_e1]);
    (*psf_)(planes[at_e2], nothing);
    return planes;
  }

 private:
  void add_pixel(SersicVector const& p, SersicNorm const& norm, int64_t pixel, Planes& planes) const {
    int points = points_[size_t(pixel)];
    double radius = std::exp(p[at_radius]), scale = std::exp(p[at_flux]) / (radius * radius) / (points * points);
    double e1 = p[at_e1], e2 = p[at_e2], s2 = 1 - e1 * e1 - e2 * e2, s = std::sqrt(s2);
    double soft = 0.01 / (points * points);  // a tenth of the grid's step: a point on the cusp would trap the search
    SersicVector sums{};
    for (int k = 0; k < points * points; ++k) {
      double dx = double(pixel % W_) - p[at_x] + (k % points + 0.5) / points - 0.5,
             dy = double(pixel / W_) - p[at_y] + (k / points + 0.5) / points - 0.5;
      double square = ((1 - e1) * dx * dx - 2 * e2 * dx * dy + (1 + e1) * dy * dy) / s;
      double r = std::sqrt(square + soft), log_r = std::log(r / radius);
      double power = std::exp(log_r / norm.n);
      double light = scale * std::exp(norm.log_amplitude + norm.b * (1 - power));
      double fall = -norm.b / norm.n * power * light;  // d light / d ln r
      double by_square = fall / (2 * r * r);
      sums[at_flux] += light;
      sums[at_x] -= by_square * 2 * ((1 - e1) * dx - e2 * dy) / s;
      sums[at_y] -= by_square * 2 * ((1 + e1) * dy - e2 * dx) / s;
      sums[at_radius] -= 2 * light + fall;
      sums[at_n] += light * (norm.slope_amplitude + norm.slope_b * (1 - power) + norm.b * power * log_r / norm.n);
      sums[at_e1] += by_square * ((dy * dy - dx * dx) / s + square * e1 / s2);
      sums[at_e2] += by_square * (-2 * dx * dy / s + square * e2 / s2);
    }
    for (int k = 0; k < at_sky; ++k) planes[size_t(k)][size_t(pixel)] = sums[size_t(k)];
  }

  int64_t H_, W_;
  std::unique_ptr<PsfConvolution> psf_;
  std::vector<int> points_;
};

using SersicMatrix = std::array<SersicVector, sersic_parameters>;

/// The inverse of a symmetric positive matrix by Cholesky's factors; nothing when it is not positive.
inline std::optional<SersicMatrix> inverse(SersicMatrix a) {
  constexpr int n = sersic_parameters;
  SersicVector scale;
  for (int i = 0; i < n; ++i) {
    if (!(a[size_t(i)][size_t(i)] > 0)) return {};
    scale[size_t(i)] = 1 / std::sqrt(a[size_t(i)][size_t(i)]);
  }
  SersicMatrix l{}, out{};
  for (size_t i = 0; i < n; ++i)
    for (size_t j = 0; j <= i; ++j) {
      double sum = a[i][j] * scale[i] * scale[j];
      for (size_t k = 0; k < j; ++k) sum -= l[i][k] * l[j][k];
      if (i == j && !(sum > 1e-14)) return {};
      l[i][j] = i == j ? std::sqrt(sum) : sum / l[j][j];
    }
  for (size_t column = 0; column < n; ++column) {
    SersicVector y{};
    for (size_t i = 0; i < n; ++i) {
      double sum = i == column ? 1 : 0;
      for (size_t k = 0; k < i; ++k) sum -= l[i][k] * y[k];
      y[i] = sum / l[i][i];
    }
    for (size_t i = n; i-- > 0;) {
      double sum = y[i];
      for (size_t k = i + 1; k < n; ++k) sum -= l[k][i] * out[k][column];
      out[i][column] = sum / l[i][i];
    }
  }
  for (size_t i = 0; i < n; ++i)
    for (size_t j = 0; j < n; ++j) out[i][j] *= scale[i] * scale[j];
  return out;
}

/// The search itself.
class SersicSearch {
 public:
  SersicSearch(Tensor const& image, sim::Sersic const& start, SersicFitOptions const& o)
      : o_(o), H_(image.dim(0)), W_(image.dim(1)), make_(H_, W_, start, o) {
    auto doubles = [](Tensor const& x) {
      Tensor in = on_host("fit_sersic", x).cast(DType::f64);
      return std::vector<double>(in.data<double>(), in.data<double>() + in.numel());
    };
    value_ = doubles(image);
    std::vector<double> sigma = o.error.defined() ? doubles(o.error) : std::vector<double>(value_.size(), o.sigma);
    std::vector<double> masked = o.mask.defined() ? doubles(o.mask) : std::vector<double>(value_.size(), 0.0);
    for (size_t i = 0; i < value_.size(); ++i) {
      bool good = std::isfinite(value_[i]) && std::isfinite(sigma[i]) && sigma[i] > 0 && masked[i] == 0;
      weight_.push_back(good ? 1 / (sigma[i] * sigma[i]) : 0);
      pixels_ += good;
    }
    require<ValueError>(pixels_ > sersic_parameters, "fit_sersic: ", pixels_, " usable pixels for ", sersic_parameters,
                        " parameters; mask less or give a larger cutout");
  }

  SersicFit run(sim::Sersic const& start) {
    double sky = 0, flux = first_flux(start, sky);
    p_ = inside(sersic_vector(start, flux, sky));
    look(p_);
    SersicFit fit;
    double damping = 1e-2;
    for (; fit.steps < o_.most_steps && !fit.converged; ++fit.steps) {
      auto covariance = inverse(damped(0));
      if (SersicVector move; covariance && is_small(move = newton(*covariance))) {
        for (size_t k = 0; k < move.size(); ++k) p_[k] += move[k];  // the errors are those at rest
        look(p_ = inside(p_));
        fit.converged = true;
        break;
      }
      if (!step(damping)) {
        fit.reason = "no step makes the residuals smaller";
        break;
      }
    }
    if (!fit.converged && fit.reason.empty()) fit.reason = text("not at rest after ", fit.steps, " steps");
    finish(fit);
    return fit;
  }

 private:
  /// The flux, and the sky, that fit best for the shape of the start: a line through the pixels.
  double first_flux(sim::Sersic const& start, double& sky) {
    SersicVector p = sersic_vector(start, 1, 0);
    std::vector<double> unit = make_(p)[at_flux];
    double w = 0, u = 0, v = 0, uu = 0, uv = 0;
    for (size_t i = 0; i < unit.size(); ++i) {
      if (weight_[i] == 0) continue;
      w += weight_[i], u += weight_[i] * unit[i], v += weight_[i] * value_[i];
      uu += weight_[i] * unit[i] * unit[i], uv += weight_[i] * unit[i] * value_[i];
    }
    double flux = o_.fit_sky ? (w * uv - u * v) / (w * uu - u * u) : uv / uu;
    sky = o_.fit_sky ? (v - flux * u) / w : 0;
    double least = 1e-3 * std::sqrt(1 / uu);  // a thousandth of its error, where the light is not positive
    if (flux > least) return flux;
    sky = o_.fit_sky ? v / w : 0;
    return least;
  }

  /// The parameters within their ranges.
  SersicVector inside(SersicVector p) const {
    double e = std::hypot(p[at_e1], p[at_e2]);
    if (e > most_e()) p[at_e1] *= most_e() / e, p[at_e2] *= most_e() / e;
    p[at_x] = std::clamp(p[at_x], -0.5, double(W_) - 0.5), p[at_y] = std::clamp(p[at_y], -0.5, double(H_) - 0.5);
    p[at_n] = std::clamp(p[at_n], std::log(o_.least_n), std::log(o_.most_n));
    p[at_radius] = std::clamp(p[at_radius], std::log(least_radius), std::log(double(4 * std::max(H_, W_))));
    return p;
  }
  double most_e() const { return (1 - o_.least_q * o_.least_q) / (1 + o_.least_q * o_.least_q); }
  int32_t limits() const {
    double near = 1e-9;
    int32_t out = 0;
    if (p_[at_x] < near - 0.5 || p_[at_y] < near - 0.5 || p_[at_x] > double(W_) - 0.5 - near ||
        p_[at_y] > double(H_) - 0.5 - near)
      out |= sersic_limit_place;
    if (p_[at_radius] < std::log(least_radius) + near || p_[at_radius] > std::log(double(4 * std::max(H_, W_))) - near)
      out |= sersic_limit_size;
    if (p_[at_n] < std::log(o_.least_n) + near || p_[at_n] > std::log(o_.most_n) - near) out |= sersic_limit_n;
    if (std::hypot(p_[at_e1], p_[at_e2]) > most_e() - near) out |= sersic_limit_q;
    return out;
  }

  double chi2_of(SersicImage::Planes const& planes, double sky) const {
    double sum = 0;
    for (size_t i = 0; i < value_.size(); ++i)
      if (weight_[i] > 0) sum += weight_[i] * std::pow(value_[i] - planes[at_flux][i] - sky, 2);
    return sum;
  }

  /// Residuals, gradient and curvature at p.
  void look(SersicVector const& p) {
    planes_ = make_(p);
    chi2_ = chi2_of(planes_, p[at_sky]);
    curvature_ = {}, gradient_ = {};
    for (size_t i = 0; i < value_.size(); ++i) {
      if (weight_[i] == 0) continue;
      SersicVector slope;
      for (size_t k = 0; k < at_sky; ++k) slope[k] = planes_[k][i];
      slope[at_sky] = 1;
      double residual = value_[i] - planes_[at_flux][i] - p[at_sky];
      for (size_t k = 0; k < slope.size(); ++k) {
        gradient_[k] += weight_[i] * slope[k] * residual;
        for (size_t l = 0; l <= k; ++l) curvature_[k][l] += weight_[i] * slope[k] * slope[l];
      }
    }
    for (size_t k = 0; k < gradient_.size(); ++k)
      for (size_t l = 0; l < k; ++l) curvature_[l][k] = curvature_[k][l];
    hold();
  }
  /// What stands at the end of its range and would go beyond, or is not fitted, stays where it is.
  void hold() {
    int32_t at = limits();
    bool outwards = p_[at_e1] * gradient_[at_e1] + p_[at_e2] * gradient_[at_e2] > 0;
    bool n_up = p_[at_n] > std::log(o_.most_n) - 1e-6, r_up = p_[at_radius] > std::log(double(std::max(H_, W_)));
    auto fix = [&](bool yes, size_t k) {
      if (!yes) return;
      gradient_[k] = 0;
      for (size_t l = 0; l < gradient_.size(); ++l) curvature_[k][l] = curvature_[l][k] = 0;
      curvature_[k][k] = 1;
    };
    fix((at & sersic_limit_n) != 0 && (gradient_[at_n] > 0) == n_up, at_n);
    fix((at & sersic_limit_size) != 0 && (gradient_[at_radius] > 0) == r_up, at_radius);
    fix((at & sersic_limit_q) != 0 && outwards, at_e1);
    fix((at & sersic_limit_q) != 0 && outwards, at_e2);
    fix(!o_.fit_sky, at_sky);
  }

  SersicMatrix damped(double by) const {
    SersicMatrix a = curvature_;
    for (size_t k = 0; k < a.size(); ++k) a[k][k] *= 1 + by;
    return a;
  }
  SersicVector newton(SersicMatrix const& covariance) const {
    SersicVector out{};
    for (size_t k = 0; k < out.size(); ++k)
      for (size_t l = 0; l < out.size(); ++l) out[k] += covariance[k][l] * gradient_[l];
    return out;
  }
  /// Chi^2 would fall by less than 0.001, or by that part of its excess, so that no parameter would move by more than a
  /// thirtieth of its error. The FFT's 24 bits tell no smaller steps apart, nor a millionth of chi^2.
  bool is_small(SersicVector const& move) const {
    double fall = 0;
    for (size_t k = 0; k < move.size(); ++k) fall += move[k] * gradient_[k];
    return fall < std::max(1e-3 * std::max(1.0, chi2_ / double(pixels_ - sersic_parameters)), 1e-6 * chi2_);
  }

  /// One step downhill, damped until it is one. False when there is none.
  bool step(double& damping) {
    for (; damping < 1e12; damping *= 8) {
      auto inverted = inverse(damped(damping));
      if (!inverted) continue;
      SersicVector next = p_, move = newton(*inverted);
      for (size_t k = 0; k < next.size(); ++k) next[k] += std::clamp(move[k], -longest(k), longest(k));
      next = inside(next);
      SersicImage::Planes planes = make_(next);
      if (!(chi2_of(planes, next[at_sky]) < chi2_)) continue;
      p_ = next, damping = std::max(damping / 10, 1e-9);
      look(p_);
      return true;
    }
    return false;
  }
  /// No parameter goes further than this in one step: beyond, the derivatives say nothing.
  double longest(size_t k) const {
    if (k == at_x || k == at_y) return 0.1 * double(std::max(H_, W_));
    if (k == at_sky) return std::numeric_limits<double>::infinity();
    return k == at_flux || k == at_radius ? 1.0 : 0.5;
  }

  void finish(SersicFit& fit) {
    double nan = std::numeric_limits<double>::quiet_NaN();
    fit.profile = sersic_of(p_), fit.flux = std::exp(p_[at_flux]), fit.sky = p_[at_sky];
    fit.chi2 = chi2_, fit.degrees = pixels_ - sersic_parameters + !o_.fit_sky, fit.limits = limits();
    fit.model = empty({H_, W_}, host_tensor());
    for (size_t i = 0; i < value_.size(); ++i) fit.model.data<float>()[i] = float(planes_[at_flux][i] + fit.sky);
    auto covariance = inverse(curvature_);
    if (!covariance) {
      fit.error = {nan, nan, nan, nan, nan, nan, nan, nan};
      fit.converged = false, fit.reason = "the pixels do not determine all parameters";
      return;
    }
    double e = std::hypot(p_[at_e1], p_[at_e2]), q = axis_ratio(p_), falls = 1 / (1 - e * e);
    double c = e > 0 ? p_[at_e1] / e : 1, s = e > 0 ? p_[at_e2] / e : 0, least = std::max(e, 1e-9);
    auto error = [&](SersicVector const& slope) {
      double variance = 0;
      for (size_t k = 0; k < slope.size(); ++k)
        for (size_t l = 0; l < slope.size(); ++l) variance += slope[k] * (*covariance)[k][l] * slope[l];
      return std::sqrt(variance);
    };
    fit.error.x0 = error({1}), fit.error.y0 = error({0, 1});
    fit.error.flux = fit.flux * error({0, 0, 1});
    fit.error.r_eff = fit.profile.r_eff * error({0, 0, 0, 1, 0, c * falls / 2, s * falls / 2});
    fit.error.n = fit.profile.n * error({0, 0, 0, 0, 1});
    fit.error.q = q * error({0, 0, 0, 0, 0, c * falls, s * falls});
    double unknown = std::numbers::pi / std::sqrt(12.0);  // of an angle of which nothing is known
    fit.error.theta = std::min(unknown, error({0, 0, 0, 0, 0, -s / (2 * least), c / (2 * least)}));
    fit.error.sky = o_.fit_sky ? error({0, 0, 0, 0, 0, 0, 0, 1}) : 0;
  }

  static constexpr double least_radius = 0.05;
  SersicFitOptions const& o_;
  int64_t H_, W_, pixels_ = 0;
  SersicImage make_;
  std::vector<double> value_, weight_;
  SersicVector p_{}, gradient_{};
  SersicMatrix curvature_{};
  SersicImage::Planes planes_;
  double chi2_ = 0;
};

}  // namespace detail

/// Fits one Sersic profile, and a sky, to one band by weighted least squares: the model is the mean over each pixel,
/// convolved with the PSF. `start` gives place, size, shape and index to begin with; its amplitude is not used.
/// Converged means that the next step would be below a thirtieth of each error. A fit that did not is returned as it
/// is, with the reason.
/// Shapes   image (H,W); error and mask as it; psf (A,B).      Units  pixels; flux and sky in the image's.
/// Cost     10 to 30 steps of 4 pairs of FFTs: some 50 ms for 64x64 pixels with a PSF.      Deterministic  yes.
/// Errors   ShapeError for other ranks and sizes; ValueError for a start out of range and fewer pixels than parameters.
/// Source   Marquardt 1963, J. SIAM 11, 431; profile as sim::Sersic.
inline SersicFit fit_sersic(Tensor const& image, sim::Sersic const& start, SersicFitOptions const& o = {}) {
  require<ShapeError>(image.rank() == 2 && image.numel() > 0, "fit_sersic: the image is ", image.shape(),
                      "; one band (H,W) with pixels is needed");
  for (Tensor const* other : {&o.error, &o.mask})
    if (other->defined())
      require<ShapeError>(other->shape() == image.shape(), "fit_sersic: error or mask is ", other->shape(),
                          ", the image ", image.shape(), "; they must be equal");
  bool good = start.r_eff > 0 && start.q > 0 && start.q <= 1 && start.n > 0 && std::isfinite(start.x0 + start.y0);
  require<ValueError>(good && o.sigma > 0 && o.least_n > 0 && o.most_n > o.least_n && o.most_n <= 20,
                      "fit_sersic: start with r_eff ", start.r_eff, ", q ", start.q, ", n ", start.n, "; sigma ",
                      o.sigma, "; they must be positive, q at most 1, indices at most 20");
  return detail::SersicSearch(image, start, o).run(start);
}

}  // namespace d16::vision
