// Precision and recall by counting at every threshold, weights as copies. Against scikit-learn: tests/golden/.
#include <doctest/doctest.h>

#include <d16/learn/curves.hpp>

#include "table.hpp"

using namespace d16;
using namespace d16::learn;

namespace {
double const epsilon = std::numeric_limits<double>::epsilon();
Tensor labels_of(std::vector<int64_t> const& l) { return from(l, {int64_t(l.size())}); }
Tensor list(std::vector<double> const& v) { return from(v, {int64_t(v.size())}); }
}  // namespace

TEST_CASE("the curve is what counting gives at each of its thresholds") {
  Random random(1);
  std::vector<double> s;
  std::vector<int64_t> l{1, 0};
  for (int i = 0; i < 67; ++i) s.push_back(double(random.integer(9)));  // many ties
  for (int i = 2; i < 67; ++i) l.push_back(random.integer(2));
  auto curve = precision_recall_curve(list(s), labels_of(l));
  double before = INFINITY, area = 0, recall = 0;
  for (auto const& point : curve) {
    CHECK(point.threshold < before);
    before = point.threshold;
    double called = 0, right = 0, there = 0;
    for (size_t i = 0; i < s.size(); ++i) {
      there += double(l[i]);
      if (s[i] >= point.threshold) called += 1, right += double(l[i]);
    }
    CHECK(point.precision == right / called);
    CHECK(point.recall == right / there);
    area += point.precision * (point.recall - recall);
    recall = point.recall;
  }
  CHECK(recall == 1);
  CHECK(average_precision(list(s), labels_of(l)) == doctest::Approx(area).epsilon(67 * epsilon));
}

TEST_CASE("average precision: perfect, useless, and weights are copies") {
  CHECK(average_precision(list({1, 2, 3, 4}), labels_of({0, 0, 1, 1})) == 1);
  CHECK(average_precision(list({5, 5, 5, 5}), labels_of({0, 0, 0, 1})) == 0.25);
  double copies = average_precision(list({1, 2, 2, 3, 4}), labels_of({0, 1, 1, 0, 1}));
  CHECK(average_precision(list({1, 2, 3, 9, 4}), labels_of({0, 1, 0, 0, 1}), list({1, 2, 1, 0, 1})) ==
        doctest::Approx(copies).epsilon(8 * epsilon));
}

TEST_CASE("threshold for a purity: the most complete of the pure ones") {
  Tensor s = list({.9, .8, .7, .6, .5, .4}), l = labels_of({1, 1, 0, 1, 0, 0});
  auto pure = threshold_for_purity(s, l, 1);
  REQUIRE(pure);
  CHECK(pure->completeness == 2.0 / 3);
  CHECK(pure->value == (0.8 + 0.7) / 2);
  auto three_quarters = threshold_for_purity(s, l, 0.75);
  REQUIRE(three_quarters);
  CHECK(three_quarters->completeness == 1);
  CHECK(three_quarters->purity == 0.75);
  CHECK(threshold_for_purity(s, l, 0.1)->value == 0.4);                 // everything
  CHECK(!threshold_for_purity(s, labels_of({0, 1, 0, 1, 0, 0}), 0.9));  // none
  CHECK_THROWS_AS(threshold_for_purity(s, l, 0), ValueError);
  CHECK_THROWS_AS(threshold_for_purity(s, l, 95), ValueError);
}

TEST_CASE("prevalence weights make the sums of the classes as stated") {
  Tensor l = labels_of({0, 0, 0, 1, 1, 2});
  Tensor w = prevalence_weights(l, {722, 722, 11});
  double sums[3] = {}, all = 0;
  for (int i = 0; i < 6; ++i) sums[l.data<int64_t>()[i]] += w.data<double>()[i], all += w.data<double>()[i];
  CHECK(all == doctest::Approx(6).epsilon(8 * epsilon));
  CHECK(sums[0] == doctest::Approx(sums[1]).epsilon(8 * epsilon));
  CHECK(sums[2] / sums[0] == doctest::Approx(11.0 / 722).epsilon(8 * epsilon));
  CHECK(prevalence_weights(l, {1, 0, 1}).data<double>()[3] == 0);
  // purity at a prevalence: one of 2 background items passes, and there is twice as much background as sources
  Tensor s = list({3, 3, 1, 3}), two = labels_of({1, 0, 0, 1});
  CHECK(precision_recall_curve(s, two, prevalence_weights(two, {2, 1}))[0].precision ==
        doctest::Approx(0.5).epsilon(8 * epsilon));
  CHECK_THROWS_WITH_AS(prevalence_weights(labels_of({0, 0, 2}), {1, 1, 1}),
                       "prevalence_weights: class 1 has prevalence 1 and no items", ValueError);
  CHECK_THROWS_AS(prevalence_weights(l, {1, 1}), ValueError);
  CHECK_THROWS_AS(prevalence_weights(l, {0, 0, 0}), ValueError);
  CHECK_THROWS_AS(prevalence_weights(l, {1, 1, -1}), ValueError);
}

TEST_CASE("one class against the rest") {
  Tensor one = one_against_rest(labels_of({0, 2, 1, 2}), 2);
  CHECK(table::same(one, labels_of({0, 1, 0, 1})));
  CHECK_THROWS_AS(one_against_rest(labels_of({0, 1}), 2), ValueError);
}

TEST_CASE("curves refuse what they cannot use") {
  CHECK_THROWS_WITH_AS(average_precision(list({1, 2}), labels_of({1, 1})),
                       "precision_recall_curve: all 2 labels are 1; both classes are needed", ValueError);
  CHECK_THROWS_AS(average_precision(list({1, std::nan("")}), labels_of({0, 1})), ValueError);
  CHECK_THROWS_AS(average_precision(list({1, 2, 3}), labels_of({0, 1})), ShapeError);
  CHECK_THROWS_AS(average_precision(list({1, 2}), labels_of({0, 2})), ValueError);
  CHECK_THROWS_AS(average_precision(list({1, 2}), labels_of({0, 1}), list({1})), ShapeError);
}
