// Equivariant convolution: the factored path, or the dense filter and the ordinary convolution on (N,H,W,C*G).
#pragma once
#include <cstddef>
#include <limits>

#include "../group_conv2d.hpp"
#include "conv2d.hpp"
#include "expand_filter.hpp"
#include "fourier_conv2d.hpp"

namespace d16::kernels::cpu {

namespace detail {

/// The ordinary convolution behind a, and where its filter, its bias and its own scratch memory lie in a.work.
template <class T> struct ExpandedConv {
  FilterTables<T> tables;
  Conv2d<T> conv;
  char* work;
  size_t filter_at, bias_at, conv_at;

  explicit ExpandedConv(GroupConv2d<T> const& a) : tables(a), work(static_cast<char*>(a.work)) {
    conv.N = a.N, conv.H = a.H, conv.W = a.W;
    conv.Ci = a.Ci * a.rule().in_order(), conv.Co = a.Co * a.rule().out_order();
    conv.kh = conv.kw = a.kernel;
    conv.stride_h = conv.stride_w = a.stride;
    conv.pad_h = conv.pad_w = a.padding;
    conv.dilation_h = conv.dilation_w = a.dilation;
    conv.x = a.x, conv.y = a.y, conv.dy = a.dy, conv.dx = a.dx;
    filter_at = whole(tables.bytes());
    bias_at = filter_at + whole(size_t(tables.filter_count()) * sizeof(T));
    conv_at = bias_at + whole(size_t(conv.Co) * sizeof(T));
  }
  static size_t whole(size_t bytes) { return (bytes + 63) / 64 * 64; }

  T* filter() const { return reinterpret_cast<T*>(work + filter_at); }
  T* bias() const { return reinterpret_cast<T*>(work + bias_at); }
  void* conv_work() const { return work + conv_at; }

  /// Fills the filter and points the convolution at it.
  void expand(GroupConv2d<T> const& a) {
    tables.fill(a, work);
    expand_filter(tables, a.w, filter());
    conv.w = filter();
    conv.work = conv_work();
  }
};

}  // namespace detail

namespace detail {

/// Whether the arguments are computed by the factored path.
template <class T> bool takes_fourier(GroupConv2d<T> const& a) {
  if (a.path != Path::automatic) return a.path == Path::fourier;
  if (a.precision != Precision::float32) return true;
  return a.group.order() >= 4 && fourier_supported(a);
}

/// y = relu(scale y + bias), what the factored path does while it writes y.
template <class T> void scale_and_cut(GroupConv2d<T> const& a) {
  int64_t const G = a.rule().out_order(), row = a.Co * G, rows = int64_t(a.N) * a.out(a.H) * a.out(a.W);
  parallel_chunks(rows, std::max<int64_t>(1, 4096 / row), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r)
      for (int64_t o = 0; o < a.Co; ++o) {
        T *y = a.y + r * row + o * G, scale = a.scale ? a.scale[o] : T(1), shift = a.bias ? a.bias[o] : T(0);
        T const least = a.relu ? T(0) : -std::numeric_limits<T>::infinity();
        for (int64_t g = 0; g < G; ++g) {
          T const value = scale * y[g] + shift;
          y[g] = value < least ? least : value;
        }
      }
  });
}

/// Mean and variance of every field of y.
template <class T> void moments(GroupConv2d<T> const& a) {
  int64_t const G = a.rule().out_order(), row = a.Co * G, rows = int64_t(a.N) * a.out(a.H) * a.out(a.W);
  parallel_tasks(a.Co, [&](int64_t o) {
    double mean = 0, squares = 0;
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t g = 0; g < G; ++g) mean += double(a.y[r * row + o * G + g]) / double(rows * G);
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t g = 0; g < G; ++g) {
        double const d = double(a.y[r * row + o * G + g]) - mean;
        squares += d * d;
      }
    a.moments[o] = mean;
    a.moments[a.Co + o] = squares / double(rows * G);
  });
}

}  // namespace detail

/// Whether x may come with the norm before it.
template <class T> bool group_conv2d_takes_norm(GroupConv2d<T> const& a) {
  return detail::takes_fourier(a) && detail::fourier_supported(a);
}

template <class T> size_t group_conv2d_work_bytes(GroupConv2d<T> const& a) {
  if (detail::takes_fourier(a)) return detail::fourier_supported(a) ? detail::fourier_work_bytes(a) : 0;
  detail::ExpandedConv<T> e(a);
  return e.conv_at + conv2d_work_bytes(e.conv);
}
template <class T> int group_conv2d(GroupConv2d<T> const& a) {
  if (a.x_coefficients || a.y_coefficients) return unsupported;
  if (detail::takes_fourier(a)) return detail::fourier_supported(a) ? detail::fourier_conv2d(a) : unsupported;
  if (a.norm) return unsupported;
  detail::ExpandedConv<T> e(a);
  e.expand(a);
  bool const epilogue = a.scale || a.relu;
  if (a.bias && !epilogue) {
    for (int o = 0; o < a.Co; ++o) std::fill_n(e.bias() + o * e.tables.Gout, e.tables.Gout, a.bias[o]);
    e.conv.bias = e.bias();
  }
  if (int status = conv2d(e.conv)) return status;
  if (a.moments) detail::moments(a);
  if (epilogue) detail::scale_and_cut(a);
  return ok;
}

template <class T> size_t group_conv2d_pack_work_bytes(GroupConv2d<T> const& a) {
  if (a.packed_count || !detail::takes_fourier(a) || !detail::fourier_supported(a)) return 0;
  return size_t(detail::FourierLayer<T>(a, a.sides, a.Ci, a.Co).pack_scratch() * threads()) * sizeof(T);
}
template <class T> int group_conv2d_pack(GroupConv2d<T> const& a) {
  bool const possible = detail::takes_fourier(a) && detail::fourier_supported(a);
  if (a.packed_count && !possible) return *a.packed_count = 0, ok;
  if (!possible) return unsupported;
  detail::FourierLayer<T> const layer(a, a.sides, a.Ci, a.Co);
  if (a.packed_count) return *a.packed_count = layer.packed_count(), ok;
  detail::pack_weights(layer, a.w, a.packed, static_cast<T*>(a.work));
  return ok;
}

template <class T> size_t group_conv2d_dx_work_bytes(GroupConv2d<T> const& a) {
  if (detail::takes_fourier(a)) return detail::fourier_supported(a) ? detail::fourier_dx_work_bytes(a) : 0;
  detail::ExpandedConv<T> e(a);
  return e.conv_at + conv2d_dx_work_bytes(e.conv);
}
template <class T> int group_conv2d_dx(GroupConv2d<T> const& a) {
  if (detail::takes_fourier(a)) return detail::fourier_supported(a) ? detail::fourier_conv2d_dx(a) : unsupported;
  detail::ExpandedConv<T> e(a);
  e.expand(a);
  return conv2d_dx(e.conv);
}

template <class T> size_t group_conv2d_dw_work_bytes(GroupConv2d<T> const& a) {
  if (detail::takes_fourier(a)) return detail::fourier_supported(a) ? detail::fourier_dw_work_bytes(a) : 0;
  detail::ExpandedConv<T> e(a);
  return e.conv_at + conv2d_dw_work_bytes(e.conv);
}
template <class T> int group_conv2d_dw(GroupConv2d<T> const& a) {
  if (detail::takes_fourier(a)) return detail::fourier_supported(a) ? detail::fourier_conv2d_dw(a) : unsupported;
  if (a.norm) return unsupported;
  detail::ExpandedConv<T> e(a);
  e.conv.dw = e.filter();
  e.conv.work = e.conv_work();
  if (int status = conv2d_dw(e.conv)) return status;
  e.tables.fill(a, a.work);
  detail::collapse_filter(e.tables, static_cast<T const*>(e.filter()), a.dw);
  return ok;
}

template <class T> size_t group_conv2d_db_work_bytes(GroupConv2d<T> const& a) {
  detail::ExpandedConv<T> e(a);
  return e.conv_at - e.bias_at + conv2d_db_work_bytes(e.conv);
}
template <class T> int group_conv2d_db(GroupConv2d<T> const& a) {
  detail::ExpandedConv<T> e(a);
  T* each = static_cast<T*>(a.work);
  e.conv.db = each;
  e.conv.work = e.work + (e.conv_at - e.bias_at);
  if (int status = conv2d_db(e.conv)) return status;
  for (int o = 0; o < a.Co; ++o) {
    double sum = 0;
    for (int64_t g = 0; g < e.tables.Gout; ++g) sum += double(each[o * e.tables.Gout + g]);
    a.db[o] = T(sum);
  }
  return ok;
}

}  // namespace d16::kernels::cpu
