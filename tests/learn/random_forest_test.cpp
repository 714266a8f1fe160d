// Forests: better than a tree, honest out of bag, the same for any number of threads.
#include <doctest/doctest.h>

#include <d16/learn/decision_tree.hpp>
#include <d16/learn/permutation_importance.hpp>
#include <d16/learn/random_forest.hpp>

#include "table.hpp"

using namespace d16;
using namespace d16::learn;

TEST_CASE("a forest beats its trees on other data, and its out-of-bag score says how good it is there") {
  Examples train = table::examples(1200, 6, 1, 0.05), test = table::examples(3000, 6, 2, 0.05);
  RandomForest forest = fit_random_forest(train, {.trees = 60, .out_of_bag = true, .seed = 3});
  double on_test = table::accuracy(forest.probabilities(test.x), test.labels);
  double tree = table::accuracy(fit_decision_tree(train).probabilities(test.x), test.labels);
  CHECK(on_test > tree + 0.03);
  REQUIRE(forest.out_of_bag_score);
  // both are fractions: five standard deviations of their difference
  double sigma = std::sqrt(on_test * (1 - on_test) * (1.0 / 1200 + 1.0 / 3000));
  CHECK(std::abs(*forest.out_of_bag_score - on_test) < 5 * sigma);
  CHECK(table::accuracy(forest.probabilities(train.x), train.labels) > *forest.out_of_bag_score + 5 * sigma);
  double sum = 0;
  for (double share : forest.importance) sum += share;
  CHECK(std::abs(sum - 1) < 1e-14);
  CHECK(std::min({forest.importance[0], forest.importance[1], forest.importance[2]}) >
        std::max({forest.importance[3], forest.importance[4], forest.importance[5]}));
}

TEST_CASE("a forest is the same for any number of threads, and another for another seed") {
  Examples e = table::examples(300, 5, 4);
  int before = threads();
  auto fit = [&](int count, uint64_t seed) {
    set_threads(count);
    RandomForest forest = fit_random_forest(e, {.trees = 9, .out_of_bag = true, .seed = seed});
    return std::pair(forest.probabilities(e.x), forest.out_of_bag_probabilities);
  };
  auto one = fit(1, 5), three = fit(3, 5), other = fit(3, 6);
  set_threads(before);
  CHECK(table::same(one.first, three.first));
  CHECK(table::same(one.second, three.second));
  CHECK(!table::same(one.first, other.first));
}

TEST_CASE("without bootstrap and with all features a forest is one tree") {
  Examples e = table::examples(150, 3, 7, 0.1);
  ForestOptions o{.trees = 3, .max_depth = 4, .max_features = 3, .max_bins = 0, .bootstrap = false};
  CHECK(table::same(fit_random_forest(e, o).probabilities(e.x),
                    fit_decision_tree(e, {.max_depth = 4}).probabilities(e.x)));
}

TEST_CASE("out of bag: an item that every tree saw has no probability") {
  Examples e = table::examples(40, 3, 8);
  RandomForest forest = fit_random_forest(e, {.trees = 1, .out_of_bag = true});
  std::vector<double> times = learn::detail::drawn(40, 0, 0);
  for (int64_t i = 0; i < 40; ++i)
    CHECK(std::isnan(forest.out_of_bag_probabilities.data<float>()[3 * i]) == (times[size_t(i)] > 0));
}

TEST_CASE("permutation importance: only what the model uses matters") {
  Examples train = table::examples(800, 5, 9), test = table::examples(800, 5, 10);
  RandomForest forest = fit_random_forest(train, {.trees = 40});
  Tensor before = test.x.clone();
  auto score = [&](Tensor const& x) { return table::accuracy(forest.probabilities(x), test.labels); };
  PermutationImportance importance = permutation_importance(score, test.x, {.repeats = 4, .seed = 1});
  CHECK(importance.score == score(test.x));
  CHECK(table::same(before, test.x));
  for (size_t f : {0, 1, 2}) CHECK(importance.mean[f] > 0.05);
  double sigma = std::sqrt(2 * 0.25 / 800);  // of the difference of two fractions, at most
  for (size_t f : {3, 4}) CHECK(std::abs(importance.mean[f]) < 5 * sigma);
  // a score that looks at one column only: nothing else may fall
  auto first_column = [](Tensor const& x) {
    double sum = 0;
    for (int64_t i = 0; i < x.dim(0); ++i) sum += double(i) * x.data<float>()[i * x.dim(1)];
    return sum;
  };
  PermutationImportance one = permutation_importance(first_column, test.x);
  CHECK(one.mean[0] != 0);
  for (size_t f = 1; f < 5; ++f) CHECK(one.mean[f] == 0);
}

TEST_CASE("forests refuse what they cannot use") {
  Examples e = table::examples(20, 3, 11);
  CHECK_THROWS_AS(fit_random_forest(e, {.trees = 0}), ValueError);
  CHECK_THROWS_AS(fit_random_forest(e, {.criterion = Criterion::mse}), ValueError);
  CHECK_THROWS_AS(fit_random_forest(e, {.bootstrap = false, .out_of_bag = true}), ValueError);
  CHECK_THROWS_AS(fit_random_forest(e).probabilities(zeros({1, 2})), ShapeError);
  CHECK_THROWS_AS(RandomForest().probabilities(e.x), ValueError);
  CHECK_THROWS_AS(permutation_importance([](Tensor const&) { return 0.0; }, zeros({0, 2})), ShapeError);
}
