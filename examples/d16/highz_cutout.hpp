// Cutouts in the seven wide NIRCam bands as files have them, brought to the grid and the unit of the classifiers.
#pragma once
#include <string>
#include <vector>

#include "highz_input.hpp"

namespace tool {

/// The files of one object.
struct HighzSource {
  std::string id, path;  ///< path: what messages name, a file or a folder
  std::vector<std::string> files = {};
};

/// The objects of a FITS file or of a folder. Files belong together by their names:
///   ID/anything_F444W_sci.fits   a sub-folder for each object
///   ID_F444W_sci.fits            files with one ID before the band
///   ID.fits                      a cube, or one extension for each band
/// Pictures, hidden files and other formats are passed over. Sorted by id.
/// Errors   FileError when there is no FITS file to read.
std::vector<HighzSource> find_highz_sources(std::string const& input);

/// What the user knows better than the files.
struct HighzReading {
  std::string unit = {};    ///< of the pixels; empty: BUNIT, or else MJy/sr, flagged
  double pixel_arcsec = 0;  ///< of every band; 0: from the headers, or else 0.03, flagged
};

/// One object that was read. Without an image it could not be; note says why.
struct HighzCutout {
  BandObject object;
  int32_t flags = 0;
  double ra, dec;  ///< of the middle, degrees; NaN where the header does not say
  std::string note = {};
  bool readable() const { return object.image.defined(); }
};

/// Reads one object. The science images of the seven bands are taken, others left alone (F410M, masks, weights, models).
/// The middle of each image is the object; 64x64 pixels of 0.03 arcsec around it are kept, NaN beyond its edges. Pixels
/// of that size are taken as they are, with their noise from an ERR image; finer ones are added up, coarser ones
/// interpolated, and their noise is left to be measured. So are those of the fewer images where some sides are odd and
/// others even: their middles are half a pixel apart.
/// Errors   none: a file that cannot be read sets READ_ERROR and the note. Only memory may run out.
HighzCutout read_highz_cutout(HighzSource const& source, HighzReading const& reading);

/// "F444W" for a name that has it as a word, whatever its case: "egs_f444w_sci.fits"; empty when there is none.
/// `before` gets what stands before it, without the separator.
std::string nircam_band_in(std::string const& name, std::string* before = nullptr);

}  // namespace tool
