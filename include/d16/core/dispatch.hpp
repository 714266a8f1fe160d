// From an op to its kernel: one slot per op and element type, one kernel per device in it.
#pragma once
#include "allocator.hpp"
#include "device.hpp"
#include "dtype.hpp"

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

/// Runs the kernel of `device`, with scratch memory from the arena.
/// Errors   DeviceError when the device has no such kernel; ValueError when the kernel does not take the arguments.
template <class Args> void run(Slot<Args> const& slot, Device device, Args args) {
  Kernel<Args> const& kernel = slot.on(device);
  require<DeviceError>(kernel.run, slot.name, ": no kernel for ", device, " in this program; ",
                       device.kind == Device::Kind::cuda ? "link d16::cuda and call use_cuda()" : "use the device cpu");
  int status = 0;
  if constexpr (requires { args.work; }) {
    struct Scratch {
      size_t bytes;
      void* data;
      ~Scratch() {
        if (data) host_arena().release(data, bytes);
      }
    } scratch{kernel.work_bytes ? kernel.work_bytes(args) : 0, nullptr};
    if (scratch.bytes) args.work = scratch.data = host_arena().allocate(scratch.bytes);
    status = kernel.run(args);
  } else {
    status = kernel.run(args);
  }
  require<ValueError>(status == 0, slot.name, ": the kernel of ", device, " does not take these arguments (status ",
                      status, ")");
}

}  // namespace d16
