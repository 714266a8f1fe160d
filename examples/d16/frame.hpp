// Frames: a cutout brought to what a network sees - three bands on one grid, the galaxy as large as in training,
// stretched to [0, 1] - with everything needed to undo the stretch.
#pragma once
#include <array>
#include <string>
#include <vector>

#include <d16/vision/stretch.hpp>

#include "cutout.hpp"

namespace tool {

/// Bits of the catalogue column `flags`.
enum Flag : int32_t {
  flag_unreadable = 1,       ///< no result; the note says why
  flag_filled = 2,           ///< more than 5 % of the frame was masked, NaN or outside of the image, and filled
  flag_not_found = 4,        ///< nothing stands out at the centre: the whole image is the frame
  flag_edge = 8,             ///< the galaxy is too large for the cutout to be framed as in training
  flag_few_bands = 16,       ///< fewer than three bands: one is used twice or three times
  flag_no_scale = 32,        ///< pixel scale unknown, or its rotation lost: check ra, dec and size_arcsec
  flag_picture = 64,         ///< a picture without flux: no snr
  flag_faint = 128,          ///< snr below 10
};
/// "1 unreadable, 2 ...": the meaning of the bits, for column comments and reports.
std::string flag_legend();
/// The names of the set bits: "few_bands, picture".
std::string flag_names(int32_t flags);

/// The object at the centre of a plane: pixels above sky + 2.5 sigma of the smoothed image that hang together.
struct Shape2d {
  bool found = false;
  double x = 0, y = 0;                ///< flux-weighted centre
  double r50 = nan, r90 = nan;        ///< radii around it with 50 and 90 % of the flux, in pixels
  double sky = 0, noise = 0;          ///< of the border, sigma-clipped
  double flux = 0;
  std::vector<int64_t> pixels = {};
};
Shape2d measure(Plane const& plane);

struct FrameOptions {
  int64_t size = 64;
  std::vector<std::string> bands = {};
  double zoom = 1;
};

/// What a network sees of an object and what is known about it.
struct Frame {
  int64_t size = 0;
  d16::Tensor rgb;                            ///< (size, size, 3) in [0, 1]
  std::array<std::string, 3> bands;           ///< names, red first
  std::array<std::string, 3> units;
  d16::vision::Stretch stretch;               ///< from the units of the bands to [0, 1]; empty for a picture
  double x = 0, y = 0, side = 0;              ///< centre and side of the frame in pixels of the reference band
  Wcs wcs = {};                               ///< of the frame's own pixels
  double ra = nan, dec = nan, snr = nan, r50 = nan, r90 = nan, scale = nan;  ///< r50, r90: pixels of the reference band
  int32_t n_bands = 0, flags = 0;
  std::string note = {};
};

/// The sides of frames are this many times r90: what the central half of a Galaxy Zoo image measures on the median.
constexpr double frame_per_r90 = 4.2;

/// Errors   ValueError, with no file name: a band that is not there, no finite pixel.
Frame make_frame(Cutout const& cutout, FrameOptions const& options);

/// The three bands for red, green and blue, as indices into cutout.bands. With fewer than three, some repeat.
std::array<size_t, 3> choose_bands(Cutout const& cutout, std::vector<std::string> const& wanted);

}  // namespace tool
