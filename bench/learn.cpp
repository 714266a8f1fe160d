// Neighbours, t-SNE, HDBSCAN, k-means and silhouettes by the number of rows; peers are in peers/peer_learn.py.
#include <benchmark/benchmark.h>

#include <map>
#include <vector>

#include <d16/core/random.hpp>
#include <d16/learn/hdbscan.hpp>
#include <d16/learn/kmeans.hpp>
#include <d16/learn/silhouette.hpp>
#include <d16/learn/tsne.hpp>

using namespace d16;

namespace {

/// Twelve kinds of rows, each a plane of 4 dimensions with noise about it, in `columns` dimensions.
Tensor const& table(int64_t rows, int64_t columns) {
  static std::map<std::pair<int64_t, int64_t>, Tensor> tables;
  Tensor& x = tables[{rows, columns}];
  if (x.defined()) return x;
  Random random(1);
  std::vector<double> centres, axes;
  for (int64_t i = 0; i < 12 * columns; ++i) centres.push_back(3 * random.normal());
  for (int64_t i = 0; i < 12 * 4 * columns; ++i) axes.push_back(0.4 * random.normal());
  std::vector<float> values;
  for (int64_t i = 0; i < rows; ++i) {
    int64_t const kind = random.integer(12);
    double inner[4];
    for (double& z : inner) z = random.normal();
    for (int64_t c = 0; c < columns; ++c) {
      double v = centres[size_t(kind * columns + c)] + 0.1 * random.normal();
      for (int64_t l = 0; l < 4; ++l) v += inner[l] * axes[size_t((kind * 4 + l) * columns + c)];
      values.push_back(float(v));
    }
  }
  return x = from(values, {rows, columns});
}

void neighbours(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(learn::nearest_neighbours(table(state.range(0), 14), 90));
}
void hdbscan(benchmark::State& state) {
  for (auto _ : state) {
    learn::Clusters c = learn::hdbscan(table(state.range(0), 2), {.min_cluster_size = 100, .min_samples = 10});
    state.counters["clusters"] = double(c.count);
  }
}
void tsne_iterations(benchmark::State& state) {  // affinities and 100 iterations
  for (auto _ : state) {
    learn::TsneMap map = learn::tsne(table(state.range(0), 14), {.early_iterations = 50, .iterations = 50});
    state.counters["divergence"] = map.divergence;
  }
}
void kmeans(benchmark::State& state) {
  for (auto _ : state) {
    learn::KMeans k = learn::kmeans(table(state.range(0), 14), {.clusters = 12, .starts = 1});
    state.counters["inertia"] = k.inertia;
  }
}
void silhouette(benchmark::State& state) {
  Tensor const& x = table(state.range(0), 14);
  Tensor const labels = learn::kmeans(x, {.clusters = 12, .starts = 1}).labels;
  for (auto _ : state) benchmark::DoNotOptimize(learn::silhouette(x, labels));
}

void sizes(benchmark::internal::Benchmark* b) {
  b->ArgName("rows")->Arg(10000)->Arg(85000)->Unit(benchmark::kMillisecond)->UseRealTime();
}

}  // namespace

BENCHMARK(neighbours)->Apply(sizes);
BENCHMARK(hdbscan)->Apply(sizes);
BENCHMARK(tsne_iterations)->Apply(sizes);
BENCHMARK(kmeans)->Apply(sizes);
BENCHMARK(silhouette)->Apply(sizes);
