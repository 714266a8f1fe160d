// The runtime of d16::cuda: devices, memory, streams, events, copies, clocks, and errors that say what to do.
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <nvtx3/nvToolsExt.h>
#include <d16/cuda/runtime.hpp>
#include <d16/cuda/stream_arenas.hpp>
#include <d16/kernels/cuda/arguments.cuh>
#include <d16/kernels/cuda/fill.cuh>

#include "machine.hpp"

namespace d16::cuda {

namespace {

template <class... What> void check(cudaError_t error, What const&... what) {
  if (error != cudaSuccess) throw DeviceError(text(what..., ": ", cudaGetErrorString(error)));
}

cudaStream_t native(void* handle) { return static_cast<cudaStream_t>(handle); }

std::string version_text(int version) { return text(version / 1000, ".", version % 1000 / 10); }

// ---- devices ----

__global__ void probe() {}

/// Says why there is no GPU to use, or returns how many there are.
int count_devices() {
  int driver = 0, runtime = 0, count = 0;
  check(cudaDriverGetVersion(&driver), "cuda: the version of the driver");
  check(cudaRuntimeGetVersion(&runtime), "cuda: the version of the runtime");
  require<DeviceError>(driver != 0,
                       "cuda: no NVIDIA driver on this machine; use the device cpu, or cuda_emulated to try kernels");
  cudaError_t const error = cudaGetDeviceCount(&count);
  require<DeviceError>(error != cudaErrorInsufficientDriver, "cuda: the driver is for CUDA ", version_text(driver),
                       ", this program was built with ", version_text(runtime),
                       "; install a newer driver, or build with an older toolkit");
  require<DeviceError>(error != cudaErrorNoDevice && !(error == cudaSuccess && count == 0),
                       "cuda: the driver finds no GPU; look at nvidia-smi and at CUDA_VISIBLE_DEVICES");
  check(error, "cuda: counting the GPUs");
  return count;
}

/// Of this thread: the GPU that the driver has as current one, and the stream on each.
constexpr int most_devices = 64;
struct Current {
  int index = -1;
  void* stream[most_devices] = {};
};
Current& current() {
  static thread_local Current of_thread;
  return of_thread;
}
void select(int index) {
  require<DeviceError>(index >= 0 && index < most_devices, "cuda:", index, ": there is no such GPU");
  if (current().index == index) return;
  check(cudaSetDevice(index), "cuda:", index);
  current().index = index;
}
cudaStream_t stream_of(int index) { return native(current().stream[index]); }

DeviceInfo info_of(int index) {
  cudaDeviceProp properties;
  check(cudaGetDeviceProperties(&properties, index), "cuda:", index, ": its properties");
  DeviceInfo info{properties.name, properties.major, properties.minor, properties.multiProcessorCount, 0, 0};
  select(index);
  check(cudaMemGetInfo(&info.free_bytes, &info.memory_bytes), "cuda:", index, ": its memory");
  return info;
}

/// A GPU that no kernel was compiled for would only say so at the first launch.
void check_kernels_fit(int index) {
  select(index);
  cudaFuncAttributes attributes;
  if (cudaFuncGetAttributes(&attributes, probe) == cudaSuccess) return;
  static_cast<void>(cudaGetLastError());
  DeviceInfo const info = info_of(index);
  throw DeviceError(text("cuda:", index, ": ", info.name, " has compute capability ", info.major, ".", info.minor,
                         ", for which this program has no kernels; build with CMAKE_CUDA_ARCHITECTURES=", info.major,
                         info.minor));
}

/// A captured step: its stream, whose arena nobody else uses, and what was captured.
struct Graph {
  int index;
  void *stream = nullptr, *before = nullptr;
  cudaGraphExec_t executable = nullptr;
  bool freed_what_it_did_not_make = false;
};
thread_local Graph* capturing = nullptr;

// ---- memory ----

struct DeviceMemory {
  int index;

  void* allocate(size_t bytes) {
    select(index);
    void* block = nullptr;
    cudaError_t const error = cudaMalloc(&block, bytes);
    if (error == cudaErrorMemoryAllocation) {
      static_cast<void>(cudaGetLastError());  // told as OutOfMemory, and no fault of the next launch
      return nullptr;
    }
    check(error, name(), ": ", bytes, " bytes of memory");
    return block;
  }
  void release(void* block) noexcept {
    static_cast<void>(cudaSetDevice(index));
    current().index = index;
    static_cast<void>(cudaFree(block));  // waits for the kernels that use it
  }
  std::string name() const { return text("cuda:", index); }
  std::string left() const {
    size_t free_bytes = 0, all = 0;
    if (cudaMemGetInfo(&free_bytes, &all) != cudaSuccess) return "";
    return text(", ", double(free_bytes) / (1 << 20), " of ", double(all) / (1 << 20), " MiB free on the GPU");
  }
};

/// `to` waits for what `from` was asked for so far. Not while a graph is captured, which must not reach other streams:
/// end_capture() refuses it then.
struct InOrder {
  int index;
  void operator()(void* from, void* to) const noexcept {
    if (capturing) {
      capturing->freed_what_it_did_not_make = true;
      return;
    }
    cudaEvent_t event;
    static_cast<void>(cudaSetDevice(index));
    current().index = index;
    if (cudaEventCreateWithFlags(&event, cudaEventDisableTiming) != cudaSuccess) return;
    static_cast<void>(cudaEventRecord(event, native(from)));
    static_cast<void>(cudaStreamWaitEvent(native(to), event, 0));
    static_cast<void>(cudaEventDestroy(event));
  }
};
using Memory = StreamArenas<DeviceMemory, void*, InOrder>;

/// Never destroyed: tensors with static storage may outlive everything else.
Memory& memory(int index) {
  static std::mutex& mutex = *new std::mutex;
  static std::vector<std::unique_ptr<Memory>>& all = *new std::vector<std::unique_ptr<Memory>>(most_devices);
  std::lock_guard lock(mutex);
  auto& slot = all[size_t(index)];
  if (!slot) slot = std::make_unique<Memory>(DeviceMemory{index}, InOrder{index});
  return *slot;
}

void* allocate(int index, size_t bytes) {
  select(index);
  return memory(index).allocate(current().stream[index], bytes);
}
void release(int index, void* block, size_t bytes) noexcept {
  memory(index).release(current().stream[index], block, bytes);
}
void clear(int index, void* at, size_t bytes) {
  select(index);
  check(cudaMemsetAsync(at, 0, bytes, stream_of(index)), "cuda:", index, ": clearing ", bytes, " bytes");
}

/// Runs a launcher on the current stream of this thread.
template <class Launch> void launch(int index, char const* what, Launch const& launch_it) {
  select(index);
  kernels::gpu::current_stream() = static_cast<kernels::gpu::Stream>(current().stream[index]);
  launch_it();
  char const* const error = kernels::gpu::last_error();
  require<DeviceError>(!error, "cuda:", index, ": ", what, ": ", error ? error : "");
}
void fill(int index, void* to, int64_t count, void const* element, int element_bytes) {
  launch(index, "filling a tensor", [&] { kernels::fill(to, count, element, element_bytes); });
}
/// As an argument of a kernel: nothing of the host is read later.
void store(int index, void* to, void const* from, size_t bytes) {
  launch(index, "storing a number", [&] { kernels::send_as_arguments(from, bytes, to); });
}

// ---- copies ----

void wait_for(int index) { check(cudaStreamSynchronize(stream_of(index)), "cuda:", index); }

bool is_pinned(void const* host) {
  cudaPointerAttributes attributes;
  check(cudaPointerGetAttributes(&attributes, host), "cuda: what kind of memory a pointer has");
  return attributes.type == cudaMemoryTypeHost;
}

/// Two page-locked buffers: while one is on its way, the host fills or empties the other.
class Staging {
 public:
  static constexpr size_t bytes = size_t(4) << 20;

  Staging() {
    for (int i = 0; i < 2; ++i) {
      check(cudaMallocHost(&buffer_[i], bytes), "cuda: ", bytes, " bytes of page-locked memory");
      check(cudaEventCreateWithFlags(&moved_[i], cudaEventDisableTiming), "cuda: an event");
    }
  }
  void send(char* to, char const* from, size_t size, cudaStream_t stream) {
    for (size_t at = 0; at < size; at += bytes) {
      size_t const piece = std::min(bytes, size - at);
      int const i = next();
      std::memcpy(buffer_[i], from + at, piece);
      start(i, to + at, buffer_[i], piece, cudaMemcpyHostToDevice, stream);
    }
  }
  void fetch(char* to, char const* from, size_t size, cudaStream_t stream) {
    int before = -1;
    size_t before_at = 0;
    for (size_t at = 0; at < size; at += bytes) {
      int const i = next();
      start(i, buffer_[i], from + at, std::min(bytes, size - at), cudaMemcpyDeviceToHost, stream);
      if (before >= 0) empty(before, to + before_at, bytes);
      before = i, before_at = at;
    }
    if (before >= 0) empty(before, to + before_at, size - before_at);
  }
  std::mutex mutex;

 private:
  int next() {
    turn_ ^= 1;
    check(cudaEventSynchronize(moved_[turn_]), "cuda: an earlier copy");
    return turn_;
  }
  void start(int i, void* to, void const* from, size_t size, cudaMemcpyKind kind, cudaStream_t stream) {
    check(cudaMemcpyAsync(to, from, size, kind, stream), "cuda: a copy of ", size, " bytes");
    check(cudaEventRecord(moved_[i], stream), "cuda: an event");
  }
  void empty(int i, char* to, size_t size) {
    check(cudaEventSynchronize(moved_[i]), "cuda: a copy to the host");
    std::memcpy(to, buffer_[i], size);
  }

  void* buffer_[2] = {};
  cudaEvent_t moved_[2] = {};
  int turn_ = 0;
};

/// Of one GPU, made when it is first needed. Never destroyed.
Staging& staging(int index) {
  static std::mutex& mutex = *new std::mutex;
  static std::vector<std::unique_ptr<Staging>>& all = *new std::vector<std::unique_ptr<Staging>>(most_devices);
  std::lock_guard lock(mutex);
  auto& slot = all[size_t(index)];
  if (!slot) slot = std::make_unique<Staging>();
  return *slot;
}

void copy_to_gpu(int index, void* to, void const* from, size_t bytes) {
  select(index);
  if (is_pinned(from)) {
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream_of(index)), "cuda:", index, ": a copy");
    return wait_for(index);
  }
  Staging& s = staging(index);
  std::lock_guard lock(s.mutex);
  s.send(static_cast<char*>(to), static_cast<char const*>(from), bytes, stream_of(index));
}
void copy_to_host(int index, void* to, void const* from, size_t bytes) {
  select(index);
  if (is_pinned(to)) {
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream_of(index)), "cuda:", index, ": a copy");
    return wait_for(index);
  }
  Staging& s = staging(index);
  std::lock_guard lock(s.mutex);
  s.fetch(static_cast<char*>(to), static_cast<char const*>(from), bytes, stream_of(index));
}
void copy_between(int to_index, void* to, int from_index, void const* from, size_t bytes) {
  if (to_index != from_index) {
    select(from_index);
    wait_for(from_index);
  }
  select(to_index);
  check(cudaMemcpyPeerAsync(to, to_index, from, from_index, bytes, stream_of(to_index)), "cuda:", from_index,
        ": a copy to cuda:", to_index);
  if (to_index != from_index) wait_for(to_index);  // the other GPU may then change what was copied
}
void copy(Device to_device, void* to, Device from_device, void const* from, size_t bytes) {
  if (bytes == 0) return;
  if (from_device.is_host()) copy_to_gpu(to_device.index, to, from, bytes);
  else if (to_device.is_host()) copy_to_host(from_device.index, to, from, bytes);
  else copy_between(to_device.index, to, from_device.index, from, bytes);
}

// ---- launches ----

bool& synchronous() {
  static bool on = [] {
    char const* const value = std::getenv("D16_CUDA_SYNC");
    return value && std::strcmp(value, "1") == 0;
  }();
  return on;
}

void before(int index, char const* op) {
  select(index);
  kernels::gpu::current_stream() = static_cast<kernels::gpu::Stream>(current().stream[index]);
  nvtxRangePushA(op);
}
void after(int index, char const* op) {
  nvtxRangePop();
  char const* const error = kernels::gpu::last_error();
  require<DeviceError>(!error, op, ": cuda:", index, " did not start the kernel: ", error ? error : "");
  if (synchronous() && !capturing) check(cudaStreamSynchronize(stream_of(index)), op, ": on cuda:", index);
}

struct Clock {
  cudaEvent_t start = nullptr, stop = nullptr;
};
/// Of this thread and GPU; two events each, kept to the end of the process.
Clock& clock_of(int index) {
  static thread_local Clock clocks[most_devices];
  Clock& clock = clocks[index];
  if (!clock.start) {
    check(cudaEventCreate(&clock.start), "cuda: an event");
    check(cudaEventCreate(&clock.stop), "cuda: an event");
  }
  return clock;
}
void start_clock(int index) {
  select(index);
  check(cudaEventRecord(clock_of(index).start, stream_of(index)), "cuda: an event");
}
double stop_clock(int index) {
  select(index);
  Clock& clock = clock_of(index);
  float ms = 0;
  check(cudaEventRecord(clock.stop, stream_of(index)), "cuda: an event");
  check(cudaEventSynchronize(clock.stop), "cuda:", index);
  check(cudaEventElapsedTime(&ms, clock.start, clock.stop), "cuda: the time between two events");
  return double(ms);
}

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (DeviceInfo const& d : devices())
    all.push_back(text(d.name, ", compute capability ", d.major, ".", d.minor, ", ", d.multiprocessors,
                       " multiprocessors, ", d.free_bytes >> 20, " of ", d.memory_bytes >> 20, " MiB free"));
  return all;
}

void* allocate_pinned(size_t bytes) {
  void* memory = nullptr;
  cudaError_t const error = cudaMallocHost(&memory, std::max<size_t>(1, bytes));
  if (error != cudaSuccess) static_cast<void>(cudaGetLastError());
  require<OutOfMemory>(error == cudaSuccess, "cuda: ", double(bytes) / (1 << 20),
                       " MiB of page-locked memory asked, which the system does not give: ", cudaGetErrorString(error));
  return memory;
}
void release_pinned(void* memory) noexcept { static_cast<void>(cudaFreeHost(memory)); }

// ---- graphs ----

Graph* graph_of(void* handle) { return static_cast<Graph*>(handle); }

/// Streams of graphs, threads and Streams that are gone, for the next ones: blocks of their arenas may still be in use.
struct FreeStreams {
  std::mutex mutex;
  std::vector<void*> of_device[most_devices];
};
FreeStreams& free_streams() {
  static FreeStreams& streams = *new FreeStreams;
  return streams;
}
void* spare_stream(int index) {
  std::lock_guard lock(free_streams().mutex);
  auto& list = free_streams().of_device[index];
  if (!list.empty()) {
    void* const stream = list.back();
    list.pop_back();
    return stream;
  }
  cudaStream_t stream;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cuda:", index, ": a stream");
  return stream;
}

void give_back(int index, void* stream) noexcept {
  std::lock_guard lock(free_streams().mutex);
  free_streams().of_device[index].push_back(stream);
}

/// Of this thread, until it ends.
struct OwnStream {
  int index = -1;
  void* stream = nullptr;
  ~OwnStream() {
    if (!stream) return;
    static_cast<void>(cudaStreamSynchronize(native(stream)));
    give_back(index, stream);
  }
};
void own_stream(int index) {
  static thread_local OwnStream own;
  select(index);
  require<DeviceError>(!own.stream || own.index == index, "cuda:", index,
                       ": this thread has a stream on cuda:", own.index);
  if (!own.stream) own.index = index, own.stream = spare_stream(index);
  current().stream[index] = own.stream;
}

void* new_graph(int index) {
  select(index);
  auto graph = std::make_unique<Graph>(Graph{.index = index});
  graph->stream = spare_stream(index);
  return graph.release();
}
void enter_graph(void* handle) {
  Graph& g = *graph_of(handle);
  select(g.index);
  g.before = current().stream[g.index];
  InOrder{g.index}(g.before, g.stream);
  current().stream[g.index] = g.stream;
}
void leave_graph(void* handle) noexcept {
  Graph& g = *graph_of(handle);
  InOrder{g.index}(g.stream, g.before);
  current().stream[g.index] = g.before;
}
void drop_executable(Graph& g) noexcept {
  if (cudaGraphExec_t const old = std::exchange(g.executable, nullptr)) static_cast<void>(cudaGraphExecDestroy(old));
}
void begin_capture(void* handle) {
  Graph& g = *graph_of(handle);
  require<DeviceError>(!capturing, "cuda:", g.index, ": a captured step inside of another one");
  drop_executable(g);
  memory(g.index).hold(g.stream, true);
  // Relaxed: the arena may ask for memory, and other threads may do what they like.
  check(cudaStreamBeginCapture(native(g.stream), cudaStreamCaptureModeRelaxed), "cuda:", g.index, ": capturing a step");
  g.freed_what_it_did_not_make = false;
  capturing = &g;
}
void abandon_capture(void* handle) noexcept {
  cudaGraph_t unfinished = nullptr;
  capturing = nullptr;
  static_cast<void>(cudaStreamEndCapture(native(graph_of(handle)->stream), &unfinished));
  if (unfinished) static_cast<void>(cudaGraphDestroy(unfinished));
  static_cast<void>(cudaGetLastError());
}
void end_capture(void* handle) {
  Graph& g = *graph_of(handle);
  cudaGraph_t captured = nullptr;
  capturing = nullptr;
  check(cudaStreamEndCapture(native(g.stream), &captured), "cuda:", g.index, ": the end of a captured step");
  cudaError_t const error = cudaGraphInstantiate(&g.executable, captured, 0);
  static_cast<void>(cudaGraphDestroy(captured));
  check(error, "cuda:", g.index, ": making a graph of a captured step");
  require<DeviceError>(!g.freed_what_it_did_not_make, "cuda:", g.index, ": ", freed_in_capture);
}
void replay(void* handle) {
  Graph const& g = *graph_of(handle);
  check(cudaGraphLaunch(g.executable, native(g.stream)), "cuda:", g.index, ": a captured step");
}
void free_graph(void* handle) noexcept {
  std::unique_ptr<Graph> const g(graph_of(handle));
  static_cast<void>(cudaStreamSynchronize(native(g->stream)));
  drop_executable(*g);
  memory(g->index).hold(g->stream, false);
  give_back(g->index, g->stream);
}

}  // namespace

Machine machine() {
  int const count = count_devices();
  for (int i = 0; i < count; ++i) check_kernels_fit(i);
  select(0);
  return {.allocate = allocate,
          .release = release,
          .copy = copy,
          .clear = clear,
          .fill = fill,
          .store = store,
          .before = before,
          .after = after,
          .start_clock = start_clock,
          .stop_clock = stop_clock,
          .names = names,
          .allocate_pinned = allocate_pinned,
          .release_pinned = release_pinned,
          .own_stream = own_stream,
          .finish =
              [](int index) {
                select(index);
                wait_for(index);
              },
          .new_graph = new_graph,
          .enter_graph = enter_graph,
          .leave_graph = leave_graph,
          .begin_capture = begin_capture,
          .end_capture = end_capture,
          .abandon_capture = abandon_capture,
          .replay = replay,
          .free_graph = free_graph};
}

std::vector<DeviceInfo> devices() {
  std::vector<DeviceInfo> all;
  int const count = count_devices();
  int before = 0;
  check(cudaGetDevice(&before), "cuda: the current GPU");
  for (int i = 0; i < count; ++i) all.push_back(info_of(i));
  select(before);
  return all;
}

void synchronise(int index) {
  select(index);
  check(cudaDeviceSynchronize(), "cuda:", index);
}
void set_synchronous(bool on) { synchronous() = on; }
MemoryUse memory_use(int index) { return memory(index).use(); }
void trim_memory(int index) {
  select(index);
  memory(index).trim();
}

Stream::Stream(int index) : index_(index) {
  select(index);
  handle_ = spare_stream(index);
}
Stream::~Stream() {
  if (!handle_) return;
  static_cast<void>(cudaStreamSynchronize(native(handle_)));
  give_back(index_, handle_);
}
void Stream::synchronise() const {
  select(index_);
  check(cudaStreamSynchronize(native(handle_)), "cuda:", index_);
}
Stream& Stream::main(int index) {
  require<DeviceError>(index >= 0 && index < most_devices, "cuda:", index, ": there is no such GPU");
  static std::vector<std::unique_ptr<Stream>>& all = *[] {
    auto* const made = new std::vector<std::unique_ptr<Stream>>;
    for (int i = 0; i < most_devices; ++i) made->emplace_back(new Stream(i, nullptr));
    return made;
  }();
  return *all[size_t(index)];
}

StreamScope::StreamScope(Stream const& stream)
    : index_(stream.index_), before_(std::exchange(current().stream[stream.index_], stream.handle_)) {}
StreamScope::~StreamScope() { current().stream[index_] = before_; }

Event::~Event() { drop(); }
void Event::drop() noexcept {
  if (void* const handle = std::exchange(handle_, nullptr))
    static_cast<void>(cudaEventDestroy(static_cast<cudaEvent_t>(handle)));
}
Event& Event::record(Stream const& stream) {
  select(stream.index());
  if (index_ != stream.index()) drop();
  if (!handle_) {
    cudaEvent_t event;
    check(cudaEventCreate(&event), "cuda: an event");
    handle_ = event, index_ = stream.index();
  }
  check(cudaEventRecord(static_cast<cudaEvent_t>(handle_), native(stream.handle_)), "cuda: an event");
  return *this;
}
Event& Event::wait(Stream const& stream) {
  if (!handle_) return *this;
  select(stream.index());
  check(cudaStreamWaitEvent(native(stream.handle_), static_cast<cudaEvent_t>(handle_), 0), "cuda: an event");
  return *this;
}
void Event::synchronise() const {
  if (handle_) check(cudaEventSynchronize(static_cast<cudaEvent_t>(handle_)), "cuda: an event");
}
double Event::milliseconds_since(Event const& start) const {
  require<DeviceError>(handle_ && start.handle_, "cuda: the time between two events, one of which was never recorded");
  float ms = 0;
  check(cudaEventElapsedTime(&ms, static_cast<cudaEvent_t>(start.handle_), static_cast<cudaEvent_t>(handle_)),
        "cuda: the time between two events");
  return double(ms);
}

Tensor pinned_empty(Shape shape, DType dtype) {
  size_t const bytes = size_t(shape.numel() * size_of(dtype));
  auto const free_pinned = [](detail::Storage* storage) {
    release_pinned(storage->data);
    delete storage;
  };
  std::shared_ptr<detail::Storage> storage(new detail::Storage(allocate_pinned(bytes), bytes), free_pinned);
  return Tensor::make(shape, {.dtype = dtype, .device = Device()}, std::move(storage));
}

}  // namespace d16::cuda
