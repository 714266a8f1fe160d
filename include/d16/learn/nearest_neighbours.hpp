// The exact k nearest rows of a table: by a k-d tree, in many dimensions by matrix products.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "../kernels/cpu/gemm.hpp"
#include "kd_tree.hpp"

namespace d16::learn {

struct Neighbours {
  Tensor index = {};     ///< (M,k) int64: rows of the table, the nearest first, equally near ones by number
  Tensor distance = {};  ///< (M,k) float32, Euclidean
};

namespace detail {

/// The k smallest keys that were added. Keeps up to twice as many and throws the larger half away, so that an addition
/// costs a constant on average.
class Nearest {
 public:
  explicit Nearest(int64_t k) : k_(k), keys_(size_t(2 * k + 16)) {}

  void clear() { count_ = 0, bound_ = UINT64_MAX; }
  uint64_t bound() const { return bound_; }  ///< only smaller keys matter
  void add(uint64_t key) {
    if (key >= bound_) return;
    keys_[size_t(count_++)] = key;
    if (count_ == int64_t(keys_.size())) shrink();
  }
  /// Calls visit(j, key) for the keys in order; of more than `listed` for so many and the last.
  template <class F> void finish(F const& visit, int64_t listed = INT64_MAX) {
    if (count_ > k_) shrink();
    auto const begin = keys_.begin(), end = begin + count_, middle = begin + std::min(listed, count_);
    if (middle == end) std::sort(begin, end);
    else std::partial_sort(begin, middle, end), visit(count_ - 1, *std::max_element(middle, end));
    for (auto key = begin; key < middle; ++key) visit(key - begin, *key);
  }

 private:
  void shrink() {
    std::nth_element(keys_.begin(), keys_.begin() + k_ - 1, keys_.begin() + count_);
    count_ = k_, bound_ = keys_[size_t(k_ - 1)];
  }
  int64_t k_, count_ = 0;
  std::vector<uint64_t> keys_;
  uint64_t bound_ = UINT64_MAX;
};

/// A node that waits, and a distance that none of its rows is below.
struct Waiting {
  float square;
  int32_t node;
};

/// Adds the rows near `point` except `self`. Nodes are taken nearest first; of two equally near that of smaller rows, so
/// that many equal rows cost no more than others.
template <int lanes, int box>
D16_INLINE void search(KdTree const& tree, float const* point, int32_t self, Nearest& nearest) {
  Waiting stack[66];
  int waiting = 0;
  stack[waiting++] = {0.0f, 1};
  while (waiting > 0) {
    auto const [square, node] = stack[--waiting];
    if (distance_key(square, tree.first[size_t(node)]) >= nearest.bound()) continue;
    if (node >= tree.leaves) {
      int64_t const leaf = node - tree.leaves, begin = tree.begin(leaf), count = tree.begin(leaf + 1) - begin;
      float squares[KdTree::leaf_rows];
      leaf_squares<lanes>(tree, point, leaf, squares);
      for (int64_t i = 0; i < count; ++i)
        if (int32_t const row = tree.order[size_t(begin + i)]; row != self) nearest.add(distance_key(squares[i], row));
      continue;
    }
    Waiting child[2];
    for (int32_t i = 0; i < 2; ++i) {
      int32_t const c = 2 * node + i;
      child[i] = {box_square<box>(tree, tree.low_of(c), tree.high_of(c), point, point), c};
    }
    bool const swap = distance_key(child[1].square, tree.first[size_t(child[1].node)]) <
                      distance_key(child[0].square, tree.first[size_t(child[0].node)]);
    stack[waiting++] = child[!swap], stack[waiting++] = child[swap];
  }
}

/// Neighbours of the rows of `queries` in their order there; `same` when the two trees are one: no row is then its own
/// neighbour. visit(position of the query, j, key) is called from several threads, for no more than the nearest
/// `listed` and the k-th.
template <class F> void search_all(KdTree const& tree, KdTree const& queries, bool same, int64_t k, F const& visit,
                                   int64_t listed = INT64_MAX) {
  parallel_chunks(queries.rows, 256, [&](int64_t begin, int64_t end) {
    Nearest nearest(k);
    with_lanes([&]<int lanes>() __attribute__((always_inline)) {
      for (int64_t q = begin; q < end; ++q) {
        nearest.clear();
        int32_t const self = same ? tree.order[size_t(q)] : -1;
        if (tree.width == 4) search<lanes, 4>(tree, queries.point(q), self, nearest);
        else search<lanes, lanes>(tree, queries.point(q), self, nearest);
        nearest.finish([&](int64_t j, uint64_t key) { visit(q, j, key); }, listed);
      }
    });
  });
}

/// The squared distance of two rows, summed in order.
inline float square_distance(float const* a, float const* b, int64_t columns) {
  float sum = 0;
  for (int64_t c = 0; c < columns; ++c) sum += (a[c] - b[c]) * (a[c] - b[c]);
  return sum;
}

/// Without a tree: |a|^2 + |b|^2 - 2 a b by matrix products sorts out most pairs; those within the products' rounding,
/// at most (columns + 4) 2^-23 (|a|^2 + |b|^2), of the k-th distance or below are measured exactly.
class ProductSearch {
 public:
  ProductSearch(Matrix const& x, Matrix const& queries, bool same, int64_t k)
      : x_(x), queries_(queries), same_(same), k_(k), mean_(size_t(x.columns)) {
    for (int64_t i = 0; i < x.rows; ++i)
      for (int64_t c = 0; c < x.columns; ++c) mean_[size_t(c)] += double(x.row(i)[c]) / double(x.rows);
    centred_ = centred(x, norms_);
  }
  /// visit(row of the query, j, key), from several threads.
  template <class F> void run(F const& visit) const {
    parallel_chunks(queries_.rows, block, [&](int64_t begin, int64_t end) { search_block(begin, end, visit); });
  }

 private:
  static constexpr int64_t block = 64, wide = 1024;

  std::vector<float> centred(Matrix const& m, std::vector<float>& norms) const {
    std::vector<float> out(size_t(m.rows * m.columns));
    norms.resize(size_t(m.rows));
    parallel_for(m.rows, [&](int64_t i) {
      double sum = 0;
      for (int64_t c = 0; c < m.columns; ++c) {
        float v = float(double(m.row(i)[c]) - mean_[size_t(c)]);
        out[size_t(i * m.columns + c)] = v, sum += double(v) * double(v);
      }
      norms[size_t(i)] = float(sum);
    });
    return out;
  }
  template <class F> void search_block(int64_t begin, int64_t end, F const& visit) const {
    int64_t const count = end - begin, columns = x_.columns;
    std::vector<float> norms, products(size_t(block * wide));
    std::vector<float> const a = centred({{}, queries_.row(begin), count, columns}, norms);
    std::vector<Nearest> nearest(static_cast<size_t>(count), Nearest(k_));
    float const rounding = float(columns + 4) * 0x1p-23f;
    for (int64_t from = 0; from < x_.rows; from += wide) {
      int64_t const to = std::min(x_.rows, from + wide);
      kernels::Gemm<float> g{.M = int(count),
                             .N = int(to - from),
                             .K = int(columns),
                             .trans_b = true,
                             .a = a.data(),
                             .b = &centred_[size_t(from * columns)],
                             .c = products.data()};
      std::vector<char> work(kernels::cpu::gemm_work_bytes(g));
      g.work = work.data();
      kernels::cpu::gemm(g);
      for (int64_t i = 0; i < count; ++i) {
        float const* row = &products[size_t(i * (to - from))];
        for (int64_t j = from; j < to; ++j) {
          float const lengths = norms[size_t(i)] + norms_[size_t(j)];
          float const least = lengths * (1 - rounding) - 2 * row[j - from];
          if (!(least <= square_of(nearest[size_t(i)].bound())) && nearest[size_t(i)].bound() != UINT64_MAX) continue;
          if (same_ && j == begin + i) continue;
          float const square = square_distance(queries_.row(begin + i), x_.row(j), columns);
          nearest[size_t(i)].add(distance_key(square, int32_t(j)));
        }
      }
    }
    for (int64_t i = 0; i < count; ++i)
      nearest[size_t(i)].finish([&](int64_t j, uint64_t key) { visit(begin + i, j, key); });
  }

  Matrix const& x_;
  Matrix const& queries_;
  bool same_;
  int64_t k_;
  std::vector<double> mean_;
  std::vector<float> centred_, norms_;
};

constexpr int64_t tree_columns = 32;  // beyond, the boxes of a tree exclude little

/// Rows of `x` near each row of `queries`; keys (rows of queries, k).
inline std::vector<uint64_t> neighbour_keys(Matrix const& x, Matrix const& queries, bool same, int64_t k) {
  std::vector<uint64_t> keys(size_t(queries.rows * k));
  if (x.columns > tree_columns) {
    ProductSearch(x, queries, same, k).run([&](int64_t i, int64_t j, uint64_t key) { keys[size_t(i * k + j)] = key; });
    return keys;
  }
  KdTree const tree(x);
  auto put = [&](KdTree const& of) {
    search_all(tree, of, same, k,
               [&](int64_t q, int64_t j, uint64_t key) { keys[size_t(of.order[size_t(q)] * k + j)] = key; });
  };
  if (same) put(tree);
  else put(KdTree(queries));
  return keys;
}

inline Neighbours neighbours(Matrix const& x, Matrix const& queries, bool same, int64_t k) {
  std::vector<uint64_t> const keys = neighbour_keys(x, queries, same, k);
  Neighbours out{empty({queries.rows, k}, {.dtype = DType::i64, .device = Device()}),
                 empty({queries.rows, k}, {.dtype = DType::f32, .device = Device()})};
  for (size_t i = 0; i < keys.size(); ++i) {
    out.index.data<int64_t>()[i] = int64_t(uint32_t(keys[i]));
    out.distance.data<float>()[i] = std::sqrt(square_of(keys[i]));
  }
  return out;
}

}  // namespace detail

/// For each row of `queries` the k nearest rows of x, by Euclidean distance in float32.
/// Shapes   x (N,F), queries (M,F), result (M,k).
/// Cost     about M log N where F is small or the rows lie near a surface of few dimensions; M N F at worst, and for
///          F > 32.   Deterministic  for any number of threads.
/// Errors   ShapeError, DTypeError; ValueError for NaN, infinities, k < 1 or more than the N rows there are.
inline Neighbours nearest_neighbours(Tensor const& x, Tensor const& queries, int64_t k) {
  char const* op = "nearest_neighbours";
  detail::Matrix table = detail::finite_matrix(op, x), asked = detail::finite_matrix(op, queries, table.columns);
  require<ValueError>(k >= 1 && k <= table.rows, op, ": k is ", k, "; 1 to ", table.rows, ", the rows of x, are there");
  return detail::neighbours(table, asked, false, k);
}

/// For each row of x the k nearest other rows. The rest as above; k is at most N - 1.
inline Neighbours nearest_neighbours(Tensor const& x, int64_t k) {
  char const* op = "nearest_neighbours";
  detail::Matrix table = detail::finite_matrix(op, x);
  require<ValueError>(k >= 1 && k < table.rows, op, ": k is ", k, "; 1 to ", table.rows - 1,
                      ", the other rows of x, are there");
  return detail::neighbours(table, table, true, k);
}

}  // namespace d16::learn
