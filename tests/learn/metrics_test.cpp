// Scores against scikit-learn, by counting pairs, and by their laws.
#include <doctest/doctest.h>
#include <d16/learn/metrics.hpp>

#include <numeric>

using namespace d16;

namespace {
using Labels = std::vector<int64_t>;
Tensor labels(Labels const& v) { return from(v, {int64_t(v.size())}); }
Tensor scores(std::vector<double> const& v) { return from(v, {int64_t(v.size())}); }
double const epsilon = std::numeric_limits<double>::epsilon();
}  // namespace

TEST_CASE("roc_auc as scikit-learn, and as the fraction of pairs in the right order") {
  CHECK(learn::roc_auc(scores({.1, .4, .4, .8, .8, .8, .3, .4}), labels({0, 0, 1, 1, 0, 1, 0, 1})) == 0.75);
  Random random(3);
  for (int round = 0; round < 20; ++round) {
    std::vector<double> s;
    Labels l{0, 1};
    for (int i = 0; i < 31; ++i) s.push_back(double(random.integer(7)));  // many ties
    for (int i = 2; i < 31; ++i) l.push_back(random.integer(2));
    double won = 0, pairs = 0;
    for (size_t i = 0; i < s.size(); ++i)
      for (size_t j = 0; j < s.size(); ++j)
        if (l[i] == 1 && l[j] == 0) won += s[i] > s[j] ? 1 : s[i] == s[j] ? 0.5 : 0, pairs += 1;
    double auc = learn::roc_auc(scores(s), labels(l));
    CHECK(auc == won / pairs);
    auto curve = learn::roc_curve(scores(s), labels(l));
    double area = 0;
    for (size_t i = 1; i < curve.size(); ++i)
      area += (curve[i].false_positive_rate - curve[i - 1].false_positive_rate) *
              (curve[i].true_positive_rate + curve[i - 1].true_positive_rate) / 2;
    CHECK(std::abs(area - auc) < 31 * epsilon);
    CHECK(curve.back().false_positive_rate == 1);
    CHECK(curve.back().true_positive_rate == 1);
    CHECK(std::isinf(curve.front().threshold));
  }
}

TEST_CASE("confusion matrix, accuracy, recalls, balanced accuracy") {
  Tensor m = learn::confusion_matrix(labels({0, 0, 0, 1, 2, 0}), labels({0, 1, 0, 1, 1, 0}), 4);
  Labels expected{3, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0};
  for (size_t i = 0; i < 16; ++i) CHECK(m.data<int64_t>()[i] == expected[i]);
  CHECK(learn::accuracy(m) == 4.0 / 6);
  CHECK(learn::balanced_accuracy(m) == (0.75 + 1 + 0) / 3);  // the fourth class has no items
  CHECK(std::isnan(learn::recalls(m)[3]));
  CHECK_THROWS_WITH_AS(learn::confusion_matrix(labels({0, 4}), labels({0, 0}), 4),
                       "confusion_matrix: labels[1] is 4; classes are 0 to 3", ValueError);
  CHECK_THROWS_AS(learn::confusion_matrix(labels({0, 1}), labels({0}), 2), ShapeError);
  CHECK_THROWS_AS(learn::confusion_matrix(scores({0}), labels({0}), 2), DTypeError);
  CHECK_THROWS_AS(learn::accuracy(zeros({2, 2}, {.dtype = DType::i64})), ValueError);
}

TEST_CASE("argmax takes the first of equals") {
  Tensor a = learn::argmax(from(std::vector<float>{0, 2, 2, -1, -3, -2}, {2, 3}));
  CHECK(a.data<int64_t>()[0] == 1);
  CHECK(a.data<int64_t>()[1] == 0);
  CHECK_THROWS_AS(learn::argmax(zeros({3})), ShapeError);
}

TEST_CASE("best_threshold is the best of all cuts, between two scores") {
  auto t = learn::best_threshold(scores({.1, .2, .6, .7, .9, .3}), labels({0, 0, 1, 0, 1, 0}));
  CHECK(t.balanced_accuracy == (1 + 3.0 / 4) / 2);
  CHECK(t.value == (0.6 + 0.3) / 2);
  Random random(4);
  std::vector<double> s;
  Labels l;
  for (int i = 0; i < 200; ++i) l.push_back(random.integer(2)), s.push_back(double(l.back()) + random.normal());
  auto best = learn::best_threshold(scores(s), labels(l));
  auto balanced = [&](double cut) {
    double hit[2] = {}, all[2] = {};
    for (size_t i = 0; i < s.size(); ++i) all[l[i]] += 1, hit[l[i]] += (s[i] >= cut) == (l[i] == 1);
    return (hit[0] / all[0] + hit[1] / all[1]) / 2;
  };
  CHECK(std::abs(balanced(best.value) - best.balanced_accuracy) < 4 * epsilon);
  for (double cut : s) CHECK(balanced(cut) <= best.balanced_accuracy + 4 * epsilon);
}

TEST_CASE("the Wilson interval") {
  auto i = learn::wilson_interval(8, 10);  // Wilson 1927 as in statsmodels.proportion_confint(8, 10, method="wilson")
  CHECK(i.low == doctest::Approx(0.4901625).epsilon(1e-6));
  CHECK(i.high == doctest::Approx(0.9433178).epsilon(1e-6));
  CHECK(learn::wilson_interval(0, 5).low == 0);
  CHECK(learn::wilson_interval(5, 5).high == 1);
  CHECK_THROWS_AS(learn::wilson_interval(6, 5), ValueError);
}

TEST_CASE("bootstrap: width as theory says, seeded, whole groups, samples without a class left out") {
  std::vector<double> x;
  Random random(1);
  for (int i = 0; i < 400; ++i) x.push_back(random.normal());
  auto mean = [&](std::vector<int64_t> const& items) {
    double sum = 0;
    for (int64_t i : items) sum += x[size_t(i)];
    return sum / double(items.size());
  };
  auto b = learn::bootstrap(400, mean, {.samples = 2000, .seed = 5});
  double squares = 0;
  for (double v : x) squares += (v - b.value) * (v - b.value) / 400;
  CHECK(b.samples == 2000);
  CHECK(std::abs(b.sigma / std::sqrt(squares / 400) - 1) < 5 / std::sqrt(2 * 2000.0));
  CHECK(b.interval.low < b.value);
  CHECK(b.interval.high > b.value);
  CHECK(std::abs((b.interval.high - b.interval.low) / b.sigma / 3.92 - 1) < 0.1);
  auto again = learn::bootstrap(400, mean, {.samples = 2000, .seed = 5});
  CHECK(again.interval.low == b.interval.low);
  CHECK(learn::bootstrap(400, mean, {.samples = 2000, .seed = 6}).interval.low != b.interval.low);
  // every item ten times: drawn one by one the error shrinks by sqrt(10), drawn by groups it does not
  Labels groups;
  for (int64_t i = 0; i < 4000; ++i) groups.push_back(i % 400);
  auto copies = [&](std::vector<int64_t> const& items) {
    double sum = 0;
    for (int64_t i : items) sum += x[size_t(i % 400)];
    return sum / double(items.size());
  };
  double by_group = learn::bootstrap(4000, copies, {.samples = 500, .groups = groups}).sigma;
  double one_by_one = learn::bootstrap(4000, copies, {.samples = 500}).sigma, bound = 5 / std::sqrt(500.0);
  CHECK(std::abs(by_group / b.sigma - 1) < bound);
  CHECK(std::abs(one_by_one * std::sqrt(10) / b.sigma - 1) < bound);
  auto rare = [](std::vector<int64_t> const& items) {
    for (int64_t i : items)
      if (i == 0) return 1.0;
    return std::numeric_limits<double>::quiet_NaN();
  };
  auto r = learn::bootstrap(3, rare, {.samples = 300});  // (2/3)^3 of the samples miss item 0
  CHECK(std::abs(double(r.samples) / 300 - 19.0 / 27) < 5 * std::sqrt(19.0 * 8 / 27 / 27 / 300));
  CHECK_THROWS_AS(learn::bootstrap(0, rare), ValueError);
  CHECK_THROWS_AS(learn::bootstrap(3, rare, {.groups = {1}}), ShapeError);
}

TEST_CASE("Brier score and reliability") {
  Tensor p = scores({0.1, 0.9, 0.8, 1.0, 0.0}), l = labels({0, 1, 0, 1, 0});
  CHECK(learn::brier_score(p, l) == doctest::Approx((0.01 + 0.01 + 0.64) / 5));
  auto bins = learn::reliability_bins(p, l, 5);
  REQUIRE(bins.size() == 5);
  CHECK(bins[0].count == 2);
  CHECK(bins[0].mean_probability == doctest::Approx(0.05));
  CHECK(bins[0].fraction == 0);
  CHECK(bins[4].count == 3);  // 1.0 belongs to the last bin
  CHECK(bins[4].fraction == doctest::Approx(2.0 / 3));
  CHECK(std::isnan(bins[2].fraction));
  CHECK(learn::calibration_error(bins) == doctest::Approx(2.0 / 5 * 0.05 + 3.0 / 5 * (0.9 - 2.0 / 3)));
  CHECK_THROWS_AS(learn::reliability_bins(scores({1.5}), labels({1})), ValueError);
}

TEST_CASE("scores refuse NaN, other labels, one class only") {
  CHECK_THROWS_WITH_AS(learn::roc_auc(scores({1, 2}), labels({1, 1})),
                       "roc_auc: all 2 labels are 1; both classes are needed", ValueError);
  CHECK_THROWS_AS(learn::roc_auc(scores({1, std::numeric_limits<double>::quiet_NaN()}), labels({0, 1})), ValueError);
  CHECK_THROWS_AS(learn::roc_auc(scores({1, 2}), labels({0, 2})), ValueError);
  CHECK_THROWS_AS(learn::roc_auc(scores({1, 2, 3}), labels({0, 1})), ShapeError);
}
