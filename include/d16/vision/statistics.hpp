// Robust statistics of pixels: median, MAD, sigma clipping. Pixels that are not finite are left out.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "../core/tensor.hpp"
#include "../ops/views.hpp"

namespace d16::vision {

/// The finite elements of x, as doubles.
inline std::vector<double> finite_values(Tensor const& x) {
  Tensor flat = x.detach().contiguous();
  std::vector<double> values;
  values.reserve(size_t(flat.numel()));
  for_dtype(flat.dtype(), [&]<class T>(T) {
    for (T element : flat.host<T>())
      if (double value = double(element); std::isfinite(value)) values.push_back(value);
  });
  return values;
}

/// Quantile q of the values, between order statistics linearly: position q(n - 1). Reorders the values.
/// Cost     linear in n.      Errors   ValueError when there are none or q is outside [0, 1].
inline double quantile(std::vector<double>& values, double q) {
  require<ValueError>(!values.empty(), "quantile: no finite values; at least one is needed");
  require<ValueError>(q >= 0 && q <= 1, "quantile: q is ", q, "; it lies in [0, 1]");
  double position = q * double(values.size() - 1);
  auto low = values.begin() + std::ptrdiff_t(position);
  std::nth_element(values.begin(), low, values.end());
  double fraction = position - std::floor(position);
  if (fraction == 0) return *low;
  double above = *std::min_element(low + 1, values.end());
  return *low + fraction * (above - *low);
}

/// The middle value; of an even number the mean of the two middle ones.
inline double median(std::vector<double> values) { return quantile(values, 0.5); }
inline double median(Tensor const& x) { return median(finite_values(x)); }

/// Standard deviation of a normal distribution with the same median absolute deviation:
/// 1.4826 * median(|x - median(x)|).
/// Shapes   any.       Units    those of x.       Deterministic  yes.
/// Errors   ValueError when no element is finite.
/// Source   astropy.stats.mad_std; 1.4826 = 1 / (quartile of the standard normal).
inline double mad_sigma(Tensor const& x) {
  std::vector<double> values = finite_values(x);
  double centre = median(values);
  for (double& value : values) value = std::abs(value - centre);
  return median(std::move(values)) * 1.482602218505602;
}

struct SigmaClipOptions {
  double sigma = 3;  ///< values further from the median than this many standard deviations go
  int maxiters = 5;  ///< at most so many rounds; negative: until nothing changes
};
struct ClippedStats {
  double mean, median, std;
  int64_t count;  ///< values kept
};

/// Mean, median and standard deviation (of the population) of what sigma clipping leaves.
/// Each round drops the values outside median +- sigma * std, until no value goes or maxiters is reached.
/// Shapes   any.       Units    those of x.       Deterministic  yes.
/// Errors   ValueError when no element is finite or sigma is not positive.
/// Source   astropy.stats.sigma_clipped_stats.
inline ClippedStats sigma_clipped_stats(std::vector<double> values, SigmaClipOptions o = {}) {
  require<ValueError>(o.sigma > 0, "sigma_clipped_stats: sigma is ", o.sigma, "; it must be positive");
  require<ValueError>(!values.empty(), "sigma_clipped_stats: no finite values; at least one is needed");
  ClippedStats stats{};
  auto measure = [&] {
    double sum = 0, squares = 0;
    for (double value : values) sum += value;
    stats.mean = sum / double(values.size());
    for (double value : values) squares += (value - stats.mean) * (value - stats.mean);
    stats.std = std::sqrt(squares / double(values.size()));
    stats.median = quantile(values, 0.5);
    stats.count = int64_t(values.size());
  };
  measure();
  for (int round = 0; round != o.maxiters; ++round) {
    double low = stats.median - o.sigma * stats.std, high = stats.median + o.sigma * stats.std;
    size_t erased = std::erase_if(values, [=](double value) { return value < low || value > high; });
    if (erased == 0 || values.empty()) break;
    measure();
  }
  return stats;
}
inline ClippedStats sigma_clipped_stats(Tensor const& x, SigmaClipOptions o = {}) {
  return sigma_clipped_stats(finite_values(x), o);
}

}  // namespace d16::vision
