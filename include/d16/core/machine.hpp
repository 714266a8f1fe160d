// What a GPU does for tensors: memory, copies, streams. Null in programs without one; d16::use_cuda() fills it in.
#pragma once
#include <cstring>

#include "allocator.hpp"
#include "capture.hpp"
#include "device.hpp"

namespace d16 {

/// The functions of a GPU's runtime, so that no other header knows CUDA. All of them throw DeviceError.
struct Machine {
  void* (*allocate)(int index, size_t bytes) = nullptr;  ///< also throws OutOfMemory
  void (*release)(int index, void* memory, size_t bytes) noexcept = nullptr;
  /// In order with the kernels of both devices; has ended, as far as the host can tell, when it returns.
  void (*copy)(Device to_device, void* to, Device from_device, void const* from, size_t bytes) = nullptr;
  void (*clear)(int index, void* memory, size_t bytes) = nullptr;
  /// Copies of one element, in order with the kernels.
  void (*fill)(int index, void* memory, int64_t count, void const* element, int element_bytes) = nullptr;
  /// At most 64 bytes from the host, which does not wait; in order with the kernels.
  void (*store)(int index, void* to, void const* from, size_t bytes) = nullptr;
  void (*before)(int index, char const* op) = nullptr;  ///< a launch: makes device and stream current
  void (*after)(int index, char const* op) = nullptr;   ///< throws what the launch has reported
  void (*start_clock)(int index) = nullptr;
  double (*stop_clock)(int index) = nullptr;  ///< milliseconds of the device since start_clock, which it waits for
  std::vector<std::string> (*names)() =
      nullptr;  ///< of all devices of this kind: "NVIDIA H200, 132 multiprocessors, ..."

  void* (*allocate_pinned)(size_t bytes) = nullptr;  ///< page-locked memory of the host, which copies need not stage
  void (*release_pinned)(void* memory) noexcept = nullptr;
  void (*own_stream)(int index) = nullptr;  ///< from now on this thread asks its things of a stream of its own
  void (*finish)(int index) = nullptr;      ///< waits for what this thread has asked for

  // A graph: what a thread asks of the device between begin and end, kept and asked for again by replay. It has a stream
  // of its own, and with it memory of its own, which nobody else gets while the graph is there.
  void* (*new_graph)(int index) = nullptr;
  void (*enter_graph)(void* graph) = nullptr;           ///< its stream is the current one, behind what was asked before
  void (*leave_graph)(void* graph) noexcept = nullptr;  ///< the stream before is current again, behind the graph's
  void (*begin_capture)(void* graph) = nullptr;         ///< from here on things are kept and not done
  void (*end_capture)(void* graph) = nullptr;
  void (*abandon_capture)(void* graph) noexcept = nullptr;
  void (*replay)(void* graph) = nullptr;
  void (*free_graph)(void* graph) noexcept = nullptr;
};
inline constinit Machine cuda_machine, emulated_machine;

/// The functions of a device; those of the host are null.
inline Machine const& machine_of(Device device) {
  static constexpr Machine host;
  return device.kind == Device::Kind::cuda            ? cuda_machine
         : device.kind == Device::Kind::cuda_emulated ? emulated_machine
                                                      : host;
}

/// Memory of a device, from its arena.
/// Errors   OutOfMemory; DeviceError for a GPU in a program without d16::cuda.
inline void* allocate_on(Device device, size_t bytes) {
  if (auto const allocate = machine_of(device).allocate) return allocate(device.index, bytes);
  require<DeviceError>(device.is_host(), device,
                       ": no CUDA memory in this program; link d16::cuda and call use_cuda()");
  return host_arena().allocate(bytes);
}
inline void release_on(Device device, void* memory, size_t bytes) noexcept {
  if (auto const release = machine_of(device).release) release(device.index, memory, bytes);
  else host_arena().release(memory, bytes);
}
inline void copy_bytes(Device to_device, void* to, Device from_device, void const* from, size_t bytes) {
  if (!(to_device == from_device))
    not_in_a_captured_step("a copy from one device to another",
                           "give the step all it reads as inputs, and read what it gives after it has returned");
  auto const copy = machine_of(to_device.is_host() ? from_device : to_device).copy;
  if (copy) copy(to_device, to, from_device, from, bytes);
  else std::memcpy(to, from, bytes);
}
inline void clear_bytes(Device device, void* memory, size_t bytes) {
  if (auto const clear = machine_of(device).clear) clear(device.index, memory, bytes);
  else std::memset(memory, 0, bytes);
}
/// At most 64 bytes of the host to a device, in order with its kernels; the host does not wait.
/// Errors   DeviceError inside of a captured step, where the bytes of today would be stored again in each replay.
inline void store_bytes(Device device, void* to, void const* from, size_t bytes) {
  not_in_a_captured_step("a number from the host (a learning rate)", "set it before the step is called");
  if (auto const store = machine_of(device).store) store(device.index, to, from, bytes);
  else std::memcpy(to, from, bytes);
}

}  // namespace d16
