// Intervals: of the cells and classes of a confusion matrix, at another prevalence, of pairs and of runs.
#include <doctest/doctest.h>

#include <d16/learn/intervals.hpp>

#include "table.hpp"

using namespace d16;
using namespace d16::learn;

namespace {
double const epsilon = std::numeric_limits<double>::epsilon();
Tensor labels_of(std::vector<int64_t> const& l) { return from(l, {int64_t(l.size())}); }
Tensor confusion(std::vector<int64_t> const& counts) { return from(counts, {3, 3}); }
}  // namespace

TEST_CASE("fractions of a confusion matrix, row by row and class by class") {
  Tensor m = confusion({8, 2, 0, 5, 15, 0, 0, 0, 0});
  auto cells = confusion_fractions(m);
  CHECK(cells[0][0].value == 0.8);
  CHECK(cells[0][0].interval.low == doctest::Approx(0.4901625).epsilon(1e-6));  // as wilson_interval(8, 10)
  CHECK(cells[1][0].successes == 5);
  CHECK(cells[1][0].n == 20);
  CHECK(std::isnan(cells[2][1].value));  // no items of this class: nothing is known
  CHECK(cells[2][1].interval.low == 0);
  CHECK(cells[2][1].interval.high == 1);
  auto scores = class_scores(m);
  CHECK(scores[0].precision.value == 8.0 / 13);
  CHECK(scores[0].recall.value == 0.8);
  CHECK(scores[1].precision.n == 17);
  CHECK(scores[1].recall.interval.high == wilson_interval(15, 20).high);
  CHECK(std::isnan(scores[2].precision.value));
  CHECK(class_scores(m, 1)[0].recall.interval.low > scores[0].recall.interval.low);  // one sigma is narrower
  CHECK_THROWS_AS(class_scores(zeros({2, 3}, {.dtype = DType::i64})), ShapeError);
  CHECK_THROWS_AS(class_scores(zeros({3, 3})), DTypeError);
  CHECK_THROWS_AS(confusion_fractions(confusion({-1, 0, 0, 0, 0, 0, 0, 0, 0})), ValueError);
}

TEST_CASE("scores at a prevalence: rows weighed, intervals as wide as theory says") {
  // class 0: 90 of 100 right, 10 called 2; class 1: 200, all right; class 2: 40 of 50 right, 10 called 0
  std::vector<int64_t> t, p;
  auto add = [&](int64_t count, int64_t truth, int64_t said) {
    t.insert(t.end(), size_t(count), truth), p.insert(p.end(), size_t(count), said);
  };
  add(90, 0, 0), add(10, 0, 2), add(200, 1, 1), add(40, 2, 2), add(10, 2, 0);
  auto scores = scores_at_prevalence(labels_of(t), labels_of(p), {722, 722, 11}, {.samples = 2000, .seed = 1});
  CHECK(scores[2].recall.value == 0.8);
  CHECK(scores[2].precision.value == doctest::Approx(11 * 0.8 / (11 * 0.8 + 722 * 0.1)).epsilon(8 * epsilon));
  CHECK(scores[1].precision.value == 1);
  CHECK(scores[1].recall.interval.low == 1);
  // a fraction of about n items: sigma^2 = p (1 - p) / n; the bootstrap's own error is 1 / sqrt(2 samples), and the
  // number of items in a sample varies by 1 / sqrt(n), which adds 1 / n to the variance
  CHECK(std::abs(scores[2].recall.sigma / std::sqrt(0.16 / 50) - 1) < 5 / std::sqrt(4000.0) + 1.0 / 50);
  CHECK(scores[2].recall.interval.low < 0.8);
  CHECK(scores[2].recall.interval.high > 0.8);
  // at the frequencies of the test set it is the plain precision
  auto plain = scores_at_prevalence(labels_of(t), labels_of(p), {100, 200, 50}, {.samples = 10});
  CHECK(plain[2].precision.value == doctest::Approx(40.0 / 50).epsilon(8 * epsilon));
  CHECK(plain[0].precision.value == doctest::Approx(90.0 / 100).epsilon(8 * epsilon));
}

TEST_CASE("scores at a prevalence: a class that is never called, classes without items") {
  Tensor t = labels_of({0, 0, 1, 1, 2, 2}), p = labels_of({0, 0, 1, 1, 0, 1});
  auto scores = scores_at_prevalence(t, p, {1, 1, 1}, {.samples = 200});
  CHECK(std::isnan(scores[2].precision.value));
  CHECK(scores[2].precision.interval.high == 1);
  CHECK(scores[2].precision.samples == 0);
  CHECK(scores[2].recall.value == 0);
  CHECK_THROWS_WITH_AS(scores_at_prevalence(labels_of({0, 1}), labels_of({0, 2}), {1, 1, 1}),
                       "scores_at_prevalence: class 2 has no items", ValueError);
  CHECK_THROWS_AS(scores_at_prevalence(t, labels_of({0}), {1, 1, 1}), ShapeError);
  CHECK_THROWS_AS(scores_at_prevalence(t, p, {1, 1, 0}), ValueError);
}

TEST_CASE("scores at a prevalence: the numbers of bootstrap() for each score alone, with and without groups") {
  Random random(5);
  std::vector<int64_t> t, p, groups;
  for (int64_t i = 0; i < 97; ++i) {
    t.push_back(random.integer(3)), groups.push_back(100 - random.integer(13));
    p.push_back(random.uniform() < 0.7 ? t.back() : random.integer(3));
  }
  std::vector<double> const prevalence{722, 722, 11};
  auto rate = [&](std::vector<int64_t> const& items, int64_t truth, int64_t said) {
    double all = 0, so = 0;
    for (int64_t i : items)
      if (t[size_t(i)] == truth) ++all, so += p[size_t(i)] == said;
    return so / all;
  };
  for (bool grouped : {false, true}) {
    BootstrapOptions o{.samples = 60, .level = 0.8, .seed = 7};
    if (grouped) o.groups = groups;
    auto scores = scores_at_prevalence(labels_of(t), labels_of(p), prevalence, o);
    auto same = [](Bootstrap const& a, Bootstrap const& b) {
      // products and quotients of a few counts, in any order: a few epsilon of numbers below 1
      double most = std::max({std::abs(a.value - b.value), std::abs(a.sigma - b.sigma),
                              std::abs(a.interval.low - b.interval.low), std::abs(a.interval.high - b.interval.high)});
      return most < 16 * epsilon && a.samples == b.samples;
    };
    for (int64_t k = 0; k < 3; ++k) {
      auto recall = [&](std::vector<int64_t> const& items) { return rate(items, k, k); };
      auto precision = [&](std::vector<int64_t> const& items) {
        double called = 0;
        for (int64_t c = 0; c < 3; ++c) called += prevalence[size_t(c)] * rate(items, c, k);
        return prevalence[size_t(k)] * rate(items, k, k) / called;
      };
      CHECK(same(scores[size_t(k)].recall, bootstrap(97, recall, o)));
      CHECK(same(scores[size_t(k)].precision, bootstrap(97, precision, o)));
    }
  }
  int before = threads();
  set_threads(1);
  auto one = scores_at_prevalence(labels_of(t), labels_of(p), prevalence);
  set_threads(3);
  auto three = scores_at_prevalence(labels_of(t), labels_of(p), prevalence);
  set_threads(before);
  CHECK(one[2].precision.interval.low == three[2].precision.interval.low);
  CHECK(one[2].precision.sigma == three[2].precision.sigma);
  CHECK_THROWS_AS(scores_at_prevalence(labels_of(t), labels_of(p), prevalence, {.groups = {1, 2}}), ShapeError);
  CHECK_THROWS_AS(scores_at_prevalence(labels_of(t), labels_of(p), prevalence, {.level = 1}), ValueError);
  CHECK_THROWS_AS(scores_at_prevalence(labels_of(t), labels_of(p), prevalence, {.samples = 1}), ValueError);
}

TEST_CASE("a paired bootstrap sees a difference that two intervals hide") {
  Random random(2);
  std::vector<double> one, other;
  for (int i = 0; i < 400; ++i) {
    one.push_back(random.uniform() < 0.8);                    // right or wrong
    other.push_back(one.back() == 1 && i % 20 != 0 ? 1 : 0);  // the same, but for one in twenty
  }
  auto mean_of = [](std::vector<double> const& v) {
    return [&v](std::vector<int64_t> const& items) {
      double sum = 0;
      for (int64_t i : items) sum += v[size_t(i)];
      return sum / double(items.size());
    };
  };
  Bootstrap difference = paired_bootstrap(400, mean_of(one), mean_of(other), {.seed = 3});
  Bootstrap a = bootstrap(400, mean_of(one)), b = bootstrap(400, mean_of(other));
  CHECK(difference.value == doctest::Approx(a.value - b.value).epsilon(1e-12));
  CHECK(difference.interval.low > 0);
  CHECK(b.interval.high > a.interval.low);  // apart they overlap
  double d = difference.value;              // a fraction of the items where they differ
  CHECK(std::abs(difference.sigma / std::sqrt(d * (1 - d) / 400) - 1) < 5 / std::sqrt(2000.0));
}

TEST_CASE("the spread of runs") {
  Spread s = spread_of_runs({0.9, 0.94, 0.92, 0.88});
  CHECK(s.runs == 4);
  CHECK(s.mean == doctest::Approx(0.91).epsilon(8 * epsilon));
  CHECK(s.sigma == doctest::Approx(std::sqrt((1e-4 + 9e-4 + 1e-4 + 9e-4) / 3)).epsilon(1e-13));
  CHECK(s.error_of_mean == s.sigma / 2);
  CHECK(s.low == 0.88);
  CHECK(s.high == 0.94);
  CHECK(std::isnan(spread_of_runs({0.5}).sigma));
  CHECK_THROWS_AS(spread_of_runs({}), ValueError);
  CHECK_THROWS_WITH_AS(spread_of_runs({0.5, std::nan("")}),
                       "spread_of_runs: run 1 gave nan; a finite score of every run is needed", ValueError);
}
