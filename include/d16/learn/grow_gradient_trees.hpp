// Growing the trees of one round of boosting, level by level, from histograms of gradients.
#pragma once
#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include "../core/parallel.hpp"
#include "codes.hpp"
#include "tree.hpp"

namespace d16::learn {

struct BoostOptions {
  int64_t rounds = 100;
  double eta = 0.3;  ///< each leaf's value is shrunk by it
  int64_t max_depth = 6;
  double lambda = 1;            ///< added to the second derivatives of a leaf
  double gamma = 0;             ///< what a split must gain, on the scale of XGBoost's min_split_loss
  double min_child_weight = 1;  ///< least sum of second derivatives in a leaf
  double subsample = 1;         ///< chance of each item to be in a tree
  double colsample = 1;         ///< share of the features that a tree may use
  int64_t max_bins = 255;       ///< of each feature, 255 at most
  bool from_prior = true;       ///< begin at the class frequencies; false: at equal probabilities
  int64_t patience = 0;  ///< stop after so many rounds without a better validation loss, go back to the best; 0: never
  uint64_t seed = 0;
};

namespace detail {

/// First and second derivative of the loss by the margin, added in one instruction.
using Slope = double __attribute__((vector_size(16)));
inline double gradient(Slope const& s) { return s[0]; }
inline double curvature(Slope const& s) { return s[1]; }

/// Grows `trees` trees at once (one per class), so that every level is one parallel loop over nodes and features.
/// Histograms are sums in the order of the items within one node and feature: the same for any number of threads.
/// Where a node is large, the histogram of the larger child is that of the parent minus that of the smaller one.
class GradientTreeGrower {
 public:
  using Codes = detail::Codes<uint8_t>;
  GradientTreeGrower(Codes const& codes, BoostOptions const& o, int64_t trees)
      : codes_(codes), options_(o), trees_(trees), importance_(size_t(codes.features()), 0.0) {
    for (int64_t f = 0; f < codes.features(); ++f) offsets_.push_back(offsets_.back() + size_t(codes.bins(f)) + 1);
    for (auto& rows : rows_) rows.resize(size_t(trees * codes.rows()));
    for (auto& slopes : slopes_) slopes.resize(size_t(trees * codes.rows()));
  }

  /// Where the slopes of the next round are to be written: (trees, N).
  Slope* slopes() { return slopes_[0].data(); }

  /// The trees of these slopes; `features` lists those that each may use. Adds the leaves to margins (N, trees).
  std::vector<Tree> grow(std::vector<std::vector<int32_t>> const& features, double* margins) {
    std::vector<Tree> trees(static_cast<size_t>(trees_));
    start(trees);
    for (int64_t depth = 0; !open_.empty(); ++depth) {
      bool deepest = depth == options_.max_depth;
      if (!deepest) {
        reserve_histograms(depth + 1 < options_.max_depth);
        find_splits(features);
      }
      close_level(trees, features, deepest);
      move_rows(trees, margins);
      std::swap(rows_[0], rows_[1]);
      std::swap(slopes_[0], slopes_[1]);
    }
    return trees;
  }

  /// What each feature gained in all trees.
  std::vector<double> const& importance() const { return importance_; }

 private:
  static constexpr int64_t no_slot = -1;
  struct Split {
    double gain = 0;
    int32_t feature = -1, bin = 0;
    bool missing_left = false;
    Slope left{};
  };
  struct Open {  ///< a node that is to be split or to become a leaf
    int32_t tree, index;
    int64_t begin, end;  ///< its items in rows_ and slopes_
    Slope total;
    int64_t slot = no_slot;  ///< its histogram, where that is kept
  };
  struct Family {  ///< a root, or two siblings
    size_t first, count;
    int64_t parent_slot;
  };
  struct Move {  ///< what becomes of a node's items
    Open node;
    Split split;  ///< without feature: a leaf
    int64_t middle = 0;
  };

  void start(std::vector<Tree>& trees) {
    int64_t N = codes_.rows();
    open_.clear(), families_.clear();
    for (int64_t t = 0; t < trees_; ++t) {
      std::iota(rows_[0].begin() + t * N, rows_[0].begin() + (t + 1) * N, 0u);
      Slope total{};
      for (int64_t i = t * N; i < (t + 1) * N; ++i) total += slopes_[0][size_t(i)];
      trees[size_t(t)].nodes.emplace_back();
      families_.push_back({open_.size(), 1, no_slot});
      open_.push_back({int32_t(t), 0, t * N, (t + 1) * N, total});
    }
    histograms_.clear();
  }

  /// Nodes that are large keep their histogram for the subtraction; small ones are quicker summed anew.
  void reserve_histograms(bool children_follow) {
    for (Open& node : open_) node.slot = no_slot;
    if (!children_follow) return;
    for (Family const& family : families_) {
      bool has_parent = family.count == 2 && family.parent_slot != no_slot;
      size_t small = family.first + (family.count == 2 && !smaller_first(family));
      for (size_t i = family.first; i < family.first + family.count; ++i) {
        if (open_[i].end - open_[i].begin < 2 * 256) continue;
        if (has_parent && i != small) open_[i].slot = family.parent_slot;
        else open_[i].slot = new_slot();
      }
    }
  }
  int64_t new_slot() {
    histograms_.emplace_back(offsets_.back());
    return int64_t(histograms_.size()) - 1;
  }
  bool smaller_first(Family const& family) const {
    Open const &a = open_[family.first], &b = open_[family.first + 1];
    return a.end - a.begin <= b.end - b.begin;
  }

  void find_splits(std::vector<std::vector<int32_t>> const& features) {
    size_t each = features[0].size();
    splits_.assign(open_.size() * each, Split());
    int64_t items = int64_t(families_.size() * each);
    parallel_chunks(items, std::max<int64_t>(1, items / 64), [&](int64_t begin, int64_t end) {
      for (int64_t item = begin; item < end; ++item) {
        Family const& family = families_[size_t(item) / each];
        size_t k = size_t(item) % each;
        search_family(family, features[size_t(open_[family.first].tree)][k], k, each);
      }
    });
  }

  /// The best threshold of one feature in a root or in two siblings.
  void search_family(Family const& family, int32_t f, size_t k, size_t each) {
    Slope room[2][256];
    auto histogram = [&](size_t which) {
      int64_t slot = open_[family.first + which].slot;
      return slot == no_slot ? room[which] : &histograms_[size_t(slot)][offsets_[size_t(f)]];
    };
    if (family.parent_slot == no_slot) {
      for (size_t i = 0; i < family.count; ++i) sum_up(open_[family.first + i], f, histogram(i));
    } else {
      size_t small = !smaller_first(family);
      Slope *less = histogram(small), *more = histogram(1 - small),
            *parent = &histograms_[size_t(family.parent_slot)][offsets_[size_t(f)]];
      sum_up(open_[family.first + small], f, less);
      for (int64_t b = 0; b <= codes_.bins(f); ++b) more[b] = parent[b] - less[b];
    }
    for (size_t i = 0; i < family.count; ++i)
      splits_[(family.first + i) * each + k] = search(open_[family.first + i], f, histogram(i));
  }

  void sum_up(Open const& node, int32_t f, Slope* histogram) const {
    std::fill_n(histogram, codes_.bins(f) + 1, Slope{});
    uint8_t const* column = codes_.column(f);
    uint32_t const* rows = rows_[0].data();
    Slope const* slopes = slopes_[0].data();
    for (int64_t i = node.begin; i < node.end; ++i) histogram[column[rows[i]]] += slopes[i];
  }

  /// gain = G_l^2 / (H_l + lambda) + G_r^2 / (H_r + lambda) - G^2 / (H + lambda), the bracket of eq. 7. The sum of the
  /// first two is kept as a fraction, so that most thresholds cost no division. The first of equals stays; missing
  /// values are tried on the right, then on the left.
  Split search(Open const& node, int32_t f, Slope const* histogram) const {
    int64_t bins = codes_.bins(f);
    Slope missing = histogram[bins], left{};
    double rounding = 1e-12 * curvature(node.total) + 1e-16;  // what a subtraction may leave of nothing
    double lambda = options_.lambda, least = std::max(options_.min_child_weight, rounding);
    double own = score(node.total), best = own + std::max(options_.gamma, 1e-6);  // 1e-6: no gain but rounding
    bool some_missing = curvature(missing) > rounding;
    Split split;
    auto look = [&](int64_t b, Slope l, bool missing_left) {
      Slope r = node.total - l;
      if (!(l[1] >= least) || !(r[1] >= least)) return;
      double hl = l[1] + lambda, hr = r[1] + lambda, value = l[0] * l[0] * hr + r[0] * r[0] * hl;
      if (!(value > best * (hl * hr))) return;
      best = value / (hl * hr);
      split = {best - own, f, int32_t(b), missing_left, l};
    };
    for (int64_t b = 0; b < bins - !some_missing; ++b) look(b, left += histogram[b], false);
    if (some_missing) {
      left = missing;
      for (int64_t b = 0; b + 1 < bins; ++b) look(b, left += histogram[b], true);
    } else if (split.feature >= 0) {
      split.missing_left = 2 * curvature(split.left) > curvature(node.total);  // unseen: where the most weight goes
    }
    return split;
  }

  double score(Slope const& s) const { return s[0] * s[0] / std::max(s[1] + options_.lambda, 1e-16); }

  /// Chooses among the features, makes children or leaves, and lists what becomes of the items.
  void close_level(std::vector<Tree>& trees, std::vector<std::vector<int32_t>> const& features, bool deepest) {
    moves_.clear();
    size_t each = features[0].size();
    for (size_t i = 0; i < open_.size(); ++i) {
      Split best;
      for (size_t k = 0; !deepest && k < each; ++k)
        if (Split const& split = splits_[i * each + k]; split.gain > best.gain) best = split;
      moves_.push_back({open_[i], best});
      Tree& tree = trees[size_t(open_[i].tree)];
      TreeNode& node = tree.nodes[size_t(open_[i].index)];
      if (best.feature < 0) {
        node.next = int32_t(tree.values.size());
        tree.values.push_back(float(leaf_value(open_[i].total)));
        continue;
      }
      importance_[size_t(best.feature)] += best.gain;
      node = {best.feature, codes_.threshold(best.feature, best.bin, best.bin + 1), int32_t(tree.nodes.size()),
              best.missing_left};
      tree.nodes.resize(tree.nodes.size() + 2);
    }
  }

  /// w = -G / (H + lambda), eq. 5, shrunk by eta; 0 where hardly anything weighs.
  double leaf_value(Slope const& s) const {
    if (s[1] < options_.min_child_weight || s[1] <= 0) return 0;
    return -options_.eta * s[0] / (s[1] + options_.lambda);
  }

  /// Items of leaves get their value; those of split nodes go to the children, which are the next level.
  void move_rows(std::vector<Tree> const& trees, double* margins) {
    parallel_tasks(int64_t(moves_.size()), [&](int64_t m) {
      Move& move = moves_[size_t(m)];
      if (move.split.feature >= 0) return part(move);
      Tree const& tree = trees[size_t(move.node.tree)];
      double value = tree.values[size_t(tree.nodes[size_t(move.node.index)].next)];
      for (int64_t i = move.node.begin; i < move.node.end; ++i)
        margins[int64_t(rows_[0][size_t(i)]) * trees_ + move.node.tree] += value;
    });
    open_.clear(), families_.clear();
    for (Move const& move : moves_) {
      if (move.split.feature < 0) continue;
      Open const& node = move.node;
      int32_t next = trees[size_t(node.tree)].nodes[size_t(node.index)].next;
      families_.push_back({open_.size(), 2, node.slot});
      open_.push_back({node.tree, next, node.begin, move.middle, move.split.left});
      open_.push_back({node.tree, next + 1, move.middle, node.end, node.total - move.split.left});
    }
  }
  /// Left items from the front, right ones from the back, into the other half of the buffers. Each item is written to
  /// both ends and one of them moves: no branch to guess, and a slot that was written in vain is written again.
  void part(Move& move) {
    uint8_t const* column = codes_.column(move.split.feature);
    auto missing = uint8_t(codes_.bins(move.split.feature)), bin = uint8_t(move.split.bin);
    bool missing_left = move.split.missing_left;
    int64_t front = move.node.begin, back = move.node.end - 1;
    for (int64_t i = move.node.begin; i < move.node.end; ++i) {
      uint32_t row = rows_[0][size_t(i)];
      Slope slope = slopes_[0][size_t(i)];
      uint8_t code = column[row];
      bool is_missing = code == missing, left = (!is_missing & (code <= bin)) | (is_missing & missing_left);
      rows_[1][size_t(front)] = rows_[1][size_t(back)] = row;
      slopes_[1][size_t(front)] = slopes_[1][size_t(back)] = slope;
      front += left, back -= !left;
    }
    move.middle = front;
  }

  Codes const& codes_;
  BoostOptions options_;
  int64_t trees_;
  std::vector<size_t> offsets_{0};  ///< of each feature in a histogram
  std::vector<double> importance_;
  std::vector<uint32_t> rows_[2];
  std::vector<Slope> slopes_[2];
  std::vector<Open> open_;
  std::vector<Family> families_;
  std::vector<Move> moves_;
  std::vector<Split> splits_;
  std::vector<std::vector<Slope>> histograms_;
};

}  // namespace detail

}  // namespace d16::learn
