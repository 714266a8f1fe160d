// HDBSCAN: clusters of any shape and number, and noise, from the densities of points.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "spanning_tree.hpp"

namespace d16::learn {

enum class ClusterSelection {
  excess_of_mass,  ///< the clusters that live longest
  leaf             ///< the smallest ones, of like density
};

struct HdbscanOptions {
  int64_t min_cluster_size = 5;
  int64_t min_samples = 0;  ///< a point counts itself; 0: min_cluster_size
  ClusterSelection selection = ClusterSelection::excess_of_mass;
  double epsilon = 0;  ///< clusters that part at a smaller distance stay together
};

struct Clusters {
  Tensor labels = {};                  ///< (N) int64: clusters by their first row from 0 up, -1 for noise
  Tensor probabilities = {};           ///< (N) float64: how deep in its cluster a row lies, 0 for noise
  int64_t count = 0;                   ///< of clusters
  double noise_fraction = 0;           ///< rows of none
  std::vector<double> stability = {};  ///< (count): sum over the rows of the range of densities that they stay for
};

namespace detail {

/// The binary tree of merges: node rows + i joins two nodes with the i-th edge.
struct Merges {
  struct Merge {
    int32_t left, right;
    double distance;
  };
  int64_t rows;
  std::vector<Merge> merges;
  std::vector<int32_t> sizes;  ///< (2 rows - 1) rows of each node

  Merges(std::vector<TreeEdge> const& edges, int64_t rows) : rows(rows), sizes(size_t(2 * rows - 1), 1) {
    JoinedSets sets(2 * rows - 1);
    for (TreeEdge const& e : edges) {
      int32_t const node = int32_t(rows + int64_t(merges.size())), left = sets.find(e.a), right = sets.find(e.b);
      sets.attach(left, node), sets.attach(right, node);
      sizes[size_t(node)] = sizes[size_t(left)] + sizes[size_t(right)];
      merges.push_back({left, right, e.weight});
    }
  }
};

/// Clusters of at least a size, from the root (0) down: a parent comes before its children. Densities are 1 / distance.
struct ClusterTree {
  struct Node {
    int32_t parent;
    double birth, death = 0, stability = 0;  ///< death: the largest density at which a row or a cluster leaves it
    bool leaf = true;
  };
  std::vector<Node> nodes{{-1, 0}};
  std::vector<int32_t> cluster;  ///< (rows) the smallest one that holds the row
  std::vector<double> density;   ///< (rows) at which the row leaves it

  ClusterTree(Merges const& m, int64_t least) : cluster(size_t(2 * m.rows - 1), 0), density(cluster.size(), -1) {
    for (int64_t i = int64_t(m.merges.size()) - 1; i >= 0; --i) split(m, i, least);
    cluster.resize(size_t(m.rows)), density.resize(size_t(m.rows));
  }

 private:
  /// density >= 0 marks nodes that have left their cluster.
  void split(Merges const& m, int64_t i, int64_t least) {
    auto const [left, right, distance] = m.merges[size_t(i)];
    size_t const node = size_t(m.rows + i);
    int32_t const parent = cluster[node];
    double const at = density[node] >= 0 ? density[node] : 1 / distance;
    bool const out = density[node] >= 0;
    bool const both = !out && m.sizes[size_t(left)] >= least && m.sizes[size_t(right)] >= least;
    for (int32_t child : {left, right}) {
      cluster[size_t(child)] = parent;
      int32_t const size = m.sizes[size_t(child)];
      if (both) {
        cluster[size_t(child)] = int32_t(nodes.size());
        nodes[size_t(parent)].leaf = false;
        nodes.push_back({parent, at});
      } else if (out || size < least) {
        density[size_t(child)] = at;
      }
      if (both || (!out && size < least)) leave(nodes[size_t(parent)], at, size);
    }
  }
  static void leave(Node& from, double at, int32_t size) {
    if (at > from.birth) from.stability += (at - from.birth) * size;  // not inf - inf
    from.death = std::max(from.death, at);
  }
};

/// Which clusters count. The root never does.
class Selection {
 public:
  Selection(ClusterTree const& tree, HdbscanOptions const& o) : tree_(tree), chosen_(tree.nodes.size(), 0) {
    if (o.selection == ClusterSelection::leaf)
      for (size_t c = 1; c < chosen_.size(); ++c) chosen_[c] = tree.nodes[c].leaf;
    else choose_by_mass();
    if (o.epsilon > 0) join(o.epsilon);
  }
  /// The chosen cluster that holds the tree's cluster c, or 0.
  std::vector<int32_t> holders() const {
    std::vector<int32_t> holder(chosen_.size(), 0);
    for (size_t c = 1; c < chosen_.size(); ++c) {
      int32_t const above = holder[size_t(tree_.nodes[c].parent)];
      holder[c] = above ? above : chosen_[c] ? int32_t(c) : 0;
    }
    return holder;
  }

 private:
  /// A cluster gives way to those below it when these have more mass together.
  void choose_by_mass() {
    std::vector<double> below(chosen_.size(), 0.0);
    for (size_t c = chosen_.size() - 1; c > 0; --c) {
      chosen_[c] = !(below[c] > tree_.nodes[c].stability);
      below[size_t(tree_.nodes[c].parent)] += chosen_[c] ? tree_.nodes[c].stability : below[c];
    }
    keep_highest();
  }
  void keep_highest() {
    std::vector<int32_t> const holder = holders();
    for (size_t c = 1; c < chosen_.size(); ++c) chosen_[c] = holder[c] == int32_t(c);
  }
  /// A chosen cluster that was born within epsilon gives way to the nearest cluster above it that was not.
  void join(double epsilon) {
    std::vector<char> joined(chosen_.size(), 0);
    for (size_t c = 1; c < chosen_.size(); ++c) {
      if (!chosen_[c]) continue;
      size_t at = c;
      if (1 / tree_.nodes[c].birth < epsilon)
        while (tree_.nodes[at].parent > 0) {
          at = size_t(tree_.nodes[at].parent);
          if (1 / tree_.nodes[at].birth > epsilon) break;
        }
      joined[at] = 1;
    }
    chosen_ = joined;
    keep_highest();
  }
  ClusterTree const& tree_;
  std::vector<char> chosen_;
};

inline Clusters label_rows(ClusterTree const& tree, std::vector<int32_t> const& holder) {
  int64_t const rows = int64_t(tree.cluster.size());
  Clusters out{.labels = empty({rows}, {.dtype = DType::i64, .device = Device()}),
               .probabilities = empty({rows}, {.dtype = DType::f64, .device = Device()})};
  std::vector<int64_t> number(tree.nodes.size(), -1);
  double noise = 0;
  for (int64_t i = 0; i < rows; ++i) {
    size_t const c = size_t(holder[size_t(tree.cluster[size_t(i)])]);
    if (c > 0 && number[c] < 0) {
      number[c] = out.count++;
      out.stability.push_back(tree.nodes[c].stability);
    }
    double const density = tree.density[size_t(i)], death = tree.nodes[c].death;
    bool const deepest = std::isinf(density) || density >= death;
    out.labels.data<int64_t>()[i] = c > 0 ? number[c] : -1;
    out.probabilities.data<double>()[i] = c == 0 ? 0 : deepest ? 1 : density / death;
    noise += c == 0;
  }
  out.noise_fraction = noise / double(rows);
  return out;
}

}  // namespace detail

/// Clusters as connected components at a density that each chooses for itself. Two points are max(core_a, core_b, |a-b|)
/// apart, where core is the distance of the min_samples-th nearest point. Labels are those of scikit-learn's HDBSCAN up
/// to renaming where no row is equally far from two clusters; such a row joins the one whose row is nearer, while
/// scikit-learn leaves it to the order of the rows and to its sort.
/// Shapes   x (N,F).   Cost  about N log N for few F; the tree of a table of many F is searched nearly whole.
///          Memory: about 300 bytes a row, whatever min_samples is.
/// Deterministic  for any number of threads.
/// Errors   ShapeError, DTypeError; ValueError for NaN, infinities and options out of range (min_samples <= N).
/// Source   Campello, Moulavi, Zimek and Sander 2015; McInnes and Healy 2017; for epsilon Malzer and Baum 2020.
inline Clusters hdbscan(Tensor const& x, HdbscanOptions const& o = {}) {
  char const* op = "hdbscan";
  detail::Matrix const m = detail::finite_matrix(op, x);
  int64_t const samples = o.min_samples ? o.min_samples : o.min_cluster_size;
  require<ValueError>(o.min_cluster_size >= 2, op, ": min_cluster_size is ", o.min_cluster_size, "; 2 is the least");
  require<ValueError>(samples >= 1 && samples <= m.rows, op, ": min_samples is ", samples, "; 1 to ", m.rows,
                      ", the rows of x, are possible");
  require<ValueError>(m.rows > 1, op, ": x has one row; two at least are needed");
  require<ValueError>(o.epsilon >= 0 && std::isfinite(o.epsilon), op, ": epsilon is ", o.epsilon,
                      "; a finite number from 0 up is needed");
  detail::Merges const merges(detail::ReachabilityTree(m, samples).edges(), m.rows);
  detail::ClusterTree const tree(merges, o.min_cluster_size);
  return detail::label_rows(tree, detail::Selection(tree, o).holders());
}

}  // namespace d16::learn
