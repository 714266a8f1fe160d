// Matrix products of the GPU benches, and convolutions of bf16 tensors: instances that d16::cuda does not have.
#include <d16/kernels/cuda/conv2d.cuh>
#include <d16/kernels/cuda/gemm.cuh>

namespace d16::kernels {
namespace D16_GPU {

#define D16_BENCH_COMPILE(op, Contract, T) \
  template int op<T>(Contract<T> const&);  \
  template size_t op##_work_bytes<T>(Contract<T> const&);

D16_BENCH_COMPILE(gemm, Gemm, float)
D16_BENCH_COMPILE(gemm, Gemm, bf16)
D16_BENCH_COMPILE(conv2d, Conv2d, bf16)
D16_BENCH_COMPILE(conv2d_dx, Conv2d, bf16)
D16_BENCH_COMPILE(conv2d_dw, Conv2d, bf16)

}  // namespace D16_GPU
}  // namespace d16::kernels
