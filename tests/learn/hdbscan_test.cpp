// The spanning tree against all pairs, and the laws of clusters. Labels of scikit-learn are in tests/golden.
#include <doctest/doctest.h>
#include <d16/learn/hdbscan.hpp>

#include "points.hpp"

using namespace d16;
using learn::detail::TreeEdge;

namespace {

/// Kruskal's algorithm over all pairs in float64, by weight, then by length.
std::vector<TreeEdge> plain_tree(Tensor const& x, int64_t samples) {
  int64_t const n = x.dim(0);
  std::vector<double> length(size_t(n * n)), core(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      double sum = 0;
      for (int64_t c = 0; c < x.dim(1); ++c) {
        double d = double(x.data<float>()[i * x.dim(1) + c]) - double(x.data<float>()[j * x.dim(1) + c]);
        sum += d * d;
      }
      length[size_t(i * n + j)] = std::sqrt(sum);
    }
    std::vector<double> row(length.begin() + i * n, length.begin() + (i + 1) * n);
    std::nth_element(row.begin(), row.begin() + samples - 1, row.end());
    core[size_t(i)] = row[size_t(samples - 1)];
  }
  std::vector<TreeEdge> all, tree;
  for (int32_t i = 0; i < n; ++i)
    for (int32_t j = i + 1; j < n; ++j) {
      double const d = length[size_t(i * n + j)];
      all.push_back({i, j, std::max({core[size_t(i)], core[size_t(j)], d}), d});
    }
  std::sort(all.begin(), all.end(), [](TreeEdge const& a, TreeEdge const& b) {
    return std::tie(a.weight, a.length) < std::tie(b.weight, b.length);
  });
  learn::detail::JoinedSets sets(n);
  for (TreeEdge const& e : all)
    if (int32_t a = sets.find(e.a), b = sets.find(e.b); a != b) sets.attach(b, a), tree.push_back(e);
  return tree;
}

std::vector<TreeEdge> tree_of(Tensor const& x, int64_t samples) {
  return learn::detail::ReachabilityTree(learn::detail::finite_matrix("test", x), samples).edges();
}

std::vector<int64_t> labels(Tensor const& x,
                            learn::HdbscanOptions const& o = {.min_cluster_size = 9, .min_samples = 4}) {
  return points::list(learn::hdbscan(x, o).labels);
}

}  // namespace

TEST_CASE("the spanning tree is that of all pairs") {
  for (int64_t columns : {1, 2, 5, 19, 37})
    for (int64_t rows : {2, 17, 181})
      for (int64_t samples : {1, 2, 6, 13}) {
        if (samples > rows) continue;
        CAPTURE(columns);
        CAPTURE(rows);
        CAPTURE(samples);
        Tensor x = points::groups(rows, columns, 4, uint64_t(rows + samples));
        std::vector<TreeEdge> ours = tree_of(x, samples), plain = plain_tree(x, samples);
        REQUIRE(ours.size() == plain.size());
        double worst = 0;
        for (size_t i = 0; i < ours.size(); ++i)  // weights are those of one tree: each at its place in the order
          worst = std::max(worst, std::abs(ours[i].weight / plain[i].weight - 1));
        // float32 may take another of two edges whose squares differ by less than (columns + 2) 2^-23
        CHECK(worst < double(columns + 2) * 0x1p-23);
      }
}

TEST_CASE("the same where components meet inside the leaves of the tree, and in the order of lengths") {
  for (uint64_t seed = 0; seed < 12; ++seed)
    for (int64_t columns : {2, 3}) {
      Tensor x = points::groups(700, columns, 1, seed, 1.0);
      std::vector<TreeEdge> ours = tree_of(x, 1 + int64_t(seed % 3)), plain = plain_tree(x, 1 + int64_t(seed % 3));
      double worst = 0, length = 0, plain_length = 0;
      for (size_t i = 0; i < ours.size(); ++i) {
        worst = std::max(worst, std::abs(ours[i].weight / plain[i].weight - 1));
        length += ours[i].length, plain_length += plain[i].length;
      }
      CHECK(worst < double(columns + 2) * 0x1p-23);
      CHECK(std::abs(length / plain_length - 1) < double(columns + 2) * 0x1p-23);
    }
}

TEST_CASE("clusters keep to their rows: turned, doubled, in another order, on other threads") {
  Tensor x = points::groups(1201, 2, 6, 11);
  auto const found = labels(x);
  CHECK(*std::max_element(found.begin(), found.end()) >= 4);
  CHECK(labels(points::quarter_turn(x)) == found);
  CHECK(labels(x * 2.0) == found);
  std::vector<int64_t> const order = points::shuffled(1201, 12);
  std::vector<int64_t> moved = labels(points::rows_of(x, order)), expected;
  for (int64_t row : order) expected.push_back(found[size_t(row)]);
  CHECK(points::same_clusters(moved, expected));
  CHECK(moved != expected);  // the numbers follow the first rows
  Tensor stretched = x.clone();
  for (int64_t i = 0; i < 1201; ++i) stretched.data<float>()[2 * i] *= 20;
  CHECK(!points::same_clusters(labels(stretched), found));
  CHECK(points::same_for_any_threads([&] { return labels(x); }));
}

TEST_CASE("numbers, probabilities and noise") {
  auto c = learn::hdbscan(points::groups(700, 2, 5, 21), {.min_cluster_size = 12});
  int64_t next = 0, noise = 0;
  std::vector<double> largest(size_t(c.count), 0.0);
  for (int64_t i = 0; i < 700; ++i) {
    int64_t const k = c.labels.data<int64_t>()[i];
    double const p = c.probabilities.data<double>()[i];
    CHECK(k <= next);
    if (k == next) ++next;
    if (k < 0) {
      ++noise;
      CHECK(p == 0);
    } else {
      CHECK((p > 0 && p <= 1));
      largest[size_t(k)] = std::max(largest[size_t(k)], p);
    }
  }
  CHECK(next == c.count);
  CHECK(c.noise_fraction == double(noise) / 700);
  CHECK(int64_t(c.stability.size()) == c.count);
  for (double p : largest) CHECK(p == 1);
}

TEST_CASE("equal rows") {
  auto all = learn::hdbscan(zeros({5000, 3}), {.min_cluster_size = 5});
  CHECK(all.count == 0);  // one cluster is none: there is nothing it stands out from
  CHECK(all.noise_fraction == 1);
  std::vector<float> x;
  for (int i = 0; i < 300; ++i) x.push_back(float(i % 3) * float(1 + i % 3));
  auto three = learn::hdbscan(from(x, {300, 1}), {.min_cluster_size = 20});
  CHECK(three.count == 3);
  CHECK(three.noise_fraction == 0);
  for (int i = 0; i < 300; ++i) {
    CHECK(three.labels.data<int64_t>()[i] == i % 3);
    CHECK(three.probabilities.data<double>()[i] == 1);
  }
}

TEST_CASE("epsilon joins what parts within it, leaves part what mass joins") {
  Tensor x = points::groups(900, 2, 7, 31);
  auto count = [&](learn::HdbscanOptions o) { return learn::hdbscan(x, o).count; };
  using enum learn::ClusterSelection;
  int64_t const mass = count({.min_cluster_size = 8, .min_samples = 3, .selection = excess_of_mass});
  int64_t const leaves = count({.min_cluster_size = 8, .min_samples = 3, .selection = leaf});
  CHECK(leaves > mass);
  CHECK(count({.min_cluster_size = 8, .min_samples = 3, .selection = leaf, .epsilon = 0.3}) < leaves);
  CHECK(count({.min_cluster_size = 8, .min_samples = 3, .selection = leaf, .epsilon = 1e-6}) == leaves);
}

TEST_CASE("hdbscan refuses what it cannot cluster") {
  Tensor x = points::groups(10, 2, 2, 41);
  x.data<float>()[0] = std::nanf("");
  CHECK_THROWS_WITH_AS(learn::hdbscan(x),
                       "hdbscan: x[0,0] is nan; finite float32 numbers are needed, fill in or leave out such rows",
                       ValueError);
  CHECK_THROWS_WITH_AS(learn::hdbscan(zeros({4, 2}), {.min_cluster_size = 5}),
                       "hdbscan: min_samples is 5; 1 to 4, the rows of x, are possible", ValueError);
  CHECK_THROWS_AS(learn::hdbscan(zeros({4, 2}), {.min_cluster_size = 1}), ValueError);
  CHECK_THROWS_AS(learn::hdbscan(zeros({1, 2}), {.min_cluster_size = 2, .min_samples = 1}), ValueError);
  CHECK_THROWS_AS(learn::hdbscan(zeros({9, 2}), {.epsilon = -1}), ValueError);
  CHECK_THROWS_WITH_AS(learn::hdbscan(from(std::vector<float>{0, 1e30f, -1e30f}, {3, 1}), {.min_cluster_size = 2}),
                       "hdbscan: squared distances exceed float32; scale x down", ValueError);
}
