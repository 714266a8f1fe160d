// Intervals of shares of which several items are looks of one galaxy.
#include <doctest/doctest.h>

#include <d16/core/random.hpp>

#include "design_effect.hpp"

using tool::Answer;

namespace {
/// Looks of galaxies that are called right with a probability of 0.2 or 0.8, each galaxy its own.
std::vector<Answer> looks(uint64_t seed, int64_t galaxies, int64_t each) {
  d16::Random random(seed);
  std::vector<Answer> out;
  for (int64_t g = 0; g < galaxies; ++g) {
    double p = random.uniform() < 0.5 ? 0.2 : 0.8;
    for (int64_t k = 0; k < each; ++k) out.push_back({g, random.uniform() < p});
  }
  return out;
}
int64_t right_of(std::vector<Answer> const& answers) {
  return std::count_if(answers.begin(), answers.end(), [](Answer const& a) { return a.right; });
}
}  // namespace

TEST_CASE("design effect: 1 where every galaxy has one look") {
  CHECK(tool::design_effect({}) == 1);
  CHECK(tool::design_effect({{1, true}, {2, false}, {3, true}}) == doctest::Approx(1));
  CHECK(tool::design_effect(looks(3, 200, 1)) == doctest::Approx(1));
}

TEST_CASE("design effect: looks that are all alike count once") {
  std::vector<Answer> answers;
  for (int64_t g = 0; g < 100; ++g)
    for (int k = 0; k < 10; ++k) answers.push_back({g, g < 30});
  CHECK(tool::design_effect(answers) == doctest::Approx(10).epsilon(0.02));
  for (Answer& a : answers) a.right = true;  // nothing is seen of it
  CHECK(tool::design_effect(answers) == doctest::Approx(10));
  CHECK(tool::design_effect({{1, true}, {1, false}, {1, true}}) == doctest::Approx(3));
}

TEST_CASE("design effect: 1 + (looks - 1) rho, and as a bootstrap over galaxies says") {
  double mean = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) mean += tool::design_effect(looks(seed, 300, 20)) / 20;
  CHECK(mean == doctest::Approx(1 + 19 * 0.36).epsilon(0.05));  // rho: variance of p, 0.09, over 0.5 (1 - 0.5)
  std::vector<Answer> answers = looks(4, 300, 20);
  std::vector<int64_t> groups;
  for (Answer const& a : answers) groups.push_back(a.group);
  auto share_of = [&](std::vector<int64_t> const& items) {
    double right = 0;
    for (int64_t i : items) right += answers[size_t(i)].right;
    return right / double(items.size());
  };
  auto b = d16::learn::bootstrap(int64_t(answers.size()), share_of, {.samples = 2000, .seed = 1, .groups = groups});
  auto f = tool::share(right_of(answers), int64_t(answers.size()), tool::design_effect(answers));
  CHECK(f.interval.high - f.interval.low == doctest::Approx(b.interval.high - b.interval.low).epsilon(0.06));
}

TEST_CASE("shares: intervals hold what is true as often as they say") {
  int held = 0, held_if_independent = 0, trials = 400;
  for (int trial = 0; trial < trials; ++trial) {
    std::vector<Answer> answers = looks(uint64_t(1000 + trial), 100, 20);
    auto holds = [&](double effect) {
      auto i = tool::share(right_of(answers), int64_t(answers.size()), effect).interval;
      return i.low <= 0.5 && 0.5 <= i.high;
    };
    held += holds(tool::design_effect(answers)), held_if_independent += holds(1);
  }
  CHECK(held > 0.92 * trials);
  CHECK(held < 0.98 * trials);
  CHECK(held_if_independent < 0.7 * trials);
}

TEST_CASE("shares: as many right of fewer") {
  auto f = tool::share(80, 100, 10), g = d16::learn::fraction(8, 10);
  CHECK(f.value == 0.8);
  CHECK(f.n == 100);
  CHECK(f.interval.low == doctest::Approx(g.interval.low));
  CHECK(f.interval.high == doctest::Approx(g.interval.high));
}
