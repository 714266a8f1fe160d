// Step 1 of the dense ladder: one thread for each value of y, neighbouring threads at neighbouring pixels.
#pragma once
#include "dense_problem.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace ladder {

template <class E> __global__ void dense_naive(DenseProblem s, E const* w) {
  int64_t const e = gpu::this_thread();
  if (e >= int64_t(s.M) * s.Co) return;
  int const m = int(e % s.M), o = int(e / s.M), taps = s.kh * s.kw;
  float sum = 0;
  for (int k = 0; k < s.K; ++k) sum += s.patch(m, k) * w[(int64_t(o) * s.Ci + k % s.Ci) * taps + k / s.Ci];
  s.store(m, o, sum);
}
inline int dense_1_naive(Conv2d<float> const& a) {
  if (!is_plain(a)) return unsupported;
  DenseProblem const s(a);
  return gpu::launch(dense_naive<float>, gpu::blocks_for(int64_t(s.M) * s.Co, 256, 0x7fffffff), dim3(256), 0,
                     gpu::current_stream(), s, a.w);
}

}  // namespace ladder
}  // namespace D16_GPU
}  // namespace d16::kernels
