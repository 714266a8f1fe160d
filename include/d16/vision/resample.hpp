// Affine resampling of one picture: turn, mirror, move and scale in a single bilinear pass.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "image.hpp"

namespace d16::vision {

/// What happens to the content of a picture, about its centre; in this order.
struct Motion {
  double angle = 0;                 ///< radians, counter-clockwise as displayed (row 0 on top)
  bool mirror = false;              ///< left and right exchanged before turning
  double scale = 1;                 ///< above 1 things grow
  double shift_y = 0, shift_x = 0;  ///< pixels of the result, downwards and to the right
};

/// Where output pixel (i, j) is read: row yy i + yx j + y0, column xy i + xx j + x0 of the input.
struct Affine {
  double yy, yx, y0, xy, xx, x0;

  static Affine about_centre(int64_t in_h, int64_t in_w, int64_t out_h, int64_t out_w, Motion m) {
    double c = std::cos(m.angle) / m.scale, s = std::sin(m.angle) / m.scale, side = m.mirror ? -1 : 1;
    double ci = double(out_h - 1) / 2 + m.shift_y, cj = double(out_w - 1) / 2 + m.shift_x;
    Affine a{c, s, 0, -side * s, side * c, 0};
    a.y0 = double(in_h - 1) / 2 - a.yy * ci - a.yx * cj;
    a.x0 = double(in_w - 1) / 2 - a.xy * ci - a.xx * cj;
    return a;
  }
};

namespace detail {

/// One pixel of `channels` values between four; Channels > 0 fixes the number at compile time.
template <int Channels, class In> void blend(In const* a, In const* b, In const* c, In const* d, float ty, float tx,
                                             float unit, int64_t channels, float* out) {
  float wa = (1 - ty) * (1 - tx) * unit, wb = (1 - ty) * tx * unit, wc = ty * (1 - tx) * unit, wd = ty * tx * unit;
  for (int64_t k = 0, n = Channels > 0 ? Channels : channels; k < n; ++k)
    out[k] = wa * float(a[k]) + wb * float(b[k]) + wc * float(c[k]) + wd * float(d[k]);
}

template <int Channels, class In> void sample_channels(In const* in, int64_t H, int64_t W, int64_t C, float unit,
                                                       Affine const& m, float* out, int64_t out_h, int64_t out_w) {
  for (int64_t i = 0; i < out_h; ++i)
    for (int64_t j = 0; j < out_w; ++j, out += C) {
      double y = m.yy * double(i) + m.yx * double(j) + m.y0, x = m.xy * double(i) + m.xx * double(j) + m.x0;
      double fy = std::floor(y), fx = std::floor(x);
      int64_t top = int64_t(fy), left = int64_t(fx), bottom = top + 1, right = left + 1;
      if (top < 0 || left < 0 || bottom >= H || right >= W) {
        top = reflect(top, H), bottom = reflect(bottom, H);
        left = reflect(left, W), right = reflect(right, W);
      }
      blend<Channels>(in + (top * W + left) * C, in + (top * W + right) * C, in + (bottom * W + left) * C,
                      in + (bottom * W + right) * C, float(y - fy), float(x - fx), unit, C, out);
    }
}

}  // namespace detail

/// Reads `out` (out_h, out_w, C) from `in` (H, W, C) through the map, bilinearly, times `unit`; beyond its edges the
/// input is continued by reflection. Pointers only, no threads: for loops over many pictures.
template <class In> void sample(In const* in, int64_t H, int64_t W, int64_t C, float unit, Affine const& map,
                                float* out, int64_t out_h, int64_t out_w) {
  if (C == 3) detail::sample_channels<3>(in, H, W, C, unit, map, out, out_h, out_w);
  else if (C == 1) detail::sample_channels<1>(in, H, W, C, unit, map, out, out_h, out_w);
  else detail::sample_channels<0>(in, H, W, C, unit, map, out, out_h, out_w);
}

}  // namespace d16::vision
