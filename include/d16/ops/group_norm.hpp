// Group normalisation of images: each sample by itself, whatever the batch is.
#pragma once
#include "../kernels/cpu/group_norm.hpp"
#include "../kernels/reference/group_norm.hpp"
#include "batch_norm.hpp"
#include "weights.hpp"

namespace d16 {

struct GroupNormOptions {
  int groups = 1;  ///< 1: layer norm over the image; as many as channels: instance norm
  double eps = 1e-5;
};

template <class T> constinit Slot<kernels::GroupNorm<T>> group_norm_slot{
    "group_norm",
    {kernels::cpu::group_norm<T>, kernels::cpu::group_norm_work_bytes<T>},
    {kernels::reference::group_norm<T>},
    {},
    {}};
template <class T> constinit Slot<kernels::GroupNorm<T>> group_norm_dw_slot{
    "group_norm_dw",
    {kernels::cpu::group_norm_dw<T>, kernels::cpu::group_norm_work_bytes<T>},
    {kernels::reference::group_norm_dw<T>},
    {},
    {}};
template <class T> constinit Slot<kernels::GroupNorm<T>> group_norm_dx_slot{
    "group_norm_dx",
    {kernels::cpu::group_norm_dx<T>, kernels::cpu::group_norm_dx_work_bytes<T>},
    {kernels::reference::group_norm_dx<T>},
    {},
    {}};

/// Group normalisation: y = weight (x - mean) / sqrt(variance + eps) + bias, with mean and variance over H, W and the
/// channels of a group; the C channels make `groups` groups of neighbours.
/// Shapes   x, y (N,H,W,C); weight, bias (C). An undefined weight is 1, an undefined bias 0.
/// Units    weight, bias, y: the same.
/// Cost     12 N H W C bytes.   Deterministic  yes, for any number of threads.   Aliasing  none: y is new.
/// Gradient to x, weight, bias; through the statistics.
/// Errors   ShapeError unless x has rank 4 and pixels, ValueError unless groups divides C; DTypeError, DeviceError.
/// Source   Wu & He 2018, arXiv:1803.08494.
inline Tensor group_norm(Tensor x, Tensor weight = {}, Tensor bias = {}, GroupNormOptions o = {}) {
  require<ShapeError>(x.rank() == 4 && x.dim(axis::H) > 0 && x.dim(axis::W) > 0, "group_norm: x is ", x.shape(),
                      "; it needs (N,H,W,C) with pixels");
  int const C = detail::checked_int("group_norm", "C", x.dim(axis::C));
  require<ValueError>(o.groups > 0 && C > 0 && C % o.groups == 0, "group_norm: ", C, " channels in ", o.groups,
                      " groups; the groups must divide the channels");
  detail::check_norm_vector("group_norm", "weight", x, weight);
  detail::check_norm_vector("group_norm", "bias", x, bias);
  x = x.contiguous();
  if (weight.defined()) weight = weight.contiguous();
  if (bias.defined()) bias = bias.contiguous();
  Tensor y = empty_like(x), statistics = empty({2, x.dim(0), o.groups}, {DType::f64, x.device()});
  auto args = [=, x = x.detach()]<class T>(T) {
    kernels::GroupNorm<T> a;
    a.N = x.dim(0), a.pixels = x.dim(axis::H) * x.dim(axis::W), a.C = C, a.groups = o.groups, a.eps = o.eps;
    a.x = x.data<T>(), a.weight = weight.data<T>(), a.bias = bias.data<T>();
    a.mean = statistics.data<double>(), a.inv_std = a.mean + a.N * a.groups;
    return a;
  };
  for_float(x.dtype(), [&]<class T>(T type) {
    kernels::GroupNorm<T> a = args(type);
    a.y = y.data<T>();
    run(group_norm_slot<T>, x.device(), a);
  });
  return record("group_norm", y, {x, weight, bias}, [=, x = x.detach()](Tensor dy, std::vector<bool> const& needed) {
    dy = dy.contiguous();
    Tensor dx = needed[0] ? empty_like(x) : Tensor(), sums = empty({x.dim(0), 2, C}, {DType::f64, x.device()});
    Tensor dw = empty({C}, {x.dtype(), x.device()}), db = empty_like(dw);
    for_float(x.dtype(), [&]<class T>(T type) {
      kernels::GroupNorm<T> a = args(type);
      a.dy = dy.data<T>(), a.sums = sums.data<double>();
      a.dx = dx.data<T>(), a.dw = dw.data<T>(), a.db = db.data<T>();
      run(group_norm_dw_slot<T>, x.device(), a);
      if (needed[0]) run(group_norm_dx_slot<T>, x.device(), a);
    });
    return std::vector<Tensor>{dx, dw, db};
  });
}

}  // namespace d16
