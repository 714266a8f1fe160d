// Mean over windows that cut an image of any size into a given number of rows and columns.
#pragma once
#include "../kernels/cpu/adaptive_avg_pool2d.hpp"
#include "../kernels/reference/adaptive_avg_pool2d.hpp"
#include "forward.hpp"
#include "pair.hpp"
#include "views.hpp"

namespace d16 {

template <class T>
constinit Slot<kernels::AdaptivePool2d<T>> adaptive_avg_pool2d_slot{"adaptive_avg_pool2d",
                                                                    {kernels::cpu::adaptive_avg_pool2d<T>},
                                                                    {kernels::reference::adaptive_avg_pool2d<T>},
                                                                    {},
                                                                    {}};
template <class T>
constinit Slot<kernels::AdaptivePool2d<T>> adaptive_avg_pool2d_dx_slot{"adaptive_avg_pool2d_dx",
                                                                       {kernels::cpu::adaptive_avg_pool2d_dx<T>},
                                                                       {kernels::reference::adaptive_avg_pool2d_dx<T>},
                                                                       {},
                                                                       {}};

namespace detail {

/// The channels are all axes after W.
template <class T> kernels::AdaptivePool2d<T> adaptive_pool2d_args(Shape const& x, Pair size) {
  kernels::AdaptivePool2d<T> a;
  a.N = x[axis::N], a.H = x[axis::H], a.W = x[axis::W], a.P = size.h, a.Q = size.w;
  for (int i = axis::C; i < x.rank(); ++i) a.C *= x[i];
  return a;
}

}  // namespace detail

/// y[n,p,q,c] = mean of x[n,i,j,c] over floor(p H / P) <= i < ceil((p+1) H / P), and j alike: PyTorch's windows, which
/// overlap where the sizes do not divide. An image smaller than the result repeats its pixels.
/// Shapes   x (N,H,W,C) or (N,H,W,C,G); y the same with P = size.h, Q = size.w.
/// Cost     4 bytes N H W C + 4 bytes N P Q C where H >= P, W >= Q.   Deterministic  yes.   Aliasing  none: y is new.
/// Gradient the adjoint.
/// Errors   ShapeError for another rank or an image without pixels; ValueError unless the size is positive.
inline Tensor adaptive_avg_pool2d(Tensor x, Pair size) {
  require<ShapeError>((x.rank() == 4 || x.rank() == 5) && x.dim(axis::H) > 0 && x.dim(axis::W) > 0,
                      "adaptive_avg_pool2d: x is ", x.shape(), "; it needs (N,H,W,C) or (N,H,W,C,G) with pixels");
  require<ValueError>(size.h > 0 && size.w > 0, "adaptive_avg_pool2d: size is ", size.text(), "; it must be positive");
  x = x.contiguous();
  Shape shape = x.shape();
  shape[axis::H] = size.h, shape[axis::W] = size.w;
  Tensor y = empty(shape, x.like());
  for_float(x.dtype(), [&]<class T>(T) {
    auto a = detail::adaptive_pool2d_args<T>(x.shape(), size);
    a.x = x.data<T>(), a.y = y.data<T>();
    run(adaptive_avg_pool2d_slot<T>, x.device(), a);
  });
  return record("adaptive_avg_pool2d", y, wrt(x, [=, s = x.shape(), like = x.like()](Tensor dy) {
                  dy = dy.contiguous();
                  Tensor dx = empty(s, like);
                  for_float(dy.dtype(), [&]<class T>(T) {
                    auto a = detail::adaptive_pool2d_args<T>(s, size);
                    a.dy = dy.data<T>(), a.dx = dx.data<T>();
                    run(adaptive_avg_pool2d_dx_slot<T>, dy.device(), a);
                  });
                  return dx;
                }));
}

}  // namespace d16
