// Draws the inputs of a case of the op list.
#pragma once
#include <cmath>
#include <utility>
#include <vector>

#include <d16/core/random.hpp>

#include "op_case.hpp"

namespace d16::testing {

/// n values in [low, high) in random order, spaced evenly and at least half a spacing away from zero.
inline std::vector<double> distinct_values(int64_t n, double low, double high, Random& random) {
  double spacing = (high - low) / double(n + 1);
  std::vector<double> values;
  for (int64_t i = 0; int64_t(values.size()) < n; ++i) {
    double value = low + spacing * (double(i) + 0.5);
    if (std::abs(value) >= spacing / 2) values.push_back(value);
  }
  for (int64_t i = n - 1; i > 0; --i) std::swap(values[size_t(i)], values[size_t(random.integer(i + 1))]);
  return values;
}

/// On the host: float64 whose values are float32 numbers, or int64 for labels.
inline Tensor draw(Input const& input, Random& random) {
  int64_t n = input.shape.numel();
  if (input.classes) {
    std::vector<int64_t> values;
    for (int64_t i = 0; i < n; ++i) values.push_back(random.integer(input.classes));
    return from(values, input.shape);
  }
  std::vector<double> values;
  if (input.distinct) values = distinct_values(n, input.low, input.high, random);
  else
    for (int64_t i = 0; i < n; ++i) values.push_back(random.uniform(input.low, input.high));
  for (double& value : values) value = float(value);  // the same numbers in float32 and float64
  return from(values, input.shape).with_group(input.group);
}

}  // namespace d16::testing
