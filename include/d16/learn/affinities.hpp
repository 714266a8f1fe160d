// How near the rows of a table are to each other, as probabilities: the input of t-SNE.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

#include "../kernels/cpu/math.hpp"
#include "nearest_neighbours.hpp"

namespace d16::learn::detail {

/// Rows of a sparse matrix in the order of a k-d tree, in which near rows are near in memory. Each row is filled up to a
/// multiple of 16 with elements 0 on the diagonal.
struct Affinities {
  static constexpr int64_t block = 16;
  std::vector<int32_t> order;  ///< (N) position -> row of the table
  std::vector<int64_t> start;  ///< (N + 1)
  std::vector<int32_t> to;     ///< positions, in ascending order within a row
  std::vector<float> p;        ///< all sum to 1

  int64_t rows() const { return int64_t(order.size()); }
};

/// The neighbours that a perplexity looks at: three times as many. Errors   ValueError when there are fewer.
inline int64_t perplexity_neighbours(char const* op, double perplexity, int64_t there) {
  require<ValueError>(std::isfinite(perplexity) && perplexity >= 1, op, ": perplexity is ", perplexity,
                      "; 1 is the least");
  int64_t const k = int64_t(3 * perplexity);
  require<ValueError>(k <= there, op, ": perplexity ", perplexity, " looks at ", k,
                      " neighbours of each row; there are ", there, ", so ", double(there / 3),
                      " is the largest perplexity");
  return k;
}

/// p_j = exp(-beta d_j^2) / sum, with beta such that the entropy of p is log(perplexity), by Newton's steps kept within
/// the bounds known so far. Squares in ascending order; the place of `p` is filled to whole vectors.
template <int lanes> D16_INLINE void conditional(float const* squares, int64_t k, double perplexity, float* p) {
  int64_t const whole = (k + lanes - 1) / lanes * lanes;
  double const target = std::log(perplexity),
               mean = (std::accumulate(squares, squares + k, 0.0) / double(k)) - squares[0];
  double low = 0, high = INFINITY, beta = mean > 0 ? 1 / mean : 1;
  double sum = 1;
  for (int step = 0; step < 60; ++step) {
    Vector<float, lanes> sums = {}, first = {}, second = {};
    for (int64_t j = 0; j < whole; ++j)
      p[j] = kernels::cpu::math::exp(j < k ? -float(beta) * (squares[j] - squares[0]) : -200.0f);
    for (int64_t j = 0; j < whole; j += lanes) {
      Vector<float, lanes> e, d;
      load<lanes>(p + j, e), load<lanes>(squares + j, d);
      d -= squares[0];
      sums += e, first += e * d, second += e * d * d;
    }
    sum = double(lane_sum<lanes>(sums));
    double const d1 = double(lane_sum<lanes>(first)) / sum, variance = double(lane_sum<lanes>(second)) / sum - d1 * d1;
    double const above = std::log(sum) + beta * d1 - target;
    if (std::abs(above) < 1e-6) break;
    (above > 0 ? low : high) = beta;
    double next = beta + above / (beta * variance);  // dH / d beta = -beta variance
    if (!(next > low && next < high)) next = std::isinf(high) ? 2 * beta : (low + high) / 2;
    if (next > 1e30) break;  // more equal rows than the perplexity asks for
    beta = next;
  }
  for (int64_t j = 0; j < k; ++j) p[j] = float(double(p[j]) / sum);
}

/// Neighbours of each row with their conditional probabilities, in the order of the queries.
struct Conditionals {
  int64_t k;
  std::vector<int32_t> to;  ///< (M, k)
  std::vector<float> p;     ///< (M, k), each row sums to 1
};

inline Conditionals conditionals(Conditionals found, std::vector<float> const& squares, double perplexity) {
  int64_t const k = found.k, padded = (k + 15) / 16 * 16, rows = int64_t(found.to.size()) / k;
  found.p.resize(found.to.size());
  parallel_chunks(rows, 256, [&](int64_t begin, int64_t end) {
    std::vector<float> p(static_cast<size_t>(padded)), d(static_cast<size_t>(padded));
    with_lanes([&]<int lanes>() __attribute__((always_inline)) {
      for (int64_t i = begin; i < end; ++i) {
        std::copy_n(&squares[size_t(i * k)], k, d.data());
        std::fill(d.begin() + k, d.end(), d[0]);
        conditional<lanes>(d.data(), k, perplexity, p.data());
        std::copy_n(p.data(), k, &found.p[size_t(i * k)]);
      }
    });
  });
  return found;
}

/// (P + P transposed) / (2 N) of the rows' conditional probabilities.
inline Affinities joined(Conditionals const& c, std::vector<int32_t> order) {
  Affinities a{.order = std::move(order), .start = {0}, .to = {}, .p = {}};
  int64_t const n = a.rows(), k = c.k;
  std::vector<int64_t> in_start(size_t(n + 1), 0);  // the transposed matrix: who names a row
  for (int32_t j : c.to) ++in_start[size_t(j) + 1];
  std::partial_sum(in_start.begin(), in_start.end(), in_start.begin());
  std::vector<int32_t> from(c.to.size());
  std::vector<float> in_p(c.to.size());
  std::vector<int64_t> at(in_start.begin(), in_start.end() - 1);
  for (int64_t i = 0; i < n * k; ++i) {
    size_t const place = size_t(at[size_t(c.to[size_t(i)])]++);
    from[place] = int32_t(i / k), in_p[place] = c.p[size_t(i)];
  }
  // visit(i, j, sum of the two) for the union of row i of both
  auto merge = [&](int64_t i, std::vector<std::pair<int32_t, float>>& out, auto const& visit) {
    out.clear();
    for (int64_t j = i * k; j < (i + 1) * k; ++j) out.emplace_back(c.to[size_t(j)], c.p[size_t(j)]);
    std::sort(out.begin(), out.end());
    int64_t b = in_start[size_t(i)];
    for (auto const& [to, p] : out) {
      for (; b < in_start[size_t(i) + 1] && from[size_t(b)] < to; ++b) visit(from[size_t(b)], in_p[size_t(b)]);
      bool const both = b < in_start[size_t(i) + 1] && from[size_t(b)] == to;
      visit(to, both ? p + in_p[size_t(b)] : p);
      b += both;
    }
    for (; b < in_start[size_t(i) + 1]; ++b) visit(from[size_t(b)], in_p[size_t(b)]);
  };
  a.start.resize(size_t(n + 1));
  auto over_rows = [&](auto const& body) {
    parallel_chunks(n, 1024, [&](int64_t begin, int64_t end) {
      std::vector<std::pair<int32_t, float>> sorted;
      for (int64_t i = begin; i < end; ++i) body(i, sorted);
    });
  };
  over_rows([&](int64_t i, auto& sorted) {
    int64_t count = 0;
    merge(i, sorted, [&](int32_t, float) { ++count; });
    a.start[size_t(i) + 1] = (count + Affinities::block - 1) / Affinities::block * Affinities::block;
  });
  std::partial_sum(a.start.begin(), a.start.end(), a.start.begin());
  a.to.resize(size_t(a.start.back())), a.p.resize(size_t(a.start.back()));
  float const share = float(0.5 / double(n));
  over_rows([&](int64_t i, auto& sorted) {
    int64_t place = a.start[size_t(i)];
    merge(i, sorted, [&](int32_t to, float p) { a.to[size_t(place)] = to, a.p[size_t(place++)] = p * share; });
    for (; place < a.start[size_t(i) + 1]; ++place) a.to[size_t(place)] = int32_t(i), a.p[size_t(place)] = 0;
  });
  return a;
}

/// The joint probabilities of t-SNE: conditional Gaussian ones of a perplexity among 3 x perplexity neighbours, joined.
/// Source   van der Maaten and Hinton 2008; van der Maaten 2014 for the neighbours.
inline Affinities affinities(char const* op, Matrix const& x, double perplexity) {
  int64_t const k = perplexity_neighbours(op, perplexity, x.rows - 1);
  KdTree const tree(x);
  std::vector<int32_t> position(static_cast<size_t>(x.rows));
  for (int64_t p = 0; p < x.rows; ++p) position[size_t(tree.order[size_t(p)])] = int32_t(p);
  Conditionals found{k, std::vector<int32_t>(size_t(x.rows * k)), {}};
  std::vector<float> squares(found.to.size());
  auto put = [&](int64_t p, int64_t j, uint64_t key) {
    found.to[size_t(p * k + j)] = position[size_t(uint32_t(key))], squares[size_t(p * k + j)] = square_of(key);
  };
  if (x.columns <= tree_columns) search_all(tree, tree, true, k, put);
  else ProductSearch(x, x, true, k).run([&](int64_t i, int64_t j, uint64_t key) { put(position[size_t(i)], j, key); });
  return joined(conditionals(std::move(found), squares, perplexity), tree.order);
}

}  // namespace d16::learn::detail
