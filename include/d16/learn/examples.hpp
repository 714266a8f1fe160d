// What the learners of tables take: rows of features, their classes and weights, and the checks of all that.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "../core/error.hpp"
#include "../core/tensor.hpp"
#include "../ops/views.hpp"
#include "metrics.hpp"

namespace d16::learn {

/// Items to learn from. NaN in x is a missing value: every learner of this library has a branch for it.
struct Examples {
  Tensor x = {};                           ///< (N,F) of any float type
  Tensor labels = {};                      ///< (N) integer, 0 .. K-1
  Tensor weights = {};                     ///< (N), from 0 up; undefined: all 1
  std::vector<double> class_weights = {};  ///< (K), multiply the weights; empty: all 1
  int64_t classes = 0;                     ///< K; 0: the largest label + 1
  std::vector<std::string> names = {};     ///< (F), of the features; they travel with what is learned
};

namespace detail {

/// Rows of float32 on the host, row-major. Holds its memory.
struct Matrix {
  Tensor owner;
  float const* data = nullptr;
  int64_t rows = 0, columns = 0;

  float const* row(int64_t i) const { return data + i * columns; }
};

/// A table of features; `columns` 0 allows any number of them.
inline Matrix matrix(char const* op, Tensor const& x, int64_t columns = 0) {
  require<ShapeError>(x.defined() && x.rank() == 2, op, ": x is ", x.defined() ? x.shape().text() : "undefined",
                      "; (N,F), one row per item, is needed");
  require<DTypeError>(x.dtype() == DType::f32 || x.dtype() == DType::f64 || x.dtype() == DType::bf16, op, ": x is ",
                      name_of(x.dtype()), "; a float type is needed, cast it");
  require<ShapeError>(x.dim(1) > 0 && (columns == 0 || x.dim(1) == columns), op, ": x is ", x.shape(), "; ",
                      columns ? text(columns, " features, those of the fit,") : std::string("one feature at least"),
                      " are needed");
  Matrix m{x.detach().to(Device()).cast(DType::f32).contiguous()};
  m.data = m.owner.data<float>();
  m.rows = x.dim(0), m.columns = x.dim(1);
  return m;
}

/// The same to learn from: not empty, no infinity.
inline Matrix training_matrix(char const* op, Tensor const& x, std::vector<std::string> const& names = {}) {
  Matrix m = matrix(op, x);
  require<ShapeError>(m.rows > 0, op, ": x has no rows; nothing can be learned from an empty set");
  require<ShapeError>(names.empty() || int64_t(names.size()) == m.columns, op, ": ", names.size(), " names for ",
                      m.columns, " features");
  for (int64_t i = 0; i < m.rows * m.columns; ++i)
    require<ValueError>(!std::isinf(m.data[i]), op, ": x[", i / m.columns, ",", i % m.columns, "] is ",
                        double(m.data[i]), "; finite numbers are needed, NaN where one is missing");
  return m;
}

/// Weights of N items as numbers; all 1 when undefined.
inline std::vector<double> item_weights(char const* op, Tensor const& weights, int64_t items) {
  if (!weights.defined()) return std::vector<double>(size_t(items), 1.0);
  std::vector<double> w = numbers(op, weights);
  require<ShapeError>(int64_t(w.size()) == items, op, ": ", w.size(), " weights for ", items, " items");
  double sum = 0;
  for (size_t i = 0; i < w.size(); ++i) {
    require<ValueError>(w[i] >= 0 && std::isfinite(w[i]), op, ": weights[", i, "] is ", w[i],
                        "; finite numbers from 0 up are needed");
    sum += w[i];
  }
  require<ValueError>(sum > 0, op, ": all weights are 0; one at least must be positive");
  return w;
}

/// Examples after the checks.
struct Training {
  Matrix x;
  std::vector<int32_t> labels;
  std::vector<double> weights;
  int64_t classes = 0;
};

inline int64_t count_classes(char const* op, Examples const& e) {
  if (e.classes > 0) return e.classes;
  std::vector<double> labels = numbers(op, e.labels);
  double largest = labels.empty() ? 0 : std::max(0.0, *std::max_element(labels.begin(), labels.end()));
  require<ValueError>(largest < 10000, op, ": a label is ", largest,
                      "; classes are numbered from 0, and there are fewer than 10000");
  return int64_t(largest) + 1;
}

/// Errors   ShapeError, DTypeError, ValueError: each says which element of what is wrong. `columns`, `classes` from a
///          fit, for a validation set; 0 otherwise.
inline Training training(char const* op, Examples const& e, int64_t columns = 0, int64_t classes = 0) {
  Training t;
  t.x = training_matrix(op, e.x, e.names);
  require<ShapeError>(columns == 0 || t.x.columns == columns, op, ": the validation set has ", t.x.columns,
                      " features, the training set ", columns);
  require<ShapeError>(e.labels.defined(), op, ": labels are undefined; one integer per row of x is needed");
  t.classes = classes ? classes : count_classes(op, e);
  std::vector<int64_t> labels = class_indices(op, "labels", e.labels, t.classes);
  require<ShapeError>(int64_t(labels.size()) == t.x.rows, op, ": ", labels.size(), " labels for ", t.x.rows,
                      " rows of x");
  t.labels.assign(labels.begin(), labels.end());
  t.weights = item_weights(op, e.weights, t.x.rows);
  require<ShapeError>(e.class_weights.empty() || int64_t(e.class_weights.size()) == t.classes, op, ": ",
                      e.class_weights.size(), " class weights for ", t.classes, " classes");
  for (size_t k = 0; k < e.class_weights.size(); ++k)
    require<ValueError>(e.class_weights[k] > 0 && std::isfinite(e.class_weights[k]), op, ": class_weights[", k, "] is ",
                        e.class_weights[k], "; a positive number is needed");
  if (!e.class_weights.empty())
    for (size_t i = 0; i < labels.size(); ++i) t.weights[i] *= e.class_weights[size_t(labels[i])];
  return t;
}

/// A learner needs two classes that weigh something.
inline void require_two_classes(char const* op, Training const& t) {
  int32_t first = -1;
  for (size_t i = 0; i < t.labels.size(); ++i) {
    if (t.weights[i] == 0) continue;
    if (first < 0) first = t.labels[i];
    if (t.labels[i] != first) return;
  }
  throw ValueError(text(op, ": all ", t.labels.size(), " labels are ", first, "; two classes at least are needed"));
}

}  // namespace detail

/// N / (K N_k) for each class: all classes weigh the same. A class without items gets 1.
inline std::vector<double> balanced_class_weights(Tensor const& labels, int64_t classes) {
  std::vector<int64_t> l = detail::class_indices("balanced_class_weights", "labels", labels, classes);
  std::vector<double> counts(size_t(classes), 0.0);
  for (int64_t k : l) counts[size_t(k)] += 1;
  for (double& count : counts) count = count > 0 ? double(l.size()) / (double(classes) * count) : 1;
  return counts;
}

}  // namespace d16::learn
