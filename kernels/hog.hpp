// Contract of histograms of oriented gradients of a batch of pictures; computed in double whatever T.
#pragma once
#include <cmath>
#include <cstdint>
#include <limits>

#include "view.hpp"

namespace d16::kernels {

/// How the histograms of a block are scaled; v is all of them, eps 1e-5.
enum class BlockNorm {
  l1,       ///< v / (sum |v| + eps)
  l1_sqrt,  ///< the square root of that
  l2,       ///< v / sqrt(sum v^2 + eps^2)
  l2_hys,   ///< l2, cut off at 0.2, and l2 again
};

/// hog   reads x (N,H,W,C); writes y (N,features()): for each place of a block of cells, row by row, the histograms of
///       its cells, normalised. A bin is the mean length, over the pixels of a cell, of the gradients whose angle is in
///       it. A pixel that is not finite, or negative under `root`, makes the blocks that it touches NaN.
template <class T> struct Hog {
  int64_t N = 1, H = 1, W = 1, C = 1;
  int bins = 9;                  ///< over 180 degrees: a gradient and its opposite count as one
  int cell_h = 8, cell_w = 8;    ///< pixels of a cell
  int block_h = 3, block_w = 3;  ///< cells of a block
  BlockNorm norm = BlockNorm::l2_hys;
  bool root = false;  ///< the square root of the pixels first
  T const* x{};
  T* y{};
  void* work{};

  int64_t down() const { return H / cell_h; }
  int64_t across() const { return W / cell_w; }
  int64_t blocks_down() const { return down() - block_h + 1; }
  int64_t blocks_across() const { return across() - block_w + 1; }
  int64_t block_values() const { return int64_t(block_h) * block_w * bins; }
  int64_t features() const { return blocks_down() * blocks_across() * block_values(); }
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

}  // namespace d16::kernels
