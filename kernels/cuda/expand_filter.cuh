// The dense filter of an equivariant convolution on a GPU, and the gradient of its weights from that of the filter.
#pragma once
#include "../group_conv2d.hpp"
#include "gpu.hpp"

namespace d16::kernels {
namespace D16_GPU {
namespace expanded {

/// Sizes, and the basis (G,V,pixels) in device memory.
template <class T> struct Filter {
  FilterRule rule;
  int Ci, Co, V, pixels, order, Gin, Gout, slots;
  T const* basis;

  Filter(GroupConv2d<T> const& a, T const* values)
      : rule(a.rule()),
        Ci(a.Ci),
        Co(a.Co),
        V(a.V),
        pixels(a.kernel * a.kernel),
        order(a.group.order()),
        Gin(rule.in_order()),
        Gout(rule.out_order()),
        slots(rule.slots()),
        basis(values) {}
  int64_t count() const { return int64_t(Co) * Gout * Ci * Gin * pixels; }
  int64_t weights() const { return int64_t(Co) * Ci * V * slots; }

  // FilterRule as a device sees it: no function of the host is called.
  __device__ int slot(int g, int h) const {
    if (slots == 1) return 0;
    int const n = rule.group.n, rg = g % n, rh = h % n, fg = g / n, fh = h / n;
    int const turn = fg ? rg - rh : rh - rg;  // g^-1 h: g itself when it is a reflection
    return (fg ^ fh) * n + (turn % n + n) % n;
  }
  __device__ int frame(int g, int h) const { return Gin == 1 ? g : h; }
};

/// (Co Gout, Ci Gin, k, k): one thread for each tap, the sum over the basis.
template <class T> __global__ void expand_filter(Filter<T> f, int64_t count, T const* w, T* filter) {
  for (int64_t i = gpu::this_thread(); i < count; i += gpu::all_threads()) {
    int const pixel = int(i % f.pixels), h = int(i / f.pixels % f.Gin);
    int64_t const c = i / f.pixels / f.Gin % f.Ci, row = i / f.pixels / f.Gin / f.Ci, o = row / f.Gout;
    int const g = int(row % f.Gout);
    T const* const weights = w + (o * f.Ci + c) * f.V * f.slots + f.slot(g, h);
    T const* const basis = f.basis + int64_t(f.frame(g, h)) * f.V * f.pixels + pixel;
    T sum = 0;
    for (int v = 0; v < f.V; ++v) sum += weights[v * f.slots] * basis[v * f.pixels];
    filter[i] = sum;
  }
}

/// dw (Co,Ci,V,slots): one thread for each weight, the sum over the taps that use it.
template <class T> __global__ void collapse_filter(Filter<T> f, int64_t count, T const* filter, T* dw) {
  for (int64_t i = gpu::this_thread(); i < count; i += gpu::all_threads()) {
    int const u = int(i % f.slots), v = int(i / f.slots % f.V);
    int64_t const c = i / f.slots / f.V % f.Ci, o = i / f.slots / f.V / f.Ci;
    T sum = 0;
    for (int g = 0; g < f.Gout; ++g)
      for (int h = 0; h < f.Gin; ++h) {
        if (f.slot(g, h) != u) continue;
        T const* const taps = filter + (((o * f.Gout + g) * f.Ci + c) * f.Gin + h) * f.pixels;
        T const* const basis = f.basis + (int64_t(f.frame(g, h)) * f.V + v) * f.pixels;
        for (int p = 0; p < f.pixels; ++p) sum += taps[p] * basis[p];
      }
    dw[i] = sum;
  }
}

}  // namespace expanded
}  // namespace D16_GPU
}  // namespace d16::kernels
