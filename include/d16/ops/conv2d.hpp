// The planar convolution.
#pragma once
#include "../autograd/tape.hpp"
#include "../core/dispatch.hpp"
#include "../kernels/cpu/conv2d.hpp"
#include "../kernels/reference/conv2d.hpp"
#include "pair.hpp"
#include "views.hpp"
#include "weights.hpp"

namespace d16 {

struct Conv2dOptions {
  Pair stride = 1, padding = 0, dilation = 1;
  int groups = 1;
  /// What the factors of float32 products are rounded to, forward and in both gradients. Processors without units for it
  /// compute in float32.
  kernels::Precision precision = kernels::Precision::float32;
  Tensor sums = {};  ///< (N,Co,2) float64, written: of y and its squares over each image, for a batch norm or a squeeze
};

template <class T> constinit Slot<kernels::Conv2d<T>> conv2d_slot{
    "conv2d", {kernels::cpu::conv2d<T>, kernels::cpu::conv2d_work_bytes<T>}, {kernels::reference::conv2d<T>}, {}, {}};
template <class T>
constinit Slot<kernels::Conv2d<T>> conv2d_dx_slot{"conv2d_dx",
                                                  {kernels::cpu::conv2d_dx<T>, kernels::cpu::conv2d_dx_work_bytes<T>},
                                                  {kernels::reference::conv2d_dx<T>},
                                                  {},
                                                  {}};
template <class T>
constinit Slot<kernels::Conv2d<T>> conv2d_dw_slot{"conv2d_dw",
                                                  {kernels::cpu::conv2d_dw<T>, kernels::cpu::conv2d_dw_work_bytes<T>},
                                                  {kernels::reference::conv2d_dw<T>},
                                                  {},
                                                  {}};
template <class T>
constinit Slot<kernels::Conv2d<T>> conv2d_db_slot{"conv2d_db",
                                                  {kernels::cpu::conv2d_db<T>, kernels::cpu::conv2d_db_work_bytes<T>},
                                                  {kernels::reference::conv2d_db<T>},
                                                  {},
                                                  {}};

// bfloat16 features: for CUDA devices; the reference says what is right.
template <> constinit inline Slot<kernels::Conv2d<bf16>> conv2d_slot<bf16>{
    "conv2d", {}, {kernels::reference::conv2d<bf16>}, {}, {}};
template <> constinit inline Slot<kernels::Conv2d<bf16>> conv2d_dx_slot<bf16>{
    "conv2d_dx", {}, {kernels::reference::conv2d_dx<bf16>}, {}, {}};
template <> constinit inline Slot<kernels::Conv2d<bf16>> conv2d_dw_slot<bf16>{
    "conv2d_dw", {}, {kernels::reference::conv2d_dw<bf16>}, {}, {}};
template <> constinit inline Slot<kernels::Conv2d<bf16>> conv2d_db_slot<bf16>{
    "conv2d_db", {}, {kernels::reference::conv2d_db<bf16>}, {}, {}};

namespace detail {

/// The sizes and options of a call, which its gradients need too.
struct Conv2dCall {
  Shape x, w;
  Conv2dOptions o;
  TensorOptions like;

  template <class T> kernels::Conv2d<T> args() const {
    return {.N = int(x[axis::N]),
            .H = int(x[axis::H]),
            .W = int(x[axis::W]),
            .Ci = int(x[axis::C]),
            .Co = int(w[0]),
            .kh = int(w[2]),
            .kw = int(w[3]),
            .stride_h = o.stride.h,
            .stride_w = o.stride.w,
            .pad_h = o.padding.h,
            .pad_w = o.padding.w,
            .dilation_h = o.dilation.h,
            .dilation_w = o.dilation.w,
            .groups = o.groups,
            .precision = o.precision};
  }
  Shape y() const {
    auto a = args<float>();
    return {a.N, a.P(), a.Q(), a.Co};
  }
  Tensor dx(Tensor dy, Tensor weight) const {
    dy = dy.contiguous();
    Tensor dx = empty(x, like);
    for_any_float(like.dtype, [&]<class T>(T) {
      auto a = args<T>();
      a.dy = dy.data<T>(), a.w = weight.data<kernels::Wide<T>>(), a.dx = dx.data<T>();
      run(conv2d_dx_slot<T>, like.device, a);
    });
    return dx;
  }
  Tensor dw(Tensor dy, Tensor input) const {
    dy = dy.contiguous();
    Tensor dw = empty(w, {weight_dtype(like.dtype), like.device});
    for_any_float(like.dtype, [&]<class T>(T) {
      auto a = args<T>();
      a.dy = dy.data<T>(), a.x = input.data<T>(), a.dw = dw.data<kernels::Wide<T>>();
      run(conv2d_dw_slot<T>, like.device, a);
    });
    return dw;
  }
  Tensor db(Tensor dy) const {
    dy = dy.contiguous();
    Tensor db = empty({w[0]}, {weight_dtype(like.dtype), like.device});
    for_any_float(like.dtype, [&]<class T>(T) {
      auto a = args<T>();
      a.dy = dy.data<T>(), a.db = db.data<kernels::Wide<T>>();
      run(conv2d_db_slot<T>, like.device, a);
    });
    return db;
  }
};

/// One axis: the padded size must hold the spread-out kernel, and all of it must be countable.
inline void check_conv2d_axis(char const* axis, int64_t size, int64_t kernel, int64_t stride, int64_t padding,
                              int64_t dilation) {
  require<ValueError>(stride > 0 && padding >= 0 && dilation > 0, "conv2d: along ", axis, ", stride ", stride,
                      ", padding ", padding, ", dilation ", dilation, "; needs stride and dilation > 0, padding >= 0");
  int64_t padded = checked_int("conv2d", "the padded size of x", size + 2 * padding);
  checked_int("conv2d", "the kernel", kernel);
  int64_t reach = checked_int("conv2d", "the kernel with its gaps", dilation * (kernel - 1) + 1);
  require<ShapeError>(padded >= reach, "conv2d: ", axis, " is ", size, " with padding ", padding, "; a kernel of ",
                      kernel, " with dilation ", dilation, " needs at least ", reach, " pixels");
}

inline Conv2dCall conv2d_call(Tensor const& x, Tensor const& w, Tensor const& b, Conv2dOptions const& o) {
  require<ShapeError>(x.rank() == 4 && x.numel() > 0, "conv2d: x is ", x.shape(), "; needs (N,H,W,Ci), not empty");
  require<ShapeError>(w.rank() == 4 && w.numel() > 0, "conv2d: w is ", sizes_text(w.shape()),
                      "; needs (Co,Ci/groups,kh,kw), not empty");
  require<ValueError>(o.groups > 0, "conv2d: groups is ", o.groups, "; needs at least 1");
  require<ShapeError>(x.dim(axis::C) % o.groups == 0 && w.dim(0) % o.groups == 0, "conv2d: x is ", x.shape(), ", w is ",
                      sizes_text(w.shape()), "; ", o.groups, " groups must divide Ci=", x.dim(axis::C),
                      " and Co=", w.dim(0));
  require<ShapeError>(w.dim(1) == x.dim(axis::C) / o.groups, "conv2d: x is ", x.shape(), ", w is ",
                      sizes_text(w.shape()), "; with ", o.groups, " groups the second size of w is ",
                      x.dim(axis::C) / o.groups);
  check_weights("conv2d", x, w, b, w.dim(0));
  check_conv2d_axis("H", x.dim(axis::H), w.dim(2), o.stride.h, o.padding.h, o.dilation.h);
  check_conv2d_axis("W", x.dim(axis::W), w.dim(3), o.stride.w, o.padding.w, o.dilation.w);
  checked_int("conv2d", "N", x.dim(axis::N)), checked_int("conv2d", "Co", w.dim(0));
  checked_int("conv2d", "kh kw times the number of channels", w.dim(2) * w.dim(3) * std::max(x.dim(axis::C), w.dim(0)));
  Shape const sums{x.dim(axis::N), w.dim(0), 2};
  require<ShapeError>(!o.sums.defined() || (o.sums.shape() == sums && o.sums.is_contiguous()), "conv2d: sums is ",
                      o.sums.defined() ? sizes_text(o.sums.shape()) : "", "; needs ", sizes_text(sums));
  return {x.shape(), w.shape(), o, x.like()};
}

}  // namespace detail

/// Convolution (cross-correlation) of images:
///   y[n,p,q,o] = b[o] + sum_{c,i,j} w[o,c,i,j] x[n,h,v,c],
///   h = p stride + i dilation - padding, v = q stride + j dilation - padding, zeros beyond the border.
/// Output channel o sees the Ci/groups input channels of its own group.
/// Shapes   x (N,H,W,Ci), w (Co,Ci/groups,kh,kw), b (Co) or undefined, y (N,P,Q,Co) without group tag;
///          P = (H + 2 padding - dilation (kh-1) - 1) / stride + 1, Q likewise.      Units  w: those of y / x.
/// Cost     2 N P Q Co (Ci/groups) kh kw flops, of 3 x 3 a quarter (Winograd, float32); scratch: the weights once more,
///          or four times and some MB for Winograd, which spreads a NaN of x over a tile of 4 x 4 pixels.
/// Numbers  bfloat16 x, with float32 w and b, gives bfloat16 y and dx, float32 dw and db: sums are float32, each result is
///          rounded once. For CUDA devices and the reference.      precision: of the products of float32 on a GPU.
/// Deterministic  yes.      Aliasing  none.      Gradient  to x, w and b.
/// Errors   d16::ShapeError, DTypeError, DeviceError; ValueError for stride, padding, dilation, groups.
inline Tensor conv2d(Tensor x, Tensor w, Tensor b = {}, Conv2dOptions o = {}) {
  detail::Conv2dCall c = detail::conv2d_call(x, w, b, o);
  x = x.contiguous(), w = w.contiguous();
  if (b.defined()) b = b.contiguous();
  Tensor y = empty(c.y(), {x.dtype(), x.device()});
  for_any_float(x.dtype(), [&]<class T>(T) {
    auto a = c.args<T>();
    a.x = x.data<T>(), a.y = y.data<T>();
    a.w = w.data<kernels::Wide<T>>(), a.bias = b.data<kernels::Wide<T>>();
    a.sums = o.sums.data<double>();
    run(conv2d_slot<T>, x.device(), a);
  });
  return record("conv2d", y, wrt(x, [=](Tensor dy) { return c.dx(dy, w); }),
                wrt(w, [=](Tensor dy) { return c.dw(dy, x); }), wrt(b, [=](Tensor dy) { return c.db(dy); }));
}

}  // namespace d16
