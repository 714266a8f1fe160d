// Steps 4 to 6 of the group ladder: one kernel, then its products on tensor cores.
#pragma once
#include "group_3_fourier.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace ladder {

/// For C_n and D_n, n = 4, 8, 16.
template <class Products> int group_fused(GroupConv2d<float> const& a) {
  auto has_butterflies = [](auto) { return int(ok); };
  if (fourier::with_transform(a.group, has_butterflies) != ok) return unsupported;
  return group_by<fourier::Fused<Products>>(a);
}
inline int group_4_fused(GroupConv2d<float> const& a) { return group_fused<fourier::ExactProducts>(a); }
inline int group_5_tf32(GroupConv2d<float> const& a) { return group_fused<fourier::Tf32Products>(a); }
inline int group_6_bf16(GroupConv2d<float> const& a) { return group_fused<fourier::Bf16Products>(a); }

}  // namespace ladder
}  // namespace D16_GPU
}  // namespace d16::kernels
