// Step 2 of the group ladder: the basis first, in the frame of each element, then the sum over weights.
#pragma once
#include "group_problem.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace ladder {

/// projected (pixels,Ci,V,G): E[c,v,h] = sum over taps of B_v(h^-1 tap) x[c,h] there. basis (G,V,k,k).
template <class E> __global__ void group_project(GroupProblem s, E const* basis, E* projected) {
  int64_t const e = gpu::this_thread();
  if (e >= s.pixels() * s.Ci * s.V * s.G) return;
  int const h = int(e % s.G), v = int(e / s.G % s.V), c = int(e / s.G / s.V % s.Ci), taps = s.kernel * s.kernel;
  int64_t const m = e / s.G / s.V / s.Ci;
  float sum = 0;
  for (int tap = 0; tap < taps; ++tap) {
    float const* const x = s.under(m, tap / s.kernel, tap % s.kernel);
    if (x) sum += basis[(h * s.V + v) * taps + tap] * x[c * s.G + h];
  }
  projected[e] = sum;
}
/// y[o,g] = sum over c, v, h of w_oc[v, g^-1 h] E[c,v,h]: a convolution over the group.
template <class E> __global__ void group_sum(GroupProblem s, expanded::Filter<E> rule, E const* w, E const* projected) {
  int64_t const e = gpu::this_thread();
  if (e >= s.pixels() * s.Co * s.G) return;
  int const g = int(e % s.G), o = int(e / s.G % s.Co);
  E const* const mine = projected + e / s.G / s.Co * s.Ci * s.V * s.G;
  float sum = s.bias ? s.bias[o] : 0;
  for (int cv = 0; cv < s.Ci * s.V; ++cv)
    for (int h = 0; h < s.G; ++h) sum += w[(int64_t(o) * s.Ci * s.V + cv) * s.G + rule.slot(g, h)] * mine[cv * s.G + h];
  s.y[e] = sum;
}

/// Scratch memory: what the basis gives.
struct Factored {
  float* projected;
  size_t bytes;
  explicit Factored(GroupConv2d<float> const& a) {
    GroupProblem const s(a);
    dense::Scratch scratch(a.work);
    projected = scratch.take<float>(s.pixels() * s.Ci * s.V * s.G);
    bytes = scratch.used;
  }
};
inline int group_2_factored(GroupConv2d<float> const& a) {
  if (!is_plain(a)) return unsupported;
  GroupProblem const s(a);
  Factored const at(a);
  float const* const basis = expanded::kept_basis(a);
  if (!basis) return unsupported;
  auto launch = [&](auto kernel, int64_t count, auto... args) {
    return gpu::launch(kernel, gpu::blocks_for(count, 256, 0x7fffffff), dim3(256), 0, gpu::current_stream(), s,
                       args...);
  };
  launch(group_project<float>, s.pixels() * s.Ci * s.V * s.G, basis, at.projected);
  return launch(group_sum<float>, s.pixels() * s.Co * s.G, expanded::Filter<float>(a, basis), a.w, at.projected);
}
inline size_t group_2_factored_bytes(GroupConv2d<float> const& a) { return Factored(a).bytes; }

}  // namespace ladder
}  // namespace D16_GPU
}  // namespace d16::kernels
