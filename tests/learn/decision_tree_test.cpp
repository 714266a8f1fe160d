// Decision trees against all splits tried one by one, and by their laws. Against scikit-learn: tests/golden/.
#include <doctest/doctest.h>

#include <d16/learn/decision_tree.hpp>

#include "table.hpp"

using namespace d16;
using namespace d16::learn;

namespace {
float const missing = std::numeric_limits<float>::quiet_NaN();

double gini_weight(std::vector<double> const& counts) {
  double all = 0, squares = 0;
  for (double c : counts) all += c, squares += c * c;
  return all > 0 ? all - squares / all : 0;
}

/// The least impurity of two sides over all features, thresholds and sides of the missing values.
double best_by_trying(Examples const& e, int64_t least) {
  double best = INFINITY;
  int64_t N = e.x.dim(0), F = e.x.dim(1);
  float const* x = e.x.data<float>();
  for (int64_t f = 0; f < F; ++f)
    for (int64_t at = 0; at < N; ++at)
      for (bool missing_left : {false, true}) {
        std::vector<double> side[2]{std::vector<double>(3), std::vector<double>(3)};
        int64_t count[2] = {};
        float threshold = x[at * F + f];
        if (std::isnan(threshold)) continue;
        for (int64_t i = 0; i < N; ++i) {
          float v = x[i * F + f];
          bool left = std::isnan(v) ? missing_left : v <= threshold;
          side[left][size_t(e.labels.data<int64_t>()[i])] += 1, ++count[left];
        }
        if (count[0] < least || count[1] < least) continue;
        best = std::min(best, gini_weight(side[0]) + gini_weight(side[1]));
      }
  return best;
}

double impurity_of_leaves(DecisionTree const& tree, Examples const& e) {
  std::vector<std::vector<double>> leaves(size_t(tree.tree.leaves()), std::vector<double>(3));
  for (int64_t i = 0; i < e.x.dim(0); ++i) {
    float const* leaf = tree.tree.at(e.x.data<float>() + i * e.x.dim(1));
    leaves[size_t((leaf - tree.tree.values.data()) / 3)][size_t(e.labels.data<int64_t>()[i])] += 1;
  }
  double sum = 0;
  for (auto const& counts : leaves) sum += gini_weight(counts);
  return sum;
}
}  // namespace

TEST_CASE("a stump is the best of all splits, with and without missing values") {
  for (double gaps : {0.0, 0.3})
    for (int64_t least : {1, 6}) {
      Examples e = table::examples(67, 3, uint64_t(11 + least), gaps);
      DecisionTree tree = fit_decision_tree(e, {.max_depth = 1, .min_samples_leaf = least});
      CHECK(tree.tree.depth() == 1);
      // sums of at most 67 integers and quotients of them
      CHECK(std::abs(impurity_of_leaves(tree, e) - best_by_trying(e, least)) < 67 * 67 * 2.3e-16);
    }
}

TEST_CASE("a tree without limits knows its training set; limits hold") {
  Examples e = table::examples(501, 5, 2);
  DecisionTree full = fit_decision_tree(e);
  CHECK(table::accuracy(full.probabilities(e.x), e.labels) == 1);
  CHECK(full.classes == 3);
  DecisionTree small = fit_decision_tree(e, {.criterion = Criterion::entropy, .max_depth = 4, .min_samples_leaf = 20});
  CHECK(small.tree.depth() <= 4);
  CHECK(small.tree.leaves() <= 16);
  double sum = 0;
  for (double share : small.importance) sum += share;
  CHECK(std::abs(sum - 1) < 1e-14);
  CHECK(small.importance[0] + small.importance[1] + small.importance[2] > 0.9);  // the class depends on these
  Tensor p = small.probabilities(e.x);
  for (int64_t i = 0; i < 501; ++i)
    CHECK(std::abs(p.data<float>()[3 * i] + p.data<float>()[3 * i + 1] + p.data<float>()[3 * i + 2] - 1) < 3e-7f);
}

TEST_CASE("binned and exact agree where each value has a bin; with fewer bins little is lost") {
  Examples e = table::examples(400, 4, 3, 0.1);
  float* x = e.x.data<float>();
  for (int64_t i = 0; i < e.x.numel(); ++i) x[i] = std::round(4 * x[i]);  // about 30 values: large nodes count
  DecisionTree exact = fit_decision_tree(e), binned = fit_decision_tree(e, {.max_bins = 255});
  CHECK(table::same(exact.probabilities(e.x), binned.probabilities(e.x)));
  Examples apart = table::examples(400, 4, 3, 0.1);
  DecisionTree few = fit_decision_tree(apart, {.max_depth = 3, .max_bins = 40}),
               many = fit_decision_tree(apart, {.max_depth = 3});
  CHECK(table::accuracy(few.probabilities(apart.x), apart.labels) >
        table::accuracy(many.probabilities(apart.x), apart.labels) - 0.05);
}

TEST_CASE("weights are copies, weight 0 is absence") {
  Examples e = table::examples(90, 3, 4, 0.1);
  std::vector<float> x, weights;
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < 90; ++i) {
    weights.push_back(float(i % 3));
    for (int64_t copy = 0; copy < i % 3; ++copy) {
      x.insert(x.end(), e.x.data<float>() + 3 * i, e.x.data<float>() + 3 * i + 3);
      labels.push_back(e.labels.data<int64_t>()[i]);
    }
  }
  DecisionTree copies =
      fit_decision_tree({.x = from(x, {90, 3}), .labels = from(labels, {90}), .classes = 3}, {.max_depth = 4});
  e.weights = from(weights, {90});
  CHECK(table::same(copies.probabilities(e.x), fit_decision_tree(e, {.max_depth = 4}).probabilities(e.x)));
  e.class_weights = {1, 5, 0.5};
  Tensor both = fit_decision_tree(e, {.max_depth = 4}).probabilities(e.x);
  for (int64_t i = 0; i < 90; ++i) weights[size_t(i)] *= float(e.class_weights[size_t(e.labels.data<int64_t>()[i])]);
  e.class_weights = {};
  e.weights = from(weights, {90});
  CHECK(table::same(both, fit_decision_tree(e, {.max_depth = 4}).probabilities(e.x)));
}

TEST_CASE("missing values: their side is learned; without any in training they go with the most items") {
  Examples e{.x = from(std::vector<float>{1, 2, missing, missing, 8, 9, 7}, {7, 1}),
             .labels = from(std::vector<int64_t>{0, 0, 1, 1, 1, 1, 1}, {7})};
  CHECK(table::accuracy(fit_decision_tree(e, {.max_depth = 1}).probabilities(e.x), e.labels) == 1);
  Examples swapped{.x = e.x, .labels = from(std::vector<int64_t>{0, 0, 0, 0, 1, 1, 1}, {7})};
  CHECK(table::accuracy(fit_decision_tree(swapped, {.max_depth = 1}).probabilities(e.x), swapped.labels) == 1);
  // nothing but whether the value is there tells the classes apart
  Examples there{.x = from(std::vector<float>{5, 5, missing, missing, missing}, {5, 1}),
                 .labels = from(std::vector<int64_t>{0, 0, 1, 1, 1}, {5})};
  CHECK(table::accuracy(fit_decision_tree(there).probabilities(there.x), there.labels) == 1);
  Examples none{.x = from(std::vector<float>{1, 2, 3, 8, 9}, {5, 1}),
                .labels = from(std::vector<int64_t>{0, 0, 0, 1, 1}, {5})};
  Tensor p = fit_decision_tree(none).probabilities(from(std::vector<float>{missing}, {1, 1}));
  CHECK(p.data<float>()[0] == 1);
}

TEST_CASE("regression: means of the leaves, and the best of all stumps") {
  Examples e = table::examples(83, 2, 6);
  std::vector<double> y;
  for (int64_t i = 0; i < 83; ++i) y.push_back(std::sin(3 * e.x.data<float>()[2 * i]));
  RegressionTree stump = fit_regression_tree(e.x, from(y, {83}), {}, {.criterion = Criterion::mse, .max_depth = 1});
  Tensor said = stump.predict(e.x);
  double error = 0, best = INFINITY;
  for (int64_t i = 0; i < 83; ++i) error += std::pow(y[size_t(i)] - said.data<float>()[i], 2);
  for (int64_t f = 0; f < 2; ++f)
    for (int64_t at = 0; at < 83; ++at) {
      double n[2] = {}, sum[2] = {}, squares = 0;
      for (int64_t i = 0; i < 83; ++i) {
        bool left = e.x.data<float>()[2 * i + f] <= e.x.data<float>()[2 * at + f];
        n[left] += 1, sum[left] += y[size_t(i)], squares += y[size_t(i)] * y[size_t(i)];
      }
      if (n[0] > 0) best = std::min(best, squares - sum[0] * sum[0] / n[0] - sum[1] * sum[1] / n[1]);
    }
  CHECK(std::abs(error - best) < 83 * 6e-8);  // leaves are float32
  RegressionTree full = fit_regression_tree(e.x, from(y, {83}));
  CHECK(table::largest_difference(full.predict(e.x), from(y, {83})) < 6e-8);
}

TEST_CASE("max_features draws by the seed") {
  Examples e = table::examples(200, 6, 7);
  auto fit = [&](uint64_t seed) {
    return fit_decision_tree(e, {.max_depth = 5, .max_features = 2, .seed = seed}).probabilities(e.x);
  };
  CHECK(table::same(fit(1), fit(1)));
  CHECK(!table::same(fit(1), fit(2)));
}

TEST_CASE("what cannot be learned from is refused with the place") {
  Examples e = table::examples(20, 3, 8);
  auto labels = [](std::vector<int64_t> const& l) { return from(l, {int64_t(l.size())}); };
  CHECK_THROWS_WITH_AS(fit_decision_tree({.x = e.x, .labels = labels(std::vector<int64_t>(20, 1))}),
                       "fit_decision_tree: all 20 labels are 1; two classes at least are needed", ValueError);
  CHECK_THROWS_WITH_AS(fit_decision_tree({.x = zeros({0, 3}), .labels = labels({})}),
                       "fit_decision_tree: x has no rows; nothing can be learned from an empty set", ShapeError);
  CHECK_THROWS_WITH_AS(fit_decision_tree({.x = e.x, .labels = labels({0, 1})}),
                       "fit_decision_tree: 2 labels for 20 rows of x", ShapeError);
  CHECK_THROWS_AS(fit_decision_tree({.x = e.x.reshape({60}), .labels = e.labels}), ShapeError);
  CHECK_THROWS_AS(fit_decision_tree({.x = e.x}), ShapeError);
  CHECK_THROWS_AS(fit_decision_tree({.labels = e.labels}), ShapeError);
  CHECK_THROWS_AS(fit_decision_tree({.x = e.labels.reshape({20, 1}), .labels = e.labels}), DTypeError);
  std::vector<double> with_nan(20, 1.0);
  with_nan[7] = missing;
  CHECK_THROWS_WITH_AS(fit_decision_tree({.x = e.x, .labels = from(with_nan, {20})}),
                       "fit_decision_tree: element 7 is NaN; every one must be a number", ValueError);
  CHECK_THROWS_AS(fit_decision_tree({.x = e.x, .labels = e.labels.cast(DType::f32)}), DTypeError);
  CHECK_THROWS_AS(fit_decision_tree({.x = e.x, .labels = e.labels, .classes = 2}), ValueError);
  CHECK_THROWS_AS(fit_decision_tree({.x = e.x, .labels = labels(std::vector<int64_t>(20, 1LL << 40))}), ValueError);
  CHECK_THROWS_AS(fit_decision_tree({.x = e.x, .labels = e.labels, .weights = from(with_nan, {20})}), ValueError);
  CHECK_THROWS_AS(fit_decision_tree({.x = e.x, .labels = e.labels, .weights = zeros({20})}), ValueError);
  CHECK_THROWS_AS(fit_decision_tree({.x = e.x, .labels = e.labels, .class_weights = {1, 2}}), ShapeError);
  CHECK_THROWS_AS(fit_decision_tree({.x = e.x, .labels = e.labels, .names = {"a"}}), ShapeError);
  CHECK_THROWS_AS(fit_decision_tree(e, {.criterion = Criterion::mse}), ValueError);
  CHECK_THROWS_AS(fit_decision_tree(e, {.max_features = 4}), ValueError);
  CHECK_THROWS_AS(fit_decision_tree(e, {.min_samples_leaf = 0}), ValueError);
  CHECK_THROWS_AS(fit_regression_tree(e.x, from(with_nan, {20})), ValueError);
  CHECK_THROWS_AS(fit_decision_tree(e).probabilities(zeros({2, 4})), ShapeError);
  CHECK_THROWS_AS(DecisionTree().probabilities(e.x), ValueError);
  e.x.data<float>()[3 * 4 + 1] = std::numeric_limits<float>::infinity();
  CHECK_THROWS_WITH_AS(fit_decision_tree(e),
                       "fit_decision_tree: x[4,1] is inf; finite numbers are needed, NaN where one is missing",
                       ValueError);
}
