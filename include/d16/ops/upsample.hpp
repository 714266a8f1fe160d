// Enlarging an image by an integer factor.
#pragma once
#include "../kernels/cpu/upsample.hpp"
#include "../kernels/reference/upsample.hpp"
#include "forward.hpp"
#include "views.hpp"

namespace d16 {

enum class Upsample { nearest, bilinear };

struct UpsampleOptions {
  int scale = 2;
  Upsample mode = Upsample::nearest;
  bool align_corners = false;  ///< bilinear only
};

template <class T> constinit Slot<kernels::Upsample<T>> upsample_slot{
    "upsample", {kernels::cpu::upsample<T>}, {kernels::reference::upsample<T>}, {}, {}};
template <class T> constinit Slot<kernels::Upsample<T>> upsample_dx_slot{
    "upsample_dx", {kernels::cpu::upsample_dx<T>}, {kernels::reference::upsample_dx<T>}, {}, {}};

namespace detail {
template <class T> kernels::Upsample<T> upsample_args(Shape const& x, UpsampleOptions const& o) {
  kernels::Upsample<T> a;
  a.N = x[axis::N], a.H = x[axis::H], a.W = x[axis::W];
  for (int i = axis::C; i < x.rank(); ++i) a.C *= x[i];
  a.scale = o.scale, a.bilinear = o.mode == Upsample::bilinear, a.align_corners = o.align_corners;
  return a;
}
}  // namespace detail

/// The image `scale` times as large: each pixel repeated (nearest), or interpolated between the four around (bilinear).
/// Shapes   x (N,H,W,C) or (N,H,W,C,G), y (N,scale H,scale W,...).
/// Cost     4 bytes N H W C (1 + scale^2).   Deterministic  yes.   Aliasing  none: y is new.
/// Gradient the exact adjoint.
/// Errors   ShapeError for another rank; ValueError unless scale > 0, or for align_corners with nearest.
inline Tensor upsample(Tensor x, UpsampleOptions o = {}) {
  require<ShapeError>(x.rank() == 4 || x.rank() == 5, "upsample: x is ", x.shape(),
                      "; it needs (N,H,W,C) or (N,H,W,C,G)");
  require<ValueError>(o.scale > 0, "upsample: scale is ", o.scale, "; it must be positive");
  require<ValueError>(!o.align_corners || o.mode == Upsample::bilinear, "upsample: align_corners is for bilinear only");
  x = x.contiguous();
  Shape shape = x.shape();
  shape[axis::H] *= o.scale, shape[axis::W] *= o.scale;
  Tensor y = empty(shape, x.like());
  for_float(x.dtype(), [&]<class T>(T) {
    auto a = detail::upsample_args<T>(x.shape(), o);
    a.x = x.data<T>(), a.y = y.data<T>();
    run(upsample_slot<T>, x.device(), a);
  });
  return record("upsample", y, wrt(x, [=, s = x.shape(), like = x.like()](Tensor dy) {
                  dy = dy.contiguous();
                  Tensor dx = empty(s, like);
                  for_float(dy.dtype(), [&]<class T>(T) {
                    auto a = detail::upsample_args<T>(s, o);
                    a.dy = dy.data<T>(), a.dx = dx.data<T>();
                    run(upsample_dx_slot<T>, dy.device(), a);
                  });
                  return dx;
                }));
}

}  // namespace d16
