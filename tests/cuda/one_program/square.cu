// The kernel of tests/cuda/one_program.sh, compiled twice: by nvcc and by a host compiler.
#include <d16/kernels/cuda/reduce.cuh>
#include <d16/kernels/cuda/unary.cuh>

namespace d16::kernels {
namespace D16_GPU {

/// y = x^2, total = the sum of y. Null, or why it could not be started.
char const* square_and_sum(int64_t n, float const* x, float* y, float* total) {
  Unary<float> square;
  square.op = UnaryOp::square, square.n = n, square.x = x, square.y = y;
  unary(square);
  Reduce<float> all;
  all.reduced = n, all.x = y, all.y = total;
  sum(all);
  return gpu::last_error();
}

}  // namespace D16_GPU
}  // namespace d16::kernels
