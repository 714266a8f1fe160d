// What the GPU benches need of the machine they run on. machine_cuda.cpp is a GPU, machine_emulated.cpp the emulator,
// which shows on any computer that the benches compute what they say (their times then mean nothing).
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <d16/core/device.hpp>

namespace d16::bench {

/// An empty list when there is no GPU; else facts about it for the results: "card", "clocks", "driver" ...
std::vector<std::pair<std::string, std::string>> machine_facts();
/// The machine as a device of tensors, ready to use.
Device use_machine();
/// Shapes are cut to what the emulator computes in a second.
bool machine_is_small();
/// Bytes of the last cache before memory.
int64_t cache_bytes();

void* allocate(size_t bytes);
void release(void* memory) noexcept;
void fill_with_nan(void* memory, size_t bytes);  ///< every byte 0xff
void copy_to_host(void* to, void const* from, size_t bytes);
/// Between page-locked memory and the device, either way, in order with the launches; the host does not wait.
void copy_in_order(void* to, void const* from, size_t bytes);
struct PageLocked {
  void* data;
  explicit PageLocked(size_t bytes);
  ~PageLocked();
  PageLocked(PageLocked const&) = delete;
  PageLocked& operator=(PageLocked const&) = delete;
};

/// The stream, a cudaStream_t, that everything runs on.
void* machine_stream();

/// Milliseconds between an event before run(0), run(1) .. run(launches - 1) and one behind them.
/// Errors   std::runtime_error: what went wrong in a launch or in a kernel.
double milliseconds(int launches, std::function<void(int)> const& run);
/// The same for launches recorded as a CUDA graph before: what the device alone takes. NaN where none can be.
double graph_milliseconds(int launches, std::function<void(int)> const& run);

}  // namespace d16::bench
