// Histograms of oriented gradients, number for number those of scikit-image.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>
#include <vector>

#include "../ops/pair.hpp"
#include "hog_simd.hpp"
#include "image.hpp"

namespace d16::vision {

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
        if (root) take_root(line, e.W);
        line[-1] = line[std::min<int64_t>(1, e.W - 1)], line[e.W] = line[std::max<int64_t>(e.W - 2, 0)];
      }
  }

 private:
  static void take_root(double* line, int64_t n) {
    double lowest = *std::min_element(line, line + n);
    require<ValueError>(!(lowest < 0), "hog: a pixel is ", lowest,
                        "; transform_sqrt takes no negative ones, subtract the lowest value first");
    for (int64_t j = 0; j < n; ++j) line[j] = std::sqrt(line[j]);
  }
};

/// The cotangent of the angle where bin i begins. Gradients of float32 pixels meet it exactly at multiples of 45
/// degrees only; there scikit-image compares with the rounded number 180 / n * i, and a beginning that was rounded
/// upwards leaves them to the bin below.
inline double hog_begin(int i, int bins) {
  double degrees = 180.0 / bins * i, angle = 3.141592653589793 * i / bins;
  if (i == 0) return std::numeric_limits<double>::infinity();
  if (4 * i == bins) return degrees > 45 ? std::nextafter(1.0, 0.0) : 1;
  if (2 * i == bins) return degrees > 90 ? -std::numeric_limits<double>::denorm_min() : 0;
  if (4 * i == 3 * bins) return degrees > 135 ? std::nextafter(-1.0, -2.0) : -1;
  return std::cos(angle) / std::sin(angle);
}

template <class T>
void hog_fast(T const* x, Extent e, HogOptions const& o, T* y, kernels::cpu::Isa isa = kernels::cpu::best_isa()) {
  HogPlanes planes(x, e, o.transform_sqrt);
  int64_t bins = o.orientations, down = e.H / o.pixels_per_cell.h, across = e.W / o.pixels_per_cell.w;
  std::vector<double> begin(size_t(bins + 3)), gradients(size_t(2 * o.pixels_per_cell.h * hog_padding)),
      sums(size_t(bins * planes.stride)), cells(size_t(down * across * bins)),
      block(size_t(int64_t(o.cells_per_block.h) * o.cells_per_block.w * bins + hog_padding));
  for (int i = 0; i < o.orientations; ++i) begin[size_t(i)] = hog_begin(i, o.orientations);
  hog_run(HogPicture{.C = e.C,
                     .stride = planes.stride,
                     .plane = planes.plane,
                     .cell_h = o.pixels_per_cell.h,
                     .cell_w = o.pixels_per_cell.w,
                     .down = down,
                     .across = across,
                     .bins = bins,
                     .block_h = o.cells_per_block.h,
                     .block_w = o.cells_per_block.w,
                     .norm = o.block_norm,
                     .pixels = planes.pixels(),
                     .begin = begin.data(),
                     .gradients = gradients.data(),
                     .sums = sums.data(),
                     .cells = cells.data(),
                     .block = block.data()},
          y, isa);
}

/// The gradient of pixel (i, j) voted into its cell's histogram: its angle by atan2, in degrees, compared with the
/// bounds of each bin.
inline void hog_vote(HogPlanes const& planes, int64_t C, int64_t i, int64_t j, int64_t bins, double* cell) {
  double gx = 0, gy = 0, length = -1;
  for (int64_t c = 0; c < C; ++c) {
    double const* p = planes.pixels() + c * planes.plane + i * planes.stride + j;
    double dx = p[1] - p[-1], dy = p[planes.stride] - p[-planes.stride], steep = std::hypot(dx, dy);
    if (steep > length || steep != steep) gx = dx, gy = dy, length = steep;
  }
  double degrees = std::fmod(std::atan2(gy, gx) * (180 / 3.141592653589793), 180.0), width = 180.0 / double(bins);
  if (degrees < 0) degrees += 180;
  for (int64_t bin = 0; bin < bins; ++bin)
    if (!(degrees < width * double(bin) || degrees >= width * double(bin + 1))) cell[bin] += length;
}

template <class T> void hog_obvious(T const* x, Extent e, HogOptions const& o, T* y) {
  HogPlanes planes(x, e, o.transform_sqrt);
  Pair cell = o.pixels_per_cell;
  int64_t bins = o.orientations, down = e.H / cell.h, across = e.W / cell.w;
  std::vector<double> cells(size_t(down * across * bins)), block;
  for (int64_t i = 0; i < down * cell.h; ++i)
    for (int64_t j = 0; j < across * cell.w; ++j)
      hog_vote(planes, e.C, i, j, bins, cells.data() + (i / cell.h * across + j / cell.w) * bins);
  for (double& bin : cells) bin /= double(cell.h * cell.w);

  for (int64_t i = 0; i + o.cells_per_block.h <= down; ++i)
    for (int64_t j = 0; j + o.cells_per_block.w <= across; ++j) {
      block.clear();
      for (int64_t r = i; r < i + o.cells_per_block.h; ++r) {
        auto first = cells.begin() + (r * across + j) * bins;
        block.insert(block.end(), first, first + o.cells_per_block.w * bins);
      }
      double sum = 0, squares = 0, clipped = 0, eps = 1e-5;
      for (double v : block) sum += v, squares += v * v;
      double root = std::sqrt(squares + eps * eps);
      for (double v : block) clipped += std::pow(std::min(v / root, 0.2), 2);
      for (double v : block) switch (o.block_norm) {
          case BlockNorm::l1: *y++ = T(v / (sum + eps)); break;
          case BlockNorm::l1_sqrt: *y++ = T(std::sqrt(v / (sum + eps))); break;
          case BlockNorm::l2: *y++ = T(v / root); break;
          case BlockNorm::l2_hys: *y++ = T(std::min(v / root, 0.2) / std::sqrt(clipped + eps * eps)); break;
        }
    }
}

/// picture(pixels, extent, options, features) for each of a batch.
template <class Picture> Tensor hog_each(Tensor const& x, HogOptions const& o, Picture const& picture) {
  Extent e = extent_of("hog", x.shape());
  int64_t features = hog_shape(e.H, e.W, o).numel();
  Tensor in = on_host("hog", x), out = empty(x.rank() == 4 ? Shape{e.N, features} : Shape{features}, x.like());
  for_float(x.dtype(), [&]<class T>(T) {
    parallel_tasks(e.N,
                   [&](int64_t n) { picture(in.data<T>() + n * e.picture(), e, o, out.data<T>() + n * features); });
  });
  return out;
}

}  // namespace detail

/// Histograms of oriented gradients: central differences; of several channels, pixel by pixel, the one that changes
/// most; in each cell the mean length of the gradients by their angle (0 to 180 degrees, not shared between bins);
/// blocks of cells at every cell, normalised. Computed in double. The bins are scikit-image's at every angle that a
/// double can tell from their bounds, and at ties.
/// Shapes   x (H,W) or (H,W,C): y (F); x (N,H,W,C): y (N,F). F is the product of hog_shape(H, W), in that order.
/// Units    none: y does not depend on the unit of x, as long as gradients are well above 1e-5.
/// Cost     4 operations for each bin and 30 more, a pixel.      Deterministic  yes.      Gradient  none.
/// Errors   ShapeError for other ranks; DTypeError for integers; ValueError for options out of range, an image smaller
///          than a block, negative pixels under transform_sqrt. Pixels that are not finite make their blocks NaN.
/// Source   skimage.feature.hog; Dalal & Triggs 2005, doi:10.1109/CVPR.2005.177.
inline Tensor hog(Tensor const& x, HogOptions const& o = {}) {
  return detail::hog_each(x, o, []<class T>(T const* in, Extent e, HogOptions const& options, T* out) {
    detail::hog_fast(in, e, options, out);
  });
}

/// The same by atan2, pixel by pixel: the specification of hog().
inline Tensor hog_reference(Tensor const& x, HogOptions const& o = {}) {
  return detail::hog_each(x, o, []<class T>(T const* in, Extent e, HogOptions const& options, T* out) {
    detail::hog_obvious(in, e, options, out);
  });
}

}  // namespace d16::vision
