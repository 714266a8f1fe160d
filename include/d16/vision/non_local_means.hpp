// Non-local means: each pixel becomes the mean of pixels whose surroundings look alike.
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "image.hpp"

namespace d16::vision {

struct NonLocalMeansOptions {
  int64_t patch = 5;  ///< side of what is compared, odd
  int64_t reach = 6;  ///< pixels up to so far are looked at, each way
  double h = 0.1;     ///< difference of patches, in the units of the pixels, at which a weight has fallen to 1/e
  double sigma = 0;   ///< of the noise, whose part in the differences is left out
};

namespace detail {

/// d c b | a b c d | c b a
inline int64_t mirror(int64_t i, int64_t n) {
  int64_t period = std::max<int64_t>(1, 2 * n - 2);
  i %= period;
  if (i < 0) i += period;
  return i < n ? i : period - i;
}

/// The picture with `margin` mirrored pixels around it, in double.
inline std::vector<double> with_margin(Tensor const& x, int64_t n, Extent const& e, int64_t margin) {
  int64_t h = e.H + 2 * margin, w = e.W + 2 * margin;
  std::vector<double> out(size_t(h * w * e.C));
  for_float(x.dtype(), [&]<class T>(T) {
    T const* picture = x.data<T>() + n * e.picture();
    double* to = out.data();
    for (int64_t i = 0; i < h; ++i)
      for (int64_t j = 0; j < w; ++j) {
        T const* from = picture + mirror(i - margin, e.H) * e.row() + mirror(j - margin, e.W) * e.C;
        for (int64_t c = 0; c < e.C; ++c) *to++ = double(from[c]);
      }
  });
  return out;
}

/// How much each pixel of a patch counts: a Gaussian of sigma (patch - 1) / 4, with sum 1 / (channels h^2).
inline std::vector<double> patch_weights(NonLocalMeansOptions const& o, int64_t channels) {
  std::vector<double> weights;
  double width = double(o.patch - 1) / 4, sum = 0;
  for (int64_t i = -o.patch / 2; i <= o.patch / 2; ++i)
    for (int64_t j = -o.patch / 2; j <= o.patch / 2; ++j) {
      weights.push_back(o.patch == 1 ? 1 : std::exp(-double(i * i + j * j) / (2 * width * width)));
      sum += weights.back();
    }
  for (double& w : weights) w /= sum * double(channels) * o.h * o.h;
  return weights;
}

/// One line of one picture.
class NonLocalLine {
 public:
  NonLocalLine(std::vector<double> const& wide, std::vector<double> const& weights, Extent const& e,
               NonLocalMeansOptions const& o)
      : wide_(wide.data()), weights_(weights), e_(e), o_(o), row_((e.W + o.patch / 2 * 2) * e.C) {}

  template <class T> void run(int64_t i, T* target) const {
    std::vector<double> sum(size_t(e_.C));
    for (int64_t j = 0; j < e_.W; ++j) {
      std::fill(sum.begin(), sum.end(), 0);
      double total = 0;
      for (int64_t k = std::max<int64_t>(0, i - o_.reach); k <= std::min(e_.H - 1, i + o_.reach); ++k)
        for (int64_t l = std::max<int64_t>(0, j - o_.reach); l <= std::min(e_.W - 1, j + o_.reach); ++l) {
          double weight = std::exp(-std::max(0.0, difference(i, j, k, l)));
          total += weight;
          for (int64_t c = 0; c < e_.C; ++c) sum[size_t(c)] += weight * centre(k, l)[c];
        }
      for (int64_t c = 0; c < e_.C; ++c) target[j * e_.C + c] = T(sum[size_t(c)] / total);
    }
  }

 private:
  double const* corner(int64_t i, int64_t j) const { return wide_ + i * row_ + j * e_.C; }
  double const* centre(int64_t i, int64_t j) const { return corner(i + o_.patch / 2, j + o_.patch / 2); }
  /// Of the patches around two pixels, weighted, without what noise makes of equal ones.
  double difference(int64_t i, int64_t j, int64_t k, int64_t l) const {
    double sum = 0, noise = 2 * o_.sigma * o_.sigma * double(e_.C);
    auto weight = weights_.begin();
    for (int64_t a = 0; a < o_.patch; ++a) {
      double const *p = corner(i + a, j), *q = corner(k + a, l);
      for (int64_t b = 0; b < o_.patch; ++b, p += e_.C, q += e_.C) {
        double squares = -noise;
        for (int64_t c = 0; c < e_.C; ++c) squares += (p[c] - q[c]) * (p[c] - q[c]);
        sum += *weight++ * squares;
      }
    }
    return sum;
  }

  double const* wide_;
  std::vector<double> const& weights_;
  Extent e_;
  NonLocalMeansOptions o_;
  int64_t row_;
};

}  // namespace detail

/// y(p) = sum over q of w(p, q) x(q) / sum over q of w(p, q), q up to `reach` pixels from p inside of the image,
/// w = exp(-max(0, d)), d the mean over the patch, Gaussian weights, of (|x(p + t) - x(q + t)|^2 - 2 C sigma^2) / (C h^2).
/// All channels C of a pixel share its weights; patches beyond the edges are mirrored.
/// Shapes   x (H,W), (H,W,C) or (N,H,W,C), float32 or float64, y as x.    Units  those of x, h and sigma too.
/// Cost     (2 reach + 1)^2 patch^2 C multiplications and (2 reach + 1)^2 exponentials a pixel.
/// Deterministic  yes, any threads.      Gradient  none.
/// Errors   ShapeError for other ranks; ValueError for an even patch, a reach below 0, h <= 0 or sigma < 0.
/// Source   Buades, Coll & Morel 2005, CVPR, 60 (the filter); 2011, IPOL 1, 208 (the noise left out).
inline Tensor non_local_means(Tensor const& x, NonLocalMeansOptions const& o = {}) {
  require<ValueError>(o.patch > 0 && o.patch % 2 == 1 && o.reach >= 0 && o.h > 0 && o.sigma >= 0,
                      "non_local_means: patch ", o.patch, ", reach ", o.reach, ", h ", o.h, ", sigma ", o.sigma,
                      "; an odd patch, h > 0 and no negative number are needed");
  Extent e = extent_of("non_local_means", x.shape());
  Tensor in = on_host("non_local_means", x), out = empty(x.shape(), x.like());
  std::vector<double> weights = detail::patch_weights(o, e.C);
  for (int64_t n = 0; n < e.N; ++n) {
    std::vector<double> wide = detail::with_margin(in, n, e, o.patch / 2);
    detail::NonLocalLine line(wide, weights, e, o);
    for_float(x.dtype(), [&]<class T>(T) {
      T* picture = out.data<T>() + n * e.picture();
      parallel_tasks(e.H, [&](int64_t i) { line.run(i, picture + i * e.row()); });
    });
  }
  return out;
}

}  // namespace d16::vision
