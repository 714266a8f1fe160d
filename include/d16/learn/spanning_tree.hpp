// The minimum spanning tree over the mutual reachability distance, by Boruvka's rounds on a k-d tree.
#pragma once
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <tuple>
#include <vector>

#include "nearest_neighbours.hpp"

namespace d16::learn::detail {

struct TreeEdge {
  int32_t a, b;  ///< rows, a < b
  double weight, length;
};

/// Sets of numbers 0 .. n-1 that are joined step by step.
class JoinedSets {
 public:
  explicit JoinedSets(int64_t n) : parent_(static_cast<size_t>(n)) { std::iota(parent_.begin(), parent_.end(), 0); }
  int32_t find(int32_t i) {
    while (parent_[size_t(i)] != i) i = parent_[size_t(i)] = parent_[size_t(parent_[size_t(i)])];
    return i;
  }
  /// The same without shortening the way, for several threads.
  int32_t root(int32_t i) const {
    while (parent_[size_t(i)] != i) i = parent_[size_t(i)];
    return i;
  }
  /// Makes `b` part of the set with the number `a`, both as find() gives them.
  void attach(int32_t b, int32_t a) { parent_[size_t(b)] = a; }

 private:
  std::vector<int32_t> parent_;
};

/// Each round joins every component to the nearest other one. What is known of a point is kept: a list of near points
/// answers most questions without a search, and the least edge that leaves the point's component only grows. Searches
/// walk two trees at once: a leaf of points that ask against the nodes that may answer.
/// Of edges with the same weight, which are common since many weigh a core distance, the shorter one counts as less: a
/// row that is equally far from two clusters joins the one whose row is nearer. Edges compare by their keys, bits of the
/// squared weight before bits of the squared length, in float32; what is returned is float64.
/// Source   March, Ram and Gray 2010, "Fast Euclidean minimum spanning tree"; McInnes and Healy 2017, "Accelerated
///          hierarchical density based clustering".
class ReachabilityTree {
 public:
  /// The core distance of a point is that of its `samples`-th nearest point, itself the first. Rows > 1.
  ReachabilityTree(Matrix const& x, int64_t samples)
      : tree_(x),
        rows_(x.rows),
        samples_(samples),
        listed_(std::min(rows_ - 1, std::clamp<int64_t>(samples, 8, most_listed))) {
    list_neighbours();
    component_.resize(size_t(rows_));
    std::iota(component_.begin(), component_.end(), 0);
    next_.assign(size_t(rows_), 0), least_.assign(size_t(rows_), 0), found_.resize(size_t(rows_));
    node_core_.resize(size_t(2 * tree_.leaves)), node_component_.resize(size_t(2 * tree_.leaves));
    label_nodes();
  }

  /// rows - 1 edges, the least first.
  /// Errors   ValueError: squares of distances are too large for float32.
  std::vector<TreeEdge> edges() {
    JoinedSets sets(rows_);
    std::vector<TreeEdge> out;
    while (int64_t(out.size()) < rows_ - 1) {
      size_t const before = out.size();
      for (Exit const& exit : exits()) {
        if (exit.to < 0) continue;
        int32_t const a = sets.find(exit.from), b = sets.find(exit.to);
        if (a == b) continue;  // the other component chose this edge, or one like it
        sets.attach(std::max(a, b), std::min(a, b));
        out.push_back(edge(exit));
      }
      require<ValueError>(out.size() > before, "hdbscan: squared distances exceed float32; scale x down");
      parallel_for(rows_, [&](int64_t p) { component_[size_t(p)] = sets.root(int32_t(p)); });
      label_nodes();
    }
    std::sort(out.begin(), out.end(), [](TreeEdge const& x, TreeEdge const& y) {
      return std::tie(x.weight, x.length, x.a, x.b) < std::tie(y.weight, y.length, y.a, y.b);
    });
    return out;
  }

 private:
  static constexpr int64_t most_listed = 16;  // more of them cost memory, and answer few questions more
  static constexpr float far = std::numeric_limits<float>::infinity();

  static uint64_t edge_key(float square, float length_square) {
    return uint64_t(std::bit_cast<uint32_t>(square)) << 32 | std::bit_cast<uint32_t>(length_square);
  }
  /// An edge from a position to one of another component; to < 0: none found.
  struct Exit {
    uint64_t key = edge_key(far, far);
    int32_t from = -1, to = -1;
  };

  void list_neighbours() {
    near_.resize(size_t(rows_ * listed_)), near_squares_.resize(size_t(rows_ * listed_));
    core_.assign(size_t(rows_), 0), core_point_.resize(size_t(rows_));
    std::vector<int32_t> position(static_cast<size_t>(rows_));
    for (int64_t p = 0; p < rows_; ++p) position[size_t(tree_.order[size_t(p)])] = int32_t(p);
    std::iota(core_point_.begin(), core_point_.end(), 0);
    auto put = [&](int64_t p, int64_t j, uint64_t key) {
      int32_t const point = position[size_t(uint32_t(key))];
      if (j < listed_) near_[size_t(p * listed_ + j)] = point, near_squares_[size_t(p * listed_ + j)] = square_of(key);
      if (j == samples_ - 2) core_point_[size_t(p)] = point, core_[size_t(p)] = square_of(key);
    };
    search_all(tree_, tree_, true, std::max(listed_, samples_ - 1), put, listed_);
  }

  double exact_square(int32_t p, int32_t q) const {
    float const *a = tree_.point(p), *b = tree_.point(q);
    double sum = 0;
    for (int64_t c = 0; c < tree_.columns; ++c) sum += (double(a[c]) - double(b[c])) * (double(a[c]) - double(b[c]));
    return sum;
  }
  double exact_core(int32_t p) const { return exact_square(p, core_point_[size_t(p)]); }
  TreeEdge edge(Exit const& exit) const {
    auto [a, b] = std::minmax(tree_.order[size_t(exit.from)], tree_.order[size_t(exit.to)]);
    double const length = exact_square(exit.from, exit.to);
    return {a, b, std::sqrt(std::max({exact_core(exit.from), exact_core(exit.to), length})), std::sqrt(length)};
  }

  /// The component of each node whose points have one, -1 elsewhere; the least core distance of each.
  void label_nodes() {
    parallel_chunks(tree_.leaves, 256, [&](int64_t begin, int64_t end) {
      for (int64_t l = begin; l < end; ++l) {
        int32_t component = component_[size_t(tree_.begin(l))];
        float core = far;
        for (int64_t p = tree_.begin(l); p < tree_.begin(l + 1); ++p) {
          if (component_[size_t(p)] != component) component = -1;
          core = std::min(core, core_[size_t(p)]);
        }
        node_component_[size_t(tree_.leaves + l)] = component, node_core_[size_t(tree_.leaves + l)] = core;
      }
    });
    for (int64_t i = tree_.leaves - 1; i > 0; --i) {
      size_t const left = size_t(2 * i);
      node_component_[size_t(i)] = node_component_[left] == node_component_[left + 1] ? node_component_[left] : -1;
      node_core_[size_t(i)] = std::min(node_core_[left], node_core_[left + 1]);
    }
  }

  /// The least edge out of each component.
  std::vector<Exit> exits() {
    std::vector<Exit> best(static_cast<size_t>(rows_));
    parallel_for(rows_, [&](int64_t p) { ask_list(int32_t(p)); });
    keep_best(best);
    // a few leaves first: what they find keeps most of the others from searching
    for (int64_t const step : {64, 8, 1}) {
      parallel_chunks((tree_.leaves + step - 1) / step, 16, [&](int64_t begin, int64_t end) {
        with_lanes([&]<int lanes>() __attribute__((always_inline)) {
          for (int64_t l = begin; l < end; ++l)
            if (tree_.width == 4) search_leaf<lanes, 4>(l * step, best);
            else search_leaf<lanes, lanes>(l * step, best);
        });
      });
      keep_best(best);
    }
    return best;
  }
  void keep_best(std::vector<Exit>& best) const {
    for (int64_t p = 0; p < rows_; ++p) {
      Exit& exit = best[size_t(component_[size_t(p)])];
      if (found_[size_t(p)].key < exit.key) exit = found_[size_t(p)];
    }
  }

  /// The least exit among the listed neighbours of p; least_ says afterwards whether another may be less.
  void ask_list(int32_t p) {
    int32_t const component = component_[size_t(p)], *near = &near_[size_t(p * listed_)];
    float const core = core_[size_t(p)], *squares = &near_squares_[size_t(p * listed_)];
    int32_t& next = next_[size_t(p)];
    while (next < listed_ && component_[size_t(near[next])] == component) ++next;
    Exit exit{.from = p};
    for (int64_t j = next; j < listed_ && edge_key(std::max(core, squares[j]), squares[j]) < exit.key; ++j)
      if (component_[size_t(near[j])] != component) {
        uint64_t const key = edge_key(std::max({core, core_[size_t(near[j])], squares[j]}), squares[j]);
        if (key < exit.key) exit = {key, p, near[j]};
      }
    float const nearest = squares[std::min<int64_t>(next, listed_ - 1)];
    least_[size_t(p)] = std::max(least_[size_t(p)], edge_key(std::max(core, nearest), nearest));
    found_[size_t(p)] = exit;
  }

  /// Points of a leaf that may have a lesser exit than the best of their component.
  struct Asking {
    int32_t position[KdTree::leaf_rows];
    uint64_t bound[KdTree::leaf_rows];  ///< only lesser exits matter
    int count = 0;
    int32_t component = -1;  ///< of all, or -1
    float core = far;        ///< the least
    uint64_t reach() const { return *std::max_element(bound, bound + count); }
  };
  Asking asking_in(int64_t leaf, std::vector<Exit> const& best) const {
    Asking a;
    for (int64_t p = tree_.begin(leaf); p < tree_.begin(leaf + 1); ++p) {
      int32_t const component = component_[size_t(p)];
      uint64_t const bound = std::min(best[size_t(component)].key, found_[size_t(p)].key);
      if (least_[size_t(p)] >= bound) continue;
      a.component = a.count == 0 || a.component == component ? component : -1;
      a.core = std::min(a.core, core_[size_t(p)]);
      a.position[a.count] = int32_t(p), a.bound[a.count++] = bound;
    }
    return a;
  }

  template <int lanes, int box> D16_INLINE void search_leaf(int64_t leaf, std::vector<Exit> const& best) {
    Asking asking = asking_in(leaf, best);
    if (asking.count == 0) return;
    struct Node {
      uint64_t key;
      int32_t node;
    };
    uint64_t reach = asking.reach();
    float const *low = tree_.low_of(tree_.leaves + leaf), *high = tree_.high_of(tree_.leaves + leaf);
    Node stack[66];
    int waiting = 0;
    stack[waiting++] = {0, 1};
    while (waiting > 0) {
      auto const [key, node] = stack[--waiting];
      if (key >= reach || (asking.component >= 0 && node_component_[size_t(node)] == asking.component)) continue;
      if (node >= tree_.leaves) {
        answer<lanes>(asking, node - tree_.leaves);
        reach = asking.reach();
        continue;
      }
      Node child[2];
      for (int32_t i = 0; i < 2; ++i) {
        int32_t const c = 2 * node + i;
        float const apart = box_square<box>(tree_, tree_.low_of(c), tree_.high_of(c), low, high);
        child[i] = {edge_key(std::max({asking.core, node_core_[size_t(c)], apart}), apart), c};
      }
      bool const swap = child[1].key < child[0].key;
      stack[waiting++] = child[!swap], stack[waiting++] = child[swap];
    }
    for (int i = 0; i < asking.count; ++i) {
      uint64_t& least = least_[size_t(asking.position[i])];
      least = std::max(least, asking.bound[i]);
    }
  }

  template <int lanes> D16_INLINE void answer(Asking& asking, int64_t leaf) {
    int64_t const begin = tree_.begin(leaf), there = tree_.begin(leaf + 1) - begin;
    float squares[KdTree::leaf_rows];
    for (int i = 0; i < asking.count; ++i) {
      int32_t const p = asking.position[i], component = component_[size_t(p)];
      if (node_component_[size_t(tree_.leaves + leaf)] == component) continue;
      leaf_squares<lanes>(tree_, tree_.point(p), leaf, squares);
      for (int64_t j = 0; j < there; ++j) {
        if (component_[size_t(begin + j)] == component) continue;
        uint64_t const key = edge_key(std::max({squares[j], core_[size_t(begin + j)], core_[size_t(p)]}), squares[j]);
        if (key >= asking.bound[i]) continue;
        found_[size_t(p)] = {key, p, int32_t(begin + j)};
        for (int other = 0; other < asking.count; ++other)  // an exit of its component
          if (component_[size_t(asking.position[other])] == component)
            asking.bound[other] = std::min(asking.bound[other], key);
      }
    }
  }

  KdTree tree_;
  int64_t rows_, samples_, listed_;
  std::vector<int32_t> near_;        ///< (rows, listed) positions, nearest first
  std::vector<float> near_squares_;  ///< their squared distances
  std::vector<float> core_;          ///< squared core distances
  std::vector<int32_t> core_point_;  ///< the point at that distance; of one sample the point itself
  std::vector<uint64_t> least_;      ///< no edge out of the point's component has a smaller key
  std::vector<int32_t> next_;        ///< the first in the list of another component
  std::vector<Exit> found_;          ///< the least exit known of each point, in this round
  std::vector<int32_t> component_;   ///< by position
  std::vector<float> node_core_;
  std::vector<int32_t> node_component_;
};

}  // namespace d16::learn::detail
