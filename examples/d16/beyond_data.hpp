// Which zeros of an image lie beyond its data.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "cutout.hpp"

namespace tool {

/// How many pixels have data. Beyond their data mosaics are 0.
inline int64_t count_known(Plane const& p) {
  return std::count_if(p.values.begin(), p.values.end(), [](float v) { return std::isfinite(v) && v != 0; });
}

/// Whether most values are there once, as real numbers with noise are, and not numbers of photons or multiples of a step.
inline bool mostly_distinct(Plane const& p) {
  std::vector<float> known;
  for (float v : p.values)
    if (std::isfinite(v) && v != 0) known.push_back(v);
  std::sort(known.begin(), known.end());
  auto distinct = std::unique(known.begin(), known.end()) - known.begin();
  return 2 * distinct > std::ptrdiff_t(known.size());
}

/// Whether neighbours go up and down as noise does, even noise smoothed over two pixels, and not as light does: along
/// rows the second difference, which knows no sky and no slope, changes its sign from one pixel to the next in one of
/// five.
inline bool is_restless(Plane const& p) {
  int64_t changes = 0, pairs = 0;
  for (int64_t y = 0; y < p.h; ++y)
    for (int64_t x = 0; x + 3 < p.w; ++x) {
      float const* v = &p.values[size_t(y * p.w + x)];
      if (!std::all_of(v, v + 4, [](float one) { return std::isfinite(one) && one != 0; })) continue;
      double here = double(v[0]) - 2 * double(v[1]) + double(v[2]),
             next = double(v[1]) - 2 * double(v[2]) + double(v[3]);
      changes += here * next < 0, ++pairs;
    }
  return 5 * changes > pairs;
}

/// Exact zeros become NaN where there is noise, in which no pixel is exactly zero: they lie beyond the data. Noise goes
/// below a sky of zero (one known pixel in a hundred); where the sky was not subtracted, or all is bright, it is told by
/// its unrest. Without noise zeros may be the sky, and stay.
inline void drop_zeros(Plane& p) {
  auto below = std::count_if(p.values.begin(), p.values.end(), [](float v) { return v < 0; });
  bool noise = below > 0 && below * 100 >= count_known(p);
  if (!noise && !(is_restless(p) && mostly_distinct(p))) return;
  for (float& v : p.values) v = v == 0 ? NAN : v;
}

}  // namespace tool
