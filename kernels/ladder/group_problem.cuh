// The convolution between group features that the group ladder computes in ever faster ways.
#pragma once
#include "../cuda/group_conv2d.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace ladder {

/// y[n,p,q,o,g] = sum over c, h, taps of kappa_oc[g,h](tap) x[n, pixel under the tap, c, h] + bias[o].
struct GroupProblem {
  int N, H, W, P, Q, Ci, Co, V, G, kernel, stride, padding, dilation;
  float const *x, *bias;
  float* y;

  explicit GroupProblem(GroupConv2d<float> const& a)
      : N(a.N),
        H(a.H),
        W(a.W),
        P(a.out(a.H)),
        Q(a.out(a.W)),
        Ci(a.Ci),
        Co(a.Co),
        V(a.V),
        G(a.group.order()),
        kernel(a.kernel),
        stride(a.stride),
        padding(a.padding),
        dilation(a.dilation),
        x(a.x),
        bias(a.bias),
        y(a.y) {}
  __host__ __device__ int64_t pixels() const { return int64_t(N) * P * Q; }

  /// The features under tap (i,j) of output pixel m, (Ci,G), or null outside of the image.
  __device__ float const* under(int64_t m, int i, int j) const {
    int const n = int(m / Q / P), r = int(m / Q % P) * stride + i * dilation - padding;
    int const s = int(m % Q) * stride + j * dilation - padding;
    if (r < 0 || r >= H || s < 0 || s >= W) return nullptr;
    return x + ((int64_t(n) * H + r) * W + s) * Ci * G;
  }
};

/// The ladder is about features to features in float32, without what may follow the sums.
inline bool is_plain(GroupConv2d<float> const& a) {
  return a.sides == Sides::regular && !a.scale && !a.relu && !a.norm && !a.moments && !a.packed;
}

}  // namespace ladder
}  // namespace D16_GPU
}  // namespace d16::kernels
