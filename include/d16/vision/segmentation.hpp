// Which pixel belongs to which source, and what is done with it: the central source kept, its neighbours masked.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "../core/random.hpp"
#include "image.hpp"

namespace d16::vision {

/// One source of a segmentation. Pixels from 0, lengths in pixels, flux in the units of the image.
struct DetectedSource {
  int64_t label;                           ///< its number in the map of labels, from 1
  double x, y;                             ///< centre of light
  double peak_x, peak_y;                   ///< its brightest pixel
  double flux, peak;                       ///< sum and maximum of its pixels
  double a, b, theta;                      ///< rms half axes; angle from x to y in radians
  int64_t pixels;                          ///< how many
  int64_t x_begin, x_end, y_begin, y_end;  ///< the box around them, ends not included
  bool blended = false;                    ///< it was cut off a larger one
  bool truncated = false;                  ///< it reaches the edge of the image
};

struct Segmentation {
  Tensor labels;                        ///< (H,W) int64: 0 is sky, else the label of a source
  std::vector<DetectedSource> sources;  ///< source k has the label k + 1

  int64_t label_at(int64_t y, int64_t x) const {
    bool inside = y >= 0 && x >= 0 && y < labels.dim(0) && x < labels.dim(1);
    return inside ? labels.data<int64_t>()[y * labels.dim(1) + x] : 0;
  }
  /// Pixels of any source: what a background has to leave out.      Shapes   (H,W) bool.
  Tensor source_mask() const {
    Tensor mask = empty(labels.shape(), host_tensor(DType::boolean));
    for (int64_t i = 0; i < labels.numel(); ++i) mask.data<bool>()[i] = labels.data<int64_t>()[i] != 0;
    return mask;
  }
};

/// The label of the source at (x, y): of that pixel, or else of the source whose centre is nearest, within `reach`
/// pixels; 0 when there is none.
inline int64_t source_at(Segmentation const& s, double x, double y, double reach = 5) {
  if (int64_t label = s.label_at(std::llround(y), std::llround(x))) return label;
  int64_t label = 0;
  double nearest = reach;
  for (DetectedSource const& source : s.sources)
    if (double distance = std::hypot(source.x - x, source.y - y); distance <= nearest)
      nearest = distance, label = source.label;
  return label;
}
/// The source at the middle of the image.
inline int64_t central_source(Segmentation const& s, double reach = 5) {
  return source_at(s, double(s.labels.dim(1) - 1) / 2, double(s.labels.dim(0) - 1) / 2, reach);
}

struct NeighbourOptions {
  int grow = 0;                    ///< neighbours are widened by so many pixels, never into the kept source
  std::vector<double> noise = {};  ///< sigma of each band: masked pixels become noise; empty: they become 0
  uint64_t seed = 0;               ///< of that noise
};
struct MaskedImage {
  Tensor image;  ///< as the input, neighbours replaced
  Tensor mask;   ///< (H,W) bool: true where they were
};

/// Replaces all sources but `keep` in a background-subtracted image, by 0 or by noise without correlation.
/// Shapes   image (H,W) or (H,W,C) float32 or float64, on the grid of the labels.     Units  those of the image.
/// Cost     (2 grow + 1)^2 operations a pixel.      Deterministic  by seed, pixel by pixel.      Gradient  none.
/// Errors   ShapeError for another size or number of bands; ValueError for a label that is not there (0 keeps none).
inline MaskedImage mask_neighbours(Tensor const& image, Segmentation const& s, int64_t keep,
                                   NeighbourOptions const& o = {}) {
  Extent e = extent_of("mask_neighbours", image.shape());
  require<ShapeError>(image.rank() <= 3 && e.H == s.labels.dim(0) && e.W == s.labels.dim(1),
                      "mask_neighbours: the image is ", image.shape(), ", the labels ", s.labels.shape(),
                      "; one grid is needed");
  require<ShapeError>(o.noise.empty() || int64_t(o.noise.size()) == e.C, "mask_neighbours: ", o.noise.size(),
                      " noise levels for ", e.C, " bands; one each is needed");
  require<ValueError>(keep >= 0 && keep <= int64_t(s.sources.size()) && o.grow >= 0, "mask_neighbours: label ", keep,
                      " of ", s.sources.size(), ", grow ", o.grow,
                      "; a label of the segmentation and no negative width is needed");
  MaskedImage out{on_host("mask_neighbours", image).clone(), empty({e.H, e.W}, host_tensor(DType::boolean))};
  for (int64_t i = 0; i < e.H; ++i)
    for (int64_t j = 0; j < e.W; ++j) {
      bool masked = false;
      for (int64_t di = -o.grow; di <= o.grow; ++di)
        for (int64_t dj = -o.grow; dj <= o.grow; ++dj)
          if (di * di + dj * dj <= int64_t(o.grow) * o.grow)
            if (int64_t label = s.label_at(i + di, j + dj)) masked = masked || label != keep;
      out.mask.data<bool>()[i * e.W + j] = masked && (keep == 0 || s.label_at(i, j) != keep);
    }
  for_float(image.dtype(), [&]<class T>(T) {
    for (int64_t i = 0; i < e.pixels(); ++i)
      for (int64_t c = 0; c < e.C && out.mask.data<bool>()[i]; ++c) {
        auto words = philox(o.seed, uint64_t(i * e.C + c));
        double noise = o.noise.empty() ? 0 : o.noise[size_t(c)] * normal_pair(words[0], words[1])[0];
        out.image.data<T>()[i * e.C + c] = T(noise);
      }
  });
  return out;
}

/// One image of all bands for detection, in units of its own noise: sum of x / sigma^2 over sqrt of sum of 1 / sigma^2.
/// Shapes   image (H,W,C), background subtracted; sigma of C bands; y (H,W) float32. Pixels that are not finite are
///          left out band by band; where no band is left y is NaN.
/// Errors   ShapeError for other sizes; ValueError unless all sigma are positive.
inline Tensor detection_image(Tensor const& image, std::vector<double> const& sigma) {
  require<ShapeError>(image.rank() == 3 && image.dim(2) == int64_t(sigma.size()), "detection_image: the image is ",
                      image.shape(), " with ", sigma.size(), " noise levels; (H,W,C) with one for each band is needed");
  for (double s : sigma) require<ValueError>(s > 0, "detection_image: a sigma is ", s, "; it must be positive");
  Tensor in = on_host("detection_image", image), out = empty({image.dim(0), image.dim(1)}, host_tensor());
  for_float(image.dtype(), [&]<class T>(T) {
    for (int64_t i = 0; i < out.numel(); ++i) {
      double sum = 0, weights = 0;
      for (size_t c = 0; c < sigma.size(); ++c) {
        double value = in.data<T>()[i * int64_t(sigma.size()) + int64_t(c)], weight = 1 / (sigma[c] * sigma[c]);
        if (std::isfinite(value)) sum += weight * value, weights += weight;
      }
      out.data<float>()[i] = weights > 0 ? float(sum / std::sqrt(weights)) : std::numeric_limits<float>::quiet_NaN();
    }
  });
  return out;
}

}  // namespace d16::vision
