// Random changes of a batch of images on the device where it is: what data::Loader does, for steps that stay on a GPU.
#pragma once
#include <numbers>

#include "../core/dispatch.hpp"
#include "../core/random.hpp"
#include "../kernels/augment.hpp"
#include "../kernels/reference/augment.hpp"
#include "resample.hpp"

namespace d16 {
namespace vision {

struct AugmentOptions {
  bool turn = true;               ///< by any angle
  bool mirror = true;             ///< half of all are mirrored
  double shift = 2;               ///< up to so many pixels each way
  double zoom = 0;                ///< larger or smaller by up to this fraction, below 1
  int64_t height = 0, width = 0;  ///< of the result, about the middle; 0: as the images
};

/// How the next image of a sequence is moved. Always draws the same numbers: switching one kind of change off leaves
/// the others as they were.
inline Motion random_motion(Random& random, AugmentOptions const& o) {
  Motion m;
  double angle = random.uniform(0, 2 * std::numbers::pi);
  m.angle = o.turn ? angle : 0;
  m.mirror = random.uniform() < 0.5 && o.mirror;
  m.scale = 1 + random.uniform(-o.zoom, o.zoom);
  m.shift_y = random.uniform(-o.shift, o.shift), m.shift_x = random.uniform(-o.shift, o.shift);
  return m;
}

/// The random numbers of item `item` of a batch or an epoch. Streams below 2^63 are those of the generator itself.
inline Random random_of_item(uint64_t seed, uint64_t stream, uint64_t item) {
  return Random(seed, (stream << 32 | item) | uint64_t(1) << 63);
}

namespace detail {

/// Picture after picture, on all threads.
template <class In> void augment_pictures(kernels::Augment const& a) {
  AugmentOptions o{.turn = a.any_angle, .mirror = a.mirror, .shift = a.shift, .zoom = a.zoom};
  uint64_t stream = a.stream + (a.offset ? *a.offset : 0);
  parallel_tasks(a.N, [&](int64_t n) {
    Random random = random_of_item(a.seed, stream, a.first + uint64_t(n));
    Affine map = Affine::about_centre(a.H, a.W, a.P, a.Q, random_motion(random, o));
    sample(static_cast<In const*>(a.x) + n * a.H * a.W * a.C, a.H, a.W, a.C, a.unit, map, a.y + n * a.P * a.Q * a.C,
           a.P, a.Q);
  });
}
inline int augment_on_host(kernels::Augment const& a) {
  if (a.rule != kernels::AugmentRule::items) return kernels::unsupported;
  if (a.pixels == DType::u8) augment_pictures<uint8_t>(a);
  else if (a.pixels == DType::bf16) augment_pictures<bf16>(a);
  else if (a.pixels == DType::f32) augment_pictures<float>(a);
  else return kernels::unsupported;
  return kernels::ok;
}

}  // namespace detail
}  // namespace vision

inline constinit Slot<kernels::Augment> augment_slot{
    "augment", {vision::detail::augment_on_host}, {kernels::reference::augment}, {}, {}};

namespace vision {

/// Each image turned by any angle, mirrored or not, moved and zoomed at random, bilinearly in one pass, continued by
/// reflection: y[n] as data::Loader gives item first + n of epoch draw.stream, for a loader with the seed draw.seed.
/// Shapes   images (N,H,W,C), float32, bf16 or u8 (which becomes 0 .. 1): y (N,height,width,C) float32, on the same device.
/// Units    those of the images.      Cost  10 operations a value; on a GPU one kernel that reads and writes once.
/// Deterministic  by (draw, first + n): the same on every device up to the rounding of a few products.
/// Gradient none.
/// Errors   ShapeError for other ranks and results larger than the images; DTypeError for other types; ValueError for
///          options out of range.
inline Tensor augment(Tensor const& images, AugmentOptions const& o, Generator::Draw draw, int64_t first = 0) {
  require<ShapeError>(images.rank() == 4 && images.numel() > 0, "augment: the images are ", images.shape(),
                      "; (N,H,W,C) with pixels is needed");
  int64_t H = images.dim(1), W = images.dim(2), C = images.dim(3);
  int64_t height = o.height ? o.height : H, width = o.width ? o.width : W;
  require<ShapeError>(height > 0 && width > 0 && height <= H && width <= W, "augment: ", height, "x", width,
                      " pixels of images ", images.shape(), "; they must fit");
  require<ValueError>(o.shift >= 0 && o.zoom >= 0 && o.zoom < 1 && first >= 0, "augment: shift ", o.shift, ", zoom ",
                      o.zoom, ", first ", first, "; none may be negative, and zoom is below 1");
  DType type = images.dtype();
  require<DTypeError>(type == DType::f32 || type == DType::bf16 || type == DType::u8, "augment: the images are ",
                      name_of(type), "; float32, bf16 or u8 is needed");
  Tensor x = images.detach().contiguous();
  Tensor y = empty({images.dim(0), height, width, C}, {.dtype = DType::f32, .device = x.device(), .group = {}});
  kernels::Augment a{.N = x.dim(0), .H = H, .W = W, .C = C, .P = height, .Q = width, .pixels = type};
  if (type == DType::u8) a.unit = 1.0f / 255;
  a.seed = draw.seed, a.stream = draw.stream, a.offset = draw.offset, a.first = uint64_t(first);
  a.mirror = o.mirror, a.any_angle = o.turn, a.shift = o.shift, a.zoom = o.zoom;
  for_dtype(type, [&]<class T>(T) { a.x = x.data<T>(); });
  a.y = y.data<float>();
  run(augment_slot, x.device(), a);
  return y;
}

/// The same with the next draw of the default generator (manual_seed).
inline Tensor augment(Tensor const& images, AugmentOptions const& o = {}) {
  return augment(images, o, default_generator().next());
}

}  // namespace vision
}  // namespace d16
