// What a GPU does for tensors: memory, copies, streams. Null in programs without one; d16::use_cuda() fills it in.
#pragma once
#include <cstring>

#include "allocator.hpp"
#include "device.hpp"

namespace d16 {

/// The functions of a GPU's runtime, so that no other header knows CUDA. All of them throw DeviceError.
struct Machine {
  void* (*allocate)(int index, size_t bytes) = nullptr;  ///< also throws OutOfMemory
  void (*release)(int index, void* memory, size_t bytes) noexcept = nullptr;
  /// In order with the kernels of both devices; has ended, as far as the host can tell, when it returns.
  void (*copy)(Device to_device, void* to, Device from_device, void const* from, size_t bytes) = nullptr;
  void (*clear)(int index, void* memory, size_t bytes) = nullptr;
  void (*before)(int index, char const* op) = nullptr;  ///< a launch: makes device and stream current
  void (*after)(int index, char const* op) = nullptr;   ///< throws what the launch has reported
  void (*start_clock)(int index) = nullptr;
  double (*stop_clock)(int index) = nullptr;  ///< milliseconds of the device since start_clock, which it waits for
  void (*set_deterministic)(bool on) = nullptr;
};
inline constinit Machine cuda_machine, emulated_machine;

/// Whether CUDA kernels keep one order of summation, as kernels of the CPU always do: the default. Otherwise some add
/// to the same number from several blocks in the order in which they come: faster, and a run is no longer repeatable.
inline void set_deterministic(bool on) {
  for (Machine const* machine : {&cuda_machine, &emulated_machine})
    if (machine->set_deterministic) machine->set_deterministic(on);
}

/// Memory of a device, from its arena.
/// Errors   OutOfMemory; DeviceError for a GPU in a program without d16::cuda.
inline void* allocate_on(Device device, size_t bytes) {
  if (device.is_host()) return host_arena().allocate(bytes);
  require<DeviceError>(cuda_machine.allocate, device,
                       ": no CUDA memory in this program; link d16::cuda and call use_cuda()");
  return cuda_machine.allocate(device.index, bytes);
}
inline void release_on(Device device, void* memory, size_t bytes) noexcept {
  device.is_host() ? host_arena().release(memory, bytes) : cuda_machine.release(device.index, memory, bytes);
}
inline void copy_bytes(Device to_device, void* to, Device from_device, void const* from, size_t bytes) {
  if (to_device.is_host() && from_device.is_host()) std::memcpy(to, from, bytes);
  else cuda_machine.copy(to_device, to, from_device, from, bytes);
}
inline void clear_bytes(Device device, void* memory, size_t bytes) {
  device.is_host() ? void(std::memset(memory, 0, bytes)) : cuda_machine.clear(device.index, memory, bytes);
}

}  // namespace d16
