// Neighbours against all pairs in float64, with ties, and their laws.
#include <doctest/doctest.h>
#include <d16/learn/nearest_neighbours.hpp>

#include "points.hpp"

using namespace d16;

namespace {

double square(Tensor const& x, int64_t i, Tensor const& y, int64_t j) {
  double sum = 0;
  for (int64_t c = 0; c < x.dim(1); ++c) {
    double d = double(x.data<float>()[i * x.dim(1) + c]) - double(y.data<float>()[j * x.dim(1) + c]);
    sum += d * d;
  }
  return sum;
}

/// All pairs, sorted by distance, then by row.
std::vector<int64_t> plain(Tensor const& x, Tensor const& queries, bool same, int64_t k) {
  std::vector<int64_t> out;
  for (int64_t i = 0; i < queries.dim(0); ++i) {
    std::vector<std::pair<double, int64_t>> all;
    for (int64_t j = 0; j < x.dim(0); ++j)
      if (!same || i != j) all.emplace_back(square(queries, i, x, j), j);
    std::sort(all.begin(), all.end());
    for (int64_t j = 0; j < k; ++j) out.push_back(all[size_t(j)].second);
  }
  return out;
}

/// Small integers: their squared distances are exact in float32, and many are equal.
Tensor grid(int64_t rows, int64_t columns, uint64_t seed) {
  Random random(seed);
  std::vector<float> x;
  for (int64_t i = 0; i < rows * columns; ++i) x.push_back(float(random.integer(5)));
  return from(x, {rows, columns});
}

}  // namespace

TEST_CASE("nearest_neighbours as all pairs, equally near rows by number") {
  for (int64_t columns : {1, 2, 4, 5, 17, 32, 33, 61})
    for (int64_t rows : {2, 16, 17, 131}) {
      Tensor x = grid(rows, columns, uint64_t(rows)), q = grid(13, columns, 7);
      for (int64_t k : {int64_t(1), rows / 2, rows - 1}) {
        CAPTURE(columns);
        CAPTURE(rows);
        CAPTURE(k);
        if (k < 1) continue;
        auto n = learn::nearest_neighbours(x, k);
        CHECK(points::list(n.index) == plain(x, x, true, k));
        CHECK(points::list(learn::nearest_neighbours(x, q, k).index) == plain(x, q, false, k));
        bool exact = true;  // squares are whole numbers, one rounding of the root
        for (int64_t i = 0; i < rows * k; ++i)
          exact =
              exact && n.distance.data<float>()[i] == std::sqrt(float(square(x, i / k, x, n.index.data<int64_t>()[i])));
        CHECK(exact);
      }
    }
}

TEST_CASE("neighbours turn and move with their rows, and do not depend on the threads") {
  for (int64_t columns : {2, 40}) {
    Tensor x = points::groups(501, columns, 5, 3);
    std::vector<int64_t> const order = points::shuffled(501, 4);
    auto n = learn::nearest_neighbours(x, 6), turned = learn::nearest_neighbours(points::quarter_turn(x), 6),
         moved = learn::nearest_neighbours(points::rows_of(x, order), 6);
    CHECK(points::list(n.index) == points::list(turned.index));
    bool same = true;
    for (int64_t i = 0; i < 501 * 6; ++i)
      same = same &&
             n.index.data<int64_t>()[order[size_t(i / 6)] * 6 + i % 6] == order[size_t(moved.index.data<int64_t>()[i])];
    CHECK(same);
    Tensor stretched = x.clone();  // and notice what is not a turn
    for (int64_t i = 0; i < 501; ++i) stretched.data<float>()[i * columns] *= 3;
    CHECK(points::list(n.index) != points::list(learn::nearest_neighbours(stretched, 6).index));
    CHECK(points::same_for_any_threads([&] { return points::floats(learn::nearest_neighbours(x, 6).distance); }));
  }
}

TEST_CASE("many equal rows: the first of them, quickly") {
  auto n = learn::nearest_neighbours(zeros({20000, 2}), 3);
  std::vector<int64_t> const got = points::list(n.index);
  CHECK(std::vector<int64_t>(got.begin(), got.begin() + 9) == std::vector<int64_t>{1, 2, 3, 0, 2, 3, 0, 1, 3});
  CHECK(std::vector<int64_t>(got.end() - 3, got.end()) == std::vector<int64_t>{0, 1, 2});
}

TEST_CASE("nearest_neighbours refuses what has no distance") {
  Tensor x = zeros({3, 2});
  x.data<float>()[3] = std::nanf("");
  CHECK_THROWS_WITH_AS(
      learn::nearest_neighbours(x, 1),
      "nearest_neighbours: x[1,1] is nan; finite float32 numbers are needed, fill in or leave out such "
      "rows",
      ValueError);
  CHECK_THROWS_WITH_AS(learn::nearest_neighbours(zeros({3, 2}), 3),
                       "nearest_neighbours: k is 3; 1 to 2, the other rows of x, are there", ValueError);
  CHECK_THROWS_AS(learn::nearest_neighbours(zeros({3, 2}), zeros({3, 3}), 1), ShapeError);
  CHECK_THROWS_AS(learn::nearest_neighbours(zeros({0, 2}), 1), ShapeError);
}
