// How good photometric redshifts are: scatter, outliers, and how often P(z) holds the truth.
#pragma once
#include <cmath>
#include <vector>

#include "../learn/intervals.hpp"
#include "../vision/statistics.hpp"
#include "redshift.hpp"

namespace d16::photoz {

/// Of the rows with both redshifts.
struct RedshiftScores {
  int64_t n = 0;
  double sigma_nmad = not_known;         ///< 1.4826 median |d - median d|, d = (z_a - z) / (1 + z)
  double sigma_error = not_known;        ///< standard deviation over bootstrap samples
  double bias = not_known;               ///< median of d
  learn::Fraction outliers, in68, in95;  ///< |d| > 0.15; the truth inside the intervals of P(z)
};

/// Source   Brammer, van Dokkum & Coppi 2008, ApJ 686, 1503, eq. 5 for sigma_NMAD.
inline RedshiftScores redshift_scores(std::vector<RedshiftFit> const& fits, std::vector<double> const& truth,
                                      double outlier = 0.15) {
  RedshiftScores out;
  std::vector<double> d;
  int64_t far = 0, in68 = 0, in95 = 0;
  for (size_t i = 0; i < fits.size(); ++i) {
    if (!fits[i].known() || !std::isfinite(truth[i])) continue;
    d.push_back((fits[i].z_a - truth[i]) / (1 + truth[i]));
    far += std::abs(d.back()) > outlier;
    in68 += fits[i].z_l68 <= truth[i] && truth[i] <= fits[i].z_u68;
    in95 += fits[i].z_l95 <= truth[i] && truth[i] <= fits[i].z_u95;
  }
  out.n = int64_t(d.size());
  out.outliers = learn::fraction(far, out.n);
  out.in68 = learn::fraction(in68, out.n), out.in95 = learn::fraction(in95, out.n);
  if (d.size() < 2) return out;
  out.bias = vision::median(d);
  auto scatter = [&](std::vector<int64_t> const& rows) {
    std::vector<double> sample;
    for (int64_t i : rows) sample.push_back(d[size_t(i)]);
    double centre = vision::median(sample);
    for (double& v : sample) v = std::abs(v - centre);
    return 1.482602218505602 * vision::median(std::move(sample));
  };
  learn::Bootstrap spread = learn::bootstrap(out.n, scatter, {.samples = 100});
  out.sigma_nmad = spread.value, out.sigma_error = spread.sigma;
  return out;
}

}  // namespace d16::photoz
