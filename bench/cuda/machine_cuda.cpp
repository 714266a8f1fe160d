// The GPU benches on a GPU: memory and events of the CUDA runtime.
#include <cuda_runtime_api.h>

#include <limits>
#include <stdexcept>

#include <d16/cuda/use.hpp>

#include "machine.hpp"
#include "probes.hpp"

namespace d16::bench {

namespace {

void check(cudaError_t error, char const* what) {
  if (error == cudaSuccess) return;
  static_cast<void>(cudaGetLastError());
  throw std::runtime_error(std::string(what) + ": " + cudaGetErrorString(error));
}

int attribute(cudaDeviceAttr which) {
  int value = 0;
  check(cudaDeviceGetAttribute(&value, which, 0), "an attribute of the device");
  return value;
}

std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

/// A stream and two events that outlive all measurements.
struct Clock {
  cudaStream_t stream = nullptr;
  cudaEvent_t start = nullptr, stop = nullptr;
  Clock() {
    check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "a stream");
    check(cudaEventCreate(&start), "an event");
    check(cudaEventCreate(&stop), "an event");
    set_stream(stream);
  }
};
Clock& main_clock() {
  static Clock clock;
  return clock;
}

double milliseconds_of(std::function<void()> const& run) {
  Clock& c = main_clock();
  check(cudaEventRecord(c.start, c.stream), "an event");
  run();
  check(cudaEventRecord(c.stop, c.stream), "an event");
  check(cudaEventSynchronize(c.stop), "a kernel");
  if (char const* error = launch_error()) throw std::runtime_error(std::string("a launch: ") + error);
  float between = 0;
  check(cudaEventElapsedTime(&between, c.start, c.stop), "the time between two events");
  return double(between);
}

/// Launches as a graph; null where one of them cannot be recorded.
cudaGraphExec_t recorded(int launches, std::function<void(int)> const& run) {
  Clock& c = main_clock();
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  check(cudaStreamBeginCapture(c.stream, cudaStreamCaptureModeThreadLocal), "recording a graph");
  try {
    for (int i = 0; i < launches; ++i) run(i);
  } catch (std::exception const&) {  // the capture has to be ended all the same
  }
  bool const whole = cudaStreamEndCapture(c.stream, &graph) == cudaSuccess && !launch_error();
  if (whole && cudaGraphInstantiate(&executable, graph, 0) != cudaSuccess) executable = nullptr;
  if (graph) static_cast<void>(cudaGraphDestroy(graph));
  static_cast<void>(cudaGetLastError());
  return executable;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> machine_facts() {
  int count = 0, driver = 0, runtime = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess || count == 0) return {};
  cudaDeviceProp card;
  check(cudaGetDeviceProperties(&card, 0), "the properties of the device");
  check(cudaDriverGetVersion(&driver), "the version of the driver");
  check(cudaRuntimeGetVersion(&runtime), "the version of the runtime");
  auto megahertz = [](cudaDeviceAttr which) { return std::to_string(attribute(which) / 1000) + " MHz"; };
  return {{"card", card.name},
          {"compute capability", std::to_string(card.major) + "." + std::to_string(card.minor)},
          {"multiprocessors", std::to_string(card.multiProcessorCount)},
          {"memory", std::to_string(card.totalGlobalMem >> 20) + " MiB"},
          {"L2 cache", std::to_string(card.l2CacheSize >> 20) + " MiB"},
          {"highest clocks", megahertz(cudaDevAttrClockRate) + ", memory " + megahertz(cudaDevAttrMemoryClockRate)},
          {"driver", "for CUDA " + version_text(driver)},
          {"CUDA runtime", version_text(runtime)}};
}

Device use_machine() {
  use_cuda();
  return "cuda";
}
bool machine_is_small() { return false; }
int64_t cache_bytes() { return attribute(cudaDevAttrL2CacheSize); }

void* allocate(size_t bytes) {
  void* memory = nullptr;
  check(cudaMalloc(&memory, bytes ? bytes : 1), "memory of the device");
  return memory;
}
void release(void* memory) noexcept { static_cast<void>(cudaFree(memory)); }
void* machine_stream() { return main_clock().stream; }
void fill_with_nan(void* memory, size_t bytes) {
  check(cudaMemsetAsync(memory, 0xff, bytes, main_clock().stream), "filling memory");
}
void copy_to_host(void* to, void const* from, size_t bytes) {
  cudaStream_t const stream = main_clock().stream;
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream), "a copy to the host");
  check(cudaStreamSynchronize(stream), "a copy to the host");
}

void copy_in_order(void* to, void const* from, size_t bytes) {
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, main_clock().stream), "a copy");
}
PageLocked::PageLocked(size_t bytes) : data(nullptr) {
  check(cudaMallocHost(&data, bytes ? bytes : 1), "page-locked memory");
}
PageLocked::~PageLocked() { static_cast<void>(cudaFreeHost(data)); }

double milliseconds(int launches, std::function<void(int)> const& run) {
  return milliseconds_of([&] {
    for (int i = 0; i < launches; ++i) run(i);
  });
}
double graph_milliseconds(int launches, std::function<void(int)> const& run) {
  cudaGraphExec_t const graph = recorded(launches, run);
  if (!graph) return std::numeric_limits<double>::quiet_NaN();
  auto launch = [&] { check(cudaGraphLaunch(graph, main_clock().stream), "a graph"); };
  milliseconds_of(launch);  // the first launch also uploads it
  double const spent = milliseconds_of(launch);
  static_cast<void>(cudaGraphExecDestroy(graph));
  return spent;
}

}  // namespace d16::bench
