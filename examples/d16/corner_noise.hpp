// How alike the noise of neighbouring pixels is, where an image shows the sky and not a galaxy.
#pragma once
#include <algorithm>
#include <cmath>

#include <d16/sim/drizzle_noise.hpp>

#include "cutout.hpp"

namespace tool {

/// The correlation of neighbouring pixels in the corners of a cutout, a quarter of each side: elsewhere the wings of the
/// galaxy add to it. NaN where too little is known there.
inline double corner_correlation(Plane const& plane) {
  d16::Tensor pixels = d16::from(plane.values, {plane.h, plane.w}), mask = d16::zeros({plane.h, plane.w});
  auto end = [](int64_t i, int64_t n) { return std::min(i, n - 1 - i) < n / 4; };
  for (int64_t i = 0; i < plane.h * plane.w; ++i)
    mask.data<float>()[i] = !(end(i / plane.w, plane.h) && end(i % plane.w, plane.w));
  try {
    return d16::sim::autocorrelation(pixels, 0, 1, mask);
  } catch (d16::ValueError const&) {
    return nan;
  }
}

}  // namespace tool
