// use_cuda_emulated(): the CUDA kernels, compiled for the host, as the device cuda_emulated.
#include <d16/cuda/use.hpp>
#include <d16/kernels/cuda/gpu.hpp>

#include "fill_slots.hpp"
#include "machine.hpp"

namespace d16 {

void use_cuda_emulated() {
  kernels::emulator::settings();  // complains now about an environment variable that it does not understand
  fill_slots([](auto& slot) -> auto& { return slot.cuda_emulated; });
  emulated_machine = emulated::machine();
}

}  // namespace d16
