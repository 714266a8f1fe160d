// Contract of the planar convolution (a cross-correlation, as everywhere in deep learning).
#pragma once
#include <cstdint>

#include "image_sums.hpp"
#include "precision.hpp"
#include "view.hpp"

namespace d16::kernels {

/// How a kernel computes. `winograd`, for tests and benchmarks, needs float32, at least 16 channels on both sides and a
/// 3 x 3 kernel without stride, dilation or groups; other convolutions are then unsupported. `automatic` takes it where
/// it is faster.
enum class Conv2dAlgorithm { automatic, direct, winograd };

/// x and dx are (N,H,W,Ci); w and dw (Co,Ci/groups,kh,kw); y and dy (N,P,Q,Co); bias and db (Co).
/// conv2d     reads x, w, bias (may be null); writes y and, where it is given, sums (N,Co,2), as image_sums of y.
/// conv2d_dx  reads dy, w; writes dx.
/// conv2d_dw  reads dy, x; writes dw.
/// conv2d_db  reads dy; writes db.
/// Channels come in groups: output channel o sees the Ci/groups input channels of group o / (Co/groups). An infinity or
/// NaN reaches every output whose patch holds it, and may reach those of other groups at the same pixels; by Winograd's
/// algorithm also those of the same tile of 4 x 4 pixels.
/// For T = bf16 weights and bias, and their gradients, are float32; sums are float32, each result is rounded once.
template <class T> struct Conv2d {
  int N = 1, H = 1, W = 1, Ci = 1, Co = 1, kh = 1, kw = 1;
  int stride_h = 1, stride_w = 1, pad_h = 0, pad_w = 0, dilation_h = 1, dilation_w = 1, groups = 1;
  Conv2dAlgorithm algorithm = Conv2dAlgorithm::automatic;
  T const *x{}, *dy{};
  Wide<T> const *w{}, *bias{};
  T *y{}, *dx{};
  Wide<T>*dw{}, *db{};
  void* work{};
  Precision precision{};  ///< of float32 images; without units for it: float32. A bias has no factors
  double* sums{};

  constexpr int P() const { return (H + 2 * pad_h - dilation_h * (kh - 1) - 1) / stride_h + 1; }
  constexpr int Q() const { return (W + 2 * pad_w - dilation_w * (kw - 1) - 1) / stride_w + 1; }
};

/// How conv2d_dx ends as a transposed convolution: a bias (Ci, may be null), the positive part, and how many elements a
/// pixel of dx begins behind the one before.
template <class T> struct StampEnding {
  Wide<T> const* bias{};
  bool relu = false;
  int64_t pitch = 0;
};

/// The sums of y, in the scratch memory of the convolution.
template <class T> ImageSums<T> sums_of_result(Conv2d<T> const& a) {
  return {.N = a.N, .pixels = int64_t(a.P()) * a.Q(), .C = a.Co, .x = a.y, .sums = a.sums, .work = a.work};
}

}  // namespace d16::kernels
