// A balanced k-d tree over the rows of a table, laid out for vectors of floats: leaves of at most 16 rows, column by
// column, and boxes around all nodes.
#pragma once
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "../core/parallel.hpp"
#include "examples.hpp"
#include "lanes.hpp"

namespace d16::learn::detail {

/// Rows of numbers that are all finite: what has a distance from every other row.
/// Errors   ShapeError, DTypeError, ValueError: says which element is not finite.
inline Matrix finite_matrix(char const* op, Tensor const& x, int64_t columns = 0) {
  Matrix m = matrix(op, x, columns);
  require<ShapeError>(m.rows > 0, op, ": x has no rows");
  require<ValueError>(m.rows < (int64_t(1) << 31) - 64, op, ": x has ", m.rows, " rows; fewer than 2^31 are needed");
  for (int64_t i = 0; i < m.rows * m.columns; ++i)
    require<ValueError>(std::isfinite(m.data[i]), op, ": x[", i / m.columns, ",", i % m.columns, "] is ",
                        double(m.data[i]), "; finite float32 numbers are needed, fill in or leave out such rows");
  return m;
}

/// A key that sorts by distance, then by row. Squared distances are never negative, so their bits are in order.
D16_INLINE uint64_t distance_key(float square, int32_t row) {
  return uint64_t(std::bit_cast<uint32_t>(square)) << 32 | uint32_t(row);
}
D16_INLINE float square_of(uint64_t key) { return std::bit_cast<float>(uint32_t(key >> 32)); }

/// Nodes are numbered as in a heap: 1 is the root, 2 i and 2 i + 1 are the children of i, `leaves` + l is leaf l. Rows
/// have positions: those of leaf l are begin(l) .. begin(l + 1) - 1, so that rows of a node are neighbours in memory.
/// Cost     N log N; each node is split in the middle of its longest side, equal numbers by row.
/// Source   Bentley 1975; Friedman, Bentley and Finkel 1977, "An algorithm for finding best matches in logarithmic
///          expected time".
struct KdTree {
  static constexpr int64_t leaf_rows = 16;

  int64_t rows, columns, width, leaves;  ///< width: columns with padding by zeros
  std::vector<int32_t> order;            ///< (rows) position -> row of the table
  std::vector<float> points;             ///< (rows, width) by position
  std::vector<float> blocks;             ///< (leaves, columns, 16); infinity where there is no row
  std::vector<float> low, high;          ///< (2 leaves, width): the box around each node
  std::vector<int32_t> first;            ///< (2 leaves): the smallest row of each node
  float slack;                           ///< distances of boxes are lowered by so much more than rounding

  explicit KdTree(Matrix const& x) : rows(x.rows), columns(x.columns) {
    width = columns <= 4 ? 4 : (columns + 15) / 16 * 16;
    leaves = int64_t(std::bit_ceil(uint64_t((rows + leaf_rows - 1) / leaf_rows)));
    slack = 1 - float(columns + 4) * 0x1p-23f;
    order.resize(size_t(rows));
    for (int64_t i = 0; i < rows; ++i) order[size_t(i)] = int32_t(i);
    low.assign(size_t(2 * leaves * width), 0.0f), high = low;
    first.resize(size_t(2 * leaves));
    std::vector<uint64_t> keys(static_cast<size_t>(rows));
    for (int64_t level = 1; level <= leaves; level *= 2)
      parallel_tasks(level, [&](int64_t i) { make_node(x, level + i, keys.data()); });
    lay_out(x);
  }

  int64_t begin(int64_t leaf) const { return leaf * rows / leaves; }
  float const* point(int64_t position) const { return &points[size_t(position * width)]; }
  float const* block(int64_t leaf) const { return &blocks[size_t(leaf * columns * leaf_rows)]; }
  float const* low_of(int64_t node) const { return &low[size_t(node * width)]; }
  float const* high_of(int64_t node) const { return &high[size_t(node * width)]; }

 private:
  void make_node(Matrix const& x, int64_t node, uint64_t* keys) {
    int64_t span = leaves / int64_t(std::bit_floor(uint64_t(node)));  // leaves under it
    int64_t leaf = node * span - leaves, from = begin(leaf), to = begin(leaf + span);
    float *l = &low[size_t(node * width)], *h = &high[size_t(node * width)];
    std::copy_n(x.row(order[size_t(from)]), columns, l), std::copy_n(l, columns, h);
    int32_t smallest = order[size_t(from)];
    for (int64_t p = from; p < to; ++p) {
      float const* row = x.row(order[size_t(p)]);
      for (int64_t c = 0; c < columns; ++c) l[c] = std::min(l[c], row[c]), h[c] = std::max(h[c], row[c]);
      smallest = std::min(smallest, order[size_t(p)]);
    }
    first[size_t(node)] = smallest;
    if (span == 1) return;
    int64_t longest = 0;
    for (int64_t c = 1; c < columns; ++c)
      if (h[c] - l[c] > h[longest] - l[longest]) longest = c;
    for (int64_t p = from; p < to; ++p) keys[p] = ordered_key(x.row(order[size_t(p)])[longest], order[size_t(p)]);
    std::nth_element(keys + from, keys + begin(leaf + span / 2), keys + to);
    for (int64_t p = from; p < to; ++p) order[size_t(p)] = int32_t(uint32_t(keys[p]));
  }
  /// Sorts by value, then by row: the bits of negative floats run backwards.
  static uint64_t ordered_key(float value, int32_t row) {
    uint32_t bits = std::bit_cast<uint32_t>(value + 0.0f);  // -0 becomes 0
    return uint64_t(bits & 0x80000000u ? ~bits : bits | 0x80000000u) << 32 | uint32_t(row);
  }
  void lay_out(Matrix const& x) {
    points.assign(size_t(rows * width), 0.0f);
    blocks.assign(size_t(leaves * columns * leaf_rows), std::numeric_limits<float>::infinity());
    parallel_chunks(leaves, 64, [&](int64_t begin_leaf, int64_t end_leaf) {
      for (int64_t l = begin_leaf; l < end_leaf; ++l)
        for (int64_t p = begin(l); p < begin(l + 1); ++p) {
          std::copy_n(x.row(order[size_t(p)]), columns, &points[size_t(p * width)]);
          for (int64_t c = 0; c < columns; ++c)
            blocks[size_t((l * columns + c) * leaf_rows + p - begin(l))] = points[size_t(p * width + c)];
        }
    });
  }
};

/// A little under the squared distance between the boxes [low, high] and [low2, high2] (a point: low2 = high2).
template <int lanes> D16_INLINE float box_square(KdTree const& tree, float const* low, float const* high,
                                                 float const* low2, float const* high2) {
  Vector<float, lanes> sum = {};
  for (int64_t c = 0; c < tree.width; c += lanes) {
    Vector<float, lanes> a, b, a2, b2, above, below;
    load<lanes>(low + c, a), load<lanes>(high + c, b), load<lanes>(low2 + c, a2), load<lanes>(high2 + c, b2);
    twice_positive<lanes>(a - b2, above), twice_positive<lanes>(a2 - b, below);
    above += below;
    sum += above * above;
  }
  return lane_sum<lanes>(sum) * (0.25f * tree.slack);
}

/// The squared distances from a point to the 16 rows of a leaf.
template <int lanes>
D16_INLINE void leaf_squares(KdTree const& tree, float const* point, int64_t leaf, float* squares) {
  constexpr int vectors = int(KdTree::leaf_rows) / lanes;
  float const* block = tree.block(leaf);
  Vector<float, lanes> sum[vectors] = {};
  for (int64_t c = 0; c < tree.columns; ++c)
    for (int v = 0; v < vectors; ++v) {
      Vector<float, lanes> d;
      load<lanes>(block + c * KdTree::leaf_rows + v * lanes, d);
      d -= point[c];
      sum[v] += d * d;
    }
  for (int v = 0; v < vectors; ++v) store<lanes>(sum[v], squares + v * lanes);
}

}  // namespace d16::learn::detail
