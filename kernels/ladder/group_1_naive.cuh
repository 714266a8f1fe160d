// Step 1 of the group ladder: the dense filter, as the usual libraries expand it, and a loop for each value of y.
#pragma once
#include "group_problem.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace ladder {

/// filter (Co,G,Ci,G,k,k). Neighbouring threads are at neighbouring elements g of one pixel.
template <class E> __global__ void group_naive(GroupProblem s, E const* filter) {
  int64_t const e = gpu::this_thread();
  if (e >= s.pixels() * s.Co * s.G) return;
  int64_t const m = e / s.G / s.Co;
  int const row = int(e % (int64_t(s.Co) * s.G)), taps = s.kernel * s.kernel;
  float sum = s.bias ? s.bias[row / s.G] : 0;
  for (int tap = 0; tap < taps; ++tap) {
    float const* const x = s.under(m, tap / s.kernel, tap % s.kernel);
    if (!x) continue;
    for (int ch = 0; ch < s.Ci * s.G; ++ch) sum += filter[(int64_t(row) * s.Ci * s.G + ch) * taps + tap] * x[ch];
  }
  s.y[e] = sum;
}
inline int group_1_naive(GroupConv2d<float> const& a) {
  if (!is_plain(a)) return unsupported;
  expanded::Expanded<float> const e(a, conv2d_work_bytes<float>);
  e.expand(a);
  GroupProblem const s(a);
  return gpu::launch(group_naive<float>, gpu::blocks_for(s.pixels() * s.Co * s.G, 256, 0x7fffffff), dim3(256), 0,
                     gpu::current_stream(), s, e.filter);
}
inline size_t group_1_naive_bytes(GroupConv2d<float> const& a) {
  return expanded::Expanded<float>(a, conv2d_work_bytes<float>).bytes;
}

}  // namespace ladder
}  // namespace D16_GPU
}  // namespace d16::kernels
