// How good predictions are: accuracy, confusion, ROC, calibration, thresholds, and the error bars of all of them.
#pragma once
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <vector>

#include "../core/random.hpp"
#include "../core/tensor.hpp"
#include "../ops/views.hpp"

namespace d16::learn {

namespace detail {

inline std::vector<double> numbers(char const* op, Tensor const& x) {
  Tensor flat = x.detach().cast(DType::f64).contiguous();
  auto values = flat.host<double>();
  std::vector<double> out(values.begin(), values.end());
  for (size_t i = 0; i < out.size(); ++i)
    require<ValueError>(!std::isnan(out[i]), op, ": element ", i, " is NaN; every one must be a number");
  return out;
}

/// The elements of an integer tensor, each checked to lie in 0 .. classes-1.
inline std::vector<int64_t> class_indices(char const* op, char const* what, Tensor const& x, int64_t classes) {
  require<DTypeError>(x.dtype() == DType::i64 || x.dtype() == DType::u8 || x.dtype() == DType::boolean, op, ": ", what,
                      " are ", name_of(x.dtype()), "; integers are needed");
  Tensor flat = x.cast(DType::i64).contiguous();
  auto values = flat.host<int64_t>();
  std::vector<int64_t> out(values.begin(), values.end());
  for (size_t i = 0; i < out.size(); ++i)
    require<ValueError>(out[i] >= 0 && out[i] < classes, op, ": ", what, "[", i, "] is ", out[i], "; classes are 0 to ",
                        classes - 1);
  return out;
}

inline void require_equal_length(char const* op, size_t a, size_t b) {
  require<ShapeError>(a == b && a > 0, op, ": ", a, " predictions for ", b,
                      " labels; equal numbers, at least one, are needed");
}

/// (score, label) from the highest score down, and how many labels are 1 and 0.
struct Ranking {
  std::vector<std::pair<double, int64_t>> items;
  double positives = 0, negatives = 0;

  Ranking(char const* op, Tensor const& scores, Tensor const& labels) {
    std::vector<double> s = numbers(op, scores);
    std::vector<int64_t> l = class_indices(op, "labels", labels, 2);
    require_equal_length(op, s.size(), l.size());
    for (size_t i = 0; i < s.size(); ++i) {
      items.emplace_back(s[i], l[i]);
      (l[i] ? positives : negatives) += 1;
    }
    require<ValueError>(positives > 0 && negatives > 0, op, ": all ", items.size(), " labels are ", l[0],
                        "; both classes are needed");
    std::sort(items.begin(), items.end(), [](auto const& a, auto const& b) { return a.first > b.first; });
  }
  /// visit(threshold, true positives, false positives) after each group of equal scores.
  template <class F> void sweep(F&& visit) const {
    double tp = 0, fp = 0;
    for (size_t i = 0; i < items.size(); ++i) {
      (items[i].second ? tp : fp) += 1;
      if (i + 1 == items.size() || items[i + 1].first != items[i].first) visit(items[i].first, tp, fp);
    }
  }
};

}  // namespace detail

/// The index of the largest of the last axis: logits (N,K) -> int64 (N). The first one of equals.
inline Tensor argmax(Tensor const& logits) {
  require<ShapeError>(logits.rank() == 2 && logits.dim(1) > 0, "argmax: logits are ", logits.shape(),
                      "; (N,K) is needed");
  std::vector<double> values = detail::numbers("argmax", logits);
  int64_t K = logits.dim(1);
  Tensor out = empty({logits.dim(0)}, {.dtype = DType::i64, .device = Device()});
  for (int64_t i = 0; i < logits.dim(0); ++i) {
    auto row = values.begin() + i * K;
    out.data<int64_t>()[i] = std::max_element(row, row + K) - row;
  }
  return out;
}

/// counts[t][p] = how many items of class t were predicted as p.
/// Shapes   labels, predictions (N) integer; result (classes,classes) int64, rows are the truth.
/// Errors   ShapeError for other lengths, ValueError for a class outside 0 .. classes-1.
inline Tensor confusion_matrix(Tensor const& labels, Tensor const& predictions, int64_t classes) {
  require<ValueError>(classes > 0, "confusion_matrix: classes is ", classes, "; at least 1 is needed");
  auto t = detail::class_indices("confusion_matrix", "labels", labels, classes);
  auto p = detail::class_indices("confusion_matrix", "predictions", predictions, classes);
  detail::require_equal_length("confusion_matrix", p.size(), t.size());
  Tensor counts = zeros({classes, classes}, {.dtype = DType::i64, .device = Device()});
  for (size_t i = 0; i < t.size(); ++i) ++counts.data<int64_t>()[t[i] * classes + p[i]];
  return counts;
}

/// The fraction of the items on the diagonal of a confusion matrix.
inline double accuracy(Tensor const& confusion) {
  require<ShapeError>(confusion.rank() == 2 && confusion.dim(0) == confusion.dim(1), "accuracy: ", confusion.shape(),
                      " is no confusion matrix; (K,K) is needed");
  std::vector<double> counts = detail::numbers("accuracy", confusion);
  int64_t K = confusion.dim(0);
  double right = 0, all = 0;
  for (int64_t i = 0; i < K * K; ++i) {
    all += counts[size_t(i)];
    if (i / K == i % K) right += counts[size_t(i)];
  }
  require<ValueError>(all > 0, "accuracy: the confusion matrix is empty");
  return right / all;
}

/// Of each class, the fraction that was found; NaN for a class without items.
inline std::vector<double> recalls(Tensor const& confusion) {
  std::vector<double> counts = detail::numbers("recalls", confusion), out;
  int64_t K = confusion.dim(0);
  for (int64_t t = 0; t < K; ++t) {
    double all = 0;
    for (int64_t p = 0; p < K; ++p) all += counts[size_t(t * K + p)];
    out.push_back(all > 0 ? counts[size_t(t * K + t)] / all : std::numeric_limits<double>::quiet_NaN());
  }
  return out;
}

/// The mean recall of the classes that have items: 1/K for a guess, whatever the sizes of the classes.
inline double balanced_accuracy(Tensor const& confusion) {
  double sum = 0, present = 0;
  for (double recall : recalls(confusion))
    if (!std::isnan(recall)) sum += recall, present += 1;
  require<ValueError>(present > 0, "balanced_accuracy: the confusion matrix is empty");
  return sum / present;
}

struct RocPoint {
  double threshold;  ///< items with score >= threshold are called positive; the first is infinite
  double false_positive_rate, true_positive_rate;
};

/// One point for each distinct score, from (0,0) to (1,1).
/// Shapes   scores (N), labels (N) with values 0 and 1.   Cost  a sort.
/// Errors   ValueError for NaN scores, other labels, or one class only.
inline std::vector<RocPoint> roc_curve(Tensor const& scores, Tensor const& labels) {
  detail::Ranking ranking("roc_curve", scores, labels);
  std::vector<RocPoint> curve{{std::numeric_limits<double>::infinity(), 0, 0}};
  ranking.sweep([&](double threshold, double tp, double fp) {
    curve.push_back({threshold, fp / ranking.negatives, tp / ranking.positives});
  });
  return curve;
}

/// The chance that an item of class 1 scores higher than one of class 0; equal scores count one half.
/// Shapes   scores (N), labels (N) with values 0 and 1.   Cost  a sort.      Deterministic  yes.
/// Errors   ValueError for NaN scores, other labels, or one class only.
/// Source   Mann & Whitney 1947; sklearn.metrics.roc_auc_score.
inline double roc_auc(Tensor const& scores, Tensor const& labels) {
  detail::Ranking ranking("roc_auc", scores, labels);
  double pairs = 0, tp_before = 0, fp_before = 0;  // pairs won: sums of integers and halves, exact
  ranking.sweep([&](double, double tp, double fp) {
    pairs += (fp - fp_before) * (tp_before + (tp - tp_before) / 2);
    tp_before = tp, fp_before = fp;
  });
  return pairs / (ranking.positives * ranking.negatives);
}

/// The threshold on the score of class 1 with the best balanced accuracy, half way between two neighbouring scores.
/// To be chosen on validation data, never on the test set.
struct Threshold {
  double value, balanced_accuracy;
};
inline Threshold best_threshold(Tensor const& scores, Tensor const& labels) {
  detail::Ranking ranking("best_threshold", scores, labels);
  Threshold best{ranking.items.front().first, 0};
  double value = 0;
  bool open = false;  // the best threshold lies between the last score above it and the next below
  ranking.sweep([&](double score, double tp, double fp) {
    if (open) best.value = (value + score) / 2;
    open = false;
    double balanced = (tp / ranking.positives + 1 - fp / ranking.negatives) / 2;
    if (balanced > best.balanced_accuracy) best = {score, balanced}, value = score, open = true;
  });
  return best;
}

struct Interval {
  double low, high;
  std::string text() const { return d16::text("[", low, ", ", high, "]"); }
};

/// The interval of a fraction: successes of n. z is the half width in standard deviations (1.96: 95 %).
/// Source   Wilson 1927, JASA 22, 209.
inline Interval wilson_interval(int64_t successes, int64_t n, double z = 1.959963984540054) {
  require<ValueError>(n > 0 && successes >= 0 && successes <= n, "wilson_interval: ", successes, " of ", n,
                      "; 0 <= successes <= n and n > 0 are needed");
  double p = double(successes) / double(n), z2n = z * z / double(n);
  double centre = (p + z2n / 2) / (1 + z2n), half = z / (1 + z2n) * std::sqrt((p * (1 - p) + z2n / 4) / double(n));
  return {std::max(0.0, centre - half), std::min(1.0, centre + half)};
}

struct BootstrapOptions {
  int64_t samples = 1000;
  double level = 0.95;
  uint64_t seed = 0;
  std::vector<int64_t> groups = {};  ///< group of each item: whole groups are drawn (items of one field hang together)
};
struct Bootstrap {
  double value;  ///< of the data themselves
  double sigma;  ///< standard deviation over the samples
  Interval interval;
  int64_t samples;  ///< those where the statistic was finite
};

/// The error of a statistic: it is computed again for items drawn with replacement.
/// `statistic` takes a list of indices in 0 .. n-1 and gives a number; a NaN (a sample without one class) is left out.
/// Cost     (samples + 1) statistics.    Deterministic  for a seed.
/// Errors   ValueError when fewer than two samples are finite.
/// Source   Efron 1979; percentile interval.
inline Bootstrap bootstrap(int64_t n, std::function<double(std::vector<int64_t> const&)> const& statistic,
                           BootstrapOptions const& o = {}) {
  require<ValueError>(n > 0, "bootstrap: no items");
  require<ShapeError>(o.groups.empty() || int64_t(o.groups.size()) == n, "bootstrap: ", o.groups.size(), " groups for ",
                      n, " items");
  require<ValueError>(o.level > 0 && o.level < 1, "bootstrap: level is ", o.level, "; it lies between 0 and 1");
  std::map<int64_t, std::vector<int64_t>> members;
  std::vector<int64_t> all;
  for (int64_t i = 0; i < n; ++i) {
    all.push_back(i);
    members[o.groups.empty() ? i : o.groups[size_t(i)]].push_back(i);
  }
  std::vector<std::vector<int64_t> const*> units;
  for (auto const& [group, items] : members) units.push_back(&items);
  std::vector<double> values;
  for (int64_t sample = 0; sample < o.samples; ++sample) {
    Random random(o.seed, uint64_t(sample));
    std::vector<int64_t> drawn;
    for (size_t i = 0; i < units.size(); ++i) {
      auto const& items = *units[size_t(random.integer(int64_t(units.size())))];
      drawn.insert(drawn.end(), items.begin(), items.end());
    }
    if (double value = statistic(drawn); std::isfinite(value)) values.push_back(value);
  }
  require<ValueError>(values.size() > 1, "bootstrap: ", values.size(), " of ", o.samples,
                      " samples gave a finite statistic; two are needed");
  double mean = 0, squares = 0, count = double(values.size());
  for (double value : values) mean += value / count;
  for (double value : values) squares += (value - mean) * (value - mean);
  std::sort(values.begin(), values.end());
  auto at = [&](double q) { return values[size_t(std::lround(q * (count - 1)))]; };
  return {statistic(all),
          std::sqrt(squares / (count - 1)),
          {at((1 - o.level) / 2), at((1 + o.level) / 2)},
          int64_t(values.size())};
}

/// Mean of (probability - label)^2: 0 is perfect, 0.25 is always saying one half.
/// Source   Brier 1950.
inline double brier_score(Tensor const& probabilities, Tensor const& labels) {
  std::vector<double> p = detail::numbers("brier_score", probabilities);
  std::vector<int64_t> l = detail::class_indices("brier_score", "labels", labels, 2);
  detail::require_equal_length("brier_score", p.size(), l.size());
  double sum = 0;
  for (size_t i = 0; i < p.size(); ++i) sum += (p[i] - double(l[i])) * (p[i] - double(l[i]));
  return sum / double(p.size());
}

struct ReliabilityBin {
  double low, high;         ///< probabilities in [low, high), the last bin with its end
  double mean_probability;  ///< what was said; NaN in an empty bin
  double fraction;          ///< what was true; NaN in an empty bin
  int64_t count;
};

/// Said against true, in bins of equal width over [0, 1].
inline std::vector<ReliabilityBin> reliability_bins(Tensor const& probabilities, Tensor const& labels,
                                                    int64_t bins = 10) {
  std::vector<double> p = detail::numbers("reliability_bins", probabilities);
  std::vector<int64_t> l = detail::class_indices("reliability_bins", "labels", labels, 2);
  detail::require_equal_length("reliability_bins", p.size(), l.size());
  require<ValueError>(bins > 0, "reliability_bins: bins is ", bins);
  std::vector<ReliabilityBin> out;
  for (int64_t b = 0; b < bins; ++b) out.push_back({double(b) / double(bins), double(b + 1) / double(bins), 0, 0, 0});
  for (size_t i = 0; i < p.size(); ++i) {
    require<ValueError>(p[i] >= 0 && p[i] <= 1, "reliability_bins: probability ", p[i], "; it lies in [0, 1]");
    ReliabilityBin& bin = out[size_t(std::min(bins - 1, int64_t(p[i] * double(bins))))];
    bin.mean_probability += p[i], bin.fraction += double(l[i]), ++bin.count;
  }
  for (ReliabilityBin& bin : out) bin.mean_probability /= double(bin.count), bin.fraction /= double(bin.count);
  return out;
}

/// Mean distance of said and true, weighted by the bins' items.
/// Source   Naeini et al. 2015, AAAI 29: expected calibration error.
inline double calibration_error(std::vector<ReliabilityBin> const& bins) {
  double sum = 0, count = 0;
  for (ReliabilityBin const& bin : bins)
    if (bin.count) sum += double(bin.count) * std::abs(bin.mean_probability - bin.fraction), count += double(bin.count);
  require<ValueError>(count > 0, "calibration_error: the bins are empty");
  return sum / count;
}

}  // namespace d16::learn
