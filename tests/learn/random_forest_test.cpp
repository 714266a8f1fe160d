// Forests: better than a tree, honest out of bag, the same for any number of threads and through a file; hostile files.
#include <doctest/doctest.h>

#include <d16/learn/decision_tree.hpp>
#include <d16/learn/permutation_importance.hpp>
#include <d16/learn/random_forest.hpp>

#include "../io/bad_input.hpp"
#include "table.hpp"

using namespace d16;
using namespace d16::learn;
using namespace bad_input;

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

TEST_CASE("a forest through a file: the same bits, names, importance and score") {
  TemporaryFolder folder;
  for (int64_t classes : {2, 3}) {
    Examples e = table::examples(300, 4, 12, 0.1, classes);
    if (classes == 3) e.names = {"f090w", "f115w", "f150w", "size"};
    RandomForest forest = fit_random_forest(e, {.trees = 7, .out_of_bag = classes == 3});
    save_random_forest(folder / "forest.json", forest);
    RandomForest read = load_random_forest(folder / "forest.json");
    CHECK(table::same(forest.probabilities(e.x), read.probabilities(e.x)));
    CHECK(read.names == e.names);
    CHECK(read.importance == forest.importance);
    CHECK(read.out_of_bag_score == forest.out_of_bag_score);
    CHECK(read.trees.size() == 7);
    CHECK(random_forest_to_json(read).dump() == random_forest_to_json(forest).dump());
  }
  CHECK(writer_fault(
            [](std::string const& path) {
              save_random_forest(path, fit_random_forest(table::examples(9, 2, 1), {.trees = 2}));
            },
            "forest.json") == "");
}

TEST_CASE("hostile forest files: a clear error, or a forest that can be walked") {
  Examples e = table::examples(120, 3, 14, 0.1);
  std::string good = random_forest_to_json(fit_random_forest(e, {.trees = 3, .max_depth = 2})).dump();
  auto load = [](std::string const& text) { return random_forest_from_json(io::parse_json(text, "m")); };
  auto refusal = [&](std::string const& what, std::string const& by) {
    std::string text = good;
    size_t at = text.find(what);
    REQUIRE(at != text.npos);
    text.replace(at, what.size(), by);
    return error_of<ValueError>([&] { load(text); });
  };
  CHECK(contains(refusal("d16 random forest", "d16 boosted trees"), "does not hold d16 random forest"));
  CHECK(contains(refusal("\"version\":1", "\"version\":2"), "version 2"));
  CHECK(contains(refusal("\"features\":3", "\"features\":0"), "0 features"));
  CHECK(contains(refusal("\"features\":3", "\"features\":2"), "importances for 2"));
  CHECK(contains(refusal("\"classes\":3", "\"classes\":1"), "1 classes"));
  CHECK(contains(refusal("\"classes\":3", "\"classes\":9999"), "a multiple of 9999"));
  CHECK(contains(refusal("\"classes\":3", "\"classes\":2"), "fractions of a leaf"));  // 12 values are 6 leaves of 2 too
  CHECK(contains(refusal("\"names\":[", "\"names\":[\"a\""), "1 names for 3"));
  CHECK(contains(refusal("\"next\":[1,", "\"next\":[0,"), "child is 0"));      // round in circles
  CHECK(contains(refusal("\"next\":[1,", "\"next\":[99,"), "child is 99"));    // out of the tree
  CHECK(contains(refusal("\"next\":[1,", "\"next\":[2,"), "nobody's child"));  // 1 is lost
  CHECK(contains(refusal("\"feature\":[", "\"feature\":[77,"), "nodes; equal numbers"));
  CHECK(contains(refusal("\"values\":[", "\"values\":[1e300,"), "does not fit"));
  CHECK(contains(refusal("\"values\":[", "\"values\":[2.0,-1.0,0.0,"), "fractions of a leaf"));
  CHECK(contains(refusal("\"values\":[", "\"values\":[0.5,0.25,0.0,"), "fractions of a leaf"));
  CHECK(contains(refusal("\"trees\":[", "\"tree\":["), "no key \"trees\""));
  CHECK(contains(refusal("\"out_of_bag_score\":null", "\"out_of_bag_score\":\"high\""), "out_of_bag_score"));
  CHECK(contains(error_of<ValueError>([&] { load(good.substr(0, good.find("\"trees\":[")) + "\"trees\":[]}"); }),
                 "there are no trees"));
  TemporaryFolder folder;
  CHECK(contains(error_of<WeightsError>([&] { load_random_forest(folder.file("a.json", "[]")); }), "a.json"));
  CHECK(
      contains(error_of<FileError>([&] { load_random_forest(folder.file("b.json", good.substr(0, 99))); }), "b.json"));
  CHECK(contains(error_of<FileError>([&] { load_random_forest(folder / "absent.json"); }), "cannot open"));

  Random random(15);
  int loaded = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string text = mutated(good, random);
    try {
      RandomForest forest = load(text);
      ++loaded;
      if (forest.features != 3) continue;
      Tensor p = forest.probabilities(e.x);
      for (int64_t k = 0; k < p.numel(); ++k) REQUIRE((p.data<float>()[k] >= 0 && p.data<float>()[k] <= 1.001f));
    } catch (Error const&) {}
  }
  CHECK(loaded > 10);  // some changes are harmless, such as a digit of a threshold
}

TEST_CASE("forests refuse what they cannot use") {
  Examples e = table::examples(20, 3, 11);
  CHECK_THROWS_AS(fit_random_forest(e, {.trees = 0}), ValueError);
  CHECK_THROWS_AS(fit_random_forest(e, {.criterion = Criterion::mse}), ValueError);
  CHECK_THROWS_AS(fit_random_forest(e, {.bootstrap = false, .out_of_bag = true}), ValueError);
  CHECK_THROWS_AS(fit_random_forest(e).probabilities(zeros({1, 2})), ShapeError);
  CHECK_THROWS_AS(RandomForest().probabilities(e.x), ValueError);
  CHECK_THROWS_AS(random_forest_to_json({}), ValueError);
  CHECK_THROWS_AS(permutation_importance([](Tensor const&) { return 0.0; }, zeros({0, 2})), ShapeError);
}
