// What an object's light tells without a network: its pixels apart from its neighbours, radii, C, A, S, Gini, M20, Sersic.
#pragma once
#include <string>
#include <vector>

#include <d16/vision/morphology.hpp>
#include <d16/vision/sersic_fit.hpp>

#include "cas.hpp"
#include "cutout.hpp"
#include "described.hpp"
#include "frame.hpp"

namespace tool {

/// Bits of Shape::flags and of the column shape_flags.
enum ShapeFlag : int32_t {
  shape_not_found = 1,         ///< no source at the middle: nothing was measured
  shape_masked = 2,            ///< a neighbour, or a bad pixel, was left out
  shape_blended = 4,           ///< the object was cut off a neighbour that it touches
  shape_edge = 8,              ///< it, or 1.5 of its Petrosian radii, reaches beyond the data
  shape_saturated = 16,        ///< pixels without data at its centre
  shape_unresolved = 32,       ///< R_e below half of the PSF's width
  shape_low_snr = 64,          ///< snr_seg below 10, or 2.5 a pixel
  shape_no_sky = 128,          ///< asymmetry and smoothness are not corrected for the sky
  shape_psf_assumed = 256,     ///< the PSF is a Gaussian of the telescope's width
  shape_no_psf = 512,          ///< no PSF is known: sizes and n are those of the blurred image
  shape_not_converged = 1024,  ///< the Sersic fit did not come to rest, or ended at a limit: see the note
  shape_near_bcg = 2048,       ///< a neighbour has 20 times its light in the cutout
  shape_arc = 4096,            ///< long, thin and bent: perhaps a lensed arc
  shape_picture = 8192,        ///< a picture without flux: nothing was measured
};
std::string shape_flag_legend();

/// What is known about the light of an object in one band. Lengths in its pixels; NaN where something is not known.
struct Shape {
  std::string band, unit, note;
  double arcsec = nan;  ///< on a side of a pixel
  double snr = nan;     ///< of the segment: its light over the errors of its pixels
  double flux_error = nan;
  double mask_frac = nan;  ///< of the circle of 1.5 Petrosian radii
  double fwhm = nan;       ///< of the PSF
  d16::vision::Morphology light{};
  d16::vision::SersicFit fit{};  ///< of use when `fitted`
  bool fitted = false;
  double p_disk_cas = nan;
  int32_t flags = 0;
  Plane own, neighbours;  ///< 1 where a pixel is the object's, another's
  double re() const { return fitted ? fit.profile.r_eff : light.r50; }
  CasFeatures features() const;
};

struct ShapeOptions {
  std::string band = {};  ///< which; empty: chosen by shape_band()
  double redshift = nan;
  std::string psf = {};  ///< a FITS file, or a folder with one for each band, for objects without their own
  bool fit = true;
};

/// The band to measure: that of rest-frame 0.55 um where the redshift is known, of NIRCam's if there are any; else
/// F277W, else the one that is red.
size_t shape_band(Cutout const& cutout, ShapeOptions const& o);

/// Measures the object in the middle of a cutout. Nothing that is wrong with the pixels is an error: flags say so.
Shape measure_shape(Cutout const& cutout, ShapeOptions const& o);

/// The frame that classifiers see: neighbours masked, of JWST's bands the measured one unless o.bands says others. Its
/// place on the sky is that of the measured centre, where there is one.
Frame frame_of(Cutout& cutout, Shape const& shape, FrameOptions o);

/// Sets p_disk_cas of all shapes.
void add_cas(CasForest const& forest, std::vector<Shape>& shapes);

/// The columns of shapes, for the catalogues of `measure` and `run`.
void add_shape_columns(Described& out, std::vector<Shape> const& shapes);

}  // namespace tool
