// The sums over the pixels of images on a GPU: those of chunks of pixels, then of the chunks of each image.
#pragma once
#include "../image_sums.hpp"
#include "channel_sums.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace channels {

template <class T> struct WithSquares {
  T const* x;
  int pixels, C;
  __device__ Sums operator()(int n, int p, int c) const {
    double const value = double(gpu::to_float(x[(int64_t(n) * pixels + p) * C + c]));
    return {value, value * value};
  }
};

/// sums (N,C) of partial (N, chunks, C). A thread for each.
template <class Sum> __global__ void __launch_bounds__(line_threads)
    add_chunks(Sum const* partial, int count, int chunks, int C, Sum* sums) {
  int const i = int(gpu::this_thread());
  if (i < count) sums[i] = sum_of_chunks(partial, chunks, C, i / C, i % C);
}
inline int launch_add_chunks(Sums const* partial, int64_t N, int64_t chunks, int C, Sums* sums) {
  return gpu::launch(add_chunks<Sums>, gpu::blocks_for(N * C, line_threads, 0x7fffffff), dim3(line_threads), 0,
                     gpu::current_stream(), partial, int(N * C), int(chunks), C, sums);
}

template <class T> Chunks chunks_of(ImageSums<T> const& a) { return {a.N, a.pixels, a.C}; }

}  // namespace channels

/// None where an image is one chunk.
template <class T> size_t image_sums_work_bytes(ImageSums<T> const& a) {
  channels::Chunks const s = channels::chunks_of(a);
  return s.of_sample() > 1 ? s.bytes() : 0;
}
/// Floor: x read once.
template <class T> int image_sums(ImageSums<T> const& a) {
  if (a.N <= 0 || a.pixels <= 0 || a.C <= 0) return ok;
  channels::Chunks const s = channels::chunks_of(a);
  if (!s.fit()) return unsupported;
  auto* const sums = reinterpret_cast<channels::Sums*>(a.sums);
  auto* const partial = s.of_sample() > 1 ? static_cast<channels::Sums*>(a.work) : sums;
  int const status = channels::sum_pixels(channels::WithSquares<T>{a.x, int(a.pixels), a.C}, s, partial);
  return partial == sums ? status : channels::launch_add_chunks(partial, a.N, s.of_sample(), a.C, sums);
}

}  // namespace D16_GPU
}  // namespace d16::kernels
