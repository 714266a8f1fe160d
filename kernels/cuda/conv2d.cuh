// The planar convolution and its gradients on a GPU, as products whose operand, the patches of an image, is gathered
// while it is copied to shared memory: no matrix of patches is ever in memory.
#pragma once
#include <numeric>

#include "../conv2d.hpp"
#include "depthwise_conv2d.cuh"
#include "image_sums.cuh"
#include "sum_rows.cuh"

namespace d16::kernels {
namespace D16_GPU {
namespace dense {

/// How the groups of a convolution are computed: a few narrow ones together, as one convolution whose weights are zero
/// between groups. Multiplying by zeros costs less than leaving most of a tile empty.
struct Grouping {
  int I, O, merged = 1, blocks;  // channels of one group; groups computed together; how many times
  template <class T> explicit Grouping(Conv2d<T> const& a) : I(a.Ci / a.groups), O(a.Co / a.groups) {
    while (merged < a.groups && (a.groups % merged != 0 || merged * std::min(I, O) < 16)) ++merged;
    blocks = a.groups / merged;
  }
  int in() const { return merged * I; }
  int out() const { return merged * O; }
};

/// One axis of the gradient of a strided convolution. The inputs h = phase, phase + stride, ... all meet the same taps
/// last, last - step, ..., and these meet outputs at equal distances: input phase + stride u meets
/// p = u + first + t dilation by its t-th tap. So each phase is a convolution of stride one.
struct Phase {
  int inputs, taps = 0, last = 0, step, first, dilation;
  Phase(int phase, int size, int kernel, int stride, int pad, int spacing) {
    inputs = phase < size ? (size - phase - 1) / stride + 1 : 0;
    int const common = std::gcd(stride, spacing);
    step = stride / common, dilation = spacing / common;
    for (int i = 0; i < kernel; ++i)
      if ((phase + pad - i * spacing) % stride == 0) last = i, ++taps;
    first = taps ? (phase + pad - last * spacing) / stride : 0;
  }
};

/// The forward convolution: (pixels, taps channels) times (taps channels, outputs).
template <class Tiles, class T> struct ForwardPlan {
  using E = typename Tiles::Element;
  Conv2d<T> a;
  Scratch scratch{a.work};
  Grouping g{a};
  int taps = a.kh * a.kw;
  Prepared<E, T> x{a.x, int64_t(a.N) * a.H* a.W, g.blocks, g.in(), a.Ci, scratch};
  E* w = scratch.template take<E>(int64_t(g.blocks) * g.out() * taps * x.channels());

  int run(Fused<T> const& fused) const {
    int64_t const weights = int64_t(g.I) * taps, depth = int64_t(taps) * x.channels();
    int const status = launch_pack(
        PackedWeights<T>{a.w, g.merged, g.O, g.I, x.channels(), a.kh, a.kw, weights, taps, weights * g.O, 0, a.kw, 1},
        g.blocks * g.out(), w);
    if (status != ok) return status;
    x.fill();
    PatchSizes const sizes{a.N,  a.H,        a.W,        x.channels(), a.P(),    a.Q(),        a.kh,
                           a.kw, a.stride_h, a.stride_w, -a.pad_h,     -a.pad_w, a.dilation_h, a.dilation_w};
    Patches<E, true> const patches(sizes, x.data(), int(x.pitch()), x.channels(), x.aligned());
    Matrix<E, true> const columns{w, depth, g.out() * depth, g.out(), depth % (16 / int(sizeof(E))) == 0};
    int const pixels = a.N * a.P() * a.Q();
    auto to = fused.finish(a.y, pixels, g.out(), a.Co, a.bias);
    to.of_block = g.out();
    ProductSizes const s{.M = pixels, .N = g.out(), .K = int(depth), .blocks = g.blocks, .per_split = int(depth)};
    if constexpr (sums_in_registers<T>)
      if (fused.sums)
        return multiply<Tiles>(patches, columns, FinishWithSums<T>{to, fused.sums, fused.rows_of_sums, a.Co}, s);
    return multiply<Tiles>(patches, columns, to, s);
  }
};

/// The gradient of the input, phase by phase: (pixels of a phase, taps outputs) times (taps outputs, inputs).
template <class Tiles, class T> struct DataGradientPlan {
  using E = typename Tiles::Element;
  Conv2d<T> a;
  Scratch scratch{a.work};
  Grouping g{a};
  Prepared<E, T> dy{a.dy, int64_t(a.N) * a.P() * a.Q(), g.blocks, g.out(), a.Co, scratch};
  E* w = scratch.template take<E>(int64_t(g.blocks) * g.in() * a.kh * a.kw * dy.channels());  // of all phases

  int run(StampEnding<T> const& ending) const {
    dy.fill();
    E* packed = w;
    for (int i = 0; i < a.stride_h; ++i)
      for (int j = 0; j < a.stride_w; ++j) {
        Phase const h(i, a.H, a.kh, a.stride_h, a.pad_h, a.dilation_h);
        Phase const v(j, a.W, a.kw, a.stride_w, a.pad_w, a.dilation_w);
        int const status = run(h, v, int64_t(i) * a.W + j, packed, ending);
        if (status != ok) return status;
        packed += int64_t(g.blocks) * g.in() * h.taps * v.taps * dy.channels();
      }
    return ok;
  }

 private:
  int run(Phase const& h, Phase const& v, int64_t first_pixel, E* packed, StampEnding<T> const& ending) const {
    if (h.inputs == 0 || v.inputs == 0) return ok;
    int const all_taps = a.kh * a.kw;
    int64_t const weights = int64_t(g.I) * all_taps, depth = int64_t(h.taps) * v.taps * dy.channels();
    int const status =
        launch_pack(PackedWeights<T>{a.w, g.merged, g.I, g.O, dy.channels(), h.taps, v.taps, all_taps, weights,
                                     weights * g.O, h.last * a.kw + v.last, -h.step * a.kw, -v.step},
                    g.blocks * g.in(), packed);
    if (status != ok) return status;
    PatchSizes const sizes{.N = a.N,
                           .H = a.P(),
                           .W = a.Q(),
                           .channels = dy.channels(),
                           .P = h.inputs,
                           .Q = v.inputs,
                           .kh = h.taps,
                           .kw = std::max(v.taps, 1),
                           .stride_h = 1,
                           .stride_w = 1,
                           .first_h = h.first,
                           .first_w = v.first,
                           .dilation_h = h.dilation,
                           .dilation_w = v.dilation};
    Patches<E, true> const patches(sizes, dy.data(), int(dy.pitch()), dy.channels(), dy.aligned());
    Matrix<E, true> const columns{packed, depth, g.in() * depth, g.in(), dy.channels() % (16 / int(sizeof(E))) == 0};
    Finish<T> to;
    to.data = a.dx + first_pixel * ending.pitch, to.bias = ending.bias, to.relu = ending.relu;
    to.Q = v.inputs, to.P = h.inputs, to.M = a.N * h.inputs * v.inputs, to.N = g.in(), to.of_block = g.in();
    to.step_q = a.stride_w * ending.pitch, to.step_p = int64_t(a.stride_h) * a.W * ending.pitch;
    to.step_n = int64_t(a.H) * a.W * ending.pitch;
    ProductSizes const s{.M = to.M, .N = g.in(), .K = int(depth), .blocks = g.blocks, .per_split = int(depth)};
    return multiply<Tiles>(patches, columns, to, s);
  }
};

/// dw[o,c,tap] = the partial sums of one element (tap, c of the block, o of the block), in order.
/// in: channels of a block.
template <class T> struct SumOfParts {
  Wide<T> const* partial;
  ProductSizes s;
  int I, O, in, taps;
  __device__ Wide<T> operator()(int o, int k) const {
    int const tap = k % taps, c = k / taps, block = o / s.N, column = o % s.N, channel = column / O * I + c;
    int64_t const row = int64_t(tap) * in + channel, elements = int64_t(s.M) * s.N;
    Wide<T> const* const at = partial + block * s.splits * elements + row * s.N + column;
    Wide<T> sum = 0;
    for (int split = 0; split < s.splits; ++split) sum += at[split * elements];
    return sum;
  }
};

/// The gradient of the weights: (taps channels, pixels) times (pixels, outputs), the sum over pixels in parts.
template <class Tiles, class T> struct WeightGradientPlan {
  using E = typename Tiles::Element;
  using Sum = Wide<T>;
  Conv2d<T> a;
  Scratch scratch{a.work};
  Grouping g{a};
  int taps = a.kh * a.kw, pixels = a.N * a.P() * a.Q();
  Prepared<E, T> x{a.x, int64_t(a.N) * a.H* a.W, g.blocks, g.in(), a.Ci, scratch};
  Prepared<E, T> dy{a.dy, pixels, g.blocks, g.out(), a.Co, scratch};
  ProductSizes sizes = split<Tiles>({.M = taps * x.channels(), .N = g.out(), .K = pixels, .blocks = g.blocks});
  Sum* partial = scratch.template take<Sum>(int64_t(g.blocks) * sizes.splits * sizes.M * sizes.N);

  int run() const {
    x.fill(), dy.fill();
    PatchSizes const image{a.N,  a.H,        a.W,        x.channels(), a.P(),    a.Q(),        a.kh,
                           a.kw, a.stride_h, a.stride_w, -a.pad_h,     -a.pad_w, a.dilation_h, a.dilation_w};
    Patches<E, false> const patches(image, x.data(), int(x.pitch()), x.channels(), x.aligned());
    Matrix<E, false> const gradient{dy.data(), dy.pitch(), dy.channels(), g.out(), dy.aligned()};
    int const status = multiply<Tiles>(patches, gradient, Partial<Sum>{partial, sizes.M, sizes.N}, sizes);
    if (status != ok) return status;
    return launch_fill_turned(SumOfParts<T>{partial, sizes, g.I, g.O, x.channels(), taps}, a.Co, g.I * taps, a.dw);
  }
};

/// Indices of pixels, of the summed axis and inside the images that a tile of 128 pixels meets are 32-bit. Winograd's
/// algorithm is the CPU's.
template <class T> bool takes(Conv2d<T> const& a) {
  auto small = [](int64_t n) { return n < (1 << 30); };
  int64_t const channels = std::max(a.Ci, a.Co) + 8, image = (a.H + 2 * a.pad_h) * int64_t(a.W + 2 * a.pad_w);
  int64_t const fewest =
      std::min(int64_t(a.P()) * a.Q(), std::max<int64_t>(a.H / a.stride_h, 1) * std::max<int64_t>(a.W / a.stride_w, 1));
  int64_t const images = std::min<int64_t>(a.N, 128 / fewest + 2);
  return a.algorithm != Conv2dAlgorithm::winograd && small(a.N * image) && small(images * image * channels) &&
         small(int64_t(a.N) * a.P() * a.Q()) && small(int64_t(a.kh) * a.kw * channels);
}
/// Calls run(plan) with what computes the call: Products of tiles for its precision, or Depthwise.
template <template <class, class> class Products, template <class> class Depthwise, class T, class Run>
auto with_plan(Conv2d<T> const& a, Run const& run) {
  if (is_depthwise(a)) return run(Depthwise<T>{a});
  return with_tiles<T>(a.precision, [&](auto tiles) { return run(Products<decltype(tiles), T>{a}); });
}
template <class T, class Run> auto with_forward(Conv2d<T> const& a, Run const& run) {
  return with_plan<ForwardPlan, DepthwiseForward>(a, run);
}
template <class T, class Run> auto with_data_gradient(Conv2d<T> const& a, Run const& run) {
  return with_plan<DataGradientPlan, DepthwiseDataGradient>(a, run);
}
template <class T, class Run> auto with_weight_gradient(Conv2d<T> const& a, Run const& run) {
  return with_plan<WeightGradientPlan, DepthwiseWeightGradient>(a, run);
}
inline constexpr auto bytes_of = [](auto const& plan) { return plan.scratch.used; };
template <class T> Conv2d<T> without_work(Conv2d<T> a) { return a.work = nullptr, a; }

/// The sums of a result, for each image: of chunks while they are in registers, as many rows of a tile as are of one image,
/// then of the chunks. A pass of its own where that leaves few rows, where the result is of no tile, and for float64.
template <class T> class SumsOfResult {
 public:
  SumsOfResult(Conv2d<T> const& a, size_t scratch) : sums_(sums_of_result(a)), scratch_(scratch) {
    int const rows = int(std::gcd(sums_.pixels, int64_t(128)));
    rows_ = sums_in_registers<T> && !is_depthwise(a) && rows >= 16 ? rows : 0;
    chunks_ = rows_ ? sums_.pixels / rows_ : channels::chunks_of(sums_).of_sample();
  }
  size_t bytes() const { return chunks_ > 1 ? size_t(sums_.N * chunks_ * sums_.C) * sizeof(channels::Sums) : 0; }
  Fused<T> in_registers() const {
    Fused<T> fused;
    if (rows_) fused.sums = partial(), fused.rows_of_sums = rows_;
    return fused;
  }
  /// What is left to do behind the convolution.
  int finish() const {
    ImageSums<T> a = sums_;
    a.work = partial();
    if (!rows_) return image_sums(a);
    return chunks_ > 1 ? channels::launch_add_chunks(partial(), a.N, chunks_, a.C, whole()) : int(ok);
  }

 private:
  channels::Sums* whole() const { return reinterpret_cast<channels::Sums*>(sums_.sums); }
  channels::Sums* partial() const {  // behind the scratch memory of the convolution
    return chunks_ > 1 ? reinterpret_cast<channels::Sums*>(static_cast<char*>(sums_.work) + scratch_) : whole();
  }
  ImageSums<T> sums_;
  size_t scratch_;
  int rows_;
  int64_t chunks_;
};

/// dx = conv2d's adjoint of dy.
template <class T> int conv2d_dx(Conv2d<T> const& a, StampEnding<T> const& ending) {
  if (!takes(a)) return unsupported;
  return with_data_gradient(a, [=](auto const& plan) { return plan.run(ending); });
}

}  // namespace dense

/// The convolution: exact for float32 and double, or on tensor cores as a.precision says, for bf16 always; fused with
/// what follows it. Each channel by itself (groups = Ci = Co) by a kernel of its own, exact always. Scratch: the weights once more, and where tensor cores read bf16 from float32, or from
/// channels that are no multiples of 8, the image too.
/// Floor: (N H W Ci + N P Q Co) sizeof(T) bytes, 2 N P Q Co (Ci/groups) kh kw flops.
template <class T> int conv2d_fused(Conv2d<T> const& a, dense::Fused<T> const& fused) {
  if (!dense::takes(a)) return unsupported;
  return dense::with_forward(a, [&](auto const& plan) { return plan.run(fused); });
}
template <class T> size_t conv2d_work_bytes(Conv2d<T> const& a) {
  size_t const scratch = dense::with_forward(dense::without_work(a), dense::bytes_of);
  return a.sums ? scratch + dense::SumsOfResult<T>(a, scratch).bytes() : scratch;
}
template <class T> int conv2d(Conv2d<T> const& a) {
  if (!a.sums) return conv2d_fused(a, dense::Fused<T>{});
  dense::SumsOfResult<T> const sums(a, dense::with_forward(dense::without_work(a), dense::bytes_of));
  int const status = conv2d_fused(a, sums.in_registers());
  return status == ok ? sums.finish() : status;
}

/// The gradient of the input; floor as the convolution's.
template <class T> int conv2d_dx(Conv2d<T> const& a) { return dense::conv2d_dx(a, StampEnding<T>{.pitch = a.Ci}); }
template <class T> size_t conv2d_dx_work_bytes(Conv2d<T> const& a) {
  return dense::with_data_gradient(dense::without_work(a), dense::bytes_of);
}

/// The gradient of the weights; floor as the convolution's, and the partial sums written and read once.
template <class T> int conv2d_dw(Conv2d<T> const& a) {
  if (!dense::takes(a)) return unsupported;
  return dense::with_weight_gradient(a, [](auto const& plan) { return plan.run(); });
}
template <class T> size_t conv2d_dw_work_bytes(Conv2d<T> const& a) {
  return dense::with_weight_gradient(dense::without_work(a), dense::bytes_of);
}

/// The gradient of the bias; floor: one read of dy.
template <class T> int conv2d_db(Conv2d<T> const& a) {
  return dense::sum_rows(a.dy, int64_t(a.N) * a.P() * a.Q(), a.Co, a.db, a.work);
}
template <class T> size_t conv2d_db_work_bytes(Conv2d<T> const& a) {
  return dense::sum_rows_work(int64_t(a.N) * a.P() * a.Q(), a.Co);
}

}  // namespace D16_GPU
}  // namespace d16::kernels
