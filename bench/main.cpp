// The main function of every bench: Google Benchmark's, with a stamp of machine and build in the results.
#include <benchmark/benchmark.h>

#include <fstream>
#include <string>

#include <d16/core/parallel.hpp>
#include <d16/kernels/cpu/isa.hpp>
#include <stamp.hpp>

namespace {

std::string cpu_model() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);)
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  return "unknown";
}

}  // namespace

int main(int count, char** words) {
  benchmark::AddCustomContext("d16", std::string(d16::stamp::version) + " " + d16::stamp::commit);
  benchmark::AddCustomContext("compiler", std::string(d16::stamp::compiler) + " " + d16::stamp::flags);
  benchmark::AddCustomContext("cpu", cpu_model());
  benchmark::AddCustomContext("isa", d16::kernels::cpu::isa_name(d16::kernels::cpu::best_isa()));
  benchmark::AddCustomContext("threads", std::to_string(d16::threads()));
  benchmark::Initialize(&count, words);
  if (benchmark::ReportUnrecognizedArguments(count, words)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
