// Non-negative least squares: the conditions of a minimum, all subsets as oracle, degenerate problems.
#include <doctest/doctest.h>
#include <cmath>
#include <vector>

#include <d16/core/random.hpp>
#include <d16/photoz/nnls.hpp>

using namespace d16;
using photoz::Nnls;

namespace {

struct Problem {
  int columns, rows;
  std::vector<double> a, v, y;
};

Problem random_problem(uint64_t seed, int columns, int rows) {
  Random random(seed, 0);
  Problem p{columns, rows, {}, {}, {}};
  for (int i = 0; i < rows * columns; ++i) p.a.push_back(std::abs(random.normal()));
  for (int b = 0; b < rows; ++b) p.v.push_back(std::exp(2 * random.normal())), p.y.push_back(random.normal() + 0.5);
  return p;
}

/// x of all columns.
std::vector<double> answer(Nnls const& solver, int columns) {
  std::vector<double> x(static_cast<size_t>(columns), 0.0);
  for (size_t k = 0; k < solver.passive().size(); ++k) x[size_t(solver.passive()[k])] = solver.value(k);
  return x;
}

double sum_of(Problem const& p, std::vector<double> const& x) {
  double sum = 0;
  for (int b = 0; b < p.rows; ++b) {
    double r = p.y[size_t(b)];
    for (int t = 0; t < p.columns; ++t) r -= p.a[size_t(b * p.columns + t)] * x[size_t(t)];
    sum += p.v[size_t(b)] * r * r;
  }
  return sum;
}

/// The least sum over all sets of columns whose free minimum is positive, by Gauss elimination: slow and plain.
double best_of_all_subsets(Problem const& p) {
  double best = sum_of(p, std::vector<double>(size_t(p.columns), 0.0));
  for (int set = 1; set < 1 << p.columns; ++set) {
    std::vector<int> in;
    for (int t = 0; t < p.columns; ++t)
      if (set >> t & 1) in.push_back(t);
    size_t n = in.size();
    if (int(n) > p.rows) continue;
    std::vector<std::vector<double>> m(n, std::vector<double>(n + 1, 0.0));
    for (size_t i = 0; i < n; ++i)
      for (int b = 0; b < p.rows; ++b) {
        double a = p.v[size_t(b)] * p.a[size_t(b * p.columns + in[i])];
        for (size_t j = 0; j < n; ++j) m[i][j] += a * p.a[size_t(b * p.columns + in[j])];
        m[i][n] += a * p.y[size_t(b)];
      }
    for (size_t i = 0; i < n; ++i)
      for (size_t k = 0; k < n; ++k) {
        if (k == i) continue;
        double f = m[k][i] / m[i][i];
        for (size_t j = i; j <= n; ++j) m[k][j] -= f * m[i][j];
      }
    std::vector<double> x(size_t(p.columns), 0.0);
    bool positive = true;
    for (size_t i = 0; i < n; ++i) positive &= (x[size_t(in[i])] = m[i][n] / m[i][i]) > 0;
    if (positive) best = std::min(best, sum_of(p, x));
  }
  return best;
}

}  // namespace

TEST_CASE("nnls: the minimum of all subsets, and the conditions of a minimum") {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    int columns = 1 + int(seed % 9), rows = 1 + int(seed % 7);
    Problem p = random_problem(seed, columns, rows);
    Nnls solver(columns, rows);
    double sum = solver.solve(p.a.data(), p.v.data(), p.y.data());
    std::vector<double> x = answer(solver, columns);
    double all = sum_of(p, std::vector<double>(size_t(columns), 0.0));
    // Normal equations of up to 7 columns whose condition is below 1e4 or so: 1e-16 x 1e8 of the data, generously.
    double oracle = best_of_all_subsets(p);
    CHECK(std::abs(sum - oracle) <= 1e-8 * all);
    CHECK(std::abs(sum - sum_of(p, x)) <= 1e-12 * all);
    for (int t = 0; t < columns; ++t) {
      double slope = 0, square = 0;
      for (int b = 0; b < rows; ++b) {
        double a = p.a[size_t(b * columns + t)], r = p.y[size_t(b)] - solver.model(b);
        slope += p.v[size_t(b)] * a * r, square += p.v[size_t(b)] * a * a;
      }
      CHECK(x[size_t(t)] >= 0);
      CHECK(slope <= 1.0000001e-9 * std::sqrt(square * all) + (x[size_t(t)] > 0 ? 1e-7 * std::sqrt(square * all) : 0));
    }
  }
}

TEST_CASE("nnls: an exact mixture comes back, also from a warm start, and scales with the data") {
  Problem p = random_problem(5, 5, 8);
  std::vector<double> truth{0, 2, 0, 0.5, 0};
  for (int b = 0; b < 8; ++b) {
    p.y[size_t(b)] = 0;
    for (int t = 0; t < 5; ++t) p.y[size_t(b)] += p.a[size_t(b * 5 + t)] * truth[size_t(t)];
  }
  Nnls solver(5, 8);
  CHECK(solver.solve(p.a.data(), p.v.data(), p.y.data()) < 1e-20);
  for (int t = 0; t < 5; ++t) CHECK(std::abs(answer(solver, 5)[size_t(t)] - truth[size_t(t)]) < 1e-9);
  for (double& y : p.y) y *= 1024;  // a power of two: the same digits
  CHECK(solver.solve(p.a.data(), p.v.data(), p.y.data(), true) < 1e-14);
  CHECK(std::abs(answer(solver, 5)[1] - 2048) < 1e-6);
  Problem other = random_problem(6, 5, 8);
  double warm = solver.solve(other.a.data(), other.v.data(), other.y.data(), true);
  double cold = Nnls(5, 8).solve(other.a.data(), other.v.data(), other.y.data());
  CHECK(std::abs(warm - cold) <= 1e-10 * cold);
}

TEST_CASE("nnls: nothing helps, columns twice, columns of zeros, rows that do not count") {
  double a[] = {1, 1, 0, 2, 2, 0}, v[] = {1, 1}, y[] = {-1, -1};
  Nnls solver(3, 2);
  CHECK(solver.solve(a, v, y) == doctest::Approx(2));
  CHECK(solver.passive().empty());
  double up[] = {1, 2};
  CHECK(solver.solve(a, v, up) < 1e-24);
  CHECK(solver.passive().size() == 1);
  double one[] = {0, 1}, far[] = {100, 4};  // the first row does not count: 2 x = 4
  CHECK(solver.solve(a, one, far) < 1e-24);
  CHECK(solver.value(0) == doctest::Approx(2));
  CHECK_THROWS_AS(Nnls(0, 3), ValueError);
}
