// use_cuda(): the CUDA kernels, compiled by nvcc, as the device cuda.
#include <d16/cuda/use.hpp>

#define D16_GPU cuda
#include "fill_slots.hpp"
#include "machine.hpp"

namespace d16 {

void use_cuda() {
  cuda_machine = cuda::machine();
  fill_slots([](auto& slot) -> auto& { return slot.cuda; });
}

}  // namespace d16
