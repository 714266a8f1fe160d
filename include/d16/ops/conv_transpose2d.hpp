// The transposed convolution, which enlarges images.
#pragma once
#include "../autograd/tape.hpp"
#include "../core/dispatch.hpp"
#include "../kernels/cpu/conv_transpose2d.hpp"
#include "../kernels/reference/conv_transpose2d.hpp"
#include "pair.hpp"
#include "views.hpp"
#include "weights.hpp"

namespace d16 {

struct ConvTranspose2dOptions {
  Pair stride = 1, padding = 0, output_padding = 0;
  kernels::Precision precision = kernels::Precision::float32;  ///< as of Conv2dOptions
};

template <class T> constinit Slot<kernels::ConvTranspose2d<T>> conv_transpose2d_slot{
    "conv_transpose2d",
    {kernels::cpu::conv_transpose2d<T>, kernels::cpu::conv_transpose2d_work_bytes<T>},
    {kernels::reference::conv_transpose2d<T>},
    {},
    {}};
template <class T> constinit Slot<kernels::ConvTranspose2d<T>> conv_transpose2d_dx_slot{
    "conv_transpose2d_dx",
    {kernels::cpu::conv_transpose2d_dx<T>, kernels::cpu::conv_transpose2d_dx_work_bytes<T>},
    {kernels::reference::conv_transpose2d_dx<T>},
    {},
    {}};
template <class T> constinit Slot<kernels::ConvTranspose2d<T>> conv_transpose2d_dw_slot{
    "conv_transpose2d_dw",
    {kernels::cpu::conv_transpose2d_dw<T>, kernels::cpu::conv_transpose2d_dw_work_bytes<T>},
    {kernels::reference::conv_transpose2d_dw<T>},
    {},
    {}};
template <class T> constinit Slot<kernels::ConvTranspose2d<T>> conv_transpose2d_db_slot{
    "conv_transpose2d_db",
    {kernels::cpu::conv_transpose2d_db<T>, kernels::cpu::conv_transpose2d_db_work_bytes<T>},
    {kernels::reference::conv_transpose2d_db<T>},
    {},
    {}};

// bfloat16 features: for CUDA devices; the reference says what is right.
template <> constinit inline Slot<kernels::ConvTranspose2d<bf16>> conv_transpose2d_slot<bf16>{
    "conv_transpose2d", {}, {kernels::reference::conv_transpose2d<bf16>}, {}, {}};
template <> constinit inline Slot<kernels::ConvTranspose2d<bf16>> conv_transpose2d_dx_slot<bf16>{
    "conv_transpose2d_dx", {}, {kernels::reference::conv_transpose2d_dx<bf16>}, {}, {}};
template <> constinit inline Slot<kernels::ConvTranspose2d<bf16>> conv_transpose2d_dw_slot<bf16>{
    "conv_transpose2d_dw", {}, {kernels::reference::conv_transpose2d_dw<bf16>}, {}, {}};
template <> constinit inline Slot<kernels::ConvTranspose2d<bf16>> conv_transpose2d_db_slot<bf16>{
    "conv_transpose2d_db", {}, {kernels::reference::conv_transpose2d_db<bf16>}, {}, {}};

namespace detail {

/// The sizes and options of a call, which its gradients need too.
struct ConvTranspose2dCall {
  Shape x, w;
  ConvTranspose2dOptions o;
  TensorOptions like;

  template <class T> kernels::ConvTranspose2d<T> args() const {
    return {.N = int(x[axis::N]),
            .H = int(x[axis::H]),
            .W = int(x[axis::W]),
            .Ci = int(x[axis::C]),
            .Co = int(w[1]),
            .kh = int(w[2]),
            .kw = int(w[3]),
            .stride_h = o.stride.h,
            .stride_w = o.stride.w,
            .pad_h = o.padding.h,
            .pad_w = o.padding.w,
            .output_pad_h = o.output_padding.h,
            .output_pad_w = o.output_padding.w,
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
      run(conv_transpose2d_dx_slot<T>, like.device, a);
    });
    return dx;
  }
  Tensor dw(Tensor dy, Tensor input) const {
    dy = dy.contiguous();
    Tensor dw = empty(w, {weight_dtype(like.dtype), like.device});
    for_any_float(like.dtype, [&]<class T>(T) {
      auto a = args<T>();
      a.dy = dy.data<T>(), a.x = input.data<T>(), a.dw = dw.data<kernels::Wide<T>>();
      run(conv_transpose2d_dw_slot<T>, like.device, a);
    });
    return dw;
  }
  Tensor db(Tensor dy) const {
    dy = dy.contiguous();
    Tensor db = empty({w[1]}, {weight_dtype(like.dtype), like.device});
    for_any_float(like.dtype, [&]<class T>(T) {
      auto a = args<T>();
      a.dy = dy.data<T>(), a.db = db.data<kernels::Wide<T>>();
      run(conv_transpose2d_db_slot<T>, like.device, a);
    });
    return db;
  }
};

inline void check_conv_transpose2d_axis(char const* axis, int64_t size, int64_t kernel, int64_t stride, int64_t padding,
                                        int64_t output_padding) {
  require<ValueError>(stride > 0 && padding >= 0 && output_padding >= 0 && output_padding < stride,
                      "conv_transpose2d: along ", axis, ", stride ", stride, ", padding ", padding, ", output padding ",
                      output_padding, "; needs stride > 0, padding >= 0 and 0 <= output padding < stride");
  checked_int("conv_transpose2d", "the size of x", size), checked_int("conv_transpose2d", "the kernel", kernel);
  int64_t out =
      checked_int("conv_transpose2d", "the size of y before cropping", (size - 1) * stride + kernel + output_padding);
  require<ShapeError>(out > 2 * padding, "conv_transpose2d: ", axis, " is ", size, " with kernel ", kernel, ", stride ",
                      stride, "; padding ", padding, " crops all of its ", out, " pixels");
}

inline ConvTranspose2dCall conv_transpose2d_call(Tensor const& x, Tensor const& w, Tensor const& b,
                                                 ConvTranspose2dOptions const& o) {
  require<ShapeError>(x.rank() == 4 && x.numel() > 0, "conv_transpose2d: x is ", x.shape(),
                      "; needs (N,H,W,Ci), not empty");
  require<ShapeError>(w.rank() == 4 && w.numel() > 0 && w.dim(0) == x.dim(axis::C), "conv_transpose2d: x is ",
                      x.shape(), ", w is ", sizes_text(w.shape()), "; needs w (", x.dim(axis::C),
                      ",Co,kh,kw), not empty");
  check_weights("conv_transpose2d", x, w, b, w.dim(1));
  check_conv_transpose2d_axis("H", x.dim(axis::H), w.dim(2), o.stride.h, o.padding.h, o.output_padding.h);
  check_conv_transpose2d_axis("W", x.dim(axis::W), w.dim(3), o.stride.w, o.padding.w, o.output_padding.w);
  checked_int("conv_transpose2d", "N", x.dim(axis::N));
  checked_int("conv_transpose2d", "kh kw times the number of channels",
              w.dim(2) * w.dim(3) * std::max(w.dim(0), w.dim(1)));
  return {x.shape(), w.shape(), o, x.like()};
}

}  // namespace detail

/// Transposed convolution, the adjoint of conv2d with the same weights: every input pixel stamps its kernel,
///   y[n,p,q,o] = b[o] + sum of w[c,o,i,j] x[n,h,v,c] over h stride + i - padding = p, v stride + j - padding = q.
/// Shapes   x (N,H,W,Ci), w (Ci,Co,kh,kw), b (Co) or undefined, y (N,P,Q,Co) without group tag;
///          P = (H - 1) stride - 2 padding + kh + output_padding, Q likewise.      Units  w: those of y / x.
/// Cost     2 N H W Ci Co kh kw flops; scratch: the weights once more.
/// Numbers  bfloat16 x, with float32 w and b, gives bfloat16 y and dx, float32 dw and db: sums are float32, each result is
///          rounded once. For CUDA devices and the reference.      precision: of the products of float32 on a GPU.
/// Deterministic  yes.      Aliasing  none.      Gradient  to x, w and b.
/// Errors   d16::ShapeError, DTypeError, DeviceError; ValueError for stride, padding, output_padding.
inline Tensor conv_transpose2d(Tensor x, Tensor w, Tensor b = {}, ConvTranspose2dOptions o = {}) {
  detail::ConvTranspose2dCall c = detail::conv_transpose2d_call(x, w, b, o);
  x = x.contiguous(), w = w.contiguous();
  if (b.defined()) b = b.contiguous();
  Tensor y = empty(c.y(), {x.dtype(), x.device()});
  for_any_float(x.dtype(), [&]<class T>(T) {
    auto a = c.args<T>();
    a.x = x.data<T>(), a.y = y.data<T>();
    a.w = w.data<kernels::Wide<T>>(), a.bias = b.data<kernels::Wide<T>>();
    run(conv_transpose2d_slot<T>, x.device(), a);
  });
  return record("conv_transpose2d", y, wrt(x, [=](Tensor dy) { return c.dx(dy, w); }),
                wrt(w, [=](Tensor dy) { return c.dw(dy, x); }), wrt(b, [=](Tensor dy) { return c.db(dy); }));
}

}  // namespace d16
