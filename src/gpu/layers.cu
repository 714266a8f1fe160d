// The kernels of layers that move or draw values, of d16::cuda, by nvcc, and of d16::cuda_emulated, by a host compiler.
#include <d16/kernels/cuda/adaptive_avg_pool2d.cuh>
#include <d16/kernels/cuda/dropout.cuh>
#include <d16/kernels/cuda/group_action.cuh>
#include <d16/kernels/cuda/pad2d.cuh>
#include <d16/kernels/cuda/pool2d.cuh>
#include <d16/kernels/cuda/reparameterise.cuh>
#include <d16/kernels/cuda/upsample.cuh>

#include "launchers.hpp"

namespace d16::kernels {
namespace D16_GPU {

D16_GPU_LAYERS(D16_GPU_COMPILE, D16_GPU_COMPILE_WITH_WORK)
D16_GPU_LAYERS_BF16(D16_GPU_COMPILE_BF16, D16_GPU_COMPILE_BF16_WITH_WORK)

}  // namespace D16_GPU
}  // namespace d16::kernels
