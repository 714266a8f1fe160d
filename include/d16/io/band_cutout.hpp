// Cutouts of one object in many bands, brought to one grid and to nanojansky per pixel. Link cfitsio.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "../vision/line_map.hpp"
#include "fits.hpp"
#include "flux_unit.hpp"
#include "survey_catalog.hpp"

namespace d16::io {

struct BandCutoutOptions {
  std::vector<std::string> bands = nircam_bands();
  std::string unit = {};                    ///< of the pixels, whatever the files say
  std::string default_unit = {};            ///< where a file says none; empty: that is an error
  double pixel_arcsec = 0;                  ///< of the coarsest band, whatever the files say; 0: from the headers
  std::optional<FitsSection> section = {};  ///< only this part of each file
};

/// One object in all bands on one grid, nJy per pixel.
struct BandCutout {
  std::vector<std::string> bands;
  Tensor image;                ///< (H,W,C) float32; NaN where there are no data
  std::vector<bool> present;   ///< bands with at least one finite pixel
  PixelScale scale;            ///< of this grid
  bool units_assumed = false;  ///< a file stated no unit: default_unit was taken
};

namespace detail {

inline double cutout_factor(FitsImage const& image, double pixel_arcsec, std::string const& where,
                            BandCutoutOptions const& o, BandCutout& out) {
  std::string unit = !o.unit.empty() ? o.unit : image.unit;
  if (unit.empty()) unit = o.default_unit, out.units_assumed = true;
  require<FileError>(!unit.empty(), where, ": the header has no BUNIT; say what the unit of the pixels is");
  try {
    return nanojansky_in(ascii(unit), pixel_arcsec);
  } catch (ValueError const& fault) {
    throw FileError(where + ": " + fault.what());
  }
}

/// Pixels of the image on a side of one pixel of the common grid: by the headers, or by their numbers where a header
/// does not say.
inline double grid_ratio(FitsImage const& image, BandCutout const& out) {
  bool known = image.scale.known() && out.scale.known() && out.scale.how != "as given";
  double ratio = known ? out.scale.arcsec / image.scale.arcsec : double(image.pixels.dim(0)) / double(out.image.dim(0));
  return std::abs(ratio - 1) < 1e-3 ? 1 : ratio;
}

/// Puts an image into band c. All cutouts have the object at their middle: a finer grid is added up over the areas of
/// the coarse pixels around the common centre, so that flux is kept.
inline void place_band(FitsImage const& image, size_t c, double to_nanojansky, std::string const& where,
                       BandCutout& out) {
  int64_t H = out.image.dim(0), W = out.image.dim(1), C = out.image.dim(2);
  double h = double(image.pixels.dim(0)), w = double(image.pixels.dim(1)), fine = grid_ratio(image, out);
  auto fits = [&](double pixels, int64_t coarse) { return std::abs(pixels - fine * double(coarse)) <= 1.5 * fine; };
  require<FileError>(fine > 0.999 && fits(h, H) && fits(w, W), where, ": is ", w, "x", h, " pixels of ",
                     image.scale.arcsec, " arcsec, other bands are ", W, "x", H, " of ", out.scale.arcsec,
                     "; cut the same part of the sky out of all bands");
  auto map = [&](double pixels, int64_t coarse) {
    double half = fine * double(coarse) / 2;
    return vision::window_map(int64_t(pixels), pixels / 2 - half, pixels / 2 + half, coarse);
  };
  Tensor pixels = vision::apply("read_band_cutout", map(h, H), map(w, W), image.pixels);
  for (int64_t i = 0; i < H * W; ++i) {
    double value = double(pixels.data<float>()[i]) * fine * fine * to_nanojansky;
    if (!std::isfinite(value)) continue;
    out.image.data<float>()[i * C + int64_t(c)] = float(value);
    out.present[c] = true;
  }
}

/// All bands from images that were read; `images[c]` without pixels is a missing band.
inline BandCutout cutout_of(std::vector<FitsImage> const& images, std::vector<std::string> const& where,
                            BandCutoutOptions const& o) {
  FitsImage const* coarsest = nullptr;
  for (FitsImage const& image : images)
    if (image.pixels.defined() && (!coarsest || image.pixels.numel() < coarsest->pixels.numel())) coarsest = &image;
  BandCutout out{.bands = o.bands, .image = {}, .present = std::vector<bool>(o.bands.size()), .scale = coarsest->scale};
  if (o.pixel_arcsec > 0) out.scale = {o.pixel_arcsec, "as given"};
  int64_t H = coarsest->pixels.dim(0), W = coarsest->pixels.dim(1);
  out.image = full({H, W, int64_t(o.bands.size())}, std::numeric_limits<double>::quiet_NaN(), vision::host_tensor());
  for (size_t c = 0; c < images.size(); ++c) {
    if (!images[c].pixels.defined()) continue;
    double own_arcsec = out.scale.arcsec / grid_ratio(images[c], out);
    place_band(images[c], c, cutout_factor(images[c], own_arcsec, where[c], o, out), where[c], out);
  }
  require<FileError>(std::count(out.present.begin(), out.present.end(), true) > 0, where.front(),
                     ": no band has a finite pixel; cut the object out where there are data");
  return out;
}

}  // namespace detail

/// Reads one FITS file for each band, cutouts of one object with it at their middle. Bands without a file are missing.
/// The grid is that of the coarsest band; finer ones (0.02 beside 0.04 arcsec) are added up over its pixels.
/// Units    nJy per pixel, from BUNIT and, for MJy/sr, the pixel scale of the header.
/// Errors   FileError that names the file: no unit, unknown or contradictory pixel scale where it is needed, another
///          size, nothing finite; ValueError for a band that was not asked for or no file at all.
inline BandCutout read_band_cutout(std::vector<std::pair<std::string, std::string>> const& band_and_file,
                                   BandCutoutOptions const& o = {}) {
  require<ValueError>(!band_and_file.empty(), "read_band_cutout: no files; give one for each band that there is");
  std::vector<FitsImage> images(o.bands.size());
  std::vector<std::string> where(o.bands.size());
  for (auto const& entry : band_and_file) {
    std::string const &band = entry.first, &file = entry.second;
    auto found =
        std::find_if(o.bands.begin(), o.bands.end(), [&](auto const& b) { return detail::same_name(b, band); });
    require<ValueError>(found != o.bands.end(), file, ": band ", band, " is none of those asked for");
    size_t c = size_t(found - o.bands.begin());
    require<ValueError>(!images[c].pixels.defined(), file, ": a second file for band ", band, ", after ", where[c]);
    images[c] = read_fits(file, {.section = o.section}), where[c] = file;
  }
  return detail::cutout_of(images, where, o);
}

/// The band of plane k of a cube, k from 0: cards BAND1, BAND2 ..., or BAND0, BAND1 ... as the Legacy Surveys count.
inline std::optional<std::string> cube_band(FitsHeader const& header, int k) {
  return header.string("BAND" + std::to_string(header.has("BAND0") ? k : k + 1));
}

/// Reads one FITS cube whose planes are the bands: named by cards as cube_band() says or, without those, as many planes
/// as bands in their order. Units and errors as read_band_cutout().
inline BandCutout read_band_cube(std::string const& path, BandCutoutOptions const& o = {}) {
  std::vector<FitsHdu> hdus = list_fits(path);
  auto cube = std::find_if(hdus.begin(), hdus.end(), [](FitsHdu const& hdu) {
    return hdu.kind == FitsHdu::Kind::image && hdu.has_data() && hdu.sizes.size() == 3;
  });
  require<FileError>(cube != hdus.end(), path, ": no cube with three axes; it has ", detail::fits_names(hdus),
                     "; give one file for each band instead");
  int planes = int(std::min<int64_t>(cube->sizes[0], 1000));
  std::vector<FitsImage> images(o.bands.size());
  std::vector<std::string> where(o.bands.size(), path);
  for (int k = 0; k < planes; ++k) {
    FitsImage image = read_fits(path, {.hdu = std::to_string(cube->index), .section = o.section, .plane = k});
    auto name = cube_band(image.header, k);
    require<FileError>(name || planes == int(o.bands.size()), path, ": ", planes, " planes without cards BAND1 .., ",
                       o.bands.size(), " bands were asked for; add the cards or ask for as many bands");
    for (size_t c = 0; c < o.bands.size(); ++c)
      if (name ? detail::same_name(o.bands[c], *name) : size_t(k) == c)
        images[c] = image, where[c] = text(path, ": plane ", k);
  }
  bool any = std::any_of(images.begin(), images.end(), [](FitsImage const& i) { return i.pixels.defined(); });
  require<FileError>(any, path, ": none of the planes is a band that was asked for; check the cards BAND1 ..");
  return detail::cutout_of(images, where, o);
}

}  // namespace d16::io
