// use_cuda() of a program that was built without nvcc: says so.
#include <d16/core/error.hpp>
#include <d16/cuda/use.hpp>

namespace d16 {

void use_cuda() {
  throw DeviceError(
      "cuda: this program was built without CUDA kernels; build it with cmake --preset cuda, or use the "
      "device cuda_emulated");
}

}  // namespace d16
