// The planar convolution and its gradients as matrix products whose operand, the patches of an image, is gathered while
// it is packed: no matrix of patches is ever in memory. Some 3 x 3 kernels by Winograd's algorithm instead.
#pragma once
#include <algorithm>
#include <cstring>
#include <numeric>

#include "../conv2d.hpp"
#include "gemm.hpp"
#include "image_sums.hpp"
#include "sum_rows.hpp"
#include "winograd.hpp"

namespace d16::kernels::cpu {

namespace detail {

/// The matrix whose row (n,p,q) is a patch of image n: element (i,j,c) is channel c of the pixel
/// (p stride_h + i dilation_h + first_h, q stride_w + j dilation_w + first_w), zero outside the image.
template <class T> struct Patches {
  T const* image;  // (N,H,W,pitch), from the first channel of the group on
  int H, W, pitch, channels;
  int P, Q, kh, kw;
  int stride_h, stride_w, first_h, first_w, dilation_h, dilation_w;

  bool by_rows() const { return true; }
  void pack_panel(Tiles<T> const& tiles, int64_t m, int count, int64_t k, int depth, T* panel) const {
    pack(tiles, m, count, k, depth, panel, panel_pitch<T>);
  }
  void pack_sliver(Tiles<T> const& tiles, int64_t m, int depth, int k, int columns, int width, T* out) const {
    pack(tiles, m, depth, k, columns, out, width);
    clear_padding(depth, columns, width, out);
  }

 private:
  /// Elements [k, k + depth) of patches [m, m + count), in runs that are contiguous in the image: the taps of a row
  /// when they are neighbours, else the channels of a tap.
  void pack(Tiles<T> const& tiles, int64_t m, int count, int64_t k, int depth, T* out, int out_pitch) const {
    if (depth == 0) return;  // no tap reaches these pixels
    bool const joined = dilation_w == 1 && channels == pitch;
    int const run = joined ? kw * channels : channels, runs_of_row = joined ? 1 : kw;
    int const q = int(m % Q), p = int(m / Q % P);
    int64_t const n = m / Q / P;
    int index = int(k / run), inside = int(k % run);
    for (int done = 0; done < depth; ++index, inside = 0) {
      int const length = std::min(run - inside, depth - done);
      int const dh = index / runs_of_row * dilation_h + first_h, dw = index % runs_of_row * dilation_w + first_w;
      pack_run(tiles, n, p, q, count, dh, int64_t(dw) * pitch + inside, length, out + done, out_pitch);
      done += length;
    }
  }

  /// The same run of `count` patches, image line by image line.
  void pack_run(Tiles<T> const& tiles, int64_t n, int p, int q, int count, int dh, int64_t offset, int length, T* out,
                int out_pitch) const {
    while (count > 0) {
      int const patches = std::min(count, Q - q), h = p * stride_h + dh;
      T const* line = h >= 0 && h < H ? image + (n * H + h) * W * pitch : nullptr;
      pack_line(tiles, line, int64_t(q) * stride_w * pitch + offset, patches, length, out, out_pitch);
      count -= patches;
      out += patches * out_pitch;
      q = 0;
      if (++p < P) continue;
      p = 0;
      ++n;
    }
  }

  /// Runs that begin at `begin`, begin + stride, ... of a line of the image, zero where they leave it (null: all do).
  void pack_line(Tiles<T> const& tiles, T const* line, int64_t begin, int patches, int length, T* out,
                 int out_pitch) const {
    int64_t const step = int64_t(stride_w) * pitch, size = line ? int64_t(W) * pitch : 0;
    int left = 0, right = patches;  // the runs that are wholly inside
    while (left < right && begin + left * step < 0) ++left;
    while (left < right && begin + (right - 1) * step + length > size) --right;
    auto clipped = [&](int r) {
      int64_t const at = begin + r * step, lost = std::clamp<int64_t>(-at, 0, length);
      int64_t const end = std::clamp<int64_t>(size - at, lost, length);
      T* const to = out + r * out_pitch;
      std::memset(to, 0, sizeof(T) * size_t(length));
      if (lost < end) std::memcpy(to + lost, line + at + lost, sizeof(T) * size_t(end - lost));
    };
    for (int r = 0; r < left; ++r) clipped(r);
    for (int r = right; r < patches; ++r) clipped(r);
    if (left < right)
      tiles.copy(right - left, length, line + begin + left * step, step, out + left * out_pitch, out_pitch);
  }
};

/// How the groups of a convolution are computed: a few narrow ones together, as one convolution whose weights are zero
/// between groups. Multiplying by zeros costs less than leaving most of a tile empty. It lets an infinity or NaN spread
/// to the groups computed with its own, which is why the contract does not promise otherwise.
struct Grouping {
  int I, O, merged = 1, blocks;  // channels of one group; groups computed together; how many times
  template <class T> explicit Grouping(Conv2d<T> const& a) : I(a.Ci / a.groups), O(a.Co / a.groups) {
    while (merged < a.groups && (a.groups % merged != 0 || merged * std::min(I, O) < 16)) ++merged;
    blocks = a.groups / merged;
  }
};

/// Weights as the matrix B: element ((i,j,c), n) lies at i step_h + j step_w + c step_c + n step_n, c and n counted in
/// their group, whose weights begin group step_group later. It is zero where c and n belong to different groups.
template <class T> struct Weights {
  T const* data;
  int kw, merged, channels, columns;  // of each of the merged groups
  int64_t step_h, step_w, step_c, step_n, step_group;

  void pack_sliver(Tiles<T> const&, int64_t k, int depth, int n, int count, int width, T* out) const {
    int64_t place[panel_depth];
    int group[panel_depth];
    int const pixel = merged * channels;
    for (int i = 0, tap = int(k / pixel), c = int(k % pixel); i < depth; ++i) {
      group[i] = c / channels;
      place[i] = tap / kw * step_h + tap % kw * step_w + c % channels * step_c;
      if (++c == pixel) c = 0, ++tap;
    }
    clear_padding(depth, count, width, out);
    constexpr int square = 16;  // keeps the cache lines that are written in the cache until they are full
    for (int i = 0; i < depth; i += square)
      for (int column = 0; column < count; ++column) {
        int const end = std::min(depth, i + square), of = (n + column) / columns;
        T const* from = data + of * step_group + (n + column) % columns * step_n;
        T* to = out + column;
        if (merged == 1)
          for (int j = i; j < end; ++j) to[j * width] = from[place[j]];
        else
          for (int j = i; j < end; ++j) to[j * width] = group[j] == of ? from[place[j]] : T(0);
      }
  }
};

/// One axis of the gradient of a strided convolution. The inputs h = phase, phase + stride, ... all meet the same taps
/// i = last, last - step, ..., and these meet outputs at equal distances: input h = phase + stride u meets
/// p = u + first + t dilation by its t-th tap. So each phase is a convolution of stride one.
struct Phase {
  int inputs = 0, taps = 0, last = 0, step = 1, first = 0, dilation = 1;
  Phase(int phase, int size, int kernel, int stride, int pad, int spacing) {
    inputs = phase < size ? (size - phase - 1) / stride + 1 : 0;
    int const common = std::gcd(stride, spacing);
    step = stride / common;
    dilation = spacing / common;
    for (int i = 0; i < kernel; ++i)
      if ((phase + pad - i * spacing) % stride == 0) last = i, ++taps;
    first = taps ? (phase + pad - last * spacing) / stride : 0;
  }
};

/// The patches that conv2d sees, of some channels.
template <class T> Patches<T> patches(Conv2d<T> const& a, int first, int channels) {
  return {.image = a.x + first,
          .H = a.H,
          .W = a.W,
          .pitch = a.Ci,
          .channels = channels,
          .P = a.P(),
          .Q = a.Q(),
          .kh = a.kh,
          .kw = a.kw,
          .stride_h = a.stride_h,
          .stride_w = a.stride_w,
          .first_h = -a.pad_h,
          .first_w = -a.pad_w,
          .dilation_h = a.dilation_h,
          .dilation_w = a.dilation_w};
}

template <class T> int64_t pixels(Conv2d<T> const& a) { return int64_t(a.N) * a.P() * a.Q(); }

/// y = conv2d(x).
template <class T> int direct_conv2d(Isa isa, Conv2d<T> const& a) {
  Grouping const g(a);
  int const taps = a.kh * a.kw, in = g.merged * g.I, out = g.merged * g.O;
  int64_t const weights = int64_t(g.O) * g.I * taps;  // of a group
  for (int block = 0; block < g.blocks; ++block) {
    Weights<T> const w{.data = a.w + block * g.merged * weights,
                       .kw = a.kw,
                       .merged = g.merged,
                       .channels = g.I,
                       .columns = g.O,
                       .step_h = a.kw,
                       .step_w = 1,
                       .step_c = taps,
                       .step_n = int64_t(g.I) * taps,
                       .step_group = weights};
    auto const y = Rows<T>::matrix(a.y + block * out, a.Co);
    multiply_rows(tiles<T>(isa), pixels(a), out, taps * in, patches(a, block * in, in), w, y,
                  a.bias ? a.bias + block * out : nullptr, false, a.work);
  }
  return ok;
}

/// dx = conv2d's adjoint of dy.
template <class T> int direct_conv2d_dx(Isa isa, Conv2d<T> const& a, StampEnding<T> const& ending) {
  Grouping const g(a);
  int const taps = a.kh * a.kw, in = g.merged * g.I, out = g.merged * g.O;
  int64_t const weights = int64_t(g.O) * g.I * taps;
  for (int i = 0; i < a.stride_h; ++i)
    for (int j = 0; j < a.stride_w; ++j)
      for (int block = 0; block < g.blocks; ++block) {
        Phase const h(i, a.H, a.kh, a.stride_h, a.pad_h, a.dilation_h);
        Phase const v(j, a.W, a.kw, a.stride_w, a.pad_w, a.dilation_w);
        if (h.inputs == 0 || v.inputs == 0) continue;
        Patches<T> const dy{.image = a.dy + block * out,
                            .H = a.P(),
                            .W = a.Q(),
                            .pitch = a.Co,
                            .channels = out,
                            .P = h.inputs,
                            .Q = v.inputs,
                            .kh = h.taps,
                            .kw = v.taps,
                            .stride_h = 1,
                            .stride_w = 1,
                            .first_h = h.first,
                            .first_w = v.first,
                            .dilation_h = h.dilation,
                            .dilation_w = v.dilation};
        Weights<T> const w{.data = a.w + block * g.merged * weights + h.last * a.kw + v.last,
                           .kw = v.taps,
                           .merged = g.merged,
                           .channels = g.O,
                           .columns = g.I,
                           .step_h = -int64_t(h.step) * a.kw,
                           .step_w = -v.step,
                           .step_c = int64_t(g.I) * taps,
                           .step_n = taps,
                           .step_group = weights};
        Rows<T> const dx{.data = a.dx + (int64_t(i) * a.W + j) * ending.pitch + block * in,
                         .Q = v.inputs,
                         .P = h.inputs,
                         .step_q = a.stride_w * ending.pitch,
                         .step_p = int64_t(a.stride_h) * a.W * ending.pitch,
                         .step_n = int64_t(a.H) * a.W * ending.pitch,
                         .relu = ending.relu};
        multiply_rows(tiles<T>(isa), int64_t(a.N) * h.inputs * v.inputs, in, h.taps * v.taps * out, dy, w, dx,
                      ending.bias ? ending.bias + block * in : nullptr, false, a.work);
      }
  return ok;
}

/// dw: a product of dy^T with the patches, whose sum runs over all pixels.
template <class T> int direct_conv2d_dw(Isa isa, Conv2d<T> const& a) {
  Grouping const g(a);
  int const taps = a.kh * a.kw, in = g.merged * g.I, out = g.merged * g.O;
  for (int block = 0; block < g.blocks; ++block) {
    auto finish = [=, &a](int64_t o, T const* row) {  // row is (taps, in); of `in`, the channels of o's own group count
      T* const dw = a.dw + (block * out + o) * g.I * taps;
      T const* const own = row + o / g.O * g.I;
      for (int c = 0; c < g.I; ++c)
        for (int tap = 0; tap < taps; ++tap) dw[c * taps + tap] = own[tap * in + c];
    };
    multiply_deep(tiles<T>(isa), out, taps * in, pixels(a), Matrix<T>{a.dy + block * out, a.Co, true},
                  patches(a, block * in, in), finish, a.work);
  }
  return ok;
}

/// y = conv2d(x) on a given instruction set.
template <class T> int conv2d_on(Isa isa, Conv2d<T> const& a) {
  WinogradShape const s = winograd_forward(a);
  if (!by_winograd(a, s, winograd_overhead)) return direct_conv2d(isa, a);
  if (!winograd_takes(a)) return unsupported;
  if constexpr (std::is_same_v<T, float>)
    WinogradForward(winograd_stages<float>(isa), s).run(a.x, a.w, 9, int64_t(a.Ci) * 9, false, a.bias, a.y, a.work);
  return ok;
}

/// dx = conv2d's adjoint of dy on a given instruction set.
template <class T> int conv2d_dx_on(Isa isa, Conv2d<T> const& a, StampEnding<T> const& ending) {
  WinogradShape const s = winograd_backward(a);
  if (!by_winograd(a, s, winograd_overhead)) return direct_conv2d_dx(isa, a, ending);
  if (!winograd_takes(a)) return unsupported;
  if constexpr (std::is_same_v<T, float>)
    WinogradForward(winograd_stages<float>(isa), s)
        .run(a.dy, a.w, int64_t(a.Ci) * 9, 9, true, ending.bias, a.dx, a.work);
  return ok;
}

/// dw on a given instruction set.
template <class T> int conv2d_dw_on(Isa isa, Conv2d<T> const& a) {
  WinogradShape const s = winograd_forward(a);
  if (!by_winograd(a, s, winograd_dw_overhead)) return direct_conv2d_dw(isa, a);
  if (!winograd_takes(a)) return unsupported;
  if constexpr (std::is_same_v<T, float>) WinogradGradient(winograd_stages<float>(isa), s).run(a.x, a.dy, a.dw, a.work);
  return ok;
}

}  // namespace detail

template <class T> int conv2d(Conv2d<T> const& a) {
  int const status = detail::conv2d_on(best_isa(), a);
  return a.sums && status == ok ? image_sums(sums_of_result(a)) : status;
}
template <class T> size_t conv2d_work_bytes(Conv2d<T> const& a) {
  size_t const sums = a.sums ? image_sums_work_bytes(sums_of_result(a)) : 0;
  detail::WinogradShape const s = detail::winograd_forward(a);
  if (by_winograd(a, s, detail::winograd_overhead))
    return std::max(sums, detail::WinogradForward(winograd_stages<float>(best_isa()), s).work_bytes());
  detail::Grouping const g(a);
  int64_t const depth = int64_t(a.kh) * a.kw * g.merged * g.I;
  return std::max(sums, size_t(detail::multiply_rows_work(g.merged * g.O, depth, sizeof(T))));
}

template <class T> int conv2d_dx(Conv2d<T> const& a) { return detail::conv2d_dx_on(best_isa(), a, {.pitch = a.Ci}); }
template <class T> size_t conv2d_dx_work_bytes(Conv2d<T> const& a) {
  detail::WinogradShape const s = detail::winograd_backward(a);
  if (by_winograd(a, s, detail::winograd_overhead))
    return detail::WinogradForward(winograd_stages<float>(best_isa()), s).work_bytes();
  detail::Grouping const g(a);
  return size_t(detail::multiply_rows_work(g.merged * g.I, int64_t(a.kh) * a.kw * g.merged * g.O, sizeof(T)));
}

template <class T> int conv2d_dw(Conv2d<T> const& a) { return detail::conv2d_dw_on(best_isa(), a); }
template <class T> size_t conv2d_dw_work_bytes(Conv2d<T> const& a) {
  detail::WinogradShape const s = detail::winograd_forward(a);
  if (by_winograd(a, s, detail::winograd_dw_overhead))
    return detail::WinogradGradient(winograd_stages<float>(best_isa()), s).work_bytes();
  detail::Grouping const g(a);
  int const N = a.kh * a.kw * g.merged * g.I;
  return size_t(detail::DeepSplit(N, detail::pixels(a)).work(g.merged * g.O, N, sizeof(T)));
}

template <class T> int conv2d_db(Conv2d<T> const& a) {
  detail::sum_rows(a.dy, detail::pixels(a), a.Co, a.db, a.work);
  return ok;
}
template <class T> size_t conv2d_db_work_bytes(Conv2d<T> const& a) {
  return detail::sum_rows_work(detail::pixels(a), a.Co);
}

}  // namespace d16::kernels::cpu
