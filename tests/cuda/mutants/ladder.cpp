// The steps of both ladders that have kernels of their own, for tests/cuda/mutations.sh.
#include <d16/group/steerable_basis.hpp>
#include <d16/kernels/ladder/dense_1_naive.cuh>
#include <d16/kernels/ladder/dense_2_coalesced.cuh>
#include <d16/kernels/ladder/dense_3_shared.cuh>
#include <d16/kernels/ladder/dense_5_double_buffered.cuh>
#include <d16/kernels/ladder/dense_7_stages.cuh>
#include <d16/kernels/ladder/group_1_naive.cuh>
#include <d16/kernels/ladder/group_2_factored.cuh>
#include <d16/kernels/reference/conv2d.hpp>
#include <d16/kernels/reference/group_conv2d.hpp>

#include "suite.hpp"

using namespace d16;
using namespace d16::mutants;
using kernels::Conv2d;
using kernels::GroupConv2d;
namespace ladder = kernels::ladder;

namespace {

/// Two tiles each way, and images whose patches are not a whole number of tiles deep.
template <auto step, auto work_bytes> void dense() {
  for (Conv2d<float> a :
       {Conv2d<float>{.N = 1, .H = 9, .W = 8, .Ci = 11, .Co = 70, .kh = 3, .kw = 3, .pad_h = 1, .pad_w = 1},
        Conv2d<float>{.N = 2,
        .H = 7,
        .W = 4,
        .Ci = 4,
        .Co = 5,
        .kh = 2,
        .kw = 3,
        .stride_h = 3,
        .stride_w = 2,
        .pad_h = 2,
        .pad_w = 5,
        .dilation_h = 2,
        .dilation_w = 3}}) {
    auto const x = whole_numbers(int64_t(a.N) * a.H * a.W * a.Ci, 1), bias = whole_numbers(a.Co, 3);
    auto const w = whole_numbers(int64_t(a.Co) * a.Ci * a.kh * a.kw, 2);
    auto y = unwritten(size_t(a.N) * size_t(a.P() * a.Q() * a.Co)), expected = y;
    a.x = x.data(), a.w = w.data(), a.bias = bias.data();
    a.y = expected.data(), kernels::reference::conv2d(a);
    a.y = y.data(), with_work<Conv2d<float>>(step, work_bytes, a);
    compare("dense", y, expected);
  }
}
size_t no_work(Conv2d<float> const&) { return 0; }

template <auto step, auto work_bytes> void group() {
  auto const basis = shared_basis(dihedral(3), 3);
  GroupConv2d<float> a{.group = dihedral(3), .N = 2, .H = 5, .W = 5, .Ci = 2, .Co = 3, .stride = 2};
  a.V = basis->V, a.basis = basis->values.data();
  auto const x = whole_numbers(2 * 5 * 5 * 2 * 6, 1), w = whole_numbers(3 * 2 * a.V * 6, 2), bias = whole_numbers(3, 3);
  auto y = unwritten(2 * 3 * 3 * 3 * 6), expected = y;
  a.x = x.data(), a.w = w.data(), a.bias = bias.data();
  a.y = expected.data(), kernels::reference::group_conv2d(a);
  a.y = y.data(), with_work<GroupConv2d<float>>(step, work_bytes, a);
  compare("group", y, expected, 0.05);  // some hundred additions of up to 60, with errors of 6e-8 of partial sums
}

}  // namespace

int main(int count, char** words) {
  return run(count, words,
             {{"dense_1", dense<ladder::dense_1_naive, no_work>},
              {"dense_2", dense<ladder::dense_2_coalesced, ladder::weight_columns_bytes>},
              {"dense_3", dense<ladder::dense_3_shared, ladder::weight_columns_bytes>},
              {"dense_4", dense<ladder::dense_4_registers, ladder::weight_columns_bytes>},
              {"dense_5", dense<ladder::dense_5_double_buffered, ladder::weight_columns_bytes>},
              {"dense_6", dense<ladder::dense_6_tensor_cores, ladder::Bf16Operands::bytes>},
              {"dense_7", dense<ladder::dense_7_stages, ladder::Bf16Operands::bytes>},
              {"group_1", group<ladder::group_1_naive, ladder::group_1_naive_bytes>},
              {"group_2", group<ladder::group_2_factored, ladder::group_2_factored_bytes>}});
}
