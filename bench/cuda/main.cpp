// The GPU benches: our kernels against cuDNN and cuBLAS, and the card's own ceilings.
//   bench_cuda --benchmark_filter='^products/'    sections: ceilings, products, convolutions, D16 convolution,
//                                                  ladder, memory, vision
#include <cstdio>

#include <stamp.hpp>

#include "comparators.hpp"
#include "harness.hpp"

int main(int count, char** words) {
  using namespace d16;
  auto const facts = bench::machine_facts();
  if (facts.empty()) {
    std::puts("skipped: no CUDA device");
    return 77;  // what scripts take for skipped
  }
  for (auto const& [what, value] : facts) benchmark::AddCustomContext(what, value);
  benchmark::AddCustomContext("cuDNN", bench::cudnn_version());
  benchmark::AddCustomContext("cuBLAS", bench::cublas_version());
  benchmark::AddCustomContext("d16", std::string(stamp::version) + " " + stamp::commit);
  benchmark::AddCustomContext("compiler", std::string(stamp::compiler) + " " + stamp::flags);
  bench::add_ceilings();
  bench::add_products();
  bench::add_convolutions();
  bench::add_group_convolutions();
  bench::add_ladders();
  bench::add_memory_ops();
  bench::add_vision();
  benchmark::Initialize(&count, words);
  if (benchmark::ReportUnrecognizedArguments(count, words)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
