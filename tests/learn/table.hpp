// A table to learn from: three classes that depend on a product and a sum of the first three features, with noise.
#pragma once
#include <cstdint>
#include <limits>
#include <vector>

#include <d16/core/random.hpp>
#include <d16/learn/examples.hpp>

namespace table {

using d16::Tensor;

/// `gaps` is the share of missing values.
inline d16::learn::Examples examples(int64_t rows, int64_t columns, uint64_t seed, double gaps = 0,
                                     int64_t classes = 3) {
  d16::Random random(seed);
  std::vector<float> x;
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t f = 0; f < columns; ++f) x.push_back(float(random.normal()));
    float* row = &x[size_t(i * columns)];
    double score = row[0] * row[1 % columns] + row[2 % columns] + 0.5 * random.normal();
    labels.push_back(score < -0.5 ? 0 : score < 0.7 || classes == 2 ? 1 : 2);
    for (int64_t f = 0; f < columns; ++f)
      if (random.uniform() < gaps) row[f] = std::numeric_limits<float>::quiet_NaN();
  }
  return {.x = d16::from(x, {rows, columns}), .labels = d16::from(labels, {rows}), .classes = classes};
}

inline double accuracy(Tensor const& probabilities, Tensor const& labels) {
  return d16::learn::accuracy(
      d16::learn::confusion_matrix(labels, d16::learn::argmax(probabilities), probabilities.dim(1)));
}

inline bool same(Tensor const& a, Tensor const& b) {
  if (a.shape() != b.shape() || a.dtype() != b.dtype()) return false;
  return d16::for_dtype(a.dtype(), [&]<class T>(T) {
    for (int64_t i = 0; i < a.numel(); ++i) {
      T x = a.data<T>()[i], y = b.data<T>()[i];
      if (!(x == y || (x != x && y != y))) return false;
    }
    return true;
  });
}

inline double largest_difference(Tensor const& a, Tensor const& b) {
  std::vector<double> x = d16::learn::detail::numbers("test", a), y = d16::learn::detail::numbers("test", b);
  double largest = x.size() == y.size() ? 0 : INFINITY;
  for (size_t i = 0; i < x.size() && i < y.size(); ++i) largest = std::max(largest, std::abs(x[i] - y[i]));
  return largest;
}

}  // namespace table
