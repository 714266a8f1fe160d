// What d16::cuda gives to the core: the functions of its runtime.
#pragma once
#include <d16/core/machine.hpp>

namespace d16::cuda {

/// Errors   DeviceError when there is no driver, no device, or none that the kernels were compiled for: it says which.
Machine machine();

}  // namespace d16::cuda
