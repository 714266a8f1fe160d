// Step 2 of the dense ladder: neighbouring threads at neighbouring output channels, whose numbers are neighbours in
// memory.
#pragma once
#include "dense_problem.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace ladder {

template <class E> __global__ void dense_coalesced(DenseProblem s, E const* columns) {
  int64_t const e = gpu::this_thread();
  if (e >= int64_t(s.M) * s.Co) return;
  int const m = int(e / s.Co), o = int(e % s.Co);
  float sum = 0;
  for (int k = 0; k < s.K; ++k) sum += s.patch(m, k) * columns[int64_t(k) * s.Co + o];
  s.store(m, o, sum);
}
inline int dense_2_coalesced(Conv2d<float> const& a) {
  if (!is_plain(a)) return unsupported;
  DenseProblem const s(a);
  return gpu::launch(dense_coalesced<float>, gpu::blocks_for(int64_t(s.M) * s.Co, 256, 0x7fffffff), dim3(256), 0,
                     gpu::current_stream(), s, weight_columns(a));
}

}  // namespace ladder
}  // namespace D16_GPU
}  // namespace d16::kernels
