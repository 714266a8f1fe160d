// Downsampling that keeps equivariance: blur with a Gaussian, then take every stride-th pixel.
#pragma once
#include "../autograd/tape.hpp"
#include "../core/dispatch.hpp"
#include "../kernels/cpu/antialiased_avg_pool.hpp"
#include "../kernels/reference/antialiased_avg_pool.hpp"
#include "views.hpp"

namespace d16 {

struct AntialiasedAvgPoolOptions {
  double sigma = 0.66;  ///< of the Gaussian, in pixels of x
  int kernel = 5, stride = 2, padding = 2;
};

template <class T> constinit Slot<kernels::AntialiasedAvgPool<T>> antialiased_avg_pool_slot{
    "antialiased_avg_pool",
    {kernels::cpu::antialiased_avg_pool<T>, kernels::cpu::antialiased_avg_pool_work_bytes<T>},
    {kernels::reference::antialiased_avg_pool<T>},
    {},
    {}};
template <class T> constinit Slot<kernels::AntialiasedAvgPool<T>> antialiased_avg_pool_dx_slot{
    "antialiased_avg_pool_dx",
    {kernels::cpu::antialiased_avg_pool_dx<T>, kernels::cpu::antialiased_avg_pool_work_bytes<T>},
    {kernels::reference::antialiased_avg_pool_dx<T>},
    {},
    {}};

// bfloat16: for CUDA devices; the reference says what is right.
template <> constinit inline Slot<kernels::AntialiasedAvgPool<bf16>> antialiased_avg_pool_slot<bf16>{
    "antialiased_avg_pool", {}, {kernels::reference::antialiased_avg_pool<bf16>}, {}, {}};
template <> constinit inline Slot<kernels::AntialiasedAvgPool<bf16>> antialiased_avg_pool_dx_slot<bf16>{
    "antialiased_avg_pool_dx", {}, {kernels::reference::antialiased_avg_pool_dx<bf16>}, {}, {}};

namespace detail {

template <class T>
kernels::AntialiasedAvgPool<T> antialiased_avg_pool_args(Shape const& x, AntialiasedAvgPoolOptions const& o) {
  kernels::AntialiasedAvgPool<T> a{
      .N = x[axis::N], .H = x[axis::H], .W = x[axis::W], .C = x[axis::C], .sigma = o.sigma};
  if (x.rank() == 5) a.C *= x[axis::G];
  a.kernel = o.kernel, a.stride = o.stride, a.padding = o.padding;
  return a;
}

inline Shape antialiased_avg_pool_shape(Shape const& x, AntialiasedAvgPoolOptions const& o) {
  require<ShapeError>(x.rank() == 4 || x.rank() == 5, "antialiased_avg_pool: x is ", x,
                      "; needs (N,H,W,C) or (N,H,W,C,G)");
  require<ValueError>(o.sigma > 0 && o.kernel > 0 && o.stride > 0 && o.padding >= 0, "antialiased_avg_pool: sigma ",
                      o.sigma, ", kernel ", o.kernel, ", stride ", o.stride, ", padding ", o.padding,
                      "; needs sigma, kernel, stride > 0 and padding >= 0");
  int64_t shorter = std::min(x[axis::H], x[axis::W]) + 2 * o.padding;
  require<ShapeError>(shorter >= o.kernel, "antialiased_avg_pool: x is ", x, " with padding ", o.padding,
                      "; the kernel of ", o.kernel, " needs at least as many pixels");
  Shape y = x;
  auto a = antialiased_avg_pool_args<float>(x, o);
  y[axis::H] = a.out(x[axis::H]);
  y[axis::W] = a.out(x[axis::W]);
  return y;
}

}  // namespace detail

/// Antialiased pooling: a normalised Gaussian of kernel x kernel pixels on each channel, zeros beyond the border, then
/// every stride-th pixel: y[n,p,q] = sum over i,j of t[i] t[j] x[n, p stride + i - padding, q stride + j - padding].
/// Shapes   x (N,H,W,C) or (N,H,W,C,G), y the same with H, W -> (H + 2 padding - kernel) / stride + 1. Keeps the tag.
/// Types    float32 or float64; on CUDA devices also bfloat16.
/// Units    those of x; sigma in pixels.      Cost  2 kernel (1/stride + 1/stride^2) flops for each x.
/// Deterministic  yes.      Aliasing  none.      Gradient  the exact adjoint.
/// Errors   d16::ShapeError, ValueError.
/// Source   Zhang 2019, arXiv:1904.11486; Gaussian as escnn's PointwiseAvgPoolAntialiased.
inline Tensor antialiased_avg_pool(Tensor x, AntialiasedAvgPoolOptions o = {}) {
  Tensor y = empty(detail::antialiased_avg_pool_shape(x.shape(), o), x.like());
  x = x.contiguous();
  for_any_float(x.dtype(), [&]<class T>(T) {
    auto a = detail::antialiased_avg_pool_args<T>(x.shape(), o);
    a.x = x.data<T>(), a.y = y.data<T>();
    run(antialiased_avg_pool_slot<T>, x.device(), a);
  });
  return record("antialiased_avg_pool", y, wrt(x, [=, like = x.like(), s = x.shape()](Tensor dy) {
                  dy = dy.contiguous();
                  Tensor dx = empty(s, like);
                  for_any_float(like.dtype, [&]<class T>(T) {
                    auto a = detail::antialiased_avg_pool_args<T>(s, o);
                    a.dy = dy.data<T>(), a.dx = dx.data<T>();
                    run(antialiased_avg_pool_dx_slot<T>, like.device, a);
                  });
                  return dx;
                }));
}

}  // namespace d16
