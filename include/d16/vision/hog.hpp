// Histograms of oriented gradients, number for number those of scikit-image.
#pragma once
#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include "../core/dispatch.hpp"
#include "../kernels/hog.hpp"
#include "../kernels/reference/hog.hpp"
#include "../ops/pair.hpp"
#include "hog_simd.hpp"
#include "image.hpp"

namespace d16 {
namespace vision {

/// The norm by scikit-image's name: "L1", "L1-sqrt", "L2", "L2-Hys".      Errors   ValueError for another.
inline BlockNorm block_norm_of(std::string_view name) {
  constexpr std::string_view names[] = {"L1", "L1-sqrt", "L2", "L2-Hys"};
  auto found = std::find(std::begin(names), std::end(names), name);
  require<ValueError>(found != std::end(names), "hog: block_norm is \"", name, "\"; it is L1, L1-sqrt, L2 or L2-Hys");
  return BlockNorm(found - std::begin(names));
}

struct HogOptions {
  int orientations = 9;  ///< bins over 180 degrees: a gradient and its opposite count as one
  Pair pixels_per_cell = 8;
  Pair cells_per_block = 3;
  BlockNorm block_norm = BlockNorm::l2_hys;
  bool transform_sqrt = false;  ///< the square root of the pixels first; they must not be negative
};

/// The sizes of the features of an image of height x width pixels: (blocks down, blocks across, cells of a block down,
/// across, orientations).
/// Errors   ValueError for options below 1 and for images smaller than a block.
inline Shape hog_shape(int64_t height, int64_t width, HogOptions const& o = {}) {
  Pair cell = o.pixels_per_cell, block = o.cells_per_block;
  require<ValueError>(std::min({o.orientations, cell.h, cell.w, block.h, block.w}) >= 1, "hog: ", o.orientations,
                      " orientations, cells of ", cell, " pixels, blocks of ", block, " cells; all must be positive");
  int64_t down = height / cell.h - block.h + 1, across = width / cell.w - block.w + 1;
  require<ValueError>(down > 0 && across > 0, "hog: the image has ", height, "x", width, " pixels; blocks of ", block,
                      " cells of ", cell, " pixels need ", int64_t(block.h) * cell.h, "x", int64_t(block.w) * cell.w);
  return {down, across, block.h, block.w, o.orientations};
}

namespace detail {

/// The channels of a picture as HogPicture describes them, as doubles, under a square root where asked.
struct HogPlanes {
  int64_t stride, plane;
  std::vector<double> values;

  double const* pixels() const { return values.data() + stride + hog_padding; }

  template <class T> HogPlanes(T const* x, Extent e, bool root)
      : stride((e.W + 7) / 8 * 8 + 2 * hog_padding), plane((e.H + 2) * stride), values(size_t(e.C * plane)) {
    for (int64_t c = 0; c < e.C; ++c)
      for (int64_t i = -1; i <= e.H; ++i) {
        int64_t from = i < 0 ? std::min<int64_t>(1, e.H - 1) : i == e.H ? std::max<int64_t>(e.H - 2, 0) : i;
        T const* in = x + from * e.row() + c;
        double* line = values.data() + c * plane + (i + 1) * stride + hog_padding;
        for (int64_t j = 0; j < e.W; ++j) line[j] = double(in[j * e.C]);
        if (root)
          for (int64_t j = 0; j < e.W; ++j) line[j] = std::sqrt(line[j]);
        line[-1] = line[std::min<int64_t>(1, e.W - 1)], line[e.W] = line[std::max<int64_t>(e.W - 2, 0)];
      }
  }
};

/// The arguments of the kernels, but the pictures and their features.
template <class T> kernels::Hog<T> hog_args(Extent e, HogOptions const& o) {
  return {.N = e.N,
          .H = e.H,
          .W = e.W,
          .C = e.C,
          .bins = o.orientations,
          .cell_h = o.pixels_per_cell.h,
          .cell_w = o.pixels_per_cell.w,
          .block_h = o.cells_per_block.h,
          .block_w = o.cells_per_block.w,
          .norm = o.block_norm,
          .root = o.transform_sqrt};
}

/// Picture n of a batch, by vectors of an instruction set.
template <class T>
void hog_fast(kernels::Hog<T> const& a, int64_t n, kernels::cpu::Isa isa = kernels::cpu::best_isa()) {
  HogPlanes planes(a.x + n * a.H * a.W * a.C, {1, a.H, a.W, a.C}, a.root);
  int64_t bins = a.bins, down = a.down(), across = a.across();
  std::vector<double> begin(size_t(bins + 3)), gradients(size_t(2 * a.cell_h * hog_padding)),
      sums(size_t(bins * planes.stride)), cells(size_t(down * across * bins)),
      block(size_t(a.block_values() + hog_padding));
  for (int i = 0; i < a.bins; ++i) begin[size_t(i)] = kernels::hog_begin(i, a.bins);
  hog_run(HogPicture{.C = a.C,
                     .stride = planes.stride,
                     .plane = planes.plane,
                     .cell_h = a.cell_h,
                     .cell_w = a.cell_w,
                     .down = down,
                     .across = across,
                     .bins = bins,
                     .block_h = a.block_h,
                     .block_w = a.block_w,
                     .norm = a.norm,
                     .pixels = planes.pixels(),
                     .begin = begin.data(),
                     .gradients = gradients.data(),
                     .sums = sums.data(),
                     .cells = cells.data(),
                     .block = block.data()},
          a.y + n * a.features(), isa);
}
template <class T> int hog_batch(kernels::Hog<T> const& a) {
  parallel_tasks(a.N, [&](int64_t n) { hog_fast(a, n); });
  return kernels::ok;
}

/// Errors   ValueError for a negative pixel in host memory: there is no square root. What is not a number passes.
inline void refuse_negative(Tensor const& x) {
  for_float(x.dtype(), [&]<class T>(T) {
    for (T v : x.host<T>())
      require<ValueError>(!(v < 0), "hog: a pixel is ", double(v),
                          "; transform_sqrt takes no negative ones, subtract the lowest value first");
  });
}

}  // namespace detail
}  // namespace vision

template <class T>
constinit Slot<kernels::Hog<T>> hog_slot{"hog", {vision::detail::hog_batch<T>}, {kernels::reference::hog<T>}, {}, {}};

namespace vision {

/// Histograms of oriented gradients: central differences; of several channels, pixel by pixel, the one that changes
/// most; in each cell the mean length of the gradients by their angle (0 to 180 degrees, not shared between bins);
/// blocks of cells at every cell, normalised. Computed in double, on the device of x. The bins are scikit-image's at
/// every angle that a double can tell from their bounds, and at ties.
/// Shapes   x (H,W) or (H,W,C): y (F); x (N,H,W,C): y (N,F). F is the product of hog_shape(H, W), in that order.
/// Units    none: y does not depend on the unit of x, as long as gradients are well above 1e-5.
/// Cost     4 operations for each bin and 30 more, a pixel; on a GPU one kernel that reads x and writes y once.
/// Deterministic  yes.      Gradient  none.
/// Errors   ShapeError for other ranks; DTypeError for integers; ValueError for options out of range, an image smaller
///          than a block, on a GPU more than 128 orientations; negative pixels under transform_sqrt: a ValueError on
///          the host, on a GPU, which does not stop to look, NaN as next. Pixels that are not finite make their blocks
///          NaN.
/// Source   skimage.feature.hog; Dalal & Triggs 2005, doi:10.1109/CVPR.2005.177.
inline Tensor hog(Tensor const& x, HogOptions const& o = {}) {
  Extent e = extent_of("hog", x.shape());
  int64_t features = hog_shape(e.H, e.W, o).numel();
  Tensor in = x.detach().contiguous(), y = empty(x.rank() == 4 ? Shape{e.N, features} : Shape{features}, x.like());
  bool plain = x.device() == Device("cpu") || x.device() == Device("reference");
  if (o.transform_sqrt && plain) detail::refuse_negative(in);
  for_float(x.dtype(), [&]<class T>(T) {
    kernels::Hog<T> a = detail::hog_args<T>(e, o);
    a.x = in.data<T>(), a.y = y.data<T>();
    run(hog_slot<T>, x.device(), a);
  });
  return y;
}

/// The same by atan2, pixel by pixel: the specification of hog().
inline Tensor hog_reference(Tensor const& x, HogOptions const& o = {}) {
  return hog(x.detach().to("reference"), o).to(x.device());
}

}  // namespace vision
}  // namespace d16
