// The image kernels of d16::cuda, by nvcc, and of d16::cuda_emulated, by a host compiler.
#include <d16/kernels/cuda/augment.cuh>
#include <d16/kernels/cuda/band_levels.cuh>
#include <d16/kernels/cuda/hog.cuh>
#include <d16/kernels/cuda/stretch.cuh>

#include "launchers.hpp"

namespace d16::kernels {
namespace D16_GPU {

D16_GPU_VISION(D16_GPU_COMPILE, D16_GPU_COMPILE_WITH_WORK)

int launch_augment(Augment const& a) { return augment(a); }

}  // namespace D16_GPU
}  // namespace d16::kernels
