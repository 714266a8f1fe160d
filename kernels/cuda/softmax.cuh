// softmax and log_softmax along one axis on a GPU: a thread for each distribution, since class scores are few numbers.
#pragma once
#include <cmath>

#include "../softmax.hpp"
#include "gpu.hpp"

namespace d16::kernels {
namespace D16_GPU {

constexpr int softmax_threads = 128;

/// Where distribution i begins; its classes are a.inner apart.
template <class T> __device__ int64_t softmax_offset(Softmax<T> const& a, int64_t i) {
  return i / a.inner * a.classes * a.inner + i % a.inner;
}

template <class T> __global__ void __launch_bounds__(softmax_threads) softmax_kernel(Softmax<T> a) {
  for (int64_t i = gpu::this_thread(); i < a.outer * a.inner; i += gpu::all_threads()) {
    T const* const x = a.x + softmax_offset(a, i);
    T* const y = a.y + softmax_offset(a, i);
    T largest = x[0], sum = 0;
    for (int64_t k = 1; k < a.classes; ++k)
      if (x[k * a.inner] > largest || x[k * a.inner] != x[k * a.inner]) largest = x[k * a.inner];
    for (int64_t k = 0; k < a.classes; ++k) sum += std::exp(x[k * a.inner] - largest);
    for (int64_t k = 0; k < a.classes; ++k) {
      T const shifted = x[k * a.inner] - largest;
      y[k * a.inner] = a.log ? shifted - std::log(sum) : std::exp(shifted) / sum;
    }
  }
}
template <class T> __global__ void __launch_bounds__(softmax_threads) softmax_dx_kernel(Softmax<T> a) {
  for (int64_t i = gpu::this_thread(); i < a.outer * a.inner; i += gpu::all_threads()) {
    T const* const y = a.y + softmax_offset(a, i);
    T const* const dy = a.dy + softmax_offset(a, i);
    T* const dx = a.dx + softmax_offset(a, i);
    T sum = 0;
    for (int64_t k = 0; k < a.classes; ++k) sum += a.log ? dy[k * a.inner] : dy[k * a.inner] * y[k * a.inner];
    for (int64_t k = 0; k < a.classes; ++k) {
      T const value = y[k * a.inner], slope = dy[k * a.inner];
      dx[k * a.inner] = a.log ? slope - std::exp(value) * sum : value * (slope - sum);
    }
  }
}

template <class T> int softmax(Softmax<T> const& a) {
  if (a.outer * a.inner * a.classes == 0) return ok;
  return gpu::launch(softmax_kernel<T>, gpu::blocks_for(a.outer * a.inner, softmax_threads), dim3(softmax_threads), 0,
                     gpu::current_stream(), a);
}
template <class T> int softmax_dx(Softmax<T> const& a) {
  if (a.outer * a.inner * a.classes == 0) return ok;
  return gpu::launch(softmax_dx_kernel<T>, gpu::blocks_for(a.outer * a.inner, softmax_threads), dim3(softmax_threads),
                     0, gpu::current_stream(), a);
}

}  // namespace D16_GPU
}  // namespace d16::kernels
