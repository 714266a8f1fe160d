// Matrix products of the GPU benches, which d16::cuda has inside of its ops only.
#include <d16/kernels/cuda/gemm.cuh>

namespace d16::kernels {
namespace D16_GPU {

template int gemm(Gemm<float> const&);
template size_t gemm_work_bytes(Gemm<float> const&);
template int gemm(Gemm<bf16> const&);
template size_t gemm_work_bytes(Gemm<bf16> const&);

}  // namespace D16_GPU
}  // namespace d16::kernels
