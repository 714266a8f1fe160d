// The kernels of layers that sum over samples or pixels: losses, group norm, gates of channels; of d16::cuda, by nvcc,
// and of d16::cuda_emulated, by a host compiler.
#include <d16/kernels/cuda/group_norm.cuh>
#include <d16/kernels/cuda/image_sums.cuh>
#include <d16/kernels/cuda/losses.cuh>
#include <d16/kernels/cuda/squeeze_excitation.cuh>

#include "launchers.hpp"

namespace d16::kernels {
namespace D16_GPU {

D16_GPU_LAYERS_SUMS(D16_GPU_COMPILE, D16_GPU_COMPILE_WITH_WORK)
D16_GPU_LAYERS_SUMS_BF16(D16_GPU_COMPILE_BF16, D16_GPU_COMPILE_BF16_WITH_WORK)

}  // namespace D16_GPU
}  // namespace d16::kernels
