// Random ops of training: dropout, and the sample of a variational autoencoder.
#pragma once
#include "../kernels/cpu/dropout.hpp"
#include "../kernels/cpu/reparameterise.hpp"
#include "../kernels/reference/dropout.hpp"
#include "../kernels/reference/reparameterise.hpp"
#include "arithmetic.hpp"

namespace d16 {

template <class T> constinit Slot<kernels::Dropout<T>> dropout_slot{
    "dropout", {kernels::cpu::dropout<T>}, {kernels::reference::dropout<T>}, {}, {}};
template <class T> constinit Slot<kernels::Reparameterise<T>> reparameterise_slot{
    "reparameterise", {kernels::cpu::reparameterise<T>}, {kernels::reference::reparameterise<T>}, {}, {}};
template <class T> constinit Slot<kernels::Reparameterise<T>> reparameterise_dx_slot{
    "reparameterise_dx", {kernels::cpu::reparameterise_dx<T>}, {kernels::reference::reparameterise_dx<T>}, {}, {}};

// bfloat16 features: for CUDA devices; the reference says what is right.
template <> constinit inline Slot<kernels::Dropout<bf16>> dropout_slot<bf16>{
    "dropout", {}, {kernels::reference::dropout<bf16>}, {}, {}};

namespace detail {

inline Tensor dropout(Tensor x, double p, Generator::Draw draw) {
  x = x.detach().contiguous();
  Tensor y = empty_like(x);
  for_any_float(x.dtype(), [&]<class T>(T) {
    kernels::Dropout<T> a;
    a.n = x.numel(), a.p = p, a.seed = draw.seed, a.stream = draw.stream, a.offset = draw.offset;
    a.x = x.data<T>(), a.y = y.data<T>();
    run(dropout_slot<T>, x.device(), a);
  });
  return y;
}

template <class T> kernels::Reparameterise<T> reparameterise_args(Tensor const& logvar, Generator::Draw draw) {
  kernels::Reparameterise<T> a;
  a.n = logvar.numel(), a.seed = draw.seed, a.stream = draw.stream, a.offset = draw.offset, a.logvar = logvar.data<T>();
  return a;
}

}  // namespace detail

/// Each element is set to 0 with probability p, the others are divided by 1 - p. The identity unless training.
/// Types    float32 or float64; on CUDA devices and the reference also bfloat16.
/// Shapes   y as x.   Cost  one pass; the mask is computed again on the way back, not stored.
/// Deterministic  by the seed of manual_seed(), for any number of threads and on any device.
/// Gradient the same mask and factor.
/// Errors   ValueError unless 0 <= p < 1.
/// Source   Srivastava et al. 2014, JMLR 15, 1929.
inline Tensor dropout(Tensor x, double p = 0.5, bool training = true) {
  require<ValueError>(p >= 0 && p < 1, "dropout: p is ", p, "; it needs 0 <= p < 1");
  if (!training || p == 0) return x;
  Generator::Draw draw = default_generator().next();
  return record("dropout", detail::dropout(x, p, draw),
                wrt(x, [=](Tensor dy) { return detail::dropout(dy, p, draw); }));
}

/// A sample of the normal distribution with mean mu and variance e^logvar: mu + e^(logvar / 2) eps, eps standard normal
/// from the default generator, the numbers that normal() would give.
/// Shapes   all equal.   Cost  one pass; eps is drawn again on the way back, not stored.
/// Deterministic  by the seed of manual_seed(), for any number of threads.   Aliasing  none: the result is new.
/// Gradient to mu and logvar; eps is a constant.
/// Errors   ShapeError, DTypeError, DeviceError unless mu and logvar are alike.
/// Source   Kingma & Welling 2014, arXiv:1312.6114.
inline Tensor reparameterise(Tensor mu, Tensor logvar) {
  require<ShapeError>(mu.shape() == logvar.shape(), "reparameterise: mu is ", mu.shape(), ", logvar is ",
                      logvar.shape(), "; they must be equal");
  require<DTypeError>(mu.dtype() == logvar.dtype(), "reparameterise: mu is ", name_of(mu.dtype()), ", logvar is ",
                      name_of(logvar.dtype()), "; cast one of them");
  require<DeviceError>(mu.device() == logvar.device(), "reparameterise: mu is on ", mu.device(), ", logvar on ",
                       logvar.device(), "; use to()");
  Generator::Draw const draw = default_generator().next();
  mu = mu.contiguous(), logvar = logvar.contiguous();
  Tensor y = empty_like(mu);
  for_float(mu.dtype(), [&]<class T>(T) {
    auto a = detail::reparameterise_args<T>(logvar, draw);
    a.mu = mu.data<T>(), a.y = y.data<T>();
    run(reparameterise_slot<T>, mu.device(), a);
  });
  return record("reparameterise", y, wrt(mu, [](Tensor dy) { return dy; }),
                wrt(logvar, [draw, logvar = logvar.detach()](Tensor dy) {
                  dy = dy.contiguous();
                  Tensor dlogvar = empty_like(logvar);
                  for_float(logvar.dtype(), [&]<class T>(T) {
                    auto a = detail::reparameterise_args<T>(logvar, draw);
                    a.dy = dy.data<T>(), a.dlogvar = dlogvar.data<T>();
                    run(reparameterise_dx_slot<T>, logvar.device(), a);
                  });
                  return dlogvar;
                }));
}

}  // namespace d16
