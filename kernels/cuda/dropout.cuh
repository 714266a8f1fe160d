// Dropout on a GPU: a thread for the four words of a Philox block. The mask is the same as on every device.
#pragma once
#include <cmath>

#include "../dropout.hpp"
#include "philox.cuh"

namespace d16::kernels {
namespace D16_GPU {

template <class T> __global__ void __launch_bounds__(four_threads)
    dropout_kernel(Dropout<T> const a, Wide<T> scale, uint32_t limit, bool aligned) {
  uint64_t const stream = a.stream + (a.offset ? *a.offset : 0);
  for (int64_t i = gpu::this_thread(); 4 * i < a.n; i += gpu::all_threads()) {
    Pack<uint32_t, 4> const words = philox_words(a.seed, uint64_t(i), stream);
    auto v = read_four(a.x, i, a.n, aligned);
#pragma unroll
    for (int e = 0; e < 4; ++e) v.value[e] = words.value[e] >> 8 >= limit ? v.value[e] * scale : Wide<T>(0);
    write_four(a.y, i, a.n, aligned, v);
  }
}

/// Floor: x read once, y written once; no mask is stored.
template <class T> int dropout(Dropout<T> const& a) {
  if (a.n <= 0) return ok;
  auto const limit = uint32_t(std::ceil(a.p * 0x1p24));  // unit_interval(word) >= p, in integers
  return gpu::launch(dropout_kernel<T>, blocks_of_fours(a.n), dim3(four_threads), 0, gpu::current_stream(), a,
                     Wide<T>(1 / (1 - a.p)), limit, in_whole_packs(0, a.x, a.y));
}

}  // namespace D16_GPU
}  // namespace d16::kernels
