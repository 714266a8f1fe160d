// What a product reads: matrices, and the patches of images that a convolution multiplies. A block copies its tiles to
// shared memory by asynchronous copies of 16 bytes, so neither a matrix of patches nor a register stands in between.
#pragma once
#include "mma.hpp"

namespace d16::kernels {
namespace D16_GPU {
namespace dense {

/// A tile of an operand in shared memory: SIZE of its rows (of A) or columns (of B), and 64 bytes of the summed
/// index k.
/// An operand with k innermost in memory is `deep` and keeps its order: a line is one row, else a line is one k.
/// The gap between lines spreads eight of them over all banks, for ldmatrix as for reads of 16 bytes.
template <class E, int SIZE, bool DEEP> struct Layout {
  static constexpr bool deep = DEEP;
  static constexpr int chunk = 16 / int(sizeof(E)), depth = 4 * chunk;  // elements of a copy, of k
  static constexpr int lines = DEEP ? SIZE : depth, length = DEEP ? depth : SIZE;
  static constexpr int pitch = length + (!DEEP && sizeof(E) == 4 ? 2 : 1) * chunk;
  static constexpr int size = lines * pitch;
};

/// The chunks of a tile that one of THREADS threads copies: one column of chunks, every `step`-th line of it. Shared
/// memory takes eight threads at a time: where a line has four chunks these have lines four apart, which the pitch of
/// five chunks puts into different banks.
template <class L, int THREADS> struct Share {
  static constexpr int across = L::length / L::chunk, step = THREADS / across, count = L::lines / step;
  static_assert(THREADS % across == 0 && L::lines % step == 0, "each thread copies as many chunks");
  int line, column;
  __device__ explicit Share(int thread) : line(line_of(thread / across)), column(thread % across * L::chunk) {}
  __device__ static int line_of(int i) { return across == 4 ? (i & ~7) + (i & 1) * 4 + i % 8 / 2 : i; }
  template <class E> __device__ E* at(E* tile, int i) const { return tile + (line + i * step) * L::pitch + column; }
};

/// Starts the copy of a chunk of which the first `valid` elements exist; the others become zero.
/// `aligned`: to 16 bytes.
template <class E> __device__ __forceinline__ void copy_chunk(E* to, E const* from, int valid, bool aligned) {
  constexpr int chunk = 16 / int(sizeof(E));
  if (sizeof(E) < 4 || aligned) return gpu::cp_async_first(to, from, valid * int(sizeof(E)));
  if constexpr (sizeof(E) >= 4)
#pragma unroll
    for (int i = 0; i < chunk; ++i) gpu::cp_async<int(sizeof(E))>(to + i, i < valid ? from + i : from, i < valid);
}

/// Row r (or column r of B) and depth k of a matrix: data[r pitch + k] when deep, else data[k pitch + r].
/// Block b of a batch begins b of_block elements later.
template <class E, bool DEEP> struct Matrix {
  using Element = E;
  static constexpr bool deep = DEEP, gathered = false;
  E const* data;
  int64_t pitch, of_block;
  int rows;
  bool aligned;

  template <class L, int THREADS> class Loader {
   public:
    __device__ Loader(Matrix const& a, int block, int row, int begin, int end)
        : a_(a), share_(int(threadIdx.x)), data_(a.data + block * a.of_block) {
      line_ = (DEEP ? row : begin) + share_.line, lines_ = DEEP ? a.rows : end;
      column_ = (DEEP ? begin : row) + share_.column, columns_ = DEEP ? end : a.rows;
    }
    /// Starts the copy of the next tile along k.
    __device__ void load(E* tile) {
#pragma unroll
      for (int i = 0; i < share_.count; ++i) {
        int const line = line_ + i * share_.step, left = columns_ - column_;
        int const valid = line >= lines_ || left < 0 ? 0 : left < L::chunk ? left : L::chunk;
        copy_chunk(share_.at(tile, i), valid ? data_ + line * a_.pitch + column_ : data_, valid, a_.aligned);
      }
      (DEEP ? column_ : line_) += L::depth;
    }

   private:
    Matrix const& a_;
    Share<L, THREADS> share_;
    E const* data_;
    int line_, lines_, column_, columns_;
  };
};

/// An element of a patch: tap (i,j), channel c. A patch's first tap: image n, pixel (h,w), which may be outside.
struct Tap {
  int i, j, c;
};
struct Corner {
  int n, h, w;
};

/// The sizes of the matrix whose line (n,p,q) is a patch of image n: its element (i,j,c) is channel c of the pixel
/// (p stride_h + i dilation_h + first_h, q stride_w + j dilation_w + first_w), zero outside the image.
struct PatchSizes {
  int N, H, W, channels, P, Q, kh, kw;
  int stride_h, stride_w, first_h, first_w, dilation_h, dilation_w;
};

/// The matrix of patches as an operand. Deep: its lines are the rows of A, and (i,j,c) is summed over; else the
/// lines are summed over. Block b reads `channels` channels of the image (N,H,W,pitch), from channel b of_block on.
/// aligned: channels and pitch are multiples of a chunk, the image's address one of 16.
template <class E, bool DEEP> struct Patches : PatchSizes {
  using Element = E;
  static constexpr bool deep = DEEP, gathered = true;
  E const* data;
  int pitch, of_block;
  bool aligned;
  Tap next_tap;        // how far the next tile is: 64 bytes of elements,
  Corner next_corner;  // or as many lines

  Patches(PatchSizes const& sizes, E const* data, int pitch, int of_block, bool aligned)
      : PatchSizes(sizes), data(data), pitch(pitch), of_block(of_block), aligned(aligned) {
    constexpr int depth = 64 / int(sizeof(E));
    next_tap = {depth / channels / kw, depth / channels % kw, depth % channels};
    next_corner = {depth / Q / P, depth / Q % P * stride_h, depth % Q * stride_w};
  }

  template <class L, int THREADS> class Loader {
   public:
    __device__ Loader(Patches const& a, int block, int row, int begin, int end)
        : a_(a), share_(int(threadIdx.x)), data_(a.data + block * a.of_block) {
      int const element = (DEEP ? begin : row) + share_.column;
      tap_ = {element / a.channels / a.kw, element / a.channels % a.kw, element % a.channels};
      line_ = (DEEP ? row : begin) + share_.line, lines_ = DEEP ? a.N * a.P * a.Q : end;
      if (DEEP) data_ += int64_t(row / a.Q / a.P) * a.H * a.W * a.pitch;  // a tile's lines are close: 32-bit offsets
#pragma unroll
      for (int i = 0; i < share_.count; ++i) {
        int const line = line_ + i * share_.step, q = line % a.Q, p = line / a.Q % a.P;
        corner_[i] = {line / a.Q / a.P, p * a.stride_h + a.first_h, q * a.stride_w + a.first_w};
        if (DEEP) offset_[i] = (((corner_[i].n - row / a.Q / a.P) * a.H + corner_[i].h) * a.W + corner_[i].w) * a.pitch;
      }
    }
    /// Starts the copy of the next tile along k.
    __device__ void load(E* tile) {
#pragma unroll
      for (int i = 0; i < share_.count; ++i) {
        bool const exists = line_ + i * share_.step < lines_;
        if (sizeof(E) < 4 || a_.aligned) copy<L::chunk>(share_.at(tile, i), i, tap_, exists);
        else copy_elements(share_.at(tile, i), i, exists);
        if (!DEEP) move(corner_[i]);
      }
      if (DEEP) move(tap_);
      else line_ += L::depth;
    }

   private:
    // Odometers: no division on the way.
    __device__ void move(Corner& at) const {
      at.w += a_.next_corner.w, at.h += a_.next_corner.h, at.n += a_.next_corner.n;
      if (at.w >= a_.first_w + a_.Q * a_.stride_w) at.w -= a_.Q * a_.stride_w, at.h += a_.stride_h;
      if (at.h >= a_.first_h + a_.P * a_.stride_h) at.h -= a_.P * a_.stride_h, ++at.n;
    }
    __device__ void move(Tap& tap) const {
      tap.c += a_.next_tap.c, tap.j += a_.next_tap.j, tap.i += a_.next_tap.i;
      if (tap.c >= a_.channels) tap.c -= a_.channels, ++tap.j;
      if (tap.j >= a_.kw) tap.j -= a_.kw, ++tap.i;
    }
    /// `count` channels of one tap, for the i-th line.
    template <int count> __device__ void copy(E* to, int i, Tap const& tap, bool exists) const {
      int const down = tap.i * a_.dilation_h, right = tap.j * a_.dilation_w;
      int const h = corner_[i].h + down, w = corner_[i].w + right;
      bool const inside = exists && tap.i < a_.kh && h >= 0 && h < a_.H && w >= 0 && w < a_.W;
      int64_t at = 0;
      if (inside && DEEP) at = offset_[i] + (down * a_.W + right) * a_.pitch + tap.c;
      if (inside && !DEEP) at = ((int64_t(corner_[i].n) * a_.H + h) * a_.W + w) * a_.pitch + tap.c;
      gpu::cp_async<count* int(sizeof(E))>(to, data_ + at, inside);
    }
    /// A chunk that may go on with the channels of the next taps.
    __device__ void copy_elements(E* to, int i, bool exists) const {
      if constexpr (sizeof(E) >= 4) {
        Tap tap = tap_;
#pragma unroll
        for (int e = 0; e < L::chunk; ++e) {
          copy<1>(to + e, i, tap, exists);
          if (++tap.c == a_.channels) tap.c = 0, ++tap.j;
          if (tap.j == a_.kw) tap.j = 0, ++tap.i;
        }
      }
    }

    Patches const& a_;
    Share<L, THREADS> share_;
    E const* data_;
    Tap tap_;
    int line_, lines_;
    Corner corner_[Share<L, THREADS>::count];
    int offset_[Share<L, THREADS>::count];
  };
};

}  // namespace dense
}  // namespace D16_GPU
}  // namespace d16::kernels
