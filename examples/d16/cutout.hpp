// Cutouts: where the objects of an input are, and one object read into bands with their noise, masks and coordinates.
#pragma once
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include <d16/io/wcs.hpp>

#include "common.hpp"

namespace tool {

/// An image of one channel, row 0 first as stored; NaN where nothing is known.
struct Plane {
  int64_t h = 0, w = 0;
  std::vector<float> values = {};
  bool empty() const { return values.empty(); }
  float at(int64_t y, int64_t x) const { return values[size_t(y * w + x)]; }
  float& at(int64_t y, int64_t x) { return values[size_t(y * w + x)]; }
};
/// The same as a tensor (H,W) on the host.
d16::Tensor tensor_of(Plane const& p);

/// Sky coordinates, where there are any. Where they are doubtful the PC matrix is no rotation: CDELT is taken as the
/// scale, the angle is unknown.
struct Wcs : d16::io::TangentWcs {
  bool known = false;
};

struct Band {
  std::string name;    ///< "F444W", "r", "red"; "1" where the file does not say
  Plane image, sigma;  ///< sigma is empty where the file does not say
  Plane mask;          ///< not 0: a pixel of another object or a bad one; may be empty
  Wcs wcs;
  std::string unit = {};
  Plane segments = {};  ///< 0 is sky, else the number of the object that the pixel belongs to; may be empty
  double arcsec = nan;  ///< on a side of a pixel; NaN where the header does not say
  Plane psf = {};       ///< on the grid of the image, of any size; may be empty
};

struct Cutout {
  std::string id, file;
  bool picture = false;  ///< PNG or JPEG: stretched already, no flux
  std::vector<Band> bands = {};
  std::string note = {};   ///< what was left out
  bool simulated = false;  ///< a header says so (SIMULATD)
};

/// What a file is by its name: "m31_f444w_err.fits" is the sigma of band f444w of the object m31.
enum class Role { single, science, sigma, weight, mask, segments, psf, other };
struct Part {
  Role role = Role::single;
  std::string id, band;
};
Part part_of(std::string const& path);

/// The files of one object.
struct Source {
  std::string id, path;  ///< path: what messages name, a file or a folder
  std::vector<std::string> files;
};

/// The objects of a file or folder:
///   file.fits | .fits.gz | .png | .jpg | .npy    one object
///   folder with BAND_sci.fits                    one object; BAND_err.fits, _mask, _seg, _psf belong to it
///   folder with ID_BAND_sci.fits                 an object for each ID
///   folder of such folders                       an object for each
///   folder of files                              an object for each file; folder with images/: those in it
/// Errors   FileError when there is nothing to read.
std::vector<Source> find_sources(std::string const& input);

/// Reads one object. Non-finite pixels become NaN; bands without a single finite pixel are an error.
/// Errors   FileError that names the file.
Cutout read_cutout(Source const& source);

/// Overrules the pixel scales of headers: "0.04" for all bands, "F115W=0.02" for one.
/// Errors   ValueError for what is no such number.
void set_scales(Cutout& cutout, std::vector<std::string> const& scales);

/// The central wavelength of a filter in micrometres by its name ("F444W", "r"); NaN when unknown.
double wavelength(std::string const& band);

/// Whether a band is a filter of JWST NIRCam, in any case: of other telescopes, and of MIRI, the names look alike.
bool is_nircam(std::string const& band);

}  // namespace tool
