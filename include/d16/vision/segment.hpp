// Detection and deblending of sources by SEP, the library form of SExtractor. Link sep.
#pragma once
#include <stddef.h>
extern "C" {
#include <sep.h>
}

#include <memory>
#include <mutex>
#include <vector>

#include "segmentation.hpp"

namespace d16::vision {

struct SegmentOptions {
  double threshold = 1.5;   ///< a source is brighter than so many sigma, after the filter
  int min_area = 5;         ///< in at least so many pixels that touch
  Tensor filter = {};       ///< convolution before detection, (h,w) with odd sides; undefined: {1 2 1, 2 4 2, 1 2 1}
  bool matched = false;     ///< weigh the filter with the noise of each pixel
  int deblend_levels = 32;  ///< between threshold and peak
  /// A branch with less of the flux than this is no source of its own; 1: no deblending. 0.001 also cuts faint
  /// neighbours off bright galaxies.
  double deblend_contrast = 0.005;
  bool clean = true;  ///< drop sources that the wings of brighter ones explain
};

namespace detail {

/// What SEP says of a status, as our error. Its texts name the cause; what to do is ours.
inline void check_sep(int status) {
  if (status == 0) return;
  char message[64] = {}, more[512] = {};
  sep_get_errmsg(status, message), sep_get_errdetail(more);
  std::string reason = text("segment: ", message, more[0] ? ": " : "", more, " (SEP status ", status, ")");
  if (status == 1) throw OutOfMemory(reason + "; give smaller images");
  throw ValueError(reason + "; raise the threshold, min_area or deblend_contrast");
}

struct FreeSepCatalog {
  void operator()(sep_catalog* catalog) const { sep_catalog_free(catalog); }
};
using SepCatalog = std::unique_ptr<sep_catalog, FreeSepCatalog>;

/// Pixels and noise as SEP takes them. NaN would spread with the filter: such pixels are masked.
struct SepInput {
  std::vector<float> pixels, noise, filter;
  std::vector<unsigned char> mask;
  int filter_w = 3, filter_h = 3;
  sep_image image{};
};

inline std::vector<float> floats(Tensor const& x) {
  Tensor in = on_host("segment", x).cast(DType::f32).contiguous();
  return {in.data<float>(), in.data<float>() + in.numel()};
}

inline SepInput sep_input(Tensor const& image, Tensor const& rms, Tensor const& mask, SegmentOptions const& o) {
  SepInput in;
  in.pixels = floats(image), in.mask.resize(in.pixels.size());
  std::vector<float> masked = mask.defined() ? floats(mask) : std::vector<float>(in.pixels.size());
  in.noise = rms.numel() == 1 ? std::vector<float>(in.pixels.size(), float(rms.cast(DType::f64).item())) : floats(rms);
  for (size_t i = 0; i < in.pixels.size(); ++i) {
    in.mask[i] = !std::isfinite(in.pixels[i]) || !std::isfinite(in.noise[i]) || masked[i] != 0;
    require<ValueError>(in.mask[i] || in.noise[i] > 0, "segment: the noise of pixel ", i, " is ", double(in.noise[i]),
                        "; it must be positive, mask the pixel otherwise");
    if (in.mask[i]) in.pixels[i] = 0, in.noise[i] = 1;
  }
  in.filter = {1, 2, 1, 2, 4, 2, 1, 2, 1};
  if (o.filter.defined()) {
    require<ShapeError>(o.filter.rank() == 2 && o.filter.dim(0) % 2 == 1 && o.filter.dim(1) % 2 == 1,
                        "segment: the filter is ", o.filter.shape(), "; (h,w) with odd sides is needed");
    in.filter = floats(o.filter);
    in.filter_h = int(o.filter.dim(0)), in.filter_w = int(o.filter.dim(1));
  }
  in.image.data = in.pixels.data(), in.image.noise = in.noise.data(), in.image.mask = in.mask.data();
  in.image.dtype = in.image.ndtype = SEP_TFLOAT, in.image.mdtype = SEP_TBYTE;
  in.image.w = int(image.dim(1)), in.image.h = int(image.dim(0));
  in.image.noise_type = SEP_NOISE_STDDEV;
  return in;
}

/// SEP keeps its settings and buffers in global variables: one call at a time.
inline SepCatalog sep_sources(SepInput const& in, SegmentOptions const& o) {
  static std::mutex one_at_a_time;
  std::lock_guard lock(one_at_a_time);
  sep_set_extract_pixstack(std::max<size_t>(300'000, in.pixels.size()));  // then it cannot run full
  sep_catalog* catalog = nullptr;
  int status = sep_extract(&in.image, float(o.threshold), SEP_THRESH_REL, o.min_area, in.filter.data(), in.filter_w,
                           in.filter_h, o.matched ? SEP_FILTER_MATCHED : SEP_FILTER_CONV, o.deblend_levels,
                           o.deblend_contrast, o.clean, 1.0, &catalog);
  check_sep(status);
  return SepCatalog(catalog);
}

inline DetectedSource sep_source(sep_catalog const& c, int k) {
  return {.label = k + 1,
          .x = c.x[k],
          .y = c.y[k],
          .peak_x = double(c.xpeak[k]),
          .peak_y = double(c.ypeak[k]),
          .flux = c.flux[k],
          .peak = c.peak[k],
          .a = c.a[k],
          .b = c.b[k],
          .theta = c.theta[k],
          .pixels = c.npix[k],
          .x_begin = c.xmin[k],
          .x_end = c.xmax[k] + 1,
          .y_begin = c.ymin[k],
          .y_end = c.ymax[k] + 1,
          .blended = (c.flag[k] & SEP_OBJ_MERGED) != 0,
          .truncated = (c.flag[k] & SEP_OBJ_TRUNC) != 0};
}

}  // namespace detail

/// Finds sources: pixels above threshold x rms in the filtered image that touch, min_area of them, cut apart where the
/// surface between peaks is low enough.
/// Shapes   image (H,W), background subtracted; rms (H,W) or one element (mesh_background gives the map); mask (H,W),
///          not 0 is left out, as is what is not finite; labels (H,W).       Units  rms in those of the image.
/// Cost     a few hundred nanoseconds a pixel of a source.      Deterministic  yes.      Gradient  none.
/// Errors   ShapeError for other ranks and sizes; ValueError for noise that is not positive, options out of range, and
///          what SEP refuses (too many peaks in one source), with its words.
/// Source   Barbary 2016, JOSS 1, 58 (SEP); Bertin & Arnouts 1996, A&AS 117, 393.
inline Segmentation segment(Tensor const& image, Tensor const& rms, Tensor const& mask = {},
                            SegmentOptions const& o = {}) {
  require<ShapeError>(image.rank() == 2 && image.numel() > 0, "segment: the image is ", image.shape(),
                      "; one band (H,W) with pixels is needed");
  require<ShapeError>(rms.numel() == 1 || rms.shape() == image.shape(), "segment: the noise is ", rms.shape(),
                      ", the image ", image.shape(), "; they must be equal, or the noise one number");
  if (mask.defined())
    require<ShapeError>(mask.shape() == image.shape(), "segment: the mask is ", mask.shape(), ", the image ",
                        image.shape(), "; they must be equal");
  require<ValueError>(image.numel() < (int64_t(1) << 31), "segment: the image is ", image.shape(),
                      "; SEP counts pixels in 31 bits, cut it into tiles");
  require<ValueError>(o.threshold > 0 && o.min_area > 0 && o.deblend_levels > 0 && o.deblend_contrast >= 0,
                      "segment: threshold ", o.threshold, ", min_area ", o.min_area, ", deblend_levels ",
                      o.deblend_levels, ", deblend_contrast ", o.deblend_contrast, "; they must be positive");
  detail::SepInput in = detail::sep_input(image, rms, mask, o);
  detail::SepCatalog catalog = detail::sep_sources(in, o);
  Segmentation out{zeros(image.shape(), host_tensor(DType::i64)), {}};
  for (int k = 0; k < catalog->nobj; ++k) {
    out.sources.push_back(detail::sep_source(*catalog, k));
    for (int p = 0; p < catalog->npix[k]; ++p) out.labels.data<int64_t>()[catalog->pix[k][p]] = k + 1;
  }
  return out;
}
inline Segmentation segment(Tensor const& image, double rms, Tensor const& mask = {}, SegmentOptions const& o = {}) {
  return segment(image, full({1}, rms, host_tensor()), mask, o);
}

}  // namespace d16::vision
