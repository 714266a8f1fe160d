// Error bars of what a test set says: fractions with Wilson intervals, bootstraps at another prevalence, pairs, runs.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <numeric>
#include <vector>

#include "../core/parallel.hpp"
#include "../core/random.hpp"
#include "metrics.hpp"

namespace d16::learn {

/// Successes of n with a Wilson interval; of nothing: NaN in [0, 1].
struct Fraction {
  int64_t successes, n;
  double value;
  Interval interval;
};
inline Fraction fraction(int64_t successes, int64_t n, double z = 1.959963984540054) {
  if (n == 0 && successes == 0) return {0, 0, std::numeric_limits<double>::quiet_NaN(), {0, 1}};
  Interval interval = wilson_interval(successes, n, z);
  return {successes, n, double(successes) / double(n), interval};
}

namespace detail {
inline std::vector<int64_t> confusion_counts(char const* op, Tensor const& confusion) {
  require<ShapeError>(confusion.rank() == 2 && confusion.dim(0) == confusion.dim(1), op, ": ", confusion.shape(),
                      " is no confusion matrix; (K,K) is needed");
  return class_indices(op, "counts", confusion, INT64_MAX);
}
}  // namespace detail

/// Of the items of each class, the fraction that was called p: rows are the truth, each row sums to 1.
/// Shapes   confusion (K,K) int64.   Source  Wilson 1927.
inline std::vector<std::vector<Fraction>> confusion_fractions(Tensor const& confusion, double z = 1.959963984540054) {
  std::vector<int64_t> counts = detail::confusion_counts("confusion_fractions", confusion);
  auto K = size_t(confusion.dim(0));
  std::vector<std::vector<Fraction>> out(K);
  for (size_t t = 0; t < K; ++t) {
    int64_t all = 0;
    for (size_t p = 0; p < K; ++p) all += counts[t * K + p];
    for (size_t p = 0; p < K; ++p) out[t].push_back(fraction(counts[t * K + p], all, z));
  }
  return out;
}

struct ClassScore {
  Fraction precision;  ///< right among those called this class: purity
  Fraction recall;     ///< found among those of this class: completeness
};
/// Both for each class, at the prevalence of the test set. Shapes  confusion (K,K) int64.
inline std::vector<ClassScore> class_scores(Tensor const& confusion, double z = 1.959963984540054) {
  std::vector<int64_t> counts = detail::confusion_counts("class_scores", confusion);
  auto K = size_t(confusion.dim(0));
  std::vector<ClassScore> out;
  for (size_t k = 0; k < K; ++k) {
    int64_t called = 0, there = 0, right = counts[k * K + k];
    for (size_t i = 0; i < K; ++i) called += counts[i * K + k], there += counts[k * K + i];
    out.push_back({fraction(right, called, z), fraction(right, there, z)});
  }
  return out;
}

struct PrevalenceScore {
  Bootstrap precision, recall;
};

namespace detail {

/// Confusion matrices (K,K, row by row) of items drawn with replacement, the same samples as bootstrap() draws; the
/// last matrix is that of the data themselves. `cell` of each item: truth times K plus prediction.
inline std::vector<std::vector<double>> resampled_confusions(std::vector<size_t> const& cell, size_t K,
                                                             BootstrapOptions const& o) {
  std::vector<int64_t> order(cell.size());
  std::iota(order.begin(), order.end(), 0);
  auto group = [&](int64_t i) { return o.groups.empty() ? i : o.groups[size_t(i)]; };
  std::stable_sort(order.begin(), order.end(), [&](int64_t i, int64_t j) { return group(i) < group(j); });
  std::vector<size_t> cells, begins;  // of the groups, one after the other
  for (size_t at = 0; at < order.size(); ++at) {
    if (at == 0 || group(order[at]) != group(order[at - 1])) begins.push_back(at);
    cells.push_back(cell[size_t(order[at])]);
  }
  auto groups = int64_t(begins.size());
  begins.push_back(order.size());
  std::vector<std::vector<double>> out(size_t(o.samples + 1), std::vector<double>(K * K, 0.0));
  parallel_tasks(o.samples, [&](int64_t sample) {
    Random random(o.seed, uint64_t(sample));
    for (int64_t i = 0; i < groups; ++i) {
      auto drawn = size_t(random.integer(groups));
      for (size_t at = begins[drawn]; at < begins[drawn + 1]; ++at) ++out[size_t(sample)][cells[at]];
    }
  });
  for (size_t c : cells) ++out.back()[c];
  return out;
}

/// What bootstrap() says of a statistic, from its values for the samples and, last, for the data themselves.
inline Bootstrap bootstrap_of(std::vector<double> values, BootstrapOptions const& o) {
  double own = values.back(), mean = 0, squares = 0;
  values.pop_back();
  std::erase_if(values, [](double v) { return !std::isfinite(v); });
  require<ValueError>(values.size() > 1, "bootstrap: ", values.size(), " of ", o.samples,
                      " samples gave a finite statistic; two are needed");
  double count = double(values.size());
  for (double value : values) mean += value / count;
  for (double value : values) squares += (value - mean) * (value - mean);
  std::sort(values.begin(), values.end());
  auto at = [&](double q) { return values[size_t(std::lround(q * (count - 1)))]; };
  return {
      own, std::sqrt(squares / (count - 1)), {at((1 - o.level) / 2), at((1 + o.level) / 2)}, int64_t(values.size())};
}

}  // namespace detail

/// Precision and recall of each class as they would be at a stated prevalence: every class keeps its row of the
/// confusion matrix (how its items are called), and the rows are weighed by the prevalence. With a bootstrap interval.
///   scores_at_prevalence(labels, predictions, {722, 722, 11})[2].precision
/// A class that is never called has the precision NaN in [0, 1], of 0 samples.
/// Shapes   labels, predictions (N) integer, prevalence (K) on any scale.
/// Cost     N random numbers per sample, on all threads, for all classes together.    Deterministic  for a seed.
/// Errors   ShapeError, ValueError: other lengths, a class outside, a class without items.
inline std::vector<PrevalenceScore> scores_at_prevalence(Tensor const& labels, Tensor const& predictions,
                                                         std::vector<double> const& prevalence,
                                                         BootstrapOptions const& o = {}) {
  char const* op = "scores_at_prevalence";
  auto K = size_t(prevalence.size());
  std::vector<int64_t> t = detail::class_indices(op, "labels", labels, int64_t(K));
  std::vector<int64_t> p = detail::class_indices(op, "predictions", predictions, int64_t(K));
  detail::require_equal_length(op, p.size(), t.size());
  require<ShapeError>(o.groups.empty() || o.groups.size() == t.size(), op, ": ", o.groups.size(), " groups for ",
                      t.size(), " items");
  require<ValueError>(o.level > 0 && o.level < 1 && o.samples > 1, op, ": level ", o.level, ", ", o.samples,
                      " samples; a level between 0 and 1 and two samples are needed");
  std::vector<size_t> cell;
  for (size_t i = 0; i < t.size(); ++i) cell.push_back(size_t(t[i]) * K + size_t(p[i]));
  for (size_t k = 0; k < K; ++k) {
    require<ValueError>(prevalence[k] > 0 && std::isfinite(prevalence[k]), op, ": prevalence of class ", k, " is ",
                        prevalence[k], "; a positive number is needed");
    require<ValueError>(std::count(t.begin(), t.end(), int64_t(k)) > 0, op, ": class ", k, " has no items");
  }
  std::vector<std::vector<double>> precision(K), recall(K);
  for (std::vector<double> const& counts : detail::resampled_confusions(cell, K, o)) {
    std::vector<double> rate = counts,
                        called(K, 0.0);  // rows divided by their sums; NaN for a sample without the class
    for (size_t row = 0; row < K; ++row) {
      double all = 0;
      for (size_t k = 0; k < K; ++k) all += counts[row * K + k];
      for (size_t k = 0; k < K; ++k) called[k] += prevalence[row] * (rate[row * K + k] /= all);
    }
    for (size_t k = 0; k < K; ++k) {
      recall[k].push_back(rate[k * K + k]);
      precision[k].push_back(prevalence[k] * rate[k * K + k] / called[k]);
    }
  }
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  std::vector<PrevalenceScore> out;
  for (size_t k = 0; k < K; ++k) {
    bool called = std::count(p.begin(), p.end(), int64_t(k)) > 0;
    out.push_back({called ? detail::bootstrap_of(std::move(precision[k]), o) : Bootstrap{nan, nan, {0, 1}, 0},
                   detail::bootstrap_of(std::move(recall[k]), o)});
  }
  return out;
}

/// The difference of two statistics of the same items, one minus the other: both are computed on the same samples, so
/// that what makes items hard for both drops out.
/// Each takes a list of indices in 0 .. n-1.   Cost, errors as bootstrap().
inline Bootstrap paired_bootstrap(int64_t n, std::function<double(std::vector<int64_t> const&)> const& one,
                                  std::function<double(std::vector<int64_t> const&)> const& other,
                                  BootstrapOptions const& o = {}) {
  return bootstrap(
      n, [&](std::vector<int64_t> const& items) { return one(items) - other(items); }, o);
}

/// A score over independent runs.
struct Spread {
  int64_t runs;
  double mean;
  double sigma;          ///< sample standard deviation over the runs; NaN for one run
  double error_of_mean;  ///< sigma / sqrt(runs)
  double low, high;      ///< the worst and the best
};
/// Errors   ValueError for no run or a run that is not finite: a failed run must not vanish in a mean.
inline Spread spread_of_runs(std::vector<double> const& values) {
  require<ValueError>(!values.empty(), "spread_of_runs: there are no runs");
  double n = double(values.size()), mean = 0, squares = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    require<ValueError>(std::isfinite(values[i]), "spread_of_runs: run ", i, " gave ", values[i],
                        "; a finite score of every run is needed");
    mean += values[i] / n;
  }
  for (double value : values) squares += (value - mean) * (value - mean);
  double sigma = std::sqrt(squares / (n - 1));  // 0 / 0 for one run
  auto [low, high] = std::minmax_element(values.begin(), values.end());
  return {int64_t(values.size()), mean, sigma, sigma / std::sqrt(n), *low, *high};
}

}  // namespace d16::learn
