// The launchers that the GPU benches time, of the machine D16_GPU, which the build sets: cuda or emulated.
#pragma once
#include <string>
#include <vector>

#include <d16/kernels/conv2d.hpp>
#include <d16/kernels/gemm.hpp>
#include <d16/kernels/group_conv2d.hpp>

#define D16_BENCH_DECLARE(op, Contract)          \
  template <class T> int op(Contract<T> const&); \
  template <class T> size_t op##_work_bytes(Contract<T> const&);

namespace d16::kernels {
namespace D16_GPU {

template <class A, class B, class C> int gemm(Gemm<A, B, C> const&);
template <class A, class B, class C> size_t gemm_work_bytes(Gemm<A, B, C> const&);
D16_BENCH_DECLARE(conv2d, Conv2d)
D16_BENCH_DECLARE(conv2d_dx, Conv2d)
D16_BENCH_DECLARE(conv2d_dw, Conv2d)
D16_BENCH_DECLARE(group_conv2d, GroupConv2d)
D16_BENCH_DECLARE(group_conv2d_dx, GroupConv2d)
D16_BENCH_DECLARE(group_conv2d_dw, GroupConv2d)

}  // namespace D16_GPU
}  // namespace d16::kernels

namespace d16::bench {

namespace gpu_kernels = kernels::D16_GPU;

/// A launcher with the scratch memory that it wants.
template <class Args> struct Launcher {
  int (*run)(Args const&);
  size_t (*work_bytes)(Args const&);
};

/// What numbers are in memory, and what products are made of: tf32 and bf16 sum in float32; bf16 is in memory too,
/// except where a launcher takes float32 tensors only.
enum class Number { float64, float32, tf32, bf16 };
inline char const* name(Number n) {
  return n == Number::float64 ? "float64" : n == Number::float32 ? "float32" : n == Number::tf32 ? "tf32" : "bf16";
}

template <class Args> struct Step {
  std::string name;
  Launcher<Args> launcher;
  Number number;
};
/// The ladders of kernels/ladder, in their order.
std::vector<Step<kernels::Conv2d<float>>> dense_ladder();
std::vector<Step<kernels::GroupConv2d<float>>> group_ladder();

}  // namespace d16::bench
