// How close two images are: mse, mae, PSNR, SSIM; and how white what is between them.
#pragma once
#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "line_map.hpp"

namespace d16::vision {

namespace detail {

/// Mean over all elements of f(a - b), in double. Sums per row, so that the result does not depend on threads.
template <class F> double mean_difference(char const* op, Tensor const& a, Tensor const& b, F const& f) {
  require<ShapeError>(a.shape() == b.shape(), op, ": a is ", a.shape(), ", b is ", b.shape(), "; they must be equal");
  require<ShapeError>(a.numel() > 0, op, ": the images are ", a.shape(), ": they have no pixels");
  Tensor x = on_host(op, a).cast(DType::f64), y = on_host(op, b).cast(DType::f64);
  double const *p = x.data<double>(), *q = y.data<double>();
  int64_t grain = 4096;
  std::vector<double> partial(size_t((x.numel() + grain - 1) / grain));
  parallel_chunks(x.numel(), grain, [&](int64_t begin, int64_t end) {
    double sum = 0;
    for (int64_t i = begin; i < end; ++i) sum += f(p[i] - q[i]);
    partial[size_t(begin / grain)] = sum;
  });
  double sum = 0;
  for (double piece : partial) sum += piece;
  return sum / double(x.numel());
}

}  // namespace detail

/// Mean squared difference.       Shapes   equal, any.       Errors   ShapeError when they differ.
inline double mse(Tensor const& a, Tensor const& b) {
  return detail::mean_difference("vision::mse", a, b, [](double d) { return d * d; });
}
/// Mean absolute difference.      Shapes   equal, any.       Errors   ShapeError when they differ.
inline double mae(Tensor const& a, Tensor const& b) {
  return detail::mean_difference("vision::mae", a, b, [](double d) { return std::abs(d); });
}

/// Peak signal to noise ratio: 10 log10(data_range^2 / mse(a, b)), infinite for equal images.
/// Shapes   equal, any.        Units    decibel; data_range in the units of the pixels.
/// Deterministic  yes.         Errors   ShapeError, ValueError unless data_range > 0.
/// Source   skimage.metrics.peak_signal_noise_ratio.
inline double psnr(Tensor const& a, Tensor const& b, double data_range = 1) {
  require<ValueError>(data_range > 0, "psnr: data_range is ", data_range, "; it must be positive");
  return 10 *
         std::log10(data_range * data_range / detail::mean_difference("psnr", a, b, [](double d) { return d * d; }));
}

struct SsimOptions {
  double data_range = 1;
  bool gaussian_weights = false;
  double sigma = 1.5;                 ///< of the Gaussian window, which is cut at 3.5 sigma
  int64_t win_size = 0;               ///< side of the uniform window, odd; 0: 7, or what a Gaussian needs. A Gaussian
                                      ///< keeps its own side: win_size then sets the border and n only
  bool use_sample_covariance = true;  ///< divide by n - 1 instead of n
};

/// Structural similarity of each window:
/// (2 ma mb + c1)(2 sab + c2) / ((ma^2 + mb^2 + c1)(saa + sbb + c2)), c1 = (0.01 range)^2, c2 = (0.03 range)^2, with
/// m the means and s the (co)variances in the window. The border of half a window is left out.
/// Shapes   equal; (H,W), (H,W,C) or (N,H,W,C); the result has half a window less at each edge, float64.     Units  none; data_range in the units of the pixels.
/// Cost     10 * win_size multiplications a pixel.  Deterministic  yes.
/// Errors   ShapeError when the images differ or are smaller than the window; ValueError for an even window.
/// Source   Wang et al. 2004, IEEE TIP 13, 600; options and defaults of skimage.metrics.structural_similarity.
inline Tensor ssim_map(Tensor const& a, Tensor const& b, SsimOptions o = {}) {
  require<ShapeError>(a.shape() == b.shape(), "ssim: a is ", a.shape(), ", b is ", b.shape(), "; they must be equal");
  require<ValueError>(o.data_range > 0 && o.sigma > 0, "ssim: data_range is ", o.data_range, ", sigma is ", o.sigma,
                      "; they must be positive");
  Extent e = extent_of("ssim", a.shape());
  int64_t gaussian_radius = int64_t(3.5 * o.sigma + 0.5);
  int64_t size = o.win_size ? o.win_size : o.gaussian_weights ? 2 * gaussian_radius + 1 : 7;
  require<ValueError>(size > 0 && size % 2 == 1, "ssim: win_size is ", size, "; it must be odd");
  require<ShapeError>(size <= e.H && size <= e.W, "ssim: the images are ", a.shape(), ", the window is ", size, "x",
                      size, "; it must fit");
  require<ValueError>(size > 1 || !o.use_sample_covariance, "ssim: win_size 1 has no sample covariance");
  Tensor x = on_host("ssim", a).cast(DType::f64), y = on_host("ssim", b).cast(DType::f64);
  std::vector<double> window = o.gaussian_weights ? gaussian_kernel(o.sigma, gaussian_radius)
                                                  : std::vector<double>(size_t(size), 1.0 / double(size));
  LineMap vertical = correlation_map(e.H, window, size / 2), horizontal = correlation_map(e.W, window, size / 2);
  auto windowed = [&](auto const& product) {  // means over the windows of product(a, b)
    Tensor p = empty(a.shape(), host_tensor(DType::f64));
    parallel_for(a.numel(),
                 [&](int64_t i) { p.data<double>()[i] = product(x.data<double>()[i], y.data<double>()[i]); });
    return apply("ssim", vertical, horizontal, p);
  };
  Tensor ma = windowed([](double u, double) { return u; }), mb = windowed([](double, double v) { return v; });
  Tensor maa = windowed([](double u, double) { return u * u; }), mbb = windowed([](double, double v) { return v * v; });
  Tensor mab = windowed([](double u, double v) { return u * v; });
  double points = double(size * size), norm = o.use_sample_covariance ? points / (points - 1) : 1;
  double c1 = 1e-4 * o.data_range * o.data_range, c2 = 9e-4 * o.data_range * o.data_range;
  Tensor map = empty(ma.shape(), host_tensor(DType::f64));
  auto u = ma.host<double>(), v = mb.host<double>(), uu = maa.host<double>(), vv = mbb.host<double>(),
       uv = mab.host<double>();
  for (size_t i = 0; i < u.size(); ++i) {
    double saa = norm * (uu[i] - u[i] * u[i]), sbb = norm * (vv[i] - v[i] * v[i]), sab = norm * (uv[i] - u[i] * v[i]);
    map.data<double>()[i] =
        (2 * u[i] * v[i] + c1) * (2 * sab + c2) / ((u[i] * u[i] + v[i] * v[i] + c1) * (saa + sbb + c2));
  }
  return map;
}
/// The mean of ssim_map() over all windows and channels.
inline double ssim(Tensor const& a, Tensor const& b, SsimOptions o = {}) {
  Tensor map = ssim_map(a, b, o);
  double sum = 0;
  for (double value : map.host<double>()) sum += value;
  return sum / double(map.numel());
}

namespace detail {
/// The sum over the first axis of x[i] e^(-2 pi sqrt(-1) u i / n) for u = 0 .. n - 1, of n rows of m complex numbers.
inline void transform_rows(std::vector<double>& re, std::vector<double>& im, int64_t n, int64_t m) {
  std::vector<double> cosine, sine, out_re(re.size()), out_im(im.size());
  for (int64_t k = 0; k < n; ++k) {
    double angle = 2 * std::numbers::pi * double(k) / double(n);
    cosine.push_back(std::cos(angle)), sine.push_back(std::sin(angle));
  }
  for (int64_t u = 0; u < n; ++u)
    for (int64_t i = 0; i < n; ++i) {
      double c = cosine[size_t(u * i % n)], s = sine[size_t(u * i % n)];
      for (int64_t j = 0; j < m; ++j) {
        double a = re[size_t(i * m + j)], b = im[size_t(i * m + j)];
        out_re[size_t(u * m + j)] += c * a + s * b, out_im[size_t(u * m + j)] += c * b - s * a;
      }
    }
  re.swap(out_re), im.swap(out_im);
}
inline std::vector<double> transposed(std::vector<double> const& x, int64_t n, int64_t m) {
  std::vector<double> out(x.size());
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < m; ++j) out[size_t(j * n + i)] = x[size_t(i * m + j)];
  return out;
}
}  // namespace detail

/// The power of an image in rings of spatial frequency: element k is the mean of |F|^2 / pixels over the frequencies
/// whose length, in periods per side, rounds to k + 1; up to half of the shorter side in pixels. White noise of variance v
/// has v in each ring.
/// Shapes   x (H,W).      Cost  2 (H + W) multiplications a pixel.      Deterministic  yes.      Errors   ShapeError.
inline std::vector<double> ring_power(Tensor const& x) {
  require<ShapeError>(x.rank() == 2 && x.dim(0) > 3 && x.dim(1) > 3, "ring_power: the image is ", x.shape(),
                      "; (H,W) of at least 4x4 pixels is needed");
  Tensor in = on_host("ring_power", x).cast(DType::f64).contiguous();
  int64_t H = x.dim(0), W = x.dim(1), rings = std::min(H, W) / 2;
  std::vector<double> re(in.data<double>(), in.data<double>() + in.numel()), im(re.size());
  detail::transform_rows(re, im, H, W);
  re = detail::transposed(re, H, W), im = detail::transposed(im, H, W);
  detail::transform_rows(re, im, W, H);
  std::vector<double> power(static_cast<size_t>(rings)), count(power.size());
  for (int64_t v = 0; v < W; ++v)
    for (int64_t u = 0; u < H; ++u) {
      double fy = double(std::min(u, H - u)) / double(H), fx = double(std::min(v, W - v)) / double(W);
      int64_t ring = std::llround(std::hypot(fx, fy) * double(std::min(H, W))) - 1;
      if (ring < 0 || ring >= rings) continue;
      size_t k = size_t(v * H + u);
      power[size_t(ring)] += re[k] * re[k] + im[k] * im[k], count[size_t(ring)] += 1;
    }
  for (size_t k = 0; k < power.size(); ++k) power[k] /= count[k] * double(H * W);
  return power;
}

/// How white an image is: the geometric over the arithmetic mean of ring_power(), 1 for the same power in all rings. That
/// of a residual is below 1 when a filter took away structure, or left noise of some scales.
/// Shapes   x (H,W) with more than one value.      Errors   ShapeError.      Source   Gray & Markel 1974, IEEE TASSP 22, 207.
inline double spectral_flatness(Tensor const& x) {
  double logarithms = 0, sum = 0, rings = 0;
  for (double p : ring_power(x)) logarithms += std::log(std::max(p, 1e-300)), sum += p, rings += 1;
  return sum > 0 ? std::exp(logarithms / rings) / (sum / rings) : 1;
}

}  // namespace d16::vision
