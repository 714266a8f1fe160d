// What the seven-band classifiers see of an object: the same steps for a simulated survey and for cutouts of a telescope.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include <d16/core/tensor.hpp>

#include "common.hpp"

namespace tool {

constexpr int highz_bands = 7, highz_side = 64;
constexpr int highz_hog_side = 32;       ///< HOG looks at this square in the middle
constexpr double highz_softness = 0.01;  ///< of the asinh stretch, in units of the brightest band's aperture flux
constexpr double highz_aperture = 0.15;  ///< radius in arcsec, as the survey's detection aperture

/// One number for each band.
using BandNumbers = std::array<double, size_t(highz_bands)>;

/// One object as it comes: nJy per pixel of 0.03 arcsec, NaN where there are no data, the object in the middle.
struct BandObject {
  d16::Tensor image;  ///< (64,64,7) float32
  std::array<float, size_t(highz_bands)>
      error{};  ///< standard deviation of a dark pixel, nJy; NaN: measured from the image
};

/// Bits that the preparation of an object sets; classify writes them on.
enum HighzFlag : int32_t {
  highz_edge = 1,             ///< EDGE: part of the cutout has no data
  highz_masked = 2,           ///< MASKED: a neighbour was masked
  highz_blended = 4,          ///< BLENDED: the object was separated from a neighbour that it touches
  highz_saturated = 8,        ///< SATURATED: no data in the middle of a band
  highz_missing_band = 16,    ///< MISSING_BAND: one band or more has no data
  highz_low_snr = 32,         ///< LOW_SNR: below 5 in the detection image
  highz_unresolved = 64,      ///< UNRESOLVED: no larger than the PSF of F444W
  highz_wcs_suspect = 128,    ///< WCS_SUSPECT: the header's scale is missing or contradicts itself
  highz_units_assumed = 256,  ///< UNITS_ASSUMED: a file stated no unit
  highz_read_error = 512,     ///< READ_ERROR: a file could not be read; no prediction
  highz_no_detection = 1024,  ///< NO_DETECTION: nothing found in the middle; no prediction
};
/// "EDGE=1 MASKED=2 ...": for the header of a catalogue.
std::string highz_flag_text();

/// The prepared objects: a row for each, in their order.
struct HighzInputs {
  d16::Tensor
      image;  ///< (N,64,64,7) float32, finite: background off, neighbours masked, one scale for all bands, asinh
  d16::Tensor valid;      ///< (N,7) float32, 1 where the band was observed
  d16::Tensor detection;  ///< (N,64,64,1) float32: F277W, F356W and F444W (those there are) in units of their noise
  d16::Tensor hog;        ///< (N,F) float32: histograms of oriented gradients of the detection image
  d16::Tensor table;      ///< (N,K) float32: photometry for trees, NaN where missing; names in highz_table_names()
  std::vector<double> snr, compactness, half_light_arcsec;  ///< of the detection image
  std::vector<BandNumbers> flux, flux_error;  ///< aperture, corrected to all light of a point, nJy; NaN where missing
  std::vector<int32_t> flags;
};
std::vector<std::string> highz_table_names();  ///< fluxes first, then sizes
int64_t highz_flux_columns();                  ///< how many of them are fluxes and colours, not sizes
/// The flux columns of the table for one object: S/N, flux over the brightest flux, all pairwise colours.
std::vector<double> highz_flux_row(BandNumbers const& flux, BandNumbers const& error);
int64_t highz_hog_size();

/// All steps for all objects, on all threads; row i is that of object i whatever the number of threads.
HighzInputs prepare_highz(std::vector<BandObject> const& objects);

/// The share of a point's light within the aperture: the mean of two of the PSF sets of jwst_ceers_nircam (10735 and
/// 13347; F090W by scaling F115W's), measured at our pixels. Catalogues are usually corrected for it too.
inline constexpr BandNumbers highz_point_share{0.821, 0.784, 0.787, 0.794, 0.694, 0.643, 0.632};
/// Fluxes, or their errors, as they were in the aperture.
BandNumbers highz_raw(BandNumbers corrected);

/// The scale of an object: the flux of the brightest band, but never less than twice its error, so that noise is not
/// blown up to the size of a source. Of what was in the aperture (highz_raw) it is the scale of the image.
/// Units   nJy; 1 when there is no band.
double highz_scale(BandNumbers const& flux, BandNumbers const& error);

/// The middle of images (N,64,64,C) as networks see it: (N,side,side,C).
d16::Tensor highz_middle(d16::Tensor const& images, int64_t side);

/// Histograms of oriented gradients of detection images (N,H,W,1), H and W at least 32: (N, highz_hog_size()).
d16::Tensor highz_hog(d16::Tensor const& detection);

}  // namespace tool
