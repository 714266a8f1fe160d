// The factored group convolution and its gradients, from the contract's arguments: shapes, scratch memory, moments.
#pragma once
#include "fourier_forward.hpp"
#include "fourier_gradient.hpp"

namespace d16::kernels::cpu::detail {

/// bfloat16 is for the products between group features, and for processors that multiply such numbers.
template <class T> bool precision_supported(GroupConv2d<T> const& a) {
  return a.precision == Precision::float32 ||
         (std::is_same_v<T, float> && a.sides == Sides::regular && best_isa() >= Isa::amx);
}

/// Whether the factored path takes these arguments at all.
template <class T> bool fourier_supported(GroupConv2d<T> const& a) {
  int64_t harmonics = 0;
  for (int i = 0; i < a.rings; ++i) harmonics += a.max_freqs[i] + 1;
  return a.rings > 0 && a.group.order() <= most_elements && harmonics <= most_harmonics &&
         a.kernel <= 2 * most_radius + 1 && precision_supported(a);
}

template <class T> ConvShape forward_shape(GroupConv2d<T> const& a) {
  return {a.N, a.H, a.W, a.out(a.H), a.out(a.W), a.kernel, a.stride, a.padding, a.dilation, 1};
}
template <class T> ConvShape adjoint_shape(GroupConv2d<T> const& a) {
  return {a.N,        a.out(a.H), a.out(a.W), a.H, a.W, a.kernel, 1, a.dilation * (a.kernel - 1) - a.padding,
          a.dilation, a.stride};
}
inline Sides adjoint_sides(Sides s) {
  return s == Sides::lifting ? Sides::projecting : s == Sides::projecting ? Sides::lifting : s;
}

/// Scratch memory of a forward pass, in the order in which it is used.
template <class T> struct FourierWork {
  double* sums;
  T *scale, *shift, *packed, *scratch, *adjoint;
  char* rest;
  size_t bytes;

  FourierWork(FourierLayer<T> const& l, FourierForward<T> const& f, bool pack, int64_t adjoint_count, bool summed,
              void* work) {
    Carver c(work);
    sums = c.take<double>(summed ? int64_t(f.s.N) * f.t.tiles() * l.Co * 2 : 0);
    scale = c.take<T>(l.Co), shift = c.take<T>(l.Co);
    packed = c.take<T>(pack ? l.packed_count() : 0);
    scratch = c.take<T>(pack ? l.pack_scratch() * threads() : 0);
    adjoint = c.take<T>(adjoint_count);
    bytes = c.used() + f.work_bytes();
    rest = c.take<char>(int64_t(f.work_bytes()));
  }
};

/// Mean and variance of every field from the sums of the tiles, before the bias, which only moves the mean.
template <class T> void moments_of(GroupConv2d<T> const& a, double const* sums, int64_t tiles) {
  double const count = double(a.N) * a.out(a.H) * a.out(a.W) * a.rule().out_order();
  for (int o = 0; o < a.Co; ++o) {
    double sum = 0, squares = 0;
    for (int64_t tile = 0; tile < tiles; ++tile) {
      sum += sums[(tile * a.Co + o) * 2];
      squares += sums[(tile * a.Co + o) * 2 + 1];
    }
    double const mean = sum / count;
    a.moments[o] = mean + (a.bias ? double(a.bias[o]) : 0);
    a.moments[a.Co + o] = std::max(0.0, squares / count - mean * mean);
  }
}

template <class T> size_t fourier_work_bytes(GroupConv2d<T> const& a) {
  FourierLayer<T> const l(a, a.sides, a.Ci, a.Co);
  FourierForward<T> const f(l, forward_shape(a));
  return FourierWork<T>(l, f, !a.packed, 0, a.moments, nullptr).bytes;
}
template <class T> int fourier_conv2d(GroupConv2d<T> const& a) {
  FourierLayer<T> const l(a, a.sides, a.Ci, a.Co);
  FourierForward<T> f(l, forward_shape(a));
  f.read_through(a.norm);
  FourierWork<T> const w(l, f, !a.packed, 0, a.moments, a.work);
  for (int o = 0; o < a.Co; ++o) {
    w.scale[o] = a.scale ? a.scale[o] : T(1);
    w.shift[o] = a.bias ? a.bias[o] : T(0);
  }
  if (!a.packed) pack_weights(l, a.w, w.packed, w.scratch);
  f.run(a.x, a.packed ? a.packed : w.packed, a.y, w.scale, w.shift, a.relu, a.moments ? w.sums : nullptr, w.rest);
  if (a.moments) moments_of(a, w.sums, int64_t(a.N) * f.t.tiles());
  return ok;
}

template <class T> size_t fourier_dx_work_bytes(GroupConv2d<T> const& a) {
  FourierLayer<T> const l(a, adjoint_sides(a.sides), a.Co, a.Ci);
  FourierForward<T> const f(l, adjoint_shape(a));
  return FourierWork<T>(l, f, true, int64_t(a.Co) * a.Ci * a.V * l.slots, false, nullptr).bytes;
}
template <class T> int fourier_conv2d_dx(GroupConv2d<T> const& a) {
  FourierLayer<T> const l(a, adjoint_sides(a.sides), a.Co, a.Ci);
  FourierForward<T> const f(l, adjoint_shape(a));
  FourierWork<T> const w(l, f, true, int64_t(a.Co) * a.Ci * a.V * l.slots, false, a.work);
  std::fill_n(w.scale, a.Ci, T(1));
  std::fill_n(w.shift, a.Ci, T(0));
  adjoint_weights(a, l.tables, a.w, w.adjoint);
  pack_weights(l, w.adjoint, w.packed, w.scratch);
  f.run(a.dy, w.packed, a.dx, w.scale, w.shift, false, nullptr, w.rest);
  return ok;
}

template <class T> size_t fourier_dw_work_bytes(GroupConv2d<T> const& a) {
  FourierLayer<T> const l(a, a.sides, a.Ci, a.Co, Purpose::gradient);
  return FourierGradient<T>(l, forward_shape(a)).work_bytes();
}
template <class T> int fourier_conv2d_dw(GroupConv2d<T> const& a) {
  FourierLayer<T> const l(a, a.sides, a.Ci, a.Co, Purpose::gradient);
  FourierGradient<T> gradient(l, forward_shape(a));
  gradient.read_through(a.norm);
  gradient.run(a.x, a.dy, a.dw, a.work);
  return ok;
}

}  // namespace d16::kernels::cpu::detail
