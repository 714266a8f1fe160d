// The inner loops of hog(), written for vectors of doubles and compiled once for each instruction set.
#pragma once
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

#include "../kernels/cpu/isa.hpp"
#include "../kernels/hog.hpp"

namespace d16::vision {

using kernels::BlockNorm;

namespace detail {

/// One picture. Lines of pixels are `stride` doubles with its columns in the middle, planes are `rows + 2` lines; the
/// lines and columns around it mirror it about its outermost pixels, so that differences there are 0.
struct HogPicture {
  int64_t C, stride, plane;              ///< channels; doubles from a line, a plane to the next
  int64_t cell_h, cell_w, down, across;  ///< pixels of a cell; cells
  int64_t bins, block_h, block_w;        ///< orientations; cells of a block
  BlockNorm norm;
  double const* pixels;  ///< pixel (0, 0) of channel 0
  double const* begin;   ///< cotangent of the angle where each bin begins, up to a multiple of four bins
  double* gradients;     ///< work: two vectors for each line of a cell
  double* sums;          ///< work: bins * whole vectors over the columns
  double* cells;         ///< (down, across, bins)
  double* block;         ///< work: a block, in whole vectors
};

constexpr int64_t hog_padding = 8;  // doubles: the widest vector

template <int lanes> struct HogVector {
  typedef double Real __attribute__((vector_size(8 * lanes)));
  typedef int64_t Bits __attribute__((vector_size(8 * lanes)));
};
template <int lanes> using HogReal = typename HogVector<lanes>::Real;

template <class V> D16_INLINE void load(double const* p, V& v) { __builtin_memcpy(&v, p, sizeof v); }
template <class V> D16_INLINE void store(V const& v, double* p) { __builtin_memcpy(p, &v, sizeof v); }

/// root = sqrt(square) by Newton's iteration for 1 / sqrt, which halves the wrong digits four times; 0 stays 0. The
/// library's function may set errno, which the compiler does not vectorise.
template <int lanes> D16_INLINE void square_root(HogReal<lanes> const& square, HogReal<lanes>& root) {
  using Bits = typename HogVector<lanes>::Bits;
  HogReal<lanes> inverse = (HogReal<lanes>)(0x5FE6EB50C7B537A9 - ((Bits)square >> 1));
  for (int step = 0; step < 4; ++step) inverse *= 1.5 - 0.5 * square * inverse * inverse;
  root = square * inverse;
}

// Choices are made by sign bits: GCC 12 takes a comparison that is used twice apart, element by element.

/// All bits where v is negative, else none.
template <int lanes, class Bits> D16_INLINE void where_negative(HogReal<lanes> const& v, Bits& mask) {
  mask = (Bits)v >> 63;
}
/// a where the mask is not set, b where it is.
template <class V, class Bits> D16_INLINE void choose(Bits const& mask, V const& a, V const& b, V& chosen) {
  chosen = (V)(((Bits)a & ~mask) | ((Bits)b & mask));
}

/// x^2 + y^2, the same bits for (x, y) and (y, x) whether multiplication and addition are fused or not.
template <int lanes>
D16_INLINE void square_length(HogReal<lanes> const& x, HogReal<lanes> const& y, HogReal<lanes>& square) {
  using V = HogReal<lanes>;
  using Bits = typename HogVector<lanes>::Bits;
  V const wide = (V)((Bits)x & INT64_MAX), high = (V)((Bits)y & INT64_MAX);
  V longer, shorter;
  Bits upright;
  where_negative<lanes>(wide - high, upright);
  choose(upright, wide, high, longer), choose(upright, high, wide, shorter);
  square = longer * longer + shorter * shorter;
}

/// The gradients at the pixels from `p` on by central differences: their lengths and the cotangents x / y of their
/// angles. Of several channels the first that is steepest counts. Angles closer to 180 degrees than a double can tell
/// round up: scikit-image then puts those from above (y >= 0) into bin 0 and leaves out those from below.
template <int lanes>
D16_INLINE void hog_gradient(HogPicture const& a, double const* p, HogReal<lanes>& cotangent, HogReal<lanes>& length) {
  using V = HogReal<lanes>;
  typename HogVector<lanes>::Bits steeper, below, at_180;
  V gx{}, gy{}, steepest = V{} - 1, not_finite{}, limit;
  for (int64_t c = 0; c < a.C; ++c, p += a.plane) {
    V left, right, up, down, square;
    load(p - 1, left), load(p + 1, right), load(p - a.stride, up), load(p + a.stride, down);
    V const x = right - left, y = down - up;
    square_length<lanes>(x, y, square);
    not_finite += square * 0;
    where_negative<lanes>(steepest - square, steeper);
    choose(steeper, gx, x, gx), choose(steeper, gy, y, gy), choose(steeper, steepest, square, steepest);
  }
  square_root<lanes>(steepest, length);
  gy += 0;  // -0 becomes 0
  cotangent = gx / gy;
  where_negative<lanes>(gy, below);
  choose(below, V{} + 1 / 3.44e-16, V{} + 1 / 2.48e-16, limit);  // 1 / half the spacing of doubles at pi and at 180
  where_negative<lanes>(cotangent + limit, at_180);
  cotangent = (V)((typename HogVector<lanes>::Bits)cotangent ^ (at_180 & INT64_MIN));
  length = (V)((typename HogVector<lanes>::Bits)length & ~(at_180 & below)) + not_finite;
}

/// For each bin the lengths of the gradients at or above its beginning, added up column by column over a row of cells.
template <int lanes> D16_INLINE void hog_column_sums(HogPicture const& a, double const* pixels) {
  using V = HogReal<lanes>;
  constexpr int together = 4;  // bins whose sums stay in registers
  double* sums = a.sums;
  for (int64_t column = 0; column < a.across * a.cell_w; column += lanes, sums += a.bins * lanes) {
    V cotangent, length;
    for (int64_t i = 0; i < a.cell_h; ++i) {
      hog_gradient<lanes>(a, pixels + i * a.stride + column, cotangent, length);
      store(cotangent, a.gradients + 2 * i * lanes), store(length, a.gradients + (2 * i + 1) * lanes);
    }
    for (int64_t bin = 0; bin < a.bins; bin += together) {
      V sum[together] = {};
      for (int64_t i = 0; i < a.cell_h; ++i) {
        load(a.gradients + 2 * i * lanes, cotangent), load(a.gradients + (2 * i + 1) * lanes, length);
#pragma GCC unroll 4
        for (int k = 0; k < together; ++k) sum[k] += cotangent > a.begin[bin + k] ? V{} : length;
      }
#pragma GCC unroll 4
      for (int k = 0; k < together; ++k)
        if (bin + k < a.bins) store(sum[k], sums + (bin + k) * lanes);
    }
  }
}

/// The histograms of a row of cells: mean lengths of the gradients in each bin. Bins are differences of the sums above
/// their boundaries, exactly 0 where empty and never negative, as both sums run in the same order.
template <int lanes> D16_INLINE void hog_cells(HogPicture const& a, double* cell) {
  double const scale = 1 / double(a.cell_h * a.cell_w);
  for (int64_t column = 0; column < a.across; ++column, cell += a.bins) {
    for (int64_t bin = 0; bin < a.bins; ++bin) {
      double sum = 0;
      for (int64_t j = column * a.cell_w; j < (column + 1) * a.cell_w; ++j)
        sum += a.sums[(j / lanes * a.bins + bin) * lanes + j % lanes];
      cell[bin] = sum;
    }
    for (int64_t bin = 0; bin < a.bins; ++bin) cell[bin] = (cell[bin] - (bin + 1 < a.bins ? cell[bin + 1] : 0)) * scale;
  }
}

template <int lanes> D16_INLINE double lane_sum(HogReal<lanes> const& v) {
  double sum = 0;
  for (int lane = 0; lane < lanes; ++lane) sum += v[lane];
  return sum;
}
template <int lanes> D16_INLINE double square_sum(double const* block, int64_t n) {
  HogReal<lanes> sum{}, v;
  for (int64_t k = 0; k < n; k += lanes) load(block + k, v), sum += v * v;
  return lane_sum<lanes>(sum);
}

/// Scales the n values of a block, which are followed by zeros up to a whole vector.
template <int lanes> D16_INLINE void hog_normalise(BlockNorm norm, double* block, int64_t n) {
  constexpr double eps = 1e-5;
  HogReal<lanes> v, sum{}, limit = sum + 0.2;
  typename HogVector<lanes>::Bits beyond;
  double scale;
  if (norm == BlockNorm::l1 || norm == BlockNorm::l1_sqrt) {
    for (int64_t k = 0; k < n; k += lanes) load(block + k, v), sum += v;
    scale = 1 / (lane_sum<lanes>(sum) + eps);
  } else {
    scale = 1 / __builtin_sqrt(square_sum<lanes>(block, n) + eps * eps);
  }
  if (norm == BlockNorm::l2_hys) {
    for (int64_t k = 0; k < n; k += lanes) {
      load(block + k, v);
      v *= scale;
      where_negative<lanes>(limit - v, beyond);
      choose(beyond, v, limit, v);
      store(v, block + k);
    }
    scale = 1 / __builtin_sqrt(square_sum<lanes>(block, n) + eps * eps);
  }
  for (int64_t k = 0; k < n; k += lanes) {
    load(block + k, v);
    v *= scale;
    if (norm == BlockNorm::l1_sqrt) square_root<lanes>(v, v);
    store(v, block + k);
  }
}

template <int lanes> D16_INLINE void store_as_float(double const* from, float* to) {
  typedef float Narrow __attribute__((vector_size(4 * lanes)));
  HogReal<lanes> v;
  load(from, v);
  Narrow const narrow = __builtin_convertvector(v, Narrow);
  __builtin_memcpy(to, &narrow, sizeof narrow);
}

template <int lanes, class T> D16_INLINE void hog_blocks(HogPicture const& a, T* y) {
  int64_t run = a.block_w * a.bins, n = a.block_h * run;
  for (int64_t i = 0; i + a.block_h <= a.down; ++i)
    for (int64_t j = 0; j + a.block_w <= a.across; ++j, y += n) {
      double const* corner = a.cells + (i * a.across + j) * a.bins;
      for (int64_t r = 0; r < a.block_h; ++r)
        std::memcpy(a.block + r * run, corner + r * a.across * a.bins, size_t(run) * sizeof(double));
      for (int64_t k = 0; k < hog_padding; ++k) a.block[n + k] = 0;
      hog_normalise<lanes>(a.norm, a.block, n);
      int64_t k = 0;
      if constexpr (std::is_same_v<T, float>)
        for (; k + lanes <= n; k += lanes) store_as_float<lanes>(a.block + k, y + k);
      for (; k < n; ++k) y[k] = T(a.block[k]);
    }
}

template <int lanes, class T> D16_INLINE void hog_picture(HogPicture const& a, T* y) {
  for (int64_t row = 0; row < a.down; ++row) {
    hog_column_sums<lanes>(a, a.pixels + row * a.cell_h * a.stride);
    hog_cells<lanes>(a, a.cells + row * a.across * a.bins);
  }
  hog_blocks<lanes>(a, y);
}

template <class T> D16_TARGET_AVX512 void hog_avx512(HogPicture const& a, T* y) { hog_picture<8>(a, y); }
template <class T> D16_TARGET_AVX2 void hog_avx2(HogPicture const& a, T* y) { hog_picture<4>(a, y); }
template <class T> void hog_baseline(HogPicture const& a, T* y) { hog_picture<2>(a, y); }

/// The features of one picture into y, by an instruction set that the machine has.
template <class T> void hog_run(HogPicture const& a, T* y, kernels::cpu::Isa isa) {
  using kernels::cpu::Isa;
  if (isa >= Isa::avx512) hog_avx512(a, y);
  else if (isa == Isa::avx2) hog_avx2(a, y);
  else hog_baseline(a, y);
}

}  // namespace detail

}  // namespace d16::vision
