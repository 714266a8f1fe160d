// Growing one tree by the best split of every node: what single trees and forests share.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

#include "../core/random.hpp"
#include "codes.hpp"
#include "tree.hpp"

namespace d16::learn {

enum class Criterion { gini, entropy, mse };

struct TreeOptions {
  Criterion criterion = Criterion::gini;
  int64_t max_depth = 0;  ///< 0: until the leaves are pure
  int64_t min_samples_leaf = 1;
  int64_t max_features = 0;  ///< looked at in each node, drawn anew; 0: all
  int64_t max_bins = 0;      ///< thresholds lie between so many bins of each feature; 0: between any two values
  uint64_t seed = 0;
};

namespace detail {

inline void check(char const* op, TreeOptions const& o, int64_t features) {
  require<ValueError>(o.max_depth >= 0, op, ": max_depth is ", o.max_depth, "; 0 (no limit) or more is needed");
  require<ValueError>(o.min_samples_leaf > 0, op, ": min_samples_leaf is ", o.min_samples_leaf, "; 1 is the least");
  require<ValueError>(o.max_features >= 0 && o.max_features <= features, op, ": max_features is ", o.max_features,
                      "; 0 (all) to ", features, " are there");
  require<ValueError>(o.max_bins == 0 || o.max_bins > 1, op, ": max_bins is ", o.max_bins,
                      "; 0 (one per value) or at least 2 are needed");
}

/// The statistics of a set of items as `width` sums. score() is what the best split makes largest on both sides
/// together: minus the impurity times the weight, up to a constant.
struct ClassStatistics {
  int32_t const* labels;
  double const* weights;
  int64_t width;
  Criterion criterion;

  void add(double* sums, uint32_t row) const { sums[labels[row]] += weights[row]; }
  /// gini: sum of w_k^2 / w;  entropy: sum of w_k log2(w_k / w).
  double score(double const* sums) const {
    double all = 0, value = 0;
    for (int64_t k = 0; k < width; ++k) all += sums[k];
    if (criterion == Criterion::gini) {
      for (int64_t k = 0; k < width; ++k) value += sums[k] * sums[k];
      return value / all;
    }
    for (int64_t k = 0; k < width; ++k)
      if (sums[k] > 0) value += sums[k] * std::log2(sums[k] / all);
    return value;
  }
  int64_t outputs() const { return width; }
  void leaf(double const* sums, float* out) const {
    double all = std::accumulate(sums, sums + width, 0.0);
    for (int64_t k = 0; k < width; ++k) out[k] = float(sums[k] / all);
  }
  bool pure(std::vector<uint32_t> const& rows, int64_t begin, int64_t end) const {
    for (int64_t i = begin + 1; i < end; ++i)
      if (labels[rows[size_t(i)]] != labels[rows[size_t(begin)]]) return false;
    return true;
  }
};

/// sums[0] of the weights, sums[1] of weights times targets; score: (sum w y)^2 / sum w.
struct MeanStatistics {
  double const* targets;
  double const* weights;
  int64_t width = 2;

  void add(double* sums, uint32_t row) const {
    sums[0] += weights[row];
    sums[1] += weights[row] * targets[row];
  }
  double score(double const* sums) const { return sums[1] * sums[1] / sums[0]; }
  int64_t outputs() const { return 1; }
  void leaf(double const* sums, float* out) const { out[0] = float(sums[1] / sums[0]); }
  bool pure(std::vector<uint32_t> const& rows, int64_t begin, int64_t end) const {
    for (int64_t i = begin + 1; i < end; ++i)
      if (targets[rows[size_t(i)]] != targets[rows[size_t(begin)]]) return false;
    return true;
  }
};

/// The rows that weigh something.
inline std::vector<uint32_t> weighted_rows(std::vector<double> const& weights) {
  std::vector<uint32_t> rows;
  for (size_t i = 0; i < weights.size(); ++i)
    if (weights[i] > 0) rows.push_back(uint32_t(i));
  return rows;
}

template <class Statistics> class TreeGrower {
 public:
  TreeGrower(Codes<uint32_t> const& codes, Statistics const& statistics, TreeOptions const& o, Random random)
      : codes_(codes),
        statistics_(statistics),
        options_(o),
        random_(random),
        width_(size_t(statistics.width)),
        features_(size_t(codes.features())),
        importance_(size_t(codes.features()), 0.0) {
    std::iota(features_.begin(), features_.end(), 0);
  }

  /// The tree of these rows, each with its weight.
  Tree grow(std::vector<uint32_t> rows) {
    rows_ = std::move(rows);
    Tree tree{.outputs = statistics_.outputs()};
    tree.nodes.emplace_back();
    std::vector<Open> stack{{0, 0, int64_t(rows_.size()), 0}};
    while (!stack.empty()) {
      Open node = stack.back();
      stack.pop_back();
      total_.assign(width_, 0.0);
      for (int64_t i = node.begin; i < node.end; ++i) statistics_.add(total_.data(), rows_[size_t(i)]);
      Split split = may_split(node) ? best_split(node) : Split();
      if (split.feature < 0) {
        make_leaf(tree, node);
        continue;
      }
      int64_t middle = partition(node, split);
      importance_[size_t(split.feature)] += split.score - statistics_.score(total_.data());
      auto next = int32_t(tree.nodes.size());
      tree.nodes[size_t(node.index)] = {split.feature, codes_.threshold(split.feature, split.below, split.above), next,
                                        split.missing_left};
      tree.nodes.resize(tree.nodes.size() + 2);
      stack.push_back({next + 1, middle, node.end, node.depth + 1});
      stack.push_back({next, node.begin, middle, node.depth + 1});
    }
    normalise(importance_);
    return tree;
  }

  std::vector<double> const& importance() const { return importance_; }

 private:
  struct Open {
    int32_t index;
    int64_t begin, end, depth;
  };
  struct Split {
    int32_t feature = -1;
    int64_t below = 0, above = 0;  ///< the codes on both sides of the threshold
    bool missing_left = false;
    double score = -std::numeric_limits<double>::infinity();
  };

  bool may_split(Open const& node) const {
    return node.end - node.begin >= 2 * options_.min_samples_leaf &&
           (options_.max_depth == 0 || node.depth < options_.max_depth) &&
           !statistics_.pure(rows_, node.begin, node.end);
  }

  void make_leaf(Tree& tree, Open const& node) {
    tree.nodes[size_t(node.index)].next = int32_t(tree.leaves());
    tree.values.resize(tree.values.size() + size_t(tree.outputs));
    statistics_.leaf(total_.data(), &tree.values[tree.values.size() - size_t(tree.outputs)]);
  }

  /// Over max_features features that are not constant here, or over all.
  Split best_split(Open const& node) {
    Split best;
    auto all = int64_t(features_.size());
    int64_t wanted = options_.max_features ? options_.max_features : all;
    for (int64_t i = 0, seen = 0; i < all && seen < wanted; ++i) {
      if (wanted < all) std::swap(features_[size_t(i)], features_[size_t(i + random_.integer(all - i))]);
      int32_t f = features_[size_t(i)];
      gather(f, node);
      if (present_.size() + (missing_count_ > 0) < 2) continue;
      ++seen;
      search(f, node, best);
    }
    return best;
  }

  /// The items of a node by code: present_ lists the codes in order, counts_ and sums_ go with it.
  void gather(int32_t f, Open const& node) {
    present_.clear();
    counts_.clear();
    sums_.clear();
    missing_.assign(width_, 0.0);
    missing_count_ = 0;
    if (codes_.bins(f) <= 2 * (node.end - node.begin)) gather_by_counting(f, node);
    else gather_by_sorting(f, node);
    if (present_.empty() || present_.back() != codes_.bins(f)) return;
    missing_count_ = counts_.back();
    missing_.assign(sums_.end() - std::ptrdiff_t(width_), sums_.end());
    present_.pop_back();
  }
  void gather_by_counting(int32_t f, Open const& node) {
    uint32_t const* column = codes_.column(f);
    size_t slots = size_t(codes_.bins(f)) + 1;
    slot_counts_.assign(slots, 0);
    slot_sums_.assign(slots * width_, 0.0);
    for (int64_t i = node.begin; i < node.end; ++i) {
      uint32_t row = rows_[size_t(i)], code = column[row];
      ++slot_counts_[code];
      statistics_.add(&slot_sums_[code * width_], row);
    }
    for (size_t code = 0; code < slots; ++code) {
      if (slot_counts_[code] == 0) continue;
      present_.push_back(int64_t(code));
      counts_.push_back(slot_counts_[code]);
      sums_.insert(sums_.end(), &slot_sums_[code * width_], &slot_sums_[code * width_] + width_);
    }
  }
  void gather_by_sorting(int32_t f, Open const& node) {
    uint32_t const* column = codes_.column(f);
    order_.clear();
    for (int64_t i = node.begin; i < node.end; ++i)
      order_.push_back(uint64_t(column[rows_[size_t(i)]]) << 32 | uint32_t(i));
    std::sort(order_.begin(), order_.end());
    for (uint64_t item : order_) {
      auto code = int64_t(item >> 32);
      if (present_.empty() || present_.back() != code) {
        present_.push_back(code);
        counts_.push_back(0);
        sums_.resize(sums_.size() + width_, 0.0);
      }
      ++counts_.back();
      statistics_.add(&sums_[sums_.size() - width_], rows_[uint32_t(item)]);
    }
  }

  /// Every threshold with the missing values on the right, then on the left; the first of equals stays.
  void search(int32_t f, Open const& node, Split& best) {
    for (bool missing_left : {false, true}) {
      if (missing_left && missing_count_ == 0) break;
      left_.assign(width_, 0.0);
      int64_t count = 0, items = node.end - node.begin;
      if (missing_left) left_ = missing_, count = missing_count_;
      size_t last = present_.size() - (missing_left || missing_count_ == 0);  // both sides need an item
      for (size_t g = 0; g < last; ++g) {
        count += counts_[g];
        for (size_t s = 0; s < width_; ++s) left_[s] += sums_[g * width_ + s];
        if (count < options_.min_samples_leaf || items - count < options_.min_samples_leaf) continue;
        right_.resize(width_);
        for (size_t s = 0; s < width_; ++s) right_[s] = total_[s] - left_[s];
        double score = statistics_.score(left_.data()) + statistics_.score(right_.data());
        if (!(score > best.score)) continue;
        int64_t above = g + 1 < present_.size() ? present_[g + 1] : codes_.bins(f);
        bool unseen_left = 2 * count > items;  // without a missing value to learn from: where the most items go
        best = {f, present_[g], above, missing_count_ ? missing_left : unseen_left, score};
      }
    }
  }

  /// The rows of the left side first, each side in the order it had.
  int64_t partition(Open const& node, Split const& split) {
    uint32_t const* column = codes_.column(split.feature);
    auto missing = uint32_t(codes_.bins(split.feature)), below = uint32_t(split.below);
    right_rows_.clear();
    int64_t middle = node.begin;
    for (int64_t i = node.begin; i < node.end; ++i) {
      uint32_t row = rows_[size_t(i)], code = column[row];
      if (code == missing ? split.missing_left : code <= below) rows_[size_t(middle++)] = row;
      else right_rows_.push_back(row);
    }
    std::copy(right_rows_.begin(), right_rows_.end(), rows_.begin() + middle);
    return middle;
  }

  Codes<uint32_t> const& codes_;
  Statistics statistics_;
  TreeOptions options_;
  Random random_;
  size_t width_;
  std::vector<int32_t> features_;
  std::vector<double> importance_;
  std::vector<uint32_t> rows_, right_rows_;
  std::vector<double> total_, left_, right_, missing_;
  int64_t missing_count_ = 0;
  std::vector<int64_t> present_, counts_, slot_counts_;
  std::vector<double> sums_, slot_sums_;
  std::vector<uint64_t> order_;
};

/// The leaf of one tree for each row: (N, outputs).
inline Tensor leaf_values(char const* op, Tree const& tree, Tensor const& x, int64_t features) {
  require<ValueError>(!tree.nodes.empty(), op, ": the tree is empty; fit it first");
  Matrix m = matrix(op, x, features);
  Tensor out = empty({m.rows, tree.outputs}, {.dtype = DType::f32, .device = Device()});
  float* y = out.data<float>();
  parallel_for(m.rows, [&](int64_t i) { std::copy_n(tree.at(m.row(i)), tree.outputs, y + i * tree.outputs); });
  return out;
}

}  // namespace detail

}  // namespace d16::learn
