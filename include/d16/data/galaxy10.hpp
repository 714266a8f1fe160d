// Galaxy10 as a Dataset: one HDF5 file with `images` and `ans`, as astroNN and the DECaLS version distribute it.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "../io/hdf5.hpp"
#include "image_folder.hpp"

namespace d16::data {

/// The classes of Galaxy10 DECaLS in the order of their numbers.
/// Source   Leung & Bovy 2019 (astroNN); github.com/henrysky/Galaxy10.
inline std::vector<std::string> galaxy10_classes() {
  return {"disturbed",
          "merging",
          "round_smooth",
          "in_between_round_smooth",
          "cigar_smooth",
          "barred_spiral",
          "unbarred_tight_spiral",
          "unbarred_loose_spiral",
          "edge_on_without_bulge",
          "edge_on_with_bulge"};
}

struct Galaxy10Options {
  int64_t size = 64;     ///< pixels a side that networks see
  double crop = 0;       ///< side of the central square that becomes these pixels; 0: all
  double margin = 0;     ///< kept around it on each side, in units of `size`; needs a crop to be real
  int64_t channels = 3;  ///< 1: colours are averaged
  int64_t limit = 0;     ///< only the first so many; 0: all
};

/// Reads, crops and shrinks the pictures, 64 at a time: the 2.5 GB of the whole are never in memory.
/// Shapes   images (N, S, S, channels) uint8 with S = size (1 + 2 margin); labels (N) int64; ids galaxy10_00001 ...
/// Cost     reading; S^2 * channels bytes a picture are kept.     Deterministic  yes.
/// Errors   FileError: no such datasets, other shapes or types, a label that is not below ten.
inline Dataset galaxy10(std::string const& path, Galaxy10Options const& o = {}) {
  require<ValueError>(o.size > 0 && o.margin >= 0 && o.limit >= 0 && (o.channels == 1 || o.channels == 3),
                      "galaxy10: size ", o.size, ", margin ", o.margin, ", channels ", o.channels,
                      "; size > 0, margin >= 0, 1 or 3 channels are needed");
  io::Hdf5File file(path);
  io::Hdf5Dataset const &images = file.at("images"), &answers = file.at("ans");
  require<FileError>(images.dtype == DType::u8 && images.shape.rank() == 4 && images.shape[3] == 3, path,
                     ": images are ", name_of(images.dtype), " ", images.shape, "; uint8 (N,H,W,3) is needed");
  require<FileError>(answers.shape.rank() == 1 && answers.shape[0] == images.shape[0], path, ": ans is ", answers.shape,
                     " for images ", images.shape, "; one label for each is needed");
  int64_t all = images.shape[0], N = o.limit > 0 ? std::min(o.limit, all) : all;
  require<FileError>(N > 0, path, ": has no images");
  int64_t side = o.size + 2 * int64_t(o.margin * double(o.size) + 0.5), picture = side * side * o.channels;
  ImageFolderOptions shrinking{.size = o.size, .crop = o.crop, .margin = o.margin, .channels = o.channels};
  Dataset out{empty({N, side, side, o.channels}, {.dtype = DType::u8, .device = Device()}),
              file.read("ans", 0, N).cast(DType::i64).contiguous(),
              {},
              galaxy10_classes(),
              o.size,
              {},
              {}};
  for (int64_t i = 0; i < N; ++i) {
    char id[32];
    std::snprintf(id, sizeof id, "galaxy10_%05lld", static_cast<long long>(i + 1));
    out.ids.push_back(id);
    require<FileError>(out.label(i) >= 0 && out.label(i) < 10, path, ": label ", out.label(i), " of image ", i,
                       "; 0 to 9 are known");
  }
  for (int64_t first = 0; first < N; first += 64) {
    Tensor part = file.read("images", first, std::min<int64_t>(64, N - first));
    parallel_tasks(part.dim(0), [&](int64_t k) {
      Tensor one = part.select(0, k).cast(DType::f32).contiguous().clone();
      for (float& v : one.host<float>()) v /= 255;
      detail::shrink(one, shrinking, side, out.images.data<uint8_t>() + (first + k) * picture);
    });
  }
  return out;
}

}  // namespace d16::data
