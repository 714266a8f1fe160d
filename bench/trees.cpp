// Boosted trees, forests and single trees on 10,000 rows of 14 features: time of a fit, accuracy on other rows.
#include <benchmark/benchmark.h>

#include <vector>

#include <d16/learn/boosted_trees.hpp>
#include <d16/learn/decision_tree.hpp>
#include <d16/learn/random_forest.hpp>

using namespace d16;

namespace {

constexpr int64_t rows = 10000, features = 14, classes = 3;

/// The number of an index in [0, 1): peers/peer_trees.py makes the same (splitmix64, Steele et al. 2014).
double hashed(uint64_t index) {
  uint64_t z = (index + 1) * 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return double((z ^ (z >> 31)) >> 40) * 0x1p-24;
}

/// Rows `first` .. first + rows - 1 of an endless table; the class is that of a product and a sum, with noise.
learn::Examples table(int64_t first) {
  std::vector<float> x;
  std::vector<int64_t> labels;
  for (int64_t i = first; i < first + rows; ++i) {
    for (int64_t f = 0; f <= features; ++f) x.push_back(float(2 * hashed(uint64_t(i * (features + 1) + f)) - 1));
    float const* row = &x[x.size() - size_t(features) - 1];
    double score = 2 * double(row[0]) * double(row[1]) + double(row[2]) + 0.5 * double(row[features]);
    labels.push_back((score > -0.3) + (score > 0.3));
    x.pop_back();  // the noise
  }
  return {.x = from(x, {rows, features}), .labels = from(labels, {rows}), .classes = classes};
}

/// Times fit(examples) -> model with the number of threads in the argument.
template <class Fit> void time_fit(benchmark::State& state, Fit const& fit) {
  set_threads(int(state.range(0)));
  learn::Examples const train = table(0), test = table(rows);
  for (auto _ : state) benchmark::DoNotOptimize(fit(train));
  Tensor said = learn::argmax(fit(train).probabilities(test.x));
  state.counters["accuracy"] = learn::accuracy(learn::confusion_matrix(test.labels, said, classes));
}

void boosted_trees(benchmark::State& state) {  // 100 rounds of 3 trees, depth 6
  time_fit(state, [](learn::Examples const& e) { return learn::fit_boosted_trees(e); });
}
void random_forest(benchmark::State& state) {  // 100 trees, 3 features in each node
  time_fit(state, [](learn::Examples const& e) { return learn::fit_random_forest(e); });
}
void random_forest_exact(benchmark::State& state) {
  time_fit(state, [](learn::Examples const& e) { return learn::fit_random_forest(e, {.max_bins = 0}); });
}
void decision_tree(benchmark::State& state) {
  time_fit(state, [](learn::Examples const& e) { return learn::fit_decision_tree(e); });
}

void threads(benchmark::internal::Benchmark* b) {
  b->ArgName("threads")->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond)->UseRealTime();
}

}  // namespace

BENCHMARK(boosted_trees)->Apply(threads);
BENCHMARK(random_forest)->Apply(threads);
BENCHMARK(random_forest_exact)->Apply(threads);
BENCHMARK(decision_tree)->ArgName("threads")->Arg(1)->Unit(benchmark::kMillisecond)->UseRealTime();
