// The sample of a variational autoencoder on a GPU, drawn where it is needed: forwards and backwards the same numbers.
#pragma once
#include <cmath>

#include "../reparameterise.hpp"
#include "philox.cuh"

namespace d16::kernels {
namespace D16_GPU {

template <class T> __global__ void __launch_bounds__(four_threads, 3)
    reparameterise_kernel(Reparameterise<T> const a, bool aligned) {
  uint64_t const stream = a.stream + (a.offset ? *a.offset : 0);
  for (int64_t i = gpu::this_thread(); 4 * i < a.n; i += gpu::all_threads()) {
    auto const eps = four_normals(a.seed, uint64_t(i), stream);
    auto const logvar = read_four(a.logvar, i, a.n, aligned);
    auto v = read_four(a.mu, i, a.n, aligned);
#pragma unroll
    for (int e = 0; e < 4; ++e) v.value[e] += std::exp(logvar.value[e] / 2) * T(eps.value[e]);
    write_four(a.y, i, a.n, aligned, v);
  }
}
template <class T> __global__ void __launch_bounds__(four_threads, 3)
    reparameterise_dx_kernel(Reparameterise<T> const a, bool aligned) {
  uint64_t const stream = a.stream + (a.offset ? *a.offset : 0);
  for (int64_t i = gpu::this_thread(); 4 * i < a.n; i += gpu::all_threads()) {
    auto const eps = four_normals(a.seed, uint64_t(i), stream);
    auto const logvar = read_four(a.logvar, i, a.n, aligned);
    auto v = read_four(a.dy, i, a.n, aligned);
#pragma unroll
    for (int e = 0; e < 4; ++e) v.value[e] *= std::exp(logvar.value[e] / 2) * T(eps.value[e]) / 2;
    write_four(a.dlogvar, i, a.n, aligned, v);
  }
}

/// Floor: mu and logvar read once, y written once.
template <class T> int reparameterise(Reparameterise<T> const& a) {
  if (a.n <= 0) return ok;
  return gpu::launch(reparameterise_kernel<T>, blocks_of_fours(a.n), dim3(four_threads), 0, gpu::current_stream(), a,
                     in_whole_packs(0, a.mu, a.logvar, a.y));
}
/// Floor: dy and logvar read once, dlogvar written once.
template <class T> int reparameterise_dx(Reparameterise<T> const& a) {
  if (a.n <= 0) return ok;
  return gpu::launch(reparameterise_dx_kernel<T>, blocks_of_fours(a.n), dim3(four_threads), 0, gpu::current_stream(), a,
                     in_whole_packs(0, a.logvar, a.dy, a.dlogvar));
}

}  // namespace D16_GPU
}  // namespace d16::kernels
