// The capture of a step, as the rest of the engine knows it: what a thread is recording, and what it must not do then.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "device.hpp"

namespace d16 {

/// While a thread records what a step asks of a device, nothing is computed: the host cannot read results, and what it
/// computes itself would not be there in a replay. cuda/captured_step.hpp makes these.
struct Capture {
  Device device;
  uint64_t const* random_offset = nullptr;  ///< on the device: what a replay adds to the streams of its draws
  std::vector<std::shared_ptr<std::atomic<uint32_t>>> changed = {};  ///< versions of what the step changes in place

  /// The capture of this thread, or null.
  static Capture*& active() {
    static thread_local Capture* capture = nullptr;
    return capture;
  }
};

/// Errors   DeviceError while this thread records a step: that `what` cannot be in it, and what to do instead.
inline void not_in_a_captured_step(char const* what, char const* instead) {
  require<DeviceError>(!Capture::active(), what, " inside of a captured step on ",
                       Capture::active() ? Capture::active()->device : Device(), "; ", instead);
}

}  // namespace d16
