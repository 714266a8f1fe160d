// The matrix product on a GPU.
#pragma once
#include "../gemm.hpp"
#include "product.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace dense {

/// The operands of a call as the product kernel takes them, and its scratch memory.
template <class Tiles, class A, class B, class C> struct GemmPlan {
  using E = typename Tiles::Element;
  using Sum = Wide<C>;
  struct Transposed {
    B const* b;
    int64_t pitch;
    __device__ auto operator()(int k, int n) const { return gpu::to_float(b[n * pitch + k]); }
  };

  Gemm<A, B, C> g;
  Scratch scratch{g.work};
  bool turned = g.trans_a && g.trans_b;  // the one case without a kernel: b is transposed first
  B* b_turned = turned ? scratch.take<B>(int64_t(g.K) * g.N) : nullptr;
  bool deep_b = g.trans_b && !turned;
  Prepared<E, A> a{g.a, g.trans_a ? g.K : g.M, 1, g.trans_a ? g.M : g.K, g.row_of_a(), scratch};
  Prepared<E, B> b{turned ? b_turned : g.b, deep_b ? g.N : g.K,          1,
                   deep_b ? g.K : g.N,      turned ? g.N : g.row_of_b(), scratch};
  ProductSizes sizes = split<Tiles>({.M = g.M, .N = g.N, .K = g.K});
  Sum* partial = sizes.splits > 1 ? scratch.take<Sum>(int64_t(sizes.splits) * g.M * g.N) : nullptr;

  Finish<C> finish() const {
    auto to = Finish<C>::matrix(g.c, g.M, g.N, g.row_of_c());
    to.bias = g.bias, to.residual = g.accumulate ? g.c : nullptr;
    return to;
  }
  template <bool deep_a, bool deep_b_> int multiply_as() const {
    Matrix<E, deep_a> const x{a.data(), a.pitch(), 0, g.M, a.aligned()};
    Matrix<E, deep_b_> const y{b.data(), b.pitch(), 0, g.N, b.aligned()};
    if (sizes.splits == 1) return multiply<Tiles>(x, y, finish(), sizes);
    int const status = multiply<Tiles>(x, y, Partial<Sum>{partial, g.M, g.N}, sizes);
    if (status != ok) return status;
    return gpu::launch(finish_partial<C>, gpu::blocks_for(int64_t(g.M) * g.N, 256), dim3(256), 0, gpu::current_stream(),
                       partial, finish(), sizes);
  }
  int run() const {
    if (turned)
      if (int const status = launch_fill_turned(Transposed{g.b, g.row_of_b()}, g.K, g.N, b_turned)) return status;
    a.fill(), b.fill();
    if (g.trans_a) return multiply_as<false, false>();
    return deep_b ? multiply_as<true, true>() : multiply_as<true, false>();
  }
};

}  // namespace dense

/// The matrix product: exact for float32 and double (multiply-adds), or on tensor cores as g.precision says, for bf16
/// always. Floor: (M K + K N + M N) sizeof(T) bytes, 2 M N K flops.
template <class A, class B, class C> int gemm(Gemm<A, B, C> const& g) {
  if (g.M <= 0 || g.N <= 0) return ok;
  return dense::with_tiles<A>(g.precision,
                              [&](auto tiles) { return dense::GemmPlan<decltype(tiles), A, B, C>{g}.run(); });
}
/// Depends on the addresses of a and b too: bf16 that begins off a multiple of 16 bytes is copied.
template <class A, class B, class C> size_t gemm_work_bytes(Gemm<A, B, C> const& call) {
  Gemm<A, B, C> g = call;
  g.work = nullptr;
  return dense::with_tiles<A>(g.precision,
                              [&](auto tiles) { return dense::GemmPlan<decltype(tiles), A, B, C>{g}.scratch.used; });
}

}  // namespace D16_GPU
}  // namespace d16::kernels
