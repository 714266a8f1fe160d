// Linear maps along one axis of an image: smoothing, shrinking and growing are two of them, one for each axis.
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "image.hpp"

namespace d16::vision {

/// out[i] = sum over k of weight[k] * in[begin + k], with one row (begin, weight) for each i.
struct LineMap {
  struct Row {
    int64_t begin;
    std::vector<double> weight;
  };
  std::vector<Row> rows;
  int64_t size() const { return int64_t(rows.size()); }
};

namespace detail {
/// The row of weights[k] at positions first + k of a line of n that is continued by reflection.
inline LineMap::Row folded(int64_t first, std::vector<double> const& weights, int64_t n) {
  std::vector<int64_t> source;
  for (size_t k = 0; k < weights.size(); ++k) source.push_back(reflect(first + int64_t(k), n));
  auto [low, high] = std::minmax_element(source.begin(), source.end());
  LineMap::Row row{*low, std::vector<double>(size_t(*high - *low + 1))};
  for (size_t k = 0; k < weights.size(); ++k) row.weight[size_t(source[k] - row.begin)] += weights[k];
  return row;
}
}  // namespace detail

/// Correlation with a kernel of odd length over the reflected line; the outer `crop` results are left out.
inline LineMap correlation_map(int64_t n, std::vector<double> const& kernel, int64_t crop = 0) {
  LineMap map;
  for (int64_t i = crop; i < n - crop; ++i)
    map.rows.push_back(detail::folded(i - int64_t(kernel.size()) / 2, kernel, n));
  return map;
}

/// m pixels over the stretch from `low` to `high` of a line of n pixels (pixel j covers j to j + 1; beyond its ends the
/// line is reflected): means over the new pixels' areas when they are larger, else linear interpolation.
inline LineMap window_map(int64_t n, double low, double high, int64_t m) {
  LineMap map;
  double scale = (high - low) / double(m);
  for (int64_t i = 0; i < m; ++i) {
    double from = low + double(i) * scale, to = from + scale;
    if (scale <= 1) {
      double centre = (from + to) / 2 - 0.5, left = std::floor(centre), t = centre - left;
      map.rows.push_back(detail::folded(int64_t(left), {1 - t, t}, n));
      continue;
    }
    int64_t first = int64_t(std::floor(from));
    std::vector<double> weights;
    for (int64_t j = first; double(j) < to; ++j)
      weights.push_back((std::min(to, double(j + 1)) - std::max(from, double(j))) / scale);
    map.rows.push_back(detail::folded(first, weights, n));
  }
  return map;
}
inline LineMap resize_map(int64_t n, int64_t m) { return window_map(n, 0, double(n), m); }

/// The weights exp(-x^2 / 2 sigma^2) at whole x up to `radius`, with sum 1.
inline std::vector<double> gaussian_kernel(double sigma, int64_t radius) {
  std::vector<double> kernel;
  double sum = 0;
  for (int64_t i = -radius; i <= radius; ++i) {
    kernel.push_back(std::exp(-double(i * i) / (2 * sigma * sigma)));
    sum += kernel.back();
  }
  for (double& weight : kernel) weight /= sum;
  return kernel;
}

/// Applies the map to the middle axis of `in` (outer, n, inner), giving `out` (outer, map.size(), inner).
template <class T> void apply(LineMap const& map, T const* in, int64_t outer, int64_t n, int64_t inner, T* out) {
  int64_t m = map.size();
  parallel_chunks(outer * m, std::max<int64_t>(1, 8192 / inner), [&](int64_t begin, int64_t end) {
    for (int64_t line = begin; line < end; ++line) {
      LineMap::Row const& row = map.rows[size_t(line % m)];
      T const* source = in + (line / m * n + row.begin) * inner;
      T* target = out + line * inner;
      if (inner == 1) {  // a loop over one number costs more than the number
        T sum = 0;
        for (double weight : row.weight) sum += T(weight) * *source++;
        *target = sum;
        continue;
      }
      std::fill(target, target + inner, T(0));
      for (double weight : row.weight) {
        T w = T(weight);
        for (int64_t c = 0; c < inner; ++c) target[c] += w * source[c];
        source += inner;
      }
    }
  });
}

/// Maps the columns with `vertical` and then the rows with `horizontal`.
/// Shapes   x (H,W), (H,W,C) or (N,H,W,C), float32 or float64; the result has the maps' sizes.
inline Tensor apply(char const* op, LineMap const& vertical, LineMap const& horizontal, Tensor const& x) {
  Extent e = extent_of(op, x.shape());
  Tensor in = on_host(op, x);
  Tensor half = empty(resized(x.shape(), vertical.size(), e.W), x.like());
  Tensor out = empty(resized(x.shape(), vertical.size(), horizontal.size()), x.like());
  for_float(x.dtype(), [&]<class T>(T) {
    apply(vertical, in.data<T>(), e.N, e.H, e.row(), half.data<T>());
    apply(horizontal, half.data<T>(), e.N * vertical.size(), e.W, e.C, out.data<T>());
  });
  return out;
}

}  // namespace d16::vision
