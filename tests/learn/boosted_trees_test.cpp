// Boosting by its laws, early stopping, and hostile files. Against XGBoost: tests/golden/.
#include <doctest/doctest.h>

#include <d16/learn/boosted_trees.hpp>

#include "../io/bad_input.hpp"
#include "table.hpp"

using namespace d16;
using namespace d16::learn;
using namespace bad_input;

namespace {
float const missing = std::numeric_limits<float>::quiet_NaN();
}

TEST_CASE("one round of stumps: leaves and gain as the paper's formulas") {
  // weights 1, equal probabilities: g = 1/2 - y, h = 1/4
  Examples e{.x = from(std::vector<float>{1, 2, 3, 4, 5}, {5, 1}),
             .labels = from(std::vector<int64_t>{0, 0, 0, 1, 1}, {5})};
  BoostOptions o{.rounds = 1, .eta = 0.5, .max_depth = 1, .lambda = 0.75, .min_child_weight = 0, .from_prior = false};
  BoostedTrees model = fit_boosted_trees(e, o);
  REQUIRE(model.trees.size() == 1);
  Tree const& tree = model.trees[0];
  CHECK(tree.nodes[0].threshold == 3.5f);
  CHECK(tree.values[0] == float(-0.5 * 1.5 / (0.75 + 0.75)));
  CHECK(tree.values[1] == float(0.5 * 1 / (0.5 + 0.75)));
  // the gain: 1.5^2 / 1.5 + 1 / 1.25 - 0.5^2 / 2
  double gain = 1.5 + 0.8 - 0.125;
  o.gamma = gain - 1e-9;
  CHECK(fit_boosted_trees(e, o).trees[0].nodes.size() == 3);
  o.gamma = gain + 1e-9;
  CHECK(fit_boosted_trees(e, o).trees[0].nodes.size() == 1);
  o.gamma = 0, o.min_child_weight = 0.5;  // two items weigh exactly that
  CHECK(fit_boosted_trees(e, o).trees[0].nodes[0].threshold == 3.5f);
  o.min_child_weight = 0.51;  // and now neither 3 | 2 nor 2 | 3 will do
  CHECK(fit_boosted_trees(e, o).trees[0].nodes.size() == 1);
}

TEST_CASE("large nodes subtract their histograms: eight copies of weight 1/8 are the table itself") {
  Examples e = table::examples(700, 6, 1, 0.1);
  std::vector<float> x;
  std::vector<int64_t> labels;
  for (int copy = 0; copy < 8; ++copy) {
    x.insert(x.end(), e.x.data<float>(), e.x.data<float>() + e.x.numel());
    labels.insert(labels.end(), e.labels.data<int64_t>(), e.labels.data<int64_t>() + 700);
  }
  float* rounded = x.data();
  for (size_t i = 0; i < x.size(); ++i) rounded[i] = std::round(8 * rounded[i]);  // the same bins for both
  for (int64_t i = 0; i < e.x.numel(); ++i) e.x.data<float>()[i] = rounded[i];
  Examples many{.x = from(x, {5600, 6}), .labels = from(labels, {5600}), .weights = full({5600}, 0.125)};
  BoostOptions o{.rounds = 8, .max_depth = 4, .min_child_weight = 3};
  // 8 rounds of sums of 5600 terms of size 1, in another order; leaves are float32
  CHECK(table::largest_difference(fit_boosted_trees(many, o).margins(e.x), fit_boosted_trees(e, o).margins(e.x)) <
        8 * 6e-8);
}

TEST_CASE("the training loss falls each round, the model is the same for any number of threads") {
  for (int64_t classes : {2, 3}) {
    Examples e = table::examples(3000, 5, 2, 0.1, classes);
    int before = threads();
    auto fit = [&](int count, BoostOptions o) {
      set_threads(count);
      return fit_boosted_trees(e, o, e);
    };
    BoostOptions o{.rounds = 20, .subsample = 0.7, .colsample = 0.6, .seed = 4};
    BoostedTrees one = fit(1, o), three = fit(3, o);
    o.seed = 5;
    BoostedTrees other = fit(3, o), all = fit(2, {.rounds = 20});
    set_threads(before);
    CHECK(table::same(one.margins(e.x), three.margins(e.x)));
    CHECK(one.validation_loss == three.validation_loss);
    CHECK(!table::same(one.margins(e.x), other.margins(e.x)));
    for (size_t i = 1; i < 20; ++i) CHECK(all.validation_loss[i] < all.validation_loss[i - 1]);
    CHECK(all.rounds() == 20);
    CHECK(all.outputs() == (classes == 2 ? 1 : 3));
    double loss = 0;  // as it follows from the probabilities
    Tensor p = all.probabilities(e.x);
    for (int64_t i = 0; i < 3000; ++i)
      loss -= std::log(p.data<float>()[i * classes + e.labels.data<int64_t>()[i]]) / 3000;
    CHECK(std::abs(loss - all.validation_loss.back()) < 1e-5);  // float32 probabilities down to 0.01
  }
}

TEST_CASE("it learns: better than the prior, stumps too; the prior is where it begins") {
  Examples train = table::examples(2000, 5, 6, 0.05), test = table::examples(2000, 5, 7, 0.05);
  double boosted = table::accuracy(fit_boosted_trees(train).probabilities(test.x), test.labels);
  double stumps = table::accuracy(fit_boosted_trees(train, {.max_depth = 1}).probabilities(test.x), test.labels);
  CHECK(boosted > 0.7);  // a guess has 0.4
  CHECK(stumps > 0.55);
  CHECK(boosted > stumps + 0.05);  // a product is no sum
  BoostOptions nothing{.rounds = 1, .lambda = 1e12, .gamma = 1e9};
  Tensor p = fit_boosted_trees(train, nothing).probabilities(test.x);
  double share[3] = {};
  for (int64_t i = 0; i < 2000; ++i) share[train.labels.data<int64_t>()[i]] += 1.0 / 2000;
  for (int64_t k = 0; k < 3; ++k) CHECK(std::abs(p.data<float>()[k] - share[k]) < 1e-6);
  Examples rare{.x = from(std::vector<float>{1, 2, 3, 4}, {4, 1}),
                .labels = from(std::vector<int64_t>{0, 0, 1, 0}, {4})};
  CHECK(std::abs(fit_boosted_trees(rare, nothing).probabilities(rare.x).data<float>()[1] - 0.25f) < 1e-6f);
}

TEST_CASE("early stopping goes back to the best round") {
  Examples train = table::examples(300, 5, 8), valid = table::examples(500, 5, 9);
  BoostOptions o{.rounds = 200, .eta = 0.5, .patience = 5};
  BoostedTrees model = fit_boosted_trees(train, o, valid);
  auto best = std::min_element(model.validation_loss.begin(), model.validation_loss.end());
  auto rounds = int64_t(best - model.validation_loss.begin()) + 1;
  CHECK(model.rounds() == rounds);
  CHECK(int64_t(model.validation_loss.size()) == rounds + 5);
  CHECK(rounds < 200);
  o.rounds = rounds, o.patience = 0;
  CHECK(table::same(fit_boosted_trees(train, o).margins(valid.x), model.margins(valid.x)));
}

TEST_CASE("subsample and colsample take their share") {
  Examples e = table::examples(4000, 10, 10);
  BoostOptions o{.rounds = 1, .max_depth = 1, .lambda = 0, .colsample = 0.1, .from_prior = false};
  std::vector<int> used(10, 0);
  for (uint64_t seed = 0; seed < 40; ++seed) {
    o.seed = seed;
    for (Tree const& tree : fit_boosted_trees(e, o).trees)
      if (tree.nodes[0].feature >= 0) ++used[size_t(tree.nodes[0].feature)];
  }
  for (int count : used) CHECK(count > 0);  // one of ten features, drawn 120 times: (9/10)^120 = 3e-6 for none
  // binary, the gradient of an item is +-1/2 and its curvature 1/4: a leaf of all items in the sample is 2 (2 p1 - 1)
  Examples two = table::examples(4000, 1, 11, 0, 2);
  BoostOptions root{.rounds = 1, .eta = 1, .lambda = 1e-9, .gamma = 1e9, .subsample = 0.25, .from_prior = false};
  double p1 = 0, leaf = fit_boosted_trees(two, root).trees[0].values[0];
  for (int64_t i = 0; i < 4000; ++i) p1 += double(two.labels.data<int64_t>()[i]) / 4000;
  CHECK(leaf != 4 * p1 - 2);
  CHECK(std::abs(leaf - (4 * p1 - 2)) < 5 * 4 * std::sqrt(p1 * (1 - p1) / 1000));
}

TEST_CASE("missing values: whole columns, items without any value, and at prediction only") {
  Examples e = table::examples(500, 3, 12);
  Tensor p = fit_boosted_trees(e).probabilities(full({2, 3}, missing));
  for (int i = 0; i < 6; ++i) CHECK(std::isfinite(p.data<float>()[i]));
  for (int64_t i = 0; i < 500; ++i) e.x.data<float>()[3 * i + 1] = missing;
  for (int f = 0; f < 3; ++f) e.x.data<float>()[f] = missing;
  BoostedTrees model = fit_boosted_trees(e);
  CHECK(model.importance[1] == 0);
  CHECK(table::accuracy(model.probabilities(e.x), e.labels) > 0.6);
  Examples gaps{.x = from(std::vector<float>{1, missing, 1, missing, 1, missing}, {6, 1}),
                .labels = from(std::vector<int64_t>{0, 1, 0, 1, 0, 1}, {6})};
  BoostedTrees told = fit_boosted_trees(gaps, {.min_child_weight = 0});
  CHECK(table::accuracy(told.probabilities(gaps.x), gaps.labels) == 1);
}

TEST_CASE("boosted trees through a file: the same bits, names and all") {
  TemporaryFolder folder;
  for (int64_t classes : {2, 3}) {
    Examples e = table::examples(400, 4, 13, 0.1, classes);
    e.names = {"f090w", "f115w", "f150w", "size"};
    BoostedTrees model = fit_boosted_trees(e, {.rounds = 7});
    save_boosted_trees(folder / "model.json", model);
    BoostedTrees read = load_boosted_trees(folder / "model.json");
    CHECK(table::same(model.margins(e.x), read.margins(e.x)));
    CHECK(read.names == e.names);
    CHECK(read.importance == model.importance);
    CHECK(read.rounds() == 7);
  }
  CHECK(writer_fault(
            [](std::string const& path) { save_boosted_trees(path, fit_boosted_trees(table::examples(9, 2, 1))); },
            "model.json") == "");
}

TEST_CASE("hostile model files: a clear error, or a model that can be walked") {
  Examples e = table::examples(120, 3, 14, 0.1);
  std::string good = boosted_trees_to_json(fit_boosted_trees(e, {.rounds = 2, .max_depth = 2})).dump();
  auto load = [](std::string const& text) { return boosted_trees_from_json(io::parse_json(text, "m")); };
  auto changed = [&](std::string const& what, std::string const& by) {
    std::string text = good;
    size_t at = text.find(what);
    REQUIRE(at != text.npos);
    return text.replace(at, what.size(), by);
  };
  auto refusal = [&](std::string const& what, std::string const& by) {
    return error_of<ValueError>([&] { load(changed(what, by)); });
  };
  CHECK(contains(refusal("d16 boosted trees", "d16 boosted bees"), "does not hold boosted trees"));
  CHECK(contains(refusal("\"version\":1", "\"version\":2"), "version 2"));
  CHECK(contains(refusal("\"features\":3", "\"features\":0"), "0 features"));
  CHECK(contains(refusal("\"features\":3", "\"features\":2"), "importances for 2"));
  CHECK(contains(refusal("\"classes\":3", "\"classes\":4"), "3 base margins for 4 classes"));
  CHECK(contains(refusal("\"next\":[1,", "\"next\":[0,"), "child is 0"));      // round in circles
  CHECK(contains(refusal("\"next\":[1,", "\"next\":[99,"), "child is 99"));    // out of the tree
  CHECK(contains(refusal("\"next\":[1,", "\"next\":[2,"), "nobody's child"));  // 1 is lost
  CHECK(contains(refusal("\"feature\":[", "\"feature\":[77,"), "nodes; equal numbers"));
  CHECK(contains(refusal("\"values\":[", "\"values\":[1e300,"), "does not fit"));
  CHECK(contains(refusal("\"base\":[", "\"base\":[1e300,"), "base margin"));
  CHECK(contains(refusal("\"trees\":[", "\"tree\":["), "no key \"trees\""));
  TemporaryFolder folder;
  CHECK(contains(error_of<WeightsError>([&] { load_boosted_trees(folder.file("a.json", "[]")); }), "a.json"));
  CHECK(
      contains(error_of<FileError>([&] { load_boosted_trees(folder.file("b.json", good.substr(0, 99))); }), "b.json"));
  CHECK(contains(error_of<FileError>([&] { load_boosted_trees(folder / "absent.json"); }), "cannot open"));

  Random random(15);
  int loaded = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string text = mutated(good, random);
    try {
      BoostedTrees model = load(text);
      ++loaded;
      if (model.features == 3) model.probabilities(e.x);
    } catch (Error const&) {}
  }
  CHECK(loaded > 10);  // some changes are harmless, such as a digit of a threshold
}

TEST_CASE("boosting refuses what it cannot use") {
  Examples e = table::examples(30, 3, 16);
  CHECK_THROWS_WITH_AS(fit_boosted_trees(e, {.patience = 3}),
                       "fit_boosted_trees: patience is 3; early stopping needs a validation set", ValueError);
  CHECK_THROWS_WITH_AS(fit_boosted_trees(e, {}, {.x = zeros({5, 2}), .labels = zeros({5}, {.dtype = DType::i64})}),
                       "fit_boosted_trees: the validation set has 2 features, the training set 3", ShapeError);
  CHECK_THROWS_AS(fit_boosted_trees(e, {.eta = 0}), ValueError);
  CHECK_THROWS_AS(fit_boosted_trees(e, {.eta = std::nan("")}), ValueError);
  CHECK_THROWS_AS(fit_boosted_trees(e, {.subsample = 1.5}), ValueError);
  CHECK_THROWS_AS(fit_boosted_trees(e, {.max_bins = 256}), ValueError);
  CHECK_THROWS_AS(fit_boosted_trees(e, {.max_depth = 0}), ValueError);
  CHECK_THROWS_AS(fit_boosted_trees({.x = e.x, .labels = full({30}, 1, {.dtype = DType::i64})}), ValueError);
  CHECK_THROWS_AS(fit_boosted_trees(e).probabilities(zeros({2, 4})), ShapeError);
  CHECK_THROWS_AS(BoostedTrees().probabilities(e.x), ValueError);
  CHECK_THROWS_AS(boosted_trees_to_json({}), ValueError);
  CHECK(balanced_class_weights(from(std::vector<int64_t>{0, 0, 0, 1}, {4}), 3) ==
        std::vector<double>{4.0 / 9, 4.0 / 3, 1});
}
