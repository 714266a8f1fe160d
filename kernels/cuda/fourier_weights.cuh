// Weights of the group convolution and their coefficients: there, to the weights of the adjoint, and back.
#pragma once
#include "fourier_plan.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace fourier {

/// Coefficient `entry` for basis function `slot`: a sum over few terms, each the transform of weights over the group.
/// w: the weights (V, slots) of one pair of fields.
template <class T> __device__ T weight_coefficient(Tables<T> const& t, T const* w, int entry, int slot) {
  T sum = 0;
  for (int i = t.term_begin[entry * t.V + slot]; i < t.term_begin[entry * t.V + slot + 1]; ++i) {
    Term<T> const term = t.terms[i];
    T const* const of_v = w + term.v * t.slots;
    T psi = 0;
    if (term.q < 0) psi = of_v[0];
    else
      for (int u = 0; u < t.slots; ++u) psi += t.phi[term.q * t.order + u] * of_v[u];
    sum += term.factor * psi;
  }
  return sum;
}

/// Weights (Co,Ci,V,slots) to coefficients (entries, Ci V, Co), each entry the right operand of a product.
template <class T> __global__ void coefficients_of_weights(Tables<T> t, int Ci, int Co, T const* w, T* out) {
  int64_t const depth = int64_t(Ci) * t.V, count = t.outputs * depth * Co;
  for (int64_t i = gpu::this_thread(); i < count; i += gpu::all_threads()) {
    int const o = int(i % Co), k = int(i / Co % depth), entry = int(i / Co / depth);
    out[i] = weight_coefficient(t, w + (int64_t(o) * Ci + k / t.V) * t.V * t.slots, entry, k % t.V);
  }
}

/// The weights of the adjoint, which is a convolution of the same kind: W'[v',u] = sum over v of (-1)^m W[v,u^-1]
/// D_vv'(u), where B_v(u x) = sum over v' of D_vv'(u) B_v'(x). From (Co,Ci,V,slots) to (Ci,Co,V,slots). One thread for
/// each pair of fields, harmonic and element.
template <class T> __global__ void weights_of_adjoint(Tables<T> t, int Ci, int Co, T const* w, T* out) {
  int64_t const count = int64_t(Co) * Ci * t.harmonics * t.slots;
  for (int64_t i = gpu::this_thread(); i < count; i += gpu::all_threads()) {
    int const u = int(i % t.slots), h = int(i / t.slots % t.harmonics);
    int64_t const pair = i / t.slots / t.harmonics, o = pair / Ci, c = pair % Ci;
    int const m = t.harmonic[2 * h], v = t.harmonic[2 * h + 1], r = u % t.n, flipped = u / t.n;
    int const inverse = flipped || r == 0 ? u : t.n - r;
    T const* const from = w + (pair * t.V + v) * t.slots + inverse;
    T* const to = out + ((c * Co + o) * t.V + v) * t.slots + u;
    if (m == 0) {
      to[0] = from[0];
      continue;
    }
    T const x = from[0], y = from[t.slots], cosine = t.root[2 * (m * r % t.n)], sine = t.root[2 * (m * r % t.n) + 1];
    T const turn = flipped || m % 2 == 0 ? T(1) : T(-1), flip = flipped ? T(-1) : T(1);
    to[0] = turn * (x * cosine + y * sine);
    to[t.slots] = flip * turn * (y * cosine - x * sine);
  }
}

/// The adjoint of coefficients_of_weights: dw (Co,Ci,V,slots) from the gradient (entries, Ci V, Co) of the
/// coefficients.
template <class T> __global__ void gradient_of_weights(Tables<T> t, int Ci, int Co, T const* gradient, T* dw) {
  int64_t const count = int64_t(Co) * Ci * t.V * t.slots, depth = int64_t(Ci) * t.V;
  for (int64_t i = gpu::this_thread(); i < count; i += gpu::all_threads()) {
    int const u = int(i % t.slots), v = int(i / t.slots % t.V);
    int64_t const pair = i / t.slots / t.V, o = pair / Ci, c = pair % Ci;
    T sum = 0;
    for (int q = 0; q < t.slots; ++q) {
      T dpsi = 0;
      for (int j = t.reader_begin[v * t.slots + q]; j < t.reader_begin[v * t.slots + q + 1]; ++j) {
        Term<T> const term = t.readers[j];
        dpsi += term.factor * gradient[(term.entry * depth + c * t.V + term.slot) * Co + o];
      }
      sum += t.slots > 1 ? t.phi[q * t.order + u] * dpsi : dpsi;
    }
    dw[i] = sum;
  }
}

template <class T, class E> int launch_adjoint(Tables<T> const& t, GroupConv2d<E> const& a, T* out) {
  return gpu::launch(weights_of_adjoint<T>, gpu::blocks_for(int64_t(a.Co) * a.Ci * t.harmonics * t.slots, 256),
                     dim3(256), 0, gpu::current_stream(), t, a.Ci, a.Co, a.w, out);
}

}  // namespace fourier
}  // namespace D16_GPU
}  // namespace d16::kernels
