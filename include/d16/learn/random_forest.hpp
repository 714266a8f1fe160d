// A random forest: trees on bootstrap samples, each node on a few features; its probabilities and out-of-bag score, and
// a JSON file that carries it.
#pragma once
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "../io/atomic_file.hpp"
#include "../io/read_file.hpp"
#include "grow_tree.hpp"
#include "tree_json.hpp"

namespace d16::learn {

struct ForestOptions {
  int64_t trees = 100;
  Criterion criterion = Criterion::gini;
  int64_t max_depth = 0;  ///< 0: until the leaves are pure
  int64_t min_samples_leaf = 1;
  int64_t max_features = 0;  ///< looked at in each node; 0: the square root of their number
  int64_t max_bins = 255;    ///< thresholds lie between so many bins of each feature; 0: between any two values
  bool bootstrap = true;     ///< each tree on N items drawn with replacement; false: on all
  bool out_of_bag = false;   ///< also score each item by the trees that did not see it
  uint64_t seed = 0;
};

struct RandomForest {
  std::vector<Tree> trees = {};
  int64_t features = 0, classes = 0;
  std::vector<double> importance = {};       ///< mean share of each feature in the fall of the impurity; sums to 1
  std::vector<std::string> names = {};       ///< of the features, or empty
  Tensor out_of_bag_probabilities = {};      ///< (N,K); NaN where every tree saw the item; undefined unless asked for
  std::optional<double> out_of_bag_score{};  ///< fraction right among the items that some tree did not see

  /// The mean of the trees' class fractions.
  /// Shapes   x (N,F), result (N,K) float32.   Errors   ShapeError for another number of features.
  Tensor probabilities(Tensor const& x) const {
    require<ValueError>(!trees.empty(), "RandomForest: there are no trees; fit it first");
    detail::Matrix m = detail::matrix("RandomForest", x, features);
    std::vector<double> sums(size_t(m.rows * classes), 0.0);
    detail::visit_trees(trees, m, sums.data(), classes, [K = classes](size_t, float const* leaf, double* row) {
      for (int64_t k = 0; k < K; ++k) row[k] += double(leaf[k]);
    });
    Tensor out = empty({m.rows, classes}, {.dtype = DType::f32, .device = Device()});
    for (size_t i = 0; i < sums.size(); ++i) out.data<float>()[i] = float(sums[i] / double(trees.size()));
    return out;
  }
};

namespace detail {

/// How often each item is in a tree's sample. The same numbers whenever they are asked for.
inline std::vector<double> drawn(int64_t items, uint64_t seed, int64_t tree) {
  Random random(seed, uint64_t(2 * tree));
  std::vector<double> times(size_t(items), 0.0);
  for (int64_t i = 0; i < items; ++i) times[size_t(random.integer(items))] += 1;
  return times;
}

inline void score_out_of_bag(RandomForest& forest, Training const& t, uint64_t seed) {
  int64_t N = t.x.rows, K = t.classes;
  std::vector<double> sums(size_t(N * K), 0.0), seen_by(size_t(N), 0.0);
  for (size_t b = 0; b < forest.trees.size(); ++b) {
    std::vector<double> times = drawn(N, seed, int64_t(b));
    parallel_for(N, [&](int64_t i) {
      if (times[size_t(i)] > 0) return;
      float const* leaf = forest.trees[b].at(t.x.row(i));
      for (int64_t k = 0; k < K; ++k) sums[size_t(i * K + k)] += double(leaf[k]);
      seen_by[size_t(i)] += 1;
    });
  }
  forest.out_of_bag_probabilities = empty({N, K}, {.dtype = DType::f32, .device = Device()});
  double right = 0, all = 0;
  for (int64_t i = 0; i < N; ++i) {
    double* row = &sums[size_t(i * K)];
    for (int64_t k = 0; k < K; ++k)  // 0 / 0 is the NaN of an item without such a tree
      forest.out_of_bag_probabilities.data<float>()[i * K + k] = float(row[k] / seen_by[size_t(i)]);
    if (seen_by[size_t(i)] == 0) continue;
    all += 1;
    right += std::max_element(row, row + K) - row == t.labels[size_t(i)];
  }
  if (all > 0) forest.out_of_bag_score = right / all;
}

}  // namespace detail

/// Trees in parallel, each with its own random numbers.
/// Cost     trees x max_features x N log N per level.   Deterministic  for a seed, whatever the number of threads.
/// Errors   ShapeError, DTypeError, ValueError: wrong shapes, an empty set, one class only, infinities, bad options.
/// Source   Breiman 2001, "Random forests"; a bag's counts are weights, as in scikit-learn.
inline RandomForest fit_random_forest(Examples const& examples, ForestOptions const& o = {}) {
  char const* op = "fit_random_forest";
  detail::Training t = detail::training(op, examples);
  detail::require_two_classes(op, t);
  require<ValueError>(o.trees > 0, op, ": trees is ", o.trees, "; 1 is the least");
  require<ValueError>(o.criterion != Criterion::mse, op, ": mse is for numbers; gini or entropy is needed");
  require<ValueError>(o.bootstrap || !o.out_of_bag, op, ": out_of_bag needs bootstrap; without it no item is left out");
  TreeOptions tree{o.criterion, o.max_depth, o.min_samples_leaf, o.max_features, o.max_bins};
  if (tree.max_features == 0) tree.max_features = std::max<int64_t>(1, int64_t(std::sqrt(double(t.x.columns))));
  detail::check(op, tree, t.x.columns);

  detail::Codes<uint32_t> codes(t.x, o.max_bins);
  RandomForest forest{.trees = std::vector<Tree>(size_t(o.trees)),
                      .features = t.x.columns,
                      .classes = t.classes,
                      .names = examples.names};
  std::vector<std::vector<double>> importances(size_t(o.trees));
  parallel_tasks(o.trees, [&](int64_t b) {
    std::vector<double> weights = t.weights;
    if (o.bootstrap) {
      std::vector<double> times = detail::drawn(t.x.rows, o.seed, b);
      for (size_t i = 0; i < weights.size(); ++i) weights[i] *= times[i];
    }
    std::vector<uint32_t> rows = detail::weighted_rows(weights);
    require<ValueError>(!rows.empty(), op, ": a bootstrap sample has no item of positive weight; weigh more items");
    detail::ClassStatistics statistics{t.labels.data(), weights.data(), t.classes, o.criterion};
    detail::TreeGrower grower(codes, statistics, tree, Random(o.seed, uint64_t(2 * b + 1)));
    forest.trees[size_t(b)] = grower.grow(std::move(rows));
    importances[size_t(b)] = grower.importance();
  });
  forest.importance.assign(size_t(forest.features), 0.0);
  for (std::vector<double> const& importance : importances)
    for (size_t f = 0; f < importance.size(); ++f) forest.importance[f] += importance[f];
  detail::normalise(forest.importance);
  if (o.out_of_bag) detail::score_out_of_bag(forest, t, o.seed);
  return forest;
}

/// The forest as JSON: {"format": "d16 random forest", "version": 1, "features", "classes", "names", "importance",
/// "out_of_bag_score" (null without one), "trees": [{"feature", "threshold", "next", "missing_left", "values"} ...]}.
/// Probabilities of the forest that is read back are the same bit by bit; those out of bag stay behind.
/// Errors   ValueError when nothing was fitted.
inline io::Json random_forest_to_json(RandomForest const& forest) {
  require<ValueError>(!forest.trees.empty(), "random_forest_to_json: nothing was fitted or loaded");
  io::Json trees = io::Json::array({});
  for (Tree const& tree : forest.trees) trees.push_back(detail::tree_to_json(tree));
  io::Json score = forest.out_of_bag_score ? io::Json(*forest.out_of_bag_score) : io::Json();
  return io::Json::object({{"format", "d16 random forest"},
                           {"version", 1},
                           {"features", forest.features},
                           {"classes", forest.classes},
                           {"names", forest.names},
                           {"importance", forest.importance},
                           {"out_of_bag_score", std::move(score)},
                           {"trees", std::move(trees)}});
}

/// Errors   ValueError: what is wrong with the description; leaves must hold fractions that sum to 1.
inline RandomForest random_forest_from_json(io::Json const& json) {
  detail::TreesHeader header = detail::trees_header(json, "d16 random forest");
  RandomForest forest{.features = header.features,
                      .classes = header.classes,
                      .importance = std::move(header.importance),
                      .names = std::move(header.names)};
  if (!json.at("out_of_bag_score").is_null()) forest.out_of_bag_score = json.number("out_of_bag_score");
  for (io::Json const& tree : json.at("trees").array()) {
    forest.trees.push_back(detail::tree_from_json(tree, forest.features, forest.classes));
    std::vector<float> const& values = forest.trees.back().values;
    for (size_t at = 0; at < values.size(); at += size_t(forest.classes)) {
      double sum = 0, least = 0;
      for (size_t k = at; k < at + size_t(forest.classes); ++k)
        sum += double(values[k]), least = std::min(least, double(values[k]));
      require<ValueError>(least >= 0 && std::abs(sum - 1) < 1e-3, "the fractions of a leaf sum to ", sum,
                          ", the least is ", least, "; fractions from 0 up that sum to 1 are needed");
    }
  }
  require<ValueError>(!forest.trees.empty(), "there are no trees; one or more are needed");
  return forest;
}

/// Writes a .json file, whole or not at all.
inline void save_random_forest(std::string const& path, RandomForest const& forest) {
  io::write_file(path, random_forest_to_json(forest).dump());
}

/// Errors   FileError: the file cannot be read or is no JSON; WeightsError: the JSON is no such forest.
///          Whatever loads can be evaluated: no hostile file leads a walk out of its tree.
inline RandomForest load_random_forest(std::string const& path) {
  io::Json json = io::parse_json(io::read_file(path), path);
  try {
    return random_forest_from_json(json);
  } catch (ValueError const& error) {
    throw WeightsError(text(path, ": ", error.what()));
  }
}

}  // namespace d16::learn
