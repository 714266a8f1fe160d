// Batch normalisation of images and of group features: one kernel family, since an image is features of order 1.
#pragma once
#include <vector>

#include "../autograd/recompute.hpp"
#include "../core/dispatch.hpp"
#include "../kernels/cpu/batch_norm.hpp"
#include "../kernels/reference/batch_norm.hpp"
#include "views.hpp"
#include "weights.hpp"

namespace d16 {

struct BatchNormOptions {
  bool training = false;  ///< statistics of x, and running ones updated in place; else the running ones
  double eps = 1e-5;
  double momentum = 0.1;   ///< running = (1 - momentum) running + momentum new
  bool relu = false;       ///< max(0, .) of the result, in the same pass
  bool recompute = false;  ///< the result is not kept for the way back: ops that need it there compute it again
  Tensor moments = {};     ///< (2,C) float64: mean and variance of x, where they are known, as from group_conv2d
  Tensor sums = {};        ///< (N,C,2) float64: of x and its squares over each image, where known, as from conv2d
};

template <class T> constinit Slot<kernels::BatchNorm<T>> batch_norm_slot{
    "batch_norm",
    {kernels::cpu::batch_norm<T>, kernels::cpu::batch_norm_work_bytes<T>},
    {kernels::reference::batch_norm<T>},
    {},
    {}};
template <class T> constinit Slot<kernels::BatchNorm<T>> batch_norm_apply_slot{
    "batch_norm_apply",
    {kernels::cpu::batch_norm_apply<T>, kernels::cpu::batch_norm_work_bytes<T>},
    {kernels::reference::batch_norm_apply<T>},
    {},
    {}};
template <class T> constinit Slot<kernels::BatchNorm<T>> batch_norm_dw_slot{
    "batch_norm_dw",
    {kernels::cpu::batch_norm_dw<T>, kernels::cpu::batch_norm_work_bytes<T>},
    {kernels::reference::batch_norm_dw<T>},
    {},
    {}};
template <class T> constinit Slot<kernels::BatchNorm<T>> batch_norm_dx_slot{
    "batch_norm_dx",
    {kernels::cpu::batch_norm_dx<T>, kernels::cpu::batch_norm_work_bytes<T>},
    {kernels::reference::batch_norm_dx<T>},
    {},
    {}};

// bfloat16: for CUDA devices; the reference says what is right.
template <> constinit inline Slot<kernels::BatchNorm<bf16>> batch_norm_slot<bf16>{
    "batch_norm", {}, {kernels::reference::batch_norm<bf16>}, {}, {}};
template <> constinit inline Slot<kernels::BatchNorm<bf16>> batch_norm_apply_slot<bf16>{
    "batch_norm_apply", {}, {kernels::reference::batch_norm_apply<bf16>}, {}, {}};
template <> constinit inline Slot<kernels::BatchNorm<bf16>> batch_norm_dw_slot<bf16>{
    "batch_norm_dw", {}, {kernels::reference::batch_norm_dw<bf16>}, {}, {}};
template <> constinit inline Slot<kernels::BatchNorm<bf16>> batch_norm_dx_slot<bf16>{
    "batch_norm_dx", {}, {kernels::reference::batch_norm_dx<bf16>}, {}, {}};

namespace detail {

/// A vector of C values that goes with x, or no tensor.
inline void check_norm_vector(char const* op, char const* what, Tensor const& x, Tensor const& v) {
  if (!v.defined()) return;
  require<ShapeError>(v.shape() == Shape{x.dim(axis::C)}, op, ": ", what, " is ", v.shape(), ", x is ", x.shape(),
                      "; needs (", x.dim(axis::C), ")");
  require<DTypeError>(v.dtype() == weight_dtype(x.dtype()), op, ": ", what, " is ", name_of(v.dtype()), ", x is ",
                      name_of(x.dtype()), "; needs ", name_of(weight_dtype(x.dtype())));
  require<DeviceError>(v.device() == x.device(), op, ": ", what, " is on ", v.device(), ", x on ", x.device());
}

inline void check_batch_norm(char const* op, Tensor const& x, Tensor const& weight, Tensor const& bias,
                             Tensor const& mean, Tensor const& var, BatchNormOptions const& o) {
  check_norm_vector(op, "weight", x, weight);
  check_norm_vector(op, "bias", x, bias);
  check_norm_vector(op, "running_mean", x, mean);
  check_norm_vector(op, "running_var", x, var);
  require<ShapeError>(
      !o.moments.defined() || (o.moments.shape() == Shape{2, x.dim(axis::C)} && o.moments.is_contiguous()), op,
      ": moments is ", o.moments.defined() ? o.moments.shape() : Shape{}, "; needs (2,", x.dim(axis::C), ")");
  Shape const sums{x.dim(axis::N), x.dim(axis::C), 2};
  require<ShapeError>(!o.sums.defined() || (x.rank() == 4 && o.sums.shape() == sums && o.sums.is_contiguous()), op,
                      ": sums is ", o.sums.defined() ? sizes_text(o.sums.shape()) : "", ", x is ", x.shape(),
                      "; needs ", sizes_text(sums), " of images");
  int64_t each = x.dim(axis::C) ? x.numel() / x.dim(axis::C) : 0;
  require<ShapeError>(!o.training || each > 1, op, ": x is ", x.shape(), ", ", each,
                      " values for each channel; training needs two or more");
  require<ValueError>(o.training || (mean.defined() && var.defined()), op,
                      ": no running_mean or running_var; they are needed unless training");
}

/// The running statistics, when they were copied for the kernel, and in any case the note that they have changed.
inline void write_back(Tensor const& updated, Tensor const& running) {
  if (!running.defined()) return;
  if (!running.is_contiguous()) copy_into(updated, running);
  running.mark_changed();
}

/// A norm as its kernel sees it. Statistics (2,C), mean and 1 / standard deviation, are written by the forward pass.
struct NormCall {
  Tensor x, weight, bias, statistics;
  BatchNormOptions o;

  template <class T> kernels::BatchNorm<T> args() const {
    int C = int(x.dim(axis::C)), G = x.rank() == 5 ? int(x.dim(axis::G)) : 1;
    kernels::BatchNorm<T> a{
        .rows = x.dim(0) * x.dim(1) * x.dim(2), .C = C, .G = G, .training = o.training, .relu = o.relu, .eps = o.eps};
    a.momentum = o.momentum;
    a.x = x.data<T>(), a.weight = weight.data<kernels::Wide<T>>(), a.bias = bias.data<kernels::Wide<T>>();
    a.mean = statistics.data<double>(), a.inv_std = a.mean + C;
    return a;
  }
  /// y once more.
  template <class T> void apply(T* y) const {
    kernels::BatchNorm<T> a = args<T>();
    a.y = y;
    run(batch_norm_apply_slot<T>, x.device(), a);
  }
  /// The result as a tensor that is computed when it is first read, with the weights as they are now.
  Tensor deferred(TensorOptions like) const {
    NormCall now = *this;
    for (Tensor* values : {&now.weight, &now.bias})
      if (values->defined()) *values = values->clone();
    auto fill = [call = std::move(now)](void* y) {
      for_any_float(call.x.dtype(), [&]<class T>(T) { call.apply(static_cast<T*>(y)); });
    };
    return Tensor::make(x.shape(), like,
                        std::make_shared<detail::Storage>(size_t(x.numel() * size_of(x.dtype())), std::move(fill)));
  }
  /// (3,C): means, scales, shifts; as the kernel rounds them, so that what is read through them is y bit for bit, but
  /// for what a compiler makes of a product and a sum.
  Tensor line() const {
    int64_t const C = x.dim(axis::C);
    Tensor line = empty({3, C}, {.dtype = x.dtype(), .device = x.device()});
    for_float(x.dtype(), [&]<class T>(T) {
      kernels::BatchNorm<T> a = args<T>();
      for (int64_t c = 0; c < C; ++c) {
        double const scale = (a.weight ? double(a.weight[c]) : 1.0) * a.inv_std[c];
        line.data<T>()[c] = T(a.mean[c]), line.data<T>()[C + c] = T(scale);
        line.data<T>()[2 * C + c] = T((a.bias ? double(a.bias[c]) : 0.0) - scale * (a.mean[c] - T(a.mean[c])));
      }
    });
    return line;
  }
  std::vector<Tensor> gradients(Tensor dy, std::vector<bool> const& needed) const {
    dy = dy.contiguous();
    Tensor dx = !needed[0] ? Tensor() : dy.exclusive() ? dy : empty_like(x);  // nobody else wants dy: written over it
    Tensor dw = empty({x.dim(axis::C)}, {.dtype = weight_dtype(x.dtype()), .device = x.device()}), db = empty_like(dw);
    for_any_float(x.dtype(), [&]<class T>(T) {
      kernels::BatchNorm<T> a = args<T>();
      a.dy = dy.data<T>(), a.dx = dx.data<T>();
      a.dw = dw.data<kernels::Wide<T>>(), a.db = db.data<kernels::Wide<T>>();
      if (o.training || needed[1] || needed[2]) run(batch_norm_dw_slot<T>, x.device(), a);
      if (needed[0]) run(batch_norm_dx_slot<T>, x.device(), a);
    });
    return {dx, dw, db};
  }
};

/// The statistics of a call, and its y unless that is undefined; the running ones move.
inline void normalise(NormCall const& call, Tensor const& running_mean, Tensor const& running_var, Tensor const& y) {
  BatchNormOptions const& o = call.o;
  bool const moves = !(o.training && Recomputing::on());  // running statistics have moved the first time
  Tensor mean = running_mean.defined() && moves ? running_mean.detach().contiguous() : Tensor();
  Tensor var = running_var.defined() && moves ? running_var.detach().contiguous() : Tensor();
  for_any_float(call.x.dtype(), [&]<class T>(T) {
    kernels::BatchNorm<T> a = call.args<T>();
    a.moments = o.training ? o.moments.data<double>() : nullptr;
    a.sums = o.training ? o.sums.data<double>() : nullptr, a.images = call.x.dim(axis::N);
    a.running_mean = mean.data<kernels::Wide<T>>(), a.running_var = var.data<kernels::Wide<T>>();
    a.y = y.data<T>();
    run(batch_norm_slot<T>, call.x.device(), a);
  });
  if (!o.training || !moves) return;
  write_back(mean, running_mean);
  write_back(var, running_var);
}

/// Both ops: x is (N,H,W,C) or (N,H,W,C,G).
inline Tensor batch_norm(char const* op, Tensor x, Tensor weight, Tensor bias, Tensor running_mean, Tensor running_var,
                         BatchNormOptions o) {
  check_batch_norm(op, x, weight, bias, running_mean, running_var, o);
  x = x.contiguous();
  NormCall const call{x.detach(), weight.defined() ? weight.contiguous().detach() : weight,
                      bias.defined() ? bias.contiguous().detach() : bias,
                      empty({2, x.dim(axis::C)}, {.dtype = DType::f64, .device = x.device()}), o};
  bool const recorded = !NoGrad::off() && (x.requires_grad() || weight.requires_grad() || bias.requires_grad());
  bool const later = o.recompute && recorded && x.device().kind == Device::Kind::cpu;
  Tensor y = later ? call.deferred(x.like()) : empty_like(x);
  normalise(call, running_mean, running_var, later ? Tensor() : y);
  y = record(op, y, {x, weight, bias},
             [call](Tensor dy, std::vector<bool> const& needed) { return call.gradients(std::move(dy), needed); });
  if (o.recompute)
    Tape::recompute(
        y, [call, like = y.like()] { return call.deferred(like); },
        later && o.relu ? std::make_shared<Rectified const>(Rectified{call.x, call.line()}) : nullptr);
  return y;
}

}  // namespace detail

/// Batch normalisation: y = weight (x - mean) / sqrt(variance + eps) + bias, mean and variance over N,H,W.
/// Shapes   x, y (N,H,W,C); all others (C). An undefined weight is 1, an undefined bias 0.
/// Types    float32 or float64; on CUDA devices x and y also bfloat16, with all others in float32.
/// Units    weight, bias, y: the same.
/// Cost     12 N H W C bytes when training, 8 otherwise.   Deterministic  yes.
/// Aliasing running_mean and running_var are updated in place when training.
/// Gradient to x, weight, bias; through the statistics when training.
/// Errors   d16::ShapeError, DTypeError, DeviceError; ValueError without running statistics unless training.
/// Source   Ioffe & Szegedy 2015, arXiv:1502.03167.
inline Tensor batch_norm2d(Tensor x, Tensor weight, Tensor bias, Tensor running_mean, Tensor running_var,
                           BatchNormOptions o = {}) {
  require<ShapeError>(x.rank() == 4, "batch_norm2d: x is ", x.shape(),
                      "; needs (N,H,W,C), or inner_batch_norm for features");
  return detail::batch_norm("batch_norm2d", x, weight, bias, running_mean, running_var, o);
}

}  // namespace d16
