// Gradient-boosted trees as XGBoost makes them: logistic for two classes, softmax for more, missing values, early
// stopping, and a JSON file that carries them.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "../core/random.hpp"
#include "../io/atomic_file.hpp"
#include "../io/json.hpp"
#include "../io/read_file.hpp"
#include "grow_gradient_trees.hpp"
#include "tree_json.hpp"

namespace d16::learn {

/// margin(n,k) = base(k) + the sum of the k-th tree of every round. Two classes have one margin, that of class 1.
struct BoostedTrees {
  int64_t features = 0, classes = 0;
  std::vector<double> base = {};             ///< (outputs)
  std::vector<Tree> trees = {};              ///< round by round, one tree per output
  std::vector<double> importance = {};       ///< share of each feature in the gain of all rounds grown; sums to 1
  std::vector<double> validation_loss = {};  ///< after each round; not in the file
  std::vector<std::string> names = {};       ///< of the features, or empty

  int64_t outputs() const { return int64_t(base.size()); }
  int64_t rounds() const { return int64_t(trees.size()) / std::max<int64_t>(1, outputs()); }

  /// Shapes   x (N,F), result (N,outputs) float64.   Errors   ShapeError for another number of features.
  Tensor margins(Tensor const& x) const;
  /// Shapes   x (N,F), result (N,K) float32.
  Tensor probabilities(Tensor const& x) const;
};

namespace detail {

/// margins of one item -> probabilities of the classes; one margin is the logit of class 1.
inline void probabilities_of(double const* margins, int64_t outputs, double* p) {
  if (outputs == 1) {
    p[1] = 1 / (1 + std::exp(-margins[0]));
    p[0] = 1 - p[1];
    return;
  }
  double highest = *std::max_element(margins, margins + outputs), sum = 0;
  for (int64_t k = 0; k < outputs; ++k) sum += p[k] = std::exp(margins[k] - highest);
  for (int64_t k = 0; k < outputs; ++k) p[k] /= sum;
}

/// -log p(label) from the margins, without the cancellation of p near 1.
inline double log_loss(double const* margins, int64_t outputs, int32_t label) {
  if (outputs == 1) {
    double m = label == 1 ? margins[0] : -margins[0];
    return m > 0 ? std::log1p(std::exp(-m)) : std::log1p(std::exp(m)) - m;
  }
  double highest = *std::max_element(margins, margins + outputs), sum = 0;
  for (int64_t k = 0; k < outputs; ++k) sum += std::exp(margins[k] - highest);
  return std::log(sum) + highest - margins[label];
}

/// Weighted mean over the items. The partial sums are those of pieces, so it does not depend on the threads.
inline double mean_log_loss(std::vector<double> const& margins, int64_t outputs, Training const& t) {
  constexpr int64_t grain = 1024;
  std::vector<double> losses(size_t((t.x.rows + grain - 1) / grain), 0.0), weights = losses;
  parallel_chunks(t.x.rows, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      double w = t.weights[size_t(i)];
      losses[size_t(begin / grain)] += w * log_loss(&margins[size_t(i * outputs)], outputs, t.labels[size_t(i)]);
      weights[size_t(begin / grain)] += w;
    }
  });
  return std::accumulate(losses.begin(), losses.end(), 0.0) / std::accumulate(weights.begin(), weights.end(), 0.0);
}

inline void add_margins(std::vector<Tree> const& trees, Matrix const& x, int64_t outputs, double* margins) {
  visit_trees(trees, x, margins, outputs,
              [outputs](size_t t, float const* leaf, double* row) { row[int64_t(t) % outputs] += double(leaf[0]); });
}
inline void begin_margins(std::vector<double> const& base, std::vector<double>& margins) {
  for (size_t i = 0; i < margins.size(); ++i) margins[i] = base[i % base.size()];
}

/// One round after the other, with the margins of all training items at hand.
class Booster {
 public:
  Booster(Training const& t, BoostOptions const& o)
      : training_(t),
        options_(o),
        outputs_(t.classes == 2 ? 1 : t.classes),
        codes_(t.x, o.max_bins),
        grower_(codes_, o, outputs_),
        base_(first_margins()),
        margins_(size_t(t.x.rows * outputs_)) {
    begin_margins(base_, margins_);
  }

  std::vector<double> const& base() const { return base_; }
  std::vector<double> const& importance() const { return grower_.importance(); }

  std::vector<Tree> round(int64_t number) {
    derive(number);
    std::vector<std::vector<int32_t>> features;
    for (int64_t t = 0; t < outputs_; ++t) features.push_back(chosen_features(number * outputs_ + t));
    return grower_.grow(features, margins_.data());
  }

 private:
  /// The margins of the weighted class frequencies, a class without items counting as one item; or zeros.
  std::vector<double> first_margins() const {
    std::vector<double> counts(size_t(training_.classes), 0.0), base(size_t(outputs_), 0.0);
    if (!options_.from_prior) return base;
    double all = 0;
    for (size_t i = 0; i < training_.labels.size(); ++i)
      counts[size_t(training_.labels[i])] += training_.weights[i], all += training_.weights[i];
    double one_item = all / double(training_.x.rows);
    for (double& count : counts) count = count > 0 ? count : one_item;
    if (outputs_ == 1) base[0] = std::log(counts[1] / counts[0]);
    else
      for (size_t k = 0; k < base.size(); ++k) base[k] = std::log(counts[k] / all);
    return base;
  }

  /// d loss / d margin = w (p - y); second derivative w p (1 - p), twice that for softmax as XGBoost has it, because
  /// the other margins move too. Items that are not in the sample weigh nothing.
  void derive(int64_t number) {
    int64_t N = training_.x.rows;
    Slope* slopes = grower_.slopes();
    double factor = outputs_ == 1 ? 1 : 2;
    parallel_chunks(N, 1024, [&](int64_t begin, int64_t end) {
      std::vector<double> p(static_cast<size_t>(training_.classes));
      for (int64_t i = begin; i < end; ++i) {
        probabilities_of(&margins_[size_t(i * outputs_)], outputs_, p.data());
        for (int64_t t = 0; t < outputs_; ++t) {
          int64_t k = outputs_ == 1 ? 1 : t;
          double pk = p[size_t(k)], w = training_.weights[size_t(i)] * in_sample(number * outputs_ + t, i);
          double y = training_.labels[size_t(i)] == k;
          slopes[t * N + i] = Slope{w * (pk - y), w * std::max(factor * pk * (1 - pk), 1e-16)};
        }
      }
    });
  }
  bool in_sample(int64_t tree, int64_t item) const {
    if (options_.subsample == 1) return true;
    return unit_interval(philox(options_.seed, uint64_t(item), uint64_t(2 * tree))[0]) < options_.subsample;
  }
  std::vector<int32_t> chosen_features(int64_t tree) const {
    std::vector<int32_t> features(size_t(codes_.features()));
    std::iota(features.begin(), features.end(), 0);
    if (options_.colsample == 1) return features;
    Random random(options_.seed, uint64_t(2 * tree + 1));
    auto all = int64_t(features.size()), wanted = std::max<int64_t>(1, int64_t(options_.colsample * double(all)));
    for (int64_t i = 0; i < wanted; ++i) std::swap(features[size_t(i)], features[size_t(i + random.integer(all - i))]);
    features.resize(size_t(wanted));
    std::sort(features.begin(), features.end());
    return features;
  }

  Training const& training_;
  BoostOptions options_;
  int64_t outputs_;
  Codes<uint8_t> codes_;
  GradientTreeGrower grower_;
  std::vector<double> base_, margins_;
};

inline void check(char const* op, BoostOptions const& o, bool validation) {
  auto within = [&](char const* name, double value, double low, double high) {
    require<ValueError>(value >= low && value <= high, op, ": ", name, " is ", value, "; ", low, " to ", high,
                        " can be");
  };
  within("rounds", double(o.rounds), 1, 1e6);
  within("eta", o.eta, 1e-6, 1e6);
  within("max_depth", double(o.max_depth), 1, 30);
  within("lambda", o.lambda, 0, 1e12);
  within("gamma", o.gamma, 0, 1e12);
  within("min_child_weight", o.min_child_weight, 0, 1e12);
  within("subsample", o.subsample, 1e-6, 1);
  within("colsample", o.colsample, 1e-6, 1);
  within("max_bins", double(o.max_bins), 2, 255);
  within("patience", double(o.patience), 0, 1e6);
  require<ValueError>(validation || o.patience == 0, op, ": patience is ", o.patience,
                      "; early stopping needs a validation set");
}

}  // namespace detail

inline Tensor BoostedTrees::margins(Tensor const& x) const {
  require<ValueError>(outputs() > 0, "BoostedTrees: nothing was fitted or loaded");
  detail::Matrix m = detail::matrix("BoostedTrees", x, features);
  std::vector<double> sums(size_t(m.rows * outputs()));
  detail::begin_margins(base, sums);
  detail::add_margins(trees, m, outputs(), sums.data());
  Tensor out = empty({m.rows, outputs()}, {.dtype = DType::f64, .device = Device()});
  std::copy(sums.begin(), sums.end(), out.data<double>());
  return out;
}

inline Tensor BoostedTrees::probabilities(Tensor const& x) const {
  Tensor m = margins(x), out = empty({m.dim(0), classes}, {.dtype = DType::f32, .device = Device()});
  std::vector<double> p(static_cast<size_t>(classes));
  for (int64_t i = 0; i < m.dim(0); ++i) {
    detail::probabilities_of(m.data<double>() + i * outputs(), outputs(), p.data());
    for (int64_t k = 0; k < classes; ++k) out.data<float>()[i * classes + k] = float(p[size_t(k)]);
  }
  return out;
}

/// Boosting by second-order trees: each round fits one tree per margin to the derivatives of the log-loss at the
/// margins so far. A depth of 1 makes stumps. NaN goes to the side of each split where it costs less.
/// `validation` (optional) is scored after each round; with `patience` the rounds end there and the best are kept.
/// Cost     rounds x outputs x (N F additions per level, halved by subtraction, + 256 F per node).
/// Deterministic  for a seed, whatever the number of threads.
/// Errors   ShapeError, DTypeError, ValueError: wrong shapes, an empty set, one class only, infinities, bad options.
/// Source   Chen & Guestrin 2016, arXiv:1603.02754: eq. 5 leaves, eq. 7 gain, algorithm 3 missing values. Our choice:
///          thresholds are midpoints between bins, bins hold equal numbers of items, and NaN that training has not seen
///          in a node goes where the most weight is.
inline BoostedTrees fit_boosted_trees(Examples const& examples, BoostOptions const& o = {},
                                      Examples const& validation = {}) {
  char const* op = "fit_boosted_trees";
  detail::Training t = detail::training(op, examples);
  detail::require_two_classes(op, t);
  bool validate = validation.x.defined();
  detail::check(op, o, validate);
  detail::Training v;
  if (validate) v = detail::training(op, validation, t.x.columns, t.classes);

  detail::Booster booster(t, o);
  BoostedTrees model{.features = t.x.columns, .classes = t.classes, .base = booster.base(), .names = examples.names};
  int64_t best = 0, outputs = model.outputs();
  std::vector<double> margins(size_t(v.x.rows * outputs));
  detail::begin_margins(model.base, margins);
  for (int64_t round = 0; round < o.rounds; ++round) {
    std::vector<Tree> grown = booster.round(round);
    if (validate) {
      detail::add_margins(grown, v.x, outputs, margins.data());
      model.validation_loss.push_back(detail::mean_log_loss(margins, outputs, v));
      if (model.validation_loss.back() < model.validation_loss[size_t(best)]) best = round;
    }
    std::move(grown.begin(), grown.end(), std::back_inserter(model.trees));
    if (o.patience > 0 && round - best >= o.patience) break;
  }
  if (o.patience > 0) model.trees.resize(size_t((best + 1) * outputs));
  model.importance = booster.importance();
  detail::normalise(model.importance);
  return model;
}

/// The model as JSON: {"format": "d16 boosted trees", "version": 1, "features", "classes", "base", "names",
/// "importance", "trees": [{"feature", "threshold", "next", "missing_left", "values"} ...]}. Probabilities of the model
/// that is read back are the same bit by bit.
inline io::Json boosted_trees_to_json(BoostedTrees const& model) {
  require<ValueError>(model.outputs() > 0, "boosted_trees_to_json: nothing was fitted or loaded");
  io::Json trees = io::Json::array({});
  for (Tree const& tree : model.trees) trees.push_back(detail::tree_to_json(tree));
  return io::Json::object({{"format", "d16 boosted trees"},
                           {"version", 1},
                           {"features", model.features},
                           {"classes", model.classes},
                           {"base", model.base},
                           {"names", model.names},
                           {"importance", model.importance},
                           {"trees", std::move(trees)}});
}

/// Errors   ValueError: what is wrong with the description.
inline BoostedTrees boosted_trees_from_json(io::Json const& json) {
  require<ValueError>(json.is_object() && json.has("format") && json.at("format").is_string() &&
                          json.string("format") == "d16 boosted trees",
                      "this JSON does not hold boosted trees of d16");
  require<ValueError>(json.integer("version") == 1, "version ", json.integer("version"),
                      " of the format; this program reads version 1");
  BoostedTrees model{.features = json.integer("features"), .classes = json.integer("classes")};
  require<ValueError>(model.features > 0 && model.features <= 1'000'000 && model.classes > 1 && model.classes <= 10'000,
                      model.features, " features and ", model.classes, " classes; 1 to 1000000 and 2 to 10000 can be");
  for (io::Json const& value : json.at("base").array()) {
    model.base.push_back(value.number());
    require<ValueError>(std::abs(value.number()) < 1e30, "a base margin is ", value.number(), "; that is no logarithm");
  }
  for (io::Json const& value : json.at("importance").array()) model.importance.push_back(value.number());
  for (io::Json const& value : json.at("names").array()) model.names.push_back(value.string());
  require<ValueError>(model.outputs() == (model.classes == 2 ? 1 : model.classes), model.outputs(),
                      " base margins for ", model.classes, " classes");
  require<ValueError>(int64_t(model.importance.size()) == model.features, model.importance.size(), " importances for ",
                      model.features, " features");
  require<ValueError>(model.names.empty() || int64_t(model.names.size()) == model.features, model.names.size(),
                      " names for ", model.features, " features");
  for (io::Json const& tree : json.at("trees").array())
    model.trees.push_back(detail::tree_from_json(tree, model.features, 1));
  require<ValueError>(int64_t(model.trees.size()) % model.outputs() == 0, model.trees.size(), " trees; a multiple of ",
                      model.outputs(), ", one per margin and round, is needed");
  return model;
}

/// Writes a .json file, whole or not at all.
inline void save_boosted_trees(std::string const& path, BoostedTrees const& model) {
  io::write_file(path, boosted_trees_to_json(model).dump());
}

/// Errors   FileError: the file cannot be read or is no JSON; WeightsError: the JSON is not such a model.
///          Whatever loads can be evaluated: no hostile file leads a walk out of its tree.
inline BoostedTrees load_boosted_trees(std::string const& path) {
  io::Json json = io::parse_json(io::read_file(path), path);
  try {
    return boosted_trees_from_json(json);
  } catch (ValueError const& error) {
    throw WeightsError(text(path, ": ", error.what()));
  }
}

}  // namespace d16::learn
