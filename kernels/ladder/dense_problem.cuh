// The convolution that the dense ladder computes in ever faster ways, written as a product of two matrices.
#pragma once
#include "../cuda/conv2d.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace ladder {

/// y = patches w + bias: row m is the pixel (n,p,q), column o an output channel, and the sum runs over k = (i,j,c).
struct DenseProblem {
  int N, H, W, Ci, Co, kh, kw, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w, P, Q;
  int M, K;
  float const *x, *bias;
  float* y;

  explicit DenseProblem(Conv2d<float> const& a)
      : N(a.N),
        H(a.H),
        W(a.W),
        Ci(a.Ci),
        Co(a.Co),
        kh(a.kh),
        kw(a.kw),
        stride_h(a.stride_h),
        stride_w(a.stride_w),
        pad_h(a.pad_h),
        pad_w(a.pad_w),
        dilation_h(a.dilation_h),
        dilation_w(a.dilation_w),
        P(a.P()),
        Q(a.Q()),
        M(a.N * P * Q),
        K(a.kh * a.kw * a.Ci),
        x(a.x),
        bias(a.bias),
        y(a.y) {}

  /// Where tap (i,j) of patch m lies in an image of `pitch` channels, or -1 outside of it.
  __device__ int64_t pixel(int m, int i, int j, int pitch) const {
    int const n = m / Q / P, h = m / Q % P * stride_h + i * dilation_h - pad_h;
    int const v = m % Q * stride_w + j * dilation_w - pad_w;
    bool const inside = m < M && i < kh && h >= 0 && h < H && v >= 0 && v < W;
    return inside ? ((int64_t(n) * H + h) * W + v) * pitch : -1;
  }
  /// Element (m,k) of the matrix of patches, zero beyond its edges.
  __device__ float patch(int m, int k) const {
    int64_t const at = pixel(m, k / Ci / kw, k / Ci % kw, Ci);
    return at < 0 ? 0 : x[at + k % Ci];
  }
  __device__ void store(int m, int o, float sum) const {
    if (m < M && o < Co) y[int64_t(m) * Co + o] = sum + (bias ? bias[o] : 0);
  }
};

/// The weights as the matrix (K,Co), so that threads of neighbouring o read neighbouring numbers.
struct WeightColumns {
  float const* w;  // (Co,Ci,kh,kw)
  int Ci, Co, taps;
  __device__ float operator()(int64_t e) const {
    int const o = int(e % Co), c = int(e / Co % Ci), tap = int(e / Co / Ci);
    return w[(int64_t(o) * Ci + c) * taps + tap];
  }
};
inline float* weight_columns(Conv2d<float> const& a) {
  float* const columns = static_cast<float*>(a.work);
  dense::launch_fill(WeightColumns{a.w, a.Ci, a.Co, a.kh * a.kw}, int64_t(a.kh) * a.kw * a.Ci * a.Co, columns);
  return columns;
}
inline size_t weight_columns_bytes(Conv2d<float> const& a) {
  return size_t(a.kh) * size_t(a.kw) * size_t(a.Ci) * size_t(a.Co) * sizeof(float);
}

/// Image and weights in bfloat16, channels filled up with zeros to multiples of 8 (16 bytes); weights
/// (Co,kh,kw,padded).
struct Bf16Operands {
  Conv2d<float> a;
  dense::Scratch scratch{a.work};
  dense::Prepared<bf16, float> image{a.x, int64_t(a.N) * a.H* a.W, 1, a.Ci, a.Ci, scratch};
  int padded = image.channels();
  bf16* w = scratch.take<bf16>(int64_t(a.Co) * a.kh * a.kw * padded);

  int fill() const {
    int const taps = a.kh * a.kw;
    int64_t const weights = int64_t(a.Ci) * taps;
    image.fill();
    return dense::launch_pack(
        dense::PackedWeights<float>{a.w, 1, a.Co, a.Ci, padded, a.kh, a.kw, weights, taps, weights * a.Co, 0, a.kw, 1},
        a.Co, w);
  }
  static size_t bytes(Conv2d<float> const& call) {
    Conv2d<float> a = call;
    a.work = nullptr;
    return Bf16Operands{a}.scratch.used;
  }
};

/// The steps have no groups. (Their kernels are templates because a __global__ function cannot be inline.)
inline bool is_plain(Conv2d<float> const& a) { return a.groups == 1 && dense::takes(a); }

}  // namespace ladder
}  // namespace D16_GPU
}  // namespace d16::kernels
