// Conversion between element types on a GPU: one kernel for each pair of types. Between float32 and bfloat16, which mixed
// networks do all the time, four numbers for each thread.
#pragma once
#include <cmath>
#include <limits>

#include "../cast.hpp"
#include "pack.cuh"

namespace d16::kernels {
namespace D16_GPU {

template <class T> constexpr T least = std::numeric_limits<T>::min();
template <class T> constexpr T most = std::numeric_limits<T>::max();

/// As a double, which holds every element type but the last bits of large int64.
template <class From> __device__ double widened(From x) {
  if constexpr (std::is_same_v<From, bf16>) return double(gpu::to_float(x));
  else return double(x);
}
/// A double as a To: rounded to a floating type; to an integer towards zero, saturating, NaN to 0.
template <class To> __device__ To narrowed(double value) {
  if constexpr (std::is_same_v<To, bool>) return value != 0;
  else if constexpr (std::is_same_v<To, bf16>) return gpu::to_bf16(float(value));
  else if constexpr (std::is_floating_point_v<To>) return To(value);
  else {
    if (value != value) return To(0);
    return value <= double(least<To>) ? least<To> : value >= double(most<To>) ? most<To> : To(value);
  }
}

constexpr int cast_threads = 256;

template <class From, class To> __global__ void __launch_bounds__(cast_threads)
    cast_kernel(int64_t n, From const* x, To* y) {
  for (int64_t i = gpu::this_thread(); i < n; i += gpu::all_threads()) y[i] = narrowed<To>(widened(x[i]));
}

constexpr int cast_pack = 4;
template <class From, class To> __global__ void __launch_bounds__(cast_threads)
    cast_packs_kernel(int64_t packs, From const* x, To* y) {
  for (int64_t i = gpu::this_thread(); i < packs; i += gpu::all_threads())
    write_pack<cast_pack>(y, i, read_pack<cast_pack>(x, i));
}
template <class From, class To> int cast_packs(Cast const& a) {
  int64_t const packs = a.n / cast_pack;
  return gpu::launch(cast_packs_kernel<From, To>, gpu::blocks_for(packs, cast_threads), dim3(cast_threads), 0,
                     gpu::current_stream(), packs, static_cast<From const*>(a.x), static_cast<To*>(a.y));
}

inline int cast(Cast const& a) {
  if (a.n == 0) return ok;
  bool const whole =
      a.n % cast_pack == 0 && (reinterpret_cast<uintptr_t>(a.x) | reinterpret_cast<uintptr_t>(a.y)) % 16 == 0;
  if (whole && a.from == DType::f32 && a.to == DType::bf16) return cast_packs<float, bf16>(a);
  if (whole && a.from == DType::bf16 && a.to == DType::f32) return cast_packs<bf16, float>(a);
  return for_dtype(a.from, [&]<class From>(From) {
    return for_dtype(a.to, [&]<class To>(To) {
      return gpu::launch(cast_kernel<From, To>, gpu::blocks_for(a.n, cast_threads), dim3(cast_threads), 0,
                         gpu::current_stream(), a.n, static_cast<From const*>(a.x), static_cast<To*>(a.y));
    });
  });
}

}  // namespace D16_GPU
}  // namespace d16::kernels
