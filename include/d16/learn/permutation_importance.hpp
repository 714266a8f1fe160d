// How much a score falls when one feature is shuffled: importance for any model.
#pragma once
#include <cmath>
#include <cstdint>
#include <functional>
#include <vector>

#include "../core/random.hpp"
#include "examples.hpp"

namespace d16::learn {

struct PermutationOptions {
  int64_t repeats = 5;
  uint64_t seed = 0;
};
struct PermutationImportance {
  double score;                     ///< of the table as it is
  std::vector<double> mean, sigma;  ///< of the fall, for each feature, over the repeats
};

/// score(x) - score(x with one column shuffled), for each column. The rows are shuffled, so that the column keeps its
/// distribution and loses what it knows of the item. To be asked on data that the model has not seen.
///   auto score = [&](Tensor x) { return accuracy(confusion_matrix(y, argmax(forest.probabilities(x)), 3)); };
///   permutation_importance(score, x).mean[f];
/// Shapes   x (N,F).   Cost  F x repeats + 1 scores.   Deterministic  for a seed.
/// Source   Breiman 2001, "Random forests", section 10.
inline PermutationImportance permutation_importance(std::function<double(Tensor const&)> const& score, Tensor const& x,
                                                    PermutationOptions const& o = {}) {
  char const* op = "permutation_importance";
  require<ValueError>(o.repeats > 0, op, ": repeats is ", o.repeats, "; 1 is the least");
  detail::Matrix m = detail::matrix(op, x);
  require<ShapeError>(m.rows > 0, op, ": x has no rows");
  PermutationImportance out{score(x), std::vector<double>(size_t(m.columns)), std::vector<double>(size_t(m.columns))};
  Tensor shuffled = m.owner.clone();
  float* values = shuffled.data<float>();
  for (int64_t f = 0; f < m.columns; ++f) {
    double sum = 0, squares = 0, n = double(o.repeats);
    for (int64_t repeat = 0; repeat < o.repeats; ++repeat) {
      Random random(o.seed, uint64_t(f * o.repeats + repeat));
      for (int64_t i = m.rows - 1; i > 0; --i)
        std::swap(values[i * m.columns + f], values[random.integer(i + 1) * m.columns + f]);
      double fall = out.score - score(shuffled);
      sum += fall, squares += fall * fall;
    }
    for (int64_t i = 0; i < m.rows; ++i) values[i * m.columns + f] = m.row(i)[f];
    out.mean[size_t(f)] = sum / n;
    out.sigma[size_t(f)] = o.repeats > 1 ? std::sqrt(std::max(0.0, squares - sum * sum / n) / (n - 1)) : 0;
  }
  return out;
}

}  // namespace d16::learn
