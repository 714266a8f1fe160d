// d16 in the comparison of learners without labels: peer_learn TASK ROWS.npy OUT [MAP.npy] runs one task, writes what it
// found to OUT (raw, little-endian) and prints its seconds and scores as JSON. peer_learn.py calls it.
#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <map>
#include <string>

#include <d16/io/atomic_file.hpp>
#include <d16/io/json.hpp>
#include <d16/io/npy.hpp>
#include <d16/learn/hdbscan.hpp>
#include <d16/learn/kmeans.hpp>
#include <d16/learn/nearest_neighbours.hpp>
#include <d16/learn/silhouette.hpp>
#include <d16/learn/tsne.hpp>
#include <stamp.hpp>

using namespace d16;

namespace {

struct Found {
  Tensor tensor;
  double score;
};

/// Sizes and options as in peer_learn.py.
std::map<std::string, std::function<Found(Tensor const&, Tensor const&)>> const tasks{
    {"tsne",
     [](Tensor const& x, Tensor const&) {
       learn::TsneMap map = learn::tsne(x);
       return Found{map.y, map.divergence};
     }},
    {"divergence",
     [](Tensor const& x, Tensor const& map) {
       learn::TsneDivergence d = learn::tsne_divergence(x, map);
       return Found{d.gradient, d.value};
     }},
    {"hdbscan",
     [](Tensor const& x, Tensor const&) {
       learn::Clusters c = learn::hdbscan(x, {.min_cluster_size = 100, .min_samples = 10});
       return Found{c.labels, double(c.count)};
     }},
    {"kmeans",
     [](Tensor const& x, Tensor const&) {
       learn::KMeans k = learn::kmeans(x, {.clusters = 12, .starts = 5});
       return Found{k.labels, k.inertia};
     }},
    {"silhouette",
     [](Tensor const& x, Tensor const& labels) {
       return Found{labels, learn::silhouette(x, labels).value};
     }},
    {"neighbours",
     [](Tensor const& x, Tensor const&) {
       learn::Neighbours n = learn::nearest_neighbours(x, 90);
       return Found{n.index, double(n.distance.data<float>()[89])};
     }},
};

/// The most memory that this process has had, in MB, as Linux tells it.
double peak_mb() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (word == "VmHWM:") {
      double kilobytes = 0;
      status >> kilobytes;
      return kilobytes / 1024;
    }
  throw FileError("/proc/self/status: no VmHWM; the peak of memory is not known");
}

int run(std::string const& name, std::string const& rows, std::string const& out, std::string const& second) {
  auto const task = tasks.find(name);
  require<ValueError>(task != tasks.end(), "there is no task ", name);
  Tensor const x = io::read_npy(rows), y = second.empty() ? Tensor() : io::read_npy(second);
  auto const start = std::chrono::steady_clock::now();
  Found const found = task->second(x, y);
  double const seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  size_t const bytes = size_t(found.tensor.numel()) * (found.tensor.dtype() == DType::i64 ? 8 : 4);
  char const* data = found.tensor.dtype() == DType::i64 ? reinterpret_cast<char const*>(found.tensor.data<int64_t>())
                                                        : reinterpret_cast<char const*>(found.tensor.data<float>());
  io::write_file(out, std::string(data, bytes));
  std::puts(io::Json::object({{"version", text(stamp::version, " ", stamp::commit)},
                              {"isa", kernels::cpu::isa_name(kernels::cpu::best_isa())},
                              {"seconds", seconds},
                              {"mb", peak_mb()},
                              {"score", found.score}})
                .dump()
                .c_str());
  return 0;
}

}  // namespace

int main(int count, char** words) try {
  require<ValueError>(count == 4 || count == 5, "usage: peer_learn TASK ROWS.npy OUT [MAP.npy]");
  return run(words[1], words[2], words[3], count == 5 ? words[4] : "");
} catch (std::exception const& error) {
  std::fprintf(stderr, "peer_learn: %s\n", error.what());
  return 2;
}
