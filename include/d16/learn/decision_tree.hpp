// One decision tree (CART): gini, entropy or squared error, exact or binned, with missing values.
#pragma once
#include <cstdint>
#include <vector>

#include "grow_tree.hpp"

namespace d16::learn {

/// Class fractions of the training items in each leaf.
struct DecisionTree {
  Tree tree;
  int64_t features = 0, classes = 0;
  std::vector<double> importance = {};  ///< share of each feature in the fall of the impurity; sums to 1

  /// Shapes   x (N,F), result (N,K) float32.   Errors   ShapeError for another number of features.
  Tensor probabilities(Tensor const& x) const { return detail::leaf_values("DecisionTree", tree, x, features); }
};

/// The mean target of the training items in each leaf.
struct RegressionTree {
  Tree tree;
  int64_t features = 0;
  std::vector<double> importance = {};

  /// Shapes   x (N,F), result (N) float32.
  Tensor predict(Tensor const& x) const {
    Tensor y = detail::leaf_values("RegressionTree", tree, x, features);
    return y.reshape({y.dim(0)});
  }
};

/// Grows a tree from the root down; each split is the best of all features and thresholds, NaN on its better side.
/// The thresholds are midpoints between neighbouring values, ties go to the first.
/// Cost     O(F N log N) per level.       Deterministic  for a seed, which matters with max_features only.
/// Errors   ShapeError, DTypeError, ValueError: wrong shapes, an empty set, one class only, infinities, bad options.
/// Source   Breiman et al. 1984, "Classification and regression trees"; missing values as scikit-learn's trees.
inline DecisionTree fit_decision_tree(Examples const& examples, TreeOptions const& o = {}) {
  detail::Training t = detail::training("fit_decision_tree", examples);
  detail::require_two_classes("fit_decision_tree", t);
  detail::check("fit_decision_tree", o, t.x.columns);
  require<ValueError>(o.criterion != Criterion::mse,
                      "fit_decision_tree: mse is for fit_regression_tree; gini or "
                      "entropy is needed");
  detail::Codes<uint32_t> codes(t.x, o.max_bins);
  detail::ClassStatistics statistics{t.labels.data(), t.weights.data(), t.classes, o.criterion};
  detail::TreeGrower grower(codes, statistics, o, Random(o.seed));
  Tree tree = grower.grow(detail::weighted_rows(t.weights));
  return {tree, t.x.columns, t.classes, grower.importance()};
}

/// The same for numbers: x (N,F), targets (N) without NaN, weights (N) or undefined. The criterion is mse.
inline RegressionTree fit_regression_tree(Tensor const& x, Tensor const& targets, Tensor const& weights = {},
                                          TreeOptions o = {.criterion = Criterion::mse}) {
  char const* op = "fit_regression_tree";
  detail::Matrix m = detail::training_matrix(op, x);
  detail::check(op, o, m.columns);
  require<ValueError>(o.criterion == Criterion::mse, op, ": gini and entropy are for classes; mse is needed");
  require<ShapeError>(targets.defined() && targets.numel() == m.rows, op, ": ", targets.defined() ? targets.numel() : 0,
                      " targets for ", m.rows, " rows of x");
  std::vector<double> y = detail::numbers(op, targets), w = detail::item_weights(op, weights, m.rows);
  for (size_t i = 0; i < y.size(); ++i)
    require<ValueError>(std::isfinite(y[i]), op, ": targets[", i, "] is ", y[i], "; a finite number is needed");
  detail::Codes<uint32_t> codes(m, o.max_bins);
  detail::MeanStatistics statistics{y.data(), w.data()};
  detail::TreeGrower grower(codes, statistics, o, Random(o.seed));
  Tree tree = grower.grow(detail::weighted_rows(w));
  return {tree, m.columns, grower.importance()};
}

}  // namespace d16::learn
