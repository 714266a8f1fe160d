// Contract of the random changes of a batch of pictures: turned, mirrored, moved, zoomed, made noisier, bands left out.
#pragma once
#include <d16/core/dtype.hpp>

#include "view.hpp"

namespace d16::kernels {

/// Which random numbers a picture has, and what is done with them; all by class Random of core/random.hpp.
enum class AugmentRule {
  /// As data::Loader. Picture n has the sequence Random(seed, stream << 32 | first + n | 1 << 63), whose numbers are
  /// uniform(): angle, mirror, zoom, shift down, shift right.
  items,
  /// As vision::augment_bands(). Picture n has the sequences Random(seed, 4 (stream + first + n) + kind): 0 mirror,
  /// quarters, angle; 1 shift down, shift right; 2 noise, value by value; 3 the bands that are left out.
  bands,
};

/// augment   reads x, valid; writes y, valid_out. y is x about its centre turned, mirrored, zoomed and moved, times
///           unit, bilinearly, continued by reflection; plus noise in the bands that are valid.
struct Augment {
  int64_t N = 1, H = 1, W = 1, C = 1;  ///< of x
  int64_t P = 1, Q = 1;                ///< height and width of y
  DType pixels = DType::f32;           ///< of x: f32, bf16 or u8
  float unit = 1;
  AugmentRule rule = AugmentRule::items;
  uint64_t seed = 0, stream = 0, first = 0;
  uint64_t const* offset{};  ///< or null; in memory of the device, added to stream: each replay of a graph draws anew
  bool mirror = true, any_angle = true, quarter_turns = false;
  double shift = 0, zoom = 0;
  double const* noise{};  ///< sigma of each band, in host memory; or null
  double drop = 0;        ///< rule bands: probability of each band to be left out
  int keep = 1;           ///< but so many that are valid stay
  void const* x{};
  float const* valid{};  ///< (N,C) or null: all are
  float* y{};            ///< (N,P,Q,C)
  float* valid_out{};    ///< (N,C) where valid is given

  /// Quarter turns alone move whole pixels: no interpolation.
  bool whole_pixels() const { return rule == AugmentRule::bands && !any_angle && !(shift > 0); }
};

}  // namespace d16::kernels
