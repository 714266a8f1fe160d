// Gradients held against finite differences in float64.
#pragma once
#include <cmath>

#include "../ops/arithmetic.hpp"
#include "../ops/reduce.hpp"
#include "../ops/views.hpp"
#include "tape.hpp"

namespace d16 {

namespace detail {
inline bool is_float(Tensor const& x) { return x.defined() && (x.dtype() == DType::f32 || x.dtype() == DType::f64); }
}  // namespace detail

/// The largest difference between the gradient by backward() and by central differences, over all elements of all
/// floating inputs, relative to the largest gradient (or 1). f takes the vector of inputs, cast to float64; its result
/// is weighted by fixed random numbers so that every output counts.
/// Error of the differences: step^2 f''' / 6 + eps |L| / step, about 1e-10 to 1e-9 for step = 1e-5 and values of order 1:
/// compare with 1e-6. Keep inputs away from kinks by more than the step.
template <class F> double gradcheck_inputs(F f, std::vector<Tensor> inputs, double step = 1e-5) {
  for (Tensor& x : inputs)
    if (detail::is_float(x)) x = x.detach().cast(DType::f64).clone().set_requires_grad();
  Tensor y = f(inputs);
  Tensor weight;
  {
    NoGrad off;
    auto values = Random(16);
    weight = empty(y.shape(), y.like());
    for (double& w : weight.host<double>()) w = values.uniform(0.5, 1.5) * (values.integer(2) ? 1 : -1);
  }
  y.backward(weight);
  NoGrad off;
  auto loss = [&] { return sum(f(inputs) * weight).item(); };
  double worst = 0, scale = 1;
  for (Tensor const& x : inputs) {
    if (!detail::is_float(x)) continue;
    Tensor gradient = x.grad().defined() ? x.grad().contiguous() : zeros_like(x);
    auto values = x.host<double>(), slopes = gradient.host<double>();
    for (size_t i = 0; i < values.size(); ++i) {
      double at = values[i];
      values[i] = at + step;
      double above = loss();
      values[i] = at - step;
      double below = loss();
      values[i] = at;
      double slope = (above - below) / (2 * step);
      scale = std::max(scale, std::abs(slope));
      double error = std::abs(slope - slopes[i]);
      worst = std::isnan(error) ? INFINITY : std::max(worst, error);
    }
  }
  return worst / scale;
}

/// The same for f(Tensor, extra...): gradcheck(asinh_stretch, normal({4, 5}), 3.0).
template <class F, class... Extra> double gradcheck(F f, Tensor x, Extra... extra) {
  return gradcheck_inputs([&](std::vector<Tensor> const& in) { return f(in[0], extra...); }, {x});
}

}  // namespace d16
