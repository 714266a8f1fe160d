// Histograms of oriented gradients by atan2, pixel by pixel: the specification.
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "../hog.hpp"

namespace d16::kernels::reference {

namespace detail {

/// The gradient of pixel (i, j) voted into its cell's histogram: of several channels the steepest, by central
/// differences, 0 across the border; its angle in degrees compared with the bounds of each bin.
template <class T> void hog_vote(Hog<T> const& a, int64_t n, int64_t i, int64_t j, double* cell) {
  auto const x = View(a.x, a.N, a.H, a.W, a.C);
  double gx = 0, gy = 0, length = -1;
  for (int64_t c = 0; c < a.C; ++c) {
    auto pixel = [&](int64_t row, int64_t column) {
      double const v = double(x(n, row, column, c));
      return a.root ? std::sqrt(v) : v;
    };
    double const dx = j > 0 && j + 1 < a.W ? pixel(i, j + 1) - pixel(i, j - 1) : 0;
    double const dy = i > 0 && i + 1 < a.H ? pixel(i + 1, j) - pixel(i - 1, j) : 0, steep = std::hypot(dx, dy);
    if (steep > length || !std::isfinite(dx) || !std::isfinite(dy)) gx = dx, gy = dy, length = steep;
  }
  double degrees = std::fmod(std::atan2(gy, gx) * (180 / 3.141592653589793), 180.0), width = 180.0 / a.bins;
  if (degrees < 0) degrees += 180;
  if (!std::isfinite(length)) length = NAN;
  for (int bin = 0; bin < a.bins; ++bin)
    if (!(degrees < width * bin || degrees >= width * (bin + 1))) cell[bin] += length;
}

template <class T> void hog_scale(BlockNorm norm, std::vector<double> const& block, T* y) {
  double sum = 0, squares = 0, clipped = 0, eps = 1e-5;
  for (double v : block) sum += v, squares += v * v;
  double const root = std::sqrt(squares + eps * eps);
  for (double v : block) clipped += std::pow(std::min(v / root, 0.2), 2);
  for (double v : block) switch (norm) {
      case BlockNorm::l1: *y++ = T(v / (sum + eps)); break;
      case BlockNorm::l1_sqrt: *y++ = T(std::sqrt(v / (sum + eps))); break;
      case BlockNorm::l2: *y++ = T(v / root); break;
      case BlockNorm::l2_hys: *y++ = T(std::min(v / root, 0.2) / std::sqrt(clipped + eps * eps)); break;
    }
}

}  // namespace detail

template <class T> int hog(Hog<T> const& a) {
  std::vector<double> cells(size_t(a.down() * a.across() * a.bins)), block;
  T* y = a.y;
  for (int64_t n = 0; n < a.N; ++n) {
    std::fill(cells.begin(), cells.end(), 0.0);
    for (int64_t i = 0; i < a.down() * a.cell_h; ++i)
      for (int64_t j = 0; j < a.across() * a.cell_w; ++j)
        detail::hog_vote(a, n, i, j, cells.data() + (i / a.cell_h * a.across() + j / a.cell_w) * a.bins);
    for (double& bin : cells) bin /= double(a.cell_h) * a.cell_w;
    for (int64_t i = 0; i < a.blocks_down(); ++i)
      for (int64_t j = 0; j < a.blocks_across(); ++j, y += a.block_values()) {
        block.clear();
        for (int64_t row = i; row < i + a.block_h; ++row) {
          auto const first = cells.begin() + (row * a.across() + j) * a.bins;
          block.insert(block.end(), first, first + a.block_w * a.bins);
        }
        detail::hog_scale(a.norm, block, y);
      }
  }
  return ok;
}

}  // namespace d16::kernels::reference
