// Which of two classifiers is better: a paired bootstrap over groups of items and runs, and Holm's correction.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <map>
#include <numeric>
#include <vector>

#include "../core/parallel.hpp"
#include "../core/random.hpp"
#include "intervals.hpp"

namespace d16::learn {

struct PairedTest {
  double difference;  ///< mean over the runs, of the data themselves
  double sigma;       ///< standard deviation over the samples
  Interval interval;
  double p;         ///< two-sided: 2 (1 + min(#{<= 0}, #{>= 0})) / (1 + samples), at most 1
  int64_t samples;  ///< those where the difference was finite
};

/// The difference of a score between two classifiers that were both trained several times, run r of one beside run r of
/// the other. A sample draws groups of items and runs, with replacement, the same for both: what makes items hard for
/// both drops out, and a difference that hangs on few groups or on one run has a large p.
/// difference(items, run) is one score minus the other on items, indices in 0 .. n-1, of run 0 .. runs-1; a NaN (a
/// sample without one class) leaves the sample out. It is called from all threads.
/// Cost     (samples + 1) * runs differences.     Deterministic  for a seed, any number of threads.
/// Errors   ValueError for no items, no runs, or fewer than two finite samples; ShapeError for other groups than items.
/// Source   Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapters 8 and 16; the 1 + of Davison & Hinkley
///          1997, eq. 4.11.
inline PairedTest paired_test(int64_t n, int64_t runs,
                              std::function<double(std::vector<int64_t> const&, int64_t run)> const& difference,
                              BootstrapOptions const& o = {}) {
  require<ValueError>(n > 0 && runs > 0, "paired_test: ", n, " items, ", runs, " runs; one of each is needed");
  require<ShapeError>(o.groups.empty() || int64_t(o.groups.size()) == n, "paired_test: ", o.groups.size(),
                      " groups for ", n, " items");
  require<ValueError>(o.level > 0 && o.level < 1 && o.samples > 1, "paired_test: level ", o.level, ", ", o.samples,
                      " samples; a level between 0 and 1 and two samples are needed");
  std::map<int64_t, std::vector<int64_t>> members;
  std::vector<int64_t> all(static_cast<size_t>(n));
  std::iota(all.begin(), all.end(), 0);
  for (int64_t i : all) members[o.groups.empty() ? i : o.groups[size_t(i)]].push_back(i);
  std::vector<std::vector<int64_t> const*> units;
  for (auto const& [group, items] : members) units.push_back(&items);
  std::vector<double> values(size_t(o.samples + 1));
  parallel_tasks(o.samples, [&](int64_t sample) {
    Random random(o.seed, uint64_t(sample));
    std::vector<int64_t> drawn;
    for (size_t i = 0; i < units.size(); ++i) {
      auto const& items = *units[size_t(random.integer(int64_t(units.size())))];
      drawn.insert(drawn.end(), items.begin(), items.end());
    }
    double sum = 0;
    for (int64_t i = 0; i < runs; ++i) sum += difference(drawn, random.integer(runs));
    values[size_t(sample)] = sum / double(runs);
  });
  for (int64_t run = 0; run < runs; ++run) values.back() += difference(all, run) / double(runs);
  Bootstrap b = detail::bootstrap_of(values, o);
  int64_t below = 0, above = 0;
  values.pop_back();
  for (double v : values) below += v <= 0, above += v >= 0;
  double p = 2 * (1 + double(std::min(below, above))) / (1 + double(b.samples));
  return {b.value, b.sigma, b.interval, std::min(1.0, p), b.samples};
}

/// p-values of several tests, corrected so that the chance of any false claim among them stays what is asked of one.
/// Source   Holm 1979, Scandinavian Journal of Statistics 6, 65.
inline std::vector<double> holm(std::vector<double> const& p) {
  std::vector<size_t> order(p.size());
  std::iota(order.begin(), order.end(), size_t(0));
  std::stable_sort(order.begin(), order.end(), [&](size_t i, size_t j) { return p[i] < p[j]; });
  std::vector<double> out(p.size());
  double most = 0;
  for (size_t k = 0; k < order.size(); ++k) {
    most = std::max(most, std::min(1.0, double(p.size() - k) * p[order[k]]));
    out[order[k]] = most;
  }
  return out;
}

}  // namespace d16::learn
