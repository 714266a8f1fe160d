// Several neighbours in memory, moved at once: what pointwise kernels read and write.
#pragma once
#include "../precision.hpp"
#include "gpu.hpp"

namespace d16::kernels {
namespace D16_GPU {

/// Elements of 16 bytes: neighbouring threads then read 512 bytes with one instruction of a warp, whatever T is.
template <class T> constexpr int whole_pack = 16 / int(sizeof(T));

template <class T, int count> struct alignas(count * sizeof(T) < 16 ? count * sizeof(T) : 16) Pack { T value[count]; };

/// The i-th pack of an array, widened to the type that T is computed in.
template <int count, class T> __device__ __forceinline__ Pack<Wide<T>, count> read_pack(T const* x, int64_t i) {
  auto const pack = reinterpret_cast<Pack<T, count> const*>(x)[i];
  Pack<Wide<T>, count> wide;
#pragma unroll
  for (int e = 0; e < count; ++e) wide.value[e] = gpu::to_float(pack.value[e]);
  return wide;
}
/// Wide numbers rounded to T; bf16 in pairs, for which there is an instruction.
template <class T, int count> __device__ __forceinline__ Pack<T, count> packed(Wide<T> const (&wide)[count]) {
  Pack<T, count> pack;
#pragma unroll
  for (int e = 0; e < count; ++e)
    if constexpr (!std::is_same_v<T, bf16> || count == 1) {
      pack.value[e] = gpu::from_float<T>(wide[e]);
    } else if (e % 2 == 0) {
      uint32_t const pair = gpu::pack_bf16(wide[e], wide[e + 1]);
      pack.value[e].bits = uint16_t(pair), pack.value[e + 1].bits = uint16_t(pair >> 16);
    }
  return pack;
}
template <int count, class T>
__device__ __forceinline__ void write_pack(T* y, int64_t i, Pack<Wide<T>, count> const& wide) {
  reinterpret_cast<Pack<T, count>*>(y)[i] = packed<T>(wide.value);
}

/// Whether arrays of n elements are whole packs. Null pointers count as aligned.
template <class... T> bool in_whole_packs(int64_t n, T const*... arrays) {
  bool const aligned = ((reinterpret_cast<uintptr_t>(arrays) % 16 == 0) && ...);
  return aligned && ((n % whole_pack<T> == 0) && ...);
}

}  // namespace D16_GPU
}  // namespace d16::kernels
