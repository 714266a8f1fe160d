// Squeeze and excitation as one op: every channel of a sample times a gate that depends on the means of all channels.
#pragma once
#include <optional>

#include "../kernels/cpu/image_sums.hpp"
#include "../kernels/cpu/squeeze_excitation.hpp"
#include "../kernels/reference/image_sums.hpp"
#include "../kernels/reference/squeeze_excitation.hpp"
#include "batch_norm.hpp"

namespace d16 {

template <class T> constinit Slot<kernels::SqueezeExcitation<T>> squeeze_excitation_slot{
    "squeeze_excitation",
    {kernels::cpu::squeeze_excitation<T>, kernels::cpu::squeeze_excitation_work_bytes<T>},
    {kernels::reference::squeeze_excitation<T>},
    {},
    {}};
template <class T> constinit Slot<kernels::SqueezeExcitation<T>> squeeze_excitation_dx_slot{
    "squeeze_excitation_dx",
    {kernels::cpu::squeeze_excitation_dx<T>, kernels::cpu::squeeze_excitation_dx_work_bytes<T>},
    {kernels::reference::squeeze_excitation_dx<T>},
    {},
    {}};
template <class T> constinit Slot<kernels::ImageSums<T>> image_sums_slot{
    "image_sums",
    {kernels::cpu::image_sums<T>, kernels::cpu::image_sums_work_bytes<T>},
    {kernels::reference::image_sums<T>},
    {},
    {}};

// bfloat16: for CUDA devices; the reference says what is right.
template <> constinit inline Slot<kernels::SqueezeExcitation<bf16>> squeeze_excitation_slot<bf16>{
    "squeeze_excitation", {}, {kernels::reference::squeeze_excitation<bf16>}, {}, {}};
template <> constinit inline Slot<kernels::SqueezeExcitation<bf16>> squeeze_excitation_dx_slot<bf16>{
    "squeeze_excitation_dx", {}, {kernels::reference::squeeze_excitation_dx<bf16>}, {}, {}};
template <> constinit inline Slot<kernels::ImageSums<bf16>> image_sums_slot<bf16>{
    "image_sums", {}, {kernels::reference::image_sums<bf16>}, {}, {}};

/// A batch norm as part of the op behind it, with the arguments of batch_norm2d.
struct NormInFront {
  Tensor weight, bias, running_mean, running_var;
  BatchNormOptions options;
};

/// What stands around the gates, in the same passes over memory.
struct SqueezeExcitationOptions {
  Tensor residual = {};  ///< is added, shape of x; undefined: none
  bool relu = false;     ///< y is cut off below 0
  std::optional<NormInFront> norm = {};
};

namespace detail {

inline void check_squeeze_excitation(Tensor const& x, Tensor const& w1, Tensor const& b1, Tensor const& w2,
                                     Tensor const& b2) {
  char const* op = "squeeze_excitation";
  require<ShapeError>(x.rank() == 4 && x.numel() > 0, op, ": x is ", x.shape(), "; it needs (N,H,W,C)");
  int64_t const C = x.dim(axis::C), R = w1.rank() == 2 ? w1.dim(0) : 0;
  require<ShapeError>(R > 0 && w1.shape() == Shape{R, C} && w2.shape() == Shape{C, R}, op, ": x is ", x.shape(),
                      ", w1 is ", sizes_text(w1.shape()), ", w2 is ", sizes_text(w2.shape()), "; they need (R,", C,
                      ") and (", C, ",R)");
  check_weights(op, x, w1, b1, R);
  check_weights(op, x, w2, b2, C);
}

inline void check_residual(Tensor const& x, Tensor const& residual) {
  char const* op = "squeeze_excitation";
  require<ShapeError>(residual.shape() == x.shape(), op, ": x is ", x.shape(), ", the residual ", residual.shape(),
                      "; they need the same shape");
  require<DTypeError>(residual.dtype() == x.dtype(), op, ": x is ", name_of(x.dtype()), ", the residual ",
                      name_of(residual.dtype()));
  require<DeviceError>(residual.device() == x.device(), op, ": x is on ", x.device(), ", the residual on ",
                       residual.device());
}

/// The sums over the pixels of each image, (N,C,2) float64: of x and of its squares.
inline Tensor image_sums(Tensor const& x) {
  Tensor sums = empty({x.dim(axis::N), x.dim(axis::C), 2}, {DType::f64, x.device()});
  for_any_float(x.dtype(), [&]<class T>(T) {
    kernels::ImageSums<T> a;
    a.N = x.dim(axis::N), a.pixels = x.dim(axis::H) * x.dim(axis::W), a.C = int(x.dim(axis::C));
    a.x = x.data<T>(), a.sums = sums.data<double>();
    run(image_sums_slot<T>, x.device(), a);
  });
  return sums;
}

/// A squeeze and excitation as its kernels see it; the norm in front of it, where there is one, and its statistics.
struct GatesCall {
  Tensor x, w1, b1, w2, b2, inside;
  bool relu = false;
  std::optional<NormCall> norm = {};

  template <class T> kernels::SqueezeExcitation<T> args() const {
    using W = kernels::Wide<T>;
    kernels::SqueezeExcitation<T> a;
    a.N = x.dim(axis::N), a.pixels = x.dim(axis::H) * x.dim(axis::W);
    a.C = int(x.dim(axis::C)), a.R = int(w1.dim(0)), a.relu = relu;
    a.x = x.data<T>(), a.w1 = w1.data<W>(), a.b1 = b1.data<W>(), a.w2 = w2.data<W>(), a.b2 = b2.data<W>();
    a.mean = inside.data<double>(), a.gate = a.mean + a.N * a.C, a.hidden = a.gate + a.N * a.C;
    if (!norm) return a;
    kernels::BatchNorm<T> const n = norm->template args<T>();
    a.norm_weight = n.weight, a.norm_bias = n.bias, a.norm_mean = n.mean, a.norm_inv_std = n.inv_std;
    a.norm_training = n.training, a.sums = norm->o.sums.template data<double>();
    return a;
  }
  /// Of x, w1, b1, w2, b2, the residual, the norm's weight and bias; y is the result where it was cut off.
  std::vector<Tensor> gradients(Tensor dy, Tensor const& y, std::vector<bool> const& needed) const {
    dy = dy.contiguous();
    TensorOptions const like{weight_dtype(x.dtype()), x.device()};
    int64_t const C = x.dim(axis::C), R = w1.dim(0);
    Tensor dresidual = relu && needed[5] ? empty_like(x) : dy;
    Tensor dx = empty_like(x), dw1 = empty({R, C}, like), db1 = empty({R}, like), dw2 = empty({C, R}, like);
    Tensor db2 = empty({C}, like), dweight, dbias;
    if (norm) dweight = empty({C}, like), dbias = empty({C}, like);
    for_any_float(x.dtype(), [&]<class T>(T) {
      using W = kernels::Wide<T>;
      kernels::SqueezeExcitation<T> a = args<T>();
      a.y = y.data<T>(), a.dy = dy.data<T>(), a.dx = dx.data<T>();
      if (relu && needed[5]) a.dresidual = dresidual.data<T>();
      a.dw1 = dw1.data<W>(), a.db1 = db1.data<W>(), a.dw2 = dw2.data<W>(), a.db2 = db2.data<W>();
      a.dnorm_weight = dweight.data<W>(), a.dnorm_bias = dbias.data<W>();
      run(squeeze_excitation_dx_slot<T>, x.device(), a);
    });
    return {dx, dw1, db1, dw2, db2, needed[5] ? dresidual : Tensor(), dweight, dbias};
  }
};

inline Tensor detached(Tensor const& x) { return x.defined() ? x.contiguous().detach() : x; }

/// The norm in front of the gates of x, its statistics found from the sums of x, which the call then has.
inline NormCall norm_in_front(Tensor const& x, NormInFront const& norm) {
  require<ValueError>(!norm.options.relu, "squeeze_excitation: the norm in front has a relu; it needs to be linear");
  check_batch_norm("squeeze_excitation", x, norm.weight, norm.bias, norm.running_mean, norm.running_var, norm.options);
  NormCall call{x, detached(norm.weight), detached(norm.bias),
                empty({2, x.dim(axis::C)}, {.dtype = DType::f64, .device = x.device()}), norm.options};
  if (!call.o.sums.defined()) call.o.sums = image_sums(x);
  normalise(call, norm.running_mean, norm.running_var, {});
  return call;
}

}  // namespace detail

/// y = z sigmoid(w2 relu(w1 m + b1) + b2), where m[n,c] is the mean of z over H and W: a gate in (0, 1) for each
/// channel of each sample. z is x, or batch_norm2d(x) with the norm of the options, which is then not written anywhere:
/// its statistics and m follow from the sums of x over each image, which conv2d can give (BatchNormOptions::sums).
/// With the other options y = relu(that + residual).
/// Shapes   x, residual, y (N,H,W,C); w1 (R,C), b1 (R); w2 (C,R), b2 (C). An undefined bias is 0.
/// Types    float32 or float64; on CUDA devices x, residual and y also bfloat16, with all others in float32.
/// Units    those of x.
/// Cost     12 N H W C bytes, 8 where the sums are known, backward 16; a residual 4 more, a ReLU backward 8, a norm in
///          training backward 4 (float32).
///          Deterministic  yes, for any number of threads.
/// Aliasing none: y is new. The norm's running statistics are updated in place when training.
/// Gradient to x (through the gate and the statistics too), w1, b1, w2, b2, residual, the norm's weight and bias; relu has
///          gradient 0 at 0.
/// Errors   ShapeError, DTypeError, DeviceError when the inputs do not match; those of batch_norm2d.
/// Source   Hu et al. 2018, arXiv:1709.01507, equations 2-4; with a residual its figure 3. That the mean of a batch norm
///          is the norm of the mean follows from its being linear for each channel.
inline Tensor squeeze_excitation(Tensor x, Tensor w1, Tensor b1, Tensor w2, Tensor b2,
                                 SqueezeExcitationOptions o = {}) {
  detail::check_squeeze_excitation(x, w1, b1, w2, b2);
  if (o.residual.defined()) detail::check_residual(x, o.residual);
  x = x.contiguous();
  int64_t const N = x.dim(0), R = w1.dim(0), C = detail::checked_int("squeeze_excitation", "C", x.dim(axis::C));
  detail::GatesCall call{x.detach(),
                         detail::detached(w1),
                         detail::detached(b1),
                         detail::detached(w2),
                         detail::detached(b2),
                         empty({N, 2 * C + R}, {DType::f64, x.device()}),
                         o.relu};
  if (o.norm) call.norm = detail::norm_in_front(call.x, *o.norm);
  Tensor y = empty_like(x), residual = detail::detached(o.residual);
  for_any_float(x.dtype(), [&]<class T>(T) {
    kernels::SqueezeExcitation<T> a = call.template args<T>();
    a.residual = residual.data<T>(), a.y = y.data<T>();
    run(squeeze_excitation_slot<T>, x.device(), a);
  });
  std::vector<Tensor> inputs{x, w1, b1, w2, b2, o.residual, {}, {}};
  if (o.norm) inputs[6] = o.norm->weight, inputs[7] = o.norm->bias;
  return record("squeeze_excitation", y, std::move(inputs),
                [call, result = o.relu ? y.detach() : Tensor()](Tensor dy, std::vector<bool> const& needed) {
                  return call.gradients(std::move(dy), result, needed);
                });
}

}  // namespace d16
