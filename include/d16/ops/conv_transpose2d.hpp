// The transposed convolution, which enlarges images.
#pragma once
#include "../autograd/tape.hpp"
#include "../core/dispatch.hpp"
#include "../kernels/cpu/conv_transpose2d.hpp"
#include "../kernels/reference/conv_transpose2d.hpp"
#include "concat.hpp"
#include "pair.hpp"
#include "views.hpp"
#include "weights.hpp"

namespace d16 {

struct ConvTranspose2dOptions {
  Pair stride = 1, padding = 0, output_padding = 0;
  kernels::Precision precision = kernels::Precision::float32;  ///< as of Conv2dOptions
  bool relu = false;                                           ///< the positive part, in the same pass
  Tensor beside = {};  ///< (N,P,Q,any), joined to the result behind its channels, which are written in their place
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
  ConvTranspose2dOptions o;  ///< without what is joined to the result, of which `beside` channels are left
  TensorOptions like;
  int64_t beside = 0;

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
            .precision = o.precision,
            .relu = o.relu,
            .y_pitch = beside ? w[1] + beside : 0};
  }
  Shape y() const {
    auto a = args<float>();
    return {a.N, a.P(), a.Q(), a.Co};
  }
  /// The result with what is joined to it, and where in that it lies.
  Shape joined() const {
    Shape shape = y();
    shape[axis::C] += beside;
    return shape;
  }
  Joint place() const { return {joined(), y(), axis::C, 0}; }
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

inline void check_beside(Tensor const& x, Shape const& y, Tensor const& beside) {
  Shape expected = y;
  if (beside.rank() == 4) expected[axis::C] = beside.dim(axis::C);
  require<ShapeError>(beside.shape() == expected, "conv_transpose2d: the result is ", y, ", beside it is ",
                      beside.shape(), "; it needs the same N, H, W");
  require<DTypeError>(beside.dtype() == x.dtype(), "conv_transpose2d: x is ", name_of(x.dtype()), ", beside is ",
                      name_of(beside.dtype()));
  require<DeviceError>(beside.device() == x.device(), "conv_transpose2d: x is on ", x.device(), ", beside is on ",
                       beside.device(), "; use to()");
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
  ConvTranspose2dCall call{x.shape(), w.shape(), o, x.like()};
  call.o.beside = {};
  if (!o.beside.defined()) return call;
  check_beside(x, call.y(), o.beside);
  call.beside = o.beside.dim(axis::C);
  return call;
}

}  // namespace detail

/// Transposed convolution, the adjoint of conv2d with the same weights: every input pixel stamps its kernel,
///   y[n,p,q,o] = b[o] + sum of w[c,o,i,j] x[n,h,v,c] over h stride + i - padding = p, v stride + j - padding = q.
/// With the options y = concat({relu(y), beside}, C), as a decoder joins its skips, but y is written to its place.
/// Shapes   x (N,H,W,Ci), w (Ci,Co,kh,kw), b (Co) or undefined, y (N,P,Q,Co), or with C of beside more channels, without
///          group tag; P = (H - 1) stride - 2 padding + kh + output_padding, Q likewise.      Units  w: those of y / x.
/// Cost     2 N H W Ci Co kh kw flops; scratch: the weights once more.
/// Numbers  bfloat16 x, with float32 w and b, gives bfloat16 y and dx, float32 dw and db: sums are float32, each result is
///          rounded once. For CUDA devices and the reference.      precision: of the products of float32 on a GPU.
/// Deterministic  yes.      Aliasing  none.      Gradient  to x, w, b and beside; relu has gradient 0 at 0.
/// Errors   d16::ShapeError, DTypeError, DeviceError; ValueError for stride, padding, output_padding.
inline Tensor conv_transpose2d(Tensor x, Tensor w, Tensor b = {}, ConvTranspose2dOptions o = {}) {
  detail::ConvTranspose2dCall c = detail::conv_transpose2d_call(x, w, b, o);
  x = x.contiguous(), w = w.contiguous();
  if (b.defined()) b = b.contiguous();
  Tensor y = empty(c.joined(), {x.dtype(), x.device()});
  for_any_float(x.dtype(), [&]<class T>(T) {
    auto a = c.args<T>();
    a.x = x.data<T>(), a.y = y.data<T>();
    a.w = w.data<kernels::Wide<T>>(), a.bias = b.data<kernels::Wide<T>>();
    run(conv_transpose2d_slot<T>, x.device(), a);
  });
  int64_t const own = w.dim(1), all = y.dim(axis::C);
  if (c.beside) detail::copy_into(o.beside, detail::slice_view(y, axis::C, own, all));
  return record("conv_transpose2d", y, {x, w, b, o.beside},
                [=, result = o.relu ? y.detach() : Tensor()](Tensor dy, std::vector<bool> const& needed) {
                  std::vector<Tensor> gradients(4);
                  if (needed[3]) gradients[3] = dy.slice(axis::C, own, all);
                  if (c.o.relu) dy = detail::relu_out_of(dy, result, c.y(), c.place());
                  else if (c.beside) dy = dy.slice(axis::C, 0, own).contiguous();
                  if (needed[0]) gradients[0] = c.dx(dy, w);
                  if (needed[1]) gradients[1] = c.dw(dy, x);
                  if (needed[2]) gradients[2] = c.db(dy);
                  return gradients;
                });
}

}  // namespace d16
