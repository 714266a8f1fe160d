// Maximum and mean over windows of an image.
#pragma once
#include "../kernels/cpu/pool2d.hpp"
#include "../kernels/reference/pool2d.hpp"
#include "forward.hpp"
#include "pair.hpp"
#include "views.hpp"

namespace d16 {

struct MaxPool2dOptions {
  Pair kernel = 2;
  Pair stride = 0;  ///< 0: as the kernel
  Pair padding = 0;
};
struct AvgPool2dOptions {
  Pair kernel = 2;
  Pair stride = 0;  ///< 0: as the kernel
  Pair padding = 0;
  bool count_include_pad = true;
};

template <class T> constinit Slot<kernels::Pool2d<T>> max_pool2d_slot{
    "max_pool2d", {kernels::cpu::max_pool2d<T>}, {kernels::reference::max_pool2d<T>}, {}, {}};
template <class T> constinit Slot<kernels::Pool2d<T>> max_pool2d_dx_slot{
    "max_pool2d_dx", {kernels::cpu::max_pool2d_dx<T>}, {kernels::reference::max_pool2d_dx<T>}, {}, {}};
template <class T> constinit Slot<kernels::Pool2d<T>> avg_pool2d_slot{
    "avg_pool2d", {kernels::cpu::avg_pool2d<T>}, {kernels::reference::avg_pool2d<T>}, {}, {}};
template <class T> constinit Slot<kernels::Pool2d<T>> avg_pool2d_dx_slot{
    "avg_pool2d_dx", {kernels::cpu::avg_pool2d_dx<T>}, {kernels::reference::avg_pool2d_dx<T>}, {}, {}};

// bfloat16 features: for CUDA devices; the reference says what is right.
template <> constinit inline Slot<kernels::Pool2d<bf16>> max_pool2d_slot<bf16>{
    "max_pool2d", {}, {kernels::reference::max_pool2d<bf16>}, {}, {}};
template <> constinit inline Slot<kernels::Pool2d<bf16>> max_pool2d_dx_slot<bf16>{
    "max_pool2d_dx", {}, {kernels::reference::max_pool2d_dx<bf16>}, {}, {}};
template <> constinit inline Slot<kernels::Pool2d<bf16>> avg_pool2d_slot<bf16>{
    "avg_pool2d", {}, {kernels::reference::avg_pool2d<bf16>}, {}, {}};
template <> constinit inline Slot<kernels::Pool2d<bf16>> avg_pool2d_dx_slot<bf16>{
    "avg_pool2d_dx", {}, {kernels::reference::avg_pool2d_dx<bf16>}, {}, {}};

namespace detail {

/// The sizes of a pooling of x: the channels are all axes after W.
template <class T> kernels::Pool2d<T> pool2d_args(Shape const& x, AvgPool2dOptions const& o) {
  kernels::Pool2d<T> a;
  a.N = x[axis::N], a.H = x[axis::H], a.W = x[axis::W];
  for (int i = axis::C; i < x.rank(); ++i) a.C *= x[i];
  a.kernel_h = o.kernel.h, a.kernel_w = o.kernel.w;
  a.stride_h = o.stride.h, a.stride_w = o.stride.w;
  a.padding_h = o.padding.h, a.padding_w = o.padding.w;
  a.count_include_pad = o.count_include_pad;
  return a;
}

inline Shape pool2d_shape(char const* op, Shape x, AvgPool2dOptions const& o) {
  require<ShapeError>(x.rank() == 4 || x.rank() == 5, op, ": x is ", x, "; it needs (N,H,W,C) or (N,H,W,C,G)");
  auto check = [&](char const* side, int64_t size, int kernel, int stride, int padding) {
    require<ValueError>(kernel > 0 && stride > 0, op, ": kernel ", kernel, ", stride ", stride,
                        "; they must be positive");
    require<ValueError>(padding >= 0 && 2 * padding <= kernel, op, ": padding ", padding, ", kernel ", kernel,
                        "; padding is 0 to half the kernel");
    require<ShapeError>(size + 2 * padding >= kernel, op, ": x is ", x, "; ", side, " is smaller than the kernel, ",
                        kernel);
  };
  check("H", x[axis::H], o.kernel.h, o.stride.h, o.padding.h);
  check("W", x[axis::W], o.kernel.w, o.stride.w, o.padding.w);
  auto a = pool2d_args<float>(x, o);
  x[axis::H] = a.out_h(), x[axis::W] = a.out_w();
  return x;
}

/// Both poolings: their slots differ, and only the maximum needs x on the way back.
template <class F, class B>
Tensor pool2d(char const* op, Tensor x, AvgPool2dOptions o, bool keep_x, F forward, B backward) {
  if (o.stride.h == 0) o.stride.h = o.kernel.h;
  if (o.stride.w == 0) o.stride.w = o.kernel.w;
  x = x.contiguous();
  Tensor y = empty(pool2d_shape(op, x.shape(), o), x.like());
  for_any_float(x.dtype(), [&]<class T>(T type) {
    auto a = pool2d_args<T>(x.shape(), o);
    a.x = x.data<T>(), a.y = y.data<T>();
    run(forward(type), x.device(), a);
  });
  Tensor saved = keep_x ? x.detach() : Tensor();
  return record(op, y, wrt(x, [=, s = x.shape(), like = x.like()](Tensor dy) {
                  dy = dy.contiguous();
                  Tensor dx = empty(s, like);
                  for_any_float(dy.dtype(), [&]<class T>(T type) {
                    auto a = pool2d_args<T>(s, o);
                    a.x = saved.data<T>(), a.dy = dy.data<T>(), a.dx = dx.data<T>();
                    run(backward(type), dy.device(), a);
                  });
                  return dx;
                }));
}

}  // namespace detail

/// Maximum over windows: y[n,p,q,c] = max over i < kernel.h, j < kernel.w of x[n, p stride.h + i - padding.h, ..., c].
/// Shapes   x (N,H,W,C) or (N,H,W,C,G); y the same with P = (H + 2 padding.h - kernel.h) / stride.h + 1, Q alike.
/// Types    float32 or float64; on CUDA devices and the reference also bfloat16.
/// Cost     4 bytes N H W C + 4 bytes N P Q C.   Deterministic  yes.   Aliasing  none: y is new.
/// Gradient to the first maximum of each window. Padding never is the maximum; a NaN always is.
/// Errors   ShapeError for another rank or an image smaller than the kernel; ValueError unless kernel, stride > 0 and
///          0 <= padding <= kernel / 2.
inline Tensor max_pool2d(Tensor x, MaxPool2dOptions o = {}) {
  return detail::pool2d(
      "max_pool2d", x, {o.kernel, o.stride, o.padding, true}, true,
      []<class T>(T) -> auto& { return max_pool2d_slot<T>; },
      []<class T>(T) -> auto& { return max_pool2d_dx_slot<T>; });
}

/// Mean over windows, zeros outside the image; count_include_pad says whether those count as elements.
/// Gradient the adjoint. Shapes, types, cost and errors as max_pool2d.
inline Tensor avg_pool2d(Tensor x, AvgPool2dOptions o = {}) {
  return detail::pool2d(
      "avg_pool2d", x, o, false, []<class T>(T) -> auto& { return avg_pool2d_slot<T>; },
      []<class T>(T) -> auto& { return avg_pool2d_dx_slot<T>; });
}

}  // namespace d16
