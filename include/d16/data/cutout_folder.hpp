// A folder of FITS cutouts, one sub-folder for each object and one file for each band, as a Dataset. Link cfitsio.
#pragma once
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "../io/band_cutout.hpp"
#include "image_folder.hpp"

namespace d16::data {

struct CutoutFolderOptions {
  io::BandCutoutOptions cutout = {};  ///< bands, units, pixel scale
  std::string ending = "_sci.fits";   ///< files are OBJECT/BAND and this, the band in any case
  int64_t size = 64;                  ///< pixels a side of the coarsest band, about the middle of the cutouts
  /// Where labels are: labels, id_column, class_column, classes and class_names count. Without labels all sub-folders.
  ImageFolderOptions listing = {};
};

namespace detail {

/// Names of sub-folders, sorted.
inline std::set<std::string> subfolders(std::string const& folder) {
  std::error_code error;
  std::set<std::string> out;
  std::filesystem::directory_iterator entry(folder, error), end;
  for (; !error && entry != end; entry.increment(error))
    if (entry->is_directory(error)) out.insert(entry->path().filename().string());
  require<FileError>(!error, folder, ": cannot list the folder: ", error.message(), "; check the name and your rights");
  return out;
}

/// The middle of a cutout in (size, size, C); what is not there or not finite is 0.
inline void place_middle(Tensor const& image, int64_t size, float* out) {
  int64_t H = image.dim(0), W = image.dim(1), C = image.dim(2), top = (H - size) / 2, left = (W - size) / 2;
  for (int64_t i = 0; i < size; ++i)
    for (int64_t j = 0; j < size; ++j)
      for (int64_t c = 0; c < C; ++c) {
        int64_t y = i + top, x = j + left;
        bool inside = y >= 0 && x >= 0 && y < H && x < W;
        float v = inside ? image.data<float>()[(y * W + x) * C + c] : 0;
        out[(i * size + j) * C + c] = std::isfinite(v) ? v : 0;
      }
}

inline io::BandCutout read_object(std::string const& folder, CutoutFolderOptions const& o) {
  std::vector<std::pair<std::string, std::string>> files;
  std::error_code error;
  for (std::string const& band : o.cutout.bands) {
    std::string small = band;
    for (char& c : small) c = c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c;
    for (std::string const& name : {band, small}) {
      std::string file = (std::filesystem::path(folder) / (name + o.ending)).string();
      if (!std::filesystem::is_regular_file(file, error)) continue;
      files.emplace_back(band, file);
      break;
    }
  }
  require<FileError>(!files.empty(), folder, ": no file BAND", o.ending, " of the bands that were asked for (",
                     o.cutout.bands.front(), " ...)");
  return io::read_band_cutout(files, o.cutout);
}

}  // namespace detail

/// Cutouts in linear flux with labels. An object that cannot be read becomes a flagged entry; the others go on.
/// Shapes   images (N, size, size, bands) float32, labels (N) int64; finer bands are added up over the coarsest's
///          pixels; bands without a file and pixels without data are 0.
/// Units    nJy per pixel.      Deterministic  yes.
/// Errors   FileError when the folder, the label file or one of its columns is not there, or no object can be used.
inline Dataset cutout_folder(std::string const& folder, CutoutFolderOptions const& o = {}) {
  require<ValueError>(o.size > 0 && !o.cutout.bands.empty(), "cutout_folder: size ", o.size, ", ",
                      o.cutout.bands.size(), " bands; a positive size and at least one band are needed");
  detail::Listing listing;
  std::set<std::string> objects = detail::subfolders(folder);
  if (!o.listing.labels.empty()) listing = detail::read_listing(folder, o.listing);
  else
    for (std::string const& name : objects) listing.ids.push_back(name), listing.labels.push_back(-1);
  int64_t bands = int64_t(o.cutout.bands.size()), picture = o.size * o.size * bands;
  std::vector<float> pixels;
  std::vector<int64_t> labels;
  Dataset out{{}, {}, {}, listing.classes, o.size, {}, listing.left_out};
  for (size_t i = 0; i < listing.ids.size(); ++i) try {
      require<FileError>(objects.count(listing.ids[i]), "no such sub-folder in ", folder);
      io::BandCutout cutout = detail::read_object((std::filesystem::path(folder) / listing.ids[i]).string(), o);
      pixels.resize(pixels.size() + size_t(picture));
      detail::place_middle(cutout.image, o.size, pixels.data() + pixels.size() - picture);
      labels.push_back(listing.labels[i]), out.ids.push_back(listing.ids[i]);
    } catch (FileError const& error) {
      out.flagged.push_back({listing.ids[i], error.what()});
    }
  require<FileError>(!labels.empty(), folder, ": none of ", listing.ids.size(), " objects can be used",
                     out.flagged.empty() ? "" : "; the first: " + out.flagged[0].id + ": " + out.flagged[0].reason);
  int64_t N = int64_t(labels.size());
  out.images = from(std::move(pixels), {N, o.size, o.size, bands}, vision::host_tensor());
  out.labels = from(std::move(labels), {N}, {.device = Device()});
  return out;
}

}  // namespace d16::data
