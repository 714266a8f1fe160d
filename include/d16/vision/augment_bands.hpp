// Cutouts of many bands on their way to a network: one scale for all bands, and random changes that keep the class.
#pragma once
#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#include "../core/random.hpp"
#include "augment.hpp"
#include "photometry.hpp"
#include "resample.hpp"
#include "stretch.hpp"

namespace d16::vision {

/// A cutout of C bands. Where `valid` is 0 there was no observation: the band is 0 and says nothing.
struct BandImage {
  Tensor image;  ///< (H,W,C) float32
  Tensor valid;  ///< (C) float32, 1 or 0
};

/// The bands with those that have no finite pixel marked as missing and 0; single pixels that are not finite become 0
/// in an image that is left.
/// Shapes   image (H,W,C), any float type, background subtracted.
/// Errors   ShapeError for other ranks.
inline BandImage band_image(Tensor const& image) {
  require<ShapeError>(image.rank() == 3 && image.numel() > 0, "band_image: the image is ", image.shape(),
                      "; (H,W,C) with pixels is needed");
  int64_t C = image.dim(2);
  BandImage out{on_host("band_image", image).cast(DType::f32).clone(), zeros({C}, host_tensor())};
  for (int64_t i = 0; i < image.numel(); ++i) {
    float& value = out.image.data<float>()[i];
    if (std::isfinite(value)) out.valid.data<float>()[i % C] = 1;
    else value = 0;
  }
  return out;
}

namespace detail {
inline void check_bands(char const* op, BandImage const& x) {
  require<ShapeError>(x.image.defined() && x.valid.defined(), op, ": no image or no mask; band_image() makes both");
  require<ShapeError>(x.image.rank() == 3 && x.valid.shape() == Shape{x.image.dim(2)}, op, ": the image is ",
                      x.image.shape(), ", the mask ", x.valid.shape(), "; (H,W,C) and (C) are needed");
  require<DTypeError>(x.image.dtype() == DType::f32 && x.valid.dtype() == DType::f32, op, ": image and mask are ",
                      name_of(x.image.dtype()), " and ", name_of(x.valid.dtype()), "; both must be float32");
}
}  // namespace detail

struct FluxScaleOptions {
  double radius = 0;  ///< of the circle in the middle that is measured, pixels; 0: a quarter of the smaller side
  double least = 0;   ///< the scale is not below this flux: noise is never blown up to the size of a source
  double asinh = 0;   ///< softening of asinh_stretch after the scale; 0: linear
};
struct ScaledBands {
  BandImage bands;
  double scale;  ///< linear: input = scale x output
};

/// Divides all bands by one number, the flux of the brightest valid band in a circle in the middle: brightness goes,
/// colours and shapes stay. With `asinh`, y = asinh(x / a) / asinh(1 / a) after it, the same for all bands.
/// Shapes   image (H,W,C).        Units  any in, none out.        Deterministic  yes.      Gradient  none.
/// Errors   ShapeError, DTypeError for other inputs; ValueError when no band has a positive flux and `least` is 0.
inline ScaledBands scale_flux(BandImage const& x, FluxScaleOptions const& o = {}) {
  detail::check_bands("scale_flux", x);
  require<ValueError>(o.radius >= 0 && o.least >= 0 && o.asinh >= 0, "scale_flux: radius ", o.radius, ", least ",
                      o.least, ", asinh ", o.asinh, "; none may be negative");
  int64_t H = x.image.dim(0), W = x.image.dim(1);
  double radius = o.radius > 0 ? o.radius : double(std::max<int64_t>(2, std::min(H, W))) / 4, scale = o.least;
  for (int64_t c = 0; c < x.image.dim(2); ++c) {
    if (x.valid.data<float>()[c] == 0) continue;
    ApertureFlux f = aperture_flux(x.image.select(2, c), double(W - 1) / 2, double(H - 1) / 2, radius);
    if (f.flux > scale) scale = f.flux;
  }
  require<ValueError>(
      scale > 0 && std::isfinite(scale),
      "scale_flux: no band has a positive flux in the middle; give `least`, the flux of a source at the "
      "limit of the survey");
  Tensor y = empty(x.image.shape(), host_tensor()), in = on_host("scale_flux", x.image);
  for (int64_t i = 0; i < y.numel(); ++i) y.data<float>()[i] = float(in.data<float>()[i] / scale);
  if (o.asinh > 0) y = asinh_stretch(y, o.asinh);
  return {{y, x.valid.clone()}, scale};
}

struct AugmentBandsOptions {
  bool mirror = true;         ///< half of all are mirrored
  bool quarter_turns = true;  ///< by 0, 90, 180 or 270 degrees, exactly; of images that are not square 0 or 180
  bool any_angle = false;     ///< by any angle instead, bilinearly: neighbouring pixels are mixed
  double shift = 0;           ///< up to so many pixels each way, bilinearly
  int64_t size = 0;           ///< side of the square in the middle that is returned, so that corners are real; 0: all
  std::vector<double> noise = {};  ///< sigma of white noise that is added to each band; empty: none
  double drop = 0;                 ///< probability of each band to go missing
  int keep = 1;                    ///< valid bands that are left at least
  uint64_t seed = 0;
};

namespace detail {

/// The middle height x width pixels mirrored, then turned by quarters, by index and without interpolation.
inline Tensor turned(Tensor const& in, bool mirror, int64_t quarters, int64_t height, int64_t width) {
  int64_t top = (in.dim(0) - height) / 2, left = (in.dim(1) - width) / 2, C = in.dim(2);
  Motion motion{.angle = double(quarters) * std::numbers::pi / 2, .mirror = mirror};
  Affine m = Affine::about_centre(height, width, height, width, motion);
  Tensor out = empty({height, width, C}, host_tensor());
  for (int64_t i = 0; i < height; ++i)
    for (int64_t j = 0; j < width; ++j) {
      int64_t y = top + std::llround(m.yy * double(i) + m.yx * double(j) + m.y0);
      int64_t x = left + std::llround(m.xy * double(i) + m.xx * double(j) + m.x0);
      std::copy_n(in.data<float>() + (y * in.dim(1) + x) * C, C, out.data<float>() + (i * width + j) * C);
    }
  return out;
}

/// Sets bands missing at random, but leaves `keep` of the valid ones.
inline void drop_bands(BandImage& x, double probability, int keep, Random& random) {
  int64_t C = x.valid.numel(), left = 0;
  std::vector<int64_t> order;
  for (int64_t c = 0; c < C; ++c) {
    order.push_back(c), left += x.valid.data<float>()[c] != 0;
    std::swap(order.back(), order[size_t(random.integer(c + 1))]);
  }
  for (int64_t c : order) {
    bool drop = random.uniform() < probability;
    if (!drop || left <= keep || x.valid.data<float>()[c] == 0) continue;
    x.valid.data<float>()[c] = 0, --left;
    for (int64_t i = c; i < x.image.numel(); i += C) x.image.data<float>()[i] = 0;
  }
}

/// What augment_bands() refuses of images of C bands, H x W pixels.
inline void check_augmentation(AugmentBandsOptions const& o, int64_t H, int64_t W, int64_t C) {
  int64_t height = o.size ? o.size : H, width = o.size ? o.size : W;
  require<ShapeError>(height > 0 && height <= H && width <= W, "augment_bands: ", o.size, " pixels of an image of ", H,
                      "x", W, "; they must fit");
  require<ValueError>(o.drop >= 0 && o.drop <= 1 && o.shift >= 0 && o.keep >= 0, "augment_bands: drop ", o.drop,
                      ", shift ", o.shift, ", keep ", o.keep, "; drop is a probability, the others are not negative");
  require<ShapeError>(o.noise.empty() || int64_t(o.noise.size()) == C, "augment_bands: ", o.noise.size(),
                      " noise levels for ", C, " bands; one each is needed");
}

}  // namespace detail

/// Item `index` changed at random: mirrored, turned, moved, made noisier, bands taken away. Each kind of change has
/// random numbers of its own, so that switching one on leaves the others as they were.
/// Shapes   image (H,W,C); the result (size, size, C) or as the input.       Units  those of the image.
/// Cost     about 10 operations a pixel and band.       Deterministic  by (seed, index), whatever the thread.
/// Gradient none.
/// Errors   ShapeError, DTypeError for other inputs and for a size that does not fit; ValueError for options out of
///          range.
inline BandImage augment_bands(BandImage const& x, int64_t index, AugmentBandsOptions const& o = {}) {
  detail::check_bands("augment_bands", x);
  int64_t H = x.image.dim(0), W = x.image.dim(1), C = x.image.dim(2);
  int64_t height = o.size ? o.size : H, width = o.size ? o.size : W;
  detail::check_augmentation(o, H, W, C);
  auto numbers = [&](uint64_t kind) { return Random(o.seed, uint64_t(index) * 4 + kind); };
  Random motion = numbers(0), place = numbers(1), noise = numbers(2), bands = numbers(3);
  bool mirror = motion.uniform() < 0.5 && o.mirror;
  int64_t quarters = motion.integer(4) * o.quarter_turns;
  double angle = motion.uniform(0, 2 * std::numbers::pi);
  if (height != width) quarters = quarters / 2 * 2;
  Tensor in = on_host("augment_bands", x.image);
  BandImage out{{}, x.valid.clone()};
  if (o.any_angle || o.shift > 0) {
    Motion m{.angle = o.any_angle ? angle : double(quarters) * std::numbers::pi / 2, .mirror = mirror};
    m.shift_y = place.uniform(-o.shift, o.shift), m.shift_x = place.uniform(-o.shift, o.shift);
    out.image = empty({height, width, C}, host_tensor());
    sample(in.data<float>(), H, W, C, 1.0f, Affine::about_centre(H, W, height, width, m), out.image.data<float>(),
           height, width);
  } else {
    out.image = detail::turned(in, mirror, quarters, height, width);
  }
  for (int64_t i = 0; i < out.image.numel() && !o.noise.empty(); ++i)
    if (double n = noise.normal(); out.valid.data<float>()[i % C] != 0)
      out.image.data<float>()[i] += float(o.noise[size_t(i % C)] * n);
  if (o.drop > 0) detail::drop_bands(out, o.drop, o.keep, bands);
  return out;
}

/// Cutouts of the same size and bands.
struct BandBatch {
  Tensor image;  ///< (N,H,W,C) float32, on any device
  Tensor valid;  ///< (N,C) float32, 1 or 0, on the same device
};

/// Item n of the batch changed as augment_bands() changes an image with the index first + n, on the device where it is.
/// `offset`, one int64 on that device, is added to the index when the kernel runs: a captured step draws anew each time.
/// Shapes   image (N,H,W,C), valid (N,C); the result (N,size,size,C) or as the input.    Units  those of the images.
/// Cost     10 operations a value, with noise 60; on a GPU one kernel that reads and writes once.
/// Deterministic  by (o.seed, first + n): the same on every device up to the rounding of a few products.
/// Gradient none.
/// Errors   as for one image; on a GPU a ValueError for noise in more than 64 bands.
inline BandBatch augment_band_batch(BandBatch const& x, int64_t first, AugmentBandsOptions const& o = {},
                                    Tensor const& offset = {}) {
  require<ShapeError>(x.image.defined() && x.valid.defined(), "augment_band_batch: no images or no mask");
  bool fit = x.image.rank() == 4 && x.image.numel() > 0;
  require<ShapeError>(fit && x.valid.shape() == Shape{x.image.dim(0), x.image.dim(3)},
                      "augment_band_batch: the images are ", x.image.shape(), ", the mask ", x.valid.shape(),
                      "; (N,H,W,C) with pixels and (N,C) are needed");
  require<DTypeError>(x.image.dtype() == DType::f32 && x.valid.dtype() == DType::f32,
                      "augment_band_batch: images and mask ", "are ", name_of(x.image.dtype()), " and ",
                      name_of(x.valid.dtype()), "; both must be float32");
  int64_t N = x.image.dim(0), H = x.image.dim(1), W = x.image.dim(2), C = x.image.dim(3);
  detail::check_augmentation(o, H, W, C);
  Device device = x.image.device();
  require<DeviceError>(x.valid.device() == device && (!offset.defined() || offset.device() == device),
                       "augment_band_batch: images, mask and offset must be on one device, the images are on ", device);
  Tensor image = x.image.detach().contiguous(), valid = x.valid.detach().contiguous();
  BandBatch y{empty({N, o.size ? o.size : H, o.size ? o.size : W, C}, {DType::f32, device, {}}), empty_like(valid)};
  if (device == Device("cpu")) {
    int64_t from = first + (offset.defined() ? *offset.data<int64_t>() : 0), values = y.image.numel() / N;
    parallel_tasks(N, [&](int64_t n) {
      BandImage item = augment_bands(BandImage{image.select(0, n), valid.select(0, n)}, from + n, o);
      std::copy_n(item.image.data<float>(), values, y.image.data<float>() + n * values);
      std::copy_n(item.valid.data<float>(), C, y.valid.data<float>() + n * C);
    });
    return y;
  }
  kernels::Augment a{.N = N, .H = H, .W = W, .C = C, .P = y.image.dim(1), .Q = y.image.dim(2)};
  a.rule = kernels::AugmentRule::bands, a.seed = o.seed, a.first = uint64_t(first);
  a.offset = reinterpret_cast<uint64_t const*>(offset.data<int64_t>());
  a.mirror = o.mirror, a.any_angle = o.any_angle, a.quarter_turns = o.quarter_turns, a.shift = o.shift;
  a.noise = o.noise.empty() ? nullptr : o.noise.data(), a.drop = o.drop, a.keep = o.keep;
  a.x = image.data<float>(), a.valid = valid.data<float>();
  a.y = y.image.data<float>(), a.valid_out = y.valid.data<float>();
  run(augment_slot, device, a);
  return y;
}

}  // namespace d16::vision
