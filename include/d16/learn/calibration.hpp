// Scores into probabilities: sigmoid, isotonic, temperature, and a change of the class frequencies.
// To be fitted on validation data; reliability_bins() and calibration_error() of metrics.hpp say how good it is.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "../io/json.hpp"
#include "examples.hpp"

namespace d16::learn {

namespace detail {

/// Scores, labels 0 and 1, weights, all of equal length, both classes there.
struct BinaryScores {
  std::vector<double> scores, weights;
  std::vector<int64_t> labels;
  double positives = 0, negatives = 0;  ///< sums of weights

  BinaryScores(char const* op, Tensor const& s, Tensor const& l, Tensor const& w)
      : scores(numbers(op, s)), labels(class_indices(op, "labels", l, 2)) {
    require_equal_length(op, scores.size(), labels.size());
    for (size_t i = 0; i < scores.size(); ++i)
      require<ValueError>(std::isfinite(scores[i]), op, ": scores[", i, "] is ", scores[i],
                          "; a finite number is needed");
    weights = item_weights(op, w, int64_t(scores.size()));
    for (size_t i = 0; i < labels.size(); ++i) (labels[i] ? positives : negatives) += weights[i];
    require<ValueError>(positives > 0 && negatives > 0, op, ": all ", labels.size(), " labels are ", labels[0],
                        "; both classes are needed");
  }
};

/// f(score) for each element, float64, in the shape of the scores.
template <class F> Tensor map_scores(char const* op, Tensor const& scores, F const& f) {
  std::vector<double> values = numbers(op, scores);
  for (double& value : values) value = f(value);
  return from(values, scores.shape());
}

/// 1 / (1 + exp(z)) without overflow.
inline double falling_sigmoid(double z) { return z > 0 ? std::exp(-z) / (1 + std::exp(-z)) : 1 / (1 + std::exp(z)); }

}  // namespace detail

/// p = 1 / (1 + exp(a s + b)).
struct SigmoidCalibration {
  double a = -1, b = 0;

  double operator()(double score) const { return detail::falling_sigmoid(a * score + b); }
  /// Shapes   any; result of the same shape, float64.   Errors   ValueError for NaN.
  Tensor operator()(Tensor const& scores) const { return detail::map_scores("SigmoidCalibration", scores, *this); }

  io::Json to_json() const { return io::Json::object({{"a", a}, {"b", b}}); }
  static SigmoidCalibration from_json(io::Json const& json) { return {json.number("a"), json.number("b")}; }
};

/// The sigmoid that makes the labels likeliest, with targets (N1 + 1)/(N1 + 2) and 1/(N0 + 2) in place of 1 and 0, so
/// that separable scores do not give a step. N1, N0 are sums of weights.
/// Shapes   scores (N), labels (N) with values 0 and 1, weights (N) or undefined.
/// Errors   ValueError for NaN, one class only, bad weights.
/// Source   Platt 1999; Newton's method with backtracking of Lin, Lin & Weng 2007, Machine Learning 68, 267.
inline SigmoidCalibration fit_sigmoid(Tensor const& scores, Tensor const& labels, Tensor const& weights = {}) {
  detail::BinaryScores d("fit_sigmoid", scores, labels, weights);
  double all = d.positives + d.negatives, mean = 0, square = 0;
  for (size_t i = 0; i < d.scores.size(); ++i) mean += d.weights[i] * d.scores[i] / all;
  for (size_t i = 0; i < d.scores.size(); ++i)
    square += d.weights[i] * (d.scores[i] - mean) * (d.scores[i] - mean) / all;
  double scale = square > 0 ? std::sqrt(square) : 1;  // the fit runs on standardised scores: any unit will do
  double const target[2] = {1 / (d.negatives + 2), (d.positives + 1) / (d.positives + 2)};

  double a = 0, b = std::log((d.negatives + 1) / (d.positives + 1));
  auto loss = [&](double a_try, double b_try) {
    double sum = 0;
    for (size_t i = 0; i < d.scores.size(); ++i) {
      double z = a_try * (d.scores[i] - mean) / scale + b_try;
      double soft = z > 0 ? z + std::log1p(std::exp(-z)) : std::log1p(std::exp(z));  // log(1 + exp z)
      sum += d.weights[i] * (soft - (1 - target[d.labels[i]]) * z);
    }
    return sum;
  };
  double best = loss(a, b);
  for (int step = 0; step < 100; ++step) {
    double ga = 0, gb = 0, haa = 1e-12 * all, hab = 0, hbb = 1e-12 * all;
    for (size_t i = 0; i < d.scores.size(); ++i) {
      double s = (d.scores[i] - mean) / scale, p = detail::falling_sigmoid(a * s + b), w = d.weights[i];
      double slope = w * (target[d.labels[i]] - p), bend = w * p * (1 - p);
      ga += slope * s, gb += slope;
      haa += bend * s * s, hab += bend * s, hbb += bend;
    }
    double determinant = haa * hbb - hab * hab;
    double da = -(hbb * ga - hab * gb) / determinant, db = -(haa * gb - hab * ga) / determinant;
    double fall = -(ga * da + gb * db), length = 1, now = best;
    if (fall < 1e-8 * all) {  // so near the minimum the whole step is right, and the loss too coarse to say so
      a += da, b += db;
      break;
    }
    for (; length > 1e-10; length /= 2) {
      now = loss(a + length * da, b + length * db);
      if (now < best - 1e-4 * length * fall) break;
    }
    a += length * da, b += length * db, best = now;
  }
  return {a / scale, b - a * mean / scale};
}

/// Linear between its points, flat outside.
struct IsotonicCalibration {
  std::vector<double> scores = {}, values = {};  ///< both rise

  double operator()(double score) const {
    require<ValueError>(!scores.empty(), "IsotonicCalibration: nothing was fitted");
    size_t above = size_t(std::upper_bound(scores.begin(), scores.end(), score) - scores.begin());
    if (above == 0) return values.front();
    if (above == scores.size()) return values.back();
    double t = (score - scores[above - 1]) / (scores[above] - scores[above - 1]);
    return values[above - 1] + t * (values[above] - values[above - 1]);
  }
  Tensor operator()(Tensor const& s) const { return detail::map_scores("IsotonicCalibration", s, *this); }

  io::Json to_json() const { return io::Json::object({{"scores", scores}, {"values", values}}); }
  /// Errors   ValueError unless both lists rise and are equally long.
  static IsotonicCalibration from_json(io::Json const& json) {
    IsotonicCalibration out;
    for (io::Json const& score : json.at("scores").array()) out.scores.push_back(score.number());
    for (io::Json const& value : json.at("values").array()) out.values.push_back(value.number());
    bool rising =
        !out.scores.empty() && out.scores.size() == out.values.size() &&
        std::is_sorted(out.values.begin(), out.values.end()) &&
        std::adjacent_find(out.scores.begin(), out.scores.end(), std::greater_equal<double>()) == out.scores.end();
    require<ValueError>(rising, "isotonic calibration: ", out.scores.size(), " scores and ", out.values.size(),
                        " values; equally many are needed, both rising");
    return out;
  }
};

/// The rising function of the score with the least squared error from the labels: neighbours that fall are pooled.
/// Items of equal score are one. Shapes, errors as fit_sigmoid().   Cost  a sort.
/// Source   Ayer et al. 1955 (pool adjacent violators); Zadrozny & Elkan 2002, KDD, for probabilities.
inline IsotonicCalibration fit_isotonic(Tensor const& scores, Tensor const& labels, Tensor const& weights = {}) {
  detail::BinaryScores d("fit_isotonic", scores, labels, weights);
  std::vector<size_t> order;
  for (size_t i = 0; i < d.scores.size(); ++i)
    if (d.weights[i] > 0) order.push_back(i);
  std::stable_sort(order.begin(), order.end(), [&](size_t i, size_t j) { return d.scores[i] < d.scores[j]; });
  struct Block {
    double first, last, positives, all;
    double value() const { return positives / all; }
  };
  std::vector<Block> blocks;
  auto pool = [&] {
    Block top = blocks.back();
    blocks.pop_back();
    blocks.back() = {blocks.back().first, top.last, blocks.back().positives + top.positives,
                     blocks.back().all + top.all};
  };
  for (size_t at = 0; at < order.size(); ++at) {
    size_t i = order[at];
    bool tie = at > 0 && d.scores[i] == d.scores[order[at - 1]];
    if (!tie)  // the block before is complete
      while (blocks.size() > 1 && blocks[blocks.size() - 2].value() >= blocks.back().value()) pool();
    blocks.push_back({d.scores[i], d.scores[i], d.weights[i] * double(d.labels[i]), d.weights[i]});
    if (tie) pool();
  }
  while (blocks.size() > 1 && blocks[blocks.size() - 2].value() >= blocks.back().value()) pool();
  IsotonicCalibration out;
  for (Block const& block : blocks)
    for (double score : {block.first, block.last})
      if (out.scores.empty() || out.scores.back() < score) {
        out.scores.push_back(score);
        out.values.push_back(block.value());
      }
  return out;
}

/// p = softmax(logits / temperature).
struct TemperatureCalibration {
  double temperature = 1;

  /// Shapes   logits (N,K); result (N,K) float64.
  Tensor operator()(Tensor const& logits) const {
    require<ShapeError>(logits.rank() == 2 && logits.dim(1) > 0, "TemperatureCalibration: logits are ", logits.shape(),
                        "; (N,K) is needed");
    std::vector<double> z = detail::numbers("TemperatureCalibration", logits);
    auto K = size_t(logits.dim(1));
    for (size_t i = 0; i < z.size(); i += K) {
      double highest = *std::max_element(&z[i], &z[i] + K), sum = 0;
      for (size_t k = i; k < i + K; ++k) sum += z[k] = std::exp((z[k] - highest) / temperature);
      for (size_t k = i; k < i + K; ++k) z[k] /= sum;
    }
    return from(z, logits.shape());
  }

  io::Json to_json() const { return io::Json::object({{"temperature", temperature}}); }
  static TemperatureCalibration from_json(io::Json const& json) {
    double temperature = json.number("temperature");
    require<ValueError>(temperature > 0, "temperature calibration: temperature is ", temperature,
                        "; a positive number is needed");
    return {temperature};
  }
};

/// The temperature that makes the labels likeliest. The loss is convex in 1 / T, so bisection of its slope finds the
/// only minimum. T lies between 0.001 and 1000 (our choice): labels that the logits order perfectly have no minimum.
/// Shapes   logits (N,K), labels (N) integer.   Errors  ShapeError, ValueError for NaN or labels outside 0 .. K-1.
/// Source   Guo et al. 2017, arXiv:1706.04599.
inline TemperatureCalibration fit_temperature(Tensor const& logits, Tensor const& labels) {
  require<ShapeError>(logits.rank() == 2 && logits.dim(0) > 0 && logits.dim(1) > 1, "fit_temperature: logits are ",
                      logits.shape(), "; (N,K) with items and two classes at least is needed");
  std::vector<double> z = detail::numbers("fit_temperature", logits);
  std::vector<int64_t> l = detail::class_indices("fit_temperature", "labels", labels, logits.dim(1));
  detail::require_equal_length("fit_temperature", size_t(logits.dim(0)), l.size());
  auto K = size_t(logits.dim(1));
  auto slope = [&](double beta) {  // of the log-loss by beta = 1 / T: how far the mean logit is above the label's
    double total = 0;
    for (size_t i = 0; i < l.size(); ++i) {
      double const* row = &z[i * K];
      double highest = *std::max_element(row, row + K), sum = 0, mean = 0;
      for (size_t k = 0; k < K; ++k) {
        double p = std::exp(beta * (row[k] - highest));
        sum += p, mean += p * (row[k] - row[l[i]]);
      }
      total += mean / sum;
    }
    return total;
  };
  double low = std::log(1e-3), high = std::log(1e3);  // of beta
  for (int step = 0; step < 64; ++step) {
    double middle = (low + high) / 2;
    (slope(std::exp(middle)) <= 0 ? low : high) = middle;
  }
  return {std::exp(-(low + high) / 2)};
}

/// Probabilities for other class frequencies than those of the training: p_k' ~ p_k to_k / from_k, summing to 1.
///   reweight_priors(p, {1, 1, 1}, {722, 722, 11});   // trained balanced, used where brown dwarfs are rare
/// Shapes   probabilities (N,K); from, to (K) positive, on any scale (a `to` may be 0); result (N,K) float64.
/// Errors   ShapeError, ValueError.
/// Source   Saerens, Latinne & Decaestecker 2002, Neural Computation 14, 21, eq. 2.4.
inline Tensor reweight_priors(Tensor const& probabilities, std::vector<double> const& from_priors,
                              std::vector<double> const& to_priors) {
  char const* op = "reweight_priors";
  require<ShapeError>(probabilities.rank() == 2 && size_t(probabilities.dim(1)) == from_priors.size() &&
                          from_priors.size() == to_priors.size(),
                      op, ": probabilities are ", probabilities.shape(), " with ", from_priors.size(), " and ",
                      to_priors.size(), " priors; (N,K) and K of each are needed");
  double sums[2] = {};
  for (size_t k = 0; k < to_priors.size(); ++k) {
    require<ValueError>(from_priors[k] > 0 && to_priors[k] >= 0, op, ": priors of class ", k, " are ", from_priors[k],
                        " and ", to_priors[k], "; the first must be positive, the second not negative");
    sums[0] += from_priors[k], sums[1] += to_priors[k];
  }
  require<ValueError>(sums[1] > 0, op, ": all new priors are 0");
  std::vector<double> p = detail::numbers(op, probabilities);
  size_t K = from_priors.size();
  for (size_t i = 0; i < p.size(); i += K) {
    double sum = 0;
    for (size_t k = 0; k < K; ++k) sum += p[i + k] *= to_priors[k] / sums[1] / (from_priors[k] / sums[0]);
    require<ValueError>(sum > 0, op, ": row ", i / K, " has no probability left for the classes that occur");
    for (size_t k = 0; k < K; ++k) p[i + k] /= sum;
  }
  return from(p, probabilities.shape());
}

/// What a classifier of many classes says of its own first choice, and whether that was right: for reliability_bins().
struct TopLabel {
  Tensor confidence;  ///< (N) float64
  Tensor right;       ///< (N) int64, 0 or 1
};
/// Shapes   probabilities (N,K), labels (N) integer.
/// Source   Guo et al. 2017, arXiv:1706.04599, section 2.
inline TopLabel top_label(Tensor const& probabilities, Tensor const& labels) {
  Tensor first = argmax(probabilities);
  std::vector<int64_t> l = detail::class_indices("top_label", "labels", labels, probabilities.dim(1));
  detail::require_equal_length("top_label", size_t(first.numel()), l.size());
  std::vector<double> p = detail::numbers("top_label", probabilities), confidence;
  std::vector<int64_t> right;
  for (size_t i = 0; i < l.size(); ++i) {
    int64_t k = first.data<int64_t>()[i];
    confidence.push_back(p[i * size_t(probabilities.dim(1)) + size_t(k)]);
    right.push_back(k == l[i]);
  }
  return {from(confidence, {first.numel()}), from(right, {first.numel()})};
}

}  // namespace d16::learn
