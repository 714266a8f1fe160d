// From an op to its kernel: one slot per op and element type, one kernel per device in it.
#pragma once
#include "dtype.hpp"
#include "machine.hpp"
#include "profile.hpp"

namespace d16 {

/// A kernel and, when it needs scratch memory, how much.
template <class Args> struct Kernel {
  int (*run)(Args const&) = nullptr;
  size_t (*work_bytes)(Args const&) = nullptr;
};

/// The kernels of one op. Constant-initialised: use_cuda() and use_cuda_emulated() fill their entries at run time.
template <class Args> struct Slot {
  char const* name;
  Kernel<Args> cpu, reference, cuda, cuda_emulated;

  Kernel<Args> const& on(Device device) const {
    switch (device.kind) {
      case Device::Kind::cpu: return cpu;
      case Device::Kind::reference: return reference;
      case Device::Kind::cuda: return cuda;
      case Device::Kind::cuda_emulated: break;
    }
    return cuda_emulated;
  }
};

namespace detail {

/// Scratch memory of one call. On a GPU it goes back while the kernel may still run: what takes it next runs later.
struct Scratch {
  Device device;
  size_t bytes;
  void* data;
  Scratch(Device where, size_t size) : device(where), bytes(size), data(size ? allocate_on(where, size) : nullptr) {}
  Scratch(Scratch const&) = delete;
  Scratch& operator=(Scratch const&) = delete;
  ~Scratch() {
    if (data) release_on(device, data, bytes);
  }
};

template <class Args> int launch(Kernel<Args> const& kernel, char const* name, Device device, Args const& args) {
  if (device.is_host()) return kernel.run(args);
  cuda_machine.before(device.index, name);
  int const status = kernel.run(args);
  cuda_machine.after(device.index, name);
  return status;
}

template <class Args> int run_kernel(Kernel<Args> const& kernel, char const* name, Device device, Args& args) {
  if constexpr (requires { args.work; }) {
    Scratch scratch(device, kernel.work_bytes ? kernel.work_bytes(args) : 0);
    if (scratch.bytes) args.work = scratch.data;
    Watch watch(name, device, scratch.bytes);
    return launch(kernel, name, device, args);
  } else {
    Watch watch(name, device, 0);
    return launch(kernel, name, device, args);
  }
}

/// Why a slot may have no kernel for a device, and what to do.
inline char const* how_to_get_kernels(Device device) {
  switch (device.kind) {
    case Device::Kind::cuda:
      return cuda_machine.allocate ? "the op runs on the cpu only: use to(\"cpu\")"
                                   : "link d16::cuda and call use_cuda()";
    case Device::Kind::cuda_emulated:
      return emulated_machine.allocate ? "the op runs on the cpu only: use to(\"cpu\")"
                                       : "link d16::cuda_emulated and call use_cuda_emulated()";
    case Device::Kind::cpu: return "bfloat16 is for CUDA devices: cast to float32";
    case Device::Kind::reference: break;
  }
  return "use the device cpu";
}

}  // namespace detail

/// An op that the program cannot compute on a device. Copying its inputs to the cpu always helps.
struct NoKernelError : DeviceError {
  using DeviceError::DeviceError;
};

/// Runs the kernel of `device`, with scratch memory from its arena.
/// Errors   NoKernelError when the device has no such kernel; DeviceError when it cannot run it; ValueError when the
/// kernel
///          does not take the arguments; OutOfMemory.
template <class Args> void run(Slot<Args> const& slot, Device device, Args args) {
  if (Capture const* capture = Capture::active(); capture && !(capture->device == device))
    not_in_a_captured_step((slot.name + (" on " + device.text())).c_str(),
                           "a replay would not compute it again: do it before, or on the device of the step");
  Kernel<Args> const& kernel = slot.on(device);
  require<NoKernelError>(kernel.run, slot.name, ": no kernel for ", device, " in this program; ",
                         detail::how_to_get_kernels(device));
  int const status = detail::run_kernel(kernel, slot.name, device, args);
  require<ValueError>(status == 0, slot.name, ": the kernel of ", device, " does not take these arguments (status ",
                      status, ")");
}

}  // namespace d16
