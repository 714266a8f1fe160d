// Images of any rank read as N pictures of H x W pixels of C channels.
#pragma once
#include "../core/tensor.hpp"
#include "../ops/views.hpp"

namespace d16::vision {

/// The sizes of (H,W), (H,W,C) or (N,H,W,C); axes that are not there count 1.
struct Extent {
  int64_t N = 1, H = 1, W = 1, C = 1;
  int64_t pixels() const { return H * W; }
  int64_t row() const { return W * C; }
  int64_t picture() const { return H * W * C; }
};

inline Extent extent_of(char const* op, Shape const& s) {
  require<ShapeError>(s.rank() >= 2 && s.rank() <= 4, op, ": the image is ", s,
                      "; (H,W), (H,W,C) or (N,H,W,C) is needed");
  require<ShapeError>(s.numel() > 0, op, ": the image is ", s, ": it has no pixels");
  if (s.rank() == 2) return {1, s[0], s[1], 1};
  if (s.rank() == 3) return {1, s[0], s[1], s[2]};
  return {s[0], s[1], s[2], s[3]};
}

/// The shape of `s` with other picture sizes; the rank stays.
inline Shape resized(Shape s, int64_t height, int64_t width) {
  int h = s.rank() == 4 ? 1 : 0;
  s[h] = height, s[h + 1] = width;
  return s;
}

/// The picture as contiguous host memory, outside the gradient graph: what the functions of this room compute on.
inline Tensor on_host(char const* op, Tensor const& x) {
  require<DeviceError>(x.device().is_host(), op, ": the image is on ", x.device(),
                       ", this runs on the host; use to(\"cpu\") first");
  return x.detach().contiguous();
}
/// For new tensors in host memory, whatever the default device is.
inline TensorOptions host_tensor(DType dtype = DType::f32) { return {dtype, Device(), {}}; }

/// Where index i of a line of n lands when the line is continued by its mirror image: d c b a | a b c d | d c b a.
inline int64_t reflect(int64_t i, int64_t n) {
  int64_t period = 2 * n;
  i %= period;
  if (i < 0) i += period;
  return i < n ? i : period - 1 - i;
}

}  // namespace d16::vision
