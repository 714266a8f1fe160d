// The emulated device's part of the core: its memory is the host's; graphs are lists of launches with an arena each.
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

#include <d16/kernels/cuda/arguments.cuh>
#include <d16/kernels/cuda/fill.cuh>

#include "machine.hpp"

namespace d16::emulated {

namespace {

namespace emulator = kernels::emulated::emulator;

/// The arena goes when the graph and its last block have gone.
struct Graph {
  std::shared_ptr<HostArena> arena = std::make_shared<HostArena>();
  emulator::Recorded actions;
  Graph* before = nullptr;
  bool freed_what_it_did_not_make = false;
};

/// Of this thread: whose memory new tensors take, and what is recorded.
thread_local Graph *entered = nullptr, *capturing = nullptr;

/// Blocks in use that came from the arena of a graph.
struct Owners {
  std::mutex mutex;
  std::unordered_map<void*, std::shared_ptr<HostArena>> of_block;
};
Owners& owners() {
  static Owners& all = *new Owners;  // tensors with static storage may outlive everything else
  return all;
}

void* allocate(int, size_t bytes) {
  if (!entered) return host_arena().allocate(bytes);
  void* const block = entered->arena->allocate(bytes);
  std::lock_guard lock(owners().mutex);
  owners().of_block[block] = entered->arena;
  return block;
}
void release(int, void* block, size_t bytes) noexcept {
  std::shared_ptr<HostArena> owner;
  {
    std::lock_guard lock(owners().mutex);
    if (auto const found = owners().of_block.find(block); found != owners().of_block.end()) {
      owner = std::move(found->second);
      owners().of_block.erase(found);
    }
  }
  if (capturing && owner != capturing->arena) capturing->freed_what_it_did_not_make = true;
  (owner ? *owner : host_arena()).release(block, bytes);
}

void copy(Device, void* to, Device, void const* from, size_t bytes) {
  emulator::do_or_record([=] { std::memcpy(to, from, bytes); });
}
void clear(int, void* memory, size_t bytes) { kernels::emulated::gpu::clear(memory, bytes, nullptr); }
void fill(int, void* memory, int64_t count, void const* element, int element_bytes) {
  kernels::emulated::fill(memory, count, element, element_bytes);
}
void store(int, void* to, void const* from, size_t bytes) { kernels::emulated::send_as_arguments(from, bytes, to); }

Graph* graph_of(void* handle) { return static_cast<Graph*>(handle); }

void* new_graph(int) { return new Graph; }
void enter_graph(void* handle) { graph_of(handle)->before = std::exchange(entered, graph_of(handle)); }
void leave_graph(void* handle) noexcept { entered = graph_of(handle)->before; }
void begin_capture(void* handle) {
  require<DeviceError>(!capturing, "cuda_emulated: a captured step inside of another one");
  capturing = graph_of(handle);
  capturing->arena->hold(true);
  capturing->actions.clear();
  capturing->freed_what_it_did_not_make = false;
  emulator::recorded() = &capturing->actions;
}
void abandon_capture(void* handle) noexcept {
  capturing = nullptr;
  emulator::recorded() = nullptr;
  graph_of(handle)->actions.clear();
}
void end_capture(void* handle) {
  Graph& graph = *graph_of(handle);
  capturing = nullptr;
  emulator::recorded() = nullptr;
  require<DeviceError>(!graph.freed_what_it_did_not_make, "cuda_emulated: ", freed_in_capture);
}
void replay(void* handle) {
  for (auto const& action : graph_of(handle)->actions) action();
}
void free_graph(void* handle) noexcept { delete graph_of(handle); }

}  // namespace

Machine machine() {
  return {
      .allocate = allocate,
      .release = release,
      .copy = copy,
      .clear = clear,
      .fill = fill,
      .store = store,
      .names = [] { return std::vector<std::string>{"CUDA kernels run by the host: slow, for tests and debuggers"}; },
      .new_graph = new_graph,
      .enter_graph = enter_graph,
      .leave_graph = leave_graph,
      .begin_capture = begin_capture,
      .end_capture = end_capture,
      .abandon_capture = abandon_capture,
      .replay = replay,
      .free_graph = free_graph};
}

}  // namespace d16::emulated
