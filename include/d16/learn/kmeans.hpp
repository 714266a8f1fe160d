// k-means: clusters about their means, with careful seeding.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "../core/random.hpp"
#include "kd_tree.hpp"

namespace d16::learn {

struct KMeansOptions {
  int64_t clusters = 8;
  int64_t starts = 10;       ///< seedings; the best result counts
  int64_t iterations = 300;  ///< at most, of each
  uint64_t seed = 0;
  Tensor centres = {};  ///< (K,F) to begin with; undefined: k-means++
};

struct KMeans {
  Tensor centres = {};     ///< (K,F) float64
  Tensor labels = {};      ///< (N) int64
  double inertia = 0;      ///< sum of the squared distances of rows to their centres
  int64_t iterations = 0;  ///< of the best start
  bool converged = false;  ///< no row changed its cluster any more

  /// The nearest centre of each row. Shapes  x (M,F), result (M) int64.
  Tensor assign(Tensor const& x) const;
};

namespace detail {

inline double square_from(float const* row, double const* centre, int64_t columns) {
  double sum = 0;
  for (int64_t c = 0; c < columns; ++c) sum += (double(row[c]) - centre[c]) * (double(row[c]) - centre[c]);
  return sum;
}

/// The nearest centre, the first of equals, and the squared distances of it and of the second.
struct TwoNearest {
  int64_t first = 0;
  double square = std::numeric_limits<double>::infinity(), second = square;
};
inline TwoNearest two_nearest(float const* row, std::vector<double> const& centres, int64_t columns) {
  TwoNearest n;
  for (int64_t k = 0; k < int64_t(centres.size()) / columns; ++k) {
    double const square = square_from(row, &centres[size_t(k * columns)], columns);
    if (square < n.square) n = {k, square, n.square};
    else n.second = std::min(n.second, square);
  }
  return n;
}

/// One start: Lloyd's iterations, in which rows whose bounds say that they stay are not measured.
/// Source   Lloyd 1982; Hamerly 2010, "Making k-means even faster".
class Lloyd {
 public:
  Lloyd(Matrix const& x, std::vector<double> centres)
      : x_(x),
        k_(int64_t(centres.size()) / x.columns),
        centres_(std::move(centres)),
        label_(size_t(x.rows), 0),
        upper_(size_t(x.rows), 0.0),
        lower_(size_t(x.rows), 0.0) {}

  KMeans run(int64_t iterations) {
    KMeans out;
    measure_all();
    while (!out.converged && out.iterations < iterations) {
      ++out.iterations;
      move_centres();
      out.converged = !assign();
    }
    out.centres = from(centres_, {k_, x_.columns});
    out.labels = from(label_, {x_.rows});
    for (int64_t i = 0; i < x_.rows; ++i)
      out.inertia += square_from(x_.row(i), &centres_[size_t(label_[size_t(i)] * x_.columns)], x_.columns);
    return out;
  }

 private:
  static constexpr int64_t chunk = 1024;

  void measure_all() {
    parallel_chunks(x_.rows, chunk, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) measure(i);
    });
  }
  void measure(int64_t i) {
    TwoNearest const n = two_nearest(x_.row(i), centres_, x_.columns);
    label_[size_t(i)] = n.first, upper_[size_t(i)] = std::sqrt(n.square), lower_[size_t(i)] = std::sqrt(n.second);
  }

  /// To the means of their rows; one without rows to the row that is farthest from its own centre.
  void move_centres() {
    int64_t const columns = x_.columns, chunks = (x_.rows + chunk - 1) / chunk, width = k_ * (columns + 1);
    std::vector<double> sums(size_t(width), 0.0);
    for (int64_t group = 0; group < chunks; group += 64) {  // so that the partial sums take little memory
      int64_t const count = std::min<int64_t>(64, chunks - group);
      std::vector<double> parts(size_t(count * width), 0.0);
      parallel_tasks(count, [&](int64_t p) {
        double* part = &parts[size_t(p * width)];
        int64_t const begin = (group + p) * chunk, end = std::min(x_.rows, begin + chunk);
        for (int64_t i = begin; i < end; ++i) {
          double* sum = part + label_[size_t(i)] * (columns + 1);
          for (int64_t c = 0; c < columns; ++c) sum[c] += double(x_.row(i)[c]);
          sum[columns] += 1;
        }
      });
      for (size_t i = 0; i < parts.size(); ++i) sums[i % size_t(width)] += parts[i];
    }
    moved_.assign(size_t(k_), 0.0);
    for (int64_t k = 0; k < k_; ++k) {
      double* centre = &centres_[size_t(k * columns)];
      double const* sum = &sums[size_t(k * (columns + 1))];
      std::vector<double> const before(centre, centre + columns);
      int64_t const lost = sum[columns] > 0 ? -1 : farthest();
      for (int64_t c = 0; c < columns; ++c) centre[c] = lost < 0 ? sum[c] / sum[columns] : double(x_.row(lost)[c]);
      double square = 0;
      for (int64_t c = 0; c < columns; ++c) square += (centre[c] - before[size_t(c)]) * (centre[c] - before[size_t(c)]);
      moved_[size_t(k)] = std::sqrt(square);
    }
  }
  int64_t farthest() {
    auto at = std::max_element(upper_.begin(), upper_.end());
    *at = 0;  // the next one without rows gets another
    return at - upper_.begin();
  }

  /// Whether a row changed its cluster.
  bool assign() {
    double const most = *std::max_element(moved_.begin(), moved_.end());
    std::vector<char> changed(size_t((x_.rows + chunk - 1) / chunk), 0);
    parallel_chunks(x_.rows, chunk, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        int64_t const before = label_[size_t(i)];
        double &upper = upper_[size_t(i)], &lower = lower_[size_t(i)];
        upper += moved_[size_t(before)] * (1 + 1e-12), lower -= most * (1 + 1e-12);
        if (upper < lower) continue;
        upper = std::sqrt(square_from(x_.row(i), &centres_[size_t(before * x_.columns)], x_.columns));
        if (upper < lower) continue;
        measure(i);
        if (label_[size_t(i)] != before) changed[size_t(begin / chunk)] = 1;
      }
    });
    return std::any_of(changed.begin(), changed.end(), [](char c) { return c != 0; });
  }

  Matrix const& x_;
  int64_t k_;
  std::vector<double> centres_, moved_;
  std::vector<int64_t> label_;
  std::vector<double> upper_, lower_;  ///< of the distance to the own centre, to any other
};

/// Centres among the rows, each drawn with a probability by the squared distance to those before it.
/// Source   Arthur and Vassilvitskii 2007, "k-means++".
inline std::vector<double> seed_centres(Matrix const& x, int64_t clusters, Random random) {
  std::vector<double> centres, square(size_t(x.rows), std::numeric_limits<double>::infinity());
  int64_t next = random.integer(x.rows);
  for (int64_t k = 0; k < clusters; ++k) {
    for (int64_t c = 0; c < x.columns; ++c) centres.push_back(double(x.row(next)[c]));
    double const* centre = &centres[size_t(k * x.columns)];
    parallel_for(x.rows, [&](int64_t i) {
      square[size_t(i)] = std::min(square[size_t(i)], square_from(x.row(i), centre, x.columns));
    });
    double all = 0;
    for (double s : square) all += s;
    double left = random.uniform() * all;
    for (next = 0; next + 1 < x.rows && left >= square[size_t(next)]; ++next) left -= square[size_t(next)];
  }
  return centres;
}

}  // namespace detail

inline Tensor KMeans::assign(Tensor const& x) const {
  char const* op = "KMeans::assign";
  require<ValueError>(centres.defined(), op, ": there are no centres; fit them first");
  detail::Matrix const m = detail::finite_matrix(op, x, centres.dim(1));
  std::vector<double> const c(centres.data<double>(), centres.data<double>() + centres.numel());
  Tensor out = empty({m.rows}, {.dtype = DType::i64, .device = Device()});
  parallel_for(m.rows, [&](int64_t i) { out.data<int64_t>()[i] = detail::two_nearest(m.row(i), c, m.columns).first; });
  return out;
}

/// Centres that rows are nearest to, such that the sum of the squared distances is low; the best of some starts.
/// Shapes   x (N,F).   Cost  starts x iterations x N, times up to K F where clusters still change.
/// Deterministic  for a seed, whatever the number of threads.
/// Errors   ShapeError, DTypeError; ValueError for NaN, infinities, more clusters than rows, bad options.
inline KMeans kmeans(Tensor const& x, KMeansOptions const& o = {}) {
  char const* op = "kmeans";
  detail::Matrix const m = detail::finite_matrix(op, x);
  require<ValueError>(o.starts > 0 && o.iterations > 0, op, ": ", o.starts, " starts of ", o.iterations,
                      " iterations; 1 is the least");
  if (o.centres.defined()) {
    detail::Matrix const c = detail::finite_matrix(op, o.centres, m.columns);
    require<ValueError>(c.rows <= m.rows, op, ": ", c.rows, " centres for ", m.rows, " rows");
    return detail::Lloyd(m, {c.data, c.data + c.rows * c.columns}).run(o.iterations);
  }
  require<ValueError>(o.clusters >= 1 && o.clusters <= m.rows, op, ": clusters is ", o.clusters, "; 1 to ", m.rows,
                      ", the rows of x, are possible");
  KMeans best;
  for (int64_t start = 0; start < o.starts; ++start) {
    KMeans one =
        detail::Lloyd(m, detail::seed_centres(m, o.clusters, Random(o.seed, uint64_t(start)))).run(o.iterations);
    if (start == 0 || one.inertia < best.inertia) best = std::move(one);
  }
  return best;
}

}  // namespace d16::learn
