// The two directions in which rows vary most.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

#include "../core/parallel.hpp"
#include "examples.hpp"

namespace d16::learn::detail {

/// Eigenvectors of a symmetric matrix by Jacobi's rotations: values on the diagonal of `a`, vectors in the columns of
/// the result. Cost  about 50 n^3.   Source  Golub and Van Loan 2013, section 8.5.
inline std::vector<double> diagonalise(std::vector<double>& a, int64_t n) {
  std::vector<double> v(size_t(n * n), 0.0);
  for (int64_t i = 0; i < n; ++i) v[size_t(i * n + i)] = 1;
  auto turn = [n](std::vector<double>& m, int64_t i, int64_t j, int64_t step, int64_t along, double c, double s) {
    for (int64_t k = 0; k < n; ++k) {
      double &x = m[size_t(i * step + k * along)], &y = m[size_t(j * step + k * along)], old = x;
      x = c * old - s * y, y = s * old + c * y;
    }
  };
  for (int sweep = 0; sweep < 30; ++sweep) {
    double off = 0, all = 0;
    for (int64_t i = 0; i < n * n; ++i) (i % (n + 1) ? off : all) += a[size_t(i)] * a[size_t(i)];
    if (off <= 1e-24 * all) break;
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = i + 1; j < n; ++j) {
        double const b = a[size_t(i * n + j)];
        if (b == 0) continue;
        double const angle = std::atan2(2 * b, a[size_t(j * n + j)] - a[size_t(i * n + i)]) / 2;
        double const c = std::cos(angle), s = std::sin(angle);
        turn(a, i, j, n, 1, c, s), turn(a, i, j, 1, n, c, s), turn(v, i, j, 1, n, c, s);
      }
  }
  return v;
}

/// The rows' places along the two principal axes, about their mean. The largest weight of an axis is positive.
/// Shapes   result (N, 2).
inline std::vector<double> principal_places(Matrix const& x) {
  int64_t const n = x.columns, chunk = 4096, chunks = (x.rows + chunk - 1) / chunk;
  std::vector<double> mean(size_t(n), 0.0), parts(size_t(chunks * n * n), 0.0), covariance(size_t(n * n), 0.0);
  for (int64_t i = 0; i < x.rows; ++i)
    for (int64_t c = 0; c < n; ++c) mean[size_t(c)] += double(x.row(i)[c]) / double(x.rows);
  parallel_chunks(x.rows, chunk, [&](int64_t begin, int64_t end) {
    double* part = &parts[size_t(begin / chunk * n * n)];
    std::vector<double> d(static_cast<size_t>(n));
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t c = 0; c < n; ++c) d[size_t(c)] = double(x.row(i)[c]) - mean[size_t(c)];
      for (int64_t a = 0; a < n; ++a)
        for (int64_t b = 0; b < n; ++b) part[a * n + b] += d[size_t(a)] * d[size_t(b)];
    }
  });
  for (size_t i = 0; i < parts.size(); ++i) covariance[i % size_t(n * n)] += parts[i];
  std::vector<double> const axes = diagonalise(covariance, n);
  std::vector<int64_t> by_size(static_cast<size_t>(n));
  std::iota(by_size.begin(), by_size.end(), 0);
  std::stable_sort(by_size.begin(), by_size.end(),
                   [&](int64_t a, int64_t b) { return covariance[size_t(a * n + a)] > covariance[size_t(b * n + b)]; });
  std::vector<double> places(size_t(2 * x.rows), 0.0);
  for (int64_t k = 0; k < std::min<int64_t>(2, n); ++k) {
    auto weight = [&](int64_t c) { return axes[size_t(c * n + by_size[size_t(k)])]; };
    double largest = 0;
    for (int64_t c = 0; c < n; ++c)
      if (std::abs(weight(c)) > std::abs(largest)) largest = weight(c);
    for (int64_t i = 0; i < x.rows; ++i) {
      double sum = 0;
      for (int64_t c = 0; c < n; ++c) sum += (double(x.row(i)[c]) - mean[size_t(c)]) * weight(c);
      places[size_t(2 * i + k)] = largest < 0 ? -sum : sum;
    }
  }
  return places;
}

}  // namespace d16::learn::detail
