// Equivariant convolution by the expanded path: the dense filter, then the ordinary convolution on (N,H,W,C*G).
#pragma once
#include <cstddef>

#include "../group_conv2d.hpp"
#include "conv2d.hpp"
#include "expand_filter.hpp"

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

template <class T> size_t group_conv2d_work_bytes(GroupConv2d<T> const& a) {
  detail::ExpandedConv<T> e(a);
  return e.conv_at + conv2d_work_bytes(e.conv);
}
template <class T> int group_conv2d(GroupConv2d<T> const& a) {
  if (a.path == Path::fourier) return unsupported;
  detail::ExpandedConv<T> e(a);
  e.expand(a);
  if (a.bias) {
    for (int o = 0; o < a.Co; ++o) std::fill_n(e.bias() + o * e.tables.Gout, e.tables.Gout, a.bias[o]);
    e.conv.bias = e.bias();
  }
  return conv2d(e.conv);
}

template <class T> size_t group_conv2d_dx_work_bytes(GroupConv2d<T> const& a) {
  detail::ExpandedConv<T> e(a);
  return e.conv_at + conv2d_dx_work_bytes(e.conv);
}
template <class T> int group_conv2d_dx(GroupConv2d<T> const& a) {
  if (a.path == Path::fourier) return unsupported;
  detail::ExpandedConv<T> e(a);
  e.expand(a);
  return conv2d_dx(e.conv);
}

template <class T> size_t group_conv2d_dw_work_bytes(GroupConv2d<T> const& a) {
  detail::ExpandedConv<T> e(a);
  return e.conv_at + conv2d_dw_work_bytes(e.conv);
}
template <class T> int group_conv2d_dw(GroupConv2d<T> const& a) {
  if (a.path == Path::fourier) return unsupported;
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
