// What d16::cuda and d16::cuda_emulated give to the core: the functions of their runtimes.
#pragma once
#include <d16/core/machine.hpp>

namespace d16 {

/// Why a capture is refused: a replay would find that memory in other hands.
inline constexpr char const* freed_in_capture =
    "the captured step freed a tensor that was made before it (a gradient of an earlier backward, a value kept from "
    "the step before); free it before the step, or make it inside";

}  // namespace d16

namespace d16::cuda {

/// Errors   DeviceError when there is no driver, no device, or none that the kernels were compiled for: it says which.
Machine machine();

}  // namespace d16::cuda

namespace d16::emulated {

Machine machine();

}  // namespace d16::emulated
