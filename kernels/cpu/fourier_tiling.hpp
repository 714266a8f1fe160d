// How a convolution is cut into tiles of pixels, and where things lie in a plane of one.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "fourier_stages.hpp"
#include "gemm.hpp"

namespace d16::kernels::cpu::detail {

/// Pieces of scratch memory, in whole cache lines. Without memory it only counts.
class Carver {
 public:
  explicit Carver(void* memory = nullptr) : base_(static_cast<char*>(memory)) {}
  template <class T> T* take(int64_t count) {
    size_t const at = used_;
    used_ += size_t(round_up(count * int64_t(sizeof(T)), 64));
    return base_ ? reinterpret_cast<T*>(base_ + at) : nullptr;
  }
  size_t used() const { return used_; }

 private:
  char* base_;
  size_t used_ = 0;
};

/// The correlation to compute: output (p,q) reads input p stride + i dilation - padding, of an input that has up - 1
/// zeros between its pixels (up > 1 in the gradient of a strided convolution).
struct ConvShape {
  int N, H, W, P, Q, kernel, stride, padding, dilation, up;

  /// The pixel at that place of one axis, or -1.
  static int pixel(int place, int up, int size) {
    return place >= 0 && place % up == 0 && place / up < size ? place / up : -1;
  }
};

/// How outputs are cut into tiles, and where things lie in a plane. A tap is a constant distance from the output, so a
/// vector of outputs may run over the end of a row; rows of whole vectors keep to themselves. A strided convolution
/// reads a plane for each phase of the stride.
struct Tiling {
  int rows, columns, tiles_y, tiles_x;  ///< of outputs in a tile, and of tiles in an image
  int phases, phase[most_radius * 2 + 1], phase_of_tap[most_radius * 2 + 1], shift_of_tap[most_radius * 2 + 1];
  int low, reach;  ///< lowest shift of a tap, and highest minus lowest
  int pitch, plane_rows, vectors;
  int vectors_of_row;  ///< 0: vectors run on from row to row
  int64_t positions, plane;
  int64_t offset[(most_radius * 2 + 1) * (most_radius * 2 + 1)];

  Tiling(ConvShape const& s, int lanes, int64_t most_positions) {
    phases = 0, low = 0;
    int high = 0;
    for (int i = 0; i < s.kernel; ++i) {
      int const at = i * s.dilation - s.padding, p = ((at % s.stride) + s.stride) % s.stride;
      shift_of_tap[i] = (at - p) / s.stride;
      low = i ? std::min(low, shift_of_tap[i]) : shift_of_tap[i];
      high = i ? std::max(high, shift_of_tap[i]) : shift_of_tap[i];
      int known = 0;
      while (known < phases && phase[known] != p) ++known;
      if (known == phases) phase[phases++] = p;
      phase_of_tap[i] = known;
    }
    reach = high - low;
    choose(s, lanes, most_positions);
    layout(s, lanes);
  }

  int64_t tiles() const { return int64_t(tiles_y) * tiles_x; }
  int64_t start(int vector, int lanes) const {
    if (!vectors_of_row) return int64_t(vector) * lanes;
    return int64_t(vector / vectors_of_row) * pitch + vector % vectors_of_row * lanes;
  }
  /// The vectors that hold the first `height` rows.
  int vectors_of(int height, int lanes) const { return vectors_for(height, columns, lanes, pitch); }

 private:
  int shared_columns(ConvShape const& s, int width) const {  // zeros at both ends of a row that can be the same ones
    if (width < s.Q) return 0;
    int left = 0, right = 0, last = width - 1 + reach, end = (s.W - 1) * s.up;
    int const most = *std::max_element(phase, phase + phases), least = *std::min_element(phase, phase + phases);
    while (left < reach && (left + low) * s.stride + most < 0) ++left;
    while (right < reach && (last - right + low) * s.stride + least > end) ++right;
    return std::min(left, right);
  }
  int pitch_of(ConvShape const& s, int lanes, int width) const {
    int const least = width + reach - shared_columns(s, width);
    return width % lanes == 0 ? int(round_up(least, lanes)) : least;
  }
  int vectors_for(int height, int width, int lanes, int row) const {
    return width % lanes == 0 ? height * width / lanes : int(round_up((height - 1) * row + width, lanes)) / lanes;
  }

  /// Rows and columns with the least waste: whole pairs of vectors of outputs, plus a share for the pixels around them.
  void choose(ConvShape const& s, int lanes, int64_t most) {
    double best = 0;
    for (int parts = 1; parts == 1 || (s.Q + parts - 1) / parts >= lanes; ++parts) {
      int const width = (s.Q + parts - 1) / parts, row = pitch_of(s, lanes, width);
      if (parts > 1 && row < most / 4 && best > 0) break;
      if (width > most && width > lanes) continue;
      for (int height = 1; height <= s.P; ++height) {
        if (height > 1 && vectors_for(height, width, lanes, row) * lanes > most) break;
        auto cost = [&](int h) {
          int const count = vectors_for(h, width, lanes, row);
          return (count + 0.5 * (count % 2)) * lanes + 0.08 * (h + reach) * row * phases * phases + 4;
        };
        int const whole = s.P / height, rest = s.P % height;
        double const total = parts * (whole * cost(height) + (rest ? cost(rest) : 0));
        if (best > 0 && total >= best * 0.999) continue;
        best = total;
        rows = height, columns = width;
      }
    }
    tiles_y = (s.P + rows - 1) / rows;
    tiles_x = (s.Q + columns - 1) / columns;
  }

  void layout(ConvShape const& s, int lanes) {
    pitch = pitch_of(s, lanes, columns);
    plane_rows = rows + reach;
    vectors_of_row = columns % lanes == 0 ? columns / lanes : 0;
    vectors = vectors_for(rows, columns, lanes, pitch);
    int64_t farthest = 0;
    for (int i = 0; i < s.kernel; ++i)
      for (int j = 0; j < s.kernel; ++j) {
        int64_t const sub = int64_t(phase_of_tap[i] * phases + phase_of_tap[j]) * plane_rows + shift_of_tap[i] - low;
        offset[i * s.kernel + j] = sub * pitch + shift_of_tap[j] - low;
        farthest = std::max(farthest, offset[i * s.kernel + j]);
      }
    positions = int64_t(phases) * phases * plane_rows * pitch;
    plane = round_up(std::max(positions, start(vectors - 1, lanes) + lanes + farthest), lanes) + lanes;
    if (plane / lanes % 2 == 0) plane += lanes;  // planes begin in different cache sets
  }
};

}  // namespace d16::kernels::cpu::detail
