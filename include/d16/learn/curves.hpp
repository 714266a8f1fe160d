// Precision against recall, and thresholds for a wanted purity; items may weigh what a stated prevalence asks.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <vector>

#include "examples.hpp"

namespace d16::learn {

/// 1 where the label is `positive`, 0 elsewhere: one class against the rest, for the scores of two classes.
inline Tensor one_against_rest(Tensor const& labels, int64_t positive) {
  require<ValueError>(positive >= 0, "one_against_rest: class ", positive, "; classes are numbered from 0");
  std::vector<int64_t> l = detail::class_indices("one_against_rest", "labels", labels, INT64_MAX), out;
  bool seen = false;
  for (int64_t label : l) out.push_back(label == positive), seen = seen || label == positive;
  require<ValueError>(seen, "one_against_rest: no label is ", positive);
  return from(out, labels.shape());
}

/// Weights that turn the classes of a test set into those of a stated prevalence: weight = prevalence_k / share_k.
///   prevalence_weights(labels, {722, 722, 11})
/// Shapes   labels (N), prevalence (K) on any scale; result (N) float64 with mean 1.
/// Errors   ValueError for a class that has prevalence and no items.
inline Tensor prevalence_weights(Tensor const& labels, std::vector<double> const& prevalence) {
  char const* op = "prevalence_weights";
  std::vector<int64_t> l = detail::class_indices(op, "labels", labels, int64_t(prevalence.size()));
  require<ShapeError>(!l.empty(), op, ": there are no labels");
  std::vector<double> counts(prevalence.size(), 0.0), weights;
  for (int64_t k : l) counts[size_t(k)] += 1;
  double all = 0;
  for (size_t k = 0; k < prevalence.size(); ++k) {
    require<ValueError>(prevalence[k] >= 0 && std::isfinite(prevalence[k]), op, ": prevalence of class ", k, " is ",
                        prevalence[k], "; a number from 0 up is needed");
    require<ValueError>(prevalence[k] == 0 || counts[k] > 0, op, ": class ", k, " has prevalence ", prevalence[k],
                        " and no items");
    all += prevalence[k];
  }
  require<ValueError>(all > 0, op, ": all prevalences are 0");
  for (int64_t k : l) weights.push_back(prevalence[size_t(k)] / all * double(l.size()) / counts[size_t(k)]);
  return from(weights, {int64_t(l.size())});
}

struct PrecisionRecallPoint {
  double threshold;  ///< items with score >= threshold are called positive
  double precision, recall;
};

/// One point for each distinct score, from the highest down: recall rises to 1.
/// Shapes   scores (N), labels (N) with values 0 and 1, weights (N) or undefined.   Cost  a sort.
/// Errors   ValueError for NaN scores, other labels, one class only, bad weights.
inline std::vector<PrecisionRecallPoint> precision_recall_curve(Tensor const& scores, Tensor const& labels,
                                                                Tensor const& weights = {}) {
  char const* op = "precision_recall_curve";
  std::vector<double> s = detail::numbers(op, scores), w = detail::item_weights(op, weights, int64_t(s.size()));
  std::vector<int64_t> l = detail::class_indices(op, "labels", labels, 2);
  detail::require_equal_length(op, s.size(), l.size());
  double positives = 0, negatives = 0, tp = 0, fp = 0;
  std::vector<size_t> order;
  for (size_t i = 0; i < s.size(); ++i) {
    (l[i] ? positives : negatives) += w[i];
    if (w[i] > 0) order.push_back(i);
  }
  require<ValueError>(positives > 0 && negatives > 0, op, ": all ", s.size(), " labels are ", l[0],
                      "; both classes are needed");
  std::stable_sort(order.begin(), order.end(), [&](size_t i, size_t j) { return s[i] > s[j]; });
  std::vector<PrecisionRecallPoint> curve;
  for (size_t at = 0; at < order.size(); ++at) {
    size_t i = order[at];
    (l[i] ? tp : fp) += w[i];
    if (at + 1 == order.size() || s[order[at + 1]] != s[i]) curve.push_back({s[i], tp / (tp + fp), tp / positives});
  }
  return curve;
}

/// Sum over the points of precision times the step in recall; the prevalence for a guess.
/// Shapes, errors as precision_recall_curve().   Source  sklearn.metrics.average_precision_score.
inline double average_precision(Tensor const& scores, Tensor const& labels, Tensor const& weights = {}) {
  double sum = 0, before = 0;
  for (PrecisionRecallPoint const& point : precision_recall_curve(scores, labels, weights)) {
    sum += (point.recall - before) * point.precision;
    before = point.recall;
  }
  return sum;
}

struct PurityThreshold {
  double value;                 ///< items with score >= value are called positive
  double purity, completeness;  ///< precision and recall there
};

/// The threshold of the greatest completeness among those with at least the wanted purity, half way to the next score
/// below. To be chosen on validation data, never on the test set. Nothing where no threshold is that pure.
/// With prevalence_weights() the purity is that of the stated prevalence.
/// Shapes, errors as precision_recall_curve(); ValueError for a purity outside (0, 1].
inline std::optional<PurityThreshold> threshold_for_purity(Tensor const& scores, Tensor const& labels, double purity,
                                                           Tensor const& weights = {}) {
  require<ValueError>(purity > 0 && purity <= 1, "threshold_for_purity: purity is ", purity, "; it lies in (0, 1]");
  auto curve = precision_recall_curve(scores, labels, weights);
  for (size_t at = curve.size(); at-- > 0;) {  // recall falls from the end: the first that is pure has the most
    if (curve[at].precision < purity || curve[at].recall == 0) continue;
    double below = at + 1 < curve.size() ? curve[at + 1].threshold : curve[at].threshold;
    return PurityThreshold{(curve[at].threshold + below) / 2, curve[at].precision, curve[at].recall};
  }
  return {};
}

}  // namespace d16::learn
