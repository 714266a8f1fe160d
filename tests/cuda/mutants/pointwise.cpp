// Reductions, copies and arithmetic, for tests/cuda/mutations.sh.
#include <d16/kernels/cuda/binary.cuh>
#include <d16/kernels/cuda/copy.cuh>
#include <d16/kernels/cuda/reduce.cuh>
#include <d16/kernels/cuda/unary.cuh>
#include <d16/kernels/reference/binary.hpp>
#include <d16/kernels/reference/copy.hpp>
#include <d16/kernels/reference/reduce.hpp>
#include <d16/kernels/reference/unary.hpp>

#include "suite.hpp"

using namespace d16;
using namespace d16::mutants;

namespace d16::kernels {
namespace D16_GPU {

/// Counts values below `bins`, first for each block: whole numbers, so the order of the additions does not matter.
__global__ void count_values(int n, int bins, int const* values, int* counts) {
  gpu::Smem smem;
  int* const of_block = smem.take<int>(size_t(bins));
  for (int i = int(threadIdx.x); i < bins; i += int(blockDim.x)) of_block[i] = 0;
  __syncthreads();
  for (int64_t i = gpu::this_thread(); i < n; i += gpu::all_threads()) atomicAdd(of_block + values[i], 1);
  __syncthreads();
  for (int i = int(threadIdx.x); i < bins; i += int(blockDim.x)) atomicAdd(counts + i, of_block[i]);
}

}  // namespace D16_GPU
}  // namespace d16::kernels

namespace {

void histogram() {
  constexpr int n = 1000, bins = 40;
  std::vector<int> values(n), counts(bins, 0), expected(bins, 0);
  for (int i = 0; i < n; ++i) values[size_t(i)] = i * i % bins, ++expected[size_t(i * i % bins)];
  kernels::gpu::launch(kernels::count_values, kernels::dim3(4), kernels::dim3(64), kernels::gpu::Smem::bytes<int>(bins),
                       nullptr, n, bins, values.data(), counts.data());
  compare("histogram", counts, expected);
}

void sums(int64_t outer, int64_t reduced, int64_t inner) {
  auto const x = whole_numbers<float>(size_t(outer * reduced * inner), 1);
  std::vector<float> y(size_t(outer * inner), NAN), expected = y;
  kernels::Reduce<float> a;
  a.outer = outer, a.reduced = reduced, a.inner = inner, a.x = x.data();
  Work work(kernels::sum_work_bytes(a));
  a.work = work.data(), a.y = y.data();
  kernels::sum(a);
  a.y = expected.data();
  kernels::reference::sum(a);
  compare("sum", y, expected);
}

void maxima() {
  auto const x = whole_numbers<float>(3 * 7 * 5, 2);
  std::vector<float> y(15, NAN), expected = y, dx(x.size(), NAN), dx_expected = dx;
  std::vector<int64_t> at(15, -1);
  kernels::Reduce<float> a;
  a.outer = 3, a.reduced = 7, a.inner = 5, a.x = x.data(), a.at = at.data(), a.dy = y.data();
  a.y = y.data(), a.dx = dx.data();
  kernels::max(a), kernels::max_dx(a);
  a.y = expected.data(), a.dx = dx_expected.data();
  kernels::reference::max(a), kernels::reference::max_dx(a);
  compare("max", y, expected), compare("max_dx", dx, dx_expected);
}

void pointwise() {
  auto const x = whole_numbers<float>(301, 3), row = whole_numbers<float>(7, 4);
  std::vector<float> y(301, NAN), expected = y;
  kernels::Unary<float> square;
  square.op = kernels::UnaryOp::square, square.n = 301, square.x = x.data();
  square.y = y.data(), kernels::unary(square);
  square.y = expected.data(), kernels::reference::unary(square);
  compare("square", y, expected);

  kernels::Binary<float> sum;
  sum.op = kernels::BinaryOp::add, sum.nest.push(43, {7, 0}), sum.nest.push(7, {1, 1});
  sum.a = x.data(), sum.b = row.data();
  sum.y = y.data(), kernels::binary(sum);
  sum.y = expected.data(), kernels::reference::binary(sum);
  compare("sum with a row", y, expected);

  kernels::Copy transpose;  // (43,7) to (7,43)
  transpose.nest.push(7, {43, 1}), transpose.nest.push(43, {1, 7});
  transpose.x = x.data();
  transpose.y = y.data(), kernels::copy(transpose);
  transpose.y = expected.data(), kernels::reference::copy(transpose);
  compare("transpose", y, expected);
}

}  // namespace

int main() {
  return run([] {
    sums(3, 101, 1);
    sums(2, 8193, 1);  // in parts
    sums(2, 40, 37);
    maxima();
    pointwise();
    histogram();
  });
}
