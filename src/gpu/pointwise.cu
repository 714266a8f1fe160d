// The pointwise kernels and reductions of d16::cuda, by nvcc, and of d16::cuda_emulated, by a host compiler.
#include <d16/kernels/cuda/binary.cuh>
#include <d16/kernels/cuda/cast.cuh>
#include <d16/kernels/cuda/copy.cuh>
#include <d16/kernels/cuda/join.cuh>
#include <d16/kernels/cuda/reduce.cuh>
#include <d16/kernels/cuda/softmax.cuh>
#include <d16/kernels/cuda/unary.cuh>

#include "launchers.hpp"

namespace d16::kernels {
namespace D16_GPU {

D16_GPU_POINTWISE(D16_GPU_COMPILE, D16_GPU_COMPILE_WITH_WORK)
D16_GPU_POINTWISE_BF16(D16_GPU_COMPILE_BF16, D16_GPU_COMPILE_BF16_WITH_WORK)

int launch_copy(Copy const& a) { return copy(a); }
int launch_cast(Cast const& a) { return cast(a); }

}  // namespace D16_GPU
}  // namespace d16::kernels
