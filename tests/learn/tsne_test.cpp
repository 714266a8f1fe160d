// t-SNE: its transforms and mesh against plain sums, its gradient against differences, its CUDA kernels, run by the
// emulator, against the reference, and the laws of maps.
#include <doctest/doctest.h>
#include <span>

#include <d16/cuda/use.hpp>
#include <d16/kernels/cuda/tsne.cuh>
#include <d16/learn/tsne.hpp>

#include "../cuda/dense.hpp"
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

/// The emulator takes minutes then.
constexpr bool sanitized = kernels::emulator::asan || kernels::emulator::tsan;

/// A map and rows of P of up to 70 elements, none for some, 0 among them.
template <class T> struct MapOf {
  kernels::TsneGradient<T> g;
  kernels::TsneStep<T> s;
  std::vector<T> y, p, gradient, update, gain;
  std::vector<int64_t> start{0}, to;
  std::vector<double> sums{NAN, NAN};

  MapOf(int64_t N, double extent, double exaggeration) {
    Random random{uint64_t(N)};
    for (int64_t i = 0; i < 2 * N; ++i) {
      y.push_back(T(random.uniform(-extent, extent)));
      update.push_back(T(random.integer(4) == 0 ? 0 : random.uniform(-3, 3))),
          gain.push_back(T(random.uniform(0.1, 2)));
    }
    for (int64_t i = 0; i < N; ++i) {
      for (int64_t k = i * 13 % 71; k > 0; --k)
        to.push_back(k == 5 ? i : random.integer(N)), p.push_back(T(k == 5 ? 0 : random.uniform() / double(36 * N)));
      start.push_back(int64_t(to.size()));
    }
    gradient.assign(y.size(), T(NAN));
    g.N = s.N = N, g.exaggeration = exaggeration, g.start = start.data(), g.to = to.data(), g.p = p.data();
    g.y = y.data(), g.gradient = gradient.data(), g.sums = sums.data(), g.logs = true;
    s.y = y.data(), s.gradient = gradient.data(), s.update = update.data(), s.gain = gain.data();
    s.rate = 100, s.longest = 2;
  }
  void differentiate(int (*kernel)(kernels::TsneGradient<T> const&), size_t bytes) {
    testing::Work work(bytes);
    g.work = work.data();
    CHECK(kernel(g) == kernels::ok);
  }
  void step(int (*kernel)(kernels::TsneStep<T> const&), size_t bytes) {
    testing::Work work(bytes);
    s.work = work.data();
    CHECK(kernel(s) == kernels::ok);
  }
};

template <class T> void check_map_kernels(int64_t N, double extent, double exaggeration) {
  INFO("N ", N, " extent ", extent, " exaggeration ", exaggeration);
  MapOf<T> got(N, extent, exaggeration), right(N, extent, exaggeration);
  got.differentiate(kernels::tsne_gradient<T>, kernels::tsne_gradient_work_bytes(got.g));
  right.differentiate(kernels::reference::tsne_gradient<T>, 0);
  // a tile's 256 pairs are added up in T, each with six roundings; all else in double
  CHECK(testing::error(got.gradient, right.gradient, 256 + 6) <= 1);
  double const eps = double(std::numeric_limits<T>::epsilon());
  CHECK(std::abs(got.sums[0] / right.sums[0] - 1) <= (256 + 6) * eps);
  CHECK(std::abs(got.sums[1] / right.sums[1] - 1) <= (6 + double(right.p.size()) * 0x1p-52 / eps) * eps);
  got.gradient = right.gradient, got.s.gradient = got.gradient.data();
  got.step(kernels::tsne_step<T>, kernels::tsne_step_work_bytes(got.s));
  right.step(kernels::reference::tsne_step<T>, 0);
  // an update has four roundings, its length four, a place and its mean three: of numbers of the update before the cut
  double largest = 2 + extent;
  for (T g : right.gradient) largest = std::max(largest, 4 + 220 * std::abs(double(g)));
  auto far = [&](std::vector<T> const& a, std::vector<T> const& b) {
    double most = 0;
    for (size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(double(a[i]) - double(b[i])));
    return most / largest / eps;
  };
  CHECK(far(got.y, right.y) <= 11);
  CHECK(far(got.update, right.update) <= 8);
  CHECK(far(got.gain, right.gain) <= 2);
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

TEST_CASE("the mesh takes any finite places, and touches nothing outside of it for others") {
  learn::detail::RepulsionMesh mesh;
  float const one[2] = {7, -3}, equal[6] = {2, 2, 2, 2, 2, 2}, away[4] = {1e8f, -1e8f, 1e8f + 8, -1e8f};
  mesh.set(one, 1, 0.9f);
  CHECK(std::abs(double(mesh.at(7, -3).phi) - 1) < 4e-3);  // the error of the splines, as above
  mesh.set(equal, 3, 0);
  CHECK(std::abs(mesh.sum_of_potentials() - 9) < 9 * 4e-3);
  mesh.set(away, 2, 0.5f);  // float32 has every eighth number there, and nodes lie 0.1 apart
  for (float place : {-INFINITY, -3e38f, 0.0f, 3e38f, INFINITY, NAN}) {
    CHECK(std::isfinite(mesh.at(place, place).phi));
  }
  float const endless[4] = {0, 0, INFINITY, 1};
  CHECK_THROWS_AS(mesh.set(endless, 2, 0), ValueError);
  for (int fault : {0, 3, 698}) {
    Tensor y = places(350, 5, 6);
    y.data<float>()[fault] = NAN;
    try {
      mesh.set(y.data<float>(), 350, 0.3f);
    } catch (ValueError const&) {  // where the box is not finite
    }
  }
}

TEST_CASE("maps that lie far from zero are maps") {
  Tensor x = points::groups(300, 3, 4, 85), y = places(300, 8, 86), away = y.clone();
  for (int64_t i = 0; i < 300; ++i) away.data<float>()[2 * i] += 4096, away.data<float>()[2 * i + 1] -= 8192;
  // 8192 leaves 2^-10 for the digits of a place, its gradient changes with it over a length of 1
  double const rounding = 4 * 0x1p-10;
  auto here = learn::tsne_divergence(x, y, 12, Repulsion::mesh),
       there = learn::tsne_divergence(x, away, 12, Repulsion::mesh);
  CHECK(relative(there.gradient, here.gradient) < rounding);
  Tensor asked = points::rows_of(x, {3, 50, 299}), put = learn::tsne_place(x, y, asked);
  Tensor put_away = learn::tsne_place(x, away, asked);
  for (int64_t i = 0; i < 3; ++i) {
    CHECK(std::abs(put_away.data<float>()[2 * i] - 4096 - put.data<float>()[2 * i]) < 0.1f);
    CHECK(std::abs(put_away.data<float>()[2 * i + 1] + 8192 - put.data<float>()[2 * i + 1]) < 0.1f);
  }
  for (float& v : std::span(away.data<float>(), 600)) v += 1e8f;  // no digits at all
  auto map = learn::tsne(
      x, {.perplexity = 12, .early_iterations = 3, .iterations = 3, .start = away, .repulsion = Repulsion::mesh});
  for (float v : points::floats(map.y)) CHECK(std::abs(v) < 1e5f);  // it was 8192 wide at the most
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

TEST_CASE(
    "cuda t-SNE: gradient, divergence and step, one tile and several, near and far, in every order of the threads") {
  if (sanitized) {
    MESSAGE("skipped: with sanitizers tests/cuda/mutations.sh and conformance.sh run these kernels");
    return;
  }
  for (int64_t N : {2, 37, 256, 300, 1100})
    for (double extent : {0.01, 30.0}) {
      check_map_kernels<float>(N, extent, 12);
      check_map_kernels<double>(N, extent, 1);
    }
  testing::in_every_order([] { check_map_kernels<float>(300, 5, 1); });
}

TEST_CASE("rows on a device: their map is descended there, over all pairs, and is that of the host") {
  use_cuda_emulated();
  Tensor x = points::groups(160, 3, 4, 83), y = places(160, 15, 84);
  auto here = learn::tsne_divergence(x, y, 12);
  // ten steps: rounding errors of 262 eps, as above, grow by the rate and the gains, at most 12 x 1.2^k in step k
  learn::TsneOptions o{.perplexity = 12, .early_iterations = 5, .iterations = 5, .start = y};
  auto map = learn::tsne(x, o);
  for (char const* device : {"reference", sanitized ? "reference" : "cuda_emulated"}) {
    auto there = learn::tsne_divergence(x.to(device), y, 12);
    CHECK(there.gradient.device() == Device(device));
    CHECK(relative(there.gradient.to("cpu"), here.gradient) < 262 * 0x1p-23);
    CHECK(std::abs(there.value / here.value - 1) < 1e-5);
    auto moved = learn::tsne(x.to(device), o);
    CHECK(moved.y.device() == Device(device));
    CHECK(moved.iterations == 10);
    CHECK(relative(moved.y.to("cpu"), map.y) < 1e-3);
    CHECK(relative(moved.y.to("cpu"), y) > 0.1);  // it went somewhere
    CHECK(std::abs(moved.divergence / map.divergence - 1) < 1e-3);
    CHECK_THROWS_AS(learn::tsne(x.to(device), {.perplexity = 12, .repulsion = Repulsion::mesh}), ValueError);
  }
  if (sanitized) return;
  CHECK_THROWS_WITH_AS(learn::tsne(x.to("cuda_emulated"), {.perplexity = 12, .iterations = 3, .learning_rate = 1e300}),
                       "tsne: the map ran away to infinity; lower learning_rate", ValueError);
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
