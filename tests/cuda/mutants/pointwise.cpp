// Reductions, copies and functions of elements, for tests/cuda/mutations.sh; and kernels of its own, for what no kernel
// that ships needs: atomic additions, named barriers, barriers of a warp.
#include <d16/kernels/cuda/binary.cuh>
#include <d16/kernels/cuda/cast.cuh>
#include <d16/kernels/cuda/copy.cuh>
#include <d16/kernels/cuda/join.cuh>
#include <d16/kernels/cuda/reduce.cuh>
#include <d16/kernels/cuda/softmax.cuh>
#include <d16/kernels/cuda/unary.cuh>
#include <d16/kernels/reference/binary.hpp>
#include <d16/kernels/reference/cast.hpp>
#include <d16/kernels/reference/copy.hpp>
#include <d16/kernels/reference/join.hpp>
#include <d16/kernels/reference/reduce.hpp>
#include <d16/kernels/reference/softmax.hpp>
#include <d16/kernels/reference/unary.hpp>

#include "suite.hpp"

using namespace d16;
using namespace d16::mutants;
namespace gpu = kernels::gpu;
namespace reference = kernels::reference;

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

/// One warp hands numbers on to another, which adds them up: a barrier when the box is full, another when it is empty.
__global__ void hand_over(int rounds, int const* values, int* sums) {
  gpu::Smem smem;
  int* const box = smem.take<int>(32);
  bool const gives = threadIdx.x < 32;
  int const lane = int(threadIdx.x) % 32;
  int sum = 0;
  for (int i = 0; i < rounds; ++i) {
    if (gives) box[lane] = values[i * 32 + lane];
    gpu::named_barrier(1, 64);
    if (!gives) sum += box[31 - lane];
    gpu::named_barrier(2, 64);
  }
  if (!gives) sums[lane] = sum;
}

/// The lanes of each warp in reverse, through shared memory.
__global__ void turn_warps(int const* x, int* y) {
  gpu::Smem smem;
  int* const box = smem.take<int>(blockDim.x);
  int const thread = int(threadIdx.x);
  box[thread] = x[thread];
  __syncwarp();
  y[thread] = box[thread / 32 * 32 + 31 - thread % 32];
}

}  // namespace D16_GPU
}  // namespace d16::kernels

namespace {

void histogram() {
  constexpr int n = 1000, bins = 40;
  std::vector<int> values(n), counts(bins, 0), expected(bins, 0);
  for (int i = 0; i < n; ++i) values[size_t(i)] = i * i % bins, ++expected[size_t(i * i % bins)];
  gpu::launch(kernels::count_values, kernels::dim3(4), kernels::dim3(64), gpu::Smem::bytes<int>(bins), nullptr, n, bins,
              values.data(), counts.data());
  compare("histogram", counts, expected);
}

void hand_over() {
  auto const values = whole_numbers<int>(5 * 32, 1);
  std::vector<int> sums(32, -1000), expected(32, 0);
  for (int i = 0; i < 5 * 32; ++i) expected[size_t(31 - i % 32)] += values[size_t(i)];
  gpu::launch(kernels::hand_over, kernels::dim3(1), kernels::dim3(64), gpu::Smem::bytes<int>(32), nullptr, 5,
              values.data(), sums.data());
  compare("hand_over", sums, expected);
}

void turn() {
  auto const x = whole_numbers<int>(64, 1);
  std::vector<int> y(64, -1000), expected(64);
  for (size_t i = 0; i < 64; ++i) expected[i] = x[i / 32 * 32 + 31 - i % 32];
  gpu::launch(kernels::turn_warps, kernels::dim3(1), kernels::dim3(64), gpu::Smem::bytes<int>(64), nullptr, x.data(),
              y.data());
  compare("turn", y, expected);
}

void sum(int64_t outer, int64_t reduced, int64_t inner) {
  auto const x = whole_numbers(outer * reduced * inner, 1);
  auto y = unwritten(size_t(outer * inner)), expected = y;
  kernels::Reduce<float> a{.outer = outer, .reduced = reduced, .inner = inner, .scale = 2, .x = x.data()};
  a.y = y.data(), with_work(kernels::sum<float>, kernels::sum_work_bytes<float>, a);
  a.y = expected.data(), reference::sum(a);
  compare("sum", y, expected);
}
void sums() {
  sum(3, 101, 1);   // a block for each result
  sum(2, 8193, 1);  // two
  sum(2, 40, 37);   // a thread
  sum(300, 10, 1);  // a tile of short rows and some of another
}

void maxima() {
  auto x = whole_numbers(3 * 7 * 5, 2);
  for (float& value : x) value = std::min(value, 1.0f);  // many are equal
  x[40] = x[50] = NAN;
  auto y = unwritten(15), expected = y, dx = unwritten(x.size()), dx_expected = dx;
  std::vector<int64_t> at(15, -1);
  auto const dy = whole_numbers(15, 3);
  kernels::Reduce<float> a{.outer = 3, .reduced = 7, .inner = 5, .x = x.data(), .dy = dy.data(), .at = at.data()};
  a.y = y.data(), a.dx = dx.data();
  kernels::max(a), kernels::max_dx(a);
  a.y = expected.data(), a.dx = dx_expected.data();
  reference::max(a), reference::max_dx(a);
  compare("max", y, expected), compare("max_dx", dx, dx_expected);
}

/// Short rows, a tile of them at a time.
void max_rows() {
  auto x = whole_numbers(75 * 8, 2);
  for (float& value : x) value = std::min(value, 1.0f);  // many are equal
  x[40] = x[42] = NAN;
  auto y = unwritten(75), expected = y, dx = unwritten(x.size()), dx_expected = dx;
  std::vector<int64_t> at(75, -1);
  auto const dy = whole_numbers(75, 3);
  kernels::Reduce<float> a{.outer = 75, .reduced = 8, .x = x.data(), .dy = dy.data(), .at = at.data()};
  a.y = y.data(), a.dx = dx.data();
  kernels::max(a), kernels::max_dx(a);
  a.y = expected.data(), a.dx = dx_expected.data();
  reference::max(a), reference::max_dx(a);
  compare("max_rows", y, expected), compare("max_rows_dx", dx, dx_expected);
}

void unary() {
  auto const dy = whole_numbers(301, 5);
  for (int op = 0; op <= int(kernels::UnaryOp::clamp); ++op) {
    auto x = whole_numbers(301, 3);
    auto y = unwritten(301), expected = y, dx = y, dx_expected = y;
    kernels::Unary<float> a{.op = kernels::UnaryOp(op), .n = 301, .alpha = 0.5, .low = -1, .high = 2};
    if (a.op == kernels::UnaryOp::log || a.op == kernels::UnaryOp::sqrt)
      for (float& value : x) value = std::abs(value) + 1;
    a.x = x.data(), a.dy = dy.data();
    a.y = expected.data(), a.dx = dx_expected.data(), reference::unary(a), reference::unary_dx(a);
    a.y = y.data(), a.dx = dx.data(), kernels::unary(a), kernels::unary_dx(a);
    // values up to e^4 = 55, slopes up to that times 4, some roundings of 6e-8 each
    compare("unary", y, expected, 1e-4), compare("unary_dx", dx, dx_expected, 1e-4);
  }
}

void binary() {
  auto x = whole_numbers(301, 3), row = whole_numbers(7, 4);
  x[11] = row[3] = NAN;
  for (int op = 0; op <= int(kernels::BinaryOp::step); ++op) {
    auto y = unwritten(301), expected = y;
    kernels::Binary<float> a{.op = kernels::BinaryOp(op), .a = x.data(), .b = row.data()};
    a.nest.push(43, {7, 0}), a.nest.push(7, {1, 1});
    a.y = y.data(), kernels::binary(a);
    a.y = expected.data(), reference::binary(a);
    compare("binary", y, expected, 1e-6);  // quotients of numbers up to 4
  }
}

/// (2,43,7) to (2,7,43), elements of each size.
void copy() {
  for (int bytes : {1, 2, 4, 8}) {
    auto const x = whole_numbers<int>(2 * 301 * bytes / 4 + 1, 3);
    std::vector<int> y(x.size(), 0), expected = y;
    kernels::Copy a{.element_bytes = bytes, .x = x.data()};
    a.nest.push(2, {301, 301}), a.nest.push(7, {43, 1}), a.nest.push(43, {1, 7});
    a.y = y.data(), kernels::copy(a);
    a.y = expected.data(), reference::copy(a);
    compare("copy", y, expected);
  }
}

/// (2,43,37) to (2,37,43): wide enough for squares.
kernels::Copy turned(int bytes) {
  kernels::Copy a{.element_bytes = bytes};
  a.nest.push(2, {1591, 1591}), a.nest.push(37, {43, 1}), a.nest.push(43, {1, 37});
  return a;
}
void copy_turned() {
  for (int bytes : {1, 2, 4, 8}) {
    auto const x = whole_numbers<int>(3182 * bytes / 4 + 1, 3);
    std::vector<int> y(x.size(), 0), expected = y;
    kernels::Copy a = turned(bytes);
    a.x = x.data();
    a.y = y.data(), kernels::copy(a);
    a.y = expected.data(), reference::copy(a);
    compare("copy_turned", y, expected);
  }
}
/// One block takes square after square.
void copy_squares() {
  auto const x = whole_numbers<int>(3182, 3);
  std::vector<int> y(x.size(), 0), expected = y;
  kernels::Copy a = turned(4);
  a.x = x.data(), a.y = expected.data();
  reference::copy(a);
  kernels::Turned const t = kernels::as_turned(a);
  gpu::launch(kernels::turn_kernel<int>, kernels::dim3(1), kernels::dim3(kernels::square, kernels::square_rows),
              gpu::Smem::bytes<int>(kernels::square_values), nullptr, t, t.across(), int64_t(2), t.squares(), x.data(),
              y.data());
  compare("copy_squares", y, expected);
}

/// Lines of whole packs, and not, to a wider array and back.
void relu_join() {
  for (int64_t length : {8, 7}) {
    auto const x = whole_numbers(20 * length, 3), dy = whole_numbers(20 * 24, 4);
    auto y = unwritten(20 * 24), expected = y, dx = unwritten(x.size()), dx_expected = dx;
    kernels::ReluJoin<float> a{.rows = 20, .length = length, .pitch = 24, .x = x.data(), .dy = dy.data()};
    a.y = y.data(), a.dx = dx.data(), kernels::relu_join(a), kernels::relu_join_dx(a);
    a.y = expected.data(), a.dx = dx_expected.data(), reference::relu_join(a), reference::relu_join_dx(a);
    compare("relu_join", y, expected), compare("relu_join_dx", dx, dx_expected);
  }
}

template <class From, class To> void cast(std::vector<From> const& x) {
  std::vector<To> y(x.size(), To(77)), expected = y;
  kernels::Cast a{.n = int64_t(x.size()), .from = dtype_of<From>(), .to = dtype_of<To>(), .x = x.data()};
  a.y = y.data(), kernels::cast(a);
  a.y = expected.data(), reference::cast(a);
  compare("cast", y, expected);
}
void casts() {
  auto x = whole_numbers(300, 3);
  x[5] = 1e30f, x[6] = -1e30f, x[7] = NAN, x[8] = 255.75f, x[9] = 1.00390625f;  // halfway between two bf16
  cast<float, uint8_t>(x), cast<float, int64_t>(x), cast<float, bf16>(x), cast<float, double>(x);
  cast<int64_t, float>(whole_numbers<int64_t>(300, 1)), cast<bf16, float>({x.begin(), x.end()});
}

void softmax() {
  auto x = whole_numbers(5 * 4 * 3, 3);
  for (float& value : x) value += 100;  // e^100 is beyond float32
  auto const dy = whole_numbers(60, 4);
  for (bool log : {false, true}) {
    auto y = unwritten(60), expected = y, dx = y, dx_expected = y;
    kernels::Softmax<float> a{.outer = 5, .classes = 4, .inner = 3, .log = log, .x = x.data(), .dy = dy.data()};
    a.y = expected.data(), a.dx = dx_expected.data(), reference::softmax(a), reference::softmax_dx(a);
    a.y = y.data(), a.dx = dx.data(), kernels::softmax(a), kernels::softmax_dx(a);
    compare("softmax", y, expected, 1e-5), compare("softmax_dx", dx, dx_expected, 1e-4);  // values up to 8, and 16
  }
}

/// Distributions side by side, of a power of two and not: one block takes tile after tile.
void softmax_rows() {
  for (int classes : {8, 10})
    for (bool log : {false, true}) {
      auto const x = whole_numbers(75 * classes, 3), dy = whole_numbers(75 * classes, 4);
      auto y = unwritten(x.size()), expected = y, dx = y, dx_expected = y;
      kernels::Softmax<float> a{.outer = 75, .classes = classes, .log = log, .x = x.data(), .dy = dy.data()};
      a.y = expected.data(), a.dx = dx_expected.data(), reference::softmax(a), reference::softmax_dx(a);
      a.y = y.data(), a.dx = dx.data();
      kernels::RowTile<float> tile(classes);
      tile.rows = 32;
      gpu::launch(kernels::softmax_rows<float>, kernels::dim3(1), kernels::dim3(64), tile.bytes(), nullptr, tile, a);
      gpu::launch(kernels::softmax_dx_rows<float>, kernels::dim3(1), kernels::dim3(64), 2 * tile.bytes(), nullptr, tile,
                  a);
      compare("softmax_rows", y, expected, 1e-5), compare("softmax_dx_rows", dx, dx_expected, 1e-4);
    }
}

}  // namespace

int main(int count, char** words) {
  return run(count, words,
             {{"histogram", histogram},
              {"hand_over", hand_over},
              {"turn", turn},
              {"sum", sums},
              {"max", maxima},
              {"max_rows", max_rows},
              {"unary", unary},
              {"binary", binary},
              {"copy", copy},
              {"copy_turned", copy_turned},
              {"relu_join", relu_join},
              {"copy_squares", copy_squares},
              {"cast", casts},
              {"softmax", softmax},
              {"softmax_rows", softmax_rows}});
}
