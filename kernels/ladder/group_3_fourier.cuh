// Step 3 of the group ladder: the same in the Fourier basis of the group, one kernel for each step of the algebra.
#pragma once
#include "group_problem.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace ladder {

/// y by an engine of kernels/cuda: fourier::Unfused<float>, or fourier::Fused with some kind of products.
template <class Engine> int group_by(GroupConv2d<float> const& a) {
  if (!is_plain(a) || !fourier::Plan<float>::takes(a)) return unsupported;
  float const* const no_norm = nullptr;
  return Engine(a, false).convolve(a, false, a.x, no_norm, fourier::Ending<float>{nullptr, a.bias, false}, a.y);
}
template <class Engine> size_t group_bytes_by(GroupConv2d<float> const& a) {
  return Engine(a, false).work_bytes(a, false);
}

/// transform, project, multiply, finish: panels and coefficients pass through memory between them.
inline int group_3_fourier(GroupConv2d<float> const& a) { return group_by<fourier::Unfused<float>>(a); }

}  // namespace ladder
}  // namespace D16_GPU
}  // namespace d16::kernels
