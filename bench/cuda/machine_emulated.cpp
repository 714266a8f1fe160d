// The GPU benches on the emulator: memory and clock of the host.
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>
#include <stdexcept>

#include <d16/cuda/use.hpp>

#include "machine.hpp"
#include "probes.hpp"

namespace d16::bench {

std::vector<std::pair<std::string, std::string>> machine_facts() {
  return {{"card", "emulator: its times mean nothing"}};
}
Device use_machine() {
  use_cuda_emulated();
  return "cuda_emulated";
}
bool machine_is_small() { return true; }
int64_t cache_bytes() { return 1 << 10; }

void* allocate(size_t bytes) {
  void* const memory = std::aligned_alloc(256, (bytes + 256) / 256 * 256);
  if (!memory) throw std::bad_alloc();
  return memory;
}
void release(void* memory) noexcept { std::free(memory); }
void fill_with_nan(void* memory, size_t bytes) { std::memset(memory, 0xff, bytes); }
void copy_to_host(void* to, void const* from, size_t bytes) { std::memcpy(to, from, bytes); }

void copy_in_order(void* to, void const* from, size_t bytes) { std::memcpy(to, from, bytes); }
PageLocked::PageLocked(size_t bytes) : data(allocate(bytes)) {}
PageLocked::~PageLocked() { release(data); }

void* machine_stream() { return nullptr; }
double milliseconds(int launches, std::function<void(int)> const& run) {
  auto const start = std::chrono::steady_clock::now();
  for (int i = 0; i < launches; ++i) run(i);
  std::chrono::duration<double, std::milli> const spent = std::chrono::steady_clock::now() - start;
  if (char const* error = launch_error()) throw std::runtime_error(error);
  return spent.count();
}
double graph_milliseconds(int, std::function<void(int)> const&) { return std::numeric_limits<double>::quiet_NaN(); }

}  // namespace d16::bench
