// k-means against Lloyd's iterations without bounds, silhouettes against their definition, and the laws of both.
#include <doctest/doctest.h>
#include <d16/learn/kmeans.hpp>
#include <d16/learn/silhouette.hpp>

#include "points.hpp"

using namespace d16;

namespace {

/// Lloyd's iterations that measure everything; no cluster of these data loses all its rows.
std::vector<int64_t> plain_lloyd(Tensor const& x, std::vector<double> centres) {
  int64_t const n = x.dim(0), f = x.dim(1), k = int64_t(centres.size()) / f;
  std::vector<int64_t> label(size_t(n), -1);
  for (bool changed = true; changed;) {
    changed = false;
    for (int64_t i = 0; i < n; ++i) {
      int64_t const to = learn::detail::two_nearest(x.data<float>() + i * f, centres, f).first;
      changed = changed || to != label[size_t(i)], label[size_t(i)] = to;
    }
    std::vector<double> sums(centres.size(), 0.0), count(size_t(k), 0.0);
    for (int64_t i = 0; i < n; ++i) {
      count[size_t(label[size_t(i)])] += 1;
      for (int64_t c = 0; c < f; ++c) sums[size_t(label[size_t(i)] * f + c)] += double(x.data<float>()[i * f + c]);
    }
    for (size_t i = 0; i < sums.size(); ++i) centres[i] = sums[i] / count[i / size_t(f)];
  }
  return label;
}

double plain_silhouette(Tensor const& x, std::vector<int64_t> const& label) {
  double sum = 0, rows = 0;
  int64_t const clusters = *std::max_element(label.begin(), label.end()) + 1;
  for (size_t i = 0; i < label.size(); ++i) {
    if (label[i] < 0) continue;
    std::vector<double> far(size_t(clusters), 0.0), count(size_t(clusters), 0.0);
    for (size_t j = 0; j < label.size(); ++j) {
      if (label[j] < 0 || i == j) continue;
      double square = 0;
      for (int64_t c = 0; c < x.dim(1); ++c) {
        double d = double(x.data<float>()[int64_t(i) * x.dim(1) + c] - x.data<float>()[int64_t(j) * x.dim(1) + c]);
        square += d * d;
      }
      far[size_t(label[j])] += std::sqrt(square), count[size_t(label[j])] += 1;
    }
    size_t const own = size_t(label[i]);
    rows += 1;
    if (count[own] == 0) continue;
    double b = INFINITY;
    for (size_t k = 0; k < far.size(); ++k)
      if (k != own && count[k] > 0) b = std::min(b, far[k] / count[k]);
    double const a = far[own] / count[own];
    sum += (b - a) / std::max(a, b);
  }
  return sum / rows;
}

Tensor tensor(std::vector<int64_t> const& labels) { return from(labels, {int64_t(labels.size())}); }

}  // namespace

TEST_CASE("bounds change nothing: k-means as Lloyd's plain iterations") {
  for (int64_t columns : {1, 2, 7})
    for (int64_t k : {1, 2, 5, 17}) {
      Tensor x = points::groups(1500, columns, 6, uint64_t(columns));
      std::vector<double> start = learn::detail::seed_centres(learn::detail::finite_matrix("test", x), k, Random(5));
      auto found = learn::kmeans(x, {.centres = from(start, {k, columns})});
      std::vector<double> rounded;  // centres are taken as float32
      for (double v : start) rounded.push_back(double(float(v)));
      CHECK(points::list(found.labels) == plain_lloyd(x, rounded));
      CHECK(found.converged);
      CHECK(points::list(found.assign(x)) == points::list(found.labels));
    }
}

TEST_CASE("laws of k-means") {
  Tensor x = points::groups(800, 2, 5, 61, 0);
  double before = INFINITY;
  for (int64_t k : {1, 2, 3, 5, 9, 20}) {
    double const inertia = learn::kmeans(x, {.clusters = k}).inertia;
    CHECK(inertia < before);
    before = inertia;
  }
  auto five = learn::kmeans(x, {.clusters = 5});
  CHECK(points::same_clusters(points::list(five.labels),
                              points::list(learn::kmeans(points::quarter_turn(x), {.clusters = 5}).labels)));
  CHECK(learn::kmeans(points::groups(12, 3, 2, 62), {.clusters = 12}).inertia == 0);
  CHECK(learn::kmeans(zeros({50, 2}), {.clusters = 7}).inertia == 0);  // centres without rows
  CHECK(points::same_for_any_threads([&] { return learn::kmeans(x, {.clusters = 4, .seed = 3}).inertia; }));
  CHECK_THROWS_WITH_AS(learn::kmeans(zeros({3, 2}), {.clusters = 4}),
                       "kmeans: clusters is 4; 1 to 3, the rows of x, are possible", ValueError);
  CHECK_THROWS_AS(learn::kmeans(from(std::vector<float>{1, std::nanf("")}, {2, 1}), {.clusters = 1}), ValueError);
  CHECK_THROWS_AS(learn::kmeans(x, {.centres = zeros({2, 3})}), ShapeError);
}

TEST_CASE("silhouettes as defined, without noise, of a sample with its error") {
  Tensor x = points::groups(900, 3, 4, 71);
  auto label = points::list(learn::kmeans(x, {.clusters = 4}).labels);
  for (size_t i = 0; i < label.size(); i += 9) label[i] = -1;
  label[4] = 4;  // a cluster of one row counts 0
  auto s = learn::silhouette(x, tensor(label));
  CHECK(std::abs(s.value - plain_silhouette(x, label)) < 900 * 0x1p-24);  // sums of float32 distances
  CHECK(s.noise_fraction == doctest::Approx(1.0 / 9));
  CHECK(s.clusters == 5);
  CHECK(s.scored == 800);
  CHECK(s.error == 0);
  double outside = 0;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    auto part = learn::silhouette(x, tensor(label), {.sample = 100, .seed = seed});
    CHECK(part.scored == 100);
    outside += std::abs(part.value - s.value) > 2 * part.error;
  }
  CHECK(outside <= 6);  // 5 % of 40 are 2, and their error is 1.4
  CHECK(learn::silhouette(x, tensor(label), {.sample = 800}).value == s.value);
  CHECK(points::same_for_any_threads([&] { return learn::silhouette(x, tensor(label)).value; }));
}

TEST_CASE("silhouettes: bounds and refusals") {
  Tensor x = from(std::vector<float>{0, 1, 1000, 1001}, {4, 1});
  CHECK(learn::silhouette(x, tensor({0, 0, 1, 1})).value > 0.998);
  CHECK(learn::silhouette(x, tensor({0, 1, 0, 1})).value < -0.4);
  CHECK(learn::silhouette(zeros({4, 1}), tensor({0, 0, 1, 1})).value == 0);
  CHECK_THROWS_WITH_AS(learn::silhouette(x, tensor({0, 0, -1, 0})),
                       "silhouette: 1 clusters of 3 rows; two at least, and fewer than rows, are needed", ValueError);
  CHECK_THROWS_AS(learn::silhouette(x, tensor({-1, -1, -1, -1})), ValueError);
  CHECK_THROWS_AS(learn::silhouette(x, tensor({0, 1, 2, 3})), ValueError);
  CHECK_THROWS_AS(learn::silhouette(x, tensor({0, 1})), ShapeError);
  CHECK_THROWS_AS(learn::silhouette(x, zeros({4})), DTypeError);
}
