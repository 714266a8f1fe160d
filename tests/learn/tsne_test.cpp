// t-SNE: its transforms and mesh against plain sums, its gradient against differences, and the laws of maps.
#include <doctest/doctest.h>
#include <d16/learn/tsne.hpp>

#include "points.hpp"

using namespace d16;
using learn::Repulsion;

namespace {

/// Groups that lie apart, and which row is of which.
Tensor apart(int64_t rows, std::vector<int64_t>& group, uint64_t seed) {
  Random random(seed);
  std::vector<float> x;
  for (int64_t i = 0; i < rows; ++i) {
    group.push_back(i % 3);
    for (int64_t c = 0; c < 5; ++c) x.push_back(float(20 * (c == i % 3) + random.normal()));
  }
  return from(x, {rows, 5});
}

/// The share of rows whose nearest row in the map is of their group.
double kept(Tensor const& y, std::vector<int64_t> const& group) {
  auto n = learn::nearest_neighbours(y, 1);
  double right = 0;
  for (size_t i = 0; i < group.size(); ++i) right += group[size_t(n.index.data<int64_t>()[i])] == group[i];
  return right / double(group.size());
}

double relative(Tensor const& a, Tensor const& b) {
  double difference = 0, size = 0;
  for (int64_t i = 0; i < a.numel(); ++i) {
    double const x = double(a.data<float>()[i]), y = double(b.data<float>()[i]);
    difference += (x - y) * (x - y), size += y * y;
  }
  return std::sqrt(difference / size);
}

Tensor places(int64_t rows, double extent, uint64_t seed) {
  Random random(seed);
  std::vector<float> y;
  for (int64_t i = 0; i < 2 * rows; ++i) y.push_back(float(random.uniform(-extent, extent)));
  return from(y, {rows, 2});
}

}  // namespace

TEST_CASE("Fourier transforms of columns are sums of turns, and the inverse undoes them") {
  using learn::detail::FourierColumns;
  for (int64_t n : {64, 128, 192, 384}) {
    FourierColumns const f(n);
    std::vector<float> x(size_t(n * FourierColumns::element)), scratch(x.size());
    Random random{uint64_t(n)};
    for (float& v : x) v = float(random.normal());
    std::vector<float> y = x;
    auto run = [&](int64_t real) {
      learn::detail::with_lanes([&]<int lanes>()
                                    __attribute__((always_inline)) { f.run<lanes>(y.data(), scratch.data(), real); });
    };
    run(0);
    double worst = 0;
    for (int64_t k = 0; k < n; k += 7)
      for (int64_t c = 0; c < 16; c += 5) {
        double re = 0, im = 0;
        for (int64_t j = 0; j < n; ++j) {
          double const angle = -2 * M_PI * double(j * k % n) / double(n), a = double(x[size_t(j * 32 + c)]),
                       b = double(x[size_t(j * 32 + 16 + c)]);
          re += a * std::cos(angle) - b * std::sin(angle), im += a * std::sin(angle) + b * std::cos(angle);
        }
        worst = std::max(
            {worst, std::abs(re - double(y[size_t(k * 32 + c)])), std::abs(im - double(y[size_t(k * 32 + 16 + c)]))});
      }
    double const bound = 5 * std::log2(double(n)) * 0x1p-24 * std::sqrt(double(n));  // steps x eps x size of a sum
    CHECK(worst < 4 * bound);
    run(16);
    double back = 0;
    for (size_t i = 0; i < x.size(); ++i) back = std::max(back, double(std::abs(y[i] / float(n) - x[i])));
    CHECK(back < 8 * bound / std::sqrt(double(n)) * 4);
  }
}

TEST_CASE("the mesh gives the potentials and forces of all pairs") {
  for (double extent : {0.01, 3.0, 40.0}) {
    int64_t const n = 700;
    Tensor y = places(n, extent, 5);
    float const* p = y.data<float>();
    learn::detail::RepulsionMesh mesh;
    mesh.set(p, n, 0.3f);
    double sum = 0, phi_error = 0;
    std::vector<double> wrong, right;
    for (int64_t i = 0; i < n; ++i) {
      double phi = 0, force[2] = {};
      for (int64_t j = 0; j < n; ++j) {
        double const dx = double(p[2 * i]) - double(p[2 * j]), dy = double(p[2 * i + 1]) - double(p[2 * j + 1]);
        double const w = 1 / (1 + dx * dx + dy * dy);
        phi += w, force[0] -= 2 * w * w * dx, force[1] -= 2 * w * w * dy;
      }
      auto const at = mesh.at(p[2 * i], p[2 * i + 1]);
      sum += phi, phi_error = std::max(phi_error, std::abs(double(at.phi) / phi - 1));
      wrong.insert(wrong.end(), {double(at.x) - force[0], double(at.y) - force[1]});
      right.insert(right.end(), {force[0], force[1]});
    }
    double mean[2] = {}, error = 0, size = 0;  // a force that all share moves nothing: maps are centred
    for (size_t i = 0; i < wrong.size(); ++i) mean[i % 2] += wrong[i] / double(n);
    for (size_t i = 0; i < wrong.size(); ++i) error += std::pow(wrong[i] - mean[i % 2], 2), size += right[i] * right[i];
    CAPTURE(extent);
    // cubic splines of step h = 0.35: h^4 24 / 384 = 1e-3 of K, in x and y of both arguments; slopes h^3 24 / 24 = 4e-2
    CHECK(phi_error < 4e-3);
    CHECK(std::abs(mesh.sum_of_potentials() / sum - 1) < 4e-3);
    CHECK(std::sqrt(error / size) < 4e-2);
  }
}

TEST_CASE("the gradient is that of the divergence, and the mesh's is near it") {
  Tensor x = points::groups(500, 4, 6, 81), y = places(500, 15, 82);
  auto exact = learn::tsne_divergence(x, y, 20), mesh = learn::tsne_divergence(x, y, 20, Repulsion::mesh);
  CHECK(relative(mesh.gradient, exact.gradient) < 3e-2);  // few rows, far apart: slopes of single pairs, see above
  CHECK(std::abs(mesh.value / exact.value - 1) < 1e-3);
  double worst = 0, largest = 0;
  for (int64_t i = 0; i < 1000; i += 97) {
    float& place = y.data<float>()[i];
    float const at = place, step = 0.25f;
    auto value = [&](float to) { return place = to, learn::tsne_divergence(x, y, 20).value; };
    // five points: the error is step^4 f5 / 30
    double const slope =
        (8 * (value(at + step) - value(at - step)) - value(at + 2 * step) + value(at - 2 * step)) / (12 * step);
    place = at;
    double const gradient = double(exact.gradient.data<float>()[i]);
    worst = std::max(worst, std::abs(slope - gradient)), largest = std::max(largest, std::abs(gradient));
  }
  CHECK(worst < 1e-2 * largest);
}

TEST_CASE("affinities: the perplexity is met, all sum to one, symmetric") {
  Tensor x = points::groups(300, 3, 4, 91);
  auto a = learn::detail::affinities("test", learn::detail::finite_matrix("test", x), 15);
  std::map<std::pair<int32_t, int32_t>, float> p;
  double sum = 0;
  for (int64_t i = 0; i < 300; ++i)
    for (int64_t j = a.start[size_t(i)]; j < a.start[size_t(i) + 1]; ++j)
      if (a.p[size_t(j)] > 0) p[{int32_t(i), a.to[size_t(j)]}] = a.p[size_t(j)], sum += double(a.p[size_t(j)]);
  CHECK(std::abs(sum - 1) < 300 * 0x1p-24);
  bool symmetric = true;
  for (auto const& [pair, value] : p)
    symmetric = symmetric && p.contains({pair.second, pair.first}) && p[{pair.second, pair.first}] == value;
  CHECK(symmetric);
  std::vector<float> squares(45), one(48);
  for (size_t j = 0; j < 45; ++j) squares[j] = 0.1f * float(j * j);
  squares.resize(48, squares[0]);
  for (double perplexity : {2.0, 15.0, 40.0}) {
    learn::detail::with_lanes([&]<int lanes>() __attribute__((always_inline)) {
      learn::detail::conditional<lanes>(squares.data(), 45, perplexity, one.data());
    });
    double entropy = 0;
    for (size_t j = 0; j < 45; ++j)
      if (one[j] > 0) entropy -= double(one[j]) * std::log(double(one[j]));
    CHECK(std::abs(std::exp(entropy) / perplexity - 1) < 1e-4);
  }
}

TEST_CASE("a map keeps groups, exactly and on the mesh; not without its attraction") {
  std::vector<int64_t> group;
  Tensor x = apart(600, group, 101);
  double exact = 0;
  for (Repulsion r : {Repulsion::exact, Repulsion::mesh}) {
    auto map = learn::tsne(x, {.perplexity = 15, .iterations = 250, .repulsion = r});
    CHECK(kept(map.y, group) == 1);
    CHECK(map.iterations == 500);
    double const value = learn::tsne_divergence(x, map.y, 15).value;
    CHECK(std::abs(map.divergence / value - 1) < 2e-3);
    if (r == Repulsion::exact) exact = value;
    else CHECK(std::abs(value / exact - 1) < 0.05);  // two descents from one start end in minima of like depth
  }
  CHECK(kept(places(600, 10, 102), group) < 0.5);
}

TEST_CASE("maps: the same for a seed and any threads, as good for turned and shuffled rows") {
  Tensor x = points::groups(700, 4, 5, 111);
  learn::TsneOptions const o{
      .perplexity = 20, .early_iterations = 100, .iterations = 150, .repulsion = Repulsion::mesh};
  auto map = learn::tsne(x, o);
  CHECK(points::same_for_any_threads([&] {
    learn::TsneOptions few = o;
    few.early_iterations = 20, few.iterations = 10;
    return points::floats(learn::tsne(x, few).y);
  }));
  CHECK(std::abs(learn::tsne(points::quarter_turn(x), o).divergence / map.divergence - 1) < 0.03);
  CHECK(std::abs(learn::tsne(points::rows_of(x, points::shuffled(700, 3)), o).divergence / map.divergence - 1) < 0.03);
  Tensor noise = points::groups(700, 4, 1, 112, 1.0);  // and notice data that has no such map
  CHECK(learn::tsne(noise, o).divergence > 1.1 * map.divergence);
}

TEST_CASE("progress is told, and can stop") {
  Tensor x = points::groups(120, 3, 3, 121);
  std::vector<int64_t> told;
  learn::TsneOptions o{.perplexity = 10, .early_iterations = 40, .iterations = 60, .report_every = 20};
  double last = 0;
  o.progress = [&](learn::TsneProgress const& p) {
    told.push_back(p.iteration), last = p.divergence;
    CHECK(p.iterations == 100);
    return p.iteration < 60;
  };
  auto map = learn::tsne(x, o);
  CHECK(told == std::vector<int64_t>{20, 40, 60});
  CHECK(map.iterations == 60);
  CHECK(map.divergence == doctest::Approx(last));
}

TEST_CASE("new rows are placed beside those like them, each on its own") {
  std::vector<int64_t> group, more;
  Tensor x = apart(600, group, 131), asked = apart(90, more, 132);
  Tensor y = learn::tsne(x, {.perplexity = 15, .iterations = 250}).y;
  Tensor put = learn::tsne_place(x, y, asked);
  auto n = learn::nearest_neighbours(y, put, 1);
  double right = 0;
  for (size_t i = 0; i < 90; ++i) right += group[size_t(n.index.data<int64_t>()[i])] == more[i];
  CHECK(right == 90);
  Tensor alone = learn::tsne_place(x, y, points::rows_of(asked, {17, 3}));
  CHECK(points::floats(alone) ==
        std::vector<float>{put.data<float>()[34], put.data<float>()[35], put.data<float>()[6], put.data<float>()[7]});
}

TEST_CASE("equal rows and few columns") {
  auto equal = learn::tsne(zeros({200, 3}), {.perplexity = 10, .early_iterations = 50, .iterations = 50});
  for (float v : points::floats(equal.y)) CHECK(std::isfinite(v));
  auto line =
      learn::tsne(points::groups(200, 1, 4, 141), {.perplexity = 10, .early_iterations = 100, .iterations = 100});
  for (float v : points::floats(line.y)) CHECK(std::isfinite(v));
  CHECK(line.divergence < 1);
}

TEST_CASE("t-SNE refuses what it cannot map") {
  Tensor x = points::groups(50, 2, 2, 151);
  CHECK_THROWS_WITH_AS(
      learn::tsne(x),
      "tsne: perplexity 30 looks at 90 neighbours of each row; there are 49, so 16 is the largest perplexity",
      ValueError);
  CHECK_THROWS_AS(learn::tsne(x, {.perplexity = 10, .momentum = 1}), ValueError);
  CHECK_THROWS_AS(learn::tsne(x, {.perplexity = 10, .start = zeros({49, 2})}), ShapeError);
  CHECK_THROWS_AS(learn::tsne_place(x, zeros({50, 2}), zeros({3, 3})), ShapeError);
  CHECK_THROWS_WITH_AS(learn::tsne(x, {.perplexity = 10, .learning_rate = 1e300}),
                       "tsne: the map ran away to infinity; lower learning_rate", ValueError);
  x.data<float>()[7] = std::nanf("");
  CHECK_THROWS_WITH_AS(learn::tsne(x, {.perplexity = 10}),
                       "tsne: x[3,1] is nan; finite float32 numbers are needed, fill in or leave out such rows",
                       ValueError);
}
