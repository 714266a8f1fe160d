// Frames: a cutout brought to what networks see - three bands on one grid, the galaxy as large as in training - and how
// light becomes a picture and a picture light.
#pragma once
#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include <d16/vision/stretch.hpp>

#include "cutout.hpp"

namespace tool {

/// Bits of the catalogue column `flags`.
enum Flag : int32_t {
  flag_unreadable = 1,  ///< no result; the note says why
  flag_filled = 2,      ///< more than 5 % of the frame was masked, NaN or outside of the image, and filled
  flag_not_found = 4,   ///< nothing stands out at the centre: the whole image is the frame
  flag_edge = 8,        ///< the galaxy is too large for the cutout to be framed as in training
  flag_few_bands = 16,  ///< fewer than three bands: one is used twice or three times
  flag_wcs = 32,        ///< sky coordinates are missing or contradict themselves: check ra, dec and size_arcsec
  flag_picture = 64,    ///< a picture without flux: no snr
  flag_faint = 128,     ///< snr below 10
  // of d16 run alone:
  flag_masked = 256,       ///< a neighbour was masked
  flag_blended = 512,      ///< the object was cut off a neighbour that it touches
  flag_saturated = 1024,   ///< pixels without data at its centre
  flag_unresolved = 2048,  ///< R_e below half of the PSF's width
  flag_units = 4096,       ///< the file states no unit
  flag_near_bcg = 8192,    ///< a neighbour in the cutout has 20 times its light
  flag_arc = 16384,        ///< long, thin and bent: perhaps a lensed arc
  flag_ood = 32768,        ///< p_ood above 0.99
  flag_changed = 65536,    ///< the raw and the denoised image fall into different classes
  flag_residual = 131072,  ///< resid_chi2 above 2
};
/// "1 unreadable, 2 ...": the meaning of the bits, for column comments and reports.
std::string flag_legend();
/// The names of the set bits: "few_bands, picture".
std::string flag_names(int32_t flags);

/// The object at the centre of a plane: in the part that is symmetric about its peak, the pixels above sky + 2.5 sigma
/// of the smoothed image that hang together.
struct Shape2d {
  bool found = false;
  double x = 0, y = 0;          ///< flux-weighted centre
  double r50 = nan, r90 = nan;  ///< radii around it with 50 and 90 % of the flux, in pixels
  double sky = 0;               ///< of the border, sigma-clipped
  double flux = 0;
  std::vector<int64_t> pixels = {};
};
Shape2d measure(Plane const& plane);

/// The image with masked pixels taken out.
Plane unmasked(Band const& band);

/// Where a pixel is on the sky, degrees; NaN where the header does not say. Without a rotation only the reference
/// position itself can be trusted, and is given.
struct Place {
  double ra = nan, dec = nan;
};
Place place_of(Wcs const& wcs, double x, double y);

struct FrameOptions {
  int64_t size = 64;
  std::vector<std::string> bands = {};
  double zoom = 1;
};

/// The names of the three bands of a frame, red first; with fewer than three some repeat.
using BandNames = std::array<std::string, 3>;

/// The first channel that shows the band of channel k.
inline size_t first_channel(BandNames const& bands, size_t k) {
  return size_t(std::find(bands.begin(), bands.end(), bands[k]) - bands.begin());
}

/// A number for each channel from draw(channel); channels that show one band share the first one's.
template <class Draw> std::array<double, 3> for_each_band(BandNames const& bands, Draw const& draw) {
  std::array<double, 3> out{};
  for (size_t k = 0; k < 3; ++k) {
    size_t first = first_channel(bands, k);
    out[k] = first < k ? out[first] : draw(k);
  }
  return out;
}

/// What networks see of an object and what is known about it.
struct Frame {
  int64_t size = 0;
  d16::Tensor light;                  ///< (size, size, 3), units of the bands, red first, no NaN
  bool picture = false;               ///< light was taken from a PNG or JPEG: see light_of()
  d16::vision::Stretch stretch = {};  ///< light to a picture; unused when it was one
  BandNames bands;
  std::array<std::string, 3> units;
  double x = 0, y = 0, side = 0;  ///< centre and side of the frame in pixels of the reference band
  Wcs wcs = {};                   ///< of the frame's own pixels
  double ra = nan, dec = nan;     ///< of the object, which need not be in the middle
  double snr = nan, r50 = nan, r90 = nan, scale = nan;  ///< r50, r90: pixels of the reference band
  int32_t n_bands = 0, flags = 0;
  std::string note = {};
};

/// Light as a picture like those of surveys, in [0, 1]: what reports show.
d16::Tensor picture_of(Frame const& frame, d16::Tensor const& light);

/// What the classifier sees: light (H,W,3) as one grey channel or three, each brought to the same levels whatever the
/// exposure, so that telescopes look alike. Colours depend on redshift and filters, and are left out with one channel.
d16::Tensor classifier_input(d16::Tensor const& light, int64_t channels);

/// The stretch that makes such a picture of light (H,W,3) without NaN.
d16::vision::Stretch fit_picture(d16::Tensor const& light);

/// Pictures in [0, 1] are taken to be an asinh stretch with this softness of light whose white is 1.
constexpr double picture_softness = 0.1;
d16::Tensor light_of(d16::Tensor const& picture);

/// The sides of frames are this many times the r90 of the stretched picture: the median over 400 Galaxy Zoo images of
/// what the central 192 pixels measure, which the networks are trained on.
constexpr double frame_per_r90 = 4.4;

/// Errors   ValueError, with no file name: a band that is not there, no finite pixel.
Frame make_frame(Cutout const& cutout, FrameOptions const& options);

/// The frame's pixels of another plane on the grid of its reference band, such as a mask or errors: means over their
/// areas; NaN beyond the plane.
Plane cut_like(Plane const& plane, Frame const& frame);

/// The three bands for red, green and blue, as indices into cutout.bands. With fewer than three, some repeat.
std::array<size_t, 3> choose_bands(Cutout const& cutout, std::vector<std::string> const& wanted);

}  // namespace tool
