// cuBLAS's matrix products as comparators.
#include <cublas_v2.h>

#include <stdexcept>

#include "comparators.hpp"
#include "machine.hpp"

namespace d16::bench {

namespace {

void check(cublasStatus_t status, char const* what) {
  if (status != CUBLAS_STATUS_SUCCESS)
    throw std::runtime_error(std::string("cuBLAS, ") + what + ": " + cublasGetStatusString(status));
}

cublasHandle_t handle() {
  static cublasHandle_t const made = [] {
    cublasHandle_t h;
    check(cublasCreate(&h), "its handle");
    check(cublasSetStream(h, static_cast<cudaStream_t>(machine_stream())), "its stream");
    constexpr size_t workspace = size_t(64) << 20;  // its own, so that a product can be recorded in a graph
    check(cublasSetWorkspace(h, allocate(workspace), workspace), "its workspace");
    return h;
  }();
  return made;
}

constexpr float one = 1, zero = 0;

}  // namespace

Comparator cublas_product(int M, int N, int K, bool trans_b, Number number) {
  cudaDataType_t const type = number == Number::bf16 ? CUDA_R_16BF : CUDA_R_32F;
  cublasComputeType_t const compute = number == Number::tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
  cublasHandle_t const h = handle();
  // Row-major c = a b is column-major c^T = b^T a^T.
  return {[=](void const* a, void const* b, void* c) {
            check(cublasGemmEx(h, trans_b ? CUBLAS_OP_T : CUBLAS_OP_N, CUBLAS_OP_N, N, M, K, &one, b, type,
                               trans_b ? K : N, a, type, K, &zero, c, type, N, compute, CUBLAS_GEMM_DEFAULT),
                  "a product");
          },
          "its default algorithm"};
}

std::string cublas_version() {
  int version = 0;
  check(cublasGetVersion(handle(), &version), "its version");
  return std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
         std::to_string(version % 100);
}

}  // namespace d16::bench
