// A map of t-SNE on a device, by its kernels: all pairs, exactly.
#pragma once
#include <vector>

#include "../core/dispatch.hpp"
#include "../kernels/reference/tsne.hpp"
#include "tsne_gradient.hpp"

namespace d16 {

/// On the cpu the specification too: learn::tsne() has a faster gradient there, learn::detail::TsneGradient.
template <class T> constinit Slot<kernels::TsneGradient<T>> tsne_gradient_slot{
    "tsne_gradient", {kernels::reference::tsne_gradient<T>}, {kernels::reference::tsne_gradient<T>}, {}, {}};
template <class T> constinit Slot<kernels::TsneStep<T>> tsne_step_slot{
    "tsne_step", {kernels::reference::tsne_step<T>}, {kernels::reference::tsne_step<T>}, {}, {}};

namespace learn::detail {

/// The map, what moves it and its affinities, by position.
class DeviceMap {
 public:
  DeviceMap(Affinities const& a, Device device, std::vector<float> const& y)
      : device_(device),
        entropy_(a),
        start_(there(a.start, {a.rows() + 1})),
        to_(there(std::vector<int64_t>(a.to.begin(), a.to.end()), {int64_t(a.to.size())})),
        p_(there(a.p, {int64_t(a.p.size())})),
        y_(there(y, {a.rows(), 2})),
        gradient_(zeros(y_.shape(), y_.like())),
        update_(zeros(y_.shape(), y_.like())),
        gain_(ones(y_.shape(), y_.like())),
        sums_(zeros({2}, {DType::f64, device, {}})) {}

  /// A quarter of the gradient, with P times `exaggeration`; with logs, divergence() can be asked for.
  void differentiate(double exaggeration, float, bool logs) {
    kernels::TsneGradient<float> g{.N = y_.dim(0), .exaggeration = exaggeration, .logs = logs};
    g.start = start_.data<int64_t>(), g.to = to_.data<int64_t>(), g.p = p_.data<float>(), g.y = y_.data<float>();
    g.gradient = gradient_.data<float>(), g.sums = sums_.data<double>();
    run(tsne_gradient_slot<float>, device_, g);
  }
  double divergence() const {
    Tensor const sums = sums_.to(Device());
    return entropy_.divergence(sums.data<double>()[1], sums.data<double>()[0]);
  }
  void step(double rate, double momentum) {
    kernels::TsneStep<float> s{.N = y_.dim(0), .rate = rate, .momentum = momentum};
    s.gradient = gradient_.data<float>();
    s.y = y_.data<float>(), s.update = update_.data<float>(), s.gain = gain_.data<float>();
    run(tsne_step_slot<float>, device_, s);
  }
  std::vector<float> places() const { return here(y_); }
  std::vector<float> gradient() const { return here(gradient_); }

 private:
  template <class T> Tensor there(std::vector<T> const& values, Shape shape) const {
    return from(values, shape, {.device = device_});
  }
  static std::vector<float> here(Tensor const& x) {
    Tensor const copy = x.to(Device());
    return {copy.data<float>(), copy.data<float>() + copy.numel()};
  }

  Device device_;
  Entropy entropy_;
  Tensor start_, to_, p_, y_, gradient_, update_, gain_, sums_;
};

}  // namespace learn::detail
}  // namespace d16
