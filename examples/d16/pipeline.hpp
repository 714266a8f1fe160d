// The way of every object through the tool: read, framed, denoised, classified, put into a catalogue.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <d16/io/table.hpp>

#include "commands.hpp"
#include "predict.hpp"

namespace tool {

/// One object and all that was found out about it. Without light it could not be read; frame.note says why.
struct Object {
  std::string id, file;  ///< file: relative to the input
  Frame frame;
  d16::Tensor denoised;          ///< light, or undefined
  d16::Tensor std;               ///< of the denoised light, or undefined
  d16::vision::Stretch stretch;  ///< between light and what the denoiser saw
  double p_raw = nan, p_denoised = nan;
  bool readable() const { return frame.light.defined(); }
};

/// The networks of a job; either may be absent.
struct Networks {
  Network* denoiser = nullptr;
  Network* classifier = nullptr;
  /// The size of frames; both networks must want the same. Errors   WeightsError.
  int64_t size() const;
};

/// Takes all objects of the input through the networks and hands each to `visit`, in order. An object that fails is
/// flagged and visited too.
/// Errors   FileError when the input has no objects, or none of them could be read.
void process(InputOptions const& o, Networks const& networks, std::function<void(Object&)> const& visit);

/// One line of the catalogue.
struct Row {
  std::string id, file, bands, note;
  double ra = nan, dec = nan, p_disk = nan, p_raw = nan, p_denoised = nan, snr = nan, r90 = nan, scale = nan;
  double p_cal = nan;
  int32_t n_bands = 0, flags = 0;
  // for the report of d16 run alone
  double redshift = nan, re_over_fwhm = nan;
  std::optional<bool> truth = {};  ///< is it a disk?
};
/// p_cal is that of the classifier's calibration, where disks have the frequency `prior`; 0: that of the validation set.
Row row_of(Object const& object, bool raw, Network const& classifier, double prior = 0);

/// With units and comments. `networks` decides which probabilities are in it; rows without p_disk have it as NaN.
d16::io::Table catalog(std::vector<Row> const& rows, Networks const& networks, bool raw);

/// catalog.csv or catalog.fits, by the ending; the FITS header tells how it was made.
void write_catalog(std::string const& path, d16::io::Table const& table, Networks const& networks);

}  // namespace tool
