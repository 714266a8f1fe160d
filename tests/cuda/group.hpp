// For tests of the CUDA kernels of group features on the emulator: cases with random numbers, results of kernels and of
// the reference, tolerances.
#pragma once
#include <d16/core/error.hpp>
#include <d16/kernels/cuda/group_conv2d.cuh>
#include <d16/kernels/reference/group_conv2d.hpp>

#include "dense.hpp"

namespace d16::testing {

using kernels::GroupConv2d;
using kernels::Path;
using kernels::Precision;
using kernels::Wide;

/// The results of a convolution: y, dx, dw.
template <class T> struct Results {
  std::vector<T> y, dx;
  std::vector<Wide<T>> dw;
};

/// Arguments with random numbers behind them.
template <class T> struct GroupCase {
  GroupConv2d<T> a;
  std::shared_ptr<SteerableBasis const> basis;
  std::vector<T> x, dy;
  std::vector<Wide<T>> w, b;

  explicit GroupCase(GroupConv2d<T> const& sizes) : a(sizes), basis(shared_basis(a.group, a.kernel)) {
    a.V = basis->V, a.basis = basis->values.data();
    a.rings = int(basis->rings.max_freqs.size()), a.max_freqs = basis->rings.max_freqs.data();
    x = random_values<T>(int64_t(a.N) * a.H * a.W * a.Ci * a.rule().in_order(), 1);
    dy = random_values<T>(outputs(), 2);
    w = random_values<Wide<T>>(int64_t(a.Co) * a.Ci * a.V * a.rule().slots(), 3);
    b = random_values<Wide<T>>(a.Co, 4);
    a.path = Path::fourier;
  }
  int64_t outputs() const { return int64_t(a.N) * a.out(a.H) * a.out(a.W) * a.Co * a.rule().out_order(); }

  /// The arguments, to write to r.
  GroupConv2d<T> arguments(Results<T>& r) const {
    GroupConv2d<T> with = a;
    r.y.assign(dy.size(), T(NAN)), r.dx.assign(x.size(), T(NAN)), r.dw.assign(w.size(), NAN);
    with.x = x.data(), with.dy = dy.data(), with.w = w.data(), with.bias = b.data();
    with.y = r.y.data(), with.dx = r.dx.data(), with.dw = r.dw.data();
    return with;
  }
  Results<T> reference() const {
    Results<T> r;
    GroupConv2d<T> const with = arguments(r);
    CHECK(kernels::reference::fourier_conv2d(with) == kernels::ok);
    CHECK(kernels::reference::fourier_conv2d_dx(with) == kernels::ok);
    CHECK(kernels::reference::fourier_conv2d_dw(with) == kernels::ok);
    return r;
  }
  /// By the launchers of the contract.
  Results<T> launched() const {
    Results<T> r;
    GroupConv2d<T> with = arguments(r);
    auto run = [&](int (*kernel)(GroupConv2d<T> const&), size_t (*bytes)(GroupConv2d<T> const&)) {
      Work work(bytes(with));
      with.work = work.data();
      CHECK(kernel(with) == kernels::ok);
    };
    run(kernels::group_conv2d<T>, kernels::group_conv2d_work_bytes<T>);
    run(kernels::group_conv2d_dx<T>, kernels::group_conv2d_dx_work_bytes<T>);
    run(kernels::group_conv2d_dw<T>, kernels::group_conv2d_dw_work_bytes<T>);
    return r;
  }
  /// y and dx by an engine: fourier::Unfused<T> or fourier::Fused<..>.
  template <class Engine> Results<T> engine() const {
    using Ending = kernels::fourier::Ending<Wide<T>>;
    Wide<T> const* const no_norm = nullptr;
    Results<T> r;
    GroupConv2d<T> with = arguments(r);
    Engine const forward(a, false), adjoint(a, true);
    Work work(forward.work_bytes(a, false)), other(adjoint.work_bytes(a, true));
    with.work = work.data();
    CHECK(forward.convolve(with, false, with.x, no_norm, Ending{nullptr, with.bias, false}, with.y) == kernels::ok);
    with.work = other.data();
    CHECK(adjoint.convolve(with, true, with.dy, no_norm, Ending{}, with.dx) == kernels::ok);
    return r;
  }

  /// dw by an engine that has such a gradient.
  template <class Engine> std::vector<Wide<T>> gradient(Engine const& engine) const {
    Results<T> r;
    GroupConv2d<T> with = arguments(r);
    Work work(engine.gradient_bytes(with));
    with.work = work.data();
    CHECK(engine.gradient(with) == kernels::ok);
    return r.dw;
  }

  /// Additions behind a result: taps, the transform and its inverse, fields, functions and columns of a block; for dw
  /// pixels instead of fields.
  double terms(int fields, double pixels = 0) const {
    return a.kernel * a.kernel + 2.0 * a.group.order() + 2.0 * a.V * fields + pixels;
  }
  double pixels() const { return double(a.N) * a.out(a.H) * a.out(a.W); }
  std::string text() const {
    return d16::text(a.group, " sides ", int(a.sides), " N ", a.N, " H ", a.H, " W ", a.W, " Ci ", a.Ci, " Co ", a.Co,
                     " kernel ", a.kernel, " stride ", a.stride, " padding ", a.padding, " dilation ", a.dilation);
  }
};

/// The same sizes and numbers in another type.
template <class To, class From> GroupCase<To> converted(GroupCase<From> const& c) {
  GroupConv2d<To> sizes{.group = c.a.group, .sides = c.a.sides, .N = c.a.N, .H = c.a.H, .W = c.a.W, .Ci = c.a.Ci};
  sizes.Co = c.a.Co, sizes.kernel = c.a.kernel, sizes.stride = c.a.stride, sizes.padding = c.a.padding;
  sizes.dilation = c.a.dilation, sizes.relu = c.a.relu;
  if constexpr (std::is_same_v<Wide<To>, Wide<From>>) sizes.scale = c.a.scale;
  GroupCase<To> to(sizes);
  to.x.assign(c.x.begin(), c.x.end()), to.dy.assign(c.dy.begin(), c.dy.end());
  to.w.assign(c.w.begin(), c.w.end()), to.b.assign(c.b.begin(), c.b.end());
  return to;
}

/// Root mean square of the difference in units of that of the values that are expected. NaN counts as infinite.
inline double relative_rms(std::vector<float> const& got, std::vector<float> const& expected) {
  double difference = 0, square = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    difference += (double(got[i]) - expected[i]) * (double(got[i]) - expected[i]);
    square += double(expected[i]) * expected[i];
  }
  double const ratio = std::sqrt(difference / square);
  return ratio >= 0 ? ratio : INFINITY;
}

template <class T> double dot(std::vector<T> const& a, std::vector<T> const& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += double(a[i]) * double(b[i]);
  return sum;
}

inline Group any_group(int n, bool mirrored) { return mirrored ? dihedral(n) : cyclic(n); }

}  // namespace d16::testing
