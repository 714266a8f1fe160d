// The group ladder: one D16 convolution in numbered steps from a loop over the dense filter to the kernel that ships,
// and why each is faster. For teachers, tests and benchmarks.
#pragma once
#include "group_1_naive.cuh"
#include "group_2_factored.cuh"
#include "group_4_fused.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace ladder {

/// A step computes y of a convolution between group features, with its bias; `work` holds work_bytes. gain: what it
/// saves over the step before and why, counted for order 16 and 3 x 3 for each pixel and pair of fields; measured on a
/// GPU: not yet. Of each product `roundings` factors are rounded, each by at most `unit` of its size.
struct GroupStep {
  char const *name, *gain;
  int (*run)(GroupConv2d<float> const&);
  size_t (*work_bytes)(GroupConv2d<float> const&);
  int roundings;
  double unit;
};

inline constexpr GroupStep group_steps[] = {
    {"1 naive", "none: 2304 multiply-adds, 9 taps x 16 x 16 elements, each with two reads", group_1_naive,
     group_1_naive_bytes, 0, 0},
    {"2 factored", "2304 -> 1536 multiply-adds: 6 functions instead of 9 taps, applied once for all output fields",
     group_2_factored, group_2_factored_bytes, 0, 0},
    {"3 fourier", "1536 -> 168: blocks of 1 and 2 instead of 16 x 16; products from tiles of 64 x 64 in shared memory",
     group_3_fourier, group_bytes_by<fourier::Unfused<float>>, 0, 0},
    {"4 fused", "no panel in memory: 2 x 6 x 64 bytes for each pixel and input field, 24 output fields for each read",
     group_4_fused, group_bytes_by<fourier::Fused<fourier::ExactProducts>>, 0, 0},
    {"5 tf32", "1024 multiply-adds for each instruction of a warp instead of 32", group_5_tf32,
     group_bytes_by<fourier::Fused<fourier::Tf32Products>>, 2, 0x1p-11},
    {"6 bf16", "2048 for each instruction; coefficients, panels and weights are half as many bytes", group_6_bf16,
     group_bytes_by<fourier::Fused<fourier::Bf16Products>>, 3, 0x1p-8},
};

}  // namespace ladder
}  // namespace D16_GPU
}  // namespace d16::kernels
