// The paired test of two classifiers: what it finds, what it must not find, and what groups and runs do to it.
#include <doctest/doctest.h>
#include <d16/learn/paired.hpp>

using namespace d16;
using learn::paired_test;

namespace {

/// Items of which one classifier has `gain` more right than the other, each right at random half of the time.
struct Rights {
  std::vector<double> one, other;
  Rights(int64_t n, double gain, uint64_t seed) {
    Random random(seed);
    for (int64_t i = 0; i < n; ++i) {
      double hard = random.uniform();  // the same for both
      one.push_back(hard < 0.5 + gain), other.push_back(hard < 0.5);
    }
  }
  double difference(std::vector<int64_t> const& items) const {
    double sum = 0;
    for (int64_t i : items) sum += one[size_t(i)] - other[size_t(i)];
    return sum / double(items.size());
  }
};

}  // namespace

TEST_CASE("paired_test: a real advantage has a small p, its own negative the same, none has a large one") {
  Rights r(2000, 0.03, 1);
  auto better = paired_test(2000, 1, [&](auto const& items, int64_t) { return r.difference(items); });
  auto worse = paired_test(2000, 1, [&](auto const& items, int64_t) { return -r.difference(items); });
  CHECK(better.difference == doctest::Approx(r.difference([] {
          std::vector<int64_t> all(2000);
          std::iota(all.begin(), all.end(), 0);
          return all;
        }())));
  CHECK(better.p == doctest::Approx(2.0 / 1001));  // no sample of 1000 fell below 0
  CHECK(worse.p == better.p);
  CHECK(worse.interval.high == -better.interval.low);
  CHECK(better.interval.low > 0);
  Rights none(2000, 0, 1);
  CHECK(paired_test(2000, 1, [&](auto const& items, int64_t) { return none.difference(items); }).p == 1);
}

TEST_CASE("paired_test: p is uniform when nothing is there") {
  // each item +1 or -1: of 200 tests 10 +- 3 have p < 0.05; 5 sigma either way
  int64_t small = 0;
  for (uint64_t test = 0; test < 200; ++test) {
    Random random(test, 77);
    std::vector<double> d;
    for (int i = 0; i < 60; ++i) d.push_back(random.normal());
    auto mean = [&](std::vector<int64_t> const& items, int64_t) {
      double sum = 0;
      for (int64_t i : items) sum += d[size_t(i)];
      return sum;
    };
    small += paired_test(60, 1, mean, {.samples = 400, .seed = test}).p < 0.05;
  }
  CHECK(small >= 1);
  CHECK(small <= 25);
}

TEST_CASE("paired_test: items that hang together are drawn together, and runs are drawn too") {
  // ten items in one group differ, a thousand others do not: alone they look like ten pieces of evidence, together as one
  auto difference = [](std::vector<int64_t> const& items, int64_t) {
    double sum = 0;
    for (int64_t i : items) sum += i < 10;
    return sum;
  };
  std::vector<int64_t> groups;
  for (int64_t i = 0; i < 1010; ++i) groups.push_back(i < 10 ? 0 : i);
  CHECK(paired_test(1010, 1, difference).p < 0.05);
  CHECK(paired_test(1010, 1, difference, {.groups = groups}).p > 0.3);  // e^-1 of the samples have no item of the group
  // one of five runs is much better, the others a little worse: the mean is positive, the evidence is one run
  auto by_run = [](std::vector<int64_t> const&, int64_t run) { return run == 0 ? 1.0 : -0.1; };
  auto t = paired_test(50, 5, by_run);
  CHECK(t.difference == doctest::Approx(0.12));
  CHECK(t.p > 0.3);
}

TEST_CASE("paired_test: the same for any number of threads; bad arguments are told") {
  Rights r(300, 0.02, 3);
  auto f = [&](std::vector<int64_t> const& items, int64_t) { return r.difference(items); };
  int before = threads();
  set_threads(1);
  auto one = paired_test(300, 2, f, {.samples = 200});
  set_threads(3);
  auto three = paired_test(300, 2, f, {.samples = 200});
  set_threads(before);
  CHECK(one.p == three.p);
  CHECK(one.sigma == three.sigma);
  CHECK_THROWS_AS(paired_test(0, 1, f), ValueError);
  CHECK_THROWS_AS(paired_test(10, 0, f), ValueError);
  CHECK_THROWS_AS(paired_test(300, 1, f, {.groups = {1, 2}}), ShapeError);
}

TEST_CASE("holm: the example of a textbook, in the order given") {
  auto p = learn::holm({0.01, 0.04, 0.03, 0.005});
  CHECK(p[3] == doctest::Approx(0.02));
  CHECK(p[0] == doctest::Approx(0.03));
  CHECK(p[2] == doctest::Approx(0.06));
  CHECK(p[1] == doctest::Approx(0.06));  // never below one with a smaller p
  CHECK(learn::holm({0.9, 0.8}) == std::vector<double>{1, 1});
  CHECK(learn::holm({}).empty());
}
