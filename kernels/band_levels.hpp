// Contract of the levels of an image that a stretch is fitted to: sky, noise, extremes, a quantile, for each band.
#pragma once
#include <cstdint>

#include "view.hpp"

namespace d16::kernels {

/// Of the finite pixels of one band; without any, count is 0 and the others are NaN.
struct Levels {
  double count, lowest, highest;
  double bright;       ///< the quantile, between order statistics linearly
  double median, std;  ///< of what sigma clipping leaves: rounds that drop values outside of median +- clip * std
};

/// band_levels   reads x (N,pixels,C); writes levels (N,C).
template <class T> struct BandLevels {
  int64_t N = 1, pixels = 0;
  int C = 1;
  double quantile = 0.998, clip = 3;
  int rounds = 10;  ///< of sigma clipping at most
  T const* x{};
  Levels* levels{};
};

}  // namespace d16::kernels
