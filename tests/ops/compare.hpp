// What the tests of ops share: distances, one op on two devices, the law of adjoints, and the messages of errors.
#pragma once
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include <d16/core/parallel.hpp>
#include <d16/core/tensor.hpp>
#include <d16/ops/views.hpp>

namespace d16::testing {

inline std::vector<double> values(Tensor x) {
  Tensor wide = x.detach().to("cpu").cast(DType::f64).contiguous();
  auto span = wide.host<double>();
  return {span.begin(), span.end()};
}
inline double largest(Tensor x) {
  double most = 0;
  for (double v : values(x)) most = std::max(most, std::abs(v));
  return most;
}
/// The largest |a - b|; infinite when shapes differ or a NaN is in it.
inline double difference(Tensor a, Tensor b) {
  if (!(a.shape() == b.shape())) return INFINITY;
  std::vector<double> u = values(a), v = values(b);
  double most = 0;
  for (size_t i = 0; i < u.size(); ++i)
    most = std::isnan(u[i] - v[i]) ? INFINITY : std::max(most, std::abs(u[i] - v[i]));
  return most;
}
inline double dot(Tensor a, Tensor b) {
  std::vector<double> u = values(a), v = values(b);
  double sum = 0;
  for (size_t i = 0; i < u.size(); ++i) sum += u[i] * v[i];
  return sum;
}
inline bool same_bits(Tensor a, Tensor b) {
  if (!(a.shape() == b.shape()) || a.dtype() != b.dtype()) return false;
  Tensor u = a.contiguous(), v = b.contiguous();
  return for_dtype(
      a.dtype(), [&]<class T>(T) { return std::memcmp(u.data<T>(), v.data<T>(), size_t(u.numel()) * sizeof(T)) == 0; });
}
inline double epsilon(DType dtype) {
  return dtype == DType::f32 ? std::numeric_limits<float>::epsilon() : std::numeric_limits<double>::epsilon();
}

/// The result and the gradients of f, for upstream gradients drawn from a fixed seed.
template <class F> std::vector<Tensor> forward_and_back(F f, std::vector<Tensor> inputs, Device device) {
  for (Tensor& x : inputs) {
    bool floating = x.dtype() == DType::f32 || x.dtype() == DType::f64;
    x = x.to(device).detach().clone();
    if (floating) x.set_requires_grad();
  }
  Tensor y = f(inputs);
  manual_seed(77);
  y.backward(uniform(y.shape(), {y.dtype()}).to(device));
  std::vector<Tensor> all{y.detach()};
  for (Tensor const& x : inputs)
    if (x.grad().defined()) all.push_back(x.grad());
  return all;
}

/// f on the devices cpu and reference, in both precisions: equal but for `terms` roundings of the largest value; and on
/// cpu the same bits for one thread and for three. Sums in double are more exact than float32, not than float64: there
/// the two orders of adding up may need `terms64`.
template <class F> void check_devices(F f, std::vector<Tensor> const& inputs, double terms, double terms64 = 0) {
  for (DType dtype : {DType::f32, DType::f64}) {
    std::vector<Tensor> typed;
    for (Tensor const& x : inputs) typed.push_back(x.dtype() == DType::f32 ? x.cast(dtype) : x);
    int before = threads();
    set_threads(1);
    auto one = forward_and_back(f, typed, "cpu");
    set_threads(3);
    auto three = forward_and_back(f, typed, "cpu");
    set_threads(before);
    auto expected = forward_and_back(f, typed, "reference");
    REQUIRE(one.size() == expected.size());
    for (size_t i = 0; i < one.size(); ++i) {
      INFO(std::string(name_of(dtype)), ", ", i == 0 ? std::string("output") : "gradient " + std::to_string(i - 1));
      double allowed = dtype == DType::f64 && terms64 > 0 ? terms64 : terms;
      CHECK_LE(difference(one[i], expected[i]), allowed * epsilon(dtype) * largest(expected[i]));
      CHECK(same_bits(one[i], three[i]));
    }
  }
}

/// For a linear op A: <A x, y> = <x, A^T y>, where A^T y is the gradient; relative to the sizes of the products.
template <class F> void check_adjoint(F f, Tensor x) {
  x = x.cast(DType::f64).clone().set_requires_grad();
  Tensor image = f(x);
  Tensor y = normal(image.shape(), {.dtype = DType::f64, .group = image.group()});
  image.backward(y);
  double terms = double(x.numel() + y.numel());
  CHECK_LE(std::abs(dot(image, y) - dot(x, x.grad())), terms * epsilon(DType::f64) * largest(image) * largest(y));
  CHECK(std::abs(dot(image, y)) > 1e-3);  // the operator 0 would pass as well
}

template <class E, class F> std::string message_of(F f) {
  try {
    f();
  } catch (E const& error) {
    return error.what();
  }
  return "nothing was thrown";
}

}  // namespace d16::testing
