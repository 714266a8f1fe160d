// A binary tree of thresholds, as grown by every tree learner here, and what a set of them says of a table.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "../core/parallel.hpp"
#include "examples.hpp"

namespace d16::learn {

struct TreeNode {
  int32_t feature = -1;       ///< negative: a leaf
  float threshold = 0;        ///< x[feature] <= threshold goes left
  int32_t next = 0;           ///< the left child, the right one is next + 1; of a leaf: its row in the values
  bool missing_left = false;  ///< where NaN goes
};

/// Node 0 is the root; children come after their parents. Each leaf has `outputs` values.
struct Tree {
  int64_t outputs = 1;
  std::vector<TreeNode> nodes = {};
  std::vector<float> values = {};

  /// The values of the leaf that a row of features comes to. Cost: one step per level.
  float const* at(float const* x) const {
    int32_t i = 0;
    while (nodes[size_t(i)].feature >= 0) {
      TreeNode const& node = nodes[size_t(i)];
      float v = x[node.feature];
      bool left = v != v ? node.missing_left : v <= node.threshold;
      i = node.next + !left;
    }
    return values.data() + nodes[size_t(i)].next * outputs;
  }
  int64_t leaves() const { return int64_t(values.size()) / outputs; }
  /// Splits on the longest way down; 0 for a single leaf.
  int64_t depth() const {
    std::vector<int64_t> depths(nodes.size(), 0);
    for (size_t i = 0; i < nodes.size(); ++i)
      if (nodes[i].feature >= 0)
        for (size_t child : {size_t(nodes[i].next), size_t(nodes[i].next) + 1}) depths[child] = depths[i] + 1;
    return nodes.empty() ? 0 : *std::max_element(depths.begin(), depths.end());
  }
};

namespace detail {

/// add(tree number, values of its leaf, the row's sums) for each row of x and each tree in order; `sums` is (N, width).
template <class Add>
void visit_trees(std::vector<Tree> const& trees, Matrix const& x, double* sums, int64_t width, Add const& add) {
  parallel_chunks(x.rows, 256, [&](int64_t begin, int64_t end) {
    for (size_t t = 0; t < trees.size(); ++t)  // rows inside: a tree stays in the cache
      for (int64_t i = begin; i < end; ++i) add(t, trees[t].at(x.row(i)), sums + i * width);
  });
}

/// Sums to the same total 1; all 0 stays.
inline void normalise(std::vector<double>& values) {
  double sum = 0;
  for (double v : values) sum += v;
  if (sum > 0)
    for (double& v : values) v /= sum;
}

}  // namespace detail

}  // namespace d16::learn
