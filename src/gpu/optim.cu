// The optimisers and the descent of t-SNE of d16::cuda, by nvcc, and of d16::cuda_emulated, by a host compiler.
#include <d16/kernels/cuda/adam.cuh>
#include <d16/kernels/cuda/meter.cuh>
#include <d16/kernels/cuda/sgd.cuh>
#include <d16/kernels/cuda/tsne.cuh>

#include "launchers.hpp"

namespace d16::kernels {
namespace D16_GPU {

D16_GPU_OPTIM(D16_GPU_COMPILE, D16_GPU_COMPILE_WITH_WORK)
D16_GPU_LEARN(D16_GPU_COMPILE, D16_GPU_COMPILE_WITH_WORK)

}  // namespace D16_GPU
}  // namespace d16::kernels
