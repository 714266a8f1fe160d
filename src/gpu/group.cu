// The group kernels of d16::cuda, by nvcc, and of d16::cuda_emulated, by a host compiler.
#include <d16/kernels/cuda/antialiased_avg_pool.cuh>
#include <d16/kernels/cuda/batch_norm.cuh>
#include <d16/kernels/cuda/group_conv2d.cuh>
#include <d16/kernels/cuda/group_pool.cuh>

#include "launchers.hpp"

namespace d16::kernels {
namespace D16_GPU {

template <class T> size_t batch_norm_dw_work_bytes(BatchNorm<T> const& a) { return batch_norm_work_bytes(a); }

D16_GPU_GROUP(D16_GPU_COMPILE, D16_GPU_COMPILE_WITH_WORK)
D16_GPU_GROUP_BF16(D16_GPU_COMPILE_BF16, D16_GPU_COMPILE_BF16_WITH_WORK)

}  // namespace D16_GPU
}  // namespace d16::kernels
