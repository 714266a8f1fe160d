// Equivariant convolution on a GPU: the factored path, fused or in steps, or the dense filter and a convolution.
#pragma once
#include "batch_norm.cuh"
#include "conv2d.cuh"
#include "expand_filter.cuh"
#include "fourier_fused.cuh"

namespace d16::kernels {
namespace D16_GPU {

namespace fourier {

/// Whether the arguments are computed by the factored path.
template <class T> bool chosen(GroupConv2d<T> const& a) {
  if (a.path != Path::automatic) return a.path == Path::fourier;
  return a.precision != Precision::float32 || (a.group.order() >= 4 && Plan<T>::takes(a));
}

/// The fused kernel moves 16 bytes at a time.
template <class T> bool aligned(T const* p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; }

/// Calls run(Fused or Unfused) with what computes the convolution or its adjoint, or returns `otherwise` when nothing
/// does. Butterflies, tensor cores and the fused kernel are for float32 features of C_n and D_n, n = 4, 8, 16, whose
/// working set fits a block; everything else takes the four kernels, in T.
template <class T, class Run, class Result>
Result with_engine(GroupConv2d<T> const& a, bool adjoint, Result otherwise, Run const& run) {
  if (!Plan<T>::takes(a)) return otherwise;
  if constexpr (std::is_same_v<T, float>)
    if (a.sides == Sides::regular && aligned(a.x) && aligned(a.y) && aligned(a.dy) && aligned(a.dx)) {
      if (a.precision == Precision::bfloat16) {
        Fused<Bf16Products> const engine(a, adjoint);
        return engine.fits() ? run(engine) : otherwise;
      }
      Fused<ExactProducts> const engine(a, adjoint);
      if (engine.fits()) return run(engine);
    }
  return a.precision == Precision::float32 ? run(Unfused<T>(a, adjoint)) : otherwise;
}

template <class T> size_t work_bytes(GroupConv2d<T> const& a, bool adjoint) {
  return with_engine(a, adjoint, size_t(0), [=](auto const& engine) { return engine.work_bytes(adjoint); });
}
template <class T> int convolve(GroupConv2d<T> const& a) {
  return with_engine(a, false, int(unsupported), [&](auto const& engine) {
    return engine.convolve(a, false, a.x, a.norm, Ending<T>{a.scale, a.bias, a.relu}, a.y);
  });
}
template <class T> int convolve_adjoint(GroupConv2d<T> const& a) {
  return with_engine(a, true, int(unsupported), [&](auto const& engine) {
    return engine.convolve(a, true, a.dy, static_cast<T const*>(nullptr), Ending<T>{}, a.dx);
  });
}

}  // namespace fourier

namespace expanded {

/// channel[o G + g] = field[o], or `absent` where fields have no such value.
template <class T> struct OfField {
  T const* field;
  int G;
  T absent;
  __device__ T operator()(int64_t i) const { return field ? field[i / G] : absent; }
};

/// The ordinary convolution behind a, and its scratch memory: basis, filter, what follows the sums, and its own.
template <class T> struct Expanded {
  Conv2d<T> conv;
  T *basis, *filter, *scale, *shift;
  size_t bytes;

  Expanded(GroupConv2d<T> const& a, size_t (*conv_bytes)(Conv2d<T> const&)) {
    Filter<T> const f(a, nullptr);
    conv.N = a.N, conv.H = a.H, conv.W = a.W, conv.Ci = a.Ci * f.Gin, conv.Co = a.Co * f.Gout;
    conv.kh = conv.kw = a.kernel;
    conv.stride_h = conv.stride_w = a.stride, conv.pad_h = conv.pad_w = a.padding;
    conv.dilation_h = conv.dilation_w = a.dilation;
    conv.x = a.x, conv.y = a.y, conv.dy = a.dy, conv.dx = a.dx;
    dense::Scratch scratch(a.work);
    basis = scratch.take<T>(int64_t(f.order) * f.V * f.pixels);
    filter = scratch.take<T>(f.count());
    scale = scratch.take<T>(conv.Co), shift = scratch.take<T>(conv.Co);
    conv.w = filter, conv.dw = filter;
    conv.work = scratch.take<char>(0);
    size_t const own = scratch.used;
    bytes = own + conv_bytes(conv);
  }
  Filter<T> send_basis(GroupConv2d<T> const& a) const {
    Filter<T> const f(a, basis);
    std::vector<T> values;
    for (int i = 0; i < f.order * f.V * f.pixels; ++i) values.push_back(T(a.basis[i]));
    send(values.data(), values.size() * sizeof(T), basis);
    return f;
  }
  void expand(GroupConv2d<T> const& a) const {
    Filter<T> const f = send_basis(a);
    gpu::launch(expand_filter<T>, gpu::blocks_for(f.count(), 256), dim3(256), 0, gpu::current_stream(), f, f.count(),
                a.w, filter);
  }
  /// What the convolution does to its sums, a value for each channel.
  dense::Fused<T> ending(GroupConv2d<T> const& a) const {
    int const G = a.rule().out_order();
    dense::launch_fill(OfField<T>{a.scale, G, T(1)}, conv.Co, scale);
    dense::launch_fill(OfField<T>{a.bias, G, T(0)}, conv.Co, shift);
    return {scale, shift, nullptr, a.relu};
  }
};

template <class T> int convolve(GroupConv2d<T> const& a) {
  if (a.norm || a.precision != Precision::float32) return unsupported;
  Expanded<T> const e(a, conv2d_work_bytes<T>);
  e.expand(a);
  return conv2d_fused(e.conv, e.ending(a));
}

/// A value and nothing.
template <class T> struct Value {
  T const* x;
  int64_t columns;
  __device__ norm::TwoSums operator()(int64_t row, int64_t column) const {
    return {double(x[row * columns + column]), 0};
  }
};
/// One warp for each field.
template <class T> __global__ void write_sums(norm::TwoSums const* partial, int chunks, int C, int G, T* out) {
  int const c = int(gpu::this_thread() / 32);
  if (c >= C) return;
  norm::TwoSums const sum = norm::sums_of_channel(partial, c, G, int64_t(C) * G, chunks);
  if (threadIdx.x % 32 == 0) out[c] = T(sum.first);
}

}  // namespace expanded

namespace detail {
template <class T> int64_t output_pixels(GroupConv2d<T> const& a) { return int64_t(a.N) * a.out(a.H) * a.out(a.W); }
template <class T> size_t field_sums_bytes(GroupConv2d<T> const& a) {
  return norm::sums_bytes(output_pixels(a), int64_t(a.Co) * a.rule().out_order());
}
}  // namespace detail

/// Forward; launches: tables (one for each 4 kB), weights, and one kernel, or three for every few images.
/// Floor: x, w and y once, 2 N P Q Co Ci V S flops with S = sum of d^3 over the irreps (28 for dihedral(8)).
template <class T> size_t group_conv2d_work_bytes(GroupConv2d<T> const& a) {
  size_t const moments = a.moments ? detail::field_sums_bytes(a) : 0;
  if (fourier::chosen(a)) return std::max(moments, fourier::work_bytes(a, false));
  return std::max(moments, expanded::Expanded<T>(a, conv2d_work_bytes<T>).bytes);
}
template <class T> int group_conv2d(GroupConv2d<T> const& a) {
  if (a.packed || a.packed_count) return unsupported;
  if (int const status = fourier::chosen(a) ? fourier::convolve(a) : expanded::convolve(a)) return status;
  if (!a.moments) return ok;
  return norm::moments(static_cast<T const*>(a.y), detail::output_pixels(a), a.Co, a.rule().out_order(), a.moments,
                       a.work);
}

/// The gradient of x: the same kernel with the weights of the adjoint.
template <class T> size_t group_conv2d_dx_work_bytes(GroupConv2d<T> const& a) {
  if (fourier::chosen(a)) return fourier::work_bytes(a, true);
  return expanded::Expanded<T>(a, conv2d_dx_work_bytes<T>).bytes;
}
template <class T> int group_conv2d_dx(GroupConv2d<T> const& a) {
  if (fourier::chosen(a)) return fourier::convolve_adjoint(a);
  expanded::Expanded<T> const e(a, conv2d_dx_work_bytes<T>);
  e.expand(a);
  return conv2d_dx(e.conv);
}

/// The gradient of the weights, in T whatever the precision of the products.
template <class T> size_t group_conv2d_dw_work_bytes(GroupConv2d<T> const& a) {
  if (!fourier::chosen(a)) return expanded::Expanded<T>(a, conv2d_dw_work_bytes<T>).bytes;
  return fourier::Plan<T>::takes(a) ? fourier::Unfused<T>(a, false).work_bytes(false, true) : 0;
}
template <class T> int group_conv2d_dw(GroupConv2d<T> const& a) {
  if (fourier::chosen(a))
    return fourier::Plan<T>::takes(a) ? fourier::Unfused<T>(a, false).gradient(a) : int(unsupported);
  if (a.norm) return unsupported;
  expanded::Expanded<T> const e(a, conv2d_dw_work_bytes<T>);
  if (int const status = conv2d_dw(e.conv)) return status;
  expanded::Filter<T> const f = e.send_basis(a);
  return gpu::launch(expanded::collapse_filter<T>, gpu::blocks_for(f.weights(), 256), dim3(256), 0,
                     gpu::current_stream(), f, f.weights(), e.filter, a.dw);
}

/// The gradient of the bias. Floor: one read of dy.
template <class T> size_t group_conv2d_db_work_bytes(GroupConv2d<T> const& a) { return detail::field_sums_bytes(a); }
template <class T> int group_conv2d_db(GroupConv2d<T> const& a) {
  int const G = a.rule().out_order();
  int64_t const columns = int64_t(a.Co) * G, rows = detail::output_pixels(a);
  auto* const partial = static_cast<norm::TwoSums*>(a.work);
  norm::launch_sums(expanded::Value<T>{a.dy, columns}, rows, columns, partial);
  return gpu::launch(expanded::write_sums<T>, norm::warp_for_each(a.Co), dim3(256), 0, gpu::current_stream(), partial,
                     norm::chunks_of(rows), a.Co, G, a.db);
}

}  // namespace D16_GPU
}  // namespace d16::kernels
