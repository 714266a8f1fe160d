// MNIST as a Dataset, and pictures turned by random angles: the rotated MNIST on which equivariant layers are checked.
#pragma once
#include <algorithm>
#include <numbers>
#include <string>

#include "../core/random.hpp"
#include "../io/idx.hpp"
#include "../vision/resample.hpp"
#include "dataset.hpp"

namespace d16::data {

/// Digits from a pair of idx files, plain or gzipped.
/// Shapes   images (N,28,28,1) uint8 (any side), labels (N) int64; ids 00001 ...
/// Errors   FileError: not idx, numbers of images and labels that differ, a label above 9.
inline Dataset mnist(std::string const& images, std::string const& labels) {
  Tensor pixels = io::read_idx(images), digits = io::read_idx(labels);
  require<FileError>(pixels.rank() == 3 && pixels.numel() > 0, images, ": is ", pixels.shape(),
                     "; images (N,H,W) are needed");
  require<FileError>(digits.rank() == 1 && digits.dim(0) == pixels.dim(0), labels, ": is ", digits.shape(), " for ",
                     pixels.dim(0), " images; one label for each is needed");
  Dataset out{pixels.reshape({pixels.dim(0), pixels.dim(1), pixels.dim(2), 1}), digits.cast(DType::i64).contiguous()};
  for (char digit = '0'; digit <= '9'; ++digit) out.classes.emplace_back(1, digit);
  for (int64_t i = 0; i < out.size(); ++i) {
    require<FileError>(out.label(i) <= 9, labels, ": label ", out.label(i), " of image ", i, "; digits are needed");
    std::string id = std::to_string(i + 1);
    out.ids.push_back(std::string(5 - std::min<size_t>(5, id.size()), '0') + id);
  }
  return out;
}

/// Each picture turned about its centre by an angle of its own, uniform over the circle, bilinear and never mirrored.
/// Shapes   as the input, uint8.     Deterministic  for the seed: item i turns alike in any subset order, any threads.
/// Errors   DTypeError unless the images are uint8.
/// Source   Larochelle et al. 2007, ICML, 473 (mnist-rot).
inline Dataset turned_at_random(Dataset const& dataset, uint64_t seed) {
  require<DTypeError>(dataset.images.dtype() == DType::u8, "turned_at_random: the images are ",
                      name_of(dataset.images.dtype()), "; uint8 is needed");
  Dataset out = dataset;
  out.images = empty(dataset.images.shape(), dataset.images.like());
  int64_t H = out.images.dim(1), W = out.images.dim(2), C = out.images.dim(3), picture = H * W * C;
  parallel_tasks(dataset.size(), [&](int64_t i) {
    Random random(seed, crc32(dataset.ids[size_t(i)]));
    vision::Motion motion{.angle = random.uniform(0, 2 * std::numbers::pi)};
    std::vector<float> turned(static_cast<size_t>(picture));
    vision::sample(dataset.images.data<uint8_t>() + i * picture, H, W, C, 1.0f,
                   vision::Affine::about_centre(H, W, H, W, motion), turned.data(), H, W);
    for (int64_t k = 0; k < picture; ++k)
      out.images.data<uint8_t>()[i * picture + k] = uint8_t(std::clamp(turned[size_t(k)], 0.0f, 255.0f) + 0.5f);
  });
  return out;
}

}  // namespace d16::data
