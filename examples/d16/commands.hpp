// The subcommands of the tool: what each may be told, and the function that does it.
// Each says its result in words (say) and returns it as JSON for --json.
#pragma once
#include <string>
#include <vector>

#include "classify_highz.hpp"
#include "common.hpp"
#include "simulate.hpp"

namespace tool {

struct InfoOptions : Common {
  std::string file;
};
/// What `train denoise` alone may be told.
struct DenoiseTraining {
  int64_t channels = 3;
  std::string form = "blend", loss = "bce", self_supervised = "none";
  std::vector<double> snr = {3, 100}, sharpness = {0.6, 4};  ///< least and most S/N and R_e / FWHM of the galaxies
  std::string contaminants = "all";
  double anneal = 0;  ///< epochs in which beta grows from 0
  bool masked = false;
};
struct TrainOptions : Common {
  std::string data, labels, out;
  std::string model = "equivariant", group = "D4";
  std::vector<int64_t> widths;
  int64_t size = 64, crop = 0, epochs = 20, batch = 64, latent = 16, limit = 0, first_stride = 1;
  double lr = 1e-3, weight_decay = 1e-4, beta = 0.01, minutes = 0;
  double average = 0.998;  ///< of the running mean of the weights that is kept
  bool resume = false, recompute = false, cross_validate = false, kinds = false;
  std::string precision = "float32";
  int64_t accumulate = 1;
  DenoiseTraining denoise = {};
};
struct EvaluateOptions : Common {
  std::vector<std::string> weights;  ///< of several denoisers, an ensemble
  std::string data, labels, against;
  int64_t limit = 0;
  bool uncertainty = false;
};
/// What `classify`, `denoise` and `run` share.
struct InputOptions : Common {
  std::string input, out;
  std::vector<std::string> bands;
  double zoom = 1;
};
struct DenoiseOptions : InputOptions {
  std::vector<std::string> weights;  ///< several: an ensemble
};
struct ClassifyOptions : InputOptions {
  std::string weights, system = "disk";
  HighzChoices highz = {};  ///< for the system highz only
};
struct RunOptions : InputOptions {
  std::string denoiser;
  std::vector<std::string> classifiers;  ///< the first decides, the others give p_err_seed; empty: that of this program
  bool raw = false;                      ///< p_disk is that of the raw image
  std::string catalog, mosaic, psf, forest;
  std::vector<std::string> pixscale;
  double side = 8;         ///< arcsec of a cutout from a mosaic
  double prior = 0;        ///< how frequent disks are, for p_disk_cal; 0: as in training
  double purity = 0;       ///< of the sample that is marked; 0: none is
  bool no_errors = false;  ///< neither draws of noise nor turned views: p_err_* are NaN
  bool images = false;     ///< write denoised/ID.fits
  int64_t fade = 0;        ///< so many objects are made fainter, for the report
  std::string truth;       ///< column of the catalogue with true classes, for the report; empty: not known
};
struct MeasureOptions : Common {
  std::string input, out, psf, forest;
  std::vector<std::string> bands, pixscale;
  bool no_fit = false;
};
struct CheckOptions : Common {
  std::string weights, input, out;
  int64_t size = 0;  ///< 0: as the network was trained
};

Json info(InfoOptions const& o);
Json train_disk(TrainOptions const& o);
Json train_denoise(TrainOptions const& o);
Json evaluate(EvaluateOptions const& o);
Json denoise(DenoiseOptions const& o);
Json classify(ClassifyOptions const& o);
Json measure(MeasureOptions const& o);
Json run(RunOptions const& o);
Json check_equivariance(CheckOptions const& o);

}  // namespace tool
