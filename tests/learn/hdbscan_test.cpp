// The spanning tree against all pairs, and the laws of clusters. Labels of scikit-learn are in tests/golden.
#include <doctest/doctest.h>
#include <sys/resource.h>
#include <d16/learn/hdbscan.hpp>
#include <numeric>

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

/// HDBSCAN as it is told, from the top down: a set of rows falls apart at the heaviest edge of its tree.
class PlainHdbscan {
 public:
  std::vector<int64_t> label;
  std::vector<double> probability;

  PlainHdbscan(Tensor const& x, learn::HdbscanOptions const& o) : o_(o), home_(size_t(x.dim(0)), 0) {
    std::vector<int32_t> all(home_.size());
    std::iota(all.begin(), all.end(), 0);
    clusters_.push_back({-1, 0, {}, {}});
    density_.assign(home_.size(), 0);
    fall_apart(0, all, plain_tree(x, o.min_samples));
    std::vector<size_t> chosen;
    for (size_t c = 1; c < clusters_.size(); ++c)
      if (o.selection == learn::ClusterSelection::leaf ? clusters_[c].children.empty() : is_heaviest(c))
        chosen.push_back(c);
    for (size_t& c : chosen) c = raised(c);
    for (size_t row = 0; row < home_.size(); ++row) {
      size_t holder = 0;
      for (int64_t c = home_[row]; c > 0; c = clusters_[size_t(c)].parent)
        if (std::count(chosen.begin(), chosen.end(), size_t(c))) holder = size_t(c);
      label.push_back(holder ? int64_t(holder) : -1);
      std::vector<double> const& all_of = clusters_[holder].left;
      double const death = *std::max_element(all_of.begin(), all_of.end());
      probability.push_back(holder ? std::min(density_[row], death) / death : 0);
    }
  }

 private:
  struct Cluster {
    int64_t parent;
    double birth;
    std::vector<size_t> children;
    std::vector<double> left;  ///< densities at which its rows leave it
  };

  void leave(size_t cluster, std::vector<int32_t> const& rows, double density) {
    for (int32_t row : rows) home_[size_t(row)] = int64_t(cluster), density_[size_t(row)] = density;
    clusters_[cluster].left.insert(clusters_[cluster].left.end(), rows.size(), density);
  }
  void fall_apart(size_t cluster, std::vector<int32_t> rows, std::vector<TreeEdge> edges) {
    double const density = 1 / edges.back().weight;
    int32_t const a = edges.back().a;
    edges.pop_back();
    learn::detail::JoinedSets sets(int64_t(home_.size()));
    for (TreeEdge const& e : edges) sets.attach(sets.find(e.b), sets.find(e.a));
    std::vector<int32_t> part[2];
    for (int32_t row : rows) part[sets.find(row) != sets.find(a)].push_back(row);
    auto large = [&](int side) { return int64_t(part[side].size()) >= o_.min_cluster_size; };
    for (int side : {0, 1}) {
      if (!large(side)) {
        leave(cluster, part[side], density);
        continue;
      }
      size_t to = cluster;
      if (large(1 - side)) {
        clusters_[cluster].left.insert(clusters_[cluster].left.end(), part[side].size(), density);
        to = clusters_.size(), clusters_[cluster].children.push_back(to);
        clusters_.push_back({int64_t(cluster), density, {}, {}});
      }
      std::vector<TreeEdge> inside;
      for (TreeEdge const& e : edges)
        if ((sets.find(e.a) != sets.find(a)) == side) inside.push_back(e);
      fall_apart(to, part[side], inside);
    }
  }
  double stability(size_t c) const {
    double sum = 0;
    for (double density : clusters_[c].left) sum += density - clusters_[c].birth;
    return sum;
  }
  double most_below(size_t c) const {
    double below = 0;
    for (size_t child : clusters_[c].children) below += std::max(stability(child), most_below(child));
    return below;
  }
  /// As heavy as all below it, and lighter than that nowhere above.
  bool is_heaviest(size_t c) const {
    if (most_below(c) > stability(c)) return false;
    for (int64_t above = clusters_[c].parent; above > 0; above = clusters_[size_t(above)].parent)
      if (most_below(size_t(above)) <= stability(size_t(above))) return false;
    return true;
  }
  /// The nearest cluster above that was born farther apart than epsilon, or the highest.
  size_t raised(size_t c) const {
    while (1 / clusters_[c].birth < o_.epsilon && clusters_[c].parent > 0) c = size_t(clusters_[c].parent);
    return c;
  }

  learn::HdbscanOptions o_;
  std::vector<Cluster> clusters_;
  std::vector<int64_t> home_;
  std::vector<double> density_;
};

std::vector<int64_t> labels(Tensor const& x,
                            learn::HdbscanOptions const& o = {.min_cluster_size = 9, .min_samples = 4}) {
  return points::list(learn::hdbscan(x, o).labels);
}

}  // namespace

TEST_CASE("the spanning tree is that of all pairs") {
  for (int64_t columns : {1, 2, 5, 19, 37})
    for (int64_t rows : {2, 17, 181})
      for (int64_t samples : {1, 2, 6, 13, 60}) {
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
      // of 15, 55 and 95 most edges weigh a core distance
      int64_t const samples = seed % 4 == 3 ? 10 * int64_t(seed) - 15 : 1 + int64_t(seed % 4);
      std::vector<TreeEdge> ours = tree_of(x, samples), plain = plain_tree(x, samples);
      double worst = 0, length = 0, plain_length = 0;
      for (size_t i = 0; i < ours.size(); ++i) {
        worst = std::max(worst, std::abs(ours[i].weight / plain[i].weight - 1));
        length += ours[i].length, plain_length += plain[i].length;
      }
      CHECK(worst < double(columns + 2) * 0x1p-23);
      CHECK(std::abs(length / plain_length - 1) < double(columns + 2) * 0x1p-23);
    }
}

TEST_CASE("clusters are those that fall apart from the top down, by mass and by leaves, with and without epsilon") {
  Random random(7);
  int64_t clusters = 0, noise = 0;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    Tensor x = points::groups(260, 2, 3 + int64_t(seed % 5), 200 + seed, seed % 3 ? 0.1 : 0.5);
    learn::HdbscanOptions const o{
        .min_cluster_size = 3 + random.integer(15),
        .min_samples = 1 + random.integer(12),
        .selection = seed % 2 ? learn::ClusterSelection::leaf : learn::ClusterSelection::excess_of_mass,
        .epsilon = seed % 4 < 2    ? 0
                   : seed % 4 == 2 ? random.uniform(0.05, 1.0)
                                   : random.uniform(0.5, 6.0)};
    CAPTURE(seed);
    PlainHdbscan const plain(x, o);
    learn::Clusters const c = learn::hdbscan(x, o);
    CHECK(points::same_clusters(points::list(c.labels), plain.label));
    double worst = 0;
    for (int64_t i = 0; i < 260; ++i)
      worst = std::max(worst, std::abs(c.probabilities.data<double>()[i] - plain.probability[size_t(i)]));
    CHECK(worst < 1e-12);  // roots and quotients in double
    clusters += c.count, noise += int64_t(260 * c.noise_fraction);
  }
  CHECK((clusters > 100 && noise > 1000));  // there was something to agree on
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

TEST_CASE("a row that is equally far from two clusters joins the one whose row is nearer") {
  // 15 rows end at 0, 15 begin at 3; from the row between them both are as far as its own core distance, 1.8
  for (bool mirrored : {false, true})
    for (float between : {1.4f, 1.6f}) {
      std::vector<float> x;
      for (int i = 0; i < 15; ++i) x.push_back(-0.1f * float(i)), x.push_back(3 + 0.1f * float(i));
      x.push_back(between);
      if (mirrored)
        for (float& v : x) v = 3 - v;
      auto const found = labels(from(x, {31, 1}), {.min_cluster_size = 10, .min_samples = 9});
      CHECK(found[0] == 0);
      CHECK(found[1] == 1);
      CHECK(found[30] == (between < 1.5f ? 0 : 1));
    }
}

TEST_CASE("a cluster that weighs as much as those below it stays") {
  // densities 1, 2, 3: eight rows together for 8 x (2 - 1), then in two parts for twice 4 x (3 - 2); four rows beside them
  std::vector<TreeEdge> edges;
  for (int32_t part : {0, 4, 8})
    for (int32_t i = 0; i < 3; ++i) edges.push_back({part + i, part + i + 1, 1.0 / 3, 1.0 / 3});
  edges.push_back({3, 4, 0.5, 0.5}), edges.push_back({7, 8, 1, 1});
  learn::detail::ClusterTree const tree(learn::detail::Merges(edges, 12), 4);
  auto const holder = learn::detail::Selection(tree, {}).holders();
  auto const found = learn::detail::label_rows(tree, holder);
  CHECK(found.count == 2);
  CHECK(points::list(found.labels) == std::vector<int64_t>{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1});
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
  CHECK(learn::hdbscan(from(x, {300, 1}), {.min_cluster_size = 100}).count == 3);  // that many are enough
  CHECK(learn::hdbscan(from(x, {300, 1}), {.min_cluster_size = 101, .min_samples = 20}).count == 0);
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

TEST_CASE("memory does not grow with min_samples") {
  auto peak = [] {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return double(usage.ru_maxrss) / 1024;
  };
  Tensor x = points::groups(20000, 2, 5, 51);
  double const before = peak();
  learn::hdbscan(x, {.min_cluster_size = 2000});
  CHECK(peak() - before < 100);  // MiB; a list of rows x min_samples would take 305
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
