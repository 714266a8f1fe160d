// Equivariant convolution on a GPU: the factored path, fused or in steps, or the dense filter and a convolution.
#pragma once
#include "batch_norm.cuh"
#include "conv2d.cuh"
#include "expand_filter.cuh"
#include "fourier_fused.cuh"
#include "fourier_gradient.cuh"

namespace d16::kernels {
namespace D16_GPU {

namespace fourier {

/// Whether the arguments are computed by the factored path. The other has float32 and float64 only.
template <class E> bool chosen(GroupConv2d<E> const& a) {
  if (a.path != Path::automatic) return a.path == Path::fourier;
  bool const only_here = std::is_same_v<E, bf16> || a.x_coefficients || a.y_coefficients;
  return only_here || a.precision != Precision::float32 || (a.group.order() >= 4 && Plan<Wide<E>>::takes(a));
}

/// Fused kernels move 16 bytes at a time.
inline bool aligned(void const* p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; }

/// Whether x is copied before they read it. So weights can be packed for them before anybody knows where x will lie.
template <class E> bool copies_x(GroupConv2d<E> const& a) {
  return a.sides == Sides::regular && !std::is_same_v<E, double> && !aligned(a.x);
}
template <class E> int64_t values_of_x(GroupConv2d<E> const& a) {
  return int64_t(a.N) * a.H * a.W * a.Ci * a.rule().in_order();
}

/// Calls visit(products) with how a fused kernel multiplies features of E.
template <class E, class Visit> auto with_products(Precision precision, Visit const& visit) {
  if constexpr (!std::is_same_v<E, bf16>) {
    if (precision == Precision::float32) return visit(ExactProducts());
    if (precision == Precision::tf32) return visit(Tf32Products());
  }
  return visit(Bf16Products());
}

/// Calls run(Fused or Unfused) with what computes the convolution or its adjoint, or returns `otherwise` when nothing
/// does. Butterflies, tensor cores and the fused kernel are for float32 and bf16 features of C_n and D_n, n = 4, 8, 16,
/// whose working set fits a block; everything else takes the four kernels, in float32 or float64.
template <class E, class Run, class Result>
Result with_engine(GroupConv2d<E> const& a, bool adjoint, Result otherwise, Run const& run) {
  if (!Plan<Wide<E>>::takes(a)) return otherwise;
  auto in_steps = [&] {
    bool const any = std::is_same_v<E, bf16> || a.precision == Precision::float32;
    return any ? run(Unfused<Wide<E>, E>(a, adjoint)) : otherwise;
  };
  if constexpr (!std::is_same_v<E, double>)
    if (a.sides == Sides::regular) {
      if (adjoint ? aligned(a.dy) && aligned(a.dx) : aligned(a.y))
        return with_products<E>(a.precision, [&](auto products) {
          Fused<decltype(products), E> const engine(a, adjoint);
          return engine.fits() ? run(engine) : in_steps();
        });
      if (a.packed && !adjoint) return otherwise;  // the four kernels read them in another order
    }
  return in_steps();
}
/// The same for the gradient of the weights. Products are as exact as the features are.
template <class E, class Run, class Result>
Result with_gradient_engine(GroupConv2d<E> const& a, Result otherwise, Run const& run) {
  if (!Plan<Wide<E>>::takes(a)) return otherwise;
  if constexpr (!std::is_same_v<E, double>)
    if (a.sides == Sides::regular && aligned(a.x) && aligned(a.dy)) {
      FusedGradient<std::conditional_t<std::is_same_v<E, bf16>, Bf16Products, ExactProducts>, E> const engine(a);
      if (engine.fits()) return run(engine);
    }
  return run(Unfused<Wide<E>, E>(a, false));
}

template <class E> size_t work_bytes(GroupConv2d<E> const& a, bool adjoint) {
  Scratch copy(nullptr);
  if (!adjoint && copies_x(a)) copy.take<E>(values_of_x(a));
  return copy.used +
         with_engine(a, adjoint, size_t(0), [&](auto const& engine) { return engine.work_bytes(a, adjoint); });
}
/// Coefficients have no norm that is read through, and no moments.
template <class E> int convolve(GroupConv2d<E> a) {
  if ((a.x_coefficients && (a.norm || a.sides == Sides::lifting)) ||
      (a.y_coefficients && (a.moments || a.sides == Sides::projecting)))
    return unsupported;
  if (copies_x(a)) {
    Scratch scratch(a.work);
    E* const copy = scratch.take<E>(values_of_x(a));
    gpu::copy_bytes(copy, a.x, size_t(values_of_x(a)) * sizeof(E), gpu::current_stream());
    a.x = copy, a.work = scratch.take<char>(0);
  }
  return with_engine(a, false, int(unsupported), [&](auto const& engine) {
    return engine.convolve(a, false, a.x, a.norm, Ending<Wide<E>>{a.scale, a.bias, a.relu}, a.y);
  });
}
template <class E> int convolve_adjoint(GroupConv2d<E> const& a) {
  return with_engine(a, true, int(unsupported), [&](auto const& engine) {
    return engine.convolve(a, true, a.dy, static_cast<Wide<E> const*>(nullptr), Ending<Wide<E>>{}, a.dx);
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

/// The basis (G,V,k,k) in T, on the current device.
template <class T> T const* kept_basis(GroupConv2d<T> const& a) {
  int64_t const count = int64_t(a.group.order()) * a.V * a.kernel * a.kernel;
  return kept_numbers(std::vector<T>(a.basis, a.basis + count));
}

/// The ordinary convolution behind a, and its scratch memory: filter, what follows the sums, and its own.
template <class T> struct Expanded {
  Conv2d<T> conv;
  T *filter, *scale, *shift;
  size_t bytes;

  Expanded(GroupConv2d<T> const& a, size_t (*conv_bytes)(Conv2d<T> const&)) {
    Filter<T> const f(a, nullptr);
    conv.N = a.N, conv.H = a.H, conv.W = a.W, conv.Ci = a.Ci * f.Gin, conv.Co = a.Co * f.Gout;
    conv.kh = conv.kw = a.kernel;
    conv.stride_h = conv.stride_w = a.stride, conv.pad_h = conv.pad_w = a.padding;
    conv.dilation_h = conv.dilation_w = a.dilation;
    conv.x = a.x, conv.y = a.y, conv.dy = a.dy, conv.dx = a.dx;
    dense::Scratch scratch(a.work);
    filter = scratch.take<T>(f.count());
    scale = scratch.take<T>(conv.Co), shift = scratch.take<T>(conv.Co);
    conv.w = filter, conv.dw = filter;
    conv.work = scratch.take<char>(0);
    size_t const own = scratch.used;
    bytes = own + conv_bytes(conv);
  }
  int expand(GroupConv2d<T> const& a) const {
    Filter<T> const f(a, kept_basis(a));
    if (!f.basis) return unsupported;
    return gpu::launch(expand_filter<T>, gpu::blocks_for(f.count(), 256), dim3(256), 0, gpu::current_stream(), f,
                       f.count(), a.w, filter);
  }
  /// What the convolution does to its sums, a value for each channel.
  dense::Fused<T> ending(GroupConv2d<T> const& a) const {
    int const G = a.rule().out_order();
    dense::launch_fill(OfField<T>{a.scale, G, T(1)}, conv.Co, scale);
    dense::launch_fill(OfField<T>{a.bias, G, T(0)}, conv.Co, shift);
    return {scale, shift, nullptr, a.relu};
  }
};

/// Whether the dense path takes the arguments.
template <class T> bool takes(GroupConv2d<T> const& a) {
  return !a.norm && !a.packed && !a.x_coefficients && !a.y_coefficients && a.precision == Precision::float32;
}
template <class T> size_t work_bytes(GroupConv2d<T> const& a, size_t (*conv_bytes)(Conv2d<T> const&)) {
  return takes(a) ? Expanded<T>(a, conv_bytes).bytes : 0;
}
template <class T> int convolve(GroupConv2d<T> const& a) {
  if (!takes(a)) return unsupported;
  Expanded<T> const e(a, conv2d_work_bytes<T>);
  if (int const status = e.expand(a)) return status;
  return conv2d_fused(e.conv, e.ending(a));
}
template <class T> int convolve_adjoint(GroupConv2d<T> const& a) {
  if (!takes(a)) return unsupported;
  Expanded<T> const e(a, conv2d_dx_work_bytes<T>);
  if (int const status = e.expand(a)) return status;
  return conv2d_dx(e.conv);
}
template <class T> int gradient(GroupConv2d<T> const& a) {
  if (!takes(a)) return unsupported;
  Filter<T> const f(a, kept_basis(a));
  if (!f.basis) return unsupported;
  Expanded<T> const e(a, conv2d_dw_work_bytes<T>);
  if (int const status = conv2d_dw(e.conv)) return status;
  return gpu::launch(collapse_filter<T>, gpu::blocks_for(f.weights(), 256), dim3(256), 0, gpu::current_stream(), f,
                     f.weights(), e.filter, a.dw);
}
// It has float32 and float64.
inline size_t work_bytes(GroupConv2d<bf16> const&, size_t (*)(Conv2d<bf16> const&)) { return 0; }
inline int convolve(GroupConv2d<bf16> const&) { return unsupported; }
inline int convolve_adjoint(GroupConv2d<bf16> const&) { return unsupported; }
inline int gradient(GroupConv2d<bf16> const&) { return unsupported; }

/// A value and nothing.
template <class T> struct Value {
  T const* x;
  int64_t columns;
  __device__ norm::TwoSums operator()(int64_t row, int64_t column) const {
    return {double(gpu::to_float(x[row * columns + column])), 0};
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

/// Forward; launches: weights unless they come packed, and one kernel, or four for every few images. The first call of
/// a layer on a device also sends tables there.
/// Floor: x, w and y once, 2 N P Q Co Ci V S flops with S = sum of d^3 over the irreps (28 for dihedral(8)).
template <class T> size_t group_conv2d_work_bytes(GroupConv2d<T> const& a) {
  size_t const moments = a.moments ? detail::field_sums_bytes(a) : 0;
  return std::max(moments,
                  fourier::chosen(a) ? fourier::work_bytes(a, false) : expanded::work_bytes(a, conv2d_work_bytes<T>));
}
template <class T> int group_conv2d(GroupConv2d<T> const& a) {
  if (int const status = fourier::chosen(a) ? fourier::convolve(a) : expanded::convolve(a)) return status;
  if (!a.moments) return ok;
  return norm::moments(static_cast<T const*>(a.y), detail::output_pixels(a), a.Co, a.rule().out_order(), a.moments,
                       a.work);
}

/// Weights for the forward pass, or how many numbers they are. For the same kind of features and precision only.
template <class T> int group_conv2d_pack(GroupConv2d<T> const& a) {
  if (!fourier::chosen(a)) return a.packed_count ? (*a.packed_count = 0, ok) : unsupported;
  GroupConv2d<T> weights = a;
  weights.y = nullptr;  // where a result lies does not matter yet
  return fourier::with_engine(weights, false, int(unsupported), [&](auto const& engine) {
    if (!a.packed_count) return engine.pack(a);
    *a.packed_count = engine.packed_count();
    return int(ok);
  });
}

/// The gradient of x: the same kernel with the weights of the adjoint.
template <class T> size_t group_conv2d_dx_work_bytes(GroupConv2d<T> const& a) {
  return fourier::chosen(a) ? fourier::work_bytes(a, true) : expanded::work_bytes(a, conv2d_dx_work_bytes<T>);
}
template <class T> int group_conv2d_dx(GroupConv2d<T> const& a) {
  return fourier::chosen(a) ? fourier::convolve_adjoint(a) : expanded::convolve_adjoint(a);
}

/// The gradient of the weights: of float32 features by float32 products, whatever the precision of the others.
template <class T> size_t group_conv2d_dw_work_bytes(GroupConv2d<T> const& a) {
  if (!fourier::chosen(a)) return expanded::work_bytes(a, conv2d_dw_work_bytes<T>);
  return fourier::with_gradient_engine(a, size_t(0), [&](auto const& engine) { return engine.gradient_bytes(a); });
}
template <class T> int group_conv2d_dw(GroupConv2d<T> const& a) {
  if (!fourier::chosen(a)) return expanded::gradient(a);
  return fourier::with_gradient_engine(a, int(unsupported), [&](auto const& engine) { return engine.gradient(a); });
}

/// The gradient of the bias. Floor: one read of dy.
template <class T> size_t group_conv2d_db_work_bytes(GroupConv2d<T> const& a) { return detail::field_sums_bytes(a); }
template <class T> int group_conv2d_db(GroupConv2d<T> const& a) {
  int const G = a.rule().out_order();
  int64_t const columns = int64_t(a.Co) * G, rows = detail::output_pixels(a);
  auto* const partial = static_cast<norm::TwoSums*>(a.work);
  norm::launch_sums(expanded::Value<T>{a.dy, columns}, rows, columns, partial);
  return gpu::launch(expanded::write_sums<Wide<T>>, norm::warp_for_each(a.Co), dim3(256), 0, gpu::current_stream(),
                     partial, norm::chunks_of(rows), a.Co, G, a.db);
}

}  // namespace D16_GPU
}  // namespace d16::kernels
