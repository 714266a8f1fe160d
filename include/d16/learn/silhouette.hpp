// How well clusters are parted: silhouettes, with the share of noise that they leave out.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "../core/random.hpp"
#include "kd_tree.hpp"

namespace d16::learn {

struct SilhouetteOptions {
  int64_t sample = 0;  ///< rows that are scored, drawn from those of clusters; 0: all
  uint64_t seed = 0;
};

struct Silhouette {
  double value;           ///< mean of (b - a) / max(a, b): -1 to 1
  double error;           ///< standard error of the mean from the sample; 0 when all rows are scored
  double noise_fraction;  ///< rows with a label below 0: they are left out, so that much noise can make `value` large
  int64_t clusters, scored;
};

namespace detail {

/// Rows of clusters, sorted by cluster, column by column in blocks of 16 of one cluster each, for sums of distances.
struct ClusterBlocks {
  int64_t columns;
  std::vector<float> blocks;         ///< (B, columns, 16)
  std::vector<int32_t> cluster, in;  ///< (B) of each block; its rows
  std::vector<int64_t> size;         ///< (K)

  ClusterBlocks(Matrix const& x, std::vector<int64_t> const& labels, int64_t clusters)
      : columns(x.columns), size(size_t(clusters), 0) {
    std::vector<int64_t> open(size_t(clusters), -1);  // the block of each cluster that has room
    for (int64_t i = 0; i < x.rows; ++i) {
      int64_t const k = labels[size_t(i)];
      if (k < 0) continue;
      int64_t& b = open[size_t(k)];
      if (b < 0 || in[size_t(b)] == 16) {
        b = int64_t(in.size());
        in.push_back(0), cluster.push_back(int32_t(k));
        blocks.resize(blocks.size() + size_t(columns * 16), 0.0f);
      }
      for (int64_t c = 0; c < columns; ++c) blocks[size_t((b * columns + c) * 16 + in[size_t(b)])] = x.row(i)[c];
      ++in[size_t(b)], ++size[size_t(k)];
    }
  }

  /// sums[k] = the sum of the distances from a point to all rows of cluster k.
  template <int lanes> D16_INLINE void sum(float const* point, double* sums) const {
    std::fill_n(sums, size.size(), 0.0);
    for (size_t b = 0; b < in.size(); ++b) {
      float const* block = &blocks[b * size_t(columns * 16)];
      float distances[16];
      for (int64_t v = 0; v < 16; v += lanes) {
        Vector<float, lanes> square = {};
        for (int64_t c = 0; c < columns; ++c) {
          Vector<float, lanes> d;
          load<lanes>(block + c * 16 + v, d);
          d -= point[c];
          square += d * d;
        }
        store<lanes>(square, distances + v);
      }
      for (float& d : distances) d = std::sqrt(d);
      float part = 0;
      for (int32_t i = 0; i < in[b]; ++i) part += distances[i];
      sums[cluster[b]] += double(part);
    }
  }
};

/// The score of a row of cluster `own`: a is its mean distance to the others there, b to the nearest other cluster.
inline double silhouette_of(std::vector<double> const& sums, std::vector<int64_t> const& size, int64_t own) {
  if (size[size_t(own)] == 1) return 0;
  double const a = sums[size_t(own)] / double(size[size_t(own)] - 1);
  double b = std::numeric_limits<double>::infinity();
  for (size_t k = 0; k < sums.size(); ++k)
    if (int64_t(k) != own && size[k] > 0) b = std::min(b, sums[k] / double(size[k]));
  return std::max(a, b) > 0 ? (b - a) / std::max(a, b) : 0;
}

}  // namespace detail

/// The mean silhouette of the rows of clusters, by Euclidean distance. Rows with a label below 0 are noise.
/// Shapes   x (N,F), labels (N) integer.   Cost  scored rows x N F.   Deterministic  for a seed.
/// Errors   ShapeError, DTypeError; ValueError for NaN, fewer than two clusters, or as many as rows.
/// Source   Rousseeuw 1987, "Silhouettes"; scikit-learn's silhouette_score of the rows that are not noise.
inline Silhouette silhouette(Tensor const& x, Tensor const& labels, SilhouetteOptions const& o = {}) {
  char const* op = "silhouette";
  detail::Matrix const m = detail::finite_matrix(op, x);
  require<DTypeError>(labels.defined() && labels.dtype() == DType::i64, op, ": labels are ",
                      labels.defined() ? name_of(labels.dtype()) : "undefined", "; int64 is needed");
  require<ShapeError>(labels.numel() == m.rows, op, ": ", labels.numel(), " labels for ", m.rows, " rows of x");
  require<ValueError>(o.sample >= 0, op, ": sample is ", o.sample, "; 0 scores all rows");
  Tensor const flat = labels.detach().to(Device()).contiguous();
  std::vector<int64_t> const of(flat.data<int64_t>(), flat.data<int64_t>() + m.rows);
  int64_t const clusters = *std::max_element(of.begin(), of.end()) + 1;
  require<ValueError>(clusters < m.rows + 1, op, ": a label is ", clusters - 1, "; clusters are numbered from 0");
  detail::ClusterBlocks const blocks(m, of, std::max<int64_t>(clusters, 0));
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < m.rows; ++i)
    if (of[size_t(i)] >= 0) rows.push_back(i);
  int64_t const filled = std::count_if(blocks.size.begin(), blocks.size.end(), [](int64_t s) { return s > 0; });
  require<ValueError>(filled >= 2 && filled < int64_t(rows.size()), op, ": ", filled, " clusters of ", rows.size(),
                      " rows; two at least, and fewer than rows, are needed");
  double const noise = 1 - double(rows.size()) / double(m.rows);
  bool const sampled = o.sample > 0 && o.sample < int64_t(rows.size());
  if (sampled) {
    Random random(o.seed);
    for (int64_t i = 0; i < o.sample; ++i)
      std::swap(rows[size_t(i)], rows[size_t(i + random.integer(int64_t(rows.size()) - i))]);
    rows.resize(size_t(o.sample));
  }
  std::vector<double> scores(rows.size());
  parallel_chunks(int64_t(rows.size()), 64, [&](int64_t begin, int64_t end) {
    std::vector<double> sums(blocks.size.size());
    detail::with_lanes([&]<int lanes>() __attribute__((always_inline)) {
      for (int64_t i = begin; i < end; ++i) {
        int64_t const row = rows[size_t(i)];
        blocks.sum<lanes>(m.row(row), sums.data());
        scores[size_t(i)] = detail::silhouette_of(sums, blocks.size, of[size_t(row)]);
      }
    });
  });
  double sum = 0, squares = 0, n = double(scores.size());
  for (double s : scores) sum += s, squares += s * s;
  double const variance = n > 1 ? std::max(0.0, squares - sum * sum / n) / (n - 1) : 0;
  return {sum / n, sampled ? std::sqrt(variance / n) : 0, noise, filled, int64_t(rows.size())};
}

}  // namespace d16::learn
