// The devices "cuda" and "cuda_emulated": a program that links d16::cuda or d16::cuda_emulated says that it wants them.
#pragma once
#include "../core/device.hpp"

namespace d16 {

/// Makes the device cuda work: x.to("cuda"), and CUDA kernels for the ops that have them. To be called once, before
/// other threads run ops. Needs the library d16::cuda.
/// Errors   DeviceError when there is no NVIDIA driver, one too old, no GPU, or none that the kernels were compiled
/// for;
///          the program can go on without.
void use_cuda();

/// Makes the device cuda_emulated work: the same kernels, compiled for the host and run on its threads. Slow; for
/// tests, for debuggers and for students without a GPU. Needs the library d16::cuda_emulated.
/// Errors   ValueError when one of the variables D16_EMULATOR_ORDER, D16_EMULATOR_ASYNC is not understood.
void use_cuda_emulated();

/// One of the two when the device needs it: for programs with an option --device. Needs both libraries.
/// Errors   those of use_cuda() and use_cuda_emulated().
inline void use_device(Device device) {
  if (device.kind == Device::Kind::cuda) use_cuda();
  if (device.kind == Device::Kind::cuda_emulated) use_cuda_emulated();
}

}  // namespace d16
