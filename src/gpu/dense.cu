// The dense kernels of d16::cuda, by nvcc, and of d16::cuda_emulated, by a host compiler.
#include <d16/kernels/cuda/conv2d.cuh>
#include <d16/kernels/cuda/conv_transpose2d.cuh>
#include <d16/kernels/cuda/linear.cuh>

#include "launchers.hpp"

namespace d16::kernels {
namespace D16_GPU {

D16_GPU_DENSE(D16_GPU_COMPILE, D16_GPU_COMPILE_WITH_WORK)
D16_GPU_DENSE_BF16(D16_GPU_COMPILE_BF16, D16_GPU_COMPILE_BF16_WITH_WORK)

}  // namespace D16_GPU
}  // namespace d16::kernels
