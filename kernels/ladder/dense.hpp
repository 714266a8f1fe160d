// The dense ladder: one convolution in numbered steps from a loop per thread to the kernel that ships, and why each is
// faster. For teachers, tests and benchmarks.
#pragma once
#include "dense_1_naive.cuh"
#include "dense_2_coalesced.cuh"
#include "dense_3_shared.cuh"
#include "dense_5_double_buffered.cuh"
#include "dense_7_stages.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace ladder {

/// A step computes y = conv2d(x, w) + bias of a contract without groups; `work` holds work_bytes. gain: what it saves
/// over the step before and why, from counts of bytes and operations per multiply-add; measured on a GPU: not yet.
struct DenseStep {
  char const *name, *gain;
  int (*run)(Conv2d<float> const&);
  size_t (*work_bytes)(Conv2d<float> const&);
  Precision precision;
};

inline size_t no_work(Conv2d<float> const&) { return 0; }
inline Conv2d<float> in_bf16(Conv2d<float> a) { return a.precision = Precision::bfloat16, a; }
inline int dense_8_shipped(Conv2d<float> const& a) { return is_plain(a) ? conv2d(in_bf16(a)) : int(unsupported); }
inline size_t shipped_work_bytes(Conv2d<float> const& a) { return conv2d_work_bytes(in_bf16(a)); }

inline constexpr DenseStep dense_steps[] = {
    {"1 naive", "none: the warp's pixels are Ci apart, a sector of 32 bytes for each 4 that are used", dense_1_naive,
     no_work, Precision::float32},
    {"2 coalesced", "36 -> 5 bytes from cache: 32 weights in one line of 128 bytes, one x for the whole warp",
     dense_2_coalesced, weight_columns_bytes, Precision::float32},
    {"3 shared", "5 -> 0.5 bytes from cache: 16 threads share each number of a tile", dense_3_shared,
     weight_columns_bytes, Precision::float32},
    {"4 registers", "8 -> 2 bytes from shared memory, 0.5 -> 0.125 from cache: 4 x 4 values for each thread",
     dense_4_registers, weight_columns_bytes, Precision::float32},
    {"5 double buffered", "one barrier for each step instead of two, and reads under way during the products",
     dense_5_double_buffered, weight_columns_bytes, Precision::float32},
    {"6 tensor cores", "2048 multiply-adds for each instruction of a warp instead of 32, half the bytes: bfloat16",
     dense_6_tensor_cores, Bf16Operands::bytes, Precision::bfloat16},
    {"7 stages", "no register and no wait between memory and tile: three tiles of copies are under way", dense_7_stages,
     Bf16Operands::bytes, Precision::bfloat16},
    {"8 shipped", "0.06 -> 0.03 bytes from cache: 128 x 128 tiles; index by odometer instead of division",
     dense_8_shipped, shipped_work_bytes, Precision::bfloat16},
};

}  // namespace ladder
}  // namespace D16_GPU
}  // namespace d16::kernels
