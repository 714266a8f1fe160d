// Invariant pooling: from features of a group to a plain image.
#pragma once
#include "../autograd/tape.hpp"
#include "../core/dispatch.hpp"
#include "../kernels/cpu/group_pool.hpp"
#include "../kernels/reference/group_pool.hpp"
#include "views.hpp"

namespace d16 {

template <class T> constinit Slot<kernels::GroupPool<T>> group_max_pool_slot{
    "group_max_pool", {kernels::cpu::group_max_pool<T>}, {kernels::reference::group_max_pool<T>}, {}, {}};
template <class T> constinit Slot<kernels::GroupPool<T>> group_max_pool_dx_slot{
    "group_max_pool_dx", {kernels::cpu::group_max_pool_dx<T>}, {kernels::reference::group_max_pool_dx<T>}, {}, {}};
template <class T> constinit Slot<kernels::GroupPool<T>> group_mean_pool_slot{
    "group_mean_pool", {kernels::cpu::group_mean_pool<T>}, {kernels::reference::group_mean_pool<T>}, {}, {}};
template <class T> constinit Slot<kernels::GroupPool<T>> group_mean_pool_dx_slot{
    "group_mean_pool_dx", {kernels::cpu::group_mean_pool_dx<T>}, {kernels::reference::group_mean_pool_dx<T>}, {}, {}};

// bfloat16: for CUDA devices; the reference says what is right.
template <> constinit inline Slot<kernels::GroupPool<bf16>> group_max_pool_slot<bf16>{
    "group_max_pool", {}, {kernels::reference::group_max_pool<bf16>}, {}, {}};
template <> constinit inline Slot<kernels::GroupPool<bf16>> group_max_pool_dx_slot<bf16>{
    "group_max_pool_dx", {}, {kernels::reference::group_max_pool_dx<bf16>}, {}, {}};
template <> constinit inline Slot<kernels::GroupPool<bf16>> group_mean_pool_slot<bf16>{
    "group_mean_pool", {}, {kernels::reference::group_mean_pool<bf16>}, {}, {}};
template <> constinit inline Slot<kernels::GroupPool<bf16>> group_mean_pool_dx_slot<bf16>{
    "group_mean_pool_dx", {}, {kernels::reference::group_mean_pool_dx<bf16>}, {}, {}};

namespace detail {

/// The empty result for x; throws unless x is (N,H,W,C,G).
inline Tensor group_pool_result(char const* op, Tensor const& x) {
  require<ShapeError>(x.rank() == 5 && x.dim(axis::G) > 0, op, ": x is ", x.shape(),
                      "; needs group features (N,H,W,C,G)");
  TensorOptions o = x.like();
  o.group = {};
  return empty({x.dim(0), x.dim(1), x.dim(2), x.dim(3)}, o);
}

template <class T> kernels::GroupPool<T> group_pool_args(Shape const& x) {
  return {.rows = x[0] * x[1] * x[2] * x[3], .G = int(x[axis::G])};
}

}  // namespace detail

/// Invariant pooling: y[n,h,w,c] = max over g of x[n,h,w,c,g]. A NaN makes the maximum NaN.
/// Shapes   x (N,H,W,C,G), y (N,H,W,C) without tag.      Units  those of x.
/// Types    float32 or float64; on CUDA devices also bfloat16.
/// Cost     4 N H W C (G+1) bytes.      Deterministic  yes.      Aliasing  none.
/// Gradient to the first maximal g.
/// Errors   d16::ShapeError unless rank 5.
/// Source   Cohen & Welling 2016, arXiv:1602.07576.
inline Tensor group_max_pool(Tensor x) {
  Tensor y = detail::group_pool_result("group_max_pool", x);
  x = x.contiguous();
  for_any_float(x.dtype(), [&]<class T>(T) {
    auto a = detail::group_pool_args<T>(x.shape());
    a.x = x.data<T>(), a.y = y.data<T>();
    run(group_max_pool_slot<T>, x.device(), a);
  });
  return record("group_max_pool", y, wrt(x, [x](Tensor dy) {
                  dy = dy.contiguous();
                  Tensor dx = empty_like(x);
                  for_any_float(x.dtype(), [&]<class T>(T) {
                    auto a = detail::group_pool_args<T>(x.shape());
                    a.x = x.data<T>(), a.dy = dy.data<T>(), a.dx = dx.data<T>();
                    run(group_max_pool_dx_slot<T>, x.device(), a);
                  });
                  return dx;
                }));
}

/// Invariant pooling: y[n,h,w,c] = mean over g of x[n,h,w,c,g].
/// Shapes   x (N,H,W,C,G), y (N,H,W,C) without tag.      Units  those of x.
/// Types    float32 or float64; on CUDA devices also bfloat16.
/// Cost     4 N H W C (G+1) bytes.      Deterministic  yes.      Aliasing  none.
/// Gradient dx = dy / G.
/// Errors   d16::ShapeError unless rank 5.
/// Source   Cohen & Welling 2016, arXiv:1602.07576.
inline Tensor group_mean_pool(Tensor x) {
  Tensor y = detail::group_pool_result("group_mean_pool", x);
  x = x.contiguous();
  for_any_float(x.dtype(), [&]<class T>(T) {
    auto a = detail::group_pool_args<T>(x.shape());
    a.x = x.data<T>(), a.y = y.data<T>();
    run(group_mean_pool_slot<T>, x.device(), a);
  });
  return record("group_mean_pool", y, wrt(x, [like = x.like(), s = x.shape()](Tensor dy) {
                  dy = dy.contiguous();
                  Tensor dx = empty(s, like);
                  for_any_float(like.dtype, [&]<class T>(T) {
                    auto a = detail::group_pool_args<T>(s);
                    a.dy = dy.data<T>(), a.dx = dx.data<T>();
                    run(group_mean_pool_dx_slot<T>, like.device, a);
                  });
                  return dx;
                }));
}

}  // namespace d16
